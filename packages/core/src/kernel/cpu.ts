import * as events from '../machine/events';
import { CPU_STATE, FRAME_PAGES, HEADER } from '../machine/state';
import { DEFAULT_PKRU, INIT, nextSerial, principalOfTask, valueId } from '../machine/values';
import { PKRU, USER_COMPONENTS, bitsOf } from '../x86/components';
import { CR0_RESET, CR0_TS } from '../x86/control-registers';
import { CHOICE, PAGE } from './choices';
import type { Cr0Access, Hypervisor, UserRestore } from './kernel';
import { returningThrough } from './exit-to-user';
import { ACCESS } from './user-access';
import { hasRegset, regsetComponents, requestOf, tracedHeader } from './trace-request';
import { callOthers, othersAreCalled } from './call-function';
import { isKilled, killOthers, othersAlive, wakeExecing, type ExecingThread } from './de-thread';
import { allocatePasid, dropPasid, pasidOf, someLives } from './sva';
import { loadedFrom } from './xfd';
import { CpuFpu } from './cpu-fpu';

/** One CPU, as the code that runs on it sees it. */
export class Cpu extends CpuFpu implements Hypervisor {
  // --- CR0 ----------------------------------------------------------------------------------------------------------

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

  // --- CPUs that go down and come up --------------------------------------------------------------------------------

  /** The task that suspends the machine; NOBODY while nobody does. */
  get frozenBy(): number {
    this.machine.stream.touchedShared = true;
    return this.look(this.at.frozenBy);
  }

  freezeOthers(frozen: boolean): void {
    const { frozenBy } = this.at;
    if (frozen) this.emit(events.TasksFrozen, frozenBy, this.task);
    else this.emit(events.TasksThawed, frozenBy);
  }

  /** One of CPU_STATE. Other CPUs change it. */
  stateOfCpu(cpu: number): number {
    this.machine.stream.touchedShared = true;
    return this.look(this.at.cpuState + cpu);
  }

  /** The others first. */
  cpusThatAre(state: number): readonly number[] {
    const cpus = Array.from({ length: this.at.cpus }, (_, turn) => (this.cpu + 1 + turn) % this.at.cpus);
    return cpus.filter((cpu) => this.stateOfCpu(cpu) === state);
  }

  choose(kind: number, alternatives: readonly number[]): number {
    return this.machine.choose(kind, alternatives);
  }

  /** INIT reaches this CPU. */
  receiveInit(): void {
    this.emit(events.InitReceived, this.cpu);
    this.resetCr0();
  }

  /** The machine loses its power: this CPU, and those that are down already. */
  losePower(): void {
    for (const cpu of [...this.cpusThatAre(CPU_STATE.dead), this.cpu]) this.emit(events.PowerLost, cpu);
    this.resetCr0();
  }

  private resetCr0(): void {
    const { reset } = this.machine.platform;
    if (reset === undefined) this.setRealCr0(CR0_RESET);
    else this.asPlatform(() => reset(this));
  }

  recordHypercall(number: number, argument: number): void {
    this.emit(events.HypercallMade, this.cpu, this.task, number, argument);
  }

  /** What the platform does with CR0 is the platform's doing. */
  private byPlatform<T>(access: (cr0: Cr0Access) => T): T {
    return this.asPlatform(() => access(this.machine.platform.cr0));
  }

  private asPlatform<T>(act: () => T): T {
    const { platform, stream } = this.machine;
    const { actor } = stream;
    stream.actor = platform.id;
    const result = act();
    stream.actor = actor;
    return result;
  }

  // --- tracers and core dumps ---------------------------------------------------------------------------------------

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

