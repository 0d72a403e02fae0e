/**
 * The event log format: what each of its lines is.
 *
 * A log is UTF-8 text, one JSON object per line, LF after every line and nothing else: a header, events, a footer. It
 * holds everything that a replay needs, so that no policy code has to be there to read it.
 */
import type { RunOutcome } from '@fpulab/core';
import type * as Schema from './format-schema';

export type { EventLine, LogFooter, LogHeader } from './format-schema';

/** The `format` of every header. */
export const LOG_FORMAT = 'fpulab-events';

/**
 * The `version` of logs that this package writes, and the only one that it reads.
 *
 * It changes when an old reader would misread a new log or a new reader an old one: a field of a line is added,
 * removed or means something else; an event type is renamed, gets other fields, or its `apply` does something else;
 * a core field of the state moves (digests change); ORACLES, CHOICE_KINDS or VALIDITY are reordered. A new event type,
 * policy, platform or scenario changes nothing for logs that lack it.
 */
export const LOG_VERSION = 3;

/** The version of fpulab that headers name as their writer. For people; readers do not look at it. */
export const FPULAB_VERSION = '0.1.0';

/** How a recorded run ended: as `Machine.run` says, or `failed` when it threw. */
export const LOG_OUTCOMES = ['finished', 'halted', 'step-limit', 'interrupted', 'failed'] as const satisfies readonly (
  RunOutcome | 'failed'
)[];

/** One of `LOG_OUTCOMES`. */
export type LogOutcome = (typeof LOG_OUTCOMES)[number];

/** What the deciding oracles say; null when a run was cut short before they said anything. */
export type LogVerdict = 'clean' | 'violation' | null;

/** What logs write for the address of a `next` that pops its frame. */
export const RETURN_LABEL = 'return';

/** The first line. */
export declare const headerSchema: typeof Schema.headerSchema;
/** Every line between header and footer. */
export declare const eventLineSchema: typeof Schema.eventLineSchema;
/** The last line. */
export declare const footerSchema: typeof Schema.footerSchema;

let schema: typeof Schema | undefined;

for (const name of ['headerSchema', 'eventLineSchema', 'footerSchema'] as const) {
  // eslint-disable-next-line @typescript-eslint/no-require-imports -- when the first of them is read, see there
  const get = () => (schema ??= require('./format-schema') as typeof Schema)[name];
  Object.defineProperty(exports, name, { enumerable: true, get });
}
