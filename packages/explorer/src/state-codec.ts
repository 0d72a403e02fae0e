/** From the machine's state to its key and back: one key per state, or one per orbit of interchangeable tasks and CPUs. */
import type { MachineState, Probe } from '@fpulab/core';
import { NormalForm } from './normal-form';
import { Parts, type Renaming } from './parts';
import { identity, permutations } from './permutations';
import type { PartTable } from './shared-table';
import { TaskOrder } from './task-order';

/** What a codec may do to states. */
export interface CodecOptions {
  readonly versionFree: boolean;
  /** What lies in the image of a vCPU whose registers are live is forgotten. */
  readonly deadValues?: boolean;
  /** Tasks that run the same program are interchangeable. */
  readonly taskSymmetry: boolean;
  /** CPUs are. */
  readonly cpuSymmetry: boolean;
}

/** Encodes what is in the machine, and decodes into it. */
export class StateCodec {
  /** Words of a key. */
  readonly keyWords: number;
  /** The key that `encode` made. */
  readonly key: Int32Array;
  private readonly parts: Parts;
  private readonly normalForm: NormalForm | undefined;
  private readonly numbers: Renaming;
  private readonly cpuOrders: readonly (readonly number[])[];
  private readonly taskOrder: TaskOrder | undefined;
  private readonly hasRun: Uint8Array;
  /** The key that the machine was last loaded from: most of its parts are still the same. */
  private readonly loaded: Int32Array;
  /** Tasks or CPUs may get other numbers. */
  private readonly renumbers: boolean;
  /** The words that the machine was last loaded with. */
  readonly lastLoaded: Int32Array;
  private readonly candidate: Int32Array;
  private candidates = 0;

  constructor(
    private readonly state: MachineState,
    probe: Probe,
    private readonly table: PartTable,
    options: CodecOptions,
  ) {
    this.parts = new Parts(state, probe, options);
    this.normalForm = options.versionFree ? new NormalForm(state, probe, options.deadValues) : undefined;
    this.hasRun = probe.hasRun;
    const { cpus, tasks, count } = this.parts;
    this.keyWords = count;
    this.key = new Int32Array(count);
    this.candidate = new Int32Array(count);
    this.lastLoaded = new Int32Array(state.words.length);
    this.loaded = new Int32Array(count).fill(-1);
    this.numbers = { tasks: Int32Array.from(identity(tasks)), cpus: Int32Array.from(identity(cpus)) };
    this.cpuOrders = options.cpuSymmetry ? permutations(identity(cpus)) : [identity(cpus)];
    const groups = options.taskSymmetry ? probe.interchangeableTasks() : [];
    this.renumbers = groups.length > 0 || this.cpuOrders.length > 1;
    this.taskOrder =
      groups.length > 0 ? new TaskOrder(this.parts, table, groups, this.numbers, this.unchanged) : undefined;
  }

  /** Puts the state of a key into the machine. */
  decode(words: Int32Array, at: number): void {
    const { state, loaded, table } = this;
    state.words.set(this.lastLoaded);
    for (let part = 0; part < this.keyWords; part++) {
      const place = words[at + part];
      if (place === loaded[part]) continue;
      loaded[part] = place;
      this.parts.scatter(part, table.arena, table.wordsAt(place));
    }
    this.normalForm?.resetCounts();
    this.lastLoaded.set(state.words);
  }

  /** The machine is about to be put into a state that was not decoded. */
  forget(): void {
    this.loaded.fill(-1);
    this.lastLoaded.fill(0);
  }

  /** Makes `key` of the machine's state, whose values are renumbered. */
  encode(): void {
    this.normalForm?.normalise();
    this.candidates = 0;
    for (const order of this.cpuOrders) {
      this.numberCpus(order);
      if (this.taskOrder) this.taskOrder.settle(order, this.tryOut);
      else this.tryOut();
    }
  }

  /** Numbers CPUs, and idle tasks with them. */
  private numberCpus(order: readonly number[]): void {
    const { tasks, cpus } = this.numbers;
    const users = tasks.length - cpus.length;
    for (let place = 0; place < order.length; place++) {
      cpus[order[place]] = place;
      tasks[users + order[place]] = users + place;
    }
  }

  /** Encodes by the numbers as they are now; the least of all candidates is the key. */
  private readonly tryOut = (): void => {
    const target = this.candidates++ === 0 ? this.key : this.candidate;
    for (let part = 0; part < this.keyWords; part++) target[this.placeOf(part)] = this.partName(part);
    if (target !== this.key && this.precedes(target, 0, this.key, 0)) this.key.set(target);
  };

  private partName(part: number): number {
    const { parts, table, taskOrder } = this;
    const task = part - 1 - parts.cpus;
    if (taskOrder && task >= 0 && taskOrder.names[task] >= 0) return taskOrder.names[task];
    const before = this.unchanged(part);
    if (before >= 0) return before;
    const length = parts.gather(part, this.numbers);
    return table.intern(parts.words, length, parts.foreign > 0);
  }

  /** The part that was loaded, where it is still the same and would get the same words; -1 otherwise. */
  private readonly unchanged = (part: number): number => {
    const before = this.loaded[part];
    if (before < 0 || (this.renumbers && this.table.isForeignAt(before))) return -1;
    const task = part - 1 - this.parts.cpus;
    return this.parts.isAsIn(this.lastLoaded, part, task >= 0 && this.hasRun[task] !== 0) ? before : -1;
  };

  private placeOf(part: number): number {
    const { cpus } = this.parts;
    if (part === 0) return 0;
    return part <= cpus ? 1 + this.numbers.cpus[part - 1] : 1 + cpus + this.numbers.tasks[part - 1 - cpus];
  }

  /** A hash of a key: the same in every process, whatever its parts are called there. */
  hash(words: Int32Array, at: number): number {
    const { arena } = this.table;
    let hash = 0x2545f491;
    for (let part = 0; part < this.keyWords; part++) {
      hash = Math.imul(hash ^ arena[words[at + part]], 0x85ebca6b);
      hash ^= hash >>> 15;
    }
    hash = Math.imul(hash, 0xc2b2ae35);
    return (hash ^ (hash >>> 16)) | 0;
  }

  /** An order of keys: the same in every process, but for parts whose hashes collide. */
  precedes(one: Int32Array, oneAt: number, other: Int32Array, otherAt: number): boolean {
    const { arena } = this.table;
    for (let part = 0; part < this.keyWords; part++) {
      const a = arena[one[oneAt + part]];
      const b = arena[other[otherAt + part]];
      if (a !== b) return a < b;
    }
    return false;
  }
}
