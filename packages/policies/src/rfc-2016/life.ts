/** fork(), execve() and the end of a task, where registers may not be loaded any more. */
import { NOBODY, group, routine, step, when, type Routine, type RoutineNode } from '@fpulab/core';
import { XSAVE, saveFpregs, type RfcContext } from './context';

/**
 * A fresh state, in memory: for execve(), a signal handler, and a frame that cannot be restored. Registers are loaded on the way to user
 * code. What 4.8 does instead, INIT into the registers at once, is for registers that are the task's own.
 */
export const clearInMemory = ({ drop, used, lastCpu, setLoadFpu }: RfcContext): readonly RoutineNode[] => [
  drop,
  group('fpstate is fresh', [
    step('fpstate_init', (k) => k.initFpstate(k.fpstateOf(k.task))),
    step('lazy restore is off: last_cpu = -1', (k) => k.write(lastCpu, k.task, NOBODY)),
    step('fpstate_active = 1', (k) => k.write(used, k.task, 1)),
    setLoadFpu,
  ]),
];

/** fpu__copy(), fpu__clear(), exit_thread(). */
export function lifeRoutines(context: RfcContext): readonly Routine[] {
  const { active, used, lastCpu, isActive, isUsed, kernelFpuDisable, kernelFpuEnable, drop } = context;
  return [
    routine('fpu__copy', [
      step('arch_dup_task_struct: *dst = *src', (k) => {
        k.write(used, k.child, k.read(used, k.task));
        k.copyFpstate({ from: k.fpstateOf(k.task), to: k.fpstateOf(k.child) });
      }),
      step('child: fpregs_active = 0, last_cpu = -1', (k) => {
        k.write(active, k.child, 0);
        k.write(lastCpu, k.child, NOBODY);
      }),
      when(isUsed, [
        step('preempt_disable', (k) => k.preemptDisable()),
        kernelFpuDisable(),
        step('fpregs_active?', (k) => k.setLocal(0, isActive(k) ? 1 : 0)),
        when(
          (k) => k.local(0) !== 0,
          [step('copy_fpregs_to_fpstate(dst)', (k) => void saveFpregs(k, k.fpstateOf(k.child)), XSAVE)],
          [step('memcpy(dst, src)', (k) => k.copyFpstate({ from: k.fpstateOf(k.task), to: k.fpstateOf(k.child) }))],
        ),
        kernelFpuEnable(),
        step('preempt_enable', (k) => k.preemptEnable()),
      ]),
    ]),
    routine('fpu__clear', clearInMemory(context)),
    routine('exit_thread', [drop]),
  ];
}
