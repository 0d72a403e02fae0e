/**
 * CR0.TS around guest mode on VMX: VM entry loads it from GUEST_CR0, VM exit from HOST_CR0. While the guest's FPU is not active TS is set in
 * guest mode whatever the guest has there, and #NM makes it leave: vmx_fpu_activate(), vmx_fpu_deactivate(), update_exception_bitmap() of
 * arch/x86/kvm/vmx.c. Guests here never set TS themselves.
 */
import { step, withTs, type Condition, type Kernel, type PatchEdit, type RoutineNode, type Slot } from '@fpulab/core';

/** vcpu->fpu_active: a reset vCPU's is (vmx_vcpu_reset()). */
export const FPU_ACTIVE = 'fpu_active';

/** Writes CR0.TS without an instruction of the kernel. */
const loadTs = (name: string, isSet: Condition): RoutineNode =>
  step(name, (k) => k.executeMovToCr0(withTs(k.readCr0(), isSet(k))));

/** What VM exit does: the first thing after guest mode. */
export const loadHostTs = (isSet: Condition): RoutineNode => loadTs('VM exit: CR0.TS of HOST_CR0', isSet);

/** VM entry, VM exit, and the exit of a guest whose FPU is not active. */
export function guestTs(
  active: Slot,
  hostTs: Condition,
  beforeEntry: readonly RoutineNode[] = [],
): readonly PatchEdit[] {
  const isInactive = (k: Kernel): boolean => k.read(active, k.task) === 0;
  return [
    {
      edit: 'append',
      routine: 'hook:kvm-enter-guest',
      nodes: [...beforeEntry, loadTs('VM entry: CR0.TS of GUEST_CR0', isInactive)],
    },
    { edit: 'append', routine: 'hook:kvm-exit-guest', nodes: [loadHostTs(hostTs)] },
    {
      edit: 'append',
      routine: 'hook:kvm-guest-nm',
      nodes: [step('vmx_fpu_activate: fpu_active = 1', (k) => k.write(active, k.task, 1))],
    },
  ];
}
