/** fork(), execve() and the end of a task: kernel/fpu/core.c, kernel/process.c. */
import {
  DEFAULT_PKRU,
  NOBODY,
  PKRU,
  hasComponent,
  routine,
  step,
  when,
  type Kernel,
  type Routine,
  type RoutineNode,
} from '@fpulab/core';
import { XSAVE, fpregsLock, fpregsUnlock, saveFpregs, type FpuContext } from './context';

/** pkru_write_default(), before 5.13 copy_init_pkru_to_fpregs(). */
export const writeDefaultPkru: RoutineNode = when(
  (k) => hasComponent(k.xfeatures, PKRU),
  [step('pkru_write_default', (k) => k.writeRegister(PKRU, DEFAULT_PKRU), { instruction: 'pkru' })],
);

const saveToChild =
  ({ features }: FpuContext) =>
  (k: Kernel): void =>
    saveFpregs(k, k.fpstateOf(k.child), features(k, k.child));

/** fpu__copy() up to 5.15: the memory image is current exactly if the registers are not. */
function fpuCopy(context: FpuContext): Routine {
  const { needLoad, lastCpu, mustLoad } = context;
  return routine('fpu__copy', [
    step('child: last_cpu = -1', (k) => k.write(lastCpu, k.child, NOBODY)),
    fpregsLock(),
    when(
      mustLoad,
      [step('memcpy(dst, src)', (k) => k.copyFpstate({ from: k.fpstateOf(k.task), to: k.fpstateOf(k.child) }))],
      [step('copy_fpregs_to_fpstate(dst)', saveToChild(context), XSAVE)],
    ),
    fpregsUnlock(),
    step('child: set TIF_NEED_FPU_LOAD', (k) => k.write(needLoad, k.child, 1)),
  ]);
}

/**
 * fpu_clone() from 5.16 on: the registers are loaded first, for an image may hold more than the child's has room for. Kernel threads and IO
 * workers get no state of their parent's.
 */
function fpuClone(context: FpuContext): Routine {
  const { needLoad, lastCpu, mustLoad, restoreUserregs } = context;
  return routine('fpu_clone', [
    step('child: last_cpu = -1', (k) => k.write(lastCpu, k.child, NOBODY)),
    step('child: set TIF_NEED_FPU_LOAD', (k) => k.write(needLoad, k.child, 1)),
    when(
      (k) => k.isKernelThread(k.child) || k.isIoWorker(k.child),
      [step('memcpy(dst, init_fpstate)', (k) => k.initFpstate(k.fpstateOf(k.child)))],
      [
        fpregsLock(),
        when(mustLoad, [restoreUserregs]),
        step('save_fpregs_to_fpstate(dst)', saveToChild(context), XSAVE),
        fpregsUnlock(),
      ],
    ),
  ]);
}

/** fpu__clear_all() up to 5.13: INIT is in the registers. */
function fpuClearAll({ markActivate }: FpuContext): Routine {
  return routine('fpu__clear_all', [
    fpregsLock(),
    step('copy_init_fpstate_to_fpregs', (k) => k.initFpregs(), XSAVE),
    writeDefaultPkru,
    markActivate,
    fpregsUnlock(),
  ]);
}

/**
 * fpu_flush_thread() from 5.14 on: INIT is in memory, and the registers are loaded on the way to user code. That they are stale is noted in
 * the task, which may move to another CPU (1f69383b203e).
 */
function fpuFlushThread({ needLoad, lastCpu, fpstate }: FpuContext): Routine {
  return routine('fpu_flush_thread', [
    fpregsLock(),
    step('last_cpu = -1', (k) => k.write(lastCpu, k.task, NOBODY)),
    step('image = init_fpstate', (k) => k.initFpstate(fpstate(k))),
    step('set TIF_NEED_FPU_LOAD', (k) => k.write(needLoad, k.task, 1)),
    fpregsUnlock(),
  ]);
}

/** The routines of a task's life, with the hooks that they answer. */
export function lifeRoutines(context: FpuContext): {
  readonly fork: Routine;
  readonly exec: Routine;
  readonly exit: Routine;
} {
  return {
    fork: context.era === 'linux-5.2' || context.era === 'linux-5.14' ? fpuCopy(context) : fpuClone(context),
    exec: context.era === 'linux-5.2' ? fpuClearAll(context) : fpuFlushThread(context),
    exit: routine('fpu__drop', [
      step('preempt_disable', (k) => k.preemptDisable()),
      step('fwait', () => {}, { instruction: 'wait' }),
      step('owner = NULL', (k) => k.write(context.owner, k.cpu, NOBODY)),
      step('preempt_enable', (k) => k.preemptEnable()),
    ]),
  };
}
