/** Runs a machine: one atomic step after the other, every choice answered by a driver. */
import { assert, FpuError } from '../error';
import type { EventType } from '../machine/event-type';
import * as events from '../machine/events';
import { CONTEXT, IRQS_OFF, PREEMPT_OFF, contextOf } from '../machine/frames';
import { FRAME_PAGES, HEADER, LIFECYCLE } from '../machine/state';
import type { EventStream } from '../machine/stream';
import { nextSerial, principalOfTask, valueId } from '../machine/values';
import type { CpuModel } from '../x86/cpu-model';
import { PKRU, X87, hasComponent, xfeaturesName } from '../x86/components';
import { fpuFault, VECTOR } from '../x86/faults';
import { frameAbi, type Abi } from './abi';
import { ChoicePoint } from './choice-point';
import { controlFault } from './control-fault';
import { ACTION, ACTION_BITS, ALLOC, CHOICE, CHOICE_KINDS, PAGE, type ChoiceDriver } from './choices';
import {
  compileCode,
  type Code,
  type JumpInstruction,
  type OwnedRoutine,
  type ReturnInstruction,
  type StepInstruction,
} from './code';
import { Cpu } from './cpu';
import { CPU_STOPPED, STEP_FAULTED, type CpuMachine } from './cpu-core';
import { EXIT } from './guest';
import type { PlatformHook, PolicyHook } from './hooks';
import { VCPU_LOADED } from './kvm-run';
import { CALL_FUNCTION_ROUTINE } from './call-function';
import type { Interference } from './interference';
import type { MachinePlatform, Slot } from './kernel';
import type { CompiledOperation, FpuOperation, FrameOperation } from './program';
import { KERNEL_CALLS, KTHREAD_ROUTINE, PROGRAM_LOCAL, type TaskKind } from './kernel-thread';
import { Scheduler } from './scheduler';
import { IDLE_ROUTINE, KERNEL_FPU_BEGIN, KERNEL_FPU_SECTION, skeletonRoutines } from './skeleton';
import { traceCode } from './trace-request';
import { disabledOf } from './xfd';

/** A task as the engine runs it. Idle tasks come last and have no program. */
export interface EngineTask {
  readonly name: string;
  readonly code: readonly CompiledOperation[];
  /** First operation of the signal handler in `code`; -1 where there is none. */
  readonly handler: number;
  readonly unborn: boolean;
  readonly kind: TaskKind;
  /** Number of the task that stands for its process: its own, unless it is a thread of another one. */
  readonly process: number;
  readonly abi: Abi;
  /** Its signal frames do not fit the alternate stack of its handler. */
  readonly overflows: boolean;
  readonly idle: boolean;
  /** The guest that it runs; NOBODY for most tasks. */
  readonly guest: number;
  /** A guest that sets CR4.PKE. */
  readonly setsPke: boolean;
}

/** Everything that an engine is built from. */
export interface EngineParts {
  readonly stream: EventStream;
  /** The processor as the kernel sees it. */
  readonly model: CpuModel;
  /** The processor itself. */
  readonly host: CpuModel;
  /** The kernel uses XSAVES where it sees it. */
  readonly xsaves: boolean;
  /** It uses XSAVEOPT where it sees it. */
  readonly xsaveopt: boolean;
  /** A new program starts with the kernel's default PKRU rather than with INIT. */
  readonly restrictivePkru: boolean;
  /** It looks whether a signal frame fits the alternate stack. */
  readonly checksAltstack: boolean;
  readonly tasks: readonly EngineTask[];
  /** Routines of policies and platform. */
  readonly routines: readonly OwnedRoutine[];
  /** Their slots. */
  readonly slots: readonly Slot[];
  readonly interference: Interference;
  /** Counters pass their thresholds by choice. */
  readonly abstractCounters: boolean;
  readonly platform: MachinePlatform;
  readonly answers: (hook: PolicyHook | PlatformHook) => boolean;
}

