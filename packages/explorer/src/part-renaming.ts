/** Names of parts under other numbers of tasks and CPUs. What was found out about a part is kept. */
import type { Parts, Renaming } from './parts';
import { UNSETTLED } from './parts';
import { identity } from './permutations';
import { hashWords, type PartTable } from './shared-table';

/** What is known of a part, other than how it is called under each numbering. */
export interface KnownPart {
  /** Its name under any numbers, where it names no task whose number is being settled; -1 otherwise. */
  readonly name: number;
  /** A hash of what it holds, other unsettled tasks being all the same. */
  readonly hash: number;
  /** Its references to unsettled tasks: task, position and detail of each, one behind the other. */
  readonly references: readonly number[];
  /** Those tasks, each once. */
  readonly tasks: readonly number[];
  /** Its names, by the numbers of those tasks. */
  readonly names: Map<number, number>;
}

/** Numbers of so many tasks fit into one number that a map can look up. */
const TASKS_MAX = 8;

/** Renames parts, CPUs being in a certain order. */
export class PartRenaming {
  readonly cpus: number;
  /** Idle tasks included. */
  readonly tasks: number;
  readonly vcpuFpstates: number;
  /** The numbers: those of CPUs and of tasks that are not interchangeable are settled, others are set from outside. */
  readonly numbers: Renaming;
  /** The same, other tasks being unsettled. */
  private readonly unsettled: Renaming;
  private readonly known = new Map<number, KnownPart>();

  /**
   * @param cpuOrder CPUs in the order of their new numbers
   * @param grouped tasks that are interchangeable with others
   * @param put puts a part into the machine, in the place of a part
   */
  constructor(
    private readonly parts: Parts,
    private readonly table: PartTable,
    readonly cpuOrder: readonly number[],
    grouped: readonly number[],
    private readonly put: (part: number, name: number) => void,
  ) {
    const { cpus, tasks } = parts;
    this.cpus = cpus;
    this.tasks = tasks;
    this.vcpuFpstates = parts.vcpuFpstates;
    const numbers: Renaming = { tasks: Int32Array.from(identity(tasks)), cpus: new Int32Array(cpus) };
    cpuOrder.forEach((cpu, place) => {
      numbers.cpus[cpu] = place;
      numbers.tasks[tasks - cpus + cpu] = tasks - cpus + place; // idle tasks go with their CPUs
    });
    this.numbers = numbers;
    const unsettled = numbers.tasks.slice();
    for (const task of grouped) unsettled[task] = UNSETTLED;
    this.unsettled = { tasks: unsettled, cpus: numbers.cpus };
  }

  /** True for a task whose number is being settled. */
  isUnsettled(task: number): boolean {
    return this.unsettled.tasks[task] === UNSETTLED;
  }

  /** What a part is like, whatever numbers unsettled tasks get. */
  look(part: number, name: number): KnownPart {
    let known = this.known.get(name);
    if (known === undefined) this.known.set(name, (known = this.find(part, name)));
    return known;
  }

  private find(part: number, name: number): KnownPart {
    const { parts, table } = this;
    if (!table.isForeignAt(name)) {
      return { name, hash: table.hashAt(name), references: [], tasks: [], names: new Map() };
    }
    const references: number[] = [];
    const tasks = new Set<number>();
    this.put(part, name);
    const length = parts.gather(part, this.unsettled, {
      refersTo(task, position, detail) {
        references.push(task, position, detail);
        tasks.add(task);
      },
    });
    return {
      name: tasks.size > 0 ? -1 : table.intern(parts.words, length, parts.foreign > 0),
      hash: hashWords(parts.words, 0, length),
      references,
      tasks: [...tasks],
      names: new Map(),
    };
  }

  /** The name of a part under the numbers as they are now. */
  renamed(part: number, name: number): number {
    const known = this.look(part, name);
    if (known.name >= 0) return known.name;
    const { tasks, names } = known;
    if (tasks.length > TASKS_MAX) return this.rename(part, name);
    let numbers = 0;
    for (let index = 0; index < tasks.length; index++)
      numbers = numbers * this.tasks + this.numbers.tasks[tasks[index]];
    let renamed = names.get(numbers);
    if (renamed === undefined) names.set(numbers, (renamed = this.rename(part, name)));
    return renamed;
  }

  private rename(part: number, name: number): number {
    const { parts, table } = this;
    this.put(part, name);
    const length = parts.gather(part, this.numbers);
    return table.intern(parts.words, length, parts.foreign > 0);
  }
}
