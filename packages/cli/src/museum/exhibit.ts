/** A bug of the museum, explored: the kernel that has it, and those that were cured of it. */
import { scenarioOf, type OracleId } from '@fpulab/core';
import type { Exploration } from '@fpulab/explorer';
import type { Bug, Fix, Side } from '@fpulab/policies';
import { planAll } from '../explore-all';
import type { CompositionRequest } from '../explore/compose-request';
import type { Watched } from '../explore/conduct';
import { replayLineOf } from '../explore/found';
import { exploreOptions, type ExplorePlan } from '../explore/plan';
import { rerun, type Rerun } from '../explore/rerun';
import type { ReplayLine } from '../replay-line';

/** One kernel, explored. */
export interface Explored {
  readonly plan: ExplorePlan;
  readonly exploration: Exploration;
}

/** The kernel that has the bug. */
export interface ExploredBug extends Explored {
  /** The shortest run in which it shows; undefined when there is none. */
  readonly run: Rerun | undefined;
  /** What repeats that run. */
  readonly replay: ReplayLine | null;
}

/** A kernel with a fix. */
export interface ExploredFix extends Explored {
  readonly fix: Fix;
}

/** What there is to show. When somebody pressed Ctrl-C, the explorations that are missing were not finished. */
export interface Exhibit {
  readonly bug: Bug;
  readonly buggy: ExploredBug | undefined;
  readonly fixes: readonly ExploredFix[];
}

/** For the states of each exploration: 128,639 at most. */
const MEBIBYTES = 128;

/** Explores a bug and its fixes, until Ctrl-C. `label` goes before the progress. */
export async function explored(bug: Bug, under: Watched, label: string): Promise<Exhibit> {
  const side = (kernel: Side, oracles: readonly OracleId[] | null, what: string): Promise<Explored | undefined> =>
    exploreSide(requestOf(bug, kernel, oracles), under, `${label}, ${what}: `);
  const buggy = await side(bug.buggy, [bug.property], 'buggy');
  const fixes: ExploredFix[] = [];
  for (const fix of bug.fixes) {
    const found = await side(fix, curedBy(fix, bug), 'fixed');
    if (found) fixes.push({ ...found, fix });
  }
  return { bug, buggy: buggy && { ...buggy, ...shortestRun(buggy) }, fixes };
}

/** Whether the bug was found; null when that is not known. */
export function isFound({ buggy }: Exhibit): boolean | null {
  return buggy ? buggy.run !== undefined : null;
}

/** Whether each fix was verified; null when that is not known. */
export function isVerified({ bug, fixes }: Exhibit): boolean | null {
  if (fixes.some(({ exploration }) => exploration.verdict !== 'verified')) return false;
  return fixes.length === bug.fixes.length ? true : null;
}

/** What a fix is verified for: every oracle of the scenario (null), and what the bug breaks. */
function curedBy({ cures }: Fix, { scenario, property }: Bug): readonly OracleId[] | null {
  const { oracles } = scenarioOf(scenario);
  return cures ?? (oracles.includes(property) ? null : [...oracles, property]);
}

function requestOf(bug: Bug, { preset, patches }: Side, oracles: readonly OracleId[] | null): CompositionRequest {
  return {
    scenario: bug.scenario,
    policies: [preset],
    platform: bug.platform,
    patches: (patches ?? []).map(({ id }) => id),
    cpu: bug.cpu ?? null,
    cpus: null,
    oracles,
  };
}

async function exploreSide(request: CompositionRequest, under: Watched, label: string): Promise<Explored | undefined> {
  if (under.signal.aborted) return undefined;
  const oracle = request.oracles ?? undefined;
  const plan = planAll(request, { all: false, maxMemory: MEBIBYTES, ...(oracle && { oracle }) });
  const exploration = await under.explore(exploreOptions(plan), label);
  return exploration.phases.at(-1)?.end === 'interrupted' ? undefined : { plan, exploration };
}

function shortestRun({ plan, exploration }: Explored): Pick<ExploredBug, 'run' | 'replay'> {
  const [nearest] = exploration.counterexamples;
  if (nearest === undefined) return { run: undefined, replay: null };
  const run = rerun(plan, nearest);
  return { run, replay: replayLineOf(plan, run) };
}
