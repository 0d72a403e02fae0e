/** Facts about an error, for machines: plain JSON values only. */
export type ErrorDetail = Readonly<Record<string, string | number | boolean | readonly string[]>>;

/**
 * Every mistake a user can make has one stable code.
 *
 * FPU1xx x86 and CPU models, FPU2xx composition, FPU3xx choices and replay, FPU4xx event logs, FPU5xx command line,
 * FPU6xx vectors.
 */
export const ERROR_CODES = {
  FPU101: 'unknown CPU model',
  FPU102: 'a malformed CPU model',
  FPU103: 'an area too small for an image',
  FPU104: 'machine code that is not modelled',
  FPU201: 'two base policies',
  FPU202: 'a hook that nobody owns',
  FPU203: 'a patch or modifier whose anchor is absent',
  FPU204: 'a feature that the CPU or the platform lacks',
  FPU205: 'the same id twice',
  FPU206: 'a plugin object used in two machines',
  FPU207: 'a routine that nobody declares',
  FPU208: 'a scenario that does not fit',
  FPU209: 'a declaration that is not well formed',
  FPU301: 'a choice that is not enabled',
  FPU302: 'a replay that no longer fits',
  FPU303: 'a malformed replay string',
  FPU304: 'a malformed seed',
  FPU401: 'not an fpulab event log',
  FPU402: 'a truncated event log',
  FPU403: 'a malformed event log line',
  FPU404: 'an event out of order',
  FPU405: 'an event log whose checksum does not match',
  FPU406: 'an event log of another version',
  FPU407: 'an event log that does not fold to its own digest',
  FPU501: 'usage',
  FPU502: 'no such input',
  FPU503: 'input or output failed',
  FPU504: 'unknown name',
  FPU601: 'not a file of vectors',
  FPU602: 'vectors of a processor that no CPU model stands for',
} as const;

/** A stable error code, `FPU101` and so on. */
export type FpuErrorCode = keyof typeof ERROR_CODES;

/**
 * A mistake of the user (not a guest fault, which is an event, and not a bug of ours, which is an assertion).
 *
 * The message says what was expected, what was found and what to do next.
 */
export class FpuError extends Error {
  override readonly name = 'FpuError';

  constructor(
    readonly code: FpuErrorCode,
    message: string,
    readonly detail: ErrorDetail = {},
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** True for errors that carry one of our codes, also those of a second copy of this module. */
export function isFpuError(error: unknown): error is FpuError {
  return error instanceof Error && error.name === 'FpuError' && typeof (error as FpuError).code === 'string';
}

/** A bug of ours: fails at once and narrows types. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(`fpulab bug: ${message}`);
}

/** The end of every `switch` over a union. */
export function unreachable(value: never): never {
  throw new Error(`fpulab bug: unreachable ${String(value)}`);
}
