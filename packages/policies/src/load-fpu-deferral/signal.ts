/** Signal frames: kernel/fpu/signal.c. */
import {
  NOBODY,
  PKRU,
  TILECFG,
  TILEDATA,
  group,
  routine,
  step,
  unless,
  when,
  whileHolds,
  type Kernel,
  type Patch,
  type Routine,
  type RoutineNode,
} from '@fpulab/core';
import { XSAVE, fpregsLock, fpregsUnlock, supervisorFeatures, type FpuContext } from './context';
import { andThen, convertToFxsr, fxsave, readFsaveHeader, saveFsaveHeader } from '../ia32-frame';
import {
  ATTEMPT,
  attempt,
  copyValidated,
  faultIn,
  inFrame,
  notInFrame,
  userAccess,
  userFeatures,
  went,
} from '../user-frame';
import { writeDefaultPkru } from './life';
import { ia32RestoreRoutine52, restoreRoutine52 } from './restore-sig-5.2';

/** XFEATURE_MASK_SIGFRAME_INITOPT. */
const SIGFRAME_INITOPT = (1 << TILECFG) | (1 << TILEDATA);

/** copy_fpstate_to_sigframe(): straight from the registers to the user's stack, page faults disabled, again after a fault. */
export function saveRoutine(context: FpuContext): Routine {
  return routine('copy_fpstate_to_sigframe', [
    ...xsaveToFrame(context),
    when(went(ATTEMPT.failed), [step('return false', (k) => k.refuse())]),
  ]);
}

/** The same with save_fsave_header() behind it, which makes the header of the kernel's image: that has to be current (aab8445c4e1c). */
export function ia32SaveRoutine(context: FpuContext): Routine {
  return routine('copy_fpstate_to_sigframe, ia32_fxstate', [
    ...xsaveToFrame(context),
    when(went(ATTEMPT.ok), [
      fpregsLock(' for the header'),
      unless(context.mustLoad, [fxsave('fxsave', context.fpstate)]),
      fpregsUnlock(' for the header'),
    ]),
    andThen('the XSAVE image is there', saveFsaveHeader(context.fpstate)),
    unless(went(ATTEMPT.ok), [step('return false', (k) => k.refuse())]),
  ]);
}

function xsaveToFrame({ mustLoad, restoreUserregs, features }: FpuContext): readonly RoutineNode[] {
  /** xfeatures_need_sigframe_write(): tiles that are INIT are left out of the frame. */
  const written = (k: Kernel): number => {
    const toFrame = userFeatures(k) & features(k);
    return k.dynamicXfeatures === 0 ? toFrame : toFrame & (k.xinuse() | ~SIGFRAME_INITOPT);
  };
  return [
    group('retry', [
      whileHolds(went(ATTEMPT.retry), [
        fpregsLock(),
        when(mustLoad, [restoreUserregs]),
        step('xsave_to_user_sigframe', (k) => k.setLocal(0, attempt(k.saveToUser(written(k)))), XSAVE),
        fpregsUnlock(),
        faultIn('fault_in_writeable'),
      ]),
    ]),
  ];
}

/** fpu__clear_user_states(): user components go to INIT, supervisor ones stay and are loaded if they are not. */
function clearUserStates({ era, mustLoad, markActivate, fpstate }: FpuContext): readonly RoutineNode[] {
  const initialised = (k: Kernel): number => (era === 'linux-5.2' ? userFeatures(k) : userFeatures(k) & ~(1 << PKRU));
  return [
    fpregsLock(' to clear'),
    when(
      (k) => supervisorFeatures(k) !== 0 && mustLoad(k),
      [step('os_xrstor_supervisor', (k) => void k.restore(fpstate(k), supervisorFeatures(k)), XSAVE)],
    ),
    step('restore_fpregs_from_init_fpstate', (k) => k.initFpregs(initialised(k)), XSAVE),
    writeDefaultPkru,
    markActivate,
    fpregsUnlock(' after clearing'),
  ];
}

/** The handler starts with a fresh state. */
export function clearRoutine(context: FpuContext): Routine {
  return routine('fpu__clear_user_states', clearUserStates(context));
}

/**
 * restore_fpregs_from_user(), from 5.14 on: straight from the user's stack. A fault can leave registers half loaded; if they were
 * somebody else's, they are nobody's from then on (d8778e393afa).
 */
