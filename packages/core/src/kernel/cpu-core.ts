import { assert, FpuError, type ErrorDetail } from '../error';
import type { EventType } from '../machine/event-type';
import * as events from '../machine/events';
import {
  BH_OFF,
  CALLED,
  CONTEXT,
  IRQS_OFF,
  PREEMPT_OFF,
  bhOffDepth,
  enteredStatus,
  preemptOffDepth,
  type Context,
} from '../machine/frames';
import { LIFECYCLE, LOCALS, type CoreOffsets } from '../machine/state';
import type { EventStream } from '../machine/stream';
import type { CpuModel } from '../x86/cpu-model';
import { VECTOR } from '../x86/faults';
import { ALLOC, CHOICE } from './choices';
import type { CounterRange, MachinePlatform, Slot } from './kernel';
import { GUEST_ROUTINE } from './guest';

/** What a CPU needs of the machine around it. */
export interface CpuMachine {
  readonly stream: EventStream;
  /** The processor as the kernel sees it. */
  readonly model: CpuModel;
  /** The processor itself, as a hypervisor sees it. */
  readonly host: CpuModel;
  /** The kernel uses XSAVES where it sees it. */
  readonly xsaves: boolean;
  /** It uses XSAVEOPT where it sees it. */
  readonly xsaveopt: boolean;
  readonly platform: MachinePlatform;
  /** Alternatives of the choice `alloc` in this scenario. */
  readonly allocAlternatives: readonly number[];
  /** Alternatives of the choice `fault`: what an XRSTOR that faults may have loaded; none where nothing faults. */
  readonly faultAlternatives: readonly number[];
  /** Alternatives of the choice `page`, for an access and for bringing the page in. */
  readonly accessAlternatives: readonly number[];
  readonly pageInAlternatives: readonly number[];
  isKernelThread(task: number): boolean;
  isIoWorker(task: number): boolean;
  /** The task that stands for the process of a task: itself, unless it is a thread of another one. */
  processOf(task: number): number;
  /** All threads of a process. */
  threadsOf(leader: number): readonly number[];
  /** The guest that a task runs; NOBODY for most. */
  guestOf(task: number): number;
  /** True for a guest that sets CR4.PKE. */
  setsPke(guest: number): boolean;
  /** True while a kernel FPU section is on the task's stack, and for a step at `pc` that is part of one. */
  isInKernelFpuSection(task: number, pc: number): boolean;
  /** True when signals find the task in a position to handle them. */
  canHandleSignal(task: number): boolean;
  /** A new program starts with the kernel's default PKRU rather than with INIT. */
  readonly restrictivePkru: boolean;
  /** Some thread takes the memory of other threads' signal frames away. */
  readonly unmapsFrames: boolean;
  /** Counters pass their thresholds by choice, not by number. */
  readonly abstractCounters: boolean;
  /** Asks the driver; returns the alternative. */
  choose(kind: number, alternatives: readonly number[]): number;
  entry(routine: string): number;
  /** Slots of all plugins, base policy first. */
  readonly slots: readonly Slot[];
}

/** Where schedule() keeps the next task, as __schedule() does: in a local. A nested schedule() has its own. */
export const NEXT_LOCAL = 1;

/** Thrown out of a step whose CPU has stopped for good. Not an error: the event says what happened. */
export const CPU_STOPPED = Symbol('CPU stopped');

/** Thrown out of a step in which an instruction raised an exception from which the kernel does not return. */
export const STEP_FAULTED = Symbol('step faulted');

/** One CPU: who runs on it and where, what its plugins remember, its stack. Holds no state of its own. */
export abstract class CpuCore {
  /** Frame in which the current step runs; it may have been popped, if it was the routine's last step. */
  frame = 0;
  /** The step that runs, and whether it declared an FPU instruction: only then could it have raised #NM. */
  step = '';
  pc = 0;
  usesFpu = false;
  protected readonly words: Int32Array;
  protected readonly at: CoreOffsets;

  constructor(
    readonly cpu: number,
    protected readonly machine: CpuMachine,
  ) {
    this.words = machine.stream.state.words;
    this.at = machine.stream.state.at;
  }

  // --- who and where ------------------------------------------------------------------------------------------------

  get task(): number {
    return this.words[this.at.current + this.cpu];
  }

  get next(): number {
    return this.words[this.localWord(this.frame - 1, NEXT_LOCAL)] - 1;
  }

  get child(): number {
    return this.words[this.localWord(this.contextFrame(), 0)] - 1;
  }

  /** Of a tracer. Others may look at the same task, and it may run elsewhere. */
  get target(): number {
    this.machine.stream.touchedShared = true;
    return this.words[this.localWord(this.contextFrame(), 0)] - 1;
  }

  get status(): number {
    return this.words[this.statusWord(this.depth - 1)];
  }

  get interrupted(): number {
    const frame = this.contextFrame();
    return frame === 0 ? CONTEXT.kthread : this.words[this.statusWord(frame - 1)];
  }

  isKernelThread(task: number): boolean {
    return this.machine.isKernelThread(task);
  }

