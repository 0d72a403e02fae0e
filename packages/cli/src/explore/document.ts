/** The result of an exploration as one JSON document. */
import type { Exploration } from '@fpulab/explorer';
import { assumptionsOf } from './assumptions';
import type { FoundViolation } from './found';
import type { ExplorePlan } from './plan';

/** What there is to report. */
export interface ExploreResult {
  readonly plan: ExplorePlan;
  readonly exploration: Exploration;
  readonly found: readonly FoundViolation[];
  /** The violation is a kept failure, found again; nothing was explored. */
  readonly known: boolean;
}

/** `fpulab/explore@1` */
export function exploreDocument({ plan, exploration, found, known }: ExploreResult) {
  const first = found.at(0);
  return {
    schema: 'fpulab/explore@1',
    verdict: exploration.verdict,
    reason: exploration.reason,
    violations: found.map(violationDocument),
    ...compositionDocument(plan),
    strategy: plan.flags.strategy,
    seed: plan.flags.strategy === 'random' ? `0x${plan.seed.toString(16)}` : null,
    jobs: plan.flags.jobs,
    assumptions: assumptionsOf(plan),
    reductions: plan.reductions,
    bounds: boundsDocument(plan),
    states: exploration.states,
    transitions: exploration.transitions,
    depth: exploration.depth,
    complete: exploration.complete,
    phases: exploration.phases,
    bytesPerState: exploration.bytesPerState,
    missProbability: exploration.missProbability,
    sometimes: exploration.sometimes,
    replay: first?.replay?.text ?? null,
    log: first?.log ?? null,
    digest: first?.run.digest ?? null,
    counters: first?.run.report.counters ?? null,
    known,
    durationMs: Math.round(exploration.durationMs),
  };
}

/** What was composed, as other documents say it. */
export function compositionDocument({ header, machine }: ExplorePlan) {
  const { scenario, policies, preset, platform, patches, cpus } = header;
  return { scenario, policies, preset, platform, patches, cpu: machine.composition.settings.cpu.id, cpus };
}

/** Bounds under the names of their flags; null where there is none. */
export function boundsDocument({ bounds, flags }: ExplorePlan) {
  return {
    maxStates: bounds.statesMax,
    maxDepth: flags.maxDepth ?? null,
    timeout: flags.timeout ?? null,
    maxMemory: bounds.memoryMax / 2 ** 20,
  };
}

function violationDocument({ run, choices, steps, shortest, replay, log }: FoundViolation) {
  return { ...run.violation, choices, steps, shortest, replay: replay?.text ?? null, log };
}
