/** Leaves out each step of a policy in turn, and explores what breaks. */
import { isFpuError, type OracleId } from '@fpulab/core';
import type { Exploration } from '@fpulab/explorer';
import type { ReplayLine } from '../replay-line';
import type { Watched } from './conduct';
import { dropId, policySteps, type PolicyStep } from './drop-patches';
import { replayLineOf } from './found';
import { exploreOptions, planFor, type ExplorePlan } from './plan';
import { rerun } from './rerun';

/** What the scenario says without a step. */
export type DropOutcome =
  | {
      /** An oracle fails. */
      readonly kind: 'violation';
      readonly oracle: OracleId;
      readonly choices: number;
      readonly steps: number;
      readonly replay: ReplayLine | null;
    }
  /** The kernel does what no kernel code may, or nothing gets where the scenario leads. */
  | { readonly kind: 'breaks'; readonly message: string }
  /** Nothing fails in this scenario. */
  | { readonly kind: 'not-needed' }
  /** Nothing takes this step in this scenario, so it cannot tell what the step is good for. */
  | { readonly kind: 'not-reached' }
  | { readonly kind: 'inconclusive'; readonly message: string };

/** A step, and the scenario without it. */
export interface DroppedStep extends PolicyStep {
  readonly patch: string;
  readonly outcome: DropOutcome;
  /** Of the last search. */
  readonly states: number;
}

/** What became of all steps. */
export interface DropResult {
  readonly plan: ExplorePlan;
  /** The scenario with all steps. */
  readonly whole: DropOutcome;
  readonly steps: readonly DroppedStep[];
  /** Somebody pressed Ctrl-C: some steps were not tried. */
  readonly interrupted: boolean;
  /** Steps in all. */
  readonly count: number;
  readonly durationMs: number;
}

/** Seconds for each step, where none are given. */
const TIMEOUT = 20;

/** Explores the scenario as often as the policy has steps that it takes. */
export async function dropEach(asked: ExplorePlan, under: Watched): Promise<DropResult> {
  const began = performance.now();
  const plan = planFor(asked.request, { ...asked.flags, timeout: asked.flags.timeout ?? TIMEOUT });
  const all = policySteps(plan.machine.composition);
  const { outcome: whole, taken } = await outcomeOf(() => plan, under, 'as it is: ');
  const steps: DroppedStep[] = [];
  for (const [index, step] of all.entries()) {
    if (under.signal.aborted) break;
    const patch = dropId(index);
    if (taken !== undefined && !taken.has(step.label)) {
      steps.push({ ...step, patch, outcome: { kind: 'not-reached' }, states: 0 });
      continue;
    }
    const request = { ...plan.request, patches: [...plan.request.patches, patch] };
    const { outcome, states } = await outcomeOf(
      () => planFor(request, plan.flags),
      under,
      `${patch} of ${all.length}: `,
    );
    if (!under.signal.aborted) steps.push({ ...step, patch, outcome, states });
  }
  return {
    plan,
    whole,
    steps,
    interrupted: under.signal.aborted,
    count: all.length,
    durationMs: performance.now() - began,
  };
}

/** What came of one exploration. */
interface Tried extends Pick<DroppedStep, 'outcome' | 'states'> {
  /** Labels of all steps that can be taken; undefined where not all is known. */
  readonly taken: ReadonlySet<string> | undefined;
}

/** What the policy's own code, or its composition, refuses is a result here. */
async function outcomeOf(planned: () => ExplorePlan, under: Watched, label: string): Promise<Tried> {
  try {
    const plan = planned();
    const exploration = await under.explore(exploreOptions(plan), label);
    const taken = exploration.complete ? new Set(exploration.stepsTaken) : undefined;
    return { outcome: outcomeIn(plan, exploration), states: exploration.states, taken };
  } catch (error) {
    if (!isFpuError(error)) throw error;
    return { outcome: { kind: 'breaks', message: error.message }, states: 0, taken: undefined };
  }
}

function outcomeIn(plan: ExplorePlan, { verdict, reason, complete, counterexamples }: Exploration): DropOutcome {
  switch (verdict) {
    case 'verified':
      return { kind: 'not-needed' };
    case 'violation': {
      const [{ oracle, choices, steps }] = counterexamples;
      const replay = replayLineOf(plan, rerun(plan, counterexamples[0]));
      return { kind: 'violation', oracle, choices: choices.length, steps, replay };
    }
    case 'inconclusive':
      return { kind: complete ? 'breaks' : 'inconclusive', message: reason ?? '' };
  }
}
