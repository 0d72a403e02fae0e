/** The model checker: phases of searches that together give one verdict. */
import { ORACLES, compose, type ComposeOptions, type Composition, type Machine, type OracleId } from '@fpulab/core';
import { counterexampleOf, type Counterexample } from './counterexample';
import { isCounted } from './distance';
import { ALL_REDUCTIONS, type Bounds, type Reductions, type Strategy } from './options';
import { randomWalks } from './random-walks';
import { Search, type SearchEnd, type SearchProgress } from './search';
import { Workers } from './workers';
import { Space, reserveSpace, type SpaceMemory, type SpaceOptions } from './space';

/** What is explored: fresh plugin objects at every call, for one machine each. */
export type Compose = () => Omit<ComposeOptions, 'choices' | 'oracles' | 'counters'>;

/** How workers compose the same machine: a module that exports `composeRequest(request)`, and what to call it with. */
export interface ComposeModule {
  readonly module: string;
  readonly request: unknown;
}

/** Everything that can be asked of an exploration; all but `compose` has a default. */
export interface ExploreOptions {
  readonly compose: Compose;
  readonly strategy?: Strategy;
  readonly reductions?: Partial<Reductions>;
  readonly bounds?: Partial<Bounds>;
  /** One counterexample for every oracle that can be violated, instead of the nearest. */
  readonly all?: boolean;
  /** Keep 64 bits of every state instead of all: less memory, and a chance to miss states. */
  readonly fingerprints?: boolean;
  /** Threads; more than one needs `workers`. */
  readonly jobs?: number;
  readonly workers?: ComposeModule;
  /** Of random walks. */
  readonly seed?: bigint;
  readonly onProgress?: (progress: SearchProgress) => void;
  readonly signal?: AbortSignal;
}

/** One search of an exploration. */
export interface Phase {
  /** `proof`: with reductions that may invent runs or lengthen them; `exact`: runs are as on the machine. */
  readonly kind: 'proof' | 'exact' | 'random';
  readonly reductions: Reductions;
  readonly end: SearchEnd;
  readonly states: number;
  readonly transitions: number;
  /** Choices to the deepest state. */
  readonly depth: number;
  /** Memory for states, per state. */
  readonly bytesPerState: number;
  readonly durationMs: number;
}

/** What an exploration found. */
export interface Exploration {
  readonly verdict: 'verified' | 'violation' | 'inconclusive';
  /** Why it is inconclusive. */
  readonly reason: string | null;
  /** At most one per oracle; the first is the shortest. */
  readonly counterexamples: readonly (Counterexample & {
    /** No shorter run violates this oracle. */
    readonly shortest: boolean;
  })[];
  /** Every state was visited: nothing else can happen. */
  readonly complete: boolean;
  readonly phases: readonly Phase[];
  /** Of the phase that gave the verdict. */
  readonly states: number;
  readonly transitions: number;
  readonly depth: number;
  readonly bytesPerState: number;
  /** With fingerprints: the probability that a state was taken for another one. */
  readonly missProbability: number | null;
  readonly sometimes: readonly { readonly id: string; readonly text: string; readonly reached: boolean }[];
  readonly durationMs: number;
}

/** Bounds where none are given. */
export const DEFAULT_BOUNDS: Bounds = {
  statesMax: 50_000_000,
  depthMax: Infinity,
  timeoutMs: Infinity,
  memoryMax: 3 * 2 ** 30,
};

/**
 * Explores every interleaving of a composition.
 *
 * Breadth-first, the counterexample has the fewest choices, and of those the fewest steps. Reductions that may invent or
 * lengthen runs (abstract counters, partial order) are used to prove; where they find something, a search without them
 * decides.
 *
 * @throws FpuError as `compose` does
 */
export async function explore(options: ExploreOptions): Promise<Exploration> {
  return new Explorer(options).run();
}

class Explorer {
  private readonly bounds: Bounds;
  private readonly reductions: Reductions;
  private readonly strategy: Strategy;
  private readonly composition: Composition;
  private readonly oracles: readonly OracleId[];
  private readonly phases: Phase[] = [];
  private readonly reached = new Set<number>();
  private readonly started = performance.now();

  constructor(private readonly options: ExploreOptions) {
    this.bounds = { ...DEFAULT_BOUNDS, ...options.bounds };
    this.reductions = { ...ALL_REDUCTIONS, ...options.reductions };
    this.strategy = options.strategy ?? 'bfs';
    this.composition = compose(options.compose()).composition;
    const { scenario } = this.composition.settings;
    this.oracles = ORACLES.filter((id) => scenario.oracles.includes(id));
  }

  async run(): Promise<Exploration> {
    if (this.strategy === 'random') return this.walk();
    const exact = { ...this.reductions, partialOrder: false, abstractCounters: false };
    const proof = this.proofReductions();
    let suspects = this.oracles;
    if (proof) {
      const search = await this.search('proof', proof, suspects);
      suspects = this.oracles.filter((id) => search.found.has(id));
      const unreached = this.sometimes.some(({ reached }) => !reached) && proof.partialOrder;
      if (suspects.length === 0 && !(unreached && search.end === 'exhausted')) return this.result(search, []);
      // Partial order may hide what has to be reached, not what must not; a search that has stopped has cleared nobody.
      if (suspects.length === 0 || search.end !== 'exhausted') suspects = this.oracles;
    }
    const search = await this.search('exact', exact, suspects);
    return this.result(search, search.counterexamples);
  }

