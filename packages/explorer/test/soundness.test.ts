/** Verdicts that are easily got wrong where several searches and reductions come together. */
import {
  CONTEXT,
  contextOf,
  either,
  forever,
  loop,
  program,
  routine,
  slot,
  sse,
  step,
  syscall,
  USED_BY_ALL,
  when,
  type BasePolicy,
  type Hypervisor,
  type Kernel,
  type Operation,
  type Patch,
  type Scenario,
  type Slot,
  type StepAction,
} from '@fpulab/core';
import { bareMetal, xenHvm } from '@fpulab/hypervisor';
import { lazyCr0Ts } from '@fpulab/policies';
import alwaysSwitch from './support/always-switch';
import { ALL_REDUCTIONS, NO_REDUCTIONS, explore, type Compose, type Reductions } from '../src';

const SCENARIO: Scenario = {
  id: 'soundness',
  title: 'soundness',
  tasks: [],
  interference: {},
  oracles: ['leak', 'lost-update', 'unexpected-fault'],
  schedule: {},
  sometimes: [],
  cpu: 'pentium-iii',
  cpus: 1,
  stepsMax: 1000,
};

const exploring = (compose: Compose, reductions: Reductions) =>
  explore({ compose, reductions, bounds: { memoryMax: 2 ** 26 } });

const removing = (routine: string, ...names: readonly string[]): Patch => ({
  id: `without ${routine}`,
  title: `without steps of ${routine}`,
  source: 'hypothetical',
  edits: names.map((name) => ({ edit: 'remove', routine, step: name })),
});

describe('a violation that only abstract counters have', () => {
  // A is preloaded, and faults then, only in the abstract: really its counter stays below the threshold. What it leaves
  // behind after its execve() is farther away.
  const scenario: Scenario = {
    ...SCENARIO,
    tasks: [
      {
        name: 'A',
        program: program(
          loop(3, sse.update(), syscall('sched_yield')),
          sse.update(),
          loop(6, either(sse.read(), sse.update())),
          syscall('execve'),
          sse.read(),
        ),
      },
      { name: 'B', program: program(loop(4, syscall('sched_yield'))) },
    ],
  };
  const patches = [
    removing('switch_fpu_prepare', '__thread_fpu_begin(new)', 'fpu_lazy_restore'),
    removing('flush_thread', 'clear_fpu'),
  ];
  const compose: Compose = () => ({
    platform: bareMetal(),
    policies: [lazyCr0Ts({ era: 'linux-3.6' })],
    patches,
    scenario,
  });

  it('does not clear the oracles that the proof had not got to', async () => {
    for (const reductions of [ALL_REDUCTIONS, NO_REDUCTIONS]) {
      const { verdict, counterexamples } = await exploring(compose, reductions);
      expect(verdict).toBe('violation');
      expect(counterexamples.map(({ oracle, choices, steps }) => [oracle, choices.length, steps])).toEqual([
        ['leak', 7, 139],
      ]);
    }
  });
});

describe('what only abstract counters reach', () => {
  const scenario: Scenario = {
    ...SCENARIO,
    tasks: [
      { name: 'A', program: program(loop(2, sse.update(), syscall('sched_yield'))) },
      { name: 'B', program: program(loop(3, syscall('sched_yield'))) },
    ],
    sometimes: [
      {
        id: 'skipped',
        text: 'a restore was skipped',
        tasks: [],
        test: ({ type }) => type === 'fpregs.restore-skipped',
      },
    ],
  };
  const compose: Compose = () => ({ platform: bareMetal(), policies: [lazyCr0Ts({ era: 'linux-3.6' })], scenario });

  it('is not reached with exact counters', async () => {
    const { verdict, reason } = await exploring(compose, { ...ALL_REDUCTIONS, abstractCounters: false });
    expect([verdict, reason]).toEqual(['inconclusive', 'never reached: a restore was skipped']);
  });

  it('is not reached', async () => {
    const { verdict, reason, phases } = await exploring(compose, ALL_REDUCTIONS);
    expect([verdict, reason]).toEqual(['inconclusive', 'never reached: a restore was skipped']);
    expect(phases.map(({ kind, end }) => [kind, end])).toEqual([
      ['proof', 'exhausted'],
      ['reach', 'exhausted'],
    ]);
  });
});

describe('what has to be reached is confirmed with exact counters', () => {
  const compose =
    (sometimes: Scenario['sometimes'], ...body: readonly Operation[]): Compose =>
    () => ({
      platform: bareMetal(),
      policies: [lazyCr0Ts({ era: 'linux-3.6' })],
      scenario: { ...SCENARIO, tasks: ['A', 'B'].map((name) => ({ name, program: program(...body) })), sometimes },
    });
  const endless = forever(either(sse.update(), syscall('sched_yield')));

  it('by a search that stops when all is reached; the verdict and its numbers are those of the proof', async () => {
    const proof = await exploring(compose([], endless), ALL_REDUCTIONS);
    const { verdict, complete, states, transitions, phases } = await exploring(
      compose(USED_BY_ALL(['A', 'B']), endless),
      ALL_REDUCTIONS,
    );
    expect([verdict, complete, states, transitions]).toEqual(['verified', true, proof.states, proof.transitions]);
    expect(phases.map(({ kind, end, reductions }) => [kind, end, reductions.abstractCounters])).toEqual([
      ['proof', 'exhausted', true],
      ['reach', 'reached', false],
    ]);
    expect(phases[1].states).toBeLessThan(20);
  });

  it('not where the counters were exact, or nothing has to be reached', async () => {
    const kinds = async (sometimes: Scenario['sometimes'], reductions: Reductions): Promise<readonly string[]> =>
      (await exploring(compose(sometimes, sse.update()), reductions)).phases.map(({ kind }) => kind);
    expect(await kinds([], ALL_REDUCTIONS)).toEqual(['proof']);
    expect(await kinds(USED_BY_ALL(['A']), { ...ALL_REDUCTIONS, abstractCounters: false })).toEqual(['exact']);
  });
});

