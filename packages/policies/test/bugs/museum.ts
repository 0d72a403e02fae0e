import type { Exploration } from '@fpulab/explorer';
import { BUGS, type Bug } from '../../src';
import { found, judged, type Found, type Question } from '../explored';

const questionOf = ({ preset, scenario, platform, cpu, cpus }: Bug): Question => ({
  preset,
  scenario,
  platform,
  ...(cpu === undefined ? {} : { cpu }),
  ...(cpus === undefined ? {} : { cpus }),
});

/** The entry of this number. */
export function bugOf(id: string): Bug {
  const entry = BUGS.find((bug) => bug.id === id);
  if (!entry) throw new Error(`no bug ${id}`);
  return entry;
}

/** The kernel that has the fix, judged by every oracle of the scenario. */
export const fixed = (bug: Bug): Promise<Exploration> => judged(questionOf(bug));

/** The nearest run in which the bug breaks its property. */
export const broken = (bug: Bug): Promise<Found> =>
  found({ ...questionOf(bug), patches: [bug.patch], oracles: [bug.property] });
