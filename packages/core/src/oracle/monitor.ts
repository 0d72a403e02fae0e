/** Watches a machine for what must never happen. */
import * as events from '../machine/events';
import { CONTEXT, contextOf, isAtomic } from '../machine/frames';
import { CPU_STATE, LIFECYCLE, ORACLE_SLOTS, type CoreOffsets, type MachineState } from '../machine/state';
import type { EventStream } from '../machine/stream';
import { DEFAULT_PKRU, INIT, principalOfTask, writerOf } from '../machine/values';
import { PASID, PKRU, SUPERVISOR_COMPONENTS, TILECFG, hasComponent } from '../x86/components';
import { VECTOR } from '../x86/faults';
import type { Belief, DynamicState, ReadSlot } from '../plugin/plugin';
import { slotOf } from '../machine/events/changes';
import { believesPopulated, wrongPasid, type Pasids } from './pasid';
import { checkXfd, currentFirst, overrunWatcher, type Report } from './dynamic-state';
import { ORACLE, ORACLES, VALIDITY, type OracleId } from './oracles';

/** What the monitor has to know about the machine around the state. */
export interface MonitoredMachine {
  readonly stream: EventStream;
  /** True when the kernel receives a trap before user code gets at FPU registers; the platform knows. */
  trapsUserFpu(cpu: number): boolean;
  /** True when the guest's registers are in the processor, false when they are in the image of the vCPU. */
  registersLive(cpu: number): boolean;
  /** The image in which the hypervisor keeps a vCPU's registers. */
  vcpuFpstate(cpu: number): number;
  /** True when the step at which a context was entered expects #NM there. */
  nmExpectedAt(pc: number): boolean;
  /** False for kernel threads and IO workers: what is in their images nobody will ever see. */
  runsUserCode(task: number): boolean;
  /** Where some task runs a guest. */
  readonly guests?: Guests | undefined;
  /** Address of the kernel's #NM entry. */
  readonly nmEntry: number;
  /** The oracles that report. */
  readonly oracles: readonly OracleId[];
  /** What the policy takes for valid, where it says so. */
  readonly belief?: Belief | undefined;
  /** Who has which PASID, where the kernel enables them. */
  readonly pasids?: Pasids | undefined;
  /** How the kernel enables components per task, if it does. */
  readonly dynamicState?: DynamicState;
}

/** The guests of KVM in a machine. */
export interface Guests {
  /** The guest that a task runs; NOBODY for most. */
  readonly guestOf: (task: number) => number;
  /** True for a guest that sets CR4.PKE: its accesses to memory obey PKRU. */
  readonly setsPke: (guest: number) => boolean;
}

/** Component of violations that concern no component. */
export const NO_COMPONENT = -1;

/** Checks the oracles of one machine: some after every step, some on the events that concern them. */
export class OracleMonitor {
  private readonly state: MachineState;
  /** By number of the oracle: whether it reports. */
  private readonly reports: readonly boolean[];
  private readonly watchesExposure: boolean;
  private readonly watchesLeaks: boolean;
  private readonly watchesXfd: boolean;
  /** Where somebody watches them. */
  private readonly pasids: Pasids | undefined;
  /** Index of PKRU among the components where somebody watches it; -1 else. */
  private readonly watchedPkru: number;
  /** By guest: the thread that runs it. */
  private readonly threadOf: readonly (number | undefined)[];
  /** By task: images of KVM in which its state may be. */
  private readonly kvmImages: readonly (readonly number[])[];
  /** By component: true where a policy keeps it in a slot per task, apart from the image, and switches it by itself. */
  private readonly hasOwnHome: readonly boolean[];
  /** By component: true where user code cannot read it. */
  private readonly isSupervisor: readonly boolean[];