describe('a hypervisor that reads what it takes for dead', () => {
  // Registers are saved when the vCPU halts, not when it is preempted: then it gets back what it had when it last halted.
  const halts = (k: Kernel): boolean => contextOf(k.interrupted) === CONTEXT.kthread;
  const forgetful: Patch = {
    id: 'forgetful',
    title: 'a preempted vCPU is not saved',
    source: 'hypothetical',
    edits: [
      {
        edit: 'replace',
        routine: 'xen.context_switch',
        step: 'save vCPU image',
        nodes: [step('save at halt', ((k: Hypervisor) => (halts(k) ? k.saveVcpu() : undefined)) as StepAction)],
      },
    ],
  };
  const compose: Compose = () => ({
    platform: xenHvm(),
    policies: [alwaysSwitch()],
    patches: [forgetful],
    scenario: {
      ...SCENARIO,
      tasks: ['A', 'B'].map((name) => ({ name, program: program(sse.update(), syscall('nanosleep'), sse.read()) })),
      interference: { idle: true, vcpu: true },
      oracles: ['leak'],
    },
  });

  it('is found out, with the run that the machine has', async () => {
    const [all, none] = [await exploring(compose, ALL_REDUCTIONS), await exploring(compose, NO_REDUCTIONS)];
    expect(all.phases.map(({ kind, reductions }) => [kind, reductions.deadValues])).toEqual([
      ['proof', true],
      ['exact', false],
    ]);
    const lengths = [all, none].map(({ counterexamples }) =>
      counterexamples.map(({ oracle, choices, steps }) => [oracle, choices.length, steps]),
    );
    expect(lengths[0]).toHaveLength(1);
    expect(lengths[0]).toEqual(lengths[1]);
  });
});

it('a kernel that stops its CPU is not verified', async () => {
  const dies: Patch = {
    id: 'dies',
    title: 'the idle task is killed',
    source: 'hypothetical',
    edits: [{ edit: 'replace', routine: 'boot', step: 'clts', nodes: [step('kill', (k) => k.killCurrent())] }],
  };
  const compose: Compose = () => ({
    platform: bareMetal(),
    policies: [alwaysSwitch()],
    patches: [dies],
    scenario: { ...SCENARIO, tasks: [{ name: 'A', program: program(sse.update()) }] },
  });
  const { verdict, counterexamples } = await exploring(compose, ALL_REDUCTIONS);
  expect([verdict, counterexamples.map(({ oracle }) => oracle)]).toEqual(['violation', ['unexpected-fault']]);
});

/** Whoever switches says so for a moment; whoever sees another one do so loads nothing, and leaves what is there. */
function looksAround(busy: Slot, own: (k: Kernel) => number, other: (k: Kernel) => number): BasePolicy {
  const always = alwaysSwitch();
  const routines = always.routines.map((one) => {
    if (one.name === 'out') {
      const say = [1, 0].map((word) => step(`busy = ${word}`, (k) => k.write(busy, own(k), word)));
      return routine('out', [...say, ...one.body]);
    }
    if (one.name !== 'in') return one;
    const look = step('look', (k) => k.setLocal(0, k.read(busy, other(k))));
    return routine('in', [look, when((k) => k.local(0) === 0, one.body)]);
  });
  return { ...always, id: 'looks-around', namesCpus: 'anywhere', slots: [...always.slots, busy], routines };
}

describe.each([
  [
    'a word of the whole machine',
    () =>
      looksAround(
        slot.machine('busy', 'flag'),
        () => 0,
        () => 0,
      ),
    53,
    'violation',
  ],
  [
    'a slot of a task that may run there',
    () =>
      looksAround(
        slot.task('busy', 'flag'),
        (k) => k.task,
        (k) => (k.task === 0 ? 1 : 0),
      ),
    76,
    'foreign-slots',
  ],
  [
    'a slot of the other CPU',
    () =>
      looksAround(
        slot.cpu('busy', 'flag'),
        (k) => k.cpu,
        (k) => 1 - k.cpu,
      ),
    53,
    'foreign-slots',
  ],
] as const)('a policy that looks at %s', (_, policy, choices, end) => {
  const computes = program(sse.update(), syscall('sched_yield'), sse.read());
  const scenario: Scenario = {
    ...SCENARIO,
    tasks: [
      { name: 'A', program: computes },
      // Told apart from A: one of the policies knows their numbers.
      { name: 'B', program: [...computes, ...program(syscall('getpid'))] },
      { name: 'C', program: program(syscall('sched_yield')) },
    ],
    cpus: 2,
  };
  const compose: Compose = () => ({ platform: bareMetal(), policies: [policy()], scenario });

  it('leaks when the other CPU is seen at just that moment', async () => {
    const { verdict, counterexamples } = await exploring(compose, { ...ALL_REDUCTIONS, partialOrder: false });
    expect([verdict, counterexamples[0]?.oracle, counterexamples[0]?.choices.length]).toEqual([
      'violation',
      'leak',
      choices,
    ]);
  });

  it('leaks with partial order too', async () => {
    const { verdict, phases } = await exploring(compose, ALL_REDUCTIONS);
    expect([verdict, phases.map(({ end }) => end)]).toEqual(['violation', [end, 'violation']]);
  });
});