  get tracerMarksDynamic(): boolean {
    return requestOf(this.request) === 'write-dynamic';
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

  // --- user memory --------------------------------------------------------------------------------------------------

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

  faultIn(frameSaysHowFar = false): boolean {
    this.emit(events.MightSleepReached, this.cpu, this.task, this.status);
    if (this.framePages === FRAME_PAGES.gone) return false;
    if (this.framePages === FRAME_PAGES.endGone) return frameSaysHowFar;
    const how = this.machine.choose(CHOICE.page, this.machine.pageInAlternatives);
    const pages = how === PAGE.gone ? FRAME_PAGES.gone : FRAME_PAGES.there;
    if (this.framePages !== pages) this.emit(events.FramePagesChanged, this.task, pages);
    if (how === PAGE.sleep) this.goToSleep();
    return how !== PAGE.gone;
  }

  /** Whether the pages of the current task's signal frame are in memory: once an access has found out, they stay. */
  frameIsThere(): boolean {
    if (this.framePages !== FRAME_PAGES.unknown) return this.framePages === FRAME_PAGES.there;
    if (this.machine.choose(CHOICE.page, this.machine.accessAlternatives) === PAGE.missing) return false;
    this.emit(events.FramePagesChanged, this.task, FRAME_PAGES.there);
    return true;
  }

  /** A place for the signal frame on the user's stack, of which nobody knows whether its pages are there. */
  placeFrame(): void {
    this.emit(events.FramePlaced, this.cpu, this.task);
  }

  /** The alternate stack is too small for the frame, unless the task has no FPU state, and nobody looked. */
  overflowAltstack(): void {
    if (this.headerOf(this.fpstateOf(this.task, 'sigframe')) === HEADER.absent) return;
    this.emit(events.FrameOverflowed, this.cpu, this.task);
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

  /** The PKRU under which the current task may access user memory. */
  private get expectedPkru(): number {
    const index = this.at.indexOfBit[PKRU];
    if (index < 0) return INIT;
    if (!this.machine.isKernelThread(this.task)) {
      return this.look(this.at.architectural + this.task * this.at.components + index);
    }
    return this.machine.restrictivePkru ? DEFAULT_PKRU : INIT;
  }

  /** munmap() of the memory where another thread has its signal frame. */
  unmapFrame(): void {
    if (this.look(this.at.framePages + this.target) === FRAME_PAGES.gone) return;
    this.emit(events.FramePagesChanged, this.target, FRAME_PAGES.gone);
  }

  private get framePages(): number {
    if (this.machine.unmapsFrames) this.machine.stream.touchedShared = true;
    return this.look(this.at.framePages + this.task);
  }

  // --- shared virtual addressing ------------------------------------------------------------------------------------

  get mmPasid(): number {
    return pasidOf(this.machine.stream, this.leader);
  }

  private get leader(): number {
    return this.machine.processOf(this.task);
  }

  /** The process gets a PASID, if it has none; that takes a mutex, and memory. False where there is none left. */
  bindSva(): boolean {
    if (!this.allocationMaySleep()) return false;
    const { cpu, leader } = this;
    allocatePasid(this.machine.stream, { cpu, leader });
    return true;
  }

  callOthers(): void {
    callOthers(this.machine.stream, this.cpu, this.machine.threadsOf(this.leader));
  }

  get othersAreCalled(): boolean {
    return othersAreCalled(this.machine.stream, this.cpu);
  }

  /** This CPU has run the function that another one asked for. */
  finishCall(): void {
    this.machine.stream.touchedShared = true; // somebody waits for it
    this.emit(events.FunctionRun, this.cpu);
  }

  killOtherThreads(): void {
    killOthers(this.machine.stream, this.asThread);
  }

  get otherThreadsLive(): boolean {
    return othersAlive(this.machine.stream, this.asThread).length > 0;
  }

  /** Another thread of the process has called execve(). */
  get isKilled(): boolean {
    return isKilled(this.machine.stream, this.task);
  }

  /** The current task is dead: somebody may wait for that. */
  wakeExecingThread(): void {
    wakeExecing(this.machine.stream, this.asThread);
  }

  private get asThread(): ExecingThread {
    const { cpu, task } = this;
    return { cpu, task, threads: this.machine.threadsOf(this.leader) };
  }

  /** execve() puts another mm in the place of the old one. Threads that share one do it only where they begin, and keep it. */
  replaceMm(): void {
    const { cpu, leader } = this;
    const { stream } = this.machine;
    if (this.at.mmPasid < 0) return;
    const isAlone = this.machine.threadsOf(leader).length === 1 || (this.at.execState >= 0 && !this.otherThreadsLive);
    if (isAlone) dropPasid(stream, { cpu, leader });
  }

  /** The current task is dead: with the last thread of a process its mm goes. */
  leaveMm(): void {
    const { cpu, leader } = this;
    const { stream } = this.machine;
    if (this.at.mmPasid >= 0 && !someLives(stream, this.machine.threadsOf(leader))) dropPasid(stream, { cpu, leader });
  }
}
