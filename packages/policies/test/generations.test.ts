/**
 * The table of kernel generations by hooks. A row: which kernels, what the cell starts from (one task's image and flags, the CPU's TS,
 * registers and owner), and all that the answer to the hook changes.
 */
import type { PolicyHook } from '@fpulab/core';
import { KERNELS, beforeText, changesText, type KernelName } from './cells';
import { IA32_SIGNALS_ROWS } from './rows/ia32-signals';
import { KERNEL_FPU_ROWS } from './rows/kernel-fpu';
import { LIFE_ROWS } from './rows/life';
import { REGSETS_ROWS } from './rows/regsets';
import { SIGNALS_ROWS } from './rows/signals';
import { SWITCH_ROWS } from './rows/switch';
import { TRAP_ROWS } from './rows/trap';
import { EAGER, LAZY, SITUATIONS } from './situations';

const ROWS = {
  ...SWITCH_ROWS,
  ...TRAP_ROWS,
  ...KERNEL_FPU_ROWS,
  ...LIFE_ROWS,
  ...SIGNALS_ROWS,
  ...IA32_SIGNALS_ROWS,
  ...REGSETS_ROWS,
};

describe.each(Object.keys(SITUATIONS))('%s', (name) => {
  const { kernels, run, task = 'A' } = SITUATIONS[name];
  const rows = ROWS[name].flatMap(([names, ...row]) => names.split(', ').map((kernel) => [kernel, ...row] as const));

  it('has a row for every kernel in which it is a cell', () => {
    expect(rows.map(([kernel]) => kernel).sort()).toEqual([...kernels].sort());
  });

  it.each(rows)('%s: %s: %s', (kernel, before, changes) => {
    const cell = run(KERNELS[kernel as KernelName]);
    expect(beforeText(cell.before, task)).toBe(before);
    expect(changesText(cell)).toBe(changes);
  });
});

const ALL = Object.keys(KERNELS) as readonly KernelName[];

/** Hooks that nobody answers: nothing happens there. */
const UNANSWERED: Readonly<Record<string, { readonly hook: PolicyHook; readonly kernels: readonly KernelName[] }>> = {
  'CPU up': { hook: 'cpu-up', kernels: LAZY },
  'exit to user': { hook: 'exit-to-user', kernels: [...LAZY, ...EAGER] },
  // PKRU and tiles are dealt with by modifiers, which have tests of their own.
  kthread_use_mm: { hook: 'use-mm', kernels: ALL },
  idle: { hook: 'idle', kernels: ALL },
};

describe.each(Object.entries(UNANSWERED))('%s: nobody answers', (_, { hook, kernels }) => {
  it.each(kernels)('%s', (kernel) => expect(KERNELS[kernel]().hooks[hook]).toBeUndefined());
});

describe('the table is complete', () => {
  /** eager/*.test.ts and rfc-2016.test.ts say that #NM does not happen there, or what a BUG it is. */
  const ELSEWHERE: Readonly<Record<string, readonly KernelName[]>> = {
    '#NM': ['linux-4.1 eager', 'linux-4.2 eager', 'linux-4.8 eager', 'rfc-2016'],
  };
  const hooks = [
    ...[
      'switch-out',
      'switch-in',
      '#NM',
      'exit to user',
      'kernel_fpu_begin',
      'kernel_fpu_end',
      'fork',
      'exec',
      'exit,',
    ],
    ...['signal delivery', 'sigreturn', 'ptrace read', 'ptrace write', 'core dump', 'kthread runs', 'kthread_use_mm'],
    ...['ia32 signal delivery', 'ia32 sigreturn', 'CPU up', 'idle'],
  ];

  it.each(hooks)('%s: every kernel has a cell', (hook) => {
    const situations = Object.keys(SITUATIONS).filter((name) => name.startsWith(hook));
    const covered = new Set([
      ...situations.flatMap((name) => SITUATIONS[name].kernels),
      ...(UNANSWERED[hook]?.kernels ?? []),
      ...(ELSEWHERE[hook] ?? []),
    ]);
    expect(ALL.filter((kernel) => !covered.has(kernel))).toEqual([]);
  });
});
