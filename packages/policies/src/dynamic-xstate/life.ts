/** fork(), execve() and the end of a task: fpstate_reset(), fpu_inherit_perms() in kernel/fpu/core.c, fpstate_free(). */
import { step, unless, when, type Kernel, type RoutineNode } from '@fpulab/core';
import { DEFAULT_FPSTATE, DYNAMIC_XFEATURES, type DynamicSlots } from './state';

/** fpstate_reset(): the default fpstate, everything dynamic disabled, no permission. */
export function fpstateReset(slots: DynamicSlots, whose: 'child' | 'current'): RoutineNode {
  const { current, xfd, permitted, smallAltstack } = slots;
  return step(`fpstate_reset(${whose})`, (k: Kernel) => {
    const task = whose === 'child' ? k.child : k.task;
    k.write(current, task, DEFAULT_FPSTATE);
    k.write(xfd, task, DYNAMIC_XFEATURES);
    k.write(permitted, task, 0);
    // fork() copies the alternate stack with the address space; execve() and a thread have none (sas_ss_reset()).
    k.write(smallAltstack, task, whose === 'child' && !isThread(k) ? k.read(smallAltstack, k.task) : 0);
  });
}

/** CLONE_THREAD: the child is one more thread of its parent's process. */
const isThread = (k: Kernel): boolean => k.groupLeader(k.child) === k.groupLeader(k.task);

/** fpu_inherit_perms(): a new process may do what its parent may. A thread has no permission of its own: its group leader's counts. */
export function inheritPermissions({ permitted }: DynamicSlots): RoutineNode {
  return unless(isThread, [
    step('fpu_inherit_perms', (k) => k.write(permitted, k.child, k.read(permitted, k.groupLeader(k.task)))),
  ]);
}

/**
 * arch_release_task_struct() calls fpstate_free(), which frees an fpstate that is not the embedded one. The last switch has saved
 * to it; in Linux the next task frees it, in finish_task_switch() or later.
 */
export function freeDeadTask({ current }: DynamicSlots): RoutineNode {
  return when(
    (k) => k.isDead(k.task) && k.read(current, k.task) !== DEFAULT_FPSTATE,
    [step('fpstate_free', (k) => k.free(k.fpstateOf(k.task, 'dynamic')))],
  );
}
