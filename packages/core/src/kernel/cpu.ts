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
import { FRAME_PAGES, HEADER, LIFECYCLE, LOCALS, type CoreOffsets, type FpstateKind } from '../machine/state';
import type { EventStream } from '../machine/stream';
import { DEFAULT_PKRU, INIT, nextSerial, PRINCIPAL, principalOfTask, valueId } from '../machine/values';
import { PKRU, SSE, USER_COMPONENTS, X87, bitsOf, componentName } from '../x86/components';
import { CR0_TS } from '../x86/control-registers';
import type { CpuModel } from '../x86/cpu-model';
import { VECTOR } from '../x86/faults';
import { ALLOC, CHOICE, PAGE } from './choices';
import type { CounterRange, Cr0Access, Hypervisor, Slot, UserRestore } from './kernel';
import { returningThrough } from './exit-to-user';
import { saveArea, type SaveArea } from './save-format';
import { ACCESS } from './user-access';
import { hasRegset, regsetComponents, tracedHeader } from './trace-request';
import { disabledOf, loadedFrom, xfdMsrs, xinuse, type XfdMsrs } from './xfd';

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
  readonly platform: { readonly id: string; readonly cr0: Cr0Access };
  /** Alternatives of the choice `alloc` in this scenario. */
  readonly allocAlternatives: readonly number[];
  /** Alternatives of the choice `fault`: what an XRSTOR that faults may have loaded; none where nothing faults. */
  readonly faultAlternatives: readonly number[];
  /** Alternatives of the choice `page`, for an access and for bringing the page in. */
  readonly accessAlternatives: readonly number[];
  readonly pageInAlternatives: readonly number[];
  isKernelThread(task: number): boolean;
  isIoWorker(task: number): boolean;
  /** True while a kernel FPU section is on the task's stack. */
  isInKernelFpuSection(task: number): boolean;
  /** True when signals find the task in a position to handle them. */
  canHandleSignal(task: number): boolean;
  /** A new program starts with the kernel's default PKRU rather than with INIT. */
  readonly restrictivePkru: boolean;
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

/** One CPU, as the code that runs on it sees it. Holds no state of its own. */
export class Cpu implements Hypervisor {
  /** Frame in which the current step runs; it may have been popped, if it was the routine's last step. */
  frame = 0;
  /** The step that runs, and whether it declared an FPU instruction: only then could it have raised #NM. */
  step = '';
  pc = 0;
  usesFpu = false;
  private readonly words: Int32Array;
  private readonly at: CoreOffsets;
  private readonly allMask: number;
  private readonly area: SaveArea;
  /** Of images without room for what is enabled per task. */
  private readonly defaultArea: SaveArea;
  readonly xfd: XfdMsrs;
  readonly dynamicXfeatures: number;
  readonly xfeatures: number;
  private readonly vcpuArea: SaveArea;
  private readonly kernelComponent: number;
  /** Word of the PKRU register; -1 on processors that have none. */
  private readonly pkruWord: number;

  constructor(
    readonly cpu: number,
    private readonly machine: CpuMachine,
  ) {
    this.words = machine.stream.state.words;
    this.at = machine.stream.state.at;
    this.allMask = this.at.componentBits.reduce((mask, bit) => mask | (1 << bit), 0);
    this.xfeatures = this.allMask;
    const area = (xfeatures: number): SaveArea =>
      saveArea(machine.model, { xfeatures, xsaves: machine.xsaves, xsaveopt: machine.xsaveopt });
    this.dynamicXfeatures = this.at.dynamicXfeatures;
    this.area = area(this.allMask);
    this.defaultArea = area(this.allMask & ~this.dynamicXfeatures);
    this.xfd = xfdMsrs(machine.stream, cpu);
    // Xen uses XSAVES only for supervisor components, of which guests have none (xen/arch/x86/xstate.c xsave()).
    this.vcpuArea = saveArea(machine.host, { xfeatures: this.allMask, xsaves: false });
    this.kernelComponent = this.at.indexOfBit[SSE] >= 0 ? SSE : X87;
    const pkru = this.at.indexOfBit[PKRU];
    this.pkruWord = pkru < 0 ? -1 : this.at.fpregs + cpu * this.at.components + pkru;
  }

