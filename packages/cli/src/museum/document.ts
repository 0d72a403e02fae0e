/** The museum as one JSON document. */
import { diagramOf, runTitle } from '../report';
import { stepLines } from '../explore/steps';
import type { Bug, Side } from '@fpulab/policies';
import { isFound, isVerified, type Exhibit, type ExploredBug, type ExploredFix } from './exhibit';

/** What there is to report. */
export interface MuseumResult {
  /** Those that are known, in full or in part. */
  readonly exhibits: readonly Exhibit[];
  /** Somebody pressed Ctrl-C: bugs may be missing. */
  readonly interrupted: boolean;
  readonly durationMs: number;
}

/** `fpulab/museum@1` */
export function museumDocument({ exhibits, interrupted, durationMs }: MuseumResult, diagrams: boolean) {
  return {
    schema: 'fpulab/museum@1',
    bugs: exhibits.map((exhibit) => ({
      ...factsOf(exhibit.bug),
      found: isFound(exhibit),
      ...runOf(exhibit.buggy, diagrams),
      fixes: exhibit.fixes.map(fixDocument),
      fixVerified: isVerified(exhibit),
    })),
    interrupted,
    durationMs: Math.round(durationMs),
  };
}

function factsOf({ fixes: _, buggy, ...facts }: Bug) {
  return { ...facts, cve: facts.cve ?? null, cpu: facts.cpu ?? null, buggy: sideDocument(buggy) };
}

function sideDocument({ preset, patches }: Side) {
  return { preset, patches: (patches ?? []).map(({ id }) => id) };
}

function runOf(buggy: ExploredBug | undefined, diagrams: boolean) {
  const run = buggy?.run;
  const nearest = buggy?.exploration.counterexamples.at(0);
  if (!buggy || !run || !nearest) return { choices: null, steps: null, violation: null, replay: null, told: [] };
  const { violations } = run.report;
  return {
    choices: nearest.choices.length,
    steps: nearest.steps,
    violation: run.violation,
    replay: buggy.replay?.command ?? null,
    told: stepLines(run),
    ...(diagrams ? { diagram: diagramOf(run.collector, { title: runTitle(buggy.plan.header), violations }) } : {}),
  };
}

function fixDocument({ fix, plan, exploration }: ExploredFix) {
  const { verdict, states, reason, counterexamples } = exploration;
  return {
    by: fix.by,
    ...sideDocument(fix),
    oracles: plan.machine.composition.settings.scenario.oracles,
    verdict,
    states,
    reason,
    violations: counterexamples.map(({ oracle }) => oracle),
  };
}
