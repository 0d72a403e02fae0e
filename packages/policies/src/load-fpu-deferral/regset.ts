/** Register sets for tracers and core dumps: kernel/fpu/regset.c, xstate.c. */
import { NOBODY, PKRU, routine, step, unless, when, type Kernel, type Routine } from '@fpulab/core';
import { isBadHeader } from '../regset';
import { XSAVE, fpregsLock, fpregsUnlock, saveFpregs, type FpuContext } from './context';

/** What of a register set lies in the image: from 5.14 on PKRU does not, from 5.16 on what is enabled per task may not. */
const inImage =
  ({ era, features }: FpuContext) =>
  (k: Kernel): number =>
    features(k, k.target) & (era === 'linux-5.2' ? k.regset : k.regset & ~(1 << PKRU));

/**
 * xstateregs_get(), xfpregs_get(). A stopped task was saved when it was switched out; current is saved if its registers are live:
 * fpu_sync_fpstate(), before 5.14 fpu__save().
 */
export function getRoutine(context: FpuContext): Routine {
  const { fpstate, features } = context;
  return routine('xstateregs_get', [
    when(
      (k) => k.target === k.task,
      [
        fpregsLock(),
        unless(context.mustLoad, [
          step('save_fpregs_to_fpstate', (k) => saveFpregs(k, fpstate(k), features(k)), XSAVE),
        ]),
        fpregsUnlock(),
      ],
    ),
    step('copy_xstate_to_uabi_buf', (k) => k.showFpstate(fpstate(k, k.target), inImage(context)(k))),
  ]);
}

/**
 * xstateregs_set(), xfpregs_set(). The image is written, so no CPU's registers are the task's any more: fpu_force_restore(), before 5.14
 * fpu__prepare_write(). Until 43be46e89698 (5.14) a refused image cost the target all it had.
 */
export function setRoutine(context: FpuContext): Routine {
  const { era, lastCpu, fpstate } = context;
  return routine('xstateregs_set', [
    step('last_cpu = -1', (k) => k.write(lastCpu, k.target, NOBODY)),
    step('validate_user_xstate_header', (k) => k.setLocal(0, isBadHeader(k) ? 1 : 0)),
    when(
      (k) => k.local(0) !== 0,
      [
        ...(era === 'linux-5.2' ? [step('fpstate_init on failure', (k) => k.initFpstate(fpstate(k, k.target)))] : []),
        step('return -EINVAL', () => {}),
      ],
      [step('copy_uabi_to_xstate', (k) => k.takeFromTracer(fpstate(k, k.target), inImage(context)(k)))],
    ),
  ]);
}
