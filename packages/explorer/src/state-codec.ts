/**
 * From the machine's state to its key and back.
 *
 * The parts of a state have names under the machine's own numbers of tasks and CPUs; a key has them under numbers that
 * interchangeable tasks and CPUs get by what they hold. A search works on names: the machine is only loaded to run.
 */
import { PART, type MachineState, type Probe } from '@fpulab/core';
import { ANYBODY, NormalForm } from './normal-form';
import { PartRenaming } from './part-renaming';
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
  /** The parts of the state that the search is in, under the machine's own numbers. */
  readonly names: Int32Array;
  /** The key that `encode` made of them: the same names, where nobody can change numbers. */
  readonly key: Int32Array;
  private readonly parts: Parts;
  private readonly normalForm: NormalForm | undefined;
  private readonly cpuOrders: readonly (readonly number[])[];
  /** Per order of CPUs; empty where nobody can change numbers. */
  private readonly taskOrders: readonly TaskOrder[];
  /** The parts that the machine was put into; -1 where that is not known. */
  private readonly held: Int32Array;
  /** Of those, which have changed since. */
  private readonly changed: Uint8Array;
  private readonly footprint: Probe['footprint'];
  private readonly firstTask: number;
  private readonly tasks: number;
  private readonly reported: { readonly from: number; readonly to: number };
  /** The machine's own numbers. */
  private readonly own: Renaming;
  private readonly candidate: Int32Array;
  private candidates = 0;

  constructor(
    private readonly state: MachineState,
    probe: Probe,
    private readonly table: PartTable,
    options: CodecOptions,
  ) {
    const parts = new Parts(state, probe, options);
    const { cpus, tasks, count } = parts;
    this.parts = parts;
    this.normalForm = options.versionFree ? new NormalForm(state, probe, options.deadValues) : undefined;
    this.keyWords = count;
    this.names = new Int32Array(count);
    this.candidate = new Int32Array(count);
    this.held = new Int32Array(count).fill(-1);
    this.firstTask = PART.task(state.at, 0);
    this.footprint = probe.footprint;
    this.changed = probe.footprint.changed;
    this.tasks = tasks;
    const { base, instances, width } = state.layout.field('task.reported');
    this.reported = { from: base, to: base + instances * width };
    this.own = { tasks: Int32Array.from(identity(tasks)), cpus: Int32Array.from(identity(cpus)) };
    this.cpuOrders = options.cpuSymmetry ? permutations(identity(cpus)) : [identity(cpus)];
    const groups = options.taskSymmetry ? probe.interchangeableTasks() : [];
    const renumbers = groups.length > 0 || this.cpuOrders.length > 1;
    this.taskOrders = renumbers
      ? this.cpuOrders.map((order) => {
          const renaming = new PartRenaming(parts, table, order, groups.flat(), this.put);
          return new TaskOrder(renaming, table, groups);
        })
      : [];
    this.key = renumbers ? new Int32Array(count) : this.names;
  }

  /** Goes to the state of a key. The machine stays where it is until `load`. */
  take(words: Int32Array, at: number): void {
    const { names } = this;
    for (let part = 0; part < names.length; part++) names[part] = words[at + part];
  }

  /** Puts the state into the machine. */
  load(): void {
    const { state, names, normalForm } = this;
    for (let part = 0; part < names.length; part++) this.put(part, names[part]);
    state.words.fill(0, this.reported.from, this.reported.to);
    normalForm?.resetCounts();
    normalForm?.remember();
  }

  private readonly put = (part: number, name: number): void => {
    const { held, table, changed } = this;
    if (held[part] === name && changed[part] === 0) return;
    held[part] = name;
    changed[part] = 0;
    this.parts.scatter(part, table.arena, table.wordsAt(name));
  };

  /** Whatever the machine's words are, they were not loaded. */
  forget(): void {
    this.state.words.fill(0);
    this.held.fill(-1);
  }

  /** Goes to the state that the machine has run to since it was loaded, values renumbered: part of the way there. */
  read(): void {
    const writers = this.normalForm?.renumberedWriters() ?? 0;
    if (writers === ANYBODY) {
      this.footprint.readEverything();
      this.readAll();
      return;
    }
    if (writers !== 0) this.touchHolders(writers);
    this.forgetDead();
    this.normalForm?.normalise();
    for (let part = 0; part < this.keyWords; part++) if (this.changed[part] !== 0) this.readPart(part);
  }

  /** What the image of a vCPU holds depends on whether its registers are live, and on what it held. */
  private forgetDead(): void {
    const { normalForm, footprint } = this;
    const { at, words } = this.state;
    if (!normalForm?.forgetsDead) return;
    for (let cpu = 0; cpu < at.cpus; cpu++) {
      footprint.readCpu(cpu, words[at.current + cpu]);
      footprint.readWord(at.image + (at.vcpuFpstates + cpu) * at.components);
      if (normalForm.forgetDead(cpu)) footprint.changes(PART.cpuFpu(at, cpu));
    }
  }

  /** Renumbering changes the parts that hold values of these tasks. */
  private touchHolders(writers: number): void {
    const { at } = this.state;
    for (let cpu = 0; cpu < at.cpus; cpu++) this.touchHolder(PART.cpuFpu(at, cpu), writers);
    for (let task = 0; task < at.tasks; task++) this.touchHolder(PART.taskFpu(at, task), writers);
  }

  private touchHolder(part: number, writers: number): void {
    this.footprint.readWriters(part);
    if (this.writersIn(part) & writers) this.footprint.changes(part);
  }

  /** Goes to the state that the machine is in, whatever it was loaded with. Its values are renumbered. */
  readAll(): void {
    this.forgetDead();
    this.normalForm?.normalise();
    for (let part = 0; part < this.keyWords; part++) this.readPart(part);
  }

  private readPart(part: number): void {
    const { parts, table } = this;
    const length = parts.gather(part, this.own);
    this.held[part] = this.names[part] = table.intern(parts.words, length, parts.foreign > 0);
    this.changed[part] = 0;
  }

  /** What is to be seen of the state where the machine looks; see `Footprint.trail`. */
  seen(aspect: number): number {
    const { table, names, keyWords, tasks } = this;
    if (aspect < keyWords) return names[aspect];
    if (aspect >= keyWords + tasks) return this.writersIn(aspect - keyWords - tasks);
    return this.parts.schedule(table.arena, table.wordsAt(names[this.firstTask + aspect - keyWords]));
  }

  /** The tasks whose values a part of the state holds, but for its own. */
  private writersIn(part: number): number {
    return this.parts.writers(part, this.table.arena, this.table.wordsAt(this.names[part]));
  }

  /** Makes `key` of the state. */
  encode(): void {
    const { taskOrders, names } = this;
    this.candidates = 0;
    for (let order = 0; order < taskOrders.length; order++) taskOrders[order].settle(names, this.tryOut);
  }

  /** Keeps the least of all candidates. */
  private readonly tryOut = (order: TaskOrder): void => {
    const target = this.candidates++ === 0 ? this.key : this.candidate;
    order.write(this.names, target);
    if (target !== this.key && this.precedes(target, 0, this.key, 0)) this.key.set(target);
  };

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