  /** Undefined where they would change nothing. */
  private proofReductions(): Reductions | undefined {
    const { settings, plugins } = this.composition;
    const counters = plugins.some(({ slots }) => slots.some(({ counter }) => counter !== undefined));
    const partialOrder = this.reductions.partialOrder && settings.cpus > 1;
    const abstractCounters = this.reductions.abstractCounters && counters;
    return partialOrder || abstractCounters ? { ...this.reductions, partialOrder, abstractCounters } : undefined;
  }

  private async search(kind: 'proof' | 'exact', reductions: Reductions, oracles: readonly OracleId[]) {
    const { strategy, bounds, options } = this;
    const began = performance.now();
    const all = options.all ?? false;
    const shortest = strategy === 'bfs';
    const spaceOptions: SpaceOptions = {
      reductions,
      oracles,
      all,
      fingerprints: options.fingerprints ?? false,
      bounds,
      shortest,
    };
    const memory = reserveSpace(bounds.memoryMax);
    const machine = this.machine(reductions, oracles);
    machine.boot();
    const start = machine.snapshot();
    const space = new Space(machine, spaceOptions, memory);
    const workers = this.workers(space, spaceOptions, memory);
    const end = await new Search(space, {
      bounds: { timeoutMs: bounds.timeoutMs - (began - this.started) },
      order: shortest ? 'bfs' : 'dfs',
      enough: (found) => found.size > 0 && (!all || (kind === 'exact' && found.size === oracles.length)),
      onProgress: options.onProgress,
      signal: options.signal,
      helpers: workers,
    }).run();
    await workers?.close();
    space.sometimesReached.forEach((reached, index) => reached && this.reached.add(index));
    const states = space.states.size;
    this.phases.push({
      kind,
      reductions,
      end,
      states,
      transitions: space.transitions,
      depth: space.depth,
      bytesPerState: Math.round((space.states.bytes + space.parts.bytes) / Math.max(states, 1)),
      durationMs: performance.now() - began,
    });
    const violations = [...space.violations.values()].sort((a, b) => a.distance - b.distance);
    return {
      end,
      found: new Set(violations.map(({ oracle }) => ORACLES[oracle])),
      counterexamples:
        kind === 'exact'
          ? violations.map((violation) => ({
              ...counterexampleOf(space, violation, start, shortest && isCounted(violation.distance)),
              shortest: shortest && isCounted(violation.distance) && (end === 'violation' || end === 'exhausted'),
            }))
          : [],
    };
  }

  private machine(reductions: Reductions, oracles: readonly OracleId[]): Machine {
    return compose({
      ...this.options.compose(),
      oracles,
      counters: reductions.abstractCounters ? 'abstract' : 'exact',
    });
  }

  /** Undefined where one thread works alone. */
  private workers(space: Space, options: SpaceOptions, memory: SpaceMemory): Workers | undefined {
    const { jobs = 1, workers, strategy = 'bfs' } = this.options;
    if (jobs <= 1 || workers === undefined || strategy !== 'bfs') return undefined;
    const counters = options.reductions.abstractCounters ? 'abstract' : 'exact';
    return new Workers(space, jobs, { compose: workers, counters, options, memory });
  }

  private async walk(): Promise<Exploration> {
    const machine = this.machine({ ...this.reductions, abstractCounters: false }, this.oracles);
    const walked = await randomWalks(machine, {
      seed: this.options.seed ?? 0n,
      oracles: this.oracles,
      all: this.options.all ?? false,
      bounds: this.bounds,
      onProgress: this.options.onProgress,
      signal: this.options.signal,
    });
    walked.sometimes.forEach((reached, index) => reached && this.reached.add(index));
    this.phases.push(walked.phase);
    return this.result(
      { end: walked.phase.end },
      walked.counterexamples.map((one) => ({ ...one, shortest: false })),
    );
  }

  private get sometimes(): Exploration['sometimes'] {
    const { sometimes } = this.composition.settings.scenario;
    return sometimes.map(({ id, text }, index) => ({ id, text, reached: this.reached.has(index) }));
  }

  private result(search: { readonly end: SearchEnd }, counterexamples: Exploration['counterexamples']): Exploration {
    const last = this.phases[this.phases.length - 1];
    const { sometimes } = this;
    const unreached = sometimes.filter(({ reached }) => !reached);
    const complete = search.end === 'exhausted';
    const verdict =
      counterexamples.length > 0 ? 'violation' : complete && unreached.length === 0 ? 'verified' : 'inconclusive';
    return {
      verdict,
      reason: verdict === 'inconclusive' ? this.reasonFor(search.end, unreached) : null,
      counterexamples,
      complete,
      phases: this.phases,
      states: last.states,
      transitions: last.transitions,
      depth: last.depth,
      bytesPerState: last.bytesPerState,
      missProbability: this.options.fingerprints ? -Math.expm1(-(last.states ** 2) / 2 ** 65) : null,
      sometimes,
      durationMs: performance.now() - this.started,
    };
  }

  private reasonFor(end: SearchEnd, unreached: readonly { readonly text: string }[]): string {
    switch (end) {
      case 'exhausted':
      case 'violation':
        return `never reached: ${unreached.map(({ text }) => text).join('; ')}`;
      case 'states':
        return `stopped at ${this.bounds.statesMax} states`;
      case 'memory':
        return `out of memory: states took ${this.bounds.memoryMax} bytes`;
      case 'depth':
        return `stopped at a depth of ${this.bounds.depthMax} choices`;
      case 'timeout':
        return `stopped after ${this.bounds.timeoutMs / 1000} s`;
      case 'interrupted':
        return 'interrupted';
    }
  }
}
