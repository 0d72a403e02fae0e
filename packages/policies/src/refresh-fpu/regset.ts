/** Register sets for tracers and core dumps: memory is read and written, the thread's examples (xfpregs_get(), xfpregs_set()). */
import { HEADER, NOBODY, routine, step, when, type Routine } from '@fpulab/core';
import { copyout, isBadHeader, targetImage } from '../regset';
import type { Transitions } from './transitions';

/** A stopped task was moved to memory when it was switched out; current, which dumps core, is copied there. */
export function regsetRoutines(t: Transitions): readonly Routine[] {
  return [
    routine('xstateregs_get', [
      when(
        (k) => k.target === k.task,
        [
          step('fpregs_lock', (k) => k.localBhDisable()),
          t.copyToMemory,
          step('fpregs_unlock', (k) => k.localBhEnable()),
        ],
      ),
      copyout,
    ]),
    routine('xstateregs_set', [
      step("no CPU holds the target's state", (k) => k.write(t.lastCpu, k.target, NOBODY)),
      when(
        isBadHeader,
        [step('return -EINVAL', () => {})],
        [
          step('user_regset_copyin', (k) => {
            k.takeFromTracer(targetImage(k));
            if (k.headerOf(targetImage(k)) !== HEADER.valid) k.writeHeader(targetImage(k), HEADER.valid);
          }),
        ],
      ),
    ]),
  ];
}
