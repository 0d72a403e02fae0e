import { isFpuError } from '@fpulab/core';
import { EXIT, exitCodeOf } from './exit-codes';
import { blamedOnUser } from './user-file';

/** How an error is shown, and the exit code that goes with it. */
export interface ShownError {
  readonly text: string;
  readonly exitCode: number;
}

/** With the stack of what caused it: that is where a user's own code failed. */
function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return '';
  return `\n${error.stack ?? ''}${error.cause === undefined ? '' : `\ncaused by${stackOf(error.cause)}`}`;
}

/**
 * A user's mistake as `fpulab: error[FPU403]: ...` with place and hint; a bug of ours with where to report it. Stack
 * traces only with `debug`.
 */
export function showError(thrown: unknown, options: { readonly json: boolean; readonly debug: boolean }): ShownError {
  const error = blamedOnUser(thrown);
  const stack = options.debug ? stackOf(error) : '';
  if (!isFpuError(error)) {
    const message = error instanceof Error ? error.message : String(error);
    const hint = 'this is a bug of fpulab; run again with --debug and report what it prints';
    return { text: form('FPU700', message, {}, hint, options.json) + stack, exitCode: EXIT.bug };
  }
  const { hint } = error.detail;
  const text = form(error.code, error.message, error.detail, typeof hint === 'string' ? hint : undefined, options.json);
  return { text: text + stack, exitCode: exitCodeOf(error.code) };
}

function form(
  id: string,
  message: string,
  detail: Readonly<Record<string, unknown>>,
  hint: string | undefined,
  json: boolean,
): string {
  const { file, line, column } = detail;
  if (json) return JSON.stringify({ error: { id, message, hint, file, line, column } });
  const place =
    file === undefined ? '' : `\n  --> ${[file, line, column].filter((part) => part !== undefined).join(':')}`;
  return `fpulab: error[${id}]: ${message}${place}${hint === undefined ? '' : `\nhint: ${hint}`}`;
}
