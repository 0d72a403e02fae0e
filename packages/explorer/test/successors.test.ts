import {
  ACTION,
  ACTION_BITS,
  CHOICE,
  compose,
  either,
  eventType,
  forever,
  mmx,
  program,
  replayDriver,
  sse,
  syscall,
  type Interference,
  type Machine,
  type Operation,
  type Platform,
  type Scenario,
} from '@fpulab/core';
import { bareMetal, xenPv } from '@fpulab/hypervisor';
import { lazyCr0Ts } from '@fpulab/policies';
import { Successors, type SuccessorOptions } from '../src/successors';

const PLAIN: SuccessorOptions = { choicePoints: false, partialOrder: false, oracles: 0, beyondViolations: false };

function scenarioWith(operations: readonly Operation[], cpus: number, interference: Interference): Scenario {
  return {
    id: 'successors',
    title: 'successors',
    tasks: ['A', 'B'].map((name) => ({ name, program: program(...operations) })),
    interference,
    oracles: ['leak', 'lost-update'],
    schedule: {},
    sometimes: [],
    cpu: 'pentium-iii',
    cpus,
    stepsMax: 1000,
  };
}

const machineOf = (scenario: Scenario, platform: Platform = bareMetal()): Machine =>
  compose({ platform, policies: [lazyCr0Ts({ era: 'linux-3.6' })], scenario });

interface Way {
  readonly words: Int32Array;
  readonly taken: readonly number[];
  readonly choices: number;
  readonly steps: number;
  readonly alive: boolean;
}

/** Every way on from a state. */
function waysFrom(machine: Machine, successors: Successors, from: Int32Array): readonly Way[] {
  const ways: Way[] = [];
  successors.visit(
    {
      reached: (choices, steps, alive) => {
        ways.push({ words: machine.snapshot(), taken: successors.taken(), choices, steps, alive });
      },
      violated: () => {},
    },
    () => machine.state.words.set(from),
  );
  return ways;
}

/** All that can be reached, breadth-first, up to `max` states. */
function explored(machine: Machine, options: SuccessorOptions, max: number): readonly { from: Int32Array; way: Way }[] {
  const successors = new Successors(machine, machine.probe(), options);
  const seen = new Set<string>();
  const queue = [machine.snapshot()];
  const all: { from: Int32Array; way: Way }[] = [];
  for (let next = 0; next < queue.length && queue.length < max; next++) {
    for (const way of waysFrom(machine, successors, queue[next])) {
      all.push({ from: queue[next], way });
      const key = way.words.join();
      if (seen.has(key)) continue;
      seen.add(key);
      queue.push(way.words);
    }
  }
  return all;
}

it('tries every answer to every choice of a step', () => {
  const machine = machineOf(scenarioWith([either(mmx.read(), sse.read(), syscall('getpid'))], 1, { preempt: 'user' }));
  const successors = new Successors(machine, machine.probe(), { ...PLAIN, choicePoints: true });
  const start: Int32Array[] = [];
  successors.visitWithoutChoice({ reached: () => start.push(machine.snapshot()), violated: () => {} });
  const first = waysFrom(machine, successors, start[0]);
  expect(first.map(({ taken, choices, alive }) => ({ taken, choices, alive }))).toEqual([
    { taken: [0], choices: 1, alive: true }, // the idle task picks A
    { taken: [1], choices: 1, alive: true }, // or B
  ]);
  const inUserCode = waysFrom(machine, successors, first[0].words);
  expect(inUserCode.map(({ taken }) => taken)).toEqual([[0, 0], [0, 1], [0, 2], [1]]); // go on with one of three, or be preempted
});

it('one step each, where states between choices are stored', () => {
  const machine = machineOf(scenarioWith([sse.write()], 1, {}));
  const ways = explored(machine, PLAIN, 500);
  expect(ways.every(({ way }) => way.steps === 1)).toBe(true);
  expect(new Set(ways.map(({ way }) => way.choices))).toEqual(new Set([0, 1]));
});

it('otherwise on to the next choice or the end', () => {
  const machine = machineOf(scenarioWith([sse.write()], 1, {}));
  const probe = machine.probe();
  const successors = new Successors(machine, probe, { ...PLAIN, choicePoints: true });
  const start = machine.snapshot();
  let reached = 0;
  successors.visitWithoutChoice({
    reached: (choices, steps, alive) => {
      reached++;
      expect([choices, alive]).toEqual([0, true]);
      expect(steps).toBe(stepsUntilAsked(machineOf(scenarioWith([sse.write()], 1, {})), start));
    },
    violated: () => {},
  });
  expect(reached).toBe(1);
});

