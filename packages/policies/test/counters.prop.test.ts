/** What is proved with abstract counters holds for exact ones: step by step, the abstract machine can do the same. */
import fc from 'fast-check';
import {
  SCENARIOS,
  compose,
  events,
  firstDriver,
  loop,
  program,
  replayDriver,
  scenarioOf,
  seededDriver,
  sse,
  syscall,
  type ChoiceDriver,
  type Machine,
  type Scenario,
  type Slot,
} from '@fpulab/core';
import { isSupported } from '@fpulab/core/testing';
import { PLATFORMS, platformOf } from '@fpulab/hypervisor';
import { PRESETS, presetOf } from '../src';

const COUNT = 5;

/** Counts of one task get past the threshold of five, and past the wrap at 256 if it runs long enough. */
const COUNTING: Scenario = {
  ...scenarioOf('endless'),
  id: 'counting',
  tasks: ['A', 'B'].map((name) => ({ name, program: program(loop(300, sse.update(), syscall('sched_yield'))) })),
};

interface Subject {
  readonly preset: string;
  readonly platform: string;
  readonly scenario: Scenario;
}

function built(
  { preset, platform, scenario }: Subject,
  counters: 'exact' | 'abstract',
  choices: ChoiceDriver,
): Machine {
  const policies = presetOf(preset).policies();
  return compose({ platform: platformOf(platform), policies, scenario, counters, choices });
}

/** The counters of a machine, with the words that hold them. */
function countersOf(machine: Machine): readonly { readonly word: number; readonly slot: Slot }[] {
  const { base, modifiers, platform } = machine.composition;
  return [base, ...modifiers, platform]
    .flatMap(({ slots }) => slots.filter(({ counter }) => counter))
    .flatMap((slot) => Array.from({ length: machine.state.at.tasks }, (_, task) => ({ word: slot.base + task, slot })));
}

const threshold = ({ counter }: Slot): number => counter?.threshold ?? NaN;

/** How far a simulation got. */
interface Simulated {
  steps: number;
  /** How often a counter was seen above its threshold, and how often one wrapped. */
  above: number;
  wrapped: number;
}

/** Runs both machines side by side; the abstract one makes the choices of the exact one, and counts as that did. */
function simulate(subject: Subject, seed: bigint, stepsMax: number): Simulated {
  const exact = built(subject, 'exact', seededDriver(seed));
  const abstract = built(subject, 'abstract', firstDriver());
  const counters = countersOf(exact);
  const slotAt = new Map(counters.map(({ word, slot }) => [word, slot]));
  const simulated: Simulated = { steps: 0, above: 0, wrapped: 0 };
  let taken: number[] = [];
  let written: { readonly slot: Slot; readonly value: number }[] = [];
  exact.on(events.ChoiceMade).subscribe(({ data }) => taken.push(data.index));
  exact.on(events.SlotWritten).subscribe(({ data: { slot: word, value } }) => {
    const slot = slotAt.get(word);
    if (slot) written.push({ slot, value });
  });
  exact.boot();
  abstract.boot();
  while (simulated.steps < stepsMax) {
    [taken, written] = [[], []];
    const goesOn = exact.step();
    const rest = replayDriver(taken);
    let counts = 0;
    abstract.driver = {
      ...rest,
      choose(request) {
        if (request.kind !== COUNT) return rest.choose(request);
        const { slot, value } = written[counts++];
        if (value === 0) simulated.wrapped++;
        return value > threshold(slot) ? 1 : 0;
      },
    };
    expect(abstract.step()).toBe(goesOn);
    rest.finish?.();
    if (!goesOn) break;
    simulated.steps++;
    simulated.above += compare(exact, abstract, counters);
  }
  return simulated;
}

/** The states differ in the numbers of counters at most, and not in whether they are above; returns how many are. */
function compare(exact: Machine, abstract: Machine, counters: ReturnType<typeof countersOf>): number {
  const [one, other] = [exact.snapshot(), abstract.snapshot()];
  let above = 0;
  for (const { word, slot } of counters) {
    const isAbove = one[word] > threshold(slot);
    if (isAbove) above++;
    if (isAbove !== other[word] > threshold(slot))
      throw new Error(`'${slot.name}' is ${one[word]}, not ${other[word]}`);
    other[word] = one[word];
  }
  if (Buffer.compare(Buffer.from(one.buffer), Buffer.from(other.buffer)) !== 0) throw new Error('the states differ');
  return above;
}

const seeds = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n });
const subjects: fc.Arbitrary<Subject> = fc
  .record({
    preset: fc.constantFrom(...PRESETS.map(({ id }) => id)),
    platform: fc.constantFrom(...Object.keys(PLATFORMS)),
    scenario: fc.constantFrom(...SCENARIOS, COUNTING),
  })
  .filter(({ preset, platform, scenario }) =>
    isSupported({ platform: platformOf(platform), policies: presetOf(preset).policies(), scenario }),
  );

describe('abstract counters, over seeds, presets, platforms and scenarios', () => {
  it('every run with exact counters is one with abstract counters', () => {
    let steps = 0;
    fc.assert(
      fc.property(subjects, seeds, (subject, seed) => {
        steps += simulate(subject, seed, 800).steps;
      }),
      { numRuns: 30 },
    );
    expect(steps).toBeGreaterThan(1000);
  });

  it.each(['linux-3.6', 'linux-4.2'])(
    '%s: also where its counter is above the threshold, and where it wraps',
    (preset) => {
      const subject: Subject = { preset, platform: 'bare-metal', scenario: COUNTING };
      const { above, wrapped } = simulate(subject, 1n, 40_000);
      expect(above).toBeGreaterThan(0);
      expect(wrapped).toBeGreaterThan(0);
    },
  );
});

describe('the counter of a lazy kernel', () => {
  it.each([
    ['linux-3.6', 'fpu_counter'],
    ['linux-4.2', 'counter'],
  ])('of %s is %s: an unsigned char that is compared with five', (preset, name) => {
    const machine = built({ preset, platform: 'bare-metal', scenario: COUNTING }, 'exact', firstDriver());
    const found = new Set(countersOf(machine).map(({ slot }) => slot));
    expect([...found].map((slot) => [slot.name, slot.counter])).toEqual([[name, { threshold: 5, modulus: 256 }]]);
  });
});
