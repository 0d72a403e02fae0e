/** fork() and execve(): dup_task_struct() in kernel/fork.c, fpu_clone() in kernel/fpu/core.c. */
import {
  PASID,
  group,
  hasComponent,
  step,
  unless,
  when,
  type Kernel,
  type Patch,
  type RoutineNode,
  type Slot,
} from '@fpulab/core';

const getsInitImage = (k: Kernel): boolean => k.isKernelThread(k.child) || k.isIoWorker(k.child);

/** A child, thread or process, starts without a PASID and traps when it needs one. */
export function childWithoutPasid(activated: Slot): RoutineNode {
  return group('the child has no PASID', [
    step('p->pasid_activated = 0', (k) => k.write(activated, k.child, 0)),
    unless(getsInitImage, [
      step('dst: XSTATE_BV &= ~XFEATURE_MASK_PASID', (k) => {
        const fpstate = k.fpstateOf(k.child);
        k.writeXstateBv(fpstate, k.xstateBv(fpstate) & ~(1 << PASID));
      }),
    ]),
  ]);
}

/**
 * Derived from the source of 6.1.176 and 6.12.19 with this model; no report of it was found. execve() gives the task another mm and an
 * INIT image, but `pasid_activated` stays: the first ENQCMD of the new program is not helped.
 */
export const ACTIVATED_ENDS_AT_EXEC: Patch = {
  id: 'activated-ends-at-exec',
  title: 'execve() clears pasid_activated',
  source: 'hypothetical',
  edits: [
    {
      edit: 'append',
      routine: 'hook:exec',
      nodes: [
        when(
          (k) => hasComponent(k.xfeatures, PASID),
          [step('current->pasid_activated = 0', (k) => k.write(k.slotNamed('pasid_activated'), k.task, 0))],
        ),
      ],
    },
  ],
};
