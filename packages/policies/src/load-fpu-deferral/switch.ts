/** Context switches, the return to user code, and kernel code that uses the FPU: asm/fpu/sched.h, kernel/fpu/core.c. */
import {
  CONTEXT,
  NOBODY,
  bhOffDepth,
  contextOf,
  inHardirq,
  routine,
  step,
  when,
  type Kernel,
  type Routine,
  type RoutineNode,
} from '@fpulab/core';
import { XSAVE, saveFpregs, type FpuContext } from './context';

/** Kernels that leave the registers of IO workers alone: PF_IO_WORKER, in 6.12 PF_USER_WORKER. */
const KNOWS_IO_WORKERS: readonly FpuContext['era'][] = ['linux-6.1', 'linux-6.12'];

/** A user task whose registers are live. */
const ownsRegisters =
  ({ era, mustLoad }: FpuContext) =>
  (k: Kernel): boolean =>
    !k.isKernelThread(k.task) && !(KNOWS_IO_WORKERS.includes(era) && k.isIoWorker(k.task)) && !mustLoad(k);

/** From 5.14 on the registers are there whatever the instruction was. */
const saveAndKeep = ({ lastCpu, fpstate, features }: FpuContext): readonly RoutineNode[] => [
  step('save_fpregs_to_fpstate', (k) => saveFpregs(k, fpstate(k), features(k)), XSAVE),
  step('last_cpu = cpu, owner stays', (k) => k.write(lastCpu, k.task, k.cpu)),
];

/** Before, FNSAVE has taken them away. */
const saveOrInvalidate = ({ lastCpu }: FpuContext): readonly RoutineNode[] => [
  step('save_fpregs_to_fpstate', (k) => k.setLocal(0, k.save(k.fpstateOf(k.task)) ? 1 : 0), XSAVE),
  when(
    (k) => k.local(0) !== 0,
    [step('last_cpu = cpu, owner stays', (k) => k.write(lastCpu, k.task, k.cpu))],
    [step('last_cpu = -1, owner stays', (k) => k.write(lastCpu, k.task, NOBODY))],
  ),
];

/**
 * switch_fpu_prepare() and switch_fpu_finish(), in __switch_to(). Here current is the old task in the one and the new task in the other, so
 * that naming them, as 6.7 on does, makes no difference; where the compiler keeps current across the switch, it does (F09).
 */
export function switchRoutines(context: FpuContext): readonly Routine[] {
  const { era, needLoad } = context;
  const ofNew = era === 'linux-6.12' ? 'set TIF_NEED_FPU_LOAD of new' : 'set TIF_NEED_FPU_LOAD';
  return [
    routine('switch_fpu_prepare', [
      when(ownsRegisters(context), [...(era === 'linux-5.2' ? saveOrInvalidate(context) : saveAndKeep(context))]),
    ]),
    routine('switch_fpu_finish', [step(ofNew, (k) => k.write(needLoad, k.task, 1))]),
  ];
}

/** switch_fpu_return(), from prepare_exit_to_usermode(), later arch_exit_to_user_mode_prepare(). */
export function returnRoutine({ mustLoad, restoreUserregs }: FpuContext): Routine {
  return routine('switch_fpu_return', [when(mustLoad, [restoreUserregs])]);
}

/** kernel_fpu_begin(), kernel_fpu_end() and who may call them. */
export function kernelFpuRoutines(context: FpuContext): readonly Routine[] {
  const { era, needLoad, owner, inKernelFpu, fpstate, features } = context;
  /** 5.2 on does not care whether FNSAVE has taken the registers away: they are the kernel's now. */
  const save = (k: Kernel): void =>
    era === 'linux-5.2' ? void k.save(fpstate(k)) : saveFpregs(k, fpstate(k), features(k));
  return [
    routine('kernel_fpu_begin', [
      step('preempt_disable', (k) => k.preemptDisable()),
      step('in_kernel_fpu = true', (k) => k.write(inKernelFpu, k.cpu, 1)),
      when(ownsRegisters(context), [
        step('set TIF_NEED_FPU_LOAD', (k) => k.write(needLoad, k.task, 1)),
        step('save_fpregs_to_fpstate', save, XSAVE),
      ]),
      step('owner = NULL', (k) => k.write(owner, k.cpu, NOBODY)),
    ]),
    routine('kernel_fpu_end', [
      step('in_kernel_fpu = false', (k) => k.write(inKernelFpu, k.cpu, 0)),
      step('preempt_enable', (k) => k.preemptEnable()),
    ]),
    // A hardirq may have hit a section between fpregs_lock() and fpregs_unlock(): 59f5ede3bc0f.
    routine('irq_fpu_usable', [
      step('irq_fpu_usable', (k) => {
        const busy = k.read(inKernelFpu, k.cpu) !== 0;
        k.answer(!busy && contextOf(k.status) !== CONTEXT.nmi && (!inHardirq(k.status) || bhOffDepth(k.status) === 0));
      }),
    ]),
  ];
}
