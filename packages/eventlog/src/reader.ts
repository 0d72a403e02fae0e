/** Reads logs. Nothing of a log is returned before all of it has been verified. */
import { createHash } from 'node:crypto';
import { FpuError, type MachineEvent, type MachineState } from '@fpulab/core';
import type { z } from 'zod';
import { EventCodec } from './event-codec';
import { isEventLine } from './event-line';
import { LineFault, logError, shown } from './fault';
import {
  LOG_FORMAT,
  LOG_VERSION,
  eventLineSchema,
  footerSchema,
  headerSchema,
  type EventLine,
  type LogFooter,
  type LogHeader,
} from './format';
import { logBytes } from './input';
import { parseLine, textLines, type TextLine } from './lines';
import { openReplay } from './replay';

/** A verified log. */
export interface EventLog {
  readonly header: LogHeader;
  /** Event `seq` is element `seq`. */
  readonly events: readonly MachineEvent[];
  readonly footer: LogFooter;
}

/** How every log begins that this package writes; tells a damaged log from something else. */
const SIGNATURE = `{"kind":"header","format":"${LOG_FORMAT}","version":`;
const MESSAGE_MAX = 200;

/**
 * Reads a log and verifies form, order, completeness and checksum. Whether it folds to its digest is replayLog's part.
 *
 * @param source path of a log, `.gz` or not, or its bytes
 * @param file what errors call data that has no path
 * @throws FpuError FPU401 not a log; FPU402 truncated; FPU403 a malformed line; FPU404 an event out of order; FPU405 a
 *   checksum that does not match; FPU406 another version; FPU502 no such file; FPU503 unreadable. `detail` has `file`
 *   and, where there is one, `line` and `column`, both from 1. Never anything else, whatever the input.
 */
export function readLog(
  source: string | Uint8Array,
  { file = typeof source === 'string' ? source : '(memory)' }: { readonly file?: string } = {},
): EventLog {
  const bytes = logBytes(source, file);
  const lines = textLines(bytes);
  const first = lines.next().value;
  if (first === undefined) throw logError('FPU401', 'the file is empty', { file, line: 1, column: 1 });
  const { header, state } = readHeader(first, file);
  const { events, footer, last } = readBody(lines, new EventCodec(header, state), file);
  verifyFooter(bytes, { events: events.length, footer, last }, file);
  return { header, events, footer };
}

function readHeader(line: TextLine, file: string): { header: LogHeader; state: MachineState } {
  const { text, ended } = line;
  const cutOff = !ended && (text.startsWith(SIGNATURE) || SIGNATURE.startsWith(text));
  if (cutOff) throw truncated(line, file, 'the header is cut off');
  if (!text.startsWith(SIGNATURE) && !looksLikeHeader(text)) {
    const where = { file, line: 1, column: 1 };
    throw logError('FPU401', `this is no fpulab event log; those begin with ${SIGNATURE}`, where);
  }
  const value = parseLine(line, file);
  return locating(line, file, () => {
    refuseOtherVersion(value);
    const header = conform(headerSchema, value) as LogHeader;
    return { header, state: stateOf(header) };
  });
}

/** A header whose keys are in another order is one too. */
function looksLikeHeader(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return value !== null && typeof value === 'object' && 'format' in value && value.format === LOG_FORMAT;
  } catch {
    return false;
  }
}

function refuseOtherVersion(value: unknown): void {
  const { version } = value as { readonly version?: unknown };
  if (version === LOG_VERSION || !Number.isInteger(version)) return;
  throw new LineFault(
    'FPU406',
    `the log has format version ${shown(version)}; this fpulab reads version ${LOG_VERSION}`,
    'version',
    { expected: LOG_VERSION, found: Number(version) },
  );
}

function stateOf(header: LogHeader): MachineState {
  try {
    return openReplay(header);
  } catch (error) {
    if (error instanceof FpuError) throw new LineFault('FPU403', error.message, 'slots');
    throw error;
  }
}

function readBody(lines: Iterable<TextLine>, codec: EventCodec, file: string) {
  const events: MachineEvent[] = [];
  let footer: LogFooter | undefined;
  let last: TextLine | undefined;
  for (const line of lines) {
    if (footer) throw logError('FPU403', 'data after the footer', { file, line: line.number, column: 1 });
    if (!line.ended) throw truncated(line, file, `it breaks off after ${events.length} whole events`);
    const value = parseLine(line, file);
    locating(line, file, () => {
      if (isFooter(value)) footer = conform(footerSchema, value) as LogFooter;
      else events.push(codec.decode(isEventLine(value) ? value : (conform(eventLineSchema, value) as EventLine)));
    });
    last = line;
  }
  if (footer && last) return { events, footer, last };
  const where = { file, line: (last?.number ?? 1) + 1, column: 1 };
  throw logError('FPU402', `the log has no footer after its ${events.length} events; its run was cut short`, where);
}

function isFooter(value: unknown): boolean {
  return value !== null && typeof value === 'object' && 'kind' in value && value.kind === 'footer';
}

function verifyFooter(
  bytes: Uint8Array,
  { events, footer, last }: { events: number; footer: LogFooter; last: TextLine },
  file: string,
): void {
  locating(last, file, () => {
    if (footer.events !== events) {
      throw new LineFault('FPU404', `the footer counts ${footer.events} events, found ${events}`, 'events', {
        expected: footer.events,
        found: events,
      });
    }
    const value = `${footer.sha256}"}`;
    if (!last.text.endsWith(`,"sha256":"${value}`)) {
      throw new LineFault('FPU403', 'the checksum is not the last thing on the line', 'sha256');
    }
    const covered = bytes.subarray(0, bytes.length - value.length - '\n'.length);
    const found = createHash('sha256').update(covered).digest('hex');
    if (found === footer.sha256) return;
    throw new LineFault('FPU405', 'the checksum does not match; the log was changed after it was written', 'sha256', {
      expected: footer.sha256,
      found,
    });
  });
}

function truncated(line: TextLine, file: string, how: string): FpuError {
  const where = { file, line: line.number, column: line.text.length + 1 };
  return logError('FPU402', `the log is truncated: ${how}`, where);
}

/** The value itself, once it is known to fit. */
function conform(schema: z.ZodType, value: unknown): unknown {
  const result = schema.safeParse(value);
  if (result.success) return value;
  const [issue] = result.error.issues;
  const named = issue.code === 'unrecognized_keys' ? issue.keys : issue.path;
  const key = named.filter((part) => typeof part === 'string').at(-1);
  const path = issue.path.length === 0 ? '' : `${issue.path.join('.')}: `;
  throw new LineFault('FPU403', `${path}${issue.message}`.slice(0, MESSAGE_MAX), key);
}

/** Gives the faults that `action` finds on a line their place. */
function locating<T>(line: TextLine, file: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    if (!(error instanceof LineFault)) throw error;
    const offset = error.key === undefined ? -1 : line.text.indexOf(JSON.stringify(error.key));
    const where = { file, line: line.number, column: Math.max(offset, 0) + 1 };
    throw logError(error.code, error.message, where, error.facts);
  }
}
