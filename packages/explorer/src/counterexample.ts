/**
 * From a violation that a search found to the choices that lead there.
 *
 * The states on the way are known by their keys, which may be of other members of their orbits. So the way is walked
 * again from the start, with the real machine: at every state, the way on is taken whose key is that of the next state.
 */
import type { OracleId } from '@fpulab/core';
import { ORACLE, assert } from '@fpulab/core';
import { choicesIn, distanceOf, stepsIn } from './distance';
import { NO_PARENT } from './shared-table';
import type { Space, Violation } from './space';
import type { SuccessorVisitor } from './successors';

/** A run that ends in a violation. */
export interface Counterexample {
  readonly oracle: OracleId;
  /** Index of the alternative that each choice takes, for a replay. */
  readonly choices: readonly number[];
  /** Atomic steps, the violating one included. */
  readonly steps: number;
}

interface Way {
  readonly words: Int32Array;
  readonly choices: readonly number[];
  readonly steps: number;
}

/**
 * The choices that lead to a violation.
 *
 * @param start the machine's words at the start of the run
 * @param distances whether the distances of states are exact, as in breadth-first search
 */
export function counterexampleOf(
  space: Space,
  violation: Violation,
  start: Int32Array,
  distances: boolean,
): Counterexample {
  const { machine, states, successors } = space;
  const path: number[] = [];
  for (let state = violation.parent; state !== NO_PARENT; state = states.parentOf(state)) path.unshift(state);
  space.codec.forget();
  let here: Way = { words: start, choices: [], steps: 0 };
  let isStart = true;
  for (const state of path) {
    const from = here;
    let found: Way | undefined;
    const load = (): void => machine.state.words.set(from.words);
    const visitor = {
      reached(choices: number, steps: number): void {
        if (found) return;
        const words = machine.state.words.slice();
        space.codec.readAll();
        space.codec.encode();
        const wanted = distanceOf(from.choices.length + choices, from.steps + steps);
        if (distances && wanted !== states.distanceOf(state)) return;
        const key = space.storedKey();
        const at = states.keyAt(state);
        for (let word = 0; word < key.length; word++) if (key[word] !== states.arena[at + word]) return;
        found = { words, choices: [...from.choices, ...successors.taken()], steps: from.steps + steps };
      },
      violated(): void {},
    };
    visitFrom(space, visitor, load, isStart);
    isStart = false;
    assert(found, 'the way to a violation is not the way that was searched');
    here = found;
  }
  return lastWay(space, violation, here, isStart, distances);
}

/** The way from the last stored state into the violation: the nearest, and of several the first. */
function lastWay(space: Space, violation: Violation, from: Way, isStart: boolean, distances: boolean): Counterexample {
  const { machine, successors } = space;
  const oracle = space.options.oracles.find((id) => ORACLE[id] === violation.oracle) as OracleId;
  let found: { readonly choices: readonly number[]; readonly steps: number; readonly distance: number } | undefined;
  const visitor = {
    reached(): void {},
    violated(which: number, choices: number, steps: number): void {
      if (which !== violation.oracle) return;
      const distance = distanceOf(from.choices.length + choices, from.steps + steps);
      if (found && found.distance <= distance) return;
      found = { choices: [...from.choices, ...successors.taken()], steps: from.steps + steps, distance };
    },
  };
  visitFrom(space, visitor, () => machine.state.words.set(from.words), isStart);
  assert(found, 'the violation that was found is not there');
  const { choices, steps } = found;
  assert(
    !distances || (choices.length === choicesIn(violation.distance) && steps === stepsIn(violation.distance)),
    'the counterexample is not as long as the search said',
  );
  return { oracle, choices, steps };
}

/** Every way on from a state; from the start of a run, the way to the first choice. */
function visitFrom({ successors }: Space, visitor: SuccessorVisitor, load: () => void, isStart: boolean): void {
  if (!isStart) return successors.visit(visitor, load);
  load();
  successors.visitWithoutChoice(visitor);
}
