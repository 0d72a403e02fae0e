/** Signal frames: kernel/fpu/signal.c. 64-bit frames, and 32-bit ones where they take the same way. */
import {
  NOBODY,
  PKRU,
  TILECFG,
  TILEDATA,
  group,
  routine,
  step,
  when,
  whileHolds,
  type Kernel,
  type Routine,
  type RoutineNode,
} from '@fpulab/core';
import { XSAVE, fpregsLock, fpregsUnlock, supervisorFeatures, type FpuContext } from './context';
import { ATTEMPT, attempt, faultIn, inFrame, notInFrame, userFeatures, went } from '../user-frame';
import { writeDefaultPkru } from './life';
import { restoreRoutine52 } from './restore-sig-5.2';

/** XFEATURE_MASK_SIGFRAME_INITOPT. */
const SIGFRAME_INITOPT = (1 << TILECFG) | (1 << TILEDATA);

/** copy_fpstate_to_sigframe(): straight from the registers to the user's stack, page faults disabled, again after a fault. */
export function saveRoutine({ mustLoad, restoreUserregs, features }: FpuContext): Routine {
  /** xfeatures_need_sigframe_write(): tiles that are INIT are left out of the frame. */
  const written = (k: Kernel): number => {
    const toFrame = userFeatures(k) & features(k);
    return k.dynamicXfeatures === 0 ? toFrame : toFrame & (k.xinuse() | ~SIGFRAME_INITOPT);
  };
  return routine('copy_fpstate_to_sigframe', [
    group('retry', [
      whileHolds(went(ATTEMPT.retry), [
        fpregsLock(),
        when(mustLoad, [restoreUserregs]),
        step('xsave_to_user_sigframe', (k) => k.setLocal(0, attempt(k.saveToUser(written(k)))), XSAVE),
        fpregsUnlock(),
        faultIn('fault_in_writeable'),
      ]),
    ]),
    when(went(ATTEMPT.failed), [step('return false', (k) => k.refuse())]),
  ]);
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
