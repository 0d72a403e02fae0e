/** Runs a machine: one atomic step after the other, every choice answered by a driver. */
import { assert } from '../error';
import { digest32 } from '../machine/digest';
import * as events from '../machine/events';
import {
  CONTEXT,
  bhOffDepth,
  contextOf,
  inHardirq,
  inInterrupt,
  irqsOff,
  PREEMPT_OFF,
  IRQS_OFF,
  preemptOffDepth,
} from '../machine/frames';
import { LIFECYCLE } from '../machine/state';
import type { EventStream } from '../machine/stream';
import { nextSerial, principalOfTask, valueId } from '../machine/values';
import { OracleMonitor } from '../oracle/monitor';
import type { Cr0Access, Platform, PlatformHook, PolicyHook } from '../plugin/plugin';
import type { Interference } from '../scenario/scenario';
import type { CpuModel } from '../x86/cpu-model';
import { fpuFault, VECTOR } from '../x86/faults';
import { ACTION, ACTION_BITS, ALLOC, CHOICE, CHOICE_KINDS, type ChoiceDriver, type ChoiceRequest } from './choices';
import { compileCode, type Code, type OwnedRoutine, type StepInstruction } from './code';
import { Cpu, CPU_STOPPED, type CpuMachine } from './cpu';
import type { CompiledOperation, FpuOperation } from './program';
import { IDLE_ROUTINE, IDLE_SCHEDULE_STEP, skeletonRoutines } from './skeleton';

/** A task as the engine runs it. Idle tasks come last and have no program. */
export interface EngineTask {
  readonly name: string;
  readonly code: readonly CompiledOperation[];
  readonly unborn: boolean;
  readonly idle: boolean;
}

/** Everything that an engine is built from. */
export interface EngineParts {
  readonly stream: EventStream;
  readonly model: CpuModel;
  readonly tasks: readonly EngineTask[];
  /** Routines of policies and platform. */
  readonly routines: readonly OwnedRoutine[];
  readonly interference: Interference;
  readonly platform: Pick<Platform, 'cr0' | 'trapsUserFpu' | 'registersLive'>;
  readonly answers: (hook: PolicyHook | PlatformHook) => boolean;
  /** False leaves out all oracles. */
  readonly oracles: boolean;
}

/** Address that stands for user code in `trap.raised`: no step has it. */
const USER_CODE = 0;
const ALLOC_NAMES = ['ok', 'sleep', 'fail'];
const ACTION_NAMES = ['continue', 'preempt', 'hardirq', 'softirq', 'vcpu'];

/** The stepping machine. Holds no state of its own beside the packed one: its fields are scratch or constant. */
export class Engine implements CpuMachine {
  readonly stream: EventStream;
  readonly model: CpuModel;
  readonly cr0: Cr0Access;
  readonly code: Code;
  readonly cpus: readonly Cpu[];
  readonly allocAlternatives: readonly number[];
  driver: ChoiceDriver;
  private readonly words: Int32Array;
  private readonly monitor: OracleMonitor | undefined;
  private readonly request: ChoiceRequest;
  /** Addresses at which an idle CPU waits for somebody to run. */
  private readonly idleWaits: ReadonlySet<number>;

  constructor(
    private readonly parts: EngineParts,
    driver: ChoiceDriver,
  ) {
    this.stream = parts.stream;
    this.model = parts.model;
    this.cr0 = parts.platform.cr0;
    this.driver = driver;
    this.words = this.stream.state.words;
    this.allocAlternatives = allocAlternatives(parts.interference);
    const own = skeletonRoutines({
      pickNext: (cpu) => this.pickNext(cpu),
      childIsUnborn: (cpu) => this.lifecycle(this.cpus[cpu].child) === LIFECYCLE.unborn,
      isIdle: (task) => parts.tasks[task].idle,
      startChild: (cpu) => this.startChild(cpu),
      answers: parts.answers,
    }).map((routine) => ({ owner: 'kernel', routine }));
    this.code = compileCode([...own, ...parts.routines]);
    const lookForWork = this.code.addressOf(IDLE_ROUTINE, IDLE_SCHEDULE_STEP);
    const endOfLoop = this.code.instructions.findIndex((i) => i.op === 'jump' && i.target === lookForWork - 1);
    this.idleWaits = new Set([lookForWork - 1, lookForWork, endOfLoop]);
    const { at } = this.stream.state;
    this.cpus = Array.from({ length: at.cpus }, (_, cpu) => new Cpu(cpu, this));
    const capacity = Math.max(at.cpus * (1 << ACTION_BITS) + at.tasks + 1, widestEither(parts.tasks));
    this.request = {
      kind: 0,
      alternatives: new Int32Array(capacity),
      count: 0,
      enabled: 0,
      name: (alternative) => this.alternativeName(this.request.kind, alternative),
    };
    this.monitor = parts.oracles ? this.createMonitor() : undefined;
  }