/** Address that stands for user code in `trap.raised`: no step has it. */
const USER_CODE = 0;
/** In `task.created`: the task has no user code. */
const NO_PROGRAM = -1;
const ALLOC_NAMES = ['ok', 'sleep', 'fail'];
const WORK_NAMES = ['none', 'resched', 'signal', 'resched+signal'];
const PAGE_NAMES = ['there', 'missing', 'sleep', 'gone'];
const IDLE_NAMES = ['deep', 'shallow'];
/** Names of CPUs as alternatives of the choice `cpu`. */
const cpuName = (cpu: number): string => `cpu${cpu}`;
const ACTION_NAMES = ['continue', 'preempt', 'hardirq', 'softirq', 'vcpu', 'vm-exit', 'ipi'];

/** The stepping machine. Holds no state of its own beside the packed one: its fields are scratch or constant. */
export class Engine implements CpuMachine {
  readonly stream: EventStream;
  readonly model: CpuModel;
  readonly host: CpuModel;
  readonly xsaves: boolean;
  readonly xsaveopt: boolean;
  readonly restrictivePkru: boolean;
  readonly platform: EngineParts['platform'];
  readonly slots: readonly Slot[];
  readonly code: Code;
  readonly cpus: readonly Cpu[];
  readonly allocAlternatives: readonly number[];
  readonly faultAlternatives: readonly number[];
  readonly accessAlternatives: readonly number[];
  readonly pageInAlternatives: readonly number[];
  readonly abstractCounters: boolean;
  readonly unmapsFrames: boolean;
  readonly choices: ChoicePoint;
  /** Called after every step, with the CPU that took it. For oracles. */
  afterStep: ((cpu: number) => void) | undefined;
  /** The end of the loop from which the last step went back to its head, if it did. */
  lap: JumpInstruction | undefined;
  private readonly words: Int32Array;
  /** Scratch: whose program a choice of the kind `program` is about. */
  private deciding = 0;
  private readonly scheduler: Scheduler;
  /** By address: 1 where a kernel FPU section has begun and has not ended. */
  private readonly inSection: Uint8Array;
  /** By address: 1 where preempt notifiers of a vCPU are registered. */
  private readonly vcpuLoaded: Uint8Array;