  // --- who and where ---------------------------------------------------------------------------------------------

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

  // --- slots -----------------------------------------------------------------------------------------------------

  slotNamed(name: string): Slot {
    const { slots } = this.machine;
    const found = slots.find((slot) => slot.name === name);
    if (found) return found;
    return this.refuseStep(`wants the slot '${name}'; declared: ${slots.map((slot) => slot.name).join(', ')}`);
  }

  read(slot: Slot, instance: number): number {
    if (!this.owns(slot, instance)) this.noteShared(slot, instance);
    return this.look(slot.base + instance);
  }

  write(slot: Slot, instance: number, value: number): void {
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

  // --- CR0 -------------------------------------------------------------------------------------------------------

  get realCr0(): number {
    return this.words[this.at.cr0 + this.cpu];
  }

  setRealCr0(value: number): void {
    this.emit(events.Cr0Written, this.cpu, value);
  }

  readCr0(): number {
    return this.byPlatform((cr0) => cr0.pv.read(this));
  }

  writeCr0(value: number): void {
    this.byPlatform((cr0) => cr0.pv.write(this, value));
  }

  clts(): void {
    this.byPlatform((cr0) => cr0.pv.clts(this));
  }

  stts(): void {
    this.writeCr0(this.readCr0() | CR0_TS);
  }

  executeClts(): void {
    this.byPlatform((cr0) => cr0.insn.clts(this));
  }

  executeMovToCr0(value: number): void {
    this.byPlatform((cr0) => cr0.insn.movTo(this, value));
  }

  executeLmsw(value: number): void {
    this.byPlatform((cr0) => cr0.insn.lmsw(this, value));
  }

  executeSmsw(): number {
    return this.byPlatform((cr0) => cr0.insn.smsw(this));
  }

  recordHypercall(number: number, argument: number): void {
    this.emit(events.HypercallMade, this.cpu, this.task, number, argument);
  }

  /** What the platform does with CR0 is the platform's doing. */
  private byPlatform<T>(access: (cr0: Cr0Access) => T): T {
    const { platform, stream } = this.machine;
    const { actor } = stream;
    stream.actor = platform.id;
    const result = access(platform.cr0);
    stream.actor = actor;
    return result;
  }

  // --- registers and images --------------------------------------------------------------------------------------

  isKernelThread(task: number): boolean {
    return this.machine.isKernelThread(task);
  }

  isIoWorker(task: number): boolean {
    return this.machine.isIoWorker(task);
  }

  hasMm(task: number): boolean {
    if (!this.machine.isKernelThread(task)) return true;
    return this.at.borrowedMm >= 0 && this.look(this.at.borrowedMm + task) !== 0;
  }

  isDead(task: number): boolean {
    return this.look(this.at.lifecycle + task) === LIFECYCLE.dead;
  }

  fpstateOf(task: number, kind: FpstateKind = 'task'): number {
    const first = this.at.firstFpstate[kind];
    if (first < 0) this.refuseStep(`uses the image '${kind}' of a task, which this machine does not have`);
    return first + task;
  }

  get compacted(): boolean {
    return this.area.format === 'xsaves';
  }

  get vcpuFpstate(): number {
    return this.at.vcpuFpstates + this.cpu;
  }

  save(fpstate: number, xfeatures = this.allMask): boolean {
    this.needDeclaration('saves registers');
    this.emit(events.FpregsSaved, this.cpu, fpstate, xfeatures, this.bytesOf(fpstate), this.area.save);
    if (this.area.format !== 'fnsave') return true;
    this.emit(events.FpregsInitialised, this.cpu, this.allMask);
    return false;
  }

  restore(fpstate: number, xfeatures = this.allMask): boolean {
    this.needDeclaration('loads registers');
    if (this.headerOf(fpstate) === HEADER.reserved) {
      this.raiseGp();
      return false;
    }
    this.refuseDisabled(loadedFrom(this.machine.stream, fpstate, xfeatures));
    const { pkru } = this;
    this.emit(events.FpregsRestored, this.cpu, fpstate, xfeatures, this.bytesOf(fpstate), this.area.restore);
    this.watchPkru(pkru);
    return true;
  }

  /** XRSTOR refuses a header. All code that restores has a fix-up for it, so that there is no context of its own. */
  private raiseGp(): void {
    const { stream } = this.machine;
    const { actor } = stream;
    stream.actor = 'hardware';
    this.emit(events.TrapRaised, this.cpu, this.task, VECTOR.GP, 0, this.pc);
    stream.actor = actor;
  }

  /** Size of an image. */
  private bytesOf(fpstate: number): number {
    return fpstate < this.at.tasks ? this.defaultArea.bytes : this.area.bytes;
  }

  /** #NM in the middle of a step: IA32_XFD disables a component that an instruction needs. */
  private refuseDisabled(needed: number): void {
    const disabled = disabledOf(this.machine.stream, this.cpu, needed);
    if (disabled === 0) return;
    this.emit(events.XfdErrWritten, this.cpu, disabled);
    this.emit(events.TrapRaised, this.cpu, this.task, VECTOR.NM, 0, this.pc);
    this.deliverNm();
    throw STEP_FAULTED;
  }

  xinuse(): number {
    return xinuse(this.machine.stream, this.cpu);
  }

  readRegister(component: number): number {
    return this.look(this.at.fpregs + this.cpu * this.at.components + this.indexOf(component));
  }

  writeRegister(component: number, value: number): void {
    this.indexOf(component);
    const { pkru } = this;
    this.emit(events.FpregsLoaded, this.cpu, component, value);
    this.watchPkru(pkru);
  }

  readFpstate(fpstate: number, component: number): number {
    return this.look(this.at.image + fpstate * this.at.components + this.indexOf(component));
  }

  writeFpstate(fpstate: number, component: number, value: number): void {
    this.indexOf(component);
    this.emit(events.FpstateWritten, fpstate, component, value);
  }

  xstateBv(fpstate: number): number {
    return this.look(this.at.xstateBv + fpstate);
  }

  writeXstateBv(fpstate: number, xfeatures: number): void {
    this.emit(events.XstateBvWritten, fpstate, xfeatures);
  }

  headerOf(fpstate: number): number {
    return this.look(this.at.header + fpstate);
  }

  writeHeader(fpstate: number, header: number): void {
    this.emit(events.HeaderWritten, fpstate, header);
  }

  private indexOf(component: number): number {
    const index = this.at.indexOfBit[component];
    if (index < 0) this.refuseStep(`uses ${componentName(component)}, which this machine does not have`);
    return index;
  }

  // --- tracers and core dumps ------------------------------------------------------------------------------------

  /** traceCode() of what is asked. */
  private get request(): number {
    return this.words[this.localWord(this.contextFrame(), 1)];
  }

  get regset(): number {
    return regsetComponents(this.request, this.xfeatures);
  }

  get tracedHeader(): number {
    return tracedHeader(this.request);
  }

  get regsetExists(): boolean {
    return hasRegset(this.machine.model, this.request);
  }

  showFpstate(fpstate: number, xfeatures = this.regset): void {
    const inUse = this.xstateBv(fpstate);
    for (const bit of bitsOf(xfeatures))
      this.showValue(bit, inUse & (1 << bit) ? this.readFpstate(fpstate, bit) : INIT);
  }

  showValue(component: number, value: number): void {
    this.emit(events.FpstateShown, this.cpu, this.task, this.target, component, value);
  }

  takeFromTracer(fpstate: number, xfeatures = this.regset): void {
    const { target } = this;
    const value = valueId(principalOfTask(target), nextSerial(this.look(this.at.serial + target)));
    for (const bit of bitsOf(xfeatures)) this.emit(events.FpstateTraced, this.cpu, target, fpstate, bit, value);
  }

  isAlive(task: number): boolean {
    this.machine.stream.touchedShared = true;
    return task >= 0 && this.look(this.at.lifecycle + task) === LIFECYCLE.alive;
  }

  isStopped(task: number): boolean {
    this.machine.stream.touchedShared = true;
    return this.look(this.at.stopped + task) !== 0;
  }

  /** It has stopped for its tracer, and has left its CPU: wait_task_inactive(). */
  get targetIsStopped(): boolean {
    const { target } = this;
    const running = this.words.subarray(this.at.current, this.at.current + this.at.cpus);
    return this.isStopped(target) && !running.includes(target);
  }

  /** The task waits until its tracer lets it go on. */
  stopForTracer(): void {
    this.emit(events.TaskStopped, this.cpu, this.task);
    this.call('schedule');
  }

  // --- user memory -----------------------------------------------------------------------------------------------

  saveToUser(xfeatures = this.allMask): boolean {
    const frame = this.fpstateOf(this.task, 'sigframe');
    return this.frameIsThere() && (this.save(frame, xfeatures), true);
  }

  restoreFromUser(xfeatures = this.allMask): UserRestore {
    this.needDeclaration('loads registers');
    const frame = this.fpstateOf(this.task, 'sigframe');
    if (this.frameIsThere()) return this.restore(frame, xfeatures) ? 'ok' : 'general-protection';
    const loaded = this.machine.choose(CHOICE.fault, this.machine.faultAlternatives) & xfeatures;
    this.refuseDisabled(loadedFrom(this.machine.stream, frame, loaded));
    if (loaded !== 0) this.emit(events.FpregsRestored, this.cpu, frame, loaded, this.area.bytes, this.area.restore);
    return 'page-fault';
  }

  copyToUser(fpstate: number): boolean {
    const to = this.fpstateOf(this.task, 'sigframe');
    return this.frameIsThere() && (this.copyFpstate({ from: fpstate, to }), true);
  }

  copyFromUser(fpstate: number, xfeatures?: number): boolean {
    const from = this.fpstateOf(this.task, 'sigframe');
    if (!this.frameIsThere()) return false;
    if (xfeatures === undefined) this.copyFpstate({ from, to: fpstate });
    else this.copyComponents(from, fpstate, xfeatures);
    return true;
  }

  private copyComponents(from: number, to: number, xfeatures: number): void {
    for (const bit of this.at.componentBits) {
      if (xfeatures & (1 << bit)) this.writeFpstate(to, bit, this.readFpstate(from, bit));
    }
    this.writeXstateBv(to, (this.xstateBv(to) & ~xfeatures) | (this.xstateBv(from) & xfeatures));
  }

  leaveOutOfFrame(): void {
    this.emit(events.HeaderWritten, this.fpstateOf(this.task, 'sigframe'), HEADER.absent);
  }

  faultIn(): boolean {
    this.emit(events.MightSleepReached, this.cpu, this.task, this.status);
    if (this.framePages === FRAME_PAGES.gone) return false;
    const how = this.machine.choose(CHOICE.page, this.machine.pageInAlternatives);
    const pages = how === PAGE.gone ? FRAME_PAGES.gone : FRAME_PAGES.there;
    if (this.framePages !== pages) this.emit(events.FramePagesChanged, this.task, pages);
    if (how === PAGE.sleep) this.goToSleep();
    return how !== PAGE.gone;
  }

  /** Whether the pages of the current task's signal frame are in memory: once an access has found out, they stay. */
  private frameIsThere(): boolean {
    if (this.framePages !== FRAME_PAGES.unknown) return this.framePages === FRAME_PAGES.there;
    if (this.machine.choose(CHOICE.page, this.machine.accessAlternatives) === PAGE.missing) return false;
    this.emit(events.FramePagesChanged, this.task, FRAME_PAGES.there);
    return true;
  }

  /** A place for the signal frame on the user's stack, of which nobody knows whether its pages are there. */
  placeFrame(): void {
    this.emit(events.FramePlaced, this.cpu, this.task);
  }

  /** The rest of the signal frame is written, or faults for good: local 1 says so. */
  completeFrame(): void {
    const { accessAlternatives } = this.machine;
    if (this.machine.choose(CHOICE.page, accessAlternatives) === PAGE.missing) this.setLocal(1, 1);
  }

  /** From here on the frame holds the task's state, and its handler's is a fresh one. */
  commitFrame(): void {
    this.emit(events.FrameCompleted, this.cpu, this.task, this.xfeatures & USER_COMPONENTS);
    this.setNewPkru();
  }

  /** The task goes on in its handler. By then the pages of its frame may be gone again. */
  enterHandler(handler: number): void {
    if (this.framePages !== FRAME_PAGES.unknown) this.emit(events.FramePagesChanged, this.task, FRAME_PAGES.unknown);
    this.emit(events.HandlerEntered, this.cpu, this.task, handler);
  }

  /** The task returns through its frame: it asks for what that holds. */
  returnThroughFrame(): void {
    const { restored, initialised } = returningThrough(
      this.headerOf(this.fpstateOf(this.task, 'sigframe')),
      this.xfeatures,
    );
    this.emit(events.FrameReturned, this.cpu, this.task, restored, initialised);
  }

  /** By the ABI a new program, and a handler, has the kernel's PKRU. */
  setNewPkru(): void {
    if (!this.machine.restrictivePkru || this.at.indexOfBit[PKRU] < 0) return;
    this.emit(events.ArchitecturalSet, this.task, PKRU, DEFAULT_PKRU);
  }

  /** One access to user memory; local 0 says how it went. */
  accessUserMemory(): void {
    this.emit(events.UserMemoryAccessed, this.cpu, this.task, this.pkru, this.expectedPkru);
    const how = this.machine.choose(CHOICE.page, this.machine.accessAlternatives);
    this.setLocal(0, how === PAGE.missing ? ACCESS.faulted : ACCESS.over);
  }

  /** The page comes, after a while or at once, or it never does: -EFAULT. */
  faultInUserMemory(): void {
    this.emit(events.MightSleepReached, this.cpu, this.task, this.status);
    const how = this.machine.choose(CHOICE.page, this.machine.pageInAlternatives);
    this.setLocal(0, how === PAGE.gone ? ACCESS.over : ACCESS.goesOn);
    if (how === PAGE.sleep) this.goToSleep();
  }

  /** The PKRU register; INIT on processors that have none. */
  private get pkru(): number {
    return this.pkruWord < 0 ? INIT : this.look(this.pkruWord);
  }

  /** The PKRU under which the current task may access user memory. */
  private get expectedPkru(): number {
    const index = this.at.indexOfBit[PKRU];
    if (index < 0) return INIT;
    if (!this.machine.isKernelThread(this.task)) {
      return this.look(this.at.architectural + this.task * this.at.components + index);
    }
    return this.machine.restrictivePkru ? DEFAULT_PKRU : INIT;
  }

  /** The debug watch that was thought of in June 2018: says which step changed PKRU inside a kernel FPU section. */
  private watchPkru(before: number): void {
    const { pkru } = this;
    if (pkru === before || !this.machine.isInKernelFpuSection(this.task)) return;
    this.emit(events.KernelPkruChanged, this.cpu, this.task, this.pc, before, pkru);
  }

  private get framePages(): number {
    return this.look(this.at.framePages + this.task);
  }

  // --- registers without memory, memory without registers --------------------------------------------------------

  skipRestore(task: number): void {
    this.emit(events.RestoreSkipped, this.cpu, task);
  }

  initFpregs(xfeatures = this.allMask): void {
    this.needDeclaration('loads registers');
    const { pkru } = this;
    this.emit(events.FpregsInitialised, this.cpu, xfeatures);
    this.watchPkru(pkru);
  }

  isAllocated(fpstate: number): boolean {
    return this.look(this.at.allocated + fpstate) !== 0;
  }

  allocate(fpstate: number): void {
    this.emit(events.FpstateAllocated, fpstate);
  }

  free(fpstate: number): void {
    this.emit(events.FpstateFreed, fpstate);
  }

  initFpstate(fpstate: number): void {
    this.emit(events.FpstateInitialised, fpstate);
  }

  copyFpstate({ from, to }: { readonly from: number; readonly to: number }): void {
    this.emit(events.FpstateCopied, from, to);
  }

  saveVcpu(): void {
    const { bytes, save } = this.vcpuArea;
    this.emit(events.FpregsSaved, this.cpu, this.vcpuFpstate, this.allMask, bytes, save);
  }

  restoreVcpu(): void {
    const { bytes, restore } = this.vcpuArea;
    this.emit(events.FpregsRestored, this.cpu, this.vcpuFpstate, this.allMask, bytes, restore);
  }

  clobberByOtherGuest(): void {
    for (const bit of this.at.componentBits) {
      this.emit(events.FpregsWritten, this.cpu, bit, valueId(PRINCIPAL.otherGuest, 1));
    }
  }

  /** A kernel FPU section computes: its component gets a new value, which local 1 remembers. */
  useKernelFpu(): void {
    const value = valueId(PRINCIPAL.kernel, nextSerial(this.look(this.at.kernelSerial)));
    this.emit(events.FpregsWritten, this.cpu, this.kernelComponent, value);
    this.setLocal(1, value);
  }

  /** A kernel FPU section relies on what it computed before. */
  checkKernelFpu(): void {
    this.machine.stream.footprint?.readFpu(this.cpu, this.task);
    const index = this.at.indexOfBit[this.kernelComponent];
    const value = this.words[this.at.fpregs + this.cpu * this.at.components + index];
    this.emit(events.KernelFpregsChecked, this.cpu, this.task, this.kernelComponent, value, this.local(1));
  }

  // --- masks -----------------------------------------------------------------------------------------------------

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

  // --- locals, calls, sleeping -----------------------------------------------------------------------------------

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

  private goToSleep(): void {
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

  // --- plumbing --------------------------------------------------------------------------------------------------

  /** Frames on the current task's stack. */
  get depth(): number {
    return this.words[this.at.depth + this.task];
  }

  /** The frame of the running context, below the routines that it called. */
  private contextFrame(): number {
    let frame = this.depth - 1;
    while (frame > 0 && this.words[this.statusWord(frame)] & CALLED) frame--;
    return frame;
  }

  private localWord(frame: number, index: number): number {
    return this.at.frameLocal + (this.task * this.at.stackDepth + frame) * LOCALS + index;
  }

  /** An FPU instruction can fault, so the engine has to know of it before the step has any effect. */
  private needDeclaration(what: string): void {
    if (this.usesFpu) return;
    const problem = `${what} but does not say that it executes an FPU instruction, which could raise #NM`;
    this.refuseStep(problem, { hint: "declare it: step(name, run, { instruction: 'xsave' })" });
  }

  /** Code of a policy or platform did what no kernel code may. */
  private refuseStep(problem: string, detail: ErrorDetail = {}): never {
    throw new FpuError('FPU209', `the step '${this.step}' ${problem}`, { step: this.step, ...detail });
  }

  /** A word that may lie elsewhere than where this CPU and its current task are: the footprint has to know. */
  private look(word: number): number {
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
