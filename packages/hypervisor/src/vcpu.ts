/** What lazy Xen keeps per vCPU, PV or HVM: vcpu_restore_fpu_lazy(), vcpu_save_fpu(), xen/arch/x86/i387.c. */
import { group, step, unless, when, type Hypervisor, type RoutineNode, type Slot, type StepAction } from '@fpulab/core';

/** A step of hypervisor code: it sees the physical CPU. */
export function xenStep(name: string, run: (k: Hypervisor) => void): RoutineNode {
  return step(name, run as StepAction);
}

/** Loads the vCPU's registers if they are not live yet. */
export function loadIfNotDirtied(dirtied: Slot): RoutineNode {
  return unless(
    (k) => k.read(dirtied, k.cpu) !== 0,
    [xenStep('load vCPU image', (k) => k.restoreVcpu()), xenStep('fpu_dirtied = 1', (k) => k.write(dirtied, k.cpu, 1))],
  );
}

/** The vCPU leaves its physical CPU: live registers go to its image. */
export function saveIfDirtied(dirtied: Slot, before: readonly RoutineNode[] = []): RoutineNode {
  return group('vcpu_save_fpu', [
    when(
      (k) => k.read(dirtied, k.cpu) !== 0,
      [
        ...before,
        xenStep('save vCPU image', (k) => k.saveVcpu()),
        xenStep('fpu_dirtied = 0', (k) => k.write(dirtied, k.cpu, 0)),
      ],
    ),
  ]);
}

/** Somebody else's vCPU runs on the physical CPU and leaves its values behind. */
export const anotherVcpuRuns = xenStep('another vCPU runs', (k) => k.clobberByOtherGuest());
