/** Tracers name their targets, and write values that are not theirs: what that means for symmetry and version-free values. */
import {
  compose,
  forever,
  program,
  ptrace,
  sse,
  syscall,
  valueId,
  type Operation,
  type Patch,
  type Scenario,
} from '@fpulab/core';
import { bareMetal } from '@fpulab/hypervisor';
import { bugOf, presetOf } from '@fpulab/policies';
import { explore, type Compose, type Reductions } from '../src';
import { NormalForm, STALE } from '../src/normal-form';

const stop = syscall('ptrace_stop');
const turn = syscall('sched_yield');

const scenarioOf = (tasks: Readonly<Record<string, readonly Operation[]>>, cpus = 1): Scenario => ({
  id: 'traced',
  title: 'traced',
  tasks: Object.entries(tasks).map(([name, operations]) => ({ name, program: operations })),
  interference: { migration: cpus > 1 },
  oracles: ['leak', 'lost-update', 'validity'],
  schedule: {},
  sometimes: [],
  cpu: 'sandybridge',
  cpus,
  stepsMax: 1000,
});

const composing =
  (preset: string, scenario: Scenario, patches: readonly Patch[] = []): Compose =>
  () => ({ platform: bareMetal(), policies: presetOf(preset).policies(), patches, scenario });

const judged = async (composed: Compose, reductions: Partial<Reductions>) => {
  const { verdict, states, counterexamples } = await explore({ compose: composed, reductions });
  return { verdict, states, length: counterexamples.map(({ choices }) => choices.length) };
};

/** A and B run the same program, but D traces A: they are not alike. */
const alike = [sse.write(), stop, sse.read()];
const scenarios = [
  scenarioOf({ A: alike, B: alike, D: [ptrace('A', 'write'), ptrace('A', 'read'), ptrace('A', 'cont')] }),
  scenarioOf({ A: [stop, sse.read()], B: [sse.write()], D: [ptrace('A', 'write-xcomp-bv'), ptrace('A', 'cont')] }),
];
const [bug] = bugOf('F32').buggy.patches ?? [];

describe.each([
  ['linux-3.6', []],
  ['linux-4.8', []],
  ['linux-4.8', [bug]],
  ['linux-6.1', []],
] as const)('%s with patches %j', (preset, patches) => {
  it.each(scenarios)('each reduction alone gives the verdict that none gives', async (scenario) => {
    const none = {
      versionFree: false,
      choicePoints: false,
      symmetry: false,
      partialOrder: false,
      abstractCounters: false,
    };
    const composed = composing(preset, scenario, patches);
    const plain = await judged(composed, none);
    for (const reduction of ['versionFree', 'choicePoints', 'symmetry'] as const) {
      const reduced = await judged(composed, { ...none, [reduction]: true });
      expect([reduction, reduced.verdict, reduced.length]).toEqual([reduction, plain.verdict, plain.length]);
    }
  });
});

it('programs that trace for ever have finitely many states', async () => {
  const scenario = scenarioOf({
    A: program(forever(sse.update(), stop)),
    D: program(forever(ptrace('A', 'write'), ptrace('A', 'read'), ptrace('A', 'cont'), turn)),
  });
  expect(await explore({ compose: composing('linux-6.1', scenario) })).toMatchObject({
    verdict: 'verified',
    complete: true,
  });
});

it('what a tracer writes is the latest value of its target, and what the target had before is stale', () => {
  const scenario = scenarioOf({ A: alike, D: [ptrace('A', 'write')] });
  const machine = compose({ ...composing('linux-6.1', scenario)() });
  const seen: string[] = [];
  machine.events$.subscribe(({ type }) => seen.push(type));
  while (!seen.includes('fpstate.traced')) if (!machine.step()) throw new Error('D never wrote');
  const { words, at } = machine.state;
  const sseAt = at.indexOfBit[1];
  new NormalForm(machine.state, machine.probe()).normalise();
  expect(words[at.image + sseAt]).toBe(valueId(1, 1));
  expect(words[at.architectural + sseAt]).toBe(valueId(1, 1));
  expect([0, valueId(1, STALE)]).toContain(words[at.fpregs + sseAt]);
});
