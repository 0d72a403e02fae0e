import { Footprint } from '../machine/footprint';
import type { Watcher, EventStream } from '../machine/stream';
import { contextOf, CONTEXT, irqsOff } from '../machine/frames';
import type { Interference } from '../kernel/interference';
import type { LocalKinds } from '../kernel/routine';
import * as events from '../machine/events';
import type { MachineState } from '../machine/state';
import type { Engine, EngineTask } from '../kernel/engine';

/**
 * A machine as a model checker drives it: alternatives are seen before they are taken, choices are not recorded, and
 * a step says whether it stayed on its CPU.
 *
 * It changes no rule: the steps are those of `Machine.step`.
 */
export class Probe {
  /** What `enabledActions` found, or the driver is asked about. */
  readonly alternatives: Int32Array;
  /** The scenario's tasks; idle tasks have the numbers from here on. */
  readonly users: number;
  /** What the machine has looked at, changed and asked since it was cleared. */
  readonly footprint: Footprint;
  /** What the locals of a frame at an address hold. */
  readonly localKinds: readonly LocalKinds[];

  constructor(
    readonly state: MachineState,
    private readonly engine: Engine,
    private readonly stream: EventStream,
    private readonly tasks: readonly EngineTask[],
    private readonly interference: Interference,
    /** True when a guest's registers are in the processor, false when they are in the image of its vCPU. */
    readonly registersLive: (cpu: number) => boolean,
  ) {
    this.alternatives = engine.choices.alternatives;
    this.users = tasks.filter(({ idle }) => !idle).length;
    this.localKinds = engine.code.localKinds;
    engine.choices.recording = false;
    this.footprint = new Footprint(state);
    stream.footprint = this.footprint;
  }

  /** Fills `alternatives` with what can happen next (a CPU above ACTION_BITS, an ACTION below). Returns how many. */
  enabledActions(): number {
    return this.engine.enabledActions();
  }

  /** One atomic step, right after `enabledActions()` returned `count`. */
  stepAmong(count: number): void {
    this.engine.stepAmong(count);
  }

  /** True where nothing may come between on this CPU, whatever other CPUs do: interrupts are off, or the hypervisor runs. */
  isShielded(cpu: number): boolean {
    const { words, at } = this.state;
    const task = words[at.current + cpu];
    const status = words[at.frameStatus + task * at.stackDepth + words[at.depth + task] - 1];
    const context = contextOf(status);
    return (irqsOff(status) && context !== CONTEXT.guest) || context === CONTEXT.hypervisor;
  }

  /** True when the steps since it was cleared looked at or changed what another CPU or an oracle could tell. */
  get touchedShared(): boolean {
    return this.stream.touchedShared;
  }

  set touchedShared(value: boolean) {
    this.stream.touchedShared = value;
  }

  /**
   * True when some step since it was cleared used a slot that another CPU takes for its own: of another CPU, or of a task
   * that may run there. Steps that `touchedShared` lets pass as private are none then.
   */
  get touchedForeign(): boolean {
    return this.stream.touchedForeign;
  }

  set touchedForeign(value: boolean) {
    this.stream.touchedForeign = value;
  }

  /** Calls `watcher(oracle, cpu, reader, component, value, expected)` for every violation. */
  onViolation(watcher: Watcher): void {
    this.stream.watch(events.OracleViolated, watcher);
  }

  /** Calls `watcher(pc)` for every step of kernel code, with its address: an index into `Machine.stepLabels`. */
  onStep(watcher: (pc: number) => void): void {
    this.stream.watch(events.KernelStepped, (_cpu, _task, pc) => watcher(pc));
  }

  /** A number for the place where a CPU goes on: small, the same for the same code. */
  site(cpu: number): number {
    const { words, at } = this.state;
    const task = words[at.current + cpu];
    const top = task * at.stackDepth + words[at.depth + task] - 1;
    const pc = words[at.framePc + top];
    if (contextOf(words[at.frameStatus + top]) !== CONTEXT.user) return pc;
    return this.engine.code.instructions.length + task * PROGRAM_MAX + pc;
  }

  /** True when some program forks: a child inherits values that others wrote. */
  get canFork(): boolean {
    return this.tasks.some(forks);
  }

  /** True when kernel FPU sections can run. */
  get kernelUsesFpu(): boolean {
    const { hardirq, softirq } = this.interference;
    const calls = this.tasks.some(({ code }) =>
      code.some((one) => 'name' in one && (one.name === 'kernel_fpu' || one.name === 'kernel_fpu_copy')),
    );
    return calls || hardirq === true || softirq === true;
  }

  /** Groups of tasks that run the same program and neither fork, nor are forked or traced, nor have to do with guests: nobody can tell them apart. */
  interchangeableTasks(): readonly (readonly number[])[] {
    const groups = new Map<string, number[]>();
    const traced = new Set(this.tasks.flatMap(targetsOf));
    this.tasks.forEach((task, number) => {
      if (task.idle || task.unborn || forks(task) || runsGuest(task) || traced.has(task.name)) return;
      if (this.tasks.some(({ process }, other) => process === number && other !== number)) return; // it stands for its process
      const key = `${task.kind} ${task.process === number ? '' : task.process} ${JSON.stringify(task.code)}`;
      groups.set(key, [...(groups.get(key) ?? []), number]);
    });
    return [...groups.values()].filter((group) => group.length > 1);
  }
}

function forks(task: EngineTask): boolean {
  return task.code.some((operation) => 'child' in operation && operation.child !== undefined);
}

function runsGuest({ kind, code }: EngineTask): boolean {
  return kind === 'guest' || code.some((one) => one.kind === 'syscall' && one.guest !== undefined);
}

/** Names of the tasks that it traces, or whose memory it takes away. */
function targetsOf({ code }: EngineTask): readonly string[] {
  return code.flatMap((operation) => {
    if (operation.kind !== 'syscall') return [];
    return [operation.trace?.target, operation.unmaps].filter((name) => name !== undefined);
  });
}

/** More than any compiled program has operations. */
const PROGRAM_MAX = 8192;
