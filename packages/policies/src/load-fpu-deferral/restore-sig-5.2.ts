/**
 * sigreturn of 5.2 to 5.13: __fpu__restore_sig(), kernel/fpu/signal.c of 5.10.13. A fault does not start XRSTOR again: the state goes through
 * the kernel's image, which is copied with page faults enabled.
 *
 * Steps have the names of the 2021 rewrite where it has them. With d8778e393afa (whose fault is it that registers are half loaded?) and 484cea4f362e (the header is validated before anything is copied).
 */
import { NOBODY, group, routine, step, unless, when, type Kernel, type Routine, type RoutineNode } from '@fpulab/core';
import { convertToFxsr, readFsaveHeader } from '../ia32-frame';
import { ATTEMPT, attempt, copyValidated, inFrame, notInFrame, userAccess, went } from '../user-frame';
import { XSAVE, fpregsLock, fpregsUnlock, supervisorFeatures, type FpuContext } from './context';

const image = (k: Kernel): number => k.fpstateOf(k.task);

/** Straight from the frame, page faults disabled. */
function directPath({ owner, mustLoad, markActivate }: FpuContext): readonly RoutineNode[] {
  return [
    fpregsLock(),
    step('xrstor_from_user_sigframe', (k) => k.setLocal(0, attempt(k.restoreFromUser(inFrame(k)))), XSAVE),
    when(
      went(ATTEMPT.ok),
      [
        when((k) => notInFrame(k) !== 0, [step('os_xrstor(init_fpstate)', (k) => k.initFpregs(notInFrame(k)), XSAVE)]),
        when(
          (k) => mustLoad(k) && supervisorFeatures(k) !== 0,
          [step('os_xrstor_supervisor after it', (k) => void k.restore(image(k), supervisorFeatures(k)), XSAVE)],
        ),
        markActivate,
        fpregsUnlock(),
      ],
      [when(mustLoad, [step('owner = NULL', (k) => k.write(owner, k.cpu, NOBODY))]), fpregsUnlock(' after a fault')],
    ),
  ];
}

/** From here on the image is what counts: nobody saves over it, and nobody takes the registers for it. */
function invalidate({ needLoad, lastCpu, mustLoad }: FpuContext): readonly RoutineNode[] {
  return [
    fpregsLock(' to invalidate'),
    unless(mustLoad, [
      when(
        (k) => supervisorFeatures(k) !== 0,
        [step('copy_supervisor_to_kernel', (k) => void k.save(image(k), supervisorFeatures(k)), XSAVE)],
      ),
      step('set TIF_NEED_FPU_LOAD', (k) => k.write(needLoad, k.task, 1)),
    ]),
    step('__fpu_invalidate_fpregs_state: last_cpu = -1', (k) => {
      k.write(lastCpu, k.task, NOBODY);
      k.setLocal(0, ATTEMPT.retry);
    }),
    fpregsUnlock(' after invalidating'),
  ];
}

/** The image is complete: it is loaded. */
function load({ needLoad, lastCpu, owner }: FpuContext, isIa32: boolean): readonly RoutineNode[] {
  return [
    step('sanitize_restored_user_xstate', (k) => {
      k.writeXstateBv(image(k), k.xstateBv(image(k)) & ~notInFrame(k));
      if (isIa32) convertToFxsr(k, image(k));
    }),
    fpregsLock(' to load'),
    when(
      (k) => notInFrame(k) !== 0,
      [step('os_xrstor(init_fpstate) before loading', (k) => k.initFpregs(notInFrame(k)), XSAVE)],
    ),
    step(
      'os_xrstor_safe',
      (k) => {
        const loads = inFrame(k) | supervisorFeatures(k);
        k.setLocal(0, k.restore(image(k), loads) ? ATTEMPT.ok : ATTEMPT.failed);
      },
      XSAVE,
    ),
    when(
      went(ATTEMPT.ok),
      [
        step('loaded: owner = current', (k) => k.write(owner, k.cpu, k.task)),
        step('loaded: last_cpu = cpu', (k) => k.write(lastCpu, k.task, k.cpu)),
        step('loaded: clear TIF_NEED_FPU_LOAD', (k) => k.write(needLoad, k.task, 0)),
      ],
      [step('fpregs_deactivate: owner = NULL', (k) => k.write(owner, k.cpu, NOBODY))],
    ),
    fpregsUnlock(' after loading'),
  ];
}

/** The routine of these kernels. */
export function restoreRoutine52(context: FpuContext): Routine {
  return routine('fpu__restore_sig', [
    ...directPath(context),
    unless(went(ATTEMPT.ok), [
      group('slow path', [...throughMemory(context, false), unless(went(ATTEMPT.ok), giveUp)]),
    ]),
  ]);
}

/** A 32-bit frame always takes the slow path; its FSAVE header is copied first. */
export function ia32RestoreRoutine52(context: FpuContext): Routine {
  return routine('__fpu__restore_sig, ia32_fxstate', [
    readFsaveHeader,
    when(went(ATTEMPT.ok), throughMemory(context, true)),
    unless(went(ATTEMPT.ok), giveUp),
  ]);
}

const throughMemory = (context: FpuContext, isIa32: boolean): readonly RoutineNode[] => [
  ...invalidate(context),
  userAccess('copy_user_to_xstate', (k) => copyValidated(k, image(k), inFrame(k))),
  when(went(ATTEMPT.ok), load(context, isIa32)),
];

const giveUp: readonly RoutineNode[] = [
  step('fpu__clear_user_states', (k) => k.call('fpu__clear_user_states')),
  step('return the error', (k) => k.refuse()),
];
