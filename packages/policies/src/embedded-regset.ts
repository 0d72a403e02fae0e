/** Register sets of 4.2 to 4.9, for tracers and core dumps: kernel/fpu/regset.c, core.c, and what a proposal on 4.8 takes over from them. */
import { HEADER, NOBODY, TRACED_HEADER, group, routine, step, unless, when } from '@fpulab/core';
import type { Kernel, Routine, RoutineNode, Slot } from '@fpulab/core';
import { copyin, copyout, targetImage } from './regset';

/** What the register sets need of the kernel around them. */
export interface EmbeddedRegsets {
  /** fpregs_active */
  readonly active: Slot;
  /** fpstate_active */
  readonly used: Slot;
  readonly lastCpu: Slot;
  /** fpu__save(): the registers of current, which dumps core, are in its image then. */
  readonly save: RoutineNode;
}

/** get() and set() of the register sets; fill_thread_core_info() leaves those out that are not active. */
export function embeddedRegsets({ active, used, lastCpu, save }: EmbeddedRegsets): readonly Routine[] {
  const isUsed = (k: Kernel): boolean => k.read(used, k.target) !== 0;
  const activate = group('fpstate_init of the target', [
    step('fpstate_init', (k) => k.initFpstate(targetImage(k))),
    step('fpstate_active = 1', (k) => k.write(used, k.target, 1)),
  ]);
  const failed = (k: Kernel): boolean => k.local(0) !== 0;
  /** In the order in which nobody can tell that the kernel copies first and checks then: the target is stopped. */
  const setStandard: readonly RoutineNode[] = [
    step('xcomp_bv must be 0', (k) => k.setLocal(0, k.tracedHeader === TRACED_HEADER.xcompBv ? 1 : 0)),
    when(
      failed,
      [step('fpstate_init on failure', (k) => k.initFpstate(targetImage(k))), step('return -EINVAL', () => {})],
      [
        copyin,
        when(
          (k) => k.tracedHeader === TRACED_HEADER.reserved,
          [step('memset(header.reserved, 0)', (k) => k.writeHeader(targetImage(k), HEADER.valid))],
        ),
      ],
    ),
  ];
  return [
    // xfpregs_get() differs in what it copies.
    routine('xstateregs_get', [
      group('fpu__activate_fpstate_read', [
        when((k) => k.read(active, k.target) !== 0, [save], [unless(isUsed, [activate])]),
      ]),
      copyout,
    ]),
    // xfpregs_set() has no header. copyin_to_xsaves() takes of a header XSTATE_BV alone.
    routine('xstateregs_set', [
      group('fpu__activate_fpstate_write', [
        when(isUsed, [step('last_cpu = -1', (k) => k.write(lastCpu, k.target, NOBODY))], [activate]),
      ]),
      when((k) => k.compacted, [step('copyin_to_xsaves', (k) => k.takeFromTracer(targetImage(k)))], setStandard),
    ]),
    routine('fill_thread_core_info', [
      when((k) => k.read(used, k.task) !== 0, [step('regset->get', (k) => k.call('xstateregs_get'))]),
    ]),
  ];
}
