import { FpuError, type ErrorDetail, type FpuErrorCode } from '@fpulab/core';

/** Where a log is wrong, for error messages. */
export interface Location {
  /** Path of the log, or a stand-in for data that has none. */
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** From 1, in UTF-16 code units. */
  readonly column: number;
}

/** The error for something wrong at a place in a log. `detail` carries the place and `facts`. */
export function logError(code: FpuErrorCode, text: string, where: Location, facts: ErrorDetail = {}): FpuError {
  return new FpuError(code, `line ${where.line}: ${text}`, { ...where, ...facts });
}

/** Something wrong with a line, found by code that does not know where the line is. The reader adds that. */
export class LineFault extends Error {
  constructor(
    readonly code: FpuErrorCode,
    message: string,
    /** The key whose value is wrong, for the column. */
    readonly key?: string,
    readonly facts: ErrorDetail = {},
  ) {
    super(message);
  }
}

const TEXT_MAX = 40;

/** A value from a log in an error message: short, whatever it is. */
export function shown(value: unknown): string {
  if (typeof value === 'string') {
    return JSON.stringify(value.length > TEXT_MAX ? `${value.slice(0, TEXT_MAX)}...` : value);
  }
  if (Array.isArray(value)) return 'an array';
  return value !== null && typeof value === 'object' ? 'an object' : String(value);
}

/** What a system error says. It need not be an instance of this realm's Error. */
export function messageOf(error: unknown): string {
  return error !== null && typeof error === 'object' && 'message' in error ? String(error.message) : String(error);
}
