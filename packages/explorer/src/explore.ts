/** The model checker: phases of searches that together give one verdict. */
import {
  FpuError,
  ORACLES,
  compose,
  type ComposeOptions,
  type Composition,
  type Machine,
  type OracleId,
} from '@fpulab/core';
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
  /**
   * `proof`: with reductions that may invent runs or lengthen them; `exact`: runs are as on the machine; `reach`: as
   * `exact`, but only for what has to be reached.
   */
  readonly kind: 'proof' | 'exact' | 'reach' | 'random';
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
  /**
   * Labels of the steps of kernel code that were taken. Of a search that was exhausted: all that can be, and with abstract
   * counters maybe some that cannot.
   */
  readonly stepsTaken: readonly string[];
  readonly durationMs: number;
}

/** Bounds where none are given. */
export const DEFAULT_BOUNDS: Bounds = {
  statesMax: 50_000_000,
  depthMax: Infinity,
  timeoutMs: Infinity,
  memoryMax: 3 * 2 ** 30,
};

/** Of the time, so much is for a proof that has found something: what it found needs a search of its own. */
const PROOF_SHARE = 3 / 4;

/**
 * Explores every interleaving of a composition.
 *
 * Breadth-first, the counterexample has the fewest choices, and of those the fewest steps. Reductions that may invent or
 * lengthen runs (abstract counters, partial order) are used to prove; where they find something, a search without them
 * decides.
 *
 * @throws FpuError as `compose` does; FPU501 for memory that is not to be had
 */
export async function explore(options: ExploreOptions): Promise<Exploration> {
  return new Explorer(options).run();
}

/** What a search of an exploration found. */
interface Searched {
  readonly phase: Phase;
  /** Oracles that were violated. */
  readonly found: ReadonlySet<OracleId>;
  readonly counterexamples: Exploration['counterexamples'];
}

class Explorer {
  private readonly bounds: Bounds;
  private readonly reductions: Reductions;
  private readonly strategy: Strategy;
  private readonly composed: Machine;
  private readonly composition: Composition;
  /** Byte per address of kernel code: 1 where a step was taken. Addresses are the same in all searches. */
  private readonly taken: SharedArrayBuffer;
  private readonly oracles: readonly OracleId[];
  private readonly phases: Phase[] = [];
  /** Which of the scenario's `sometimes` a run of the machine reaches, and which only a proof has reached so far. */
  private readonly reached = new Set<number>();
  private readonly imagined = new Set<number>();
  private readonly started = performance.now();

  constructor(private readonly options: ExploreOptions) {
    this.bounds = { ...DEFAULT_BOUNDS, ...options.bounds };
    this.reductions = { ...ALL_REDUCTIONS, ...options.reductions };
    this.strategy = options.strategy ?? 'bfs';
    this.composed = compose(options.compose());
    this.composition = this.composed.composition;
    this.taken = new SharedArrayBuffer(this.composed.stepLabels.length);
    const { scenario } = this.composition.settings;
    this.oracles = ORACLES.filter((id) => scenario.oracles.includes(id));
  }

  async run(): Promise<Exploration> {
    if (this.strategy === 'random') return this.walk();
    const proof = await this.prove();
    if (proof?.found.size === 0) return this.resultOfProof(proof);
    // A search that has stopped has cleared nobody.
    const suspects = proof?.phase.end === 'exhausted' ? this.oracles.filter((id) => proof.found.has(id)) : this.oracles;
    return this.result(await this.search('exact', this.exactReductions, suspects));
  }

  /** Undefined where reductions for proofs would change nothing. */
  private async prove(): Promise<Searched | undefined> {
    const reductions = this.proofReductions(this.reductions);
    if (reductions === undefined) return undefined;
    const proof = await this.search('proof', reductions, this.oracles);
    if (proof.phase.end !== 'foreign-slots') return proof;
    const others = this.proofReductions({ ...this.reductions, partialOrder: false });
    return others && this.search('proof', others, this.oracles);
  }

  /**
   * A proof that found no violation. What only its counters have reached may be nowhere near a run of the machine, and
   * partial order may pass over what has to be reached: then a search without them looks for that, and for nothing else.
   */
  private async resultOfProof(proof: Searched): Promise<Exploration> {
    const { end, reductions } = proof.phase;
    const wanted = [...this.composition.settings.scenario.sometimes.keys()].filter(
      (index) => !this.reached.has(index) && (reductions.partialOrder || this.imagined.has(index)),
    );
    if (end !== 'exhausted' || wanted.length === 0) return this.result(proof);
    const reach = await this.search('reach', this.exactReductions, [], wanted);
    return this.result(proof, reach.phase.end);
  }

  private get exactReductions(): Reductions {
    return { ...this.reductions, partialOrder: false, abstractCounters: false, deadValues: false };
  }

  /** Undefined where they would change nothing. */
  private proofReductions(reductions: Reductions): Reductions | undefined {
    const { settings, plugins, platform } = this.composition;
    const counters = plugins.some(({ slots }) => slots.some(({ counter }) => counter !== undefined));
    const partialOrder = reductions.partialOrder && settings.cpus > 1;
    const abstractCounters = reductions.abstractCounters && counters;
    // A fork has values that are nowhere but in the image of a child: what is in a vCPU's image besides might matter there.
    const forks = settings.scenario.tasks.some(({ unborn }) => unborn);
    const hasVcpus = Object.keys(platform.hooks).length > 0;
    const deadValues = reductions.deadValues && reductions.versionFree && hasVcpus && !forks;
    const helps = partialOrder || abstractCounters || deadValues;
    return helps ? { ...reductions, partialOrder, abstractCounters, deadValues } : undefined;
  }

