/**
 * What a stretch of the machine depends on: the parts of the state that it looks at and changes, and the questions that
 * it asks, in order.
 *
 * The explorer relies on it. Where two states agree in what a stretch has looked at so far, it looks at the same next,
 * asks the same, and does the same to what it changes. So whoever reads the state says so: the scheduler, and the
 * interface to kernel code. Events need not: their fields name all that their `apply` looks at and changes.
 */
import type { EventFieldKind, EventType } from './event-type';
import type { Space } from './layout';
import type { CoreOffsets, MachineState } from './state';
import { PRINCIPAL, taskOfPrincipal, writerOf } from './values';

/**
 * Parts of a state: 0 is what exists once, then one per CPU with the hypervisor's image of its registers, then one per
 * task with its stack and its image.
 */
export function partOfCpu(cpu: number): number {
  return 1 + cpu;
}

/** The part of a task; see `partOfCpu`. */
export function partOfTask({ cpus }: Pick<CoreOffsets, 'cpus'>, task: number): number {
  return 1 + cpus + task;
}

/** How many parts a state has. */
export function partCount({ cpus, tasks }: Pick<CoreOffsets, 'cpus' | 'tasks'>): number {
  return 1 + cpus + tasks;
}

/** Records, from `clear` on. */
export class Footprint {
  /**
   * In order: parts, when they are looked at first; `partCount + task` where only the scheduler looks at a task that does
   * not run (its lifecycle, whether somebody has picked it, and where it ran last); questions, as their number of
   * alternatives, complemented.
   */
  readonly trail: number[] = [];
  /** The trail ends where more was looked at than parts can say. */
  everything = false;
  /** By part: 1 where it may have changed. */
  readonly changed: Uint8Array;
  private readonly seen: Uint8Array;
  private readonly at: CoreOffsets;
  private readonly parts: number;
  private readonly partOfWord: Uint8Array;

  constructor({ at, layout, words }: MachineState) {
    this.at = at;
    this.parts = partCount(at);
    this.changed = new Uint8Array(this.parts);
    this.seen = new Uint8Array(this.parts + at.tasks);
    this.partOfWord = new Uint8Array(words.length);
    for (const { base, width, instances, space } of layout.fields) {
      for (let instance = 0; instance < instances; instance++) {
        this.partOfWord.fill(this.partOf(space, instance), base + instance * width, base + (instance + 1) * width);
      }
    }
  }

  /** Forgets all. */
  clear(): void {
    this.trail.length = 0;
    this.everything = false;
    this.changed.fill(0);
    this.seen.fill(0);
  }

  /** A word is looked at. */
  readWord(word: number): void {
    this.read(this.partOfWord[word]);
  }

  /** The CPU and its current task are looked at. */
  readCpu(cpu: number, current: number): void {
    this.read(partOfCpu(cpu));
    if (current >= 0) this.read(partOfTask(this.at, current));
  }

  /** The scheduler asks whether a task can be picked. */
  readSchedule(task: number): void {
    if (this.seen[partOfTask(this.at, task)] === 0) this.read(this.parts + task);
  }

  /** Somebody looks at the whole state. */
  readEverything(): void {
    this.everything = true;
  }

  /** A question is asked. */
  asked(alternatives: number): void {
    if (!this.everything) this.trail.push(~alternatives);
  }

  /** An event is about to be applied. */
  applies(type: EventType, args: readonly number[]): void {
    if (type.everywhere) {
      this.everything = true;
      this.changed.fill(1);
      return;
    }
    const { kinds } = type;
    for (let index = 0; index < kinds.length; index++) {
      const part = this.partNamedBy(kinds[index], args[index]);
      if (part < 0) continue;
      this.read(part);
      this.changed[part] = 1;
    }
  }

  private read(aspect: number): void {
    if (this.seen[aspect] !== 0) return;
    this.seen[aspect] = 1;
    if (!this.everything) this.trail.push(aspect);
  }

  private partNamedBy(kind: EventFieldKind, value: number): number {
    if (value < 0) return -1;
    switch (kind) {
      case 'cpu':
      case 'task':
      case 'fpstate':
        return this.partOf(kind, value);
      case 'slot':
        return this.partOfWord[value];
      case 'value': {
        const task = taskOfPrincipal(writerOf(value));
        if (task >= 0) return partOfTask(this.at, task);
        return writerOf(value) === PRINCIPAL.kernel ? 0 : -1; // its count of values
      }
      default:
        return -1;
    }
  }

  private partOf(space: Space, instance: number): number {
    const { cpus, tasks } = this.at;
    switch (space) {
      case 'machine':
        return 0;
      case 'cpu':
        return partOfCpu(instance);
      case 'task':
        return partOfTask(this.at, instance);
      case 'fpstate':
        return instance < tasks ? 1 + cpus + instance : partOfCpu(instance - tasks);
    }
  }
}
