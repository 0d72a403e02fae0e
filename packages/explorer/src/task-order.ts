/** Numbers for interchangeable tasks that do not depend on the numbers they had. */
import { PART } from '@fpulab/core';
import { combinations, identity, permutations } from './permutations';
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
  /** By place in the key: the part that comes there while tasks have the numbers that they had. */
  private readonly parts: Int32Array;
  /** By place: who refers from there. The place itself, or the task whose number is not settled, complemented. */
  private readonly referrers: Int32Array;
  private readonly firstTask: number;
  private readonly firstTaskFpu: number;

  constructor(
    private readonly renaming: PartRenaming,
    private readonly table: PartTable,
    private readonly groups: readonly (readonly number[])[],
  ) {
    const { tasks, cpuOrder, numbers } = renaming;
    this.held = new Int32Array(tasks);
    this.referred = new Int32Array(tasks);
    this.crossed = new Uint8Array(tasks);
    this.orders = groups.map((group) => [...group]);
    this.firstTask = PART.task(renaming, 0);
    this.firstTaskFpu = PART.taskFpu(renaming, 0);
    this.places = Int32Array.from(identity(PART.count(renaming)));
    cpuOrder.forEach((cpu, place) => {
      this.places[PART.cpu(renaming, cpu)] = PART.cpu(renaming, place);
      this.places[PART.cpuFpu(renaming, cpu)] = PART.cpuFpu(renaming, place);
    });
    for (let task = 0; task < tasks; task++) this.placeTask(task, numbers.tasks[task]);
    this.parts = this.places.slice();
    this.places.forEach((place, part) => (this.parts[place] = part));
    // Tasks outside groups have numbers already; those inside are told apart by nothing but what they hold.
    this.referrers = this.parts.map((part, place) => {
      const task = (part - this.firstTask) % tasks;
      return part >= this.firstTask && renaming.isUnsettled(task) ? ~task : place;
    });
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
    const { parts, firstTask, firstTaskFpu, table, held, referred, crossed } = this;
    for (let task = 0; task < referred.length; task++) referred[task] = crossed[task] = 0;
    for (let place = 0; place < parts.length; place++) {
      const part = parts[place];
      const name = names[part];
      const hash = table.isForeignAt(name) ? this.refer(place, name) : table.hashAt(name);
      if (part >= firstTaskFpu) held[part - firstTaskFpu] = Math.imul(held[part - firstTaskFpu], HASH_FACTOR) + hash;
      else if (part >= firstTask) held[part - firstTask] = hash;
    }
  }

  /** Notes the references of a part. Returns a hash of what it holds. */
  private refer(place: number, name: number): number {
    const { referred, crossed } = this;
    const referrer = this.referrers[place];
    const { references, hash } = this.renaming.look(this.parts[place], name);
    for (let at = 0; at < references.length; at += 3) {
      const task = references[at];
      referred[task] = (referred[task] + mix(referrer, references[at + 1], references[at + 2])) | 0;
      if (referrer < 0) crossed[task] = crossed[~referrer] = 1;
    }
    return hash;
  }

  private number(orders: readonly (readonly number[])[]): void {
    const { groups } = this;
    const { tasks } = this.renaming.numbers;
    for (let index = 0; index < orders.length; index++) {
      const order = orders[index];
      const group = groups[index];
      for (let place = 0; place < group.length; place++) {
        tasks[order[place]] = group[place];
        this.placeTask(order[place], group[place]);
      }
    }
  }

  private placeTask(task: number, number: number): void {
    this.places[this.firstTask + task] = this.firstTask + number;
    this.places[this.firstTaskFpu + task] = this.firstTaskFpu + number;
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

const HASH_FACTOR = 0x85ebca6b;

/** A hash of a reference. Tasks that are not settled are all the same referrer. */
function mix(referrer: number, position: number, detail: number): number {
  let hash = Math.imul(Math.max(referrer, -1) + 0x9e3779b9, 0x85ebca6b) ^ position;
  hash = Math.imul(hash ^ (hash >>> 15), 0xc2b2ae35) ^ detail;
  hash = Math.imul(hash ^ (hash >>> 13), 0x27d4eb2f);
  return hash ^ (hash >>> 16);
}
