import {
  ORACLES,
  compose,
  either,
  events,
  forever,
  loop,
  mmx,
  program,
  replayDriver,
  scenarioOf,
  sse,
  syscall,
  type OracleId,
  type Patch,
  type Scenario,
} from '@fpulab/core';
import { bareMetal, xenPv } from '@fpulab/hypervisor';
import { lazyCr0Ts } from '@fpulab/policies';
import { ALL_REDUCTIONS, NO_REDUCTIONS, explore, type Compose, type Counterexample, type ExploreOptions } from '../src';

const PV_LEAK: Scenario = { ...scenarioOf('xen-pv-leak'), schedule: {} };

const linux36OnXenPv: Compose = () => ({
  platform: xenPv(),
  policies: [lazyCr0Ts({ era: 'linux-3.6' })],
  scenario: PV_LEAK,
});

/** What a fresh machine violates as it repeats a counterexample, each with the step at which it happens. */
function repeated(
  composeOptions: Compose,
  { choices, steps }: Counterexample,
): readonly (readonly [OracleId, number])[] {
  const parts = composeOptions();
  const machine = compose({ ...parts, oracles: parts.scenario.oracles, choices: replayDriver(choices) });
  const found: (readonly [OracleId, number])[] = [];
  let step = 1;
  machine.on(events.OracleViolated).subscribe(({ data }) => found.push([ORACLES[data.oracle], step]));
  for (; step <= steps; step++) if (!machine.step()) throw new Error(`the run ends after ${step - 1} steps`);
  machine.driver.finish?.(); // every choice has been used up
  return found;
}

const exploring = (compose: Compose, options: Partial<ExploreOptions> = {}) =>
  explore({ compose, ...options, bounds: { memoryMax: 2 ** 26, ...options.bounds } });

describe('the PV leak', () => {
  it.each([
    ['all reductions', { reductions: ALL_REDUCTIONS }],
    ['no reductions', { reductions: NO_REDUCTIONS }],
    ['fingerprints', { fingerprints: true }],
  ])('has a shortest run that a fresh machine repeats: %s', async (_, options) => {
    const { verdict, counterexamples } = await exploring(linux36OnXenPv, options);
    expect(verdict).toBe('violation');
    const [first] = counterexamples;
    expect([first.oracle, first.choices.length, first.steps, first.shortest]).toEqual(['leak', 4, 69, true]);
    expect(repeated(linux36OnXenPv, first)).toEqual([['leak', 69]]);
  });

  it('depth-first: another run, as good for a replay', async () => {
    const { counterexamples } = await exploring(linux36OnXenPv, { strategy: 'dfs' });
    for (const one of counterexamples) {
      expect(one.shortest).toBe(false);
      expect(repeated(linux36OnXenPv, one).at(-1)).toEqual([one.oracle, one.steps]);
    }
    expect(counterexamples.length).toBeGreaterThan(0);
  });

  it('random walks: the same seed finds the same run', async () => {
    const options = { strategy: 'random', seed: 5n } as const;
    const [one, other] = [await exploring(linux36OnXenPv, options), await exploring(linux36OnXenPv, options)];
    expect(one.verdict).toBe('violation');
    expect(one.counterexamples).toEqual(other.counterexamples);
    const [{ oracle, steps, shortest }] = one.counterexamples;
    expect(shortest).toBe(false);
    expect(repeated(linux36OnXenPv, one.counterexamples[0]).at(-1)).toEqual([oracle, steps]);
  });

  it('one for every oracle that can be violated, nearest first, each repeated', async () => {
    const { counterexamples, phases } = await exploring(linux36OnXenPv, { all: true });
    const oracles = counterexamples.map(({ oracle }) => oracle);
    expect(oracles).toEqual(['leak', 'validity', 'lost-update']);
    const lengths = counterexamples.map(({ choices, steps }) => choices.length * 1e6 + steps);
    expect(lengths).toEqual([...lengths].sort((a, b) => a - b));
    for (const one of counterexamples) {
      expect(one.shortest).toBe(true);
      expect(repeated(linux36OnXenPv, one)).toContainEqual([one.oracle, one.steps]);
    }
    expect(phases.map(({ kind, end }) => [kind, end])).toEqual([
      ['proof', 'exhausted'],
      ['exact', 'violation'],
    ]);
  });
});

it('tasks that change places on the way are the ones that run', async () => {
  const scenario: Scenario = {
    ...PV_LEAK,
    tasks: ['A', 'B', 'C'].map((name) => ({ name, program: program(mmx.update(), syscall('nanosleep'), mmx.read()) })),
    sometimes: [],
  };
  const alike: Compose = () => ({ ...linux36OnXenPv(), scenario });
  const { counterexamples } = await exploring(alike);
  const [{ oracle, choices, steps }] = counterexamples;
  expect([oracle, choices.length, steps]).toEqual(['leak', 4, 69]);
  expect(repeated(alike, counterexamples[0])).toEqual([['leak', 69]]);
});

it('is not there on bare metal', async () => {
  const { verdict, complete, counterexamples } = await exploring(() => ({
    ...linux36OnXenPv(),
    platform: bareMetal(),
  }));
  expect([verdict, complete, counterexamples]).toEqual(['verified', true, []]);
});

it('may be thousands of choices long', async () => {
  const scenario: Scenario = {
    ...PV_LEAK,
    tasks: [
      {
        name: 'A',
        program: program(
          loop(700, either(syscall('getpid'), syscall('nanosleep')), syscall('sched_yield')),
          sse.update(),
        ),
      },
      { name: 'B', program: program(forever(syscall('sched_yield'))) },
    ],
    interference: { idle: true },
    oracles: ['unexpected-fault'],
  };
  const restoreFirst: Patch = {
    id: 'restore-first',
    title: '#NM restores before clts',
    source: 'hypothetical',
    edits: [
      {
        edit: 'move-before',
        routine: 'math_state_restore',
        step: 'restore_fpu_checking',
        anchor: '__thread_fpu_begin',
      },
    ],
  };
  const composed: Compose = () => ({
    ...linux36OnXenPv(),
    platform: bareMetal(),
    patches: [restoreFirst],
    scenario,
  });
  const { counterexamples } = await exploring(composed);
  const [{ oracle, choices, steps, shortest }] = counterexamples;
  expect([oracle, choices.length, steps, shortest]).toEqual(['unexpected-fault', 2101, 15_425, true]);
  expect(repeated(composed, counterexamples[0])).toEqual([['unexpected-fault', steps]]);
});