  isIoWorker(task: number): boolean {
    return this.machine.isIoWorker(task);
  }

  groupLeader(task: number): number {
    return this.machine.processOf(task);
  }

  threadsOf(task: number): readonly number[] {
    return this.machine.threadsOf(this.machine.processOf(task));
  }

  guestOf(task: number): number {
    return this.machine.guestOf(task);
  }

  setsPke(guest: number): boolean {
    return this.machine.setsPke(guest);
  }

  /** VMLAUNCH, VMRESUME of the guest that the current task runs. */
  enterGuest(): void {
    this.needFrame();
    const status = enteredStatus(CONTEXT.guest, this.status, true);
    const { machine } = this;
    this.emit(
      events.GuestEntered,
      this.cpu,
      this.task,
      machine.guestOf(this.task),
      machine.entry(GUEST_ROUTINE),
      status,
    );
  }

  /** The processor leaves guest mode: one of EXIT. */
  exitGuest(exit: number): void {
    this.emit(events.GuestExited, this.cpu, this.task, this.machine.guestOf(this.task), exit);
  }

  hasMm(task: number): boolean {
    if (!this.machine.isKernelThread(task)) return true;
    return this.at.borrowedMm >= 0 && this.look(this.at.borrowedMm + task) !== 0;
  }

  isDead(task: number): boolean {
    return this.look(this.at.lifecycle + task) === LIFECYCLE.dead;
  }

  isAlive(task: number): boolean {
    this.machine.stream.touchedShared = true;
    return task >= 0 && this.look(this.at.lifecycle + task) === LIFECYCLE.alive;
  }

  // --- slots --------------------------------------------------------------------------------------------------------

  slotNamed(name: string): Slot {
    const { slots } = this.machine;
    const found = slots.find((slot) => slot.name === name);
    if (found) return found;
    return this.refuseStep(`wants the slot '${name}'; declared: ${slots.map((slot) => slot.name).join(', ')}`);
  }

  read(slot: Slot, instance: number): number {
    if (slot.base < 0) this.refuseUndeclared(slot);
    if (!this.owns(slot, instance)) this.noteShared(slot, instance);
    return this.look(slot.base + instance);
  }

  write(slot: Slot, instance: number, value: number): void {
    if (slot.base < 0) this.refuseUndeclared(slot);
    if (!this.owns(slot, instance)) this.noteShared(slot, instance);
    this.emit(events.SlotWritten, slot.base + instance, value);
  }

  count(slot: Slot, instance: number): void {
    const { counter } = slot;
    assert(counter, `'${slot.name}' is no counter`);
    const value = this.machine.abstractCounters
      ? this.abstractCount(counter)
      : (this.read(slot, instance) + 1) % counter.modulus;
    this.write(slot, instance, value);
  }

  /** 0 for any count up to the threshold, and the next one for any above: whatever the count was, it may be either now. */
  private abstractCount({ threshold, modulus }: CounterRange): number {
    return threshold + 1 < modulus ? this.machine.choose(CHOICE.count, [0, threshold + 1]) : 0;
  }

  isAbove(slot: Slot, instance: number): boolean {
    assert(slot.counter, `'${slot.name}' is no counter`);
    return this.read(slot, instance) > slot.counter.threshold;
  }

  /** A slot that is in no plugin's list has no place in the state. It may be a branch that asks: no step to name. */
  private refuseUndeclared({ name }: Slot): never {
    throw new FpuError('FPU209', `the slot '${name}' is used, but no plugin of this machine declares it`, {
      slot: name,
      hint: "list it under 'slots' of the policy or platform that it belongs to",
    });
  }

  /** True for slots that no other CPU looks at now: its own, its current task's, those of the task that it switches to. */
  private owns({ space }: Slot, instance: number): boolean {
    switch (space) {
      case 'cpu':
        return instance === this.cpu;
      case 'task':
        return instance === this.task || this.look(this.at.pickedBy + instance) === this.task;
      case 'machine':
        return false;
    }
  }

  /** An unborn task is nobody's: whoever uses its slots does so as a stranger, and is seen to. */
  private noteShared({ space }: Slot, instance: number): void {
    const { stream } = this.machine;
    stream.touchedShared = true;
    const isUnborn = space === 'task' && this.look(this.at.lifecycle + instance) === LIFECYCLE.unborn;
    if (space !== 'machine' && !isUnborn) stream.touchedForeign = true;
  }

  // --- masks --------------------------------------------------------------------------------------------------------

  localIrqDisable(): void {
    this.setStatus(this.status | IRQS_OFF);
  }

  localIrqEnable(): void {
    this.setStatus(this.status & ~IRQS_OFF);
  }

  preemptDisable(): void {
    this.setStatus(this.status + PREEMPT_OFF);
  }

  preemptEnable(): void {
    if (preemptOffDepth(this.status) === 0) this.refuseStep('does preempt_enable without preempt_disable');
    this.setStatus(this.status - PREEMPT_OFF);
  }

  localBhDisable(): void {
    this.setStatus(this.status + BH_OFF);
  }

