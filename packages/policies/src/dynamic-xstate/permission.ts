/** arch_prctl(ARCH_REQ_XCOMP_PERM) and sigaltstack(): each is refused where the other has made it impossible. */
import { group, step, when, type Kernel, type RoutineNode } from '@fpulab/core';
import type { DynamicSlots } from './state';

/** xstate_get_group_perm(): the permission is the process's, kept with its group leader. */
export const groupPerm = (k: Kernel, { permitted }: DynamicSlots): number => k.read(permitted, k.groupLeader(k.task));

/**
 * xstate_request_perm(), whose validate_sigaltstack() refuses with ENOSPC when a frame with dynamic features would not fit an
 * alternate stack that some thread has already. Under sighand->siglock: one step.
 */
export function requestPermission(slots: DynamicSlots): RoutineNode {
  const { permitted, smallAltstack } = slots;
  return group('__xstate_request_perm', [
    when(
      (k) => groupPerm(k, slots) === 0,
      [
        when(
          (k) => k.threadsOf(k.task).some((thread) => k.read(smallAltstack, thread) !== 0),
          [step('return -ENOSPC', () => {})],
          [step('perm.__state_perm = mask', (k) => k.write(permitted, k.groupLeader(k.task), 1))],
        ),
      ],
    ),
  ]);
}

/** sigaltstack_size_valid() in kernel/signal.c: with the permission, a stack that is too small is refused. */
export function installAltstack(slots: DynamicSlots): RoutineNode {
  const { smallAltstack } = slots;
  return group('sigaltstack_size_valid', [
    when(
      (k) => groupPerm(k, slots) !== 0,
      [step('return -ENOMEM', () => {})],
      [step('sas_ss_size = ss_size', (k) => k.write(smallAltstack, k.task, 1))],
    ),
  ]);
}
