/**
 * Cells of the table of kernel generations by hooks, as rows of text: what a cell starts from, and everything that it changes. What is not
 * among the changes (registers, images, TS, owner, flags) stayed as it was.
 */
import { step, type BasePolicy } from '@fpulab/core';
import type { Cell, Observation } from '@fpulab/core/testing';
import { eager, lazyCr0Ts, loadFpuDeferral, refreshFpu, rfc2016 } from '../src';

/** The kernels of the table, by the eras of our policies, and the two proposals of 2016. */
export const KERNELS = {
  'linux-2.6.32': () => lazyCr0Ts({ era: 'linux-2.6.32' }),
  'linux-3.6': () => lazyCr0Ts({ era: 'linux-3.6' }),
  'linux-4.1 lazy': () => lazyCr0Ts({ era: 'linux-4.1' }),
  'linux-4.2 lazy': () => lazyCr0Ts({ era: 'linux-4.2' }),
  'linux-4.8 lazy': () => lazyCr0Ts({ era: 'linux-4.8' }),
  'linux-4.1 eager': () => eager({ era: 'linux-4.1' }),
  'linux-4.2 eager': () => eager({ era: 'linux-4.2' }),
  'linux-4.8 eager': () => eager({ era: 'linux-4.8' }),
  'linux-4.14': () => eager({ era: 'linux-4.14' }),
  'linux-5.2': () => loadFpuDeferral({ era: 'linux-5.2' }),
  'linux-5.14': () => loadFpuDeferral({ era: 'linux-5.14' }),
  'linux-6.1': () => loadFpuDeferral({ era: 'linux-6.1' }),
  'linux-6.12': () => loadFpuDeferral({ era: 'linux-6.12' }),
  'rfc-2016': rfc2016,
  'refresh-fpu': refreshFpu,
} as const satisfies Readonly<Record<string, () => BasePolicy>>;

/** One of them. */
export type KernelName = keyof typeof KERNELS;

/** Kernels, separated by commas, what the cell starts from, what it changes. */
export type Row = readonly [kernels: string, before: string, changes: string];

const OWNERS = ['fpu_owner_task', 'fpu_fpregs_owner_ctx', 'fpregs_owner'];
const FLAGS = [
  'TS_USEDFPU',
  'has_fpu',
  'fpregs_active',
  'PF_USED_MATH',
  'fpstate_active',
  'initialized',
  'TIF_NEED_FPU_LOAD',
  'TIF_LOAD_FPU',
  'TIF_REFRESH_FPU',
];

/** `TS=1 fpregs=sse=B:1 owner=B image=sse=A:1 has_fpu=0 PF_USED_MATH=1`, of one task. */
export function beforeText(seen: Observation, task: string): string {
  const owner = OWNERS.find((name) => name in seen);
  return [
    `TS=${seen.TS}`,
    `fpregs=${seen.fpregs}`,
    ...(owner === undefined ? [] : [`owner=${seen[owner]}`]),
    `image=${seen[`${task}.image`]}`,
    ...FLAGS.filter((flag) => `${task}.${flag}` in seen).map((flag) => `${flag}=${seen[`${task}.${flag}`]}`),
  ].join(' ');
}

/** `TS 0 -> 1, A.image INIT -> sse=A:1`; masks are left out. */
export const changesText = ({ changes }: Cell): string =>
  Object.entries(changes)
    .filter(([name]) => name !== 'masks')
    .map(([name, change]) => `${name} ${change}`)
    .join(', ');

/** The policy, but somebody sets TS behind its back when it switches. */
export function withStrayTs(policy: BasePolicy): BasePolicy {
  const routines = policy.routines.map((routine) =>
    routine.name === 'switch_fpu_finish'
      ? { ...routine, body: [step('stray stts', (k) => k.stts()), ...routine.body] }
      : routine,
  );
  return { ...policy, routines };
}