  constructor(
    private readonly parts: EngineParts,
    driver: ChoiceDriver,
  ) {
    this.stream = parts.stream;
    this.model = parts.model;
    this.host = parts.host;
    this.xsaves = parts.xsaves;
    this.xsaveopt = parts.xsaveopt;
    this.restrictivePkru = parts.restrictivePkru;
    this.platform = parts.platform;
    this.slots = parts.slots;
    this.words = this.stream.state.words;
    this.allocAlternatives = allocAlternatives(parts.interference);
    const { userFaults = false, allocation } = parts.interference;
    this.unmapsFrames = parts.tasks.some(({ code }) => code.some((one) => 'name' in one && one.name === 'munmap'));
    const mayFault = userFaults || this.unmapsFrames;
    this.faultAlternatives = faultAlternatives(mayFault, parts.stream.state.at.componentBits);
    this.accessAlternatives = userFaults ? [PAGE.there, PAGE.missing] : [PAGE.there];
    this.pageInAlternatives = [
      PAGE.there,
      ...(allocation?.sleep ? [PAGE.sleep] : []),
      ...(userFaults ? [PAGE.gone] : []),
    ];
    this.abstractCounters = parts.abstractCounters;
    const own = skeletonRoutines({
      pickNext: (cpu) => this.scheduler.pickNext(cpu),
      childIsUnborn: (cpu) => {
        this.stream.touchedShared = true; // two parents may fork one child
        return this.lifecycle(this.cpus[cpu].child) === LIFECYCLE.unborn;
      },
      isIdle: (task) => parts.tasks[task].idle,
      startChild: (cpu) => this.startChild(cpu),
      runKernelThread: (cpu) => this.runKernelThread(this.cpus[cpu]),
      uses: (name) => parts.tasks.some(({ code }) => code.some((one) => 'name' in one && one.name === name)),
      userRaisesGp: parts.tasks.some(({ code }) => code.some((one) => one.kind === 'fpu' && raisesGp(one))),
      hasKernelThreads: parts.tasks.some(({ kind, idle }) => kind !== 'user' && !idle),
      answers: parts.answers,
      exitWork: (cpu) => this.scheduler.exitWork(cpu, parts.tasks[this.cpus[cpu].task].handler >= 0),
      handlers: parts.tasks.map(({ handler }) => handler),
      abis: parts.tasks.map(({ handler, abi }) => (handler < 0 ? undefined : frameAbi(abi, parts.model))),
      overflows: parts.tasks.map(({ overflows }) => overflows),
      checksAltstack: parts.checksAltstack,
      tracers: tracersOf(parts.tasks),
      runGuest: (cpu) => this.runGuest(this.cpus[cpu]),
      emulateInstruction: (cpu) => this.emulateInstruction(this.cpus[cpu]),
      emulatesStore: (cpu) => this.guestStoppedAt(this.cpus[cpu]).reads.length > 0,
      vcpuIsLoaded: (task) => this.vcpuIsLoaded(task),
      model: parts.model,
      paravirtualCpus: parts.platform.paravirtualCpus ?? false,
      endsThreads: this.stream.state.at.execState >= 0,
    }).map((routine) => ({ owner: 'kernel', routine }));
    this.code = compileCode([...own, ...parts.routines]);
    this.inSection = Uint8Array.from(this.code.instructions, (one) =>
      one.op === 'step' && one.path.includes(KERNEL_FPU_SECTION) && one.name !== KERNEL_FPU_BEGIN ? 1 : 0,
    );
    this.vcpuLoaded = addressesOf(this.code, VCPU_LOADED);
    const { at } = this.stream.state;
    this.cpus = Array.from({ length: at.cpus }, (_, cpu) => new Cpu(cpu, this));
    this.choices = new ChoicePoint(this.stream, {
      driver,
      capacity: Math.max(
        at.cpus * (1 << ACTION_BITS) + at.tasks + 1,
        widestEither(parts.tasks),
        this.faultAlternatives.length,
      ),
      name: (kind, alternative) => this.alternativeName(kind, alternative),
    });
    this.scheduler = new Scheduler({
      stream: this.stream,
      choices: this.choices,
      code: this.code,
      interference: parts.interference,
      vcpuCanBePreempted: parts.answers('vcpu-preempted'),
      isGuest: parts.tasks.map(({ kind }) => kind === 'guest'),
      cpusCallOthers: parts.answers('call-function') && at.ipi >= 0,
    });
  }

  /** Sets up tasks and CPUs. Once per machine, before the first step. */
  boot(): void {
    this.refuseSubscribers();
    const { at } = this.stream.state;
    this.stream.actor = 'kernel';
    this.stream.cause = -1;
    const idle = CONTEXT.kthread | IRQS_OFF;
    const firstSwitch = CONTEXT.syscall | PREEMPT_OFF | IRQS_OFF;
    const { TaskCreated, CpuBooted } = events;
    this.parts.tasks.forEach((task, number) => {
      if (task.idle) this.stream.emit(TaskCreated, number, this.entry(IDLE_ROUTINE), idle, NO_PROGRAM, 0);
      else if (task.unborn) return;
      else if (task.kind === 'guest') this.stream.emit(events.GuestCreated, number);
      else if (task.kind !== 'user') this.createKernelThread(number);
      else {
        this.stream.emit(TaskCreated, number, this.entry('kernel_execve'), firstSwitch, 0, CONTEXT.user);
      }
    });
    for (let cpu = 0; cpu < at.cpus; cpu++) this.stream.emit(CpuBooted, cpu, at.tasks - at.cpus + cpu);
  }

  /** Fills `choices.alternatives` with what can happen next. Returns how many: 0 when nothing can run any more. */
  enabledActions(): number {
    return this.scheduler.enabledActions();
  }

  /** One atomic step. False when nothing can run any more. */
  step(): boolean {
    const count = this.scheduler.enabledActions();
    if (count === 0) return false;
    this.stepAmong(count);
    return true;
  }

  /** One atomic step, right after `enabledActions()` said how many there are. */
  stepAmong(count: number): void {
    this.refuseSubscribers();
    this.stream.cause = -1;
    this.lap = undefined;
    const action = this.choices.take(CHOICE.next, count);
    const cpu = this.cpus[action >> ACTION_BITS];
    this.stream.footprint?.readCpu(cpu.cpu, cpu.task);
    this.act(cpu, action & ((1 << ACTION_BITS) - 1));
    this.afterStep?.(cpu.cpu);
  }

