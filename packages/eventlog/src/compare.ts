import type { MachineEvent } from '@fpulab/core';

/** Where two lists of events part. */
export interface Difference {
  /** Index of the first event that differs. */
  readonly at: number;
  /** Undefined when the expected list ends before. */
  readonly expected: MachineEvent | undefined;
  /** Undefined when the actual list ends before. */
  readonly found: MachineEvent | undefined;
}

/**
 * The first event that is not the same in both lists, by seq, type, actor, data and cause; undefined when all are.
 *
 * Addresses and slots are compared as the numbers they are: two compositions with other code or other slots differ
 * where the first of those shows.
 */
export function firstDifference(
  expected: readonly MachineEvent[],
  actual: readonly MachineEvent[],
): Difference | undefined {
  const length = Math.max(expected.length, actual.length);
  for (let at = 0; at < length; at++) {
    if (!sameEvent(expected[at], actual[at])) return { at, expected: expected[at], found: actual[at] };
  }
  return undefined;
}

function sameEvent(a: MachineEvent | undefined, b: MachineEvent | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return a.seq === b.seq && a.type === b.type && a.by === b.by && a.cause === b.cause && sameData(a.data, b.data);
}

function sameData(a: MachineEvent['data'], b: MachineEvent['data']): boolean {
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => a[name] === b[name]);
}
