import { CHOICE_KINDS, type ChoiceDriver, type ChoiceKind, type ChoiceRequest } from '@fpulab/core';

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

/** Names of what is enabled. */
export function enabledNames({ alternatives, count, name }: ChoiceRequest): readonly string[] {
  return Array.from({ length: count }, (_, index) => name(alternatives[index]));
}

/** Takes the first alternative that `wants` approves of, else the first one. Has no position. */
export function wantingDriver(wants: (name: string) => boolean): ChoiceDriver {
  return {
    choose: (asked) => Math.max(0, enabledNames(asked).findIndex(wants)),
    getPosition: () => 0,
    setPosition: () => {},
  };
}