  private refuseSubscribers(): void {
    assert(!this.stream.delivering, 'step() was called from a subscriber; subscribers only look');
  }

  entry(routine: string): number {
    return this.code.entry(routine);
  }

  isKernelThread(task: number): boolean {
    return this.parts.tasks[task].kind === 'kthread';
  }

  isIoWorker(task: number): boolean {
    return this.parts.tasks[task].kind === 'io-worker';
  }

  processOf(task: number): number {
    return this.parts.tasks[task].process;
  }

  threadsOf(leader: number): readonly number[] {
    return this.parts.tasks.flatMap(({ process }, task) => (process === leader ? [task] : []));
  }

  /** True where some task runs a guest. */
  get hasGuests(): boolean {
    return this.parts.tasks.some(({ guest }) => guest >= 0);
  }

  guestOf(task: number): number {
    return this.parts.tasks[task].guest;
  }

  setsPke(guest: number): boolean {
    return this.parts.tasks[guest].setsPke;
  }

  isInKernelFpuSection(task: number, pc: number): boolean {
    return this.inSection[pc] === 1 || this.hasFrameIn(task, this.inSection);
  }

  private vcpuIsLoaded(task: number): boolean {
    return this.parts.tasks[task].guest >= 0 && this.hasFrameIn(task, this.vcpuLoaded);
  }

  /** True when code at one of the marked addresses is on the task's stack. */
  private hasFrameIn(task: number, marked: Uint8Array): boolean {
    const { at } = this.stream.state;
    for (let frame = task * at.stackDepth + this.words[at.depth + task] - 1; frame >= task * at.stackDepth; frame--) {
      const isCode = contextOf(this.words[at.frameStatus + frame]) !== CONTEXT.user;
      if (isCode && marked[this.words[at.framePc + frame]] === 1) return true;
    }
    return false;
  }

  canHandleSignal(task: number): boolean {
    const { at } = this.stream.state;
    if (this.parts.tasks[task].handler < 0) return false;
    this.stream.footprint?.readWord(at.resume + task);
    return this.words[at.resume + task] < 0;
  }

  /** Name of a task, for people. */
  taskName(task: number): string {
    return this.parts.tasks[task]?.name ?? 'nobody';
  }

  choose(kind: number, alternatives: readonly number[]): number {
    return this.choices.takeFrom(kind, alternatives);
  }

  /** Words for an alternative of a choice. */
  private alternativeName(kind: number, alternative: number): string {
    switch (CHOICE_KINDS[kind]) {
      case 'next':
        return `${cpuName(alternative >> ACTION_BITS)}:${ACTION_NAMES[alternative & ((1 << ACTION_BITS) - 1)]}`;
      case 'pick':
        return this.taskName(alternative);
      case 'alloc':
        return ALLOC_NAMES[alternative];
      case 'program':
        return this.parts.tasks[this.deciding].code[alternative].text;
      case 'fault':
        return xfeaturesName(alternative);
      case 'count':
        return alternative === 0 ? 'below' : 'above';
      case 'work':
        return WORK_NAMES[alternative];
      case 'page':
        return PAGE_NAMES[alternative];
      case 'cpu':
        return cpuName(alternative);
      case 'idle':
        return IDLE_NAMES[alternative];
    }
  }

  // --- steps -----------------------------------------------------------------------------------------------------

  private act(cpu: Cpu, action: number): void {
    try {
      this.perform(cpu, action);
    } catch (error) {
      if (error !== CPU_STOPPED && error !== STEP_FAULTED) throw error;
    }
  }