  /** Sets up tasks and CPUs. Once per machine, before the first step. */
  boot(): void {
    const { at } = this.stream.state;
    const locked = PREEMPT_OFF | IRQS_OFF;
    this.stream.actor = 'kernel';
    this.stream.cause = -1;
    this.parts.tasks.forEach((task, number) => {
      if (task.unborn) return;
      if (task.idle)
        this.stream.emit(events.TaskCreated, number, this.code.entry(IDLE_ROUTINE), CONTEXT.kthread | IRQS_OFF, -1, 0);
      else
        this.stream.emit(
          events.TaskCreated,
          number,
          this.code.entry('kernel_execve'),
          CONTEXT.syscall | locked,
          0,
          CONTEXT.user,
        );
    });
    const firstIdle = at.tasks - at.cpus;
    for (let cpu = 0; cpu < at.cpus; cpu++) this.stream.emit(events.CpuBooted, cpu, firstIdle + cpu);
  }

  /** One atomic step. False when nothing can run any more. */
  step(): boolean {
    this.stream.cause = -1;
    const count = this.enabledActions();
    if (count === 0) return false;
    const action = count === 1 ? this.request.alternatives[0] : this.ask(CHOICE.next, count);
    const cpu = this.cpus[action >> ACTION_BITS];
    this.act(cpu, action & ((1 << ACTION_BITS) - 1));
    this.monitor?.afterStep(cpu.cpu);
    return true;
  }

  entry(routine: string): number {
    return this.code.entry(routine);
  }

  /** Name of a task, for people. */
  taskName(task: number): string {
    return this.parts.tasks[task]?.name ?? 'nobody';
  }

  choose(kind: number, alternatives: readonly number[]): number {
    for (let index = 0; index < alternatives.length; index++) this.request.alternatives[index] = alternatives[index];
    return alternatives.length === 1 ? alternatives[0] : this.ask(kind, alternatives.length);
  }

  /** Words for an alternative of a choice. */
  alternativeName(kind: number, alternative: number): string {
    switch (CHOICE_KINDS[kind]) {
      case 'next':
        return `cpu${alternative >> ACTION_BITS}:${ACTION_NAMES[alternative & ((1 << ACTION_BITS) - 1)]}`;
      case 'pick':
        return this.taskName(alternative);
      case 'alloc':
        return ALLOC_NAMES[alternative];
      case 'program':
        return String(alternative);
    }
  }

  // --- choices ---------------------------------------------------------------------------------------------------

  /** Asks the driver about `request.alternatives[0..count)` and records the answer. */
  private ask(kind: number, count: number): number {
    const request = this.request;
    request.kind = kind;
    request.count = count;
    request.enabled = digest32(request.alternatives, count, kind);
    const index = this.driver.choose(request);
    assert(index >= 0 && index < count, `driver took alternative ${index} of ${count}`);
    const taken = request.alternatives[index];
    const { actor } = this.stream;
    this.stream.actor = 'scheduler';
    this.stream.emit(events.ChoiceMade, kind, taken, index, count, request.enabled);
    this.stream.actor = actor;
    return taken;
  }

  /** Fills `request.alternatives` with what can happen next. */
  private enabledActions(): number {
    const { at } = this.stream.state;
    let count = 0;
    for (let cpu = 0; cpu < at.cpus; cpu++) {
      const task = this.words[at.current + cpu];
      if (task < 0 || !this.canContinue(cpu, task, count)) continue;
      this.request.alternatives[count++] = (cpu << ACTION_BITS) | ACTION.continue;
      count = this.addInterference(cpu, task, count);
    }
    return count;
  }

  /** An idle CPU with nobody to run waits. */
  private canContinue(cpu: number, task: number, count: number): boolean {
    if (!this.parts.tasks[task].idle) return true;
    const { at } = this.stream.state;
    const top = at.framePc + task * at.stackDepth + this.words[at.depth + task] - 1;
    return !this.idleWaits.has(this.words[top]) || this.pickable(cpu, -1, count) > count;
  }