  constructor(private readonly machine: MonitoredMachine) {
    this.state = machine.stream.state;
    this.reports = ORACLES.map((id) => machine.oracles.includes(id));
    this.watchesExposure = machine.oracles.includes('speculative-exposure');
    this.watchesLeaks = machine.oracles.includes('leak');
    this.watchesXfd = machine.dynamicState !== undefined && machine.oracles.includes('stale-msr');
    this.watchedPkru = machine.oracles.includes('pkru-mismatch') ? this.state.at.indexOfBit[PKRU] : -1;
    this.pasids = machine.oracles.includes('stale-msr') ? machine.pasids : undefined;
    this.isSupervisor = this.state.at.componentBits.map((bit) => hasComponent(SUPERVISOR_COMPONENTS, bit));
    const threads = Array.from({ length: this.state.at.tasks }, (_, task) => task);
    this.threadOf = threads.map((task) => threads.find((thread) => machine.guests?.guestOf(thread) === task));
    this.kvmImages = threads.map((task) => kvmImages(this.state.at, task, this.threadOf[task]));
    const { fields } = this.state.layout;
    this.hasOwnHome = this.state.at.componentBits.map((bit) =>
      fields.some(({ component, space }) => component === bit && space === 'task'),
    );
    this.watchReads();
    this.watchTileConfiguration();
    this.watchUpdates();
    this.watchKernelSections();
    this.watchKernelContexts();
    this.watchFrames();
    if (this.pasids) this.watchEnqcmd(this.pasids);
    if (machine.oracles.includes('validity')) this.watchValidity();
    if (machine.dynamicState !== undefined && machine.oracles.includes('image-overrun')) this.watchOverruns();
  }

  /** After a step of `cpu`: what could user code see now? */
  afterStep(cpu: number): void {
    const { words, at } = this.state;
    const { belief } = this.machine;
    if (belief && this.reports[ORACLE.validity]) this.checkBelief(belief);
    const task = words[at.current + cpu];
    if (task < 0) return;
    const top = task * at.stackDepth + words[at.depth + task] - 1;
    const context = contextOf(words[at.frameStatus + top]);
    if (context === CONTEXT.guest) this.checkGuest(cpu, task);
    if (context !== CONTEXT.user) return;
    if (this.watchesExposure) this.checkExposed(cpu, task);
    if (this.watchesLeaks) this.checkVisible(cpu, task);
    if (this.watchedPkru >= 0) this.checkUserPkru(cpu, task);
    if (this.pasids) this.checkPasid(this.pasids, cpu, task);
    const { dynamicState, stream } = this.machine;
    if (dynamicState !== undefined && this.watchesXfd) checkXfd(stream, dynamicState, { cpu, task }, this.reportXfd);
  }

  /** The task that runs goes round in a loop of its kernel, and will for ever. */
  goesRound(cpu: number): void {
    const { words, at } = this.state;
    this.report('livelock', cpu, words[at.current + cpu], NO_COMPONENT, INIT, INIT);
  }

  /** What the guest can get at whatever it does next. Memory that it accesses without CR4.PKE asks for no PKRU. */
  private checkGuest(cpu: number, thread: number): void {
    const { guestOf, setsPke } = this.machine.guests as Guests;
    const guest = guestOf(thread);
    if (this.watchesExposure) this.checkExposed(cpu, guest);
    if (this.watchesLeaks) this.checkVisible(cpu, guest);
    if (this.watchedPkru >= 0 && setsPke(guest)) this.checkUserPkru(cpu, guest);
  }

  /** Whatever user code does next, it accesses memory. */
  private checkUserPkru(cpu: number, task: number): void {
    this.machine.stream.footprint?.readFpu(cpu, task);
    const { words, at } = this.state;
    const value = words[this.guestRegisters(cpu) + this.watchedPkru];
    const expected = words[at.architectural + task * at.components + this.watchedPkru];
    if (value !== expected) this.report('pkru-mismatch', cpu, task, this.watchedPkru, value, expected);
  }

  private checkPasid({ processOf }: Pasids, cpu: number, task: number): void {
    const { words, at } = this.state;
    const index = at.indexOfBit[PASID];
    const expected = wrongPasid(this.machine.stream, { cpu, task, leader: processOf(task) });
    if (expected === undefined) return;
    this.report('stale-msr', cpu, task, index, words[at.fpregs + cpu * at.components + index], expected);
  }

  private watchEnqcmd({ processOf, activated }: Pasids): void {
    const { stream } = this.machine;
    if (activated === undefined) return;
    stream.watch(events.TrapRaised, (cpu, task, vector, user) => {
      if (vector !== VECTOR.GP || user === 0) return;
      const leader = processOf(task);
      if (!believesPopulated(stream, activated, { cpu, task, leader })) return;
      const { words, at } = this.state;
      this.report('stale-msr', cpu, task, at.indexOfBit[PASID], INIT, words[at.mmPasid + leader]);
    });
  }

  private readonly reportXfd: Report = (oracle, cpu, task, component) => {
    const { words, at } = this.state;
    const index = at.indexOfBit[component];
    const value = words[at.fpregs + cpu * at.components + index];
    this.report(oracle, cpu, task, index, value, words[at.architectural + task * at.components + index]);
  };

