/** What `fpulab explore <scenario> --all` does, for verbs that explore many compositions. */
import type { Counterexample } from '@fpulab/explorer';
import type { CompositionRequest } from './explore/compose-request';
import type { ExploreFlags } from './explore/flags';
import { replayLineOf } from './explore/found';
import { planFor, type ExplorePlan } from './explore/plan';
import { rerun } from './explore/rerun';
import type { ReplayLine } from './replay-line';

const FLAGS: ExploreFlags = {
  strategy: 'bfs',
  jobs: 1,
  all: true,
  known: false,
  versionFree: true,
  choicePoints: true,
  symmetry: true,
  partialOrder: true,
  abstractCounters: true,
  deadValues: true,
};

/**
 * The plan for one of many explorations: every kind of violation, one thread, all reductions.
 *
 * @throws FpuError as `composeRequest` and `compose` do
 */
export function planAll(request: CompositionRequest, flags: Partial<ExploreFlags> = {}): ExplorePlan {
  return planFor(request, { ...FLAGS, cpu: request.cpu ?? undefined, ...flags });
}

/** The line that repeats a counterexample. That it does has been tried. */
export function repeatLine(plan: ExplorePlan, counterexample: Counterexample): ReplayLine | null {
  return replayLineOf(plan, rerun(plan, counterexample));
}
