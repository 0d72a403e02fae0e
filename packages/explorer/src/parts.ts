/**
 * The parts that a state is made of: two per task and two per CPU (where it is, and its FPU state), and one for the rest.
 * A key is a list of parts, so that what many states share is stored once (Holzmann's collapse compression, SPIN 1997).
 */
import {
  CONTEXT,
  LOCALS,
  NOBODY,
  PART,
  PRINCIPAL,
  partOfField,
  taskOfPrincipal,
  valueId,
  writerOf,
  type FieldKind,
  type MachineState,
  type Probe,
} from '@fpulab/core';
import { TASKS_TOLD_APART, kernelValueFrame } from './normal-form';

// Copies of what others export: these are looked at for every frame of every state.
const LOCAL_WORDS = LOCALS;
const USER = CONTEXT.user;
const CONTEXT_MASK = 0xf;
const NOBODY_PICKED = NOBODY;

/** What a word may say about tasks and CPUs, beside plain numbers. */
const REFERENCE = { none: 0, task: 1, value: 2, cpu: 3, taskPlusOne: 4 } as const;

const REFERENCE_OF: Readonly<Record<FieldKind, number>> = {
  flag: REFERENCE.none,
  number: REFERENCE.none,
  pc: REFERENCE.none,
  bits: REFERENCE.none,
  task: REFERENCE.task,
  value: REFERENCE.value,
  cpu: REFERENCE.cpu,
};

/** "The task that this part is of", whatever its number. */
const SELF = -2;
/** Writer of values that the part's own task wrote. */
const SELF_WRITER = 0x7fe;
/** Writer of values that a kernel FPU section on the part's own task wrote; the serial is the frame's number within it. */
const SELF_KERNEL = 0x7fd;
/** "A task whose new number is not settled yet." */
const SOMEBODY = -3;
const SOMEBODY_WRITER = 0x7fc;

/** A new numbering of tasks and CPUs: `tasks[old]` is the new number, or UNSETTLED: such tasks all look the same. */
export interface Renaming {
  readonly tasks: Int32Array;
  readonly cpus: Int32Array;
}

/** "This task's new number is not known yet." */
export const UNSETTLED = -1;

/** The words of one part: fixed places in the state, and the frames of one stack. */
interface PartShape {
  /** Words of the state, in order. */
  readonly places: Int32Array;
  /** Indices into `places` of words that refer to tasks or CPUs, and what they are. */
  readonly referring: Int32Array;
  readonly references: Uint8Array;
  /** The task whose part it is; -1 for none. `SELF` means this task. */
  readonly task: number;
  /** The task's stack is in this part. */
  readonly hasStack: boolean;
}

interface Shaping extends Pick<PartShape, 'task' | 'hasStack'> {
  readonly words: { readonly place: number; readonly reference: number }[];
}

function shapeOf({ task, hasStack, words }: Shaping): PartShape {
  const referring = words.flatMap(({ reference }, index) => (reference === REFERENCE.none ? [] : [index]));
  return {
    places: Int32Array.from(words, ({ place }) => place),
    referring: Int32Array.from(referring),
    references: Uint8Array.from(referring, (index) => words[index].reference),
    task,
    hasStack: hasStack && task >= 0,
  };
}

/** Hears of references to tasks whose number is not settled, other than the part's own. */
export interface ReferenceLog {
  refersTo(task: number, position: number, detail: number): void;
}

/** Fields that are no part of a key: what oracles noted for their own use, and counts that mean nothing once values are version-free. */
const NEVER_KEPT: ReadonlySet<string> = new Set(['task.reported']);
const VERSIONS: ReadonlySet<string> = new Set(['task.serial', 'kernel.serial']);

/** Takes states apart and puts them together. */
export class Parts {
  /** Parts of a state, in the order of PART. */
  readonly count: number;
  readonly cpus: number;
  /** Idle tasks included. */
  readonly tasks: number;
  readonly vcpuFpstates: number;
  /** The words of the part that was gathered last. */
  readonly words: Int32Array;
  /** References to other tasks or CPUs in the part that was gathered last. */
  foreign = 0;
  private readonly shapes: readonly PartShape[];
  private readonly localReferences: Uint8Array;
  /** Where in a task's part the scheduler looks. */
  private readonly scheduled: { readonly lifecycle: number; readonly pickedBy: number; readonly lastRan: number };

  constructor(
    private readonly state: MachineState,
    probe: Pick<Probe, 'localKinds'>,
    private readonly options: { readonly versionFree: boolean },
  ) {
    const { at } = state;
    this.cpus = at.cpus;
    this.tasks = at.tasks;
    this.vcpuFpstates = at.vcpuFpstates;
    this.count = PART.count(at);
    this.words = new Int32Array(state.words.length);
    this.localReferences = Uint8Array.from(probe.localKinds.flatMap((kinds) => kinds.map(localReference)));
    this.shapes = this.makeShapes();
    const { places } = this.shapes[PART.task(at, 0)];
    this.scheduled = {
      lifecycle: places.indexOf(at.lifecycle),
      pickedBy: places.indexOf(at.pickedBy),
      lastRan: places.indexOf(at.lastRan),
    };
  }