  /** Saves change validity too. */
  private watchOverruns(): void {
    const checksValidity = this.machine.oracles.includes('validity');
    const checkOverrun = overrunWatcher(this.machine.stream, this.reportXfd);
    this.machine.stream.watch(events.FpregsSaved, (...fields) => {
      checkOverrun(...fields);
      if (checksValidity) this.updateValidity();
    });
  }

  private checkExposed(cpu: number, task: number): void {
    const { words, at } = this.state;
    this.machine.stream.footprint?.readFpu(cpu, task);
    for (let index = 0; index < at.components; index++) {
      const value = words[at.fpregs + cpu * at.components + index];
      if (this.isForeign(task, index, value)) this.report('speculative-exposure', cpu, task, index, value, INIT);
    }
  }

  private checkVisible(cpu: number, task: number): void {
    const { words, at } = this.state;
    if (this.machine.trapsUserFpu(cpu)) return;
    this.machine.stream.footprint?.readFpu(cpu, task);
    const base = this.guestRegisters(cpu);
    const disabled = at.xfd < 0 ? 0 : words[at.xfd + cpu];
    for (let index = 0; index < at.components; index++) {
      if (disabled & (1 << at.componentBits[index])) continue;
      const value = words[base + index];
      if (this.isForeign(task, index, value)) {
        this.report('leak', cpu, task, index, value, words[at.architectural + task * at.components + index]);
      }
    }
  }

  /** Word index of a CPU's registers as its guest finds them: a hypervisor loads them before they are used. */
  private guestRegisters(cpu: number): number {
    const { at } = this.state;
    return this.machine.registersLive(cpu)
      ? at.fpregs + cpu * at.components
      : at.image + this.machine.vcpuFpstate(cpu) * at.components;
  }

  /** A value that a task has no right to: another principal's, or one from before its execve(). */
  private isForeign(task: number, index: number, value: number): boolean {
    if (value === INIT || value === DEFAULT_PKRU || this.isSupervisor[index]) return false;
    const { words, at } = this.state;
    const architectural = words[at.architectural + task * at.components + index];
    if (value === architectural) return false;
    return writerOf(value) !== principalOfTask(task) || (architectural === INIT && this.isExeced(task, index));
  }

  /** True for a component that is INIT since execve(), and not by the task's own doing. */
  private isExeced(task: number, index: number): boolean {
    const { words, at } = this.state;
    return (words[at.execed + task] & (1 << at.componentBits[index])) !== 0;
  }

  private watchReads(): void {
    this.machine.stream.watch(events.FpregsRead, (cpu, task, component, value) => {
      const { words, at } = this.state;
      const index = at.indexOfBit[component];
      const expected = words[at.architectural + task * at.components + index];
      if (value === expected || this.isSupervisor[index]) return; // the device sees it, and its oracle has
      if (expected === INIT && this.isExeced(task, index)) return;
      this.report('lost-update', cpu, task, index, value, expected);
    });
    this.machine.stream.watch(events.FpstateShown, (cpu, task, target, component, value) => {
      const { words, at } = this.state;
      const index = at.indexOfBit[component];
      const expected = words[at.architectural + target * at.components + index];
      if (value === expected) return;
      // What the reader wrote itself is no secret: it is merely not what the target has.
      const isOwn = target !== task && writerOf(value) === principalOfTask(task);
      const isSecret = this.isForeign(target, index, value) && !isOwn;
      this.report(isSecret ? 'leak' : 'lost-update', cpu, task, index, value, expected);
    });
  }

  /** Without TILECFG tile instructions raise #UD, and read nothing: a task that has configured its tiles has lost that. */
  private watchTileConfiguration(): void {
    const { stream } = this.machine;
    const index = this.state.at.indexOfBit[TILECFG];
    if (index < 0) return;
    stream.watch(events.TrapRaised, (cpu, task, vector, user) => {
      if (vector !== VECTOR.UD || user === 0) return;
      stream.footprint?.readFpu(cpu, task);
      const { words, at } = this.state;
      const value = words[this.guestRegisters(cpu) + index];
      const expected = words[at.architectural + task * at.components + index];
      if (value === INIT && expected !== INIT) this.report('lost-update', cpu, task, index, value, expected);
    });
  }

