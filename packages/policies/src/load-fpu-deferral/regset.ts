/** Register sets for tracers and core dumps: kernel/fpu/regset.c, xstate.c. */
import { NOBODY, PKRU, hasComponent, routine, step, unless, when, type Kernel, type Routine } from '@fpulab/core';
import { isBadHeader } from '../regset';
import { XSAVE, fpregsLock, fpregsUnlock, saveFpregs, type FpuContext } from './context';

/** What of a register set there is room for in the image: from 5.16 on what is enabled per task may have none. */
const inImage =
  ({ features }: FpuContext) =>
  (k: Kernel): number =>
    features(k, k.target) & k.regset;

/** Without PKRU, whose place from 5.14 on is elsewhere: whoever switches it shows it. */
const shown =
  (context: FpuContext) =>
  (k: Kernel): number =>
    context.era === 'linux-5.2' ? inImage(context)(k) : inImage(context)(k) & ~(1 << PKRU);

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
    step('copy_xstate_to_uabi_buf', (k) => k.showFpstate(fpstate(k, k.target), shown(context)(k))),
  ]);
}

/**
 * xstateregs_set(), xfpregs_set(). The image is written, so no CPU's registers are the task's any more: fpu_force_restore(), before 5.14
 * fpu__prepare_write(). Until 43be46e89698 (5.14) a refused image cost the target all it had.
 *
 * From 5.14 on PKRU is copied to the image, too, where nobody looks; copy_uabi_to_xstate() hands it out. Local 1 says in which image
 * that is, an index into FPSTATE_KINDS: a task's value in a local would be one that the explorer cannot tell by its age.
 */
export function setRoutine(context: FpuContext): Routine {
  const { era, lastCpu, fpstate, kindOf } = context;
  const handsOutPkru = (k: Kernel): boolean => era !== 'linux-5.2' && hasComponent(inImage(context)(k), PKRU);
  const copy = step('copy_uabi_to_xstate', (k) => {
    const image = fpstate(k, k.target);
    k.takeFromTracer(image, inImage(context)(k));
    if (handsOutPkru(k)) k.setLocal(1, kindOf(k, k.target));
  });
  return routine('xstateregs_set', [
    step('last_cpu = -1', (k) => k.write(lastCpu, k.target, NOBODY)),
    step('validate_user_xstate_header', (k) => k.setLocal(0, isBadHeader(k) ? 1 : 0)),
    when(
      (k) => k.local(0) !== 0,
      [
        ...(era === 'linux-5.2' ? [step('fpstate_init on failure', (k) => k.initFpstate(fpstate(k, k.target)))] : []),
        step('return -EINVAL', () => {}),
      ],
      [copy],
    ),
  ]);
}
