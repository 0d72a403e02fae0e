/** Numbers for interchangeable tasks that do not depend on the numbers they had. */
import { UNSETTLED, type Parts, type Renaming } from './parts';
import { combinations, permutations } from './permutations';
import { hashWords, type PartTable } from './shared-table';

/** Puts interchangeable tasks in an order by what they hold and by who refers to them. */
export class TaskOrder {
  /** Numbers while they are being settled. */
  private readonly unsettled: Renaming;
  /** Per task: a hash of what it holds, other unsettled tasks being all the same. */
  private readonly held: Int32Array;
  /** Per task: a hash of who refers to it, where and how. */
  private readonly referred: Int32Array;
  /** Per task: the name of its part, where it refers to nobody whose number is being settled; -1 otherwise. */
  readonly names: Int32Array;
  /** Per task: it refers to another one, or is referred to by one. */
  private readonly crossed: Uint8Array;
  private readonly isGrouped: Uint8Array;
  private readonly orders: number[][];
  /** Who refers: a place in the key, or a task (which has none yet). */
  private referrer = 0;
  private refers = false;
  private readonly log = {
    refersTo: (task: number, position: number, detail: number): void => {
      this.refers = true;
      this.referred[task] = (this.referred[task] + mix(this.referrer, position, detail)) | 0;
      if (this.referrer < 0) this.crossed[task] = this.crossed[~this.referrer] = 1;
    },
  };

  constructor(
    private readonly parts: Parts,
    private readonly table: PartTable,
    private readonly groups: readonly (readonly number[])[],
    private readonly numbers: Renaming,
    /** The part that was loaded, where it is still the same; -1 otherwise. */
    private readonly unchanged: (part: number) => number,
  ) {
    const users = parts.tasks;
    const tasks = numbers.tasks.slice();
    for (const task of groups.flat()) tasks[task] = UNSETTLED;
    this.unsettled = { tasks, cpus: numbers.cpus };
    this.isGrouped = Uint8Array.from(tasks, (number) => (number === UNSETTLED ? 1 : 0));
    this.held = new Int32Array(users);
    this.names = new Int32Array(users);
    this.referred = new Int32Array(users);
    this.crossed = new Uint8Array(users);
    this.orders = groups.map((group) => [...group]);
  }

  /**
   * Settles the numbers of tasks, given those of CPUs. Where several orders are left and it matters, `tryOut` is called
   * with each of them; otherwise once.
   */
  settle(cpuOrder: readonly number[], tryOut: () => void): void {
    this.look(cpuOrder);
    const compare = (a: number, b: number): number =>
      this.held[a] - this.held[b] || this.referred[a] - this.referred[b];
    let tied = false;
    for (const order of this.orders) {
      sort(order, compare);
      for (let place = 1; place < order.length; place++) {
        if (compare(order[place - 1], order[place]) === 0 && this.crossed[order[place]]) tied = true;
      }
    }
    if (!tied) {
      this.groups.forEach((group, index) => this.number(group, this.orders[index]));
      tryOut();
      return;
    }
    for (const orders of combinations(this.orders.map((order) => this.tiedOrders(order, compare)))) {
      this.groups.forEach((group, index) => this.number(group, orders[index]));
      tryOut();
    }
  }

  private look(cpuOrder: readonly number[]): void {
    const { parts, table } = this;
    for (let task = 0; task < parts.tasks; task++) {
      if (this.isGrouped[task] === 0) this.unsettled.tasks[task] = this.numbers.tasks[task];
    }
    this.referred.fill(0);
    this.crossed.fill(0);
    this.referrer = 0;
    parts.gather(0, this.unsettled, this.log);
    for (let place = 0; place < cpuOrder.length; place++) {
      this.referrer = 1 + place;
      parts.gather(parts.partOfCpu(cpuOrder[place]), this.unsettled, this.log);
    }
    for (let task = 0; task < parts.tasks; task++) {
      const part = parts.partOfTask(task);
      // Tasks outside groups have numbers already; those inside are told apart by nothing but what they hold.
      this.referrer = this.isGrouped[task] ? ~task : 1 + cpuOrder.length + this.numbers.tasks[task];
      const before = this.isGrouped[task] ? this.unchanged(part) : -1;
      if (before >= 0) {
        this.names[task] = before;
        this.held[task] = table.hashAt(before);
        continue;
      }
      this.refers = false;
      const length = parts.gather(part, this.unsettled, this.log);
      if (this.refers || !this.isGrouped[task]) {
        this.names[task] = -1;
        this.held[task] = hashWords(parts.words, 0, length);
      } else {
        this.names[task] = table.intern(parts.words, length, parts.foreign > 0);
        this.held[task] = table.hashAt(this.names[task]);
      }
    }
  }

  private number(group: readonly number[], order: readonly number[]): void {
    for (let place = 0; place < group.length; place++) this.numbers.tasks[order[place]] = group[place];
  }

  /** The orders in which only tied tasks change places. */
  private tiedOrders(
    order: readonly number[],
    compare: (a: number, b: number) => number,
  ): readonly (readonly number[])[] {
    const blocks: number[][] = [];
    for (const task of order) {
      const last = blocks.at(-1);
      if (last && compare(last[0], task) === 0) last.push(task);
      else blocks.push([task]);
    }
    const ways = blocks.map((block) => (block.some((task) => this.crossed[task]) ? permutations(block) : [block]));
    return combinations(ways).map((chosen) => chosen.flat());
  }
}

/** Insertion sort: a handful of tasks, mostly in order already. */
function sort(tasks: number[], compare: (a: number, b: number) => number): void {
  for (let end = 1; end < tasks.length; end++) {
    const task = tasks[end];
    let place = end;
    while (place > 0 && compare(tasks[place - 1], task) > 0) tasks[place] = tasks[--place];
    tasks[place] = task;
  }
}

/** A hash of a reference. Tasks that are not settled are all the same referrer. */
function mix(referrer: number, position: number, detail: number): number {
  let hash = Math.imul(Math.max(referrer, -1) + 0x9e3779b9, 0x85ebca6b) ^ position;
  hash = Math.imul(hash ^ (hash >>> 15), 0xc2b2ae35) ^ detail;
  hash = Math.imul(hash ^ (hash >>> 13), 0x27d4eb2f);
  return hash ^ (hash >>> 16);
}