  /** Who changes a part of a component has to start from what the task has there. That changes validity too. */
  private watchUpdates(): void {
    const checksValidity = this.machine.oracles.includes('validity');
    this.machine.stream.watch(events.FpstateChanged, (cpu, task, _fpstate, component, base) => {
      const { words, at } = this.state;
      const index = at.indexOfBit[component];
      const expected = words[at.architectural + task * at.components + index];
      if (base !== expected) this.report('lost-update', cpu, task, index, base, expected);
      if (checksValidity) this.updateValidity();
    });
  }

  private watchKernelSections(): void {
    this.machine.stream.watch(events.KernelFpregsChecked, (cpu, task, component, value, expected) => {
      const index = this.state.at.indexOfBit[component];
      if (value !== expected) this.report('kernel-fpu-clobber', cpu, task, index, value, expected);
    });
  }

  /** The frame is an image, too: what is saved last lies below the alternate stack. */
  private watchFrames(): void {
    this.machine.stream.watch(events.FrameOverflowed, (cpu, task) => {
      this.report('image-overrun', cpu, task, this.state.at.components - 1, INIT, INIT);
    });
  }

  private watchKernelContexts(): void {
    const { stream } = this.machine;
    stream.watch(events.UserMemoryAccessed, (cpu, task, value, expected) => {
      if (value !== expected) this.report('pkru-mismatch', cpu, task, this.state.at.indexOfBit[PKRU], value, expected);
    });
    const faulted = (cpu: number, task: number): void => {
      this.report('unexpected-fault', cpu, task, NO_COMPONENT, INIT, INIT);
    };
    stream.watch(events.StackOverflowed, faulted);
    stream.watch(events.KernelPanicked, faulted);
    stream.watch(events.MightSleepReached, (cpu, task, status) => {
      if (isAtomic(status)) this.report('atomic-sleep', cpu, task, NO_COMPONENT, INIT, INIT);
    });
    stream.watch(events.ContextEntered, (cpu, task, pc) => {
      if (pc !== this.machine.nmEntry) return;
      const { words, at } = this.state;
      const below = task * at.stackDepth + words[at.depth + task] - 2;
      if (contextOf(words[at.frameStatus + below]) === CONTEXT.user) return;
      if (this.machine.nmExpectedAt(words[at.framePc + below])) return;
      faulted(cpu, task);
    });
  }

  private watchValidity(): void {
    const all = (): void => this.updateValidity();
    for (const type of CONCERN_VALIDITY) this.machine.stream.watch(type, all);
    if (this.machine.belief) this.watchBelief();
  }

  /**
   * What a policy believes of a task is compared with registers that may be another CPU's: steps that change either are no private
   * matter of the CPU that takes them, and partial order leaves them where they are.
   */
  private watchBelief(): void {
    const { stream } = this.machine;
    const touch = (): void => {
      stream.touchedShared = true;
    };
    for (const type of [...CONCERN_VALIDITY, events.SlotWritten]) stream.watch(type, touch);
  }

  /** Whatever a policy takes for a task's latest state has to be that, in every component. */
  private checkBelief(belief: Belief): void {
    this.machine.stream.footprint?.readEverything();
    const { words, at } = this.state;
    const read: ReadSlot = (slot, instance) => words[slot.base + instance];
    for (let task = 0; task < at.tasks - at.cpus; task++) {
      const cpu = belief.registersOn(read, task);
      const inMemory = belief.inMemory(read, task);
      if ((cpu < 0 && !inMemory) || !this.isSettled(task) || this.isDown(cpu)) continue;
      for (let index = 0; index < at.components; index++) {
        if (this.hasOwnHome[index]) continue;
        const latest = words[at.architectural + task * at.components + index];
        const claimed = [
          ...(cpu < 0 ? [] : [words[this.guestRegisters(cpu) + index]]),
          ...(inMemory ? [this.inImage(this.ownImage(task), index)] : []),
        ];
        const wrong = claimed.find((value) => value !== latest);
        if (wrong !== undefined) this.report('validity', words[at.lastRan + task], task, index, wrong, latest);
      }
    }
  }

  /** True for a CPU that runs nothing, and whose owner is looked at only when it has come up again. */
  private isDown(cpu: number): boolean {
    const { words, at } = this.state;
    if (cpu < 0 || at.cpuState < 0) return false;
    const state = words[at.cpuState + cpu];
    return state === CPU_STATE.dead || state === CPU_STATE.starting;
  }