  private makeShapes(): readonly PartShape[] {
    const { tasks, cpus } = this;
    const ofTasks = Array.from({ length: tasks }, (_, task) => task);
    const nobody = Array.from({ length: 1 + 2 * cpus }, () => -1);
    const taskOf = [...nobody, ...ofTasks, ...ofTasks];
    const shapes = taskOf.map((task, part): Shaping => ({ task, hasStack: part < PART.taskFpu(this, 0), words: [] }));
    for (const field of this.state.layout.fields) {
      if (field.name.startsWith('task.frame.') || NEVER_KEPT.has(field.name)) continue;
      if (this.options.versionFree && VERSIONS.has(field.name)) continue;
      const isCpu = field.kind === 'cpu' && this.cpus === 1; // there is but one
      const reference = isCpu ? REFERENCE.none : REFERENCE_OF[field.kind];
      for (let instance = 0; instance < field.instances; instance++) {
        const { words } = shapes[partOfField(field, this, instance)];
        for (let element = 0; element < field.width; element++) {
          words.push({ place: field.base + instance * field.width + element, reference });
        }
      }
    }
    return shapes.map(shapeOf);
  }

  /**
   * Writes a part of the machine's state to `words`, tasks and CPUs by their new numbers.
   *
   * @returns how many words
   */
  gather(part: number, renaming: Renaming, log?: ReferenceLog): number {
    const { places, task, hasStack } = this.shapes[part];
    this.gatherPlaces(part, renaming, log);
    return !hasStack ? places.length : this.gatherStack(task, places.length, renaming, log);
  }

  private gatherPlaces(part: number, renaming: Renaming, log?: ReferenceLog): void {
    const { places, referring, references, task: self } = this.shapes[part];
    const { words: state } = this.state;
    const { words } = this;
    this.foreign = 0;
    for (let index = 0; index < places.length; index++) words[index] = state[places[index]];
    for (let index = 0; index < referring.length; index++) {
      const position = referring[index];
      const word = words[position];
      if (word === 0 && references[index] === REFERENCE.value) continue;
      words[position] = this.renamed(references[index], word, self, renaming, log, position);
    }
  }

  /** The tasks whose values a part holds, but for its own: bit n for task n. */
  writers(part: number, words: Int32Array, from: number): number {
    const { referring, references } = this.shapes[part];
    let writers = 0;
    for (let index = 0; index < referring.length; index++) {
      if (references[index] !== REFERENCE.value) continue;
      const task = taskOfPrincipal(writerOf(words[from + referring[index]]));
      if (task >= 0 && task < TASKS_TOLD_APART) writers |= 1 << task; // SELF_WRITER is no task
    }
    return writers;
  }

  /** The words of a task's part that the scheduler looks at, as one number. */
  schedule(words: Int32Array, from: number): number {
    const { lifecycle, pickedBy, lastRan } = this.scheduled;
    const isPicked = words[from + pickedBy] === NOBODY_PICKED ? 0 : 1;
    return (((words[from + lifecycle] << 1) | isPicked) << 8) | (words[from + lastRan] & 0xff);
  }

  private gatherStack(task: number, from: number, renaming: Renaming, log: ReferenceLog | undefined): number {
    const { words: state, at } = this.state;
    const { words, localReferences } = this;
    const depth = state[at.depth + task];
    let length = from;
    for (let frame = 0; frame < depth; frame++) {
      const index = task * at.stackDepth + frame;
      const pc = state[at.framePc + index];
      const status = state[at.frameStatus + index];
      words[length++] = pc;
      words[length++] = status;
      if ((status & CONTEXT_MASK) === USER) continue; // programs have no locals
      for (let local = 0; local < LOCAL_WORDS; local++) {
        const word = state[at.frameLocal + index * LOCAL_WORDS + local];
        const reference = localReferences[pc * LOCAL_WORDS + local];
        words[length] =
          reference === REFERENCE.none ? word : this.renamed(reference, word, task, renaming, log, length);
        length++;
      }
    }
    return length;
  }

  /** Puts a part's words back into the machine's state, in the place of those that are there. */
  scatter(part: number, words: Int32Array, from: number): void {
    const { places, referring, references, task: self, hasStack } = this.shapes[part];
    const { words: state, at } = this.state;
    const depth = hasStack ? state[at.depth + self] : 0;
    for (let index = 0; index < places.length; index++) state[places[index]] = words[from + index];
    for (let index = 0; index < referring.length; index++) {
      const place = places[referring[index]];
      state[place] = this.named(references[index], state[place], self);
    }
    if (hasStack) this.scatterStack(self, depth, words, from + places.length);
  }

