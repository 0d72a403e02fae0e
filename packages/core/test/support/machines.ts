import {
  NOTHING,
  VECTOR,
  compose,
  statusName,
  step,
  routine,
  vectorName,
  type BasePolicy,
  type ComposeOptions,
  type Interference,
  type Machine,
  type MachineEvent,
  type Operation,
  type Platform,
  type Policy,
  type Routine,
  type Scenario,
  type Schedule,
  type StepAction,
  type TaskKind,
} from '@fpulab/core';
import { bareMetal } from '@fpulab/hypervisor';

/** Leaves every hook alone: TS stays set from boot, and what is in the registers stays there. */
export function quietPolicy(overrides: Partial<BasePolicy> = {}): BasePolicy {
  return {
    kind: 'base',
    id: 'quiet',
    title: 'does nothing',
    source: 'test',
    fpstate: 'embedded',
    slots: [],
    roles: {},
    routines: [],
    ...overrides,
    hooks: {
      'switch-out': NOTHING,
      'switch-in': NOTHING,
      'trap-nm': NOTHING,
      'irq-fpu-usable': NOTHING,
      'kernel-fpu-begin': NOTHING,
      'kernel-fpu-end': NOTHING,
      fork: NOTHING,
      exec: NOTHING,
      exit: NOTHING,
      ...overrides.hooks,
    },
  };
}

/** A quiet policy that answers one hook with steps; the routine is called `test.<hook>`. */
export function answering(hooks: Readonly<Record<string, Routine['body']>>): BasePolicy {
  return quietPolicy({
    routines: Object.entries(hooks).map(([hook, body]) => routine(`test.${hook}`, body)),
    hooks: Object.fromEntries(Object.keys(hooks).map((hook) => [hook, `test.${hook}`])),
  });
}

/** Steps that clear CR0.TS when a CPU comes up, so that no FPU instruction traps. */
export const CLEAR_TS: Routine['body'] = [step('clts', (k) => k.clts())];

/** A quiet policy under which no FPU instruction traps. */
export const openPolicy = (): BasePolicy => answering({ 'cpu-up': CLEAR_TS });

/** A step of hypervisor or kernel code with a name and nothing to do. */
export const idleStep = (name: string, run: StepAction = () => {}): Routine['body'][number] => step(name, run);

/** Bare metal with some of its parts exchanged. */
export const platformWith = (overrides: Partial<Platform>): Platform => ({ ...bareMetal(), ...overrides });

export interface MachineOptions {
  readonly tasks: Readonly<Record<string, readonly Operation[]>>;
  /** Signal handlers by task. */
  readonly handlers?: Readonly<Record<string, readonly Operation[]>>;
  /** Names of tasks that only fork() brings to life. */
  readonly unborn?: readonly string[];
  /** Tasks that never run user code. */
  readonly kinds?: Readonly<Record<string, TaskKind>>;
  readonly interference?: Interference;
  readonly schedule?: Schedule;
  readonly policy?: Policy;
  readonly platform?: Platform;
  readonly compose?: Partial<ComposeOptions>;
  readonly cpus?: number;
}

/** A scenario of a few tasks. */
export function scenarioWith({
  tasks,
  handlers = {},
  unborn = [],
  kinds = {},
  interference = {},
  schedule = {},
}: MachineOptions): Scenario {
  return {
    id: 'test',
    title: 'test',
    tasks: Object.entries(tasks).map(([name, program]) => ({
      name,
      program,
      handler: handlers[name],
      unborn: unborn.includes(name),
      kind: kinds[name],
    })),
    interference,
    oracles: [],
    schedule,
    sometimes: [],
    cpu: 'sandybridge',
    cpus: 1,
    stepsMax: 5000,
  };
}

/** A machine of a few tasks; under `openPolicy` on bare metal unless told otherwise. */
export function machineOf(options: MachineOptions): Machine {
  return compose({
    platform: options.platform ?? bareMetal(),
    policies: [options.policy ?? openPolicy()],
    scenario: scenarioWith(options),
    cpus: options.cpus ?? 1,
    ...options.compose,
  });
}

/** All events of a machine from now on. */
export function recorded(machine: Machine): readonly MachineEvent[] {
  const seen: MachineEvent[] = [];
  machine.events$.subscribe((event) => seen.push(event));
  return seen;
}

/** Runs a machine to its end (or `stepsMax`) and returns its events. */
export function eventsOf(machine: Machine, stepsMax?: number): readonly MachineEvent[] {
  const seen = recorded(machine);
  machine.run(stepsMax === undefined ? {} : { stepsMax });
  return seen;
}

/** Events of one type, their data only. */
export function dataOf(seen: readonly MachineEvent[], type: string): readonly MachineEvent['data'][] {
  return seen.filter((event) => event.type === type).map(({ data }) => data);
}

/**
 * A run in words, one line per event that says where the machine is:
 * `A user 0`, `A enters exception irqs-off: device_not_available`, `A do_exit/exit_thread`, `A > B`, `A #NM from user`.
 */
export function story(machine: Machine, seen: readonly MachineEvent[]): readonly string[] {
  const task = (number: number): string => machine.taskNames[number];
  const routineAt = (pc: number): string => machine.stepLabels[pc].split(/[/@]/)[0];
  return seen.flatMap(({ type, data }) => {
    switch (type) {
      case 'user.stepped':
        return [`${task(data.task)} user ${data.at}`];
      case 'kernel.stepped':
        return machine.stepPath(data.at).length === 0 ? [] : [`${task(data.task)} ${machine.stepLabels[data.at]}`];
      case 'context.entered':
        return [`${task(data.task)} enters ${statusName(data.status)}: ${routineAt(data.at)}`];
      case 'routine.entered':
        return [`${task(data.task)} calls ${routineAt(data.at)}`];
      case 'trap.raised':
        return [`${task(data.task)} ${vectorName(data.vector)} from ${data.user ? 'user' : 'kernel'}`];
      case 'task.switched':
        return [`${task(data.prev)} > ${task(data.next)}`];
      default:
        return [];
    }
  });
}

export const { NM, UD, GP } = VECTOR;