/** Steps that a machine takes before one asks something. */
function stepsUntilAsked(machine: Machine, start: Int32Array): number {
  let asked = 0;
  machine.boot();
  machine.restore(start);
  machine.driver = { choose: () => asked++ * 0, getPosition: () => 0, setPosition: () => {} };
  let steps = 0;
  while (asked === 0 && machine.step()) steps++;
  return steps - 1;
}

describe.each([
  ['bare metal', bareMetal],
  ['Xen PV', xenPv],
])('partial order on %s', (_, platform) => {
  const scenario = scenarioWith([forever(either(mmx.update(), syscall('sched_yield')))], 2, {
    preempt: 'user',
    allocation: { sleep: true },
  });

  it('takes alone only steps that nobody else can tell, of a CPU that could do nothing else', () => {
    const machine = machineOf(scenario, platform());
    const replica = machineOf(scenario, platform());
    const probe = replica.probe();
    const { layout } = replica.state;
    const slotFields = layout.fields.filter(({ base }) => base > layout.field('fpstate.allocated').base);
    let alone = 0;
    let events: { type: string; data: Readonly<Record<string, number>> }[] = [];
    replica.events$.subscribe((event) => void events.push(event));
    for (const { from, way } of explored(machine, { ...PLAIN, choicePoints: true, partialOrder: true }, 400)) {
      replica.restore(from);
      const answers = replayDriver(way.taken);
      let answeredHere = 0;
      let alternative = 0;
      let single = false;
      replica.driver = {
        ...answers,
        choose(request) {
          if (request.kind === CHOICE.next) {
            alternative = request.alternatives[way.taken[answers.getPosition()]];
            const cpu = alternative >> ACTION_BITS;
            const ofCpu = request.alternatives
              .subarray(0, request.count)
              .filter((other) => other >> ACTION_BITS === cpu);
            single = ofCpu.length === 1 && probe.isShielded(cpu);
          }
          answeredHere++;
          return answers.choose(request);
        },
      };
      for (let step = 0; step < way.steps; step++) {
        answeredHere = 0;
        events = [];
        const tasks = [...replica.state.words.subarray(replica.state.at.current, replica.state.at.current + 2)];
        replica.step();
        if (step === 0 || answeredHere === 0) continue;
        alone++;
        const cpu = alternative >> ACTION_BITS;
        expect(answeredHere).toBe(1);
        expect(alternative & ((1 << ACTION_BITS) - 1)).toBe(ACTION.continue);
        expect(single).toBe(true);
        expect(events.filter(({ type }) => eventType(type)?.local !== true)).toEqual([]);
        for (const { data } of events.filter(({ type }) => type === 'slot.written')) {
          const field = slotFields.find(({ base, instances }) => data.slot >= base && data.slot < base + instances);
          const instance = data.slot - (field?.base ?? 0);
          expect(field?.space).toMatch(/^(cpu|task)$/);
          expect(ownerOf(replica, field?.space ?? '', instance, cpu)).toBe(field?.space === 'cpu' ? cpu : tasks[cpu]);
        }
      }
      expect(answers.getPosition()).toBe(way.taken.length);
      expect(replica.snapshot()).toEqual(way.words);
    }
    expect(alone).toBeGreaterThan(100);
  });

  it('leaves nothing to take alone where it stops', () => {
    const machine = machineOf(scenario, platform());
    const ways = explored(machine, { ...PLAIN, choicePoints: true, partialOrder: true }, 200);
    const again = new Successors(machine, machine.probe(), { ...PLAIN, choicePoints: true, partialOrder: true });
    for (const { way } of ways.filter(({ way }) => way.alive)) {
      machine.state.words.set(way.words);
      again.visitWithoutChoice({
        reached: (choices, steps) => expect([choices, steps]).toEqual([0, 0]),
        violated: () => {},
      });
    }
  });
});

/** The CPU of a CPU's slot; the task to which a task's slot belongs now: itself, or whoever switches to it. */
function ownerOf({ state: { words, at } }: Machine, space: string, instance: number, cpu: number): number {
  if (space === 'cpu') return instance;
  return words[at.current + cpu] === instance ? instance : words[at.pickedBy + instance];
}
