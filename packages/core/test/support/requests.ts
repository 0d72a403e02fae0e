import { CHOICE_KINDS, type ChoiceKind, type ChoiceRequest } from '@fpulab/core';

/** A choice request over named alternatives, as the engine would ask it. */
export function request(kind: ChoiceKind, ...names: readonly string[]): ChoiceRequest {
  return {
    kind: CHOICE_KINDS.indexOf(kind),
    alternatives: Int32Array.from(names.keys()),
    count: names.length,
    enabled: 0,
    name: (alternative) => names[alternative],
  };
}
