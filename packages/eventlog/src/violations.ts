/** What must never happen and did, told for people: which value, whose, and how it came there. */
import { ORACLES, componentName, vectorName, writerOf, type MachineEvent, type OracleId } from '@fpulab/core';
import type { LogHeader } from './format';
import { operationName, valueName, writerName } from './names';
import { trackProvenance, type Place, type Provenance } from './provenance';

/** One violation of an oracle. */
export interface Violation {
  readonly id: OracleId;
  /** `x87`, `sse`, ...; null where no component is concerned. */
  readonly component: string | null;
  /** Name of the task that is harmed or that sees too much; where a tracer is shown something else than its target has, the target. */
  readonly task: string;
  /** `seq` of the violation's event. */
  readonly step: number;
  /** What was going on: label of a kernel step, `A[3] mmx.read` for operation 3 of A's program, `#NM` for a trap. */
  readonly at: string;
  /** Of an `unexpected-fault`: `#NM`; `double fault` or `panic` where the CPU stops. Else null. */
  readonly fault: Fault | null;
  /** Who wrote the value that was found: a task's name, `kernel`, `other guest`, `nobody`. */
  readonly writer: string;
  /** Name of the task that reads, or could read, the value: the tracer where it is shown one. */
  readonly reader: string;
  /** The value that was found: `X#1`, `INIT`, `kernel#2`. */
  readonly value: string;
  /** The value that ought to be there. */
  readonly expected: string;
  /**
   * `seq` of the events by which the value came there, oldest first, and of the event that read it, if one did. For
   * `validity`, whose value is nowhere: the events that made the lost value and destroyed its last copy.
   */
  readonly chain: readonly number[];
}

/** What the kernel did not expect. */
export type Fault = '#NM' | 'double fault' | 'panic';

/** All violations of a run. */
export interface ViolationReport {
  /** Of the oracles that decide the verdict. */
  readonly violations: readonly Violation[];
  /** Of the others. */
  readonly exposures: readonly Violation[];
}

/** Explains every `oracle.violated` event of a run. */
export function violationsOf(events: readonly MachineEvent[], header: LogHeader): ViolationReport {
  const provenance = trackProvenance(header);
  const found: Violation[] = [];
  for (const event of events) {
    if (event.type === 'oracle.violated') found.push(explain(event, { events, header, provenance }));
    else provenance.observe(event);
  }
  const decides = ({ id }: Violation): boolean => header.oracles.includes(id);
  return { violations: found.filter(decides), exposures: found.filter((violation) => !decides(violation)) };
}

/** A run up to a violation. */
interface Run {
  readonly events: readonly MachineEvent[];
  readonly header: LogHeader;
  readonly provenance: Provenance;
}

function explain(event: MachineEvent, run: Run): Violation {
  const { tasks } = run.header;
  const { oracle, reader, component, value, expected } = event.data;
  return {
    id: ORACLES[oracle],
    component: component < 0 ? null : componentName(component),
    task: tasks[harmedBy(event, run)],
    step: event.seq,
    at: whatWasGoingOn(event, run),
    fault: faultOf(event, run),
    writer: writerName(writerOf(value), tasks),
    reader: tasks[reader],
    value: valueName(value, tasks),
    expected: valueName(expected, tasks),
    chain: component < 0 ? [] : chainOf(event, run),
  };
}

/** The reader, or the target of a tracer that is shown what its target does not have. */
function harmedBy({ seq, data }: MachineEvent, { events }: Run): number {
  const read = events[seq - 1];
  const isShown = ORACLES[data.oracle] === 'lost-update' && read.type === 'fpstate.shown';
  return isShown ? read.data.target : data.reader;
}

/** An oracle speaks up right behind the event that it is about. */
function faultOf({ seq, data }: MachineEvent, { events }: Run): Fault | null {
  if (ORACLES[data.oracle] !== 'unexpected-fault') return null;
  return STOPS[events[seq - 1].type] ?? '#NM';
}

/** Events at which a CPU stops for good. */
const STOPS: Readonly<Record<string, Fault>> = {
  'kernel.stack-overflowed': 'double fault',
  'kernel.panicked': 'panic',
};

function chainOf({ seq, data }: MachineEvent, { events, header, provenance }: Run): readonly number[] {
  const { oracle, cpu, reader, component, value } = data;
  if (ORACLES[oracle] === 'validity') return [...provenance.latestOf(reader, component).chain, provenance.lastMove];
  // A guest whose registers are not live finds them in the image that the hypervisor keeps of its vCPU.
  const places: Place[] = [
    { in: 'fpregs', index: cpu, component },
    { in: 'fpstate', index: header.sizes.task + cpu, component },
  ];
  const read = events[seq - 1];
  if (read.type === 'fpstate.shown') places.push({ in: 'fpstate', index: read.data.target, component });
  const origin = places.map((place) => provenance.at(place)).find((candidate) => candidate.value === value);
  const wasRead = READS.has(read.type) && read.data.component === component;
  return [...(origin?.chain ?? []), ...(wasRead ? [read.seq] : [])];
}

const READS: ReadonlySet<string> = new Set(['fpregs.read', 'kernel.fpregs-checked', 'fpstate.shown']);

/** The step that caused the violation; where its event names none, the nearest before it. For a fault, the step that met it. */
function whatWasGoingOn(event: MachineEvent, run: Run): string {
  const { seq, cause, data } = event;
  const { events, header } = run;
  if (faultOf(event, run) === '#NM') {
    const trap = events
      .slice(0, seq)
      .reverse()
      .find((event) => event.type === 'trap.raised' && event.data.cpu === data.cpu && event.data.user === 0);
    if (trap) return header.steps[trap.data.at];
  }
  for (let at = cause >= 0 ? cause : seq - 1; at >= 0; at--) {
    const text = PLACES[events[at].type]?.(events[at].data, header);
    if (text !== undefined) return text;
  }
  return 'boot';
}

/** How events that say where a CPU is say it. */
const PLACES: Readonly<Record<string, (data: MachineEvent['data'], header: LogHeader) => string>> = {
  'kernel.stepped': ({ at }, { steps }) => steps[at],
  'user.stepped': ({ task, at }, header) => operationName(header, task, at),
  'kthread.stepped': ({ task, at }, header) => operationName(header, task, at),
  'context.entered': ({ at }, { steps }) => steps[at],
  'trap.raised': ({ vector }) => vectorName(vector),
};
