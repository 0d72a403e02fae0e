/** arch_prctl(ARCH_REQ_XCOMP_PERM) and sigaltstack(): each is refused where the other has made it impossible. */
import { group, step, when, type RoutineNode } from '@fpulab/core';
import type { DynamicSlots } from './state';

/**
 * xstate_request_perm(), whose validate_sigaltstack() refuses with ENOSPC when a frame with dynamic features would not fit an
 * alternate stack that is there already. Under sighand->siglock: one step.
 */
export function requestPermission({ permitted, smallAltstack }: DynamicSlots): RoutineNode {
  return group('__xstate_request_perm', [
    when(
      (k) => k.read(permitted, k.task) === 0,
      [
        when(
          (k) => k.read(smallAltstack, k.task) !== 0,
          [step('return -ENOSPC', () => {})],
          [step('perm.__state_perm = mask', (k) => k.write(permitted, k.task, 1))],
        ),
      ],
    ),
  ]);
}

/** sigaltstack_size_valid() in kernel/signal.c: with the permission, a stack that is too small is refused. */
export function installAltstack({ permitted, smallAltstack }: DynamicSlots): RoutineNode {
  return group('sigaltstack_size_valid', [
    when(
      (k) => k.read(permitted, k.task) !== 0,
      [step('return -ENOMEM', () => {})],
      [step('sas_ss_size = ss_size', (k) => k.write(smallAltstack, k.task, 1))],
    ),
  ]);
}