export function restoreRoutine(context: FpuContext): Routine {
  const { era, owner, mustLoad, markActivate, fpstate, features } = context;
  if (era === 'linux-5.2') return restoreRoutine52(context);
  const xrestore = (k: Kernel): number => inFrame(k) & features(k);
  const initBv = (k: Kernel): number => notInFrame(k) & features(k);
  return routine('fpu__restore_sig', [
    whileHolds(went(ATTEMPT.retry), [
      fpregsLock(),
      step('xrstor_from_user_sigframe', (k) => k.setLocal(0, attempt(k.restoreFromUser(xrestore(k)))), XSAVE),
      when(
        went(ATTEMPT.ok),
        [
          when((k) => initBv(k) !== 0, [step('os_xrstor(init_fpstate)', (k) => k.initFpregs(initBv(k)), XSAVE)]),
          when(
            (k) => mustLoad(k) && supervisorFeatures(k) !== 0,
            [step('os_xrstor_supervisor after it', (k) => void k.restore(fpstate(k), supervisorFeatures(k)), XSAVE)],
          ),
          markActivate,
          fpregsUnlock(),
        ],
        [
          when(mustLoad, [step('owner = NULL', (k) => k.write(owner, k.cpu, NOBODY))]),
          fpregsUnlock(' after a fault'),
          faultIn('fault_in_readable'),
        ],
      ),
    ]),
    when(went(ATTEMPT.failed), [
      step('fpu__clear_user_states', (k) => k.call('fpu__clear_user_states')),
      step('return false', (k) => k.refuse()),
    ]),
  ]);
}

/**
 * __fpu_restore_sig() of a 32-bit frame, from 5.14 on: through the kernel's image, with all components of the kernel. TIF_NEED_FPU_LOAD keeps switches
 * from saving over it. That nobody owns the registers meanwhile is 6f9866a166cd "x86/fpu/signal: Let xrstor handle the features to init", of June 2021.
 */
export function ia32RestoreRoutine(context: FpuContext): Routine {
  const { era, needLoad, lastCpu, owner, mustLoad, markActivate, fpstate, features } = context;
  if (era === 'linux-5.2') return ia32RestoreRoutine52(context);
  const isFine = went(ATTEMPT.ok);
  return routine('__fpu_restore_sig, ia32_fxstate', [
    readFsaveHeader,
    when(isFine, [
      fpregsLock(),
      unless(mustLoad, [
        when(
          (k) => supervisorFeatures(k) !== 0,
          [step('os_xsave', (k) => void k.save(fpstate(k), features(k)), XSAVE)],
        ),
        step('set TIF_NEED_FPU_LOAD', (k) => k.write(needLoad, k.task, 1)),
      ]),
      step('__fpu_invalidate_fpregs_state: last_cpu = -1', (k) => k.write(lastCpu, k.task, NOBODY)),
      step('__cpu_invalidate_fpregs_state: owner = NULL', (k) => k.write(owner, k.cpu, NOBODY)),
      fpregsUnlock(),
    ]),
    andThen(
      'no registers are its own',
      userAccess('copy_sigframe_from_user_to_xstate', (k) => copyValidated(k, fpstate(k), inFrame(k) & features(k))),
    ),
    when(isFine, [
      step('convert_to_fxsr', (k) => convertToFxsr(k, fpstate(k))),
      fpregsLock(' to load'),
      step('header.xfeatures &= user_xfeatures', (k) =>
        k.writeXstateBv(fpstate(k), k.xstateBv(fpstate(k)) & ~notInFrame(k)),
      ),
      step('os_xrstor_safe', (k) => void k.restore(fpstate(k)), XSAVE),
      markActivate,
      fpregsUnlock(' after loading'),
    ]),
    unless(isFine, [
      step('fpu__clear_user_states', (k) => k.call('fpu__clear_user_states')),
      step('return false', (k) => k.refuse()),
    ]),
  ]);
}

/** Linux 5.2 before its release: the header is made of what the image holds, although the registers are live. */
export const FSAVE_HEADER_STALE: Patch = {
  id: 'fsave-header-stale',
  title: 'save_fsave_header() does not bring the image up to date: F33',
  source: 'Fixed by aab8445c4e1c "x86/fpu: Update kernel\'s FPU state before using for the fsave header" (2019)',
  edits: [{ edit: 'remove', routine: 'copy_fpstate_to_sigframe, ia32_fxstate', step: 'fxsave' }],
};
