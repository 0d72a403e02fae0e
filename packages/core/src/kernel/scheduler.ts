/** What can happen next, and who runs next: every alternative that masks and scenario allow. */
import * as events from '../machine/events';
import {
  CONTEXT,
  bhOffDepth,
  contextOf,
  inHardirq,
  inInterrupt,
  interruptsBelow,
  irqsOff,
  preemptOffDepth,
} from '../machine/frames';
import { CPU_STATE, EXEC_STATE, LIFECYCLE, type CoreOffsets } from '../machine/state';
import type { EventStream } from '../machine/stream';
import type { ChoicePoint } from './choice-point';
import { ACTION, ACTION_BITS, CHOICE, WORK } from './choices';
import type { Code } from './code';
import type { Interference } from './interference';
import { SUSPEND_ROUTINE, SUSPEND_WAITS } from './hotplug';
import { IDLE_ROUTINE, IDLE_SCHEDULE_STEP } from './skeleton';

/** What the scheduler needs of the machine around it. */
export interface SchedulerParts {
  readonly stream: EventStream;
  readonly choices: ChoicePoint;
  readonly code: Code;
  readonly interference: Interference;
  /** By task: true for guests of KVM, which run when somebody runs them. */
  readonly isGuest: readonly boolean[];
  /** True where the hypervisor can take the physical CPU away. */
  readonly vcpuCanBePreempted: boolean;
  /** True where CPUs have others run functions. */
  readonly cpusCallOthers: boolean;
}

/** Lists alternatives. Tasks behind the scenario's own are idle tasks, one per CPU. */
export class Scheduler {
  private readonly words: Int32Array;
  private readonly at: CoreOffsets;
  private readonly alternatives: Int32Array;
  /** The scenario's tasks; idle tasks have the numbers from here on. */
  private readonly users: number;
  private readonly interferes: boolean;
  /** Addresses at which an idle CPU waits for somebody to run. */
  private readonly idleWaits: ReadonlySet<number>;
  /** By address: where suspend waits until no other CPU is in one of these states. */
  private readonly suspendWaits: ReadonlyMap<number, readonly number[]>;

  constructor(private readonly parts: SchedulerParts) {
    const { words, at } = parts.stream.state;
    this.words = words;
    this.at = at;
    this.alternatives = parts.choices.alternatives;
    this.users = at.tasks - at.cpus;
    const { hardirq, softirq, vcpu, preempt = 'none' } = parts.interference;
    this.interferes = Boolean(hardirq || softirq || vcpu || parts.cpusCallOthers) || preempt !== 'none';
    const { addressOf, instructions } = parts.code;
    const lookForWork = addressOf(IDLE_ROUTINE, IDLE_SCHEDULE_STEP);
    const endOfLoop = instructions.findIndex((i) => i.op === 'jump' && i.target === lookForWork - 1);
    const playDead = instructions.findIndex((i) => i.op === 'branch' && i.target === endOfLoop);
    this.idleWaits = new Set([lookForWork - 1, lookForWork, endOfLoop, playDead]);
    const waits = parts.code.has(SUSPEND_ROUTINE) ? Object.entries(SUSPEND_WAITS) : [];
    this.suspendWaits = new Map(waits.map(([name, states]) => [addressOf(SUSPEND_ROUTINE, name), states]));
  }

  /** Fills the choice point with what can happen next: a CPU above ACTION_BITS, an ACTION below. Returns how many. */
  enabledActions(): number {
    let count = 0;
    for (let cpu = 0; cpu < this.at.cpus; cpu++) {
      const task = this.words[this.at.current + cpu];
      this.parts.stream.footprint?.readCpu(cpu, task);
      if (task < 0) continue;
      if (!this.canContinue(cpu, task, count)) {
        if (this.isCalled(cpu)) this.alternatives[count++] = (cpu << ACTION_BITS) | ACTION.ipi; // from halt, too
        continue;
      }
      this.alternatives[count++] = (cpu << ACTION_BITS) | ACTION.continue;
      if (this.interferes || this.isLeaving(cpu)) count = this.addInterference(cpu, task, count);
    }
    return count;
  }