  private addInterference(cpu: number, task: number, count: number): number {
    const { preempt, hardirq, softirq, vcpu } = this.parts.interference;
    if (!hardirq && !softirq && !vcpu && (preempt ?? 'none') === 'none') return count;
    const { alternatives } = this.request;
    const status = this.cpus[cpu].status;
    const context = contextOf(status);
    if (context === CONTEXT.hypervisor) return count;
    const base = cpu << ACTION_BITS;
    let next = count;
    const quiet = irqsOff(status) || inHardirq(status);
    if (!quiet) {
      if (this.mayPreempt(status) && this.pickable(cpu, task, next) > next)
        alternatives[next++] = base | ACTION.preempt;
      if (hardirq) alternatives[next++] = base | ACTION.hardirq;
      if (softirq && !inInterrupt(status)) alternatives[next++] = base | ACTION.softirq;
    }
    if (vcpu && this.parts.answers('vcpu-preempted')) alternatives[next++] = base | ACTION.vcpu;
    return next;
  }

  private mayPreempt(status: number): boolean {
    const { preempt } = this.parts.interference;
    const context = contextOf(status);
    if (context === CONTEXT.user) return preempt === 'user' || preempt === 'full';
    if (preempt !== 'full' || context === CONTEXT.kthread) return false;
    return preemptOffDepth(status) === 0 && bhOffDepth(status) === 0 && !inInterrupt(status);
  }

  /** Writes the tasks that may run next on `cpu` behind `from`, starting after `prev` in turn; returns the new count. */
  private pickable(cpu: number, prev: number, from: number): number {
    const { at } = this.stream.state;
    const users = at.tasks - at.cpus;
    let count = from;
    const start = prev < 0 || prev >= users ? 0 : prev + 1;
    for (let turn = 0; turn < users; turn++) {
      const task = (start + turn) % users;
      if (task !== prev && this.isPickable(cpu, task)) this.request.alternatives[count++] = task;
    }
    return count;
  }

  private isPickable(cpu: number, task: number): boolean {
    const { at } = this.stream.state;
    if (this.lifecycle(task) !== LIFECYCLE.alive) return false;
    for (let other = 0; other < at.cpus; other++) {
      if (this.words[at.current + other] === task) return false;
    }
    if (this.words[at.pickedBy + task] >= 0) return false;
    const last = this.words[at.lastRan + task];
    return last < 0 || last === cpu || this.parts.interference.migration === true;
  }

  /** The scheduler: others in turn; the idle task if nobody is left, or where the scenario lets it; else the same task again. */
  private pickNext(cpu: number): number {
    const { at } = this.stream.state;
    const { alternatives } = this.request;
    const prev = this.words[at.current + cpu];
    const idle = at.tasks - at.cpus + cpu;
    const canStay = this.lifecycle(prev) === LIFECYCLE.alive && this.words[at.sleeping + prev] === 0;
    let count = this.pickable(cpu, prev, 0);
    if (prev !== idle && ((count === 0 && !canStay) || this.parts.interference.idle)) alternatives[count++] = idle;
    if (count === 0) alternatives[count++] = prev;
    const next = count === 1 ? alternatives[0] : this.ask(CHOICE.pick, count);
    this.stream.emit(events.TaskPicked, cpu, next);
    return next;
  }

  // --- steps -----------------------------------------------------------------------------------------------------

  private act(cpu: Cpu, action: number): void {
    try {
      this.perform(cpu, action);
    } catch (error) {
      if (error !== CPU_STOPPED) throw error;
    }
  }

