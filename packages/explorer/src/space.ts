/** The states of one machine, as far as they have been reached: what every strategy and every worker works on. */
import { ORACLE, type Machine, type OracleId, type Probe } from '@fpulab/core';
import { distanceOf, choicesIn, stepsIn } from './distance';
import { Frontier } from './frontier';
import type { Bounds, Reductions } from './options';
import {
  INSERTED,
  NO_PARENT,
  OUT_OF_MEMORY,
  PartTable,
  StateTable,
  arenaOf,
  hashWords,
  reserveTable,
  type TableMemory,
} from './shared-table';
import { StateCodec } from './state-codec';
import { Successors, type SuccessorVisitor } from './successors';
import { SometimesWatch } from './sometimes-watch';
import { Ways } from './ways';

/** What a space is made for. */
export interface SpaceOptions {
  readonly reductions: Reductions;
  /** Oracles that decide. */
  readonly oracles: readonly OracleId[];
  /** Go on behind violations, to find one of every kind. */
  readonly all: boolean;
  /** Keep 64 bits of every state instead of its key. */
  readonly fingerprints: boolean;
  readonly bounds: Pick<Bounds, 'statesMax' | 'depthMax' | 'memoryMax'>;
  /** Keep distances minimal: breadth-first search needs it. */
  readonly shortest: boolean;
}

/** Memory that all workers of a search share. */
export interface SpaceMemory {
  readonly states: TableMemory;
  readonly parts: TableMemory;
  /** Bit per `sometimes` of the scenario: whether it has been reached. */
  readonly sometimes: SharedArrayBuffer;
  /** Byte per address of kernel code: 1 where a step was taken. */
  readonly steps: SharedArrayBuffer;
}

/** The nearest violation of an oracle, found on a way on from `parent`. */
export interface Violation {
  readonly oracle: number;
  readonly distance: number;
  readonly parent: number;
}

/** Why an expansion stopped early. */
export type Stop = 'none' | 'grow' | OutOfRoom;
type OutOfRoom = 'memory' | 'states';

const FINGERPRINT_WORDS = 2;
const STATE_SLOTS = 1 << 15;
const PART_SLOTS = 1 << 12;
/** Of the memory, so much is for parts; they are few. */
const PARTS_SHARE = 1 / 4;

/**
 * Reserves the memory of a search.
 *
 * @param steps a byte per address of kernel code
 */
export function reserveSpace(memoryMax: number, steps: SharedArrayBuffer): SpaceMemory {
  return {
    states: reserveTable(Math.floor(memoryMax * (1 - PARTS_SHARE)), STATE_SLOTS),
    parts: reserveTable(Math.floor(memoryMax * PARTS_SHARE), PART_SLOTS),
    sometimes: new SharedArrayBuffer(8),
    steps,
  };
}

/** Expands states and keeps what they lead to. */
export class Space implements SuccessorVisitor {
  readonly states: StateTable;
  readonly parts: PartTable;
  readonly codec: StateCodec;
  readonly successors: Successors;
  private readonly ways: Ways;
  /** New (or nearer) states by bucket, see `bucketOf`. */
  readonly reachedBuckets = new Map<number, Frontier>();
  /** The nearest violation of each oracle, by its number. */
  readonly violations = new Map<number, Violation>();
  /** Ways on that were tried. */
  transitions = 0;
  /** Whether a state was not expanded because it is too deep. */
  depthHit = false;
  /** Choices to the deepest state. */
  depth = 0;
  private readonly probe: Probe;
  private readonly fingerprint = new Int32Array(FINGERPRINT_WORDS);
  private readonly sometimes: SometimesWatch;
  private parent = NO_PARENT;
  private bucket = -1;
  private choices = 0;
  private steps = 0;

  constructor(
    readonly machine: Machine,
    readonly options: SpaceOptions,
    readonly memory: SpaceMemory,
  ) {
    const { reductions, bounds } = options;
    const { settings } = machine.composition;
    this.probe = machine.probe();
    this.parts = new PartTable(memory.parts);
    this.codec = new StateCodec(machine.state, this.probe, this.parts, {
      versionFree: reductions.versionFree,
      deadValues: reductions.deadValues,
      taskSymmetry: reductions.symmetry,
      cpuSymmetry: reductions.symmetry && settings.cpus > 1 && machine.composition.cpusAreInterchangeable,
    });
    const { codec } = this;
    const arena = arenaOf(memory.states);
    const { fingerprints } = options;
    this.states = new StateTable(
      memory.states,
      fingerprints ? FINGERPRINT_WORDS : codec.keyWords,
      bounds.statesMax,
      fingerprints
        ? (one, other) => one >= 0 && arena[one + 2] < arena[other + 2]
        : (one, other) => one >= 0 && codec.precedes(arena, one + 2, arena, other + 2),
    );
    this.successors = new Successors(machine, this.probe, {
      choicePoints: reductions.choicePoints,
      partialOrder: reductions.partialOrder && settings.cpus > 1,
      oracles: options.oracles.reduce((mask, id) => mask | (1 << ORACLE[id]), 0),
      beyondViolations: options.all,
    });
    this.sometimes = new SometimesWatch(machine, this.probe, reductions.symmetry, memory.sometimes);
    this.ways = new Ways(codec, this.successors, this.probe);
    const taken = new Uint8Array(memory.steps);
    this.probe.onStep((pc) => (taken[pc] = 1));
  }

