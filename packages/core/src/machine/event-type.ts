import { FpuError } from '../error';
import type { MachineState } from './state';

/**
 * What a field of an event means. It decides how the number is written to a log:
 * `value`, `mask` and `digest` as `"0x..."`, `pc` as a step's name, `instruction` as a mnemonic, the rest as a plain
 * number.
 */
export type EventFieldKind =
  'cpu' | 'task' | 'component' | 'value' | 'fpstate' | 'mask' | 'pc' | 'slot' | 'number' | 'digest' | 'instruction';

/** Names and kinds of an event's fields, in the order of `apply`'s arguments; at most six. */
export type EventFields = Readonly<Record<string, EventFieldKind>>;

/** Changes the state as the event says; decides nothing, reads nothing but its arguments and the state. */
export type Apply = (state: MachineState, a: number, b: number, c: number, d: number, e: number, f: number) => void;

/** A kind of event: declared once, with the only code that may change state. */
export interface EventType<F extends EventFields = EventFields> {
  /** Dense number, for tables. Not part of any log. */
  readonly id: number;
  /** Past tense, dotted: `fpregs.saved`. */
  readonly name: string;
  readonly fields: F;
  readonly fieldNames: readonly string[];
  readonly kinds: readonly EventFieldKind[];
  readonly apply: Apply;
  /**
   * The event concerns one CPU and its current task: no other CPU and no oracle that looks at several CPUs can tell
   * when it happens. The explorer's partial order reduction relies on it.
   */
  readonly local: boolean;
  /**
   * Its fields name the FPU registers of CPUs and the FPU state of tasks, not where those are; `too`: beside where those are.
   * See footprint.ts.
   */
  readonly fpu: boolean | 'too';
  /** Beside what its fields name, `apply` looks at who has picked each task, and may change that. */
  readonly unpicks: boolean;
  /** Set for hooks: points where the kernel asks its policy or platform to act. */
  readonly hook: boolean;
}

/** A delivered event: plain data. */
export interface MachineEvent<F extends EventFields = EventFields> {
  /** Position in the total order of the run, from 0. */
  readonly seq: number;
  readonly type: string;
  /** Whose code did it: `user`, `kernel`, `hardware`, `scheduler`, `oracle`, or a plugin's id. */
  readonly by: string;
  /** The step in whose course it happened (its `seq`), or -1 for steps themselves. */
  readonly cause: number;
  readonly data: { readonly [K in keyof F]: number };
}

const registry = new Map<string, EventType>();
const byId: EventType[] = [];

/** Declares an event type. Names are unique in the process. */
export function defineEvent<const F extends EventFields>(
  name: string,
  fields: F,
  apply: Apply,
  { local = false, fpu = false, unpicks = false }: Partial<Pick<EventType, 'local' | 'fpu' | 'unpicks'>> = {},
): EventType<F> {
  return register({ name, fields, apply, local, fpu, unpicks, hook: false });
}

/** Declares a hook: an event that changes nothing itself and asks a plugin to act. */
export function defineHook<const F extends EventFields>(name: string, fields: F): EventType<F> {
  return register({ name, fields, apply: () => {}, local: true, fpu: false, unpicks: false, hook: true });
}

function register<const F extends EventFields>(
  declared: Pick<EventType<F>, 'name' | 'fields' | 'apply' | 'local' | 'fpu' | 'unpicks' | 'hook'>,
): EventType<F> {
  const { name } = declared;
  if (registry.has(name)) throw new FpuError('FPU205', `the event type '${name}' is declared twice`, { name });
  const { fields } = declared;
  const type = { ...declared, id: byId.length, fieldNames: Object.keys(fields), kinds: Object.values(fields) };
  registry.set(name, type);
  byId.push(type);
  return type;
}

/** The event type of this name, or undefined. */
export function eventType(name: string): EventType | undefined {
  return registry.get(name);
}

/** Every event type, in order of declaration. */
export function eventTypes(): readonly EventType[] {
  return byId;
}

/** Builds the object that subscribers see. */
export function eventObject(
  type: EventType,
  header: { seq: number; by: string; cause: number },
  args: readonly [number, number, number, number, number, number],
): MachineEvent {
  const data: Record<string, number> = {};
  const names = type.fieldNames;
  for (let index = 0; index < names.length; index++) data[names[index]] = args[index];
  return { seq: header.seq, type: type.name, by: header.by, cause: header.cause, data };
}

/** True for events of `type`, and narrows their data. */
export function isEvent<F extends EventFields>(event: MachineEvent, type: EventType<F>): event is MachineEvent<F> {
  return event.type === type.name;
}

/** Applies a delivered (or logged) event to a state: the fold of a replay. */
export function applyEvent(state: MachineState, type: EventType, data: Readonly<Record<string, number>>): void {
  const [a, b, c, d, e, f] = type.fieldNames;
  type.apply(state, data[a], data[b], data[c], data[d], data[e], data[f]);
}