  /**
   * Picks the task that runs next: the others in turn; the idle task if nobody is left, or where the scenario lets it;
   * else the same task again.
   */
  pickNext(cpu: number): number {
    const { words, at } = this;
    const prev = words[at.current + cpu];
    const idle = this.users + cpu;
    const isLeaving = this.isLeaving(cpu);
    const canStay =
      words[at.lifecycle + prev] === LIFECYCLE.alive &&
      words[at.sleeping + prev] === 0 &&
      !this.isStopped(prev) &&
      !this.isFrozen(prev) &&
      !isLeaving;
    let count = isLeaving ? 0 : this.addPickable(cpu, prev, 0);
    if (prev !== idle && ((count === 0 && !canStay) || this.parts.interference.idle)) this.alternatives[count++] = idle;
    if (count === 0) this.alternatives[count++] = prev;
    const next = this.parts.choices.take(CHOICE.pick, count);
    this.parts.stream.emit(events.TaskPicked, cpu, next);
    return next;
  }

  /** Chooses what there is to do before `cpu` returns to user code: bits of WORK. Any other task to run may be a reason to switch. */
  exitWork(cpu: number, hasHandler: boolean): number {
    const { words, at, alternatives } = this;
    const { preempt = 'none', signals = false } = this.parts.interference;
    const task = words[at.current + cpu];
    const free = hasHandler && words[at.resume + task] < 0;
    const pending = free && words[at.signalPending + task] !== 0;
    const mayArrive = free && signals && !pending;
    let count = 0;
    const add = (work: number): void => {
      alternatives[count++] = work;
    };
    const signal = pending ? WORK.signal : WORK.none;
    add(signal);
    const resched = preempt !== 'none' && this.othersCouldRun(cpu, task, count);
    if (mayArrive) add(WORK.signal);
    if (resched) add(signal | WORK.resched);
    if (resched && mayArrive) add(WORK.signal | WORK.resched);
    return this.parts.choices.take(CHOICE.work, count);
  }

  /** Another CPU waits for this one to run a function. */
  private isCalled(cpu: number): boolean {
    return this.parts.cpusCallOthers && this.words[this.at.ipi + cpu] !== 0;
  }

  /** An idle CPU with nobody to run waits, unless it is to go down; a dead one does nothing until it is kicked. */
  private canContinue(cpu: number, task: number, count: number): boolean {
    const { words, at } = this;
    const top = at.framePc + task * at.stackDepth + words[at.depth + task] - 1;
    if (task < this.users) return !this.waitsForOthers(cpu, words[top], words[at.frameStatus + top - at.framePc]);
    if (this.stateOf(cpu) === CPU_STATE.dead) return false;
    return !this.idleWaits.has(words[top]) || this.isLeaving(cpu) || this.addPickable(cpu, -1, count) > count;
  }

  /** One of CPU_STATE. */
  private stateOf(cpu: number): number {
    const { words, at } = this;
    if (at.cpuState < 0) return CPU_STATE.online;
    this.parts.stream.footprint?.readWord(at.cpuState + cpu);
    return words[at.cpuState + cpu];
  }

  private isLeaving(cpu: number): boolean {
    return this.stateOf(cpu) === CPU_STATE.leaving;
  }

  private waitsForOthers(cpu: number, pc: number, status: number): boolean {
    const states = contextOf(status) === CONTEXT.user ? undefined : this.suspendWaits.get(pc);
    if (states === undefined) return false;
    for (let other = 0; other < this.at.cpus; other++) {
      if (other !== cpu && states.includes(this.stateOf(other))) return true;
    }
    return false;
  }

  /** While somebody suspends the machine, nobody else runs. */
  private isFrozen(task: number): boolean {
    const { words, at } = this;
    if (at.frozenBy < 0) return false;
    this.parts.stream.footprint?.readWord(at.frozenBy);
    return words[at.frozenBy] >= 0 && words[at.frozenBy] !== task;
  }