  localBhEnable(): void {
    if (bhOffDepth(this.status) === 0) this.refuseStep('does local_bh_enable without local_bh_disable');
    this.setStatus(this.status - BH_OFF);
  }

  /** Replaces the status word of the running frame. */
  setStatus(status: number): void {
    this.emit(events.MasksChanged, this.cpu, this.task, status);
  }

  // --- locals, calls, sleeping --------------------------------------------------------------------------------------

  local(index: 0 | 1): number {
    if (this.frame >= this.depth) this.refuseStep('reads a local of a frame that has returned');
    return this.words[this.localWord(this.frame, index)];
  }

  setLocal(index: 0 | 1, value: number): void {
    if (this.frame >= this.depth) return; // the routine's last step: nobody reads this local any more
    this.emit(events.LocalWritten, this.cpu, this.task, this.frame, index, value);
  }

  /** A local of the kind `task`: stored as its number plus one, for a fresh local is 0 and names nobody. */
  taskLocal(index: 0 | 1): number {
    return this.local(index) - 1;
  }

  setTaskLocal(index: 0 | 1, task: number): void {
    this.setLocal(index, task + 1);
  }

  answer(value: boolean): void {
    this.emit(events.LocalWritten, this.cpu, this.task, this.frame - 1, 0, value ? 1 : 0);
  }

  call(routine: string): void {
    this.needFrame();
    this.emit(events.RoutineEntered, this.cpu, this.task, this.machine.entry(routine));
  }

  /** "Attempted to kill the idle task!": this CPU stops. */
  panic(): never {
    this.emit(events.KernelPanicked, this.cpu, this.task);
    throw CPU_STOPPED;
  }

  /** Enters a context on this CPU. */
  enter(context: Context, routine: string, interruptsOff: boolean): void {
    this.needFrame();
    const status = enteredStatus(context, this.status, interruptsOff);
    this.emit(events.ContextEntered, this.cpu, this.task, this.machine.entry(routine), status);
  }

  refuse(): void {
    this.emit(events.LocalWritten, this.cpu, this.task, this.frame - 1, 1, 1);
  }

  allocationMaySleep(): boolean {
    this.emit(events.MightSleepReached, this.cpu, this.task, this.status);
    const how = this.machine.choose(CHOICE.alloc, this.machine.allocAlternatives);
    if (how === ALLOC.sleep) this.goToSleep();
    return how !== ALLOC.fail;
  }

  sleep(): void {
    this.emit(events.MightSleepReached, this.cpu, this.task, this.status);
    this.goToSleep();
  }

  protected goToSleep(): void {
    this.emit(events.TaskSlept, this.cpu, this.task);
    this.call('schedule');
  }

  killCurrent(): void {
    this.call('do_exit');
  }

  forceSignal(): void {
    if (this.machine.canHandleSignal(this.task)) this.emit(events.SignalSent, this.task);
    else this.killCurrent();
  }

  deliverNm(): void {
    this.enter(CONTEXT.exception, 'device_not_available', true);
  }

  deliverGp(): void {
    this.emit(events.TrapRaised, this.cpu, this.task, VECTOR.GP, 0, this.pc);
    this.enter(CONTEXT.exception, 'general_protection', true);
  }

  // --- plumbing -----------------------------------------------------------------------------------------------------

  /** Frames on the current task's stack. */
  get depth(): number {
    return this.words[this.at.depth + this.task];
  }

  /** The frame of the running context, below the routines that it called. */
  protected contextFrame(): number {
    let frame = this.depth - 1;
    while (frame > 0 && this.words[this.statusWord(frame)] & CALLED) frame--;
    return frame;
  }

  protected localWord(frame: number, index: number): number {
    return this.at.frameLocal + (this.task * this.at.stackDepth + frame) * LOCALS + index;
  }

  /** An FPU instruction can fault, so the engine has to know of it before the step has any effect. */
  protected needDeclaration(what: string): void {
    if (this.usesFpu) return;
    const problem = `${what} but does not say that it executes an FPU instruction, which could raise #NM`;
    this.refuseStep(problem, { hint: "declare it: step(name, run, { instruction: 'xsave' })" });
  }

  /** Code of a policy or platform did what no kernel code may. */
  protected refuseStep(problem: string, detail: ErrorDetail = {}): never {
    throw new FpuError('FPU209', `the step '${this.step}' ${problem}`, { step: this.step, ...detail });
  }

  /** A word that may lie elsewhere than where this CPU and its current task are: the footprint has to know. */
  protected look(word: number): number {
    this.machine.stream.footprint?.readWord(word);
    return this.words[word];
  }

  private statusWord(frame: number): number {
    return this.at.frameStatus + this.task * this.at.stackDepth + frame;
  }

  /** Nested contexts without end exhaust the kernel stack: this CPU stops in the middle of its step. */
  private needFrame(): void {
    if (this.depth < this.at.stackDepth) return;
    this.emit(events.StackOverflowed, this.cpu, this.task);
    throw CPU_STOPPED;
  }

  emit(type: EventType, a = 0, b = 0, c = 0, d = 0, e = 0): void {
    this.machine.stream.emit(type, a, b, c, d, e);
  }
}
