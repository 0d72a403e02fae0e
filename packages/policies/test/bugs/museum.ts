import { scenarioOf } from '@fpulab/core';
import type { Exploration } from '@fpulab/explorer';
import { bugOf, type Bug, type Fix, type Side } from '../../src';
import { found, judged, type Found, type Question } from '../explored';

const questionOf = ({ scenario, platform, cpu }: Bug, { preset, patches = [] }: Side): Question => ({
  scenario,
  platform,
  ...(cpu === undefined ? {} : { cpu }),
  preset,
  patches,
});

/** A kernel with a fix, judged by what it cures: every oracle of the scenario, and what the bug breaks. */
function fixed(bug: Bug, fix: Fix): Promise<Exploration> {
  const { oracles } = scenarioOf(bug.scenario);
  const cures = fix.cures ?? [...new Set([...oracles, bug.property])];
  return judged({ ...questionOf(bug, fix), oracles: cures });
}

/** The nearest run in which the bug breaks its property. */
export function broken(id: string): Promise<Found> {
  const bug = bugOf(id);
  return found({ ...questionOf(bug, bug.buggy), oracles: [bug.property] });
}

/** Each of its fixes is verified, in so many states, and all that the scenario is about was reached. */
export async function expectVerified(id: string, ...states: readonly number[]): Promise<void> {
  const bug = bugOf(id);
  const explorations = await Promise.all(bug.fixes.map((fix) => fixed(bug, fix)));
  expect(explorations.map(({ verdict, complete }) => ({ verdict, complete }))).toEqual(
    states.map(() => ({ verdict: 'verified', complete: true })),
  );
  expect(explorations.map((exploration) => exploration.states)).toEqual(states);
  for (const { sometimes } of explorations) expect(sometimes.filter(({ reached }) => !reached)).toEqual([]);
}