  private perform(cpu: Cpu, action: number): void {
    this.stream.actor = 'hardware';
    switch (action) {
      case ACTION.continue:
        return this.advance(cpu);
      case ACTION.preempt:
        return cpu.enter(CONTEXT.exception, 'retint_resched', true);
      case ACTION.hardirq:
        return cpu.enter(CONTEXT.hardirq, 'do_IRQ', true);
      case ACTION.softirq:
        return cpu.enter(CONTEXT.softirq, 'do_softirq', false);
      case ACTION.ipi:
        return cpu.enter(CONTEXT.hardirq, CALL_FUNCTION_ROUTINE, true);
      case ACTION.vcpu:
        return cpu.emit(events.VcpuPreempted, cpu.cpu, cpu.task);
      case ACTION.vmExit:
        return cpu.exitGuest(EXIT.interrupt);
    }
  }

  private advance(cpu: Cpu): void {
    const status = cpu.status;
    if (contextOf(status) === CONTEXT.user) this.userStep(cpu);
    else this.kernelStep(cpu);
  }

  /** Branches, jumps and returns on the way are taken together with the step that follows. */
  private kernelStep(cpu: Cpu): void {
    const { at } = this.stream.state;
    const task = cpu.task;
    for (;;) {
      const depth = this.words[at.depth + task];
      cpu.frame = depth - 1;
      const instruction = this.follow(cpu, this.words[at.framePc + task * at.stackDepth + depth - 1]);
      if (instruction.op === 'step') return this.runStep(cpu, task, instruction);
      this.stream.actor = instruction.owner;
      this.stream.emit(events.KernelStepped, cpu.cpu, task, instruction.pc, events.RETURN);
      if (depth === 1 || contextOf(cpu.status) === CONTEXT.user) return;
    }
  }

  /**
   * The step or return behind the branches and jumps at an address. Nothing changes on the way, so who comes to the end of a
   * loop twice would do so for ever.
   */
  private follow(cpu: Cpu, pc: number): StepInstruction | ReturnInstruction {
    let instruction = this.code.instructions[pc];
    let looped = -1;
    while (instruction.op === 'branch' || instruction.op === 'jump') {
      const falls = instruction.op === 'branch' && instruction.condition(cpu);
      const next = falls ? instruction.pc + 1 : instruction.target;
      if (next < instruction.pc) {
        if (instruction.pc === looped) this.refuseEndlessLoop(looped);
        looped = instruction.pc;
        if (instruction.op === 'jump') this.lap = instruction;
      }
      instruction = this.code.instructions[next];
    }
    return instruction;
  }

  private refuseEndlessLoop(pc: number): never {
    const routine = this.code.routineAt(pc);
    throw new FpuError('FPU209', `a loop in the routine '${routine}' takes no step and never ends`, {
      routine,
      hint: 'what its condition asks for has to be changed by a step inside it',
    });
  }

  private runStep(cpu: Cpu, task: number, instruction: StepInstruction): void {
    this.stream.actor = instruction.owner;
    if (instruction.instruction !== undefined && this.faults(cpu, instruction.instruction, instruction.pc)) return;
    const following = this.code.instructions[instruction.pc + 1];
    const next = following.op === 'return' ? events.RETURN : instruction.pc + 1;
    const { seq } = this.stream;
    this.stream.emit(events.KernelStepped, cpu.cpu, task, instruction.pc, next);
    this.stream.cause = seq;
    cpu.step = instruction.label;
    cpu.pc = instruction.pc;
    cpu.usesFpu = instruction.instruction !== undefined;
    instruction.run(cpu);
  }

  /** Raises the exception that an FPU instruction meets here, if any. User code may use components that are disabled. */
  private faults(cpu: Cpu, instruction: FpuOperation['instruction'], at: number, operation?: FpuOperation): boolean {
    const disabled = operation === undefined ? 0 : disabledOf(this.stream, cpu.cpu, usedBy(operation));
    const vector =
      controlFault(this.stream, cpu.cpu, instruction) || this.initFault(cpu, operation) || (disabled && VECTOR.NM);
    if (vector === 0) return false;
    const { actor } = this.stream;
    this.stream.actor = 'hardware';
    if (vector === VECTOR.NM && disabled !== 0) this.stream.emit(events.XfdErrWritten, cpu.cpu, disabled);
    const { seq } = this.stream;
    this.stream.emit(events.TrapRaised, cpu.cpu, cpu.task, vector, at === USER_CODE ? 1 : 0, at);
    this.stream.actor = actor;
    if (at !== USER_CODE && this.topPc(cpu.task) !== at) this.stream.emit(events.KernelReached, cpu.cpu, cpu.task, at);
    this.stream.cause = seq;
    if (vector === VECTOR.NM) {
      if (this.parts.answers('nm-raised')) cpu.emit(events.NmRaised, cpu.cpu, cpu.task);
      else cpu.deliverNm();
    } else cpu.enter(CONTEXT.exception, vector === VECTOR.GP ? 'general_protection' : 'invalid_op', true);
    return true;
  }

