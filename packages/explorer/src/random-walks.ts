/** Seeded random walks, for spaces that are too large to exhaust: they find, they never prove. */
import { setImmediate } from 'node:timers/promises';
import { ORACLES, seededDriver, type Machine, type OracleId } from '@fpulab/core';
import type { Counterexample } from './counterexample';
import { NO_REDUCTIONS, type Bounds } from './options';
import type { Phase } from './explore';
import type { SearchEnd, SearchProgress } from './search';
import { SometimesWatch } from './sometimes-watch';

/** What walks need. */
export interface WalkOptions {
  readonly seed: bigint;
  readonly oracles: readonly OracleId[];
  readonly all: boolean;
  /** Byte per address of kernel code: becomes 1 where a step is taken. */
  readonly taken: Uint8Array;
  readonly bounds: Bounds;
  readonly onProgress?: (progress: SearchProgress) => void;
  readonly signal?: AbortSignal;
}

/** What walks found. */
export interface Walked {
  readonly phase: Phase;
  readonly counterexamples: readonly Counterexample[];
  readonly sometimes: readonly boolean[];
  /** How many walks of how many choices there were. */
  readonly text: string;
}

/** Choices of one walk, where no bound is given. */
const WALK_CHOICES = 2_000;
const WALK_STEPS = 20_000;
/** Walks, where neither time nor states are bounded. */
const WALKS_MAX = 10_000;
const SLICE_MS = 40;

/** Walks from the start, again and again, each with a seed of its own, until something is found or a bound is hit. */
export async function randomWalks(machine: Machine, options: WalkOptions): Promise<Walked> {
  const { bounds } = options;
  const began = performance.now();
  machine.boot();
  const start = machine.snapshot();
  const probe = machine.probe();
  const watch = new SometimesWatch(machine, probe, false, new SharedArrayBuffer(8));
  const found = new Map<OracleId, Counterexample>();
  let taken: number[] = [];
  let steps = 0;
  let transitions = 0;
  let depth = 0;
  probe.onStep((pc) => (options.taken[pc] = 1));
  probe.onViolation((oracle) => {
    const id = ORACLES[oracle];
    if (options.oracles.includes(id) && !found.has(id)) {
      found.set(id, { oracle: id, choices: [...taken], steps: steps + 1 });
    }
  });
  const enough = (): boolean => found.size > 0 && (!options.all || found.size === options.oracles.length);
  let end: SearchEnd | undefined;
  let yielded = began;
  const walksMax = bounds.timeoutMs === Infinity ? WALKS_MAX : Infinity;
  const choicesMax = Math.min(WALK_CHOICES, bounds.depthMax);
  let walks = 0;
  for (; end === undefined; walks++) {
    machine.restore(start);
    const driver = seededDriver(options.seed + BigInt(walks));
    taken = [];
    machine.driver = {
      ...driver,
      choose(request) {
        const index = driver.choose(request);
        taken.push(index);
        return index;
      },
    };
    for (steps = 0; steps < WALK_STEPS && taken.length < choicesMax; steps++) {
      if (!machine.step()) break;
      transitions++;
      if (enough()) break;
    }
    depth = Math.max(depth, taken.length);
    if (enough()) end = 'violation';
    else if (options.signal?.aborted) end = 'interrupted';
    else if (performance.now() - began > bounds.timeoutMs) end = 'timeout';
    else if (transitions >= bounds.statesMax) end = 'states';
    else if (walks + 1 >= walksMax) end = 'walks';
    if (performance.now() - yielded > SLICE_MS) {
      options.onProgress?.({ states: transitions, transitions, depth, queue: 0, bytes: 0 });
      await setImmediate();
      yielded = performance.now();
    }
  }
  const phase: Phase = {
    kind: 'random',
    reductions: NO_REDUCTIONS,
    end,
    states: transitions,
    transitions,
    depth,
    bytesPerState: 0,
    durationMs: performance.now() - began,
  };
  const text = `${walks} random walk${walks === 1 ? '' : 's'} of at most ${choicesMax} choices and ${WALK_STEPS} steps`;
  return { phase, counterexamples: [...found.values()], sometimes: watch.reached, text };
}
