/** Explorations beside the runs of a reproduction: that a failing run is no accident, and a clean one no luck. */
import { scenarioOf, type OracleId } from '@fpulab/core';
import type { Exploration } from '@fpulab/explorer';
import type { ReproductionRun } from '../commands/reproductions';
import { planAll, repeatLine } from '../explore-all';
import type { Watched } from '../explore/conduct';
import { exploreOptions } from '../explore/plan';

/** What an exploration showed. Of one that finds several kinds of violations there is one for each. */
export interface Proof {
  readonly scenario: string;
  readonly tasks: number;
  readonly verdict: Exploration['verdict'];
  readonly reason: string | null;
  /** Of the larger search, where it took two. */
  readonly states: number;
  readonly transitions: number;
  readonly durationMs: number;
  /** The shortest run that violates the oracle: choices and steps. */
  readonly choices: number | null;
  readonly steps: number | null;
  readonly oracle: OracleId | null;
  /** The command that repeats that run. */
  readonly replay: string | null;
}

/** Numbers of tasks for which a clean run is proved to be clean, whatever their programs. */
export const PROOF_TASKS: readonly number[] = [2, 3, 4];

/** For the states of each exploration: 26,959 at most. */
const MEBIBYTES = 128;

/**
 * A run that fails: every kind of failure that its scenario can have. A clean one: that tasks with any programs stay
 * clean.
 *
 * @returns undefined when somebody pressed Ctrl-C
 */
export async function prove(
  scenario: string,
  run: ReproductionRun,
  under: Watched,
): Promise<readonly Proof[] | undefined> {
  const variants = run.expected.length > 0 ? [scenario] : PROOF_TASKS.map((tasks) => `${scenario}.any-${tasks}`);
  const proofs: Proof[] = [];
  for (const variant of variants) {
    proofs.push(...(await explored(variant, run, under)));
    if (under.signal.aborted) return undefined;
  }
  return proofs;
}

/** Whether they say what history says: exactly the expected kinds of violations, or none at all. */
export function agree(proofs: readonly Proof[], expected: readonly OracleId[]): boolean {
  if (expected.length === 0) return proofs.every(({ verdict }) => verdict === 'verified');
  const found = new Set(proofs.map(({ oracle }) => oracle));
  return found.size === expected.length && expected.every((oracle) => found.has(oracle));
}

async function explored(scenario: string, run: ReproductionRun, under: Watched): Promise<readonly Proof[]> {
  const { preset, platform, patches } = run;
  const request = { scenario, policies: [preset], platform, patches, cpu: null, cpus: null, oracles: null };
  const plan = planAll(request, { maxMemory: MEBIBYTES });
  const exploration = await under.explore(exploreOptions(plan), `${run.id}, ${scenario}: `);
  const { verdict, reason, phases, durationMs, counterexamples } = exploration;
  const [{ states, transitions }] = [...phases].sort((one, other) => other.states - one.states);
  const found = {
    scenario,
    tasks: scenarioOf(scenario).tasks.length,
    verdict,
    reason,
    states,
    transitions,
    durationMs: Math.round(durationMs),
  };
  if (counterexamples.length === 0) return [{ ...found, choices: null, steps: null, oracle: null, replay: null }];
  return counterexamples.map((one) => ({
    ...found,
    choices: one.choices.length,
    steps: one.steps,
    oracle: one.oracle,
    replay: repeatLine(plan, one)?.command ?? null,
  }));
}