  private addInterference(cpu: number, task: number, from: number): number {
    const { hardirq, softirq, vcpu } = this.parts.interference;
    const { words, at, alternatives } = this;
    const status = words[at.frameStatus + task * at.stackDepth + words[at.depth + task] - 1];
    if (contextOf(status) === CONTEXT.hypervisor) return from;
    const base = cpu << ACTION_BITS;
    let count = from;
    if (contextOf(status) === CONTEXT.guest) {
      alternatives[count++] = base | ACTION.vmExit; // whatever interrupt it is, the host takes it later
      return count;
    }
    if (!irqsOff(status) && !inHardirq(status)) {
      if (this.mayPreempt(cpu, status, task) && (this.isLeaving(cpu) || this.othersCouldRun(cpu, task, count))) {
        alternatives[count++] = base | ACTION.preempt;
      }
      if (this.isCalled(cpu)) alternatives[count++] = base | ACTION.ipi;
      const mayNest = interruptsBelow(status) < (this.parts.interference.nesting ?? Infinity);
      if (hardirq && mayNest) alternatives[count++] = base | ACTION.hardirq;
      if (softirq && mayNest && !inInterrupt(status)) alternatives[count++] = base | ACTION.softirq;
    }
    if (vcpu && this.parts.vcpuCanBePreempted) alternatives[count++] = base | ACTION.vcpu;
    return count;
  }

  /** User code is always taken from a CPU that goes down: the stopper task preempts it. */
  private mayPreempt(cpu: number, status: number, task: number): boolean {
    const { preempt } = this.parts.interference;
    const context = contextOf(status);
    if (context === CONTEXT.user) return preempt === 'user' || preempt === 'full' || this.isLeaving(cpu);
    if (preempt !== 'full' || (context === CONTEXT.kthread && task >= this.users)) return false;
    return preemptOffDepth(status) === 0 && bhOffDepth(status) === 0 && !inInterrupt(status);
  }

  /** True when there is a reason to take `cpu` from its task; `count` alternatives are taken. */
  private othersCouldRun(cpu: number, task: number, count: number): boolean {
    const idle = this.parts.interference.idle === 'preempts' && task < this.users;
    return idle || this.addPickable(cpu, task, count) > count;
  }

  /** Writes the tasks that may run next on `cpu` behind `from`, starting after `prev` in turn; returns the new count. */
  private addPickable(cpu: number, prev: number, from: number): number {
    const { users } = this;
    const start = prev < 0 || prev >= users ? 0 : prev + 1;
    let count = from;
    for (let turn = 0; turn < users; turn++) {
      const task = (start + turn) % users;
      if (task !== prev && this.isPickable(cpu, task)) this.alternatives[count++] = task;
    }
    return count;
  }

  private isPickable(cpu: number, task: number): boolean {
    const { words, at } = this;
    if (this.parts.isGuest[task]) return false;
    this.parts.stream.footprint?.readSchedule(task);
    if (words[at.lifecycle + task] !== LIFECYCLE.alive || words[at.pickedBy + task] >= 0 || this.isStopped(task))
      return false;
    if (this.isFrozen(task)) return false;
    for (let other = 0; other < at.cpus; other++) if (words[at.current + other] === task) return false;
    const last = words[at.lastRan + task];
    if (last < 0 || last === cpu || this.parts.interference.migration === true) return true;
    return this.stateOf(last) !== CPU_STATE.online; // select_fallback_rq()
  }

  /** Only its tracer wakes a stopped task, and only the last other thread one that waits in execve(). */
  private isStopped(task: number): boolean {
    const { words, at } = this;
    if (at.execState >= 0) {
      this.parts.stream.footprint?.readWord(at.execState + task);
      if (words[at.execState + task] === EXEC_STATE.waits) return true;
    }
    if (at.stopped < 0) return false;
    this.parts.stream.footprint?.readWord(at.stopped + task);
    return words[at.stopped + task] !== 0;
  }
}