  /**
   * The exception of an instruction whose component is INIT. Tile instructions without TILECFG, where palette 0 has no tiles: #UD, before
   * the #NM of IA32_XFD. ENQCMD without a PASID: #GP.
   */
  private initFault(cpu: Cpu, operation: FpuOperation | undefined): number {
    if (operation?.needs === undefined || hasComponent(cpu.xinuse(), operation.needs)) return 0;
    return raisesGp(operation) ? VECTOR.GP : VECTOR.UD;
  }

  private userStep(cpu: Cpu): void {
    const { at } = this.stream.state;
    const { stream } = this;
    const task = cpu.task;
    const code = this.parts.tasks[task].code;
    if (cpu.isKilled) {
      stream.actor = 'hardware'; // the interrupt of signal_wake_up()
      cpu.enter(CONTEXT.exception, 'do_exit', true);
      return;
    }
    stream.actor = 'user';
    const first = this.words[at.framePc + task * at.stackDepth + this.words[at.depth + task] - 1];
    const pc = this.decide(events.UserStepped, cpu, task, first);
    const operation = code[pc] as Exclude<CompiledOperation, { readonly kind: 'either' | 'kernel' | 'guest' }>;
    if (operation.kind === 'fpu' && this.faults(cpu, operation.instruction, USER_CODE, operation)) return;
    const { seq } = stream;
    stream.emit(events.UserStepped, cpu.cpu, task, pc, operation.next);
    stream.cause = seq;
    if (operation.kind === 'fpu') this.useFpu(cpu, task, operation);
    else if (operation.kind === 'frame') this.spoilFrame(task, operation);
    else {
      cpu.enter(CONTEXT.syscall, operation.name === 'exit' ? 'do_exit' : `sys_${operation.name}`, false);
      const { child, trace, unmaps } = operation;
      const other = child ?? trace?.target ?? unmaps;
      if (other === undefined) return;
      cpu.frame = cpu.depth - 1;
      cpu.setTaskLocal(0, this.taskNamed(other));
      if (trace !== undefined) cpu.setLocal(1, traceCode(trace));
    }
  }

  /** Where the program of a task goes on, behind either()s: each is decided. */
  private decide(type: EventType, cpu: Cpu, task: number, from: number): number {
    const { code } = this.parts.tasks[task];
    let pc = from;
    for (let operation = code[pc]; operation.kind === 'either'; operation = code[pc]) {
      this.deciding = task;
      const target = this.choose(CHOICE.program, operation.targets);
      this.stream.emit(type, cpu.cpu, task, pc, target);
      pc = target;
    }
    return pc;
  }

  private runKernelThread(cpu: Cpu): void {
    const { task } = cpu;
    const pc = this.decide(events.KernelThreadStepped, cpu, task, cpu.local(PROGRAM_LOCAL));
    const operation = this.parts.tasks[task].code[pc];
    this.stream.emit(events.KernelThreadStepped, cpu.cpu, task, pc, operation.next);
    if (operation.kind !== 'kernel') return cpu.call('do_exit');
    if (operation.child !== undefined) cpu.setTaskLocal(0, this.taskNamed(operation.child));
    if (operation.name === 'sleep') cpu.sleep();
    else cpu.call(KERNEL_CALLS[operation.name]);
  }

  // --- guests ----------------------------------------------------------------------------------------------------

