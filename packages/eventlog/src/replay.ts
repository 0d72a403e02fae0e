/** Folds logs: the state of the machine at any event, without any policy's code. */
import {
  applyEvent,
  createState,
  digestOf,
  eventTypes,
  FpuError,
  type EventType,
  type MachineEvent,
  type MachineState,
} from '@fpulab/core';
import type { LogHeader, LogVerdict } from './format';
import type { EventLog } from './reader';
import { VerdictCounter } from './verdict';

/** How far to fold. */
export interface FoldOptions {
  /** `seq` of the last event to apply; all when left out. -1 applies none. */
  readonly to?: number;
}

/** What a log folds to. */
export interface ReplayResult {
  readonly state: MachineState;
  /** Of `state`, 16 hexadecimal digits. */
  readonly digest: string;
  /** Events applied. */
  readonly applied: number;
  /** True when that was all of them; the log's digest and verdict have then been checked. */
  readonly complete: boolean;
  /** Of the whole log when complete; else `violation` when there was one so far, or null. */
  readonly verdict: LogVerdict;
}

/**
 * The state before the first event of a log.
 *
 * @throws FpuError FPU205 when two fields of the header have one name
 */
export function openReplay(header: LogHeader): MachineState {
  return createState(header, header.slots);
}

/**
 * Applies events to a state, in order. Changes `state` and nothing else.
 *
 * @param events those that follow the ones `state` already holds
 * @returns how many were applied
 * @throws FpuError FPU403 for an event of a type that this version of fpulab does not know
 */
export function foldEvents(
  state: MachineState,
  events: Iterable<MachineEvent>,
  { to = Infinity }: FoldOptions = {},
): number {
  const types = new Map<string, EventType>(eventTypes().map((type) => [type.name, type]));
  let applied = 0;
  for (const event of events) {
    if (event.seq > to) break;
    const type = types.get(event.type);
    if (type === undefined) throw new FpuError('FPU403', `'${event.type}' is no event type of this version of fpulab`);
    applyEvent(state, type, event.data);
    applied++;
  }
  return applied;
}

/**
 * Folds a log to its end or to an event, and checks what it says about itself when it gets to its end.
 *
 * @param to `seq` of the last event to apply, -1 for the state before the first; the end when left out
 * @throws FpuError FPU407 when state or verdict are not what the footer says; FPU501 for a `to` that the log lacks
 */
export function replayLog(log: EventLog, { to = log.events.length - 1 }: FoldOptions = {}): ReplayResult {
  const { header, events, footer } = log;
  if (!Number.isInteger(to) || to < -1 || to >= events.length) {
    throw new FpuError('FPU501', `the log has the events 0 to ${events.length - 1}, but not ${to}`, {
      to,
      events: events.length,
    });
  }
  const state = openReplay(header);
  const applied = foldEvents(state, events, { to });
  const counter = new VerdictCounter(header);
  for (let seq = 0; seq < applied; seq++) counter.observe(events[seq]);
  const complete = applied === events.length;
  const result = { state, digest: digestOf(state.words), applied, complete };
  if (!complete) return { ...result, verdict: counter.violations > 0 ? 'violation' : null };
  const verdict = counter.verdict(footer.outcome);
  const { violations } = counter;
  requireSame('the state digest', footer.digest, result.digest);
  requireSame('the verdict', String(footer.verdict), String(verdict));
  requireSame('the number of violations', String(footer.violations), String(violations));
  return { ...result, verdict };
}

function requireSame(what: string, expected: string, found: string): void {
  if (expected === found) return;
  throw new FpuError(
    'FPU407',
    `the footer says ${what} is ${expected}, but the events fold to ${found}; was the log written by another version, or edited?`,
    { expected, found },
  );
}
