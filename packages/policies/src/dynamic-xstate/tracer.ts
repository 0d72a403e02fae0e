/** PTRACE_SETREGSET of an image with tiles for a target that has no room for them. */
import { step, when, type Condition, type PatchEdit } from '@fpulab/core';
import { DEFAULT_FPSTATE, type DynamicSlots } from './state';

/** validate_user_xstate_header() refuses what is not in `fpstate->user_xfeatures`: a tracer cannot make an fpstate larger. */
export function tracerEdits({ current }: DynamicSlots): readonly PatchEdit[] {
  const hasNoRoom: Condition = (k) => k.tracerMarksDynamic && k.read(current, k.target) === DEFAULT_FPSTATE;
  return [
    {
      edit: 'insert-after',
      routine: 'hook:ptrace-write',
      step: 'validate_user_xstate_header',
      nodes: [when(hasNoRoom, [step('hdr->xfeatures & ~fpstate->user_xfeatures', (k) => k.setLocal(0, 1))])],
    },
  ];
}