  /** Words of a key that lie beside each state of a frontier. */
  get frontierKeyWords(): number {
    return this.options.fingerprints ? this.codec.keyWords : 0;
  }

  /** Reaches the first state, if there is room for it. */
  start(): 'none' | OutOfRoom {
    this.parent = NO_PARENT;
    this.bucket = -1;
    this.choices = 0;
    this.steps = 0;
    try {
      this.ways.first(this);
    } catch (error) {
      return this.outOfRoom(error);
    }
    return 'none';
  }

  /** What an insertion ran out of; throws what is something else. */
  private outOfRoom(error: unknown): OutOfRoom {
    if (error !== OUT_OF_MEMORY) throw error;
    return this.states.size >= this.options.bounds.statesMax ? 'states' : 'memory';
  }

  /**
   * Which states are expanded together: those after as many choices. Where every step is stored, some cost no choice:
   * those after as many choices and steps.
   */
  bucketOf(distance: number): number {
    return this.options.reductions.choicePoints ? choicesIn(distance) : distance;
  }

  /**
   * Expands states of a frontier.
   *
   * @param next index of the next entry to expand; -1 when none is left
   * @param stop asked after each
   */
  expandAll(entries: Int32Array, bucket: number, next: () => number, stop: () => boolean): Stop {
    const stride = 1 + this.frontierKeyWords;
    try {
      for (let entry = next(); entry >= 0; entry = next()) {
        const at = entry * stride;
        this.expand(entries, at, bucket);
        if (this.states.isCrowded || this.parts.isCrowded) return 'grow';
        if (stop()) break;
      }
    } catch (error) {
      return this.outOfRoom(error);
    }
    return 'none';
  }

  private expand(entries: Int32Array, at: number, bucket: number): void {
    const state = entries[at];
    const distance = this.states.distanceOf(state);
    if (this.options.shortest && this.bucketOf(distance) < bucket) return; // expanded before, from nearer
    if (choicesIn(distance) >= this.options.bounds.depthMax) {
      this.depthHit = true;
      return;
    }
    this.parent = state;
    this.bucket = bucket;
    this.choices = choicesIn(distance);
    this.steps = stepsIn(distance);
    if (this.options.fingerprints) this.codec.take(entries, at + 1);
    else this.codec.take(this.states.arena, this.states.keyAt(state));
    this.ways.visit(this);
  }

  reached(choices: number, steps: number, alive: boolean): void {
    this.transitions++;
    const { codec, options } = this;
    codec.encode();
    const distance = distanceOf(this.choices + choices, this.steps + steps);
    const how = this.states.insert(this.storedKey(), distance, this.parent);
    if (how === INSERTED.known || (how === INSERTED.nearer && !options.shortest)) return;
    if (how === INSERTED.fresh && choicesIn(distance) > this.depth) this.depth = choicesIn(distance);
    const bucket = this.bucketOf(distance);
    // Brought nearer within a bucket that is still to come, it waits there already.
    const waits = how === INSERTED.nearer && bucket > this.bucket && this.bucketOf(this.states.wasAt) === bucket;
    if (alive && !waits) this.frontierOf(bucket).push(this.states.found, codec.key);
  }

  /** The states that were reached at a distance. */
  frontierOf(bucket: number): Frontier {
    let frontier = this.reachedBuckets.get(bucket);
    if (frontier === undefined) this.reachedBuckets.set(bucket, (frontier = new Frontier(this.frontierKeyWords)));
    return frontier;
  }

  /** What the state table keeps of the key that was made last. */
  storedKey(): Int32Array {
    const { codec, fingerprint } = this;
    if (!this.options.fingerprints) return codec.key;
    fingerprint[0] = codec.hash(codec.key, 0);
    fingerprint[1] = hashWords(codec.key, 0, codec.keyWords);
    return fingerprint;
  }

  violated(oracle: number, choices: number, steps: number): void {
    const distance = distanceOf(this.choices + choices, this.steps + steps);
    this.keepViolation({ oracle, distance, parent: this.parent });
  }

  /** Keeps the nearest violation of each oracle; of two as near, one that every process prefers. */
  keepViolation(violation: Violation): void {
    const known = this.violations.get(violation.oracle);
    if (known && known.distance < violation.distance) return;
    if (known && known.distance === violation.distance && !this.states.prefers(violation.parent, known.parent)) return;
    this.violations.set(violation.oracle, violation);
  }

  /** True when a step used a slot that another CPU takes for its own; see `Probe`. */
  get touchedForeign(): boolean {
    return this.probe.touchedForeign;
  }

  set touchedForeign(value: boolean) {
    this.probe.touchedForeign = value;
  }

  /** Whether each thing was reached that the scenario wants reached. */
  get sometimesReached(): readonly boolean[] {
    return this.sometimes.reached;
  }
}
