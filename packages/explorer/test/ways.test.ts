/** Ways that were learned are the ways that the machine takes. */
import { FpuError, ORACLE, compose, sse, type Machine, type Patch, type Probe } from '@fpulab/core';
import { bareMetal } from '@fpulab/hypervisor';
import alwaysSwitch from './support/always-switch';
import { PartTable, reserveTable } from '../src/shared-table';
import { StateCodec, type CodecOptions } from '../src/state-codec';
import { Successors } from '../src/successors';
import { whereabouts } from '../src/sometimes-watch';
import { Ways } from '../src/ways';
import { sampleOf, type Sample } from './support/samples';
import { YIELD, anyOf } from './support/scenarios';

const SAMPLES = 30;
const STATES_MAX = 100;

interface Options extends CodecOptions {
  readonly choicePoints: boolean;
  readonly partialOrder: boolean;
  readonly abstractCounters: boolean;
  readonly nodesMax?: number;
  /** Somebody asks where all tasks are whenever user code runs. */
  readonly watched?: boolean;
}

const ALL: Options = {
  versionFree: true,
  taskSymmetry: true,
  cpuSymmetry: true,
  choicePoints: true,
  partialOrder: true,
  abstractCounters: true,
};
const NONE: Options = {
  versionFree: false,
  taskSymmetry: false,
  cpuSymmetry: false,
  choicePoints: false,
  partialOrder: false,
  abstractCounters: false,
};

/** What somebody sees who listens to the machine: by turns while it takes ways, and while ways are learned. */
class Watch {
  private seen = new Set<string>();
  private other = new Set<string>();

  constructor(machine: Machine, probe: Probe) {
    const where = whereabouts(machine, probe);
    const routines = [...new Set(machine.stepLabels.map((label) => label.split(/[/@]/)[0]))];
    machine.events$.subscribe(({ type, data }) => {
      if (type !== 'user.stepped') return;
      const stacks = machine.taskNames.map((_, task) => routines.filter((routine) => where.isInside(task, routine)));
      this.seen.add(JSON.stringify([data.task, data.at, stacks]));
    });
  }

  forget(): void {
    this.seen.clear();
  }

  andNow(): void {
    [this.seen, this.other] = [this.other, this.seen];
  }

  /** Each event was seen with all that tasks were inside of, though a way is learned but once. */
  expectAllSeen(): void {
    expect([...this.seen].filter((one) => !this.other.has(one))).toEqual([]);
  }
}

/** Goes through a space, breadth-first, and visits every state both ways. Returns how many visits were compared. */
function compareIn({ compose: composeOptions, scenario }: Sample, options: Options, statesMax = STATES_MAX): number {
  const machine = compose({
    ...composeOptions(),
    oracles: scenario.oracles,
    counters: options.abstractCounters ? 'abstract' : 'exact',
  });
  const probe = machine.probe();
  const multiple = machine.composition.settings.cpus > 1;
  const codec = new StateCodec(machine.state, probe, new PartTable(reserveTable(1 << 22, 1 << 16)), {
    ...options,
    cpuSymmetry: options.cpuSymmetry && multiple && machine.composition.cpusAreInterchangeable,
  });
  const successors = new Successors(machine, probe, {
    choicePoints: options.choicePoints,
    partialOrder: options.partialOrder && multiple,
    oracles: scenario.oracles.reduce((mask, id) => mask | (1 << ORACLE[id]), 0),
    beyondViolations: true, // broken kernels mix up whose values are where
  });
  const learned = new Ways(codec, successors, probe, options.nodesMax);
  const taken = new Ways(codec, successors, probe, 0);
  const watch = options.watched ? new Watch(machine, probe) : undefined;
  const keys = new Set<string>();
  const queue: Int32Array[] = [];
  const recorded: (readonly (number | boolean | string)[])[] = [];
  const recorder = {
    reached(choices: number, steps: number, alive: boolean): void {
      codec.encode();
      const text = codec.key.join();
      recorded.push([choices, steps, alive, text]);
      if (keys.has(text)) return;
      keys.add(text);
      queue.push(codec.key.slice());
    },
    violated: (...violation: readonly number[]): void => void recorded.push(violation),
  };
  const waysBy = (ways: Ways, key: Int32Array): typeof recorded => {
    codec.take(key, 0);
    ways.visit(recorder);
    return recorded.splice(0);
  };
  learned.first(recorder);
  recorded.length = 0;
  watch?.forget();
  let compared = 0;
  for (; compared < queue.length && compared < statesMax; compared++) {
    const key = queue[compared];
    const byMachine = waysBy(taken, key);
    watch?.andNow();
    expect(waysBy(learned, key)).toEqual(byMachine);
    expect(waysBy(learned, key)).toEqual(byMachine); // and once more, when all is known
    watch?.andNow();
  }
  watch?.expectAllSeen();
  return compared;
}

/** A kernel that never loads: every task saves what the others have left in the registers. */
const LEAKY: Sample = (() => {
  const scenario = anyOf([sse.read(), sse.write(), YIELD], { tasks: 3, oracles: ['leak'] });
  const patch: Patch = {
    id: 'no-load',
    title: 'switched in without loading',
    source: 'hypothetical',
    edits: [{ edit: 'remove', routine: 'in', step: 'load' }],
  };
  return {
    title: 'never loads',
    scenario,
    compose: () => ({ platform: bareMetal(), policies: [alwaysSwitch()], patches: [patch], scenario }),
  };
})();

it('a write makes stale what others hold of it, wherever they hold it', () => {
  const codecs = { ...ALL, abstractCounters: false };
  expect(compareIn(LEAKY, codecs, Infinity)).toBe(451);
});

describe.each([
  ['all reductions', ALL],
  ['all but abstract counters and partial order', { ...ALL, abstractCounters: false, partialOrder: false }],
  ['symmetry alone', { ...NONE, taskSymmetry: true, cpuSymmetry: true }],
  ['none', NONE],
  ['all reductions, and somebody who watches', { ...ALL, watched: true }],
  ['all reductions, and a tree that is soon full', { ...ALL, nodesMax: 100 }],
])('in random compositions, with %s', (_, options) => {
  it('a state has the ways on that the machine takes from there', () => {
    let compared = 0;
    for (let seed = 0; seed < SAMPLES; seed++) {
      try {
        compared += compareIn(sampleOf(seed), options);
      } catch (error) {
        // Some mutations cannot run.
        if (!(error instanceof FpuError) && !(error as Error).message.startsWith('fpulab bug')) throw error;
      }
    }
    expect(compared).toBeGreaterThan(800);
  });
});
