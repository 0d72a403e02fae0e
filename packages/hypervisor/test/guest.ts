import {
  CR0_TS,
  NOTHING,
  program,
  routine,
  sse,
  step,
  syscall,
  type BasePolicy,
  type Kernel,
  type Operation,
  type Platform,
} from '@fpulab/core';
import { given, type Observation, type PolicySpec } from '@fpulab/core/testing';

/** A guest kernel with two steps of its own at the start of a kernel FPU section; its #NM handler is clts() and no more. */
export function guestKernel(prepare: (k: Kernel) => void, operation: (k: Kernel) => void): BasePolicy {
  return {
    kind: 'base',
    id: 'test-guest',
    title: 'a guest kernel that executes what a test wants',
    source: 'test',
    fpstate: 'embedded',
    slots: [],
    roles: {},
    routines: [
      routine('test', [step('prepare', prepare), step('operation', operation)]),
      routine('handler', [step('clts', (k) => k.clts())]),
    ],
    hooks: {
      'switch-out': NOTHING,
      'switch-in': NOTHING,
      'trap-nm': 'handler',
      'irq-fpu-usable': NOTHING,
      'kernel-fpu-begin': 'test',
      'kernel-fpu-end': NOTHING,
      fork: NOTHING,
      exec: NOTHING,
      exit: NOTHING,
    },
  };
}

/** A guest kernel that executes nothing of its own. */
export const plainGuest = (): BasePolicy =>
  guestKernel(
    () => {},
    () => {},
  );

/**
 * Where a vCPU is before the operation. `boot`: never used the FPU, TS as boot leaves it. `live`: its registers are
 * loaded, guest TS clear. `set`: the same, then the guest set TS. `out`, `set-out`: `live` or `set`, then the vCPU was
 * descheduled and runs again.
 */
export type VcpuState = 'boot' | 'live' | 'set' | 'out' | 'set-out';

/** A vCPU in a state, right before the guest kernel executes an operation. */
export function vcpuIn(state: VcpuState, platform: Platform, operation: (k: Kernel) => void): PolicySpec {
  const used: readonly Operation[] = state === 'boot' ? [] : [sse.write()];
  const sets = state === 'set' || state === 'set-out';
  const run = given({
    platform,
    policies: [guestKernel((k) => (sets ? k.stts() : undefined), operation)],
    tasks: { A: program(...used, syscall('kernel_fpu'), sse.read()) },
    interference: { vcpu: true },
  });
  run.until('A: prepare');
  if (state === 'out' || state === 'set-out') deschedule(run);
  return run;
}

/** The hypervisor takes the physical CPU away, another guest runs there, and the vCPU comes back. */
export function deschedule(run: PolicySpec): Observation {
  run.inject('vcpu');
  const task = String(run.observe().current);
  return run.until(`${task}: vCPU runs again`);
}

/** `rTS/vTS/dirtied/cache`, as in `1/1/0/1`; the cache counts as its TS. */
export function pvState(seen: Observation): string {
  const cache = Number(seen.xen_cr0_value) & CR0_TS ? 1 : 0;
  return [seen.TS, seen.guest_ts, seen.fpu_dirtied, cache].join('/');
}

/** `rTS/vTS/dirtied/intercept`. */
export function hvmState(seen: Observation): string {
  return [seen.TS, seen.guest_ts, seen.fpu_dirtied, seen.nm_intercept].join('/');
}

/** Steps of the hypervisor from a moment number on, without their routine's name. */
export function hypervisorSteps(run: PolicySpec, from: number): string[] {
  return run.moments
    .slice(from)
    .filter((moment) => moment.includes(': xen.'))
    .map((moment) => moment.slice(moment.lastIndexOf('/') + 1));
}

/** Moments from a number on that are not the hypervisor's. */
export function guestMoments(run: PolicySpec, from: number): string[] {
  return run.moments.slice(from).filter((moment) => !moment.includes(': xen.'));
}