  /** False while there is nothing to be valid, and while execve(), a signal frame or fork() moves what there is. */
  private isSettled(task: number): boolean {
    const validity = this.validityOf(task);
    return validity !== VALIDITY.unused && validity !== VALIDITY.transit;
  }

  private updateValidity(): void {
    const { words, at } = this.state;
    this.machine.stream.footprint?.readEverything();
    for (let task = 0; task < at.tasks; task++) {
      const from = words[at.validity + task];
      const to = this.validityOf(task);
      if (from === to) continue;
      this.machine.stream.emit(events.ValidityChanged, task, from, to);
      if (isIllegal(from, to)) this.reportValidity(task);
    }
  }

  /** `value` is what the registers hold instead of the latest value that is lost; nothing when none is lost yet. */
  private reportValidity(task: number): void {
    const { words, at } = this.state;
    const cpu = words[at.lastRan + (this.threadOf[task] ?? task)];
    const index = this.firstLost(task);
    const value = index < 0 ? INIT : words[this.guestRegisters(Math.max(cpu, 0)) + index];
    const latest = index < 0 ? INIT : words[at.architectural + task * at.components + index];
    this.report('validity', cpu, task, index, value, latest);
  }

  private firstLost(task: number): number {
    const { words, at } = this.state;
    for (let index = 0; index < at.components; index++) {
      if (this.hasOwnHome[index] || this.isUpdated(task, index)) continue;
      if (isConstant(words[at.architectural + task * at.components + index])) continue;
      if (this.placesOf(task, index) === NOWHERE) return index;
    }
    return NO_COMPONENT;
  }

  /** Where the latest value of a component is: bits IN_CPU and IN_MEMORY; ELSEWHERE or NOWHERE if in neither. */
  private placesOf(task: number, index: number): number {
    const { words, at } = this.state;
    const latest = words[at.architectural + task * at.components + index];
    let places = NOWHERE;
    for (let cpu = 0; cpu < at.cpus; cpu++) if (this.inRegisters(cpu, index) === latest) places |= IN_CPU;
    const fpstate = this.ownImage(task);
    if (words[at.allocated + fpstate] && this.inImage(fpstate, index) === latest) places |= IN_MEMORY;
    for (const image of this.kvmImages[task]) if (this.inImage(image, index) === latest) places |= IN_MEMORY;
    return places === NOWHERE && this.isOnItsWay(task, index, latest) ? ELSEWHERE : places;
  }

  /** What XSAVE would store of a component. */
  private inRegisters(cpu: number, index: number): number {
    const { words, at } = this.state;
    const isDisabled = at.xfd >= 0 && words[at.xfd + cpu] & (1 << at.componentBits[index]);
    return isDisabled ? INIT : words[this.guestRegisters(cpu) + index];
  }

  /** The image in which the kernel keeps a task's state now. */
  private ownImage(task: number): number {
    const { dynamicState, stream } = this.machine;
    return (
      (dynamicState === undefined ? this.state.at.firstFpstate.task : currentFirst(stream, dynamicState, task)) + task
    );
  }

  /** What XRSTOR would load of a component. */
  private inImage(fpstate: number, index: number): number {
    const { words, at } = this.state;
    const isInUse = words[at.xstateBv + fpstate] & (1 << at.componentBits[index]);
    return isInUse ? words[at.image + fpstate * at.components + slotOf(this.state, fpstate, index)] : INIT;
  }

  /**
   * True while a fork holds the value in the image of a child that is not born yet (a born child's is its own), and while the task's
   * signal frame holds it.
   */
  private isOnItsWay(owner: number, index: number, value: number): boolean {
    const { words, at } = this.state;
    const { sigframe, fsave } = at.firstFpstate;
    if (sigframe >= 0 && this.inImage(sigframe + owner, index) === value) return true;
    if (fsave >= 0 && words[at.image + (fsave + owner) * at.components + index] === value) return true;
    for (let task = 0; task < at.tasks; task++) {
      if (words[at.lifecycle + task] !== LIFECYCLE.unborn || !words[at.allocated + task]) continue;
      if (words[at.image + task * at.components + index] === value) return true;
    }
    return false;
  }

  /** True while kernel code is about to update a component. */
  private isUpdated(task: number, index: number): boolean {
    const { words, at } = this.state;
    return at.updating >= 0 && (words[at.updating + task] & (1 << at.componentBits[index])) !== 0;
  }

