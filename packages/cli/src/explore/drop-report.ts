/** What became of a policy without each of its steps, as text and as one JSON document. */
import { runTitle } from '../report';
import { boundsDocument, compositionDocument } from './document';
import type { DropOutcome, DropResult, DroppedStep } from './drop-each';
import { counted, seconds } from './numbers';

/** `fpulab/explore-drop@1` */
export function dropDocument({ plan, whole, steps, interrupted, durationMs }: DropResult) {
  return {
    schema: 'fpulab/explore-drop@1',
    ...compositionDocument(plan),
    strategy: plan.flags.strategy,
    bounds: boundsDocument(plan),
    whole: outcomeDocument(whole),
    steps: steps.map(({ patch, routine, step, outcome, states }) => ({
      patch,
      routine,
      step,
      ...outcomeDocument(outcome),
      states,
    })),
    interrupted,
    durationMs: Math.round(durationMs),
  };
}

/** The same keys whatever the outcome. */
function outcomeDocument(outcome: DropOutcome) {
  const none = { oracle: null, choices: null, steps: null, replay: null, message: null };
  const { kind, ...own } = outcome;
  const replay = outcome.kind === 'violation' ? { replay: outcome.replay?.text ?? null } : {};
  return { outcome: kind, ...none, ...own, ...replay };
}

const SECTIONS: Readonly<Record<DropOutcome['kind'], string>> = {
  violation: 'needed: without it an oracle fails',
  breaks: 'needed: without it the kernel breaks',
  'not-needed': 'not needed by anything in this scenario',
  'not-reached': 'never reached in this scenario',
  inconclusive: 'no verdict',
};

/** One section for each outcome. */
export function dropText({ plan, whole, steps, interrupted, count, durationMs }: DropResult): string {
  const width = Math.max(0, ...steps.map((step) => nameOf(step).length));
  const kinds = Object.keys(SECTIONS) as DropOutcome['kind'][];
  const sections = kinds.flatMap((kind) => {
    const those = steps.filter(({ outcome }) => outcome.kind === kind);
    if (those.length === 0) return [];
    const lines = kind === 'not-reached' ? routineLines(those, steps) : those.flatMap((step) => stepLines(step, width));
    return [[`${SECTIONS[kind]} (${those.length})`, ...lines].join('\n')];
  });
  const tried = steps.filter(({ outcome }) => outcome.kind !== 'not-reached').length;
  const each = `${counted(tried, 'step')} of ${count} left out in turn, in ${seconds(durationMs)}`;
  return [
    `${runTitle(plan.header)}\n  as it is: ${outcomeText(whole)}\n  ${each}${interrupted ? '; interrupted' : ''}`,
    ...sections,
  ].join('\n\n');
}

/** A line for each routine: most of what a scenario does not reach are answers to hooks that it never comes to. */
function routineLines(those: readonly DroppedStep[], all: readonly DroppedStep[]): readonly string[] {
  const routines = new Map<string, DroppedStep[]>();
  for (const step of those) routines.set(step.routine, [...(routines.get(step.routine) ?? []), step]);
  return [...routines].map(([routine, steps]) => {
    const whole = all.every((step) => step.routine !== routine || steps.includes(step));
    return `  ${routine}: ${whole ? `all ${counted(steps.length, 'step')}` : steps.map(({ step }) => step).join(', ')}`;
  });
}

function nameOf({ routine, step }: DroppedStep): string {
  return `${routine}/${step}`;
}

function stepLines(step: DroppedStep, width: number): readonly string[] {
  const { patch, outcome } = step;
  const head = `  ${patch.padEnd('drop-000'.length)}  ${nameOf(step).padEnd(width)}`;
  if (outcome.kind === 'not-needed' || outcome.kind === 'not-reached') return [head.trimEnd()];
  const line = `${head}  ${outcomeText(outcome)}`;
  if (outcome.kind !== 'violation') return [line];
  return [
    line,
    `            ${outcome.replay?.command ?? `no replay string can name it: explore with --patch ${patch}`}`,
  ];
}

function outcomeText(outcome: DropOutcome): string {
  switch (outcome.kind) {
    case 'violation':
      return `${outcome.oracle} after ${counted(outcome.choices, 'choice')}, ${counted(outcome.steps, 'step')}`;
    case 'not-needed':
      return 'verified';
    case 'not-reached':
      return 'never reached';
    case 'breaks':
    case 'inconclusive':
      return outcome.message;
  }
}
