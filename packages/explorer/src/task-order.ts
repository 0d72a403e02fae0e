/** Numbers for interchangeable tasks that do not depend on the numbers they had. */
import { partOfCpu, partOfTask } from '@fpulab/core';
import { combinations, permutations } from './permutations';
import type { PartRenaming } from './part-renaming';
import type { PartTable } from './shared-table';

/** Puts interchangeable tasks in an order by what they hold and by who refers to them, CPUs being in a certain order. */
export class TaskOrder {
  /** Per task: a hash of what it holds, other unsettled tasks being all the same. */
  private readonly held: Int32Array;
  /** Per task: a hash of who refers to it, where and how. */
  private readonly referred: Int32Array;
  /** Per task: it refers to another one, or is referred to by one. */
  private readonly crossed: Uint8Array;
  private readonly orders: number[][];
  /** By part: the place of a key that has its name. */
  private readonly places: Int32Array;

  constructor(
    private readonly renaming: PartRenaming,
    private readonly table: PartTable,
    private readonly groups: readonly (readonly number[])[],
  ) {
    const { tasks, cpus } = renaming;
    this.held = new Int32Array(tasks);
    this.referred = new Int32Array(tasks);
    this.crossed = new Uint8Array(tasks);
    this.orders = groups.map((group) => [...group]);
    this.places = new Int32Array(1 + cpus + tasks);
    this.place();
  }

  /**
   * Settles the numbers of tasks. Where several orders are left and it matters, `tryOut` is called with each of them;
   * otherwise once.
   *
   * @param names the parts of the state
   */
  settle(names: Int32Array, tryOut: (order: TaskOrder) => void): void {
    this.look(names);
    let tied = false;
    for (const order of this.orders) {
      this.sort(order);
      for (let place = 1; place < order.length; place++) {
        if (this.crossed[order[place]] && this.compare(order[place - 1], order[place]) === 0) tied = true;
      }
    }
    if (!tied) {
      this.number(this.orders);
      tryOut(this);
      return;
    }
    for (const orders of combinations(this.orders.map((order) => this.tiedOrders(order)))) {
      this.number(orders);
      tryOut(this);
    }
  }

  /** Writes the key that a state has by the numbers as they are now. */
  write(names: Int32Array, key: Int32Array): void {
    const { renaming, table, places } = this;
    for (let part = 0; part < names.length; part++) {
      const name = names[part];
      key[places[part]] = table.isForeignAt(name) ? renaming.renamed(part, name) : name;
    }
  }

  private look(names: Int32Array): void {
    const { renaming } = this;
    const { cpuOrder } = renaming;
    this.referred.fill(0);
    this.crossed.fill(0);
    this.refer(0, 0, names);
    for (let place = 0; place < cpuOrder.length; place++) this.refer(1 + place, partOfCpu(cpuOrder[place]), names);
    for (let task = 0; task < renaming.tasks; task++) {
      const part = partOfTask(renaming, task);
      // Tasks outside groups have numbers already; those inside are told apart by nothing but what they hold.
      const referrer = renaming.isUnsettled(task) ? ~task : 1 + cpuOrder.length + renaming.numbers.tasks[task];
      this.held[task] = this.refer(referrer, part, names);
    }
  }

  /**
   * Notes the references of a part.
   *
   * @param referrer who refers: a place in the key, or a task, complemented (which has none yet)
   * @returns a hash of what the part holds
   */
  private refer(referrer: number, part: number, names: Int32Array): number {
    const name = names[part];
    if (!this.table.isForeignAt(name)) return this.table.hashAt(name);
    const { references, hash } = this.renaming.look(part, name);
    for (let index = 0; index < references.length; index += 3) {
      const task = references[index];
      this.referred[task] = (this.referred[task] + mix(referrer, references[index + 1], references[index + 2])) | 0;
      if (referrer < 0) this.crossed[task] = this.crossed[~referrer] = 1;
    }
    return hash;
  }

  private number(orders: readonly (readonly number[])[]): void {
    const { tasks } = this.renaming.numbers;
    for (let index = 0; index < orders.length; index++) {
      const [order, group] = [orders[index], this.groups[index]];
      for (let place = 0; place < group.length; place++) tasks[order[place]] = group[place];
    }
    this.place();
  }

  private place(): void {
    const { places, renaming } = this;
    const { tasks, cpus } = renaming.numbers;
    for (let cpu = 0; cpu < cpus.length; cpu++) places[partOfCpu(cpu)] = partOfCpu(cpus[cpu]);
    for (let task = 0; task < tasks.length; task++) places[partOfTask(renaming, task)] = partOfTask(renaming, tasks[task]);
  }

  private compare(one: number, other: number): number {
    return this.held[one] - this.held[other] || this.referred[one] - this.referred[other];
  }

  /** Insertion sort: a handful of tasks, mostly in order already. */
  private sort(tasks: number[]): void {
    for (let end = 1; end < tasks.length; end++) {
      const task = tasks[end];
      let place = end;
      while (place > 0 && this.compare(tasks[place - 1], task) > 0) tasks[place] = tasks[--place];
      tasks[place] = task;
    }
  }

  /** The orders in which only tied tasks change places. */
  private tiedOrders(order: readonly number[]): readonly (readonly number[])[] {
    const blocks: number[][] = [];
    for (const task of order) {
      const last = blocks.at(-1);
      if (last && this.compare(last[0], task) === 0) last.push(task);
      else blocks.push([task]);
    }
    const ways = blocks.map((block) => (block.some((task) => this.crossed[task]) ? permutations(block) : [block]));
    return combinations(ways).map((chosen) => chosen.flat());
  }
}

/** A hash of a reference. Tasks that are not settled are all the same referrer. */
function mix(referrer: number, position: number, detail: number): number {
  let hash = Math.imul(Math.max(referrer, -1) + 0x9e3779b9, 0x85ebca6b) ^ position;
  hash = Math.imul(hash ^ (hash >>> 15), 0xc2b2ae35) ^ detail;
  hash = Math.imul(hash ^ (hash >>> 13), 0x27d4eb2f);
  return hash ^ (hash >>> 16);
}
