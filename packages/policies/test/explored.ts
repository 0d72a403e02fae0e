/** Compositions before the explorer, and counterexamples told as lists of moments. */
import {
  compose,
  replayDriver,
  scenarioOf,
  type MachineEvent,
  type OracleId,
  type Patch,
  type Scenario,
} from '@fpulab/core';
import { explore, type Compose, type Exploration } from '@fpulab/explorer';
import { platformOf } from '@fpulab/hypervisor';
import { presetOf } from '../src';

/** What is explored. */
export interface Question {
  readonly preset: string;
  readonly scenario: string | Scenario;
  readonly patches?: readonly Patch[];
  /** Oracles that decide; the scenario's own when left out. */
  readonly oracles?: readonly OracleId[];
  readonly platform?: string;
  readonly cpu?: string;
  readonly cpus?: number;
}

/** What the explorer says of it. */
export const judged = (question: Question): Promise<Exploration> =>
  explore({ compose: composing(question), bounds: { memoryMax: 2 ** 27 } });

/** The shortest run that violates what was asked for: its length, and what happens in it. */
export interface Found {
  readonly oracle: OracleId;
  readonly choices: number;
  readonly steps: number;
  /** `A: fpu__restore_sig/fpregs_lock` for kernel code, `A: sse.write` for user code, `A: do_IRQ` where it is interrupted. */
  readonly story: readonly string[];
}

/** Explores what must not hold. */
export async function found(question: Question): Promise<Found> {
  const { verdict, counterexamples } = await judged(question);
  if (verdict !== 'violation') throw new Error(`${verdict}, not a violation`);
  const [{ oracle, choices, steps }] = counterexamples;
  return { oracle, choices: choices.length, steps, story: storyOf(composing(question), choices, steps) };
}

/** Throws unless all of these moments happen in this order; others may come between. A moment may leave out the routines around a step. */
export function expectInOrder(story: readonly string[], ...moments: readonly string[]): void {
  let from = 0;
  for (const moment of moments) {
    const [who] = moment.split(': ');
    const what = moment.slice(who.length + 2);
    const at = story.findIndex((told, index) => {
      const isWhat = told.endsWith(`: ${what}`) || told.endsWith(`/${what}`);
      return index >= from && told.startsWith(`${who}: `) && isWhat;
    });
    if (at < 0) throw new Error(`'${moment}' does not come after moment ${from} of\n  ${story.join('\n  ')}`);
    from = at + 1;
  }
}

function composing({ preset, scenario, patches = [], oracles, platform, cpu, cpus }: Question): Compose {
  return () => {
    const base = typeof scenario === 'string' ? scenarioOf(scenario) : scenario;
    return {
      platform: platformOf(platform ?? 'bare-metal'),
      policies: presetOf(preset).policies(),
      patches,
      scenario: oracles ? { ...base, oracles } : base,
      ...(cpu === undefined ? {} : { cpu }),
      ...(cpus === undefined ? {} : { cpus }),
    };
  };
}

function storyOf(parts: Compose, choices: readonly number[], steps: number): readonly string[] {
  const machine = compose({ ...parts(), choices: replayDriver(choices) });
  const story: string[] = [];
  const nameOf = (task: number): string => machine.taskNames[task];
  machine.events$.subscribe(({ type, data }: MachineEvent) => {
    if (type === 'kernel.stepped' && machine.stepPath(data.at).length > 0) {
      story.push(`${nameOf(data.task)}: ${machine.stepLabels[data.at]}`);
    }
    if (type === 'user.stepped') story.push(`${nameOf(data.task)}: ${machine.programs[data.task][data.at]}`);
    if (type === 'context.entered') story.push(`${nameOf(data.task)}: ${machine.stepLabels[data.at].split(/[/@]/)[0]}`);
  });
  machine.boot();
  for (let step = 0; step < steps; step++) machine.step();
  return story;
}
