/** The result of an exploration as text. */
import type { Exploration, Phase } from '@fpulab/explorer';
import { describeViolation, diagramOf, runTitle } from '../report';
import { paintFor, type GlobalOptions } from '../terminal';
import { assumptionsOf } from './assumptions';
import type { ExploreResult } from './document';
import type { FoundViolation } from './found';
import { counted, grouped, seconds } from './numbers';
import { stepLines } from './steps';

/** What the assumptions are said of. */
function holdsText({ verdict, complete }: Exploration): string {
  switch (verdict) {
    case 'verified':
      return 'holds for';
    case 'violation':
      return 'explored';
    case 'inconclusive':
      return complete ? 'no violation for' : 'explored, but not to the end';
  }
}

/** Verdict, what it holds for, how large the space was, and every violation with its run. */
export function exploreText(result: ExploreResult, diagrams: boolean, options: GlobalOptions): string {
  const { plan, exploration, found, known } = result;
  const { verdict, reason, sometimes, complete } = exploration;
  const unreached = complete ? sometimes.filter(({ reached }) => !reached) : [];
  const lines = [
    `${verdict}  ${runTitle(plan.header)}`,
    ...found.map(({ run }) => `  ! ${describeViolation(run.violation)}`),
    ...(reason === null ? [] : [`  ${reason}`]),
    ...(known ? ['  known failure, found again; nothing was explored: --no-known explores'] : []),
    ...(verdict === 'violation' ? unreached.map(({ text }) => `  never reached: ${text}`) : []),
    `  ${holdsText(exploration)}`,
    ...assumptionsOf(plan).map((assumption) => `    ${assumption}`),
    ...(known ? [] : sizeLines(result)),
  ];
  return [lines.join('\n'), ...found.map((each) => violationText(each, result, diagrams, options))].join('\n\n');
}

function sizeLines({ exploration, plan }: ExploreResult): readonly string[] {
  const { complete, missProbability } = exploration;
  const phases = exploration.phases.filter(hasNews);
  const [last] = phases.slice(-1);
  const sizes = plan.flags.strategy === 'random' ? [walksText(last)] : phases.map(sizeText);
  const named = sizes.map((size, index) => `  ${PHASES[phases[index].kind]}: ${size}`);
  return [
    ...(sizes.length > 1 ? named : [`  ${sizes[0]}${complete ? '; all that there are' : ''}`]),
    ...(missProbability === null ? [] : [`  probability that a state was missed: ${missProbability.toExponential(1)}`]),
  ];
}

/** A search that only made sure that all can be reached is no news. */
function hasNews({ kind, end }: Phase): boolean {
  return !(kind === 'reach' && end === 'reached');
}

const PHASES: Readonly<Record<Phase['kind'], string>> = {
  proof: 'with reductions for proofs',
  exact: 'without, for what was left open',
  reach: 'without, for what has to be reached',
  random: 'random walks',
};

function sizeText(phase: Phase): string {
  const { states, transitions, depth, durationMs, bytesPerState } = phase;
  return [
    `${counted(states, 'state')}, ${counted(transitions, 'transition')}, depth ${counted(depth, 'choice')}`,
    `${seconds(durationMs)}, ${grouped(rate(phase))} states/s, ${grouped(bytesPerState)} bytes per state`,
  ].join('; ');
}

function walksText(phase: Phase): string {
  const { transitions, depth, durationMs } = phase;
  return `${counted(transitions, 'step')}, ${grouped(rate(phase))}/s; ${seconds(durationMs)}; longest walk ${counted(depth, 'choice')}`;
}

function rate({ states, durationMs }: Phase): number {
  return Math.round((states * 1000) / Math.max(durationMs, 1));
}

// --- violations ----------------------------------------------------------------------------------------------------

/** The diagram, the steps, and how to see them again. */
function violationText(
  found: FoundViolation,
  { plan, known }: ExploreResult,
  diagrams: boolean,
  { color }: GlobalOptions,
): string {
  const { run, choices, steps, log } = found;
  const { violations } = run.report;
  const title = runTitle(plan.header);
  return [
    `${describeViolation(run.violation)}`,
    `  after ${counted(choices, 'choice')}, ${counted(steps, 'step')}; ${lengthText(found, known)}`,
    ...(diagrams ? ['', diagramOf(run.collector, { title, violations }, paintFor(color)), ''] : []),
    ...stepLines(run).map((line) => `  ${line}`),
    ...(log === null ? [] : [`  log: ${log}`]),
    ...replayLines(found),
  ].join('\n');
}

function lengthText({ shortest }: FoundViolation, known: boolean): string {
  if (shortest) return 'no run with fewer choices violates this, and none with as many and fewer steps';
  return known ? 'not searched for a shorter run' : 'not the shortest: there may be a shorter run';
}

function replayLines({ replay, log }: FoundViolation): readonly string[] {
  if (replay !== null) return [`  replay: ${replay.command}`];
  return log === null ? [] : [`  replay: fpulab replay ${log}`];
}

/** The diagrams of all violations, uncoloured, as JSON documents have them. */
export function diagramsOf({ plan, found }: ExploreResult): readonly string[] {
  return found.map(({ run }) =>
    diagramOf(run.collector, { title: runTitle(plan.header), violations: run.report.violations }),
  );
}
