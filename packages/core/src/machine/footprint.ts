/**
 * What a stretch of the machine depends on: the parts of the state that it looks at and changes, and the questions that
 * it asks, in order.
 *
 * The explorer relies on it. Where two states agree in what a stretch has looked at so far, it looks at the same next,
 * asks the same, and does the same to what it changes. So whoever reads the state says so: the scheduler, and the
 * interface to kernel code. Events need not: their fields name all that their `apply` looks at and changes.
 */
import type { EventFieldKind, EventType } from './event-type';
import type { Field } from './layout';
import type { CoreOffsets, MachineState } from './state';
import { PRINCIPAL, taskOfPrincipal, writerOf } from './values';

type Sizes = Pick<CoreOffsets, 'cpus' | 'tasks' | 'vcpuFpstates'>;

/**
 * The parts of a state: 0 is what exists once; then, per CPU, where it is (its control registers and slots) and its FPU
 * registers (with the image that a hypervisor keeps of them); then, per task, where it is (its stack, its slots, what the
 * scheduler knows) and its FPU state (its image, and what it believes to have in its registers).
 */
export const PART = {
  machine: 0,
  cpu: (_: Sizes, cpu: number): number => 1 + cpu,
  cpuFpu: ({ cpus }: Sizes, cpu: number): number => 1 + cpus + cpu,
  task: ({ cpus }: Sizes, task: number): number => 1 + 2 * cpus + task,
  taskFpu: ({ cpus, tasks }: Sizes, task: number): number => 1 + 2 * cpus + tasks + task,
  count: ({ cpus, tasks }: Sizes): number => 1 + 2 * (cpus + tasks),
} as const;

const CPU_FPU_FIELDS: ReadonlySet<string> = new Set(['cpu.fpregs', 'cpu.xfd', 'cpu.xfd-err', 'cpu.cr4', 'cpu.xcr0']);
const TASK_FPU_FIELDS: ReadonlySet<string> = new Set([
  'task.architectural',
  'task.execed',
  'task.serial',
  'task.validity',
  'task.interrupted',
  'task.returning',
  'task.frame-pages',
  'task.updating',
]);

/** The part to which an instance of a field belongs. */
export function partOfField(
  field: Pick<Field, 'name' | 'space' | 'component'>,
  sizes: Sizes,
  instance: number,
): number {
  const { name, space } = field;
  const isValue = field.component !== undefined; // a slot that holds what a register held
  switch (space) {
    case 'machine':
      return PART.machine;
    case 'cpu':
      return isValue || CPU_FPU_FIELDS.has(name) ? PART.cpuFpu(sizes, instance) : PART.cpu(sizes, instance);
    case 'task':
      return isValue || TASK_FPU_FIELDS.has(name) ? PART.taskFpu(sizes, instance) : PART.task(sizes, instance);
    case 'fpstate':
      return partOfFpstate(sizes, instance);
  }
}

function partOfFpstate(sizes: Sizes, fpstate: number): number {
  const { tasks, vcpuFpstates } = sizes;
  return fpstate < vcpuFpstates ? PART.taskFpu(sizes, fpstate % tasks) : PART.cpuFpu(sizes, fpstate - vcpuFpstates);
}

/** Records, from `clear` on. */
export class Footprint {
  /**
   * In order: parts, when they are looked at first; `scheduleOf(task)` where only the scheduler looks at a task that does not
   * run (its lifecycle, whether somebody has picked it, and where it ran last); `writersIn(part)` where only the tasks
   * matter whose values a part holds, its own task apart; questions, as their number of alternatives, complemented.
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

  constructor(private readonly state: MachineState) {
    const { at, layout, words } = state;
    this.at = at;
    this.parts = PART.count(at);
    this.changed = new Uint8Array(this.parts);
    this.seen = new Uint8Array(2 * this.parts + at.tasks);
    this.partOfWord = new Uint8Array(words.length);
    for (const field of layout.fields) {
      for (let instance = 0; instance < field.instances; instance++) {
        const from = field.base + instance * field.width;
        this.partOfWord.fill(partOfField(field, at, instance), from, from + field.width);
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

  /** Where a CPU and its current task are is looked at. */
  readCpu(cpu: number, current: number): void {
    this.read(PART.cpu(this.at, cpu));
    if (current >= 0) this.read(PART.task(this.at, current));
  }

  /** The FPU registers of a CPU and the FPU state of a task are looked at. */
  readFpu(cpu: number, task: number): void {
    this.read(PART.cpuFpu(this.at, cpu));
    this.read(PART.taskFpu(this.at, task));
  }

  /** The scheduler asks whether a task can be picked. */
  readSchedule(task: number): void {
    if (this.seen[PART.task(this.at, task)] === 0) this.read(this.scheduleOf(task));
  }

  /** Somebody asks whose values a part holds. */
  readWriters(part: number): void {
    if (this.seen[part] === 0) this.read(this.writersIn(part));
  }

  /** A part is looked at and may be changed. */
  changes(part: number): void {
    this.read(part);
    this.changed[part] = 1;
  }

  /** See `trail`. */
  scheduleOf(task: number): number {
    return this.parts + task;
  }

  /** See `trail`. */
  writersIn(part: number): number {
    return this.parts + this.at.tasks + part;
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
    const { kinds, fpu } = type;
    for (let index = 0; index < kinds.length; index++) {
      if (fpu !== true) this.changesNamed(kinds[index], args[index], false);
      if (fpu !== false) this.changesNamed(kinds[index], args[index], true);
    }
    if (type.unpicks) this.changesPicked();
  }

  private changesNamed(kind: EventFieldKind, value: number, fpu: boolean): void {
    const part = this.partNamedBy(kind, value, fpu);
    if (part >= 0) this.changes(part);
  }

  /** Every task that somebody has picked may be changed. */
  private changesPicked(): void {
    const { at, words } = this.state;
    for (let task = 0; task < at.tasks; task++) {
      this.readSchedule(task);
      if (words[at.pickedBy + task] >= 0) this.changes(PART.task(at, task));
    }
  }

  private read(aspect: number): void {
    if (this.seen[aspect] !== 0) return;
    this.seen[aspect] = 1;
    if (!this.everything) this.trail.push(aspect);
  }

  private partNamedBy(kind: EventFieldKind, value: number, fpu: boolean): number {
    const { at } = this;
    if (value < 0) return -1;
    switch (kind) {
      case 'cpu':
        return fpu ? PART.cpuFpu(at, value) : PART.cpu(at, value);
      case 'task':
        return fpu ? PART.taskFpu(at, value) : PART.task(at, value);
      case 'fpstate':
        return partOfFpstate(at, value);
      case 'slot':
        return this.partOfWord[value];
      case 'value': {
        const task = taskOfPrincipal(writerOf(value));
        if (task >= 0) return PART.taskFpu(at, task);
        return writerOf(value) === PRINCIPAL.kernel ? PART.machine : -1; // its count of values
      }
      default:
        return -1;
    }
  }
}