  private perform(cpu: Cpu, action: number): void {
    this.stream.actor = 'hardware';
    switch (action) {
      case ACTION.continue:
        return this.advance(cpu);
      case ACTION.preempt:
        return cpu.enter(CONTEXT.exception, 'preempt_schedule_irq', true);
      case ACTION.hardirq:
        return cpu.enter(CONTEXT.hardirq, 'do_IRQ', true);
      case ACTION.softirq:
        return cpu.enter(CONTEXT.softirq, 'do_softirq', false);
      case ACTION.vcpu:
        return cpu.emit(events.VcpuPreempted, cpu.cpu, cpu.task);
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
      let instruction = this.code.instructions[this.words[at.framePc + task * at.stackDepth + depth - 1]];
      while (instruction.op === 'branch' || instruction.op === 'jump') {
        const falls = instruction.op === 'branch' && instruction.condition(cpu);
        instruction = this.code.instructions[falls ? instruction.pc + 1 : (instruction as { target: number }).target];
      }
      if (instruction.op === 'step') return this.runStep(cpu, task, instruction);
      this.stream.actor = instruction.owner;
      this.stream.emit(events.KernelStepped, cpu.cpu, task, instruction.pc, events.RETURN);
      if (depth === 1 || contextOf(cpu.status) === CONTEXT.user) return;
    }
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

  /** Raises the exception that an FPU instruction meets here, if any. */
  private faults(cpu: Cpu, instruction: FpuOperation['instruction'], at: number): boolean {
    const vector = fpuFault(cpu.realCr0, instruction);
    if (vector === 0) return false;
    const { actor, seq } = this.stream;
    this.stream.actor = 'hardware';
    this.stream.emit(events.TrapRaised, cpu.cpu, cpu.task, vector, at === USER_CODE ? 1 : 0, at);
    this.stream.actor = actor;
    this.stream.cause = seq;
    if (vector === VECTOR.NM) {
      if (this.parts.answers('nm-raised')) cpu.emit(events.NmRaised, cpu.cpu, cpu.task);
      else cpu.deliverNm();
    } else cpu.enter(CONTEXT.exception, 'invalid_op', true);
    return true;
  }

  private userStep(cpu: Cpu): void {
    const { at } = this.stream.state;
    const { stream } = this;
    const task = cpu.task;
    const code = this.parts.tasks[task].code;
    let pc = this.words[at.framePc + task * at.stackDepth + this.words[at.depth + task] - 1];
    stream.actor = 'user';
    let operation = code[pc];
    while (operation.kind === 'either') {
      const target = this.choose(CHOICE.program, operation.targets);
      stream.emit(events.UserStepped, cpu.cpu, task, pc, target);
      pc = target;
      operation = code[pc];
    }
    if (operation.kind === 'fpu' && this.faults(cpu, operation.instruction, USER_CODE)) return;
    const { seq } = stream;
    stream.emit(events.UserStepped, cpu.cpu, task, pc, operation.next);
    stream.cause = seq;
    if (operation.kind === 'fpu') this.useFpu(cpu, task, operation);
    else {
      cpu.enter(CONTEXT.syscall, operation.name === 'exit' ? 'do_exit' : `sys_${operation.name}`, false);
      if (operation.child !== undefined) {
        cpu.frame = cpu.depth - 1;
        cpu.setLocal(
          0,
          this.parts.tasks.findIndex((candidate) => candidate.name === operation.child),
        );
      }
    }
  }

  private useFpu(cpu: Cpu, task: number, operation: FpuOperation): void {
    const { at } = this.stream.state;
    for (const bit of operation.reads) {
      const value = this.words[at.fpregs + cpu.cpu * at.components + at.indexOfBit[bit]];
      this.stream.emit(events.FpregsRead, cpu.cpu, task, bit, value);
    }
    if (operation.writes.length === 0) return;
    const value = valueId(principalOfTask(task), nextSerial(this.words[at.serial + task]));
    for (const bit of operation.writes) this.stream.emit(events.FpregsWritten, cpu.cpu, bit, value);
  }

  // --- helpers ---------------------------------------------------------------------------------------------------

  private lifecycle(task: number): number {
    return this.words[this.stream.state.at.lifecycle + task];
  }

  private startChild(cpu: number): void {
    const kernel = this.cpus[cpu];
    const status = CONTEXT.syscall | PREEMPT_OFF | IRQS_OFF;
    const { child } = kernel;
    this.stream.emit(events.TaskCreated, child, this.code.entry('ret_from_fork'), status, 0, CONTEXT.user);
    this.stream.emit(events.TaskForked, cpu, kernel.task, child);
  }

  private createMonitor(): OracleMonitor {
    return new OracleMonitor({
      stream: this.stream,
      trapsUserFpu: (cpu) => this.parts.platform.trapsUserFpu(this.cpus[cpu]),
      registersLive: (cpu) => this.parts.platform.registersLive(this.cpus[cpu]),
      vcpuFpstate: (cpu) => this.cpus[cpu].vcpuFpstate,
      nmExpectedAt: (pc) => {
        const instruction = this.code.instructions[pc];
        return instruction.op === 'step' && instruction.nmExpected;
      },
      nmEntry: this.code.entry('device_not_available'),
    });
  }
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

function allocAlternatives(interference: Interference): readonly number[] {
  const alternatives: number[] = [ALLOC.ok];
  if (interference.allocation?.sleep) alternatives.push(ALLOC.sleep);
  if (interference.allocation?.fail) alternatives.push(ALLOC.fail);
  return alternatives;
}
