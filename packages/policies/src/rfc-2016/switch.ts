/** What the RFC is about: context switches, the return to user code, and kernel code that uses the FPU. */
import {
  CONTEXT,
  NOBODY,
  contextOf,
  group,
  inInterrupt,
  routine,
  step,
  when,
  type Kernel,
  type Routine,
} from '@fpulab/core';
import { XSAVE, saveFpregs, type RfcContext } from './context';

/** switch_fpu_prepare() knows only the old task now, switch_fpu_finish() only the new one. */
export function switchRoutines({ active, lastCpu, isActive, setLoadFpu }: RfcContext): readonly Routine[] {
  return [
    routine('switch_fpu_prepare', [
      when(
        isActive,
        [
          step('copy_fpregs_to_fpstate', (k) => k.setLocal(0, k.save(k.fpstateOf(k.task)) ? 1 : 0), XSAVE),
          step('last_cpu = cpu', (k) => k.write(lastCpu, k.task, k.local(0) ? k.cpu : NOBODY)),
          step('fpregs_active = 0, owner stays', (k) => k.write(active, k.task, 0)),
        ],
        [step('last_cpu = -1', (k) => k.write(lastCpu, k.task, NOBODY))],
      ),
    ]),
    routine('switch_fpu_finish', [setLoadFpu]),
  ];
}

/** prepare_exit_to_usermode(): its flags are read once, before exit_to_usermode_loop(), and again where TIF_LOAD_FPU is tested. */
export function returnRoutines(context: RfcContext): readonly Routine[] {
  const { loadFpu, cachedFlags, owner, lastCpu, isUsed, activate } = context;
  const isValid = (k: Kernel): boolean => k.read(owner, k.cpu) === k.task && k.read(lastCpu, k.task) === k.cpu;
  return [
    routine('prepare_exit_to_usermode', [
      step('cached_flags = READ_ONCE(ti->flags)', (k) => k.write(cachedFlags, k.task, k.read(loadFpu, k.task))),
    ]),
    routine('after exit_to_usermode_loop', [
      step('test_thread_flag(TIF_LOAD_FPU)', (k) => k.setLocal(0, k.read(loadFpu, k.task))),
      when(
        (k) => k.local(0) !== 0,
        [
          step('clear_thread_flag(TIF_LOAD_FPU)', (k) => k.write(loadFpu, k.task, 0)),
          group('switch_fpu_return', [
            when(isUsed, [
              when(
                isValid,
                [step('registers are valid', (k) => k.skipRestore(k.task))],
                [step('copy_kernel_to_fpregs', (k) => void k.restore(k.fpstateOf(k.task)), XSAVE)],
              ),
              activate,
            ]),
          ]),
        ],
      ),
      step('user_enter_irqoff', (k) => k.write(cachedFlags, k.task, 0)),
    ]),
  ];
}

/** kernel_fpu_begin() and kernel_fpu_end(), which does not load any more; irq_fpu_usable() of 4.8 in eager mode. */
export function kernelFpuRoutines(context: RfcContext): readonly Routine[] {
  const { owner, inKernelFpu, isActive, deactivate, setLoadFpu, kernelFpuDisable, kernelFpuEnable } = context;
  return [
    routine('kernel_fpu_begin', [
      step('preempt_disable', (k) => k.preemptDisable()),
      kernelFpuDisable(),
      when(
        isActive,
        [step('copy_fpregs_to_fpstate', (k) => void saveFpregs(k, k.fpstateOf(k.task)), XSAVE), deactivate, setLoadFpu],
        [step('owner = NULL', (k) => k.write(owner, k.cpu, NOBODY))],
      ),
    ]),
    routine('kernel_fpu_end', [kernelFpuEnable(), step('preempt_enable', (k) => k.preemptEnable())]),
    routine('irq_fpu_usable', [
      step('irq_fpu_usable', (k) => {
        const isUserBelow = contextOf(k.interrupted) === CONTEXT.user;
        k.answer(!inInterrupt(k.status) || isUserBelow || k.read(inKernelFpu, k.cpu) === 0);
      }),
    ]),
  ];
}