  /** True from the moment that a signal frame is complete until the task is in its handler, which starts with INIT. */
  private isGoingToHandler(task: number): boolean {
    const { words, at } = this.state;
    if (at.resume < 0 || words[at.resume + task] >= 0) return false;
    const interrupted = at.interrupted + task * at.components;
    for (let index = 0; index < at.components; index++) if (words[interrupted + index] !== INIT) return true;
    return false;
  }

  /** The validity of a task's FPU context, by what registers and memory really hold. INIT cannot be lost. */
  private validityOf(task: number): number {
    const { words, at } = this.state;
    if (words[at.lifecycle + task] !== LIFECYCLE.alive || !this.machine.runsUserCode(task)) return VALIDITY.unused;
    let everywhere = IN_CPU | IN_MEMORY;
    let used = false;
    let lost = false;
    let transit = at.returning >= 0 && words[at.returning + task] !== 0;
    for (let index = 0; index < at.components; index++) {
      const latest = words[at.architectural + task * at.components + index];
      if (this.hasOwnHome[index] || latest === DEFAULT_PKRU || this.isUpdated(task, index)) continue;
      if (latest === INIT && this.isGoingToHandler(task)) continue; // nothing has put it there yet
      const places = this.placesOf(task, index);
      everywhere &= places;
      if (latest === INIT) continue;
      used = true;
      if (places === NOWHERE) lost = true;
      if (places === ELSEWHERE) transit = true;
    }
    if (!used) return VALIDITY.unused;
    if (lost) return VALIDITY.lost;
    if (transit) return VALIDITY.transit;
    if (everywhere === (IN_CPU | IN_MEMORY)) return VALIDITY.both;
    if (everywhere === IN_CPU) return VALIDITY.cpu;
    return everywhere === IN_MEMORY ? VALIDITY.memory : VALIDITY.split;
  }

  private report(oracle: OracleId, cpu: number, task: number, index: number, value: number, expected: number): void {
    const { words, at } = this.state;
    const component = index < 0 ? NO_COMPONENT : at.componentBits[index];
    const id = ORACLE[oracle];
    if (!this.reports[id]) return;
    if (words[at.reported + task * ORACLE_SLOTS + id] & events.reportedBit(component)) return;
    const { stream } = this.machine;
    const actor = stream.actor;
    stream.actor = 'oracle';
    stream.emit(events.OracleViolated, id, cpu, task, component, value, expected);
    stream.actor = actor;
  }
}

/**
 * While a thread runs a guest, its own state is in an image that KVM has for that. The guest's is in KVM's other one, or before Linux 5.16 in the
 * thread's while that is switched out.
 */
function kvmImages({ firstFpstate }: CoreOffsets, task: number, thread: number | undefined): readonly number[] {
  const { guest, user, task: first } = firstFpstate;
  if (thread !== undefined) return guest < 0 ? [] : [guest + thread, first + thread];
  return user < 0 ? [] : [user + task];
}

/** INIT and the kernel's default PKRU cannot be lost. */
function isConstant(value: number): boolean {
  return value === INIT || value === DEFAULT_PKRU;
}

/** Events after which the validity of a task may be another one. */
const CONCERN_VALIDITY = [
  events.FpregsInitialised,
  events.FpregsSaved,
  events.FpregsRestored,
  events.FpregsWritten,
  events.FpstateAllocated,
  events.FpstateFreed,
  events.FpstateInitialised,
  events.FpstateCopied,
  events.TaskForked,
  events.FpregsLoaded,
  events.FpregsReleased,
  events.PowerLost,
  events.XfdWritten,
  events.FpstateWritten,
  events.FpstateTraced,
  events.XstateBvWritten,
  events.FpregsGiven,
  events.RegisterStored,
  events.FpregsSavedAlone,
  events.UpdateFinished,
  events.FpregsReleased,
  events.ArchitecturalSet,
  events.FrameCompleted,
  events.FrameReturned,
  events.HandlerLeft,
  events.TaskExeced,
  events.TaskExiting,
];

const NOWHERE = 0;
const IN_CPU = 1;
const IN_MEMORY = 2;
const ELSEWHERE = 4;

/**
 * Losing a state is illegal, and so is writing registers that were not loaded first (2b to 1, or to a mixture).
 *
 * @see A. Lutomirski in the 2016 thread on delaying FPU register loading: states 1, 2a, 2b
 */
function isIllegal(from: number, to: number): boolean {
  if (to === VALIDITY.lost || to === VALIDITY.split) return true;
  return from === VALIDITY.memory && to === VALIDITY.cpu;
}
