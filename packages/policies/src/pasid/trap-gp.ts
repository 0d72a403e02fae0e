/** #GP in user code: try_fixup_enqcmd_gp() in kernel/traps.c. */
import { INIT, PASID, group, step, when, type RoutineNode, type Slot } from '@fpulab/core';

/** Marks steps that execute WRMSR. */
export const WRMSR = { instruction: 'privileged' } as const;

/**
 * Interrupts have been off since the gate, so that the registers are current's: its image is not valid, and need not be written. What the
 * process has is read into local 0.
 */
export function fixupEnqcmd(activated: Slot): RoutineNode {
  return group('try_fixup_enqcmd_gp', [
    step('pasid = current->mm->pasid', (k) => k.setLocal(0, k.mmPasid)),
    when(
      (k) => k.local(0) !== INIT && k.read(activated, k.task) === 0,
      [
        step('wrmsrl(MSR_IA32_PASID)', (k) => k.giveRegister(PASID, k.local(0)), WRMSR),
        step('current->pasid_activated = 1', (k) => k.write(activated, k.task, 1)),
        step('return true', (k) => k.answer(true)),
      ],
      [step('return false', () => {})],
    ),
  ]);
}
