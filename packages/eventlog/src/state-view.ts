/** A readable picture of a machine's state: what `replay --to N` shows. */
import {
  CONTEXT,
  CR0_TS,
  LIFECYCLE,
  VALIDITY_NAMES,
  componentName,
  contextOf,
  readField,
  statusName,
  type Field,
  type MachineState,
} from '@fpulab/core';
import type { LogHeader } from './format';
import { operationName, valueName } from './names';

/** Names of values by component: `{ x87: 'X#1', sse: 'INIT' }`. */
export type RegisterView = Readonly<Record<string, string>>;

/** Slots by `<plugin>.<slot>`. Tasks, CPUs, values and steps by name, null for nobody; flags as booleans; bits as `0x...`. */
export type SlotsView = Readonly<Record<string, string | number | boolean | null>>;

/** A CPU. */
export interface CpuView {
  readonly cpu: number;
  /** Current task; null before boot or after the CPU stopped. */
  readonly task: string | null;
  /** CR0 as the processor obeys it. */
  readonly cr0: string;
  readonly ts: boolean;
  readonly fpregs: RegisterView;
  /** The image in which the hypervisor keeps this vCPU's registers; absent where the platform loads none lazily. */
  readonly vcpuImage?: RegisterView;
  readonly slots: SlotsView;
}

/** One frame of a task's stack. */
export interface FrameView {
  /** Label of the kernel step that comes next; `A[3] mmx.read`: operation 3 of A's program does. */
  readonly at: string;
  /** Context and masks: `syscall irqs-off`. */
  readonly status: string;
}

/** A task. */
export interface TaskView {
  readonly task: string;
  readonly lifecycle: string;
  readonly sleeping: boolean;
  /** CPU on which it ran last; null before the first. */
  readonly lastRan: number | null;
  /** From the bottom up. */
  readonly stack: readonly FrameView[];
  /** Where the latest FPU state is: 1 registers, 2a both, 2b memory, ... See VALIDITY. */
  readonly validity: string;
  /** The values that the task ought to see. */
  readonly architectural: RegisterView;
  /** What its image in memory holds; null while it has none. */
  readonly image: RegisterView | null;
  readonly slots: SlotsView;
}

/** The whole machine. */
export interface StateView {
  readonly cpus: readonly CpuView[];
  readonly tasks: readonly TaskView[];
  /** Slots that exist once per machine. */
  readonly slots: SlotsView;
}

/** What of a header a picture needs. */
export type StateNames = Pick<LogHeader, 'tasks' | 'programs' | 'steps' | 'slots' | 'roles'>;

const LIFECYCLE_NAMES: Readonly<Record<number, string>> = Object.fromEntries(
  Object.entries(LIFECYCLE).map(([name, value]) => [value, name]),
);

/** Describes a state in plain JSON values. */
export function describeState(state: MachineState, names: StateNames): StateView {
  const { cpus, tasks } = state.at;
  const each = <T>(count: number, describe: (index: number) => T): readonly T[] =>
    Array.from({ length: count }, (_, index) => describe(index));
  return {
    cpus: each(cpus, (cpu) => describeCpu(state, names, cpu)),
    tasks: each(tasks, (task) => describeTask(state, names, task)),
    slots: describeSlots(state, names, 'machine', 0),
  };
}

function describeCpu(state: MachineState, names: StateNames, cpu: number): CpuView {
  const { words, at } = state;
  const cr0 = words[at.cr0 + cpu];
  return {
    cpu,
    task: names.tasks[words[at.current + cpu]] ?? null,
    cr0: hex(cr0),
    ts: (cr0 & CR0_TS) !== 0,
    fpregs: describeRegisters(state, names, at.fpregs, cpu),
    ...(names.roles.dirtied && { vcpuImage: describeRegisters(state, names, at.image, at.vcpuFpstates + cpu) }),
    slots: describeSlots(state, names, 'cpu', cpu),
  };
}

function describeTask(state: MachineState, names: StateNames, task: number): TaskView {
  const { words, at } = state;
  const lastRan = words[at.lastRan + task];
  return {
    task: names.tasks[task],
    lifecycle: LIFECYCLE_NAMES[words[at.lifecycle + task]] ?? String(words[at.lifecycle + task]),
    sleeping: words[at.sleeping + task] !== 0,
    lastRan: lastRan < 0 ? null : lastRan,
    stack: describeStack(state, names, task),
    validity: VALIDITY_NAMES[words[at.validity + task]] ?? String(words[at.validity + task]),
    architectural: describeRegisters(state, names, at.architectural, task),
    image: words[at.allocated + task] === 0 ? null : describeRegisters(state, names, at.image, task),
    slots: describeSlots(state, names, 'task', task),
  };
}

function describeStack({ words, at: core }: MachineState, names: StateNames, task: number): readonly FrameView[] {
  const frames = Math.min(Math.max(words[core.depth + task], 0), core.stackDepth);
  return Array.from({ length: frames }, (_, depth) => {
    const frame = task * core.stackDepth + depth;
    const pc = words[core.framePc + frame];
    const status = words[core.frameStatus + frame];
    const inProgram = contextOf(status) === CONTEXT.user;
    const at = inProgram ? operationName(names, task, pc) : (names.steps[pc] ?? String(pc));
    return { at, status: statusName(status) };
  });
}

function describeRegisters({ words, at }: MachineState, names: StateNames, base: number, index: number): RegisterView {
  return Object.fromEntries(
    at.componentBits.map((bit, element) => [
      componentName(bit),
      valueName(words[base + index * at.components + element], names.tasks),
    ]),
  );
}

function describeSlots(state: MachineState, names: StateNames, space: Field['space'], instance: number): SlotsView {
  const fields = names.slots.filter((slot) => slot.space === space).map((slot) => state.layout.field(slot.name));
  return Object.fromEntries(
    fields.map((field) => [field.name, describeSlot(readField(state, field, instance), field.kind, names)]),
  );
}

function describeSlot(value: number, kind: Field['kind'], names: StateNames): SlotsView[string] {
  switch (kind) {
    case 'flag':
      return value !== 0;
    case 'number':
      return value;
    case 'task':
      return names.tasks[value] ?? null;
    case 'cpu':
      return value < 0 ? null : value;
    case 'value':
      return valueName(value, names.tasks);
    case 'pc':
      return names.steps[value] ?? null;
    case 'bits':
      return hex(value);
  }
}

function hex(value: number): string {
  return `0x${(value >>> 0).toString(16)}`;
}