  /** One operation of the guest: on the registers of the CPU, or something that makes it leave guest mode. */
  private runGuest(cpu: Cpu): void {
    const { stream } = this;
    const guest = this.guestOf(cpu.task);
    stream.actor = 'guest';
    const pc = this.decide(events.UserStepped, cpu, guest, this.guestPc(cpu, guest));
    const operation = this.parts.tasks[guest].code[pc];
    if (operation.kind === 'fpu') {
      if (fpuFault(cpu.realCr0, operation.instruction) === VECTOR.NM) return cpu.exitGuest(EXIT.nm);
      this.completeInGuest(cpu, guest, pc, operation);
    } else if (operation.kind === 'guest') {
      if (operation.name !== 'emulate') stream.emit(events.UserStepped, cpu.cpu, guest, pc, operation.next);
      cpu.exitGuest(EXIT[operation.name]);
    } else cpu.exitGuest(EXIT.shutdown);
  }

  /** What the guest would have done, by the host. */
  private emulateInstruction(cpu: Cpu): void {
    const guest = this.guestOf(cpu.task);
    this.completeInGuest(cpu, guest, this.guestPc(cpu, guest), this.guestStoppedAt(cpu));
  }

  private completeInGuest(cpu: Cpu, guest: number, pc: number, operation: GuestUse): void {
    const { seq } = this.stream;
    this.stream.emit(events.UserStepped, cpu.cpu, guest, pc, operation.next);
    this.stream.cause = seq;
    this.useFpu(cpu, guest, operation);
  }

  /** The instruction at which the guest of the current task stopped because its host has to emulate it. */
  private guestStoppedAt(cpu: Cpu): GuestUse {
    const guest = this.guestOf(cpu.task);
    const operation = this.parts.tasks[guest].code[this.guestPc(cpu, guest)];
    assert(operation.kind === 'guest', 'a guest that waits for its host stands at an instruction of its own');
    return operation;
  }

  private guestPc(cpu: Cpu, guest: number): number {
    const { at } = this.stream.state;
    this.stream.footprint?.readCpu(cpu.cpu, guest);
    return this.words[at.framePc + guest * at.stackDepth];
  }

  private taskNamed(name: string): number {
    return this.parts.tasks.findIndex((candidate) => candidate.name === name);
  }

  private useFpu(cpu: Cpu, task: number, operation: Pick<FpuOperation, 'reads' | 'writes' | 'initialises'>): void {
    const { at } = this.stream.state;
    this.stream.footprint?.readFpu(cpu.cpu, task);
    for (const bit of operation.reads) {
      const value = this.words[at.fpregs + cpu.cpu * at.components + at.indexOfBit[bit]];
      this.stream.emit(events.FpregsRead, cpu.cpu, task, bit, value);
    }
    const released = maskOf(operation.initialises ?? []);
    if (released !== 0) this.stream.emit(events.FpregsReleased, cpu.cpu, task, released);
    if (operation.writes.length === 0) return;
    const value = valueId(principalOfTask(task), nextSerial(this.words[at.serial + task]));
    for (const bit of operation.writes) this.stream.emit(events.FpregsWritten, cpu.cpu, bit, value);
  }

  private spoilFrame(task: number, { header: spoiled }: FrameOperation): void {
    const { at } = this.stream.state;
    const header = at.header + at.firstFpstate.sigframe + task;
    this.stream.footprint?.readWord(header);
    const isAbsent = this.words[header] === HEADER.absent;
    if (this.words[at.resume + task] < 0 || isAbsent) return;
    if (spoiled === 'unmapped') this.stream.emit(events.FramePagesChanged, task, FRAME_PAGES.gone);
    else if (spoiled === 'short') this.stream.emit(events.FramePagesChanged, task, FRAME_PAGES.endGone);
    else if (spoiled === 'fsave') this.writeFsaveHeader(task);
    else this.stream.emit(events.HeaderWritten, at.firstFpstate.sigframe + task, spoiled);
  }

  private writeFsaveHeader(task: number): void {
    if (frameAbi(this.parts.tasks[task].abi, this.model) !== 'ia32') return;
    const value = valueId(principalOfTask(task), nextSerial(this.words[this.stream.state.at.serial + task]));
    this.stream.emit(events.FsaveHeaderWritten, task, X87, value);
  }

  // --- helpers ---------------------------------------------------------------------------------------------------

  /** Where the task's top frame goes on. */
  private topPc(task: number): number {
    const { at } = this.stream.state;
    return this.words[at.framePc + task * at.stackDepth + this.words[at.depth + task] - 1];
  }

