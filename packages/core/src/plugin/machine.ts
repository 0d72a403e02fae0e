import type { Observable } from 'rxjs';
import { digestOf } from '../machine/digest';
import type { EventFields, EventType, MachineEvent } from '../machine/event-type';
import { CONTEXT, contextOf } from '../machine/frames';
import { LIFECYCLE, type MachineState } from '../machine/state';
import type { EventStream } from '../machine/stream';
import type { ChoiceDriver } from '../kernel/choices';
import type { Engine, EngineTask } from '../kernel/engine';
import type { Composition } from './composition';
import { Probe } from './probe';

/** How a run ended: nothing was left to run; a CPU had stopped for good; the step limit; or somebody asked it to stop. */
export type RunOutcome = 'finished' | 'halted' | 'step-limit' | 'interrupted';

/** What a run did. */
export interface RunResult {
  readonly outcome: RunOutcome;
  /** Atomic steps. */
  readonly steps: number;
}

/** A composed machine: state, stream, and the steps that drive them. */
export class Machine {
  constructor(
    readonly composition: Composition,
    private readonly stream: EventStream,
    private readonly engine: Engine,
    /** Names of all tasks, idle tasks last. */
    readonly taskNames: readonly string[],
    /** Text of every operation of each task's program, by its position there. */
    readonly programs: readonly (readonly string[])[],
    private readonly tasks: readonly EngineTask[],
  ) {}

  /** The packed state. Read it; only events change it. */
  get state(): MachineState {
    return this.stream.state;
  }

  /** Every event, in one order for all subscribers. */
  get events$(): Observable<MachineEvent> {
    return this.stream.events$;
  }

  /** Events of one type. */
  on<F extends EventFields>(type: EventType<F>): Observable<MachineEvent<F>> {
    return this.stream.on(type);
  }

  /** Events emitted so far. */
  get eventCount(): number {
    return this.stream.seq;
  }

  /** Names of kernel steps by address, as logs store them. */
  get stepLabels(): readonly string[] {
    return this.engine.code.labels;
  }

  /** Functions that enclose a step, its routine first; empty where there is no step. */
  stepPath(pc: number): readonly string[] {
    const instruction = this.engine.code.instructions[pc];
    return instruction?.op === 'step' ? [instruction.routine, ...instruction.path] : [];
  }

  /** Who answers choices. */
  get driver(): ChoiceDriver {
    return this.engine.choices.driver;
  }

  set driver(driver: ChoiceDriver) {
    this.engine.choices.driver = driver;
  }

  /** The machine, booted, as a model checker drives it. From then on it records no choices. */
  probe(): Probe {
    this.boot();
    const { platform, settings } = this.composition;
    const { cpus } = this.engine;
    return new Probe(this.state, this.engine, this.stream, this.tasks, settings.scenario.interference, (cpu) =>
      platform.registersLive(cpus[cpu]),
    );
  }

  /** True while a frame of the routine is on the task's stack. */
  isInside(task: number, routine: string): boolean {
    const { words, at } = this.state;
    for (let frame = 0; frame < words[at.depth + task]; frame++) {
      const index = task * at.stackDepth + frame;
      const isCode = contextOf(words[at.frameStatus + index]) !== CONTEXT.user;
      if (isCode && this.engine.code.routineAt(words[at.framePc + index]) === routine) return true;
    }
    return false;
  }

  /** Sets up tasks and CPUs, if that has not happened yet. `step` and `run` do it by themselves. */
  boot(): void {
    const { words, at } = this.state;
    const firstIdle = at.tasks - at.cpus;
    if (words[at.lifecycle + firstIdle] === LIFECYCLE.unborn) this.engine.boot();
  }

  /** One atomic step. False when nothing can run any more. */
  step(): boolean {
    this.boot();
    return this.engine.step();
  }

  /**
   * Steps until nothing can run, a limit is reached, or `stop` says so.
   *
   * @param stepsMax limit; the scenario's when left out
   * @param stop asked now and then
   */
  run({ stepsMax = this.composition.settings.scenario.stepsMax, stop = () => false }: RunOptions = {}): RunResult {
    this.boot();
    for (let steps = 0; steps < stepsMax; steps++) {
      if (steps % STOP_INTERVAL === 0 && stop()) return { outcome: 'interrupted', steps };
      if (!this.engine.step()) {
        this.driver.finish?.();
        return { outcome: this.hasStoppedCpu() ? 'halted' : 'finished', steps };
      }
    }
    return { outcome: 'step-limit', steps: stepsMax };
  }

  /** True when a kernel stack overflowed, or the kernel panicked. */
  private hasStoppedCpu(): boolean {
    const { words, at } = this.state;
    return words.subarray(at.current, at.current + at.cpus).includes(-1);
  }

  /** A copy of the whole state. */
  snapshot(): Int32Array {
    return this.state.words.slice();
  }

  /** Puts the machine back to a snapshot. Subscriptions stay. */
  restore(snapshot: Int32Array): void {
    this.state.words.set(snapshot);
  }

  /** 16 hexadecimal digits over the whole state. */
  digest(): string {
    return digestOf(this.state.words);
  }
}

/** Options of a run. */
export interface RunOptions {
  readonly stepsMax?: number;
  readonly stop?: () => boolean;
}

const STOP_INTERVAL = 1024;