  private scatterStack(task: number, depthBefore: number, words: Int32Array, from: number): void {
    const { words: state, at } = this.state;
    const depth = state[at.depth + task];
    let next = from;
    for (let frame = 0; frame < depth; frame++) {
      const index = task * at.stackDepth + frame;
      const pc = (state[at.framePc + index] = words[next++]);
      const status = (state[at.frameStatus + index] = words[next++]);
      const isUser = (status & CONTEXT_MASK) === USER;
      for (let local = 0; local < LOCAL_WORDS; local++) {
        const word = isUser ? 0 : words[next++];
        const reference = isUser ? REFERENCE.none : this.localReferences[pc * LOCAL_WORDS + local];
        state[at.frameLocal + index * LOCAL_WORDS + local] = this.named(reference, word, task);
      }
    }
    for (let frame = depth; frame < depthBefore; frame++) this.clearFrame(task * at.stackDepth + frame);
  }

  private clearFrame(index: number): void {
    const { words: state, at } = this.state;
    state[at.framePc + index] = 0;
    state[at.frameStatus + index] = 0;
    for (let local = 0; local < LOCAL_WORDS; local++) state[at.frameLocal + index * LOCAL_WORDS + local] = 0;
  }

  // --- one word ----------------------------------------------------------------------------------------------------

  private renamed(
    reference: number,
    word: number,
    self: number,
    renaming: Renaming,
    log: ReferenceLog | undefined,
    position: number,
  ): number {
    switch (reference) {
      case REFERENCE.task:
        return this.renamedTask(word, self, renaming, log, position);
      case REFERENCE.taskPlusOne:
        return word === 0 ? 0 : this.renamedTask(word - 1, self, renaming, log, position) + 1;
      case REFERENCE.value:
        return word === 0 ? 0 : this.renamedValue(word, self, renaming, log, position);
      case REFERENCE.cpu:
        return word < 0 ? word : this.renamedCpu(word, renaming);
      default:
        return word;
    }
  }

  private renamedCpu(cpu: number, renaming: Renaming): number {
    if (this.cpus > 1) this.foreign++;
    return renaming.cpus[cpu];
  }

  private renamedTask(
    task: number,
    self: number,
    renaming: Renaming,
    log: ReferenceLog | undefined,
    position: number,
  ): number {
    if (task < 0) return task;
    if (task === self) return SELF;
    this.foreign++;
    if (renaming.tasks[task] !== UNSETTLED) return renaming.tasks[task];
    log?.refersTo(task, position, 0);
    return SOMEBODY;
  }

  private renamedValue(
    value: number,
    self: number,
    renaming: Renaming,
    log: ReferenceLog | undefined,
    position: number,
  ): number {
    const writer = writerOf(value);
    const task = taskOfPrincipal(writer);
    if (task < 0) {
      return writer === PRINCIPAL.kernel && this.options.versionFree
        ? this.renamedKernelValue(value, self, renaming, log, position)
        : value;
    }
    const serial = value & SERIAL_MASK;
    if (task === self) return (SELF_WRITER << SERIAL_BITS) | serial;
    this.foreign++;
    if (renaming.tasks[task] !== UNSETTLED) return valueId(renaming.tasks[task] + 1, serial);
    log?.refersTo(task, position, serial + 1);
    return valueId(SOMEBODY_WRITER, serial);
  }

  /** A kernel FPU section's value is named after the frame of the section: see normal-form.ts. */
  private renamedKernelValue(
    value: number,
    self: number,
    renaming: Renaming,
    log: ReferenceLog | undefined,
    position: number,
  ): number {
    const place = kernelValueFrame(value);
    if (place < 0) return value;
    this.foreign++;
    const { stackDepth } = this.state.at;
    const task = Math.floor(place / stackDepth);
    const frame = place % stackDepth;
    if (task === self) return valueId(SELF_KERNEL, frame);
    const number = renaming.tasks[task];
    if (number !== UNSETTLED) return valueId(PRINCIPAL.kernel, number * stackDepth + frame + 1);
    log?.refersTo(task, position, -1 - frame);
    return valueId(SOMEBODY_WRITER, SERIAL_MASK - frame);
  }

  private named(reference: number, word: number, self: number): number {
    if (reference === REFERENCE.task) return word === SELF ? self : word;
    if (reference === REFERENCE.taskPlusOne) return word === SELF + 1 ? self + 1 : word;
    if (reference !== REFERENCE.value || word === 0) return word;
    const writer = writerOf(word);
    if (writer === SELF_WRITER) return valueId(self + 1, word & SERIAL_MASK);
    if (writer !== SELF_KERNEL) return word;
    return valueId(PRINCIPAL.kernel, self * this.state.at.stackDepth + (word & SERIAL_MASK) + 1);
  }
}

/** Locals hold tasks as their numbers plus one. */
function localReference(kind: FieldKind): number {
  return kind === 'task' ? REFERENCE.taskPlusOne : REFERENCE_OF[kind];
}

const SERIAL_BITS = 20;
const SERIAL_MASK = (1 << SERIAL_BITS) - 1;