  private lifecycle(task: number): number {
    this.stream.footprint?.readWord(this.stream.state.at.lifecycle + task);
    return this.words[this.stream.state.at.lifecycle + task];
  }

  private startChild(cpu: number): void {
    const kernel = this.cpus[cpu];
    const status = CONTEXT.syscall | PREEMPT_OFF | IRQS_OFF;
    const { child } = kernel;
    if (this.parts.tasks[child].kind !== 'user') return this.startKernelThread(kernel);
    this.stream.emit(events.TaskCreated, child, this.code.entry('ret_from_fork'), status, 0, CONTEXT.user);
    this.stream.emit(events.TaskForked, cpu, kernel.task, child);
  }

  private createKernelThread(task: number): void {
    const status = CONTEXT.kthread | PREEMPT_OFF | IRQS_OFF;
    this.stream.emit(events.TaskCreated, task, this.code.entry(KTHREAD_ROUTINE), status, NO_PROGRAM, 0);
  }

  /** It has no FPU state, but an IO worker accesses its process's memory under the PKRU of the thread that created it. */
  private startKernelThread({ task, child }: Cpu): void {
    const { at } = this.stream.state;
    this.createKernelThread(child);
    const index = at.indexOfBit[PKRU];
    if (this.parts.tasks[child].kind !== 'io-worker' || index < 0) return;
    const word = at.architectural + task * at.components + index;
    this.stream.footprint?.readWord(word);
    this.stream.emit(events.ArchitecturalSet, child, PKRU, this.words[word]);
  }
}

/** What an instruction in guest mode does, or its emulation. */
type GuestUse = Pick<FpuOperation, 'reads' | 'writes' | 'initialises'> & { readonly next: number };

/** By address: 1 from the first step of a group to its last. */
function addressesOf({ instructions }: Code, group: string): Uint8Array {
  const inside = instructions.map((one) => one.op === 'step' && one.path.includes(group));
  const [first, last] = [inside.indexOf(true), inside.lastIndexOf(true)];
  return Uint8Array.from(instructions, (_, pc) => (first >= 0 && pc >= first && pc <= last ? 1 : 0));
}

/** Who traces each task; -1 for nobody. */
function tracersOf(tasks: readonly EngineTask[]): readonly number[] {
  const traces = ({ code }: EngineTask, target: string): boolean =>
    code.some((one) => one.kind === 'syscall' && one.trace?.target === target);
  return tasks.map(({ name }) => tasks.findIndex((candidate) => traces(candidate, name)));
}

/** ENQCMD, alone of those that are modelled, raises #GP in user code. */
function raisesGp(operation: FpuOperation): boolean {
  return operation.instruction === 'enqcmd';
}

/** Components whose contents an instruction needs or defines; those that it only puts into INIT state may be disabled. */
function usedBy({ reads, writes }: FpuOperation): number {
  return maskOf([...reads, ...writes]);
}

function maskOf(bits: readonly number[]): number {
  return bits.reduce((mask, bit) => mask | (1 << bit), 0);
}

/** Alternatives of the either() with most of them. */
function widestEither(tasks: readonly EngineTask[]): number {
  return tasks
    .flatMap(({ code }) => code)
    .reduce(
      (widest, operation) => (operation.kind === 'either' ? Math.max(widest, operation.targets.length) : widest),
      0,
    );
}

/** An XRSTOR that faults may have loaded any of the components, but not all. */
function faultAlternatives(mayFault: boolean, componentBits: readonly number[]): readonly number[] {
  if (!mayFault) return [0];
  return Array.from({ length: (1 << componentBits.length) - 1 }, (_, subset) =>
    componentBits.reduce((mask, bit, index) => (subset & (1 << index) ? mask | (1 << bit) : mask), 0),
  );
}

function allocAlternatives(interference: Interference): readonly number[] {
  const alternatives: number[] = [ALLOC.ok];
  if (interference.allocation?.sleep) alternatives.push(ALLOC.sleep);
  if (interference.allocation?.fail) alternatives.push(ALLOC.fail);
  return alternatives;
}
