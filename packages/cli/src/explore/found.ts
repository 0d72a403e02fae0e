/** A counterexample that can be told: run again, its log kept, its replay line made. */
import type { Counterexample } from '@fpulab/explorer';
import { keepFailure, writeLog } from '../kept-logs';
import { replayOf, type ReplayLine } from '../replay-line';
import type { ExplorePlan } from './plan';
import { rerun, type Rerun } from './rerun';

/** A violation, its run, and where it is kept. */
export interface FoundViolation {
  readonly run: Rerun;
  readonly choices: number;
  readonly steps: number;
  /** No shorter run violates this oracle. */
  readonly shortest: boolean;
  /** Null where it could not be written. */
  readonly log: string | null;
  /** Why it could not be written. */
  readonly problem: unknown;
  /** Null where no string can name it, or none that helps people. */
  readonly replay: ReplayLine | null;
}

/** Where a run is kept: in a file, beside the other failures when left out, or where it is already. */
export interface Keeping {
  readonly file?: string;
  readonly already?: string;
}

/** Runs a counterexample again and keeps its log. */
export function foundViolation(
  plan: ExplorePlan,
  counterexample: Counterexample & { readonly shortest: boolean },
  keeping: Keeping,
): FoundViolation {
  const { oracle, choices, steps, shortest } = counterexample;
  const run = rerun(plan, counterexample);
  const name = `${plan.request.scenario}-${oracle}-${run.digest}`;
  return {
    run,
    choices: choices.length,
    steps,
    shortest,
    ...kept(run.log, name, keeping),
    replay: replayLineOf(plan, run),
  };
}

/** The line that repeats a run up to its violation. */
export function replayLineOf({ flags }: ExplorePlan, { machine, collector, steps }: Rerun): ReplayLine | null {
  const { oracle, cpu, patch } = flags;
  return replayOf(machine, collector, { oracle, cpu, patch, maxSteps: steps.length });
}

/** What was found is told even where it cannot be kept. */
function kept(text: string, name: string, { file, already }: Keeping): Pick<FoundViolation, 'log' | 'problem'> {
  try {
    if (file !== undefined) writeLog(file, text);
    return { log: file ?? already ?? keepFailure(text, name), problem: undefined };
  } catch (problem) {
    return { log: null, problem };
  }
}
