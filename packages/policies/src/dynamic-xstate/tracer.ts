/** PTRACE_SETREGSET of an image with tiles for a target that has no room for them: refused as merged, more room as posted. */
import { FPSTATE_KINDS, group, step, when, type Condition, type PatchEdit } from '@fpulab/core';
import { DEFAULT_FPSTATE, DYNAMIC_XFEATURES, LARGER_FPSTATE, type DynamicSlots } from './state';
import type { ReallocForm } from './xfd-event';

const LARGER = FPSTATE_KINDS[LARGER_FPSTATE];
const failed: Condition = (k) => k.local(0) !== 0;

/**
 * `merged`: validate_user_xstate_header() refuses what is not in `fpstate->user_xfeatures`: a tracer cannot make an fpstate larger. `sketched`: v10 calls
 * realloc_xstate_buffer() for the target, which is stopped and whose registers are in no CPU; the answer swaps without copying ("if (tsk != current) // PTRACE"), for
 * the tracer's image replaces all: until it does, the target's state is in no image of its own.
 */
export function tracerEdits(slots: DynamicSlots, form: ReallocForm): readonly PatchEdit[] {
  const { current, xfd } = slots;
  const hasNoRoom: Condition = (k) => k.tracerMarksDynamic && k.read(current, k.target) === DEFAULT_FPSTATE;
  if (form === 'merged') {
    return [
      {
        edit: 'insert-after',
        routine: 'hook:ptrace-write',
        step: 'validate_user_xstate_header',
        nodes: [when(hasNoRoom, [step('hdr->xfeatures & ~fpstate->user_xfeatures', (k) => k.setLocal(0, 1))])],
      },
    ];
  }
  const realloc = group('realloc_xstate_buffer(target)', [
    step('vzalloc for the target', (k) => k.setLocal(0, k.allocationMaySleep() ? 0 : 1)),
    when(
      failed,
      [step('return -ENOMEM, as if the image were refused', () => {})],
      [
        step('swap_fpstate', (k) => {
          const larger = k.fpstateOf(k.target, LARGER);
          k.allocate(larger);
          k.initFpstate(larger);
          k.write(current, k.target, LARGER_FPSTATE);
          k.write(xfd, k.target, k.read(xfd, k.target) & ~DYNAMIC_XFEATURES);
        }),
      ],
    ),
  ]);
  const body = [when(hasNoRoom, [realloc])];
  return [{ edit: 'insert-after', routine: 'hook:ptrace-write', step: 'validate_user_xstate_header', nodes: body }];
}