  /** @param wanted what a search of the kind `reach` looks for */
  private async search(
    kind: 'proof' | 'exact' | 'reach',
    reductions: Reductions,
    oracles: readonly OracleId[],
    wanted: readonly number[] = [],
  ): Promise<Searched> {
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
    const memory = this.reserve();
    const machine = this.machine(reductions, oracles);
    machine.boot();
    const start = machine.snapshot();
    const space = new Space(machine, spaceOptions, memory);
    const workers = this.workers(space, spaceOptions, memory);
    const proofTime = (bounds.timeoutMs - (began - this.started)) * PROOF_SHARE;
    const until = (): SearchEnd | undefined => {
      if (kind === 'proof' && space.violations.size > 0 && performance.now() - began > proofTime) return 'timeout';
      if (kind === 'reach' && wanted.every((index) => space.sometimesReached[index])) return 'reached';
      if (reductions.partialOrder && space.touchedForeign) return 'foreign-slots';
      return undefined;
    };
    const end = await new Search(space, {
      bounds: { timeoutMs: bounds.timeoutMs - (began - this.started) },
      until,
      order: shortest ? 'bfs' : 'dfs',
      enough: (found) => found.size > 0 && (!all || (kind === 'exact' && found.size === oracles.length)),
      onProgress: options.onProgress,
      signal: options.signal,
      helpers: workers,
    }).run();
    await workers?.close();
    const reached = reductions.abstractCounters || reductions.deadValues ? this.imagined : this.reached;
    space.sometimesReached.forEach((isReached, index) => isReached && reached.add(index));
    const states = space.states.size;
    const phase: Phase = {
      kind,
      reductions,
      end,
      states,
      transitions: space.transitions,
      depth: space.depth,
      bytesPerState: Math.round((space.states.bytes + space.parts.bytes) / Math.max(states, 1)),
      durationMs: performance.now() - began,
    };
    this.phases.push(phase);
    const violations = [...space.violations.values()].sort((a, b) => a.distance - b.distance);
    return {
      phase,
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

  private reserve(): SpaceMemory {
    const { memoryMax } = this.bounds;
    try {
      return reserveSpace(memoryMax, this.taken);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      const problem = `${memoryMax} bytes for states cannot be reserved; ask for less, with --max-memory or memoryMax`;
      throw new FpuError('FPU501', problem, { memoryMax }, { cause: error });
    }
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
      taken: new Uint8Array(this.taken),
      seed: this.options.seed ?? 0n,
      oracles: this.oracles,
      all: this.options.all ?? false,
      bounds: this.bounds,
      onProgress: this.options.onProgress,
      signal: this.options.signal,
    });
    walked.sometimes.forEach((reached, index) => reached && this.reached.add(index));
    this.phases.push(walked.phase);
    const result = this.result({
      phase: walked.phase,
      found: new Set(walked.counterexamples.map(({ oracle }) => oracle)),
      counterexamples: walked.counterexamples.map((one) => ({ ...one, shortest: false })),
    });
    return result.reason === null ? result : { ...result, reason: `${result.reason}; ${walked.text}` };
  }

  private get sometimes(): Exploration['sometimes'] {
    const { sometimes } = this.composition.settings.scenario;
    return sometimes.map(({ id, text }, index) => ({ id, text, reached: this.reached.has(index) }));
  }

  private get stepsTaken(): readonly string[] {
    const { composed } = this;
    return [...new Uint8Array(this.taken)].flatMap((taken, pc) =>
      taken === 1 && composed.stepPath(pc).length > 0 ? [composed.stepLabels[pc]] : [],
    );
  }

  /** @param end how the last search ended, where that was another one */
  private result({ phase, counterexamples }: Searched, end: SearchEnd = phase.end): Exploration {
    const { sometimes } = this;
    const unreached = sometimes.filter(({ reached }) => !reached);
    const complete = phase.end === 'exhausted';
    const verdict =
      counterexamples.length > 0 ? 'violation' : complete && unreached.length === 0 ? 'verified' : 'inconclusive';
    return {
      verdict,
      reason: verdict === 'inconclusive' ? this.reasonFor(phase.end, end, unreached) : null,
      counterexamples,
      complete,
      phases: this.phases,
      states: phase.states,
      transitions: phase.transitions,
      depth: phase.depth,
      bytesPerState: phase.bytesPerState,
      missProbability: this.options.fingerprints ? -Math.expm1(-(phase.states ** 2) / 2 ** 65) : null,
      sometimes,
      stepsTaken: this.stepsTaken,
      durationMs: performance.now() - this.started,
    };
  }

  private reasonFor(search: SearchEnd, last: SearchEnd, unreached: readonly { readonly text: string }[]): string {
    const texts = unreached.map(({ text }) => text).join('; ');
    const stopped = this.stopText(last);
    if (stopped === undefined) return `never reached: ${texts}`;
    return search === 'exhausted' ? `${stopped}, until then not reached: ${texts}` : stopped;
  }

  /** Undefined for a search that was not stopped. */
  private stopText(end: SearchEnd): string | undefined {
    switch (end) {
      case 'states':
        return `stopped at ${this.bounds.statesMax} states`;
      case 'memory':
        return `out of memory: states took ${this.bounds.memoryMax} bytes`;
      case 'depth':
        return `stopped at a depth of ${this.bounds.depthMax} choices`;
      case 'walks':
        return 'no violation on any walk';
      case 'timeout':
        return `stopped after ${this.bounds.timeoutMs / 1000} s`;
      case 'interrupted':
        return 'interrupted';
      default:
        return undefined;
    }
  }
}
