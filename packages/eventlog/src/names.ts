import { INIT, PRINCIPAL, serialOf, taskOfPrincipal, writerOf } from '@fpulab/core';

/** `X#1`: the first value that X wrote; `INIT`; `kernel#2`; `other guest`. */
export function valueName(value: number, tasks: readonly string[]): string {
  if (value === INIT) return 'INIT';
  const writer = writerOf(value);
  if (writer === PRINCIPAL.otherGuest) return 'other guest';
  return `${writerName(writer, tasks)}#${serialOf(value)}`;
}

/** Name of a principal: a task's, `kernel`, `other guest`, or `nobody`. */
export function writerName(writer: number, tasks: readonly string[]): string {
  if (writer === PRINCIPAL.none) return 'nobody';
  if (writer === PRINCIPAL.kernel) return 'kernel';
  if (writer === PRINCIPAL.otherGuest) return 'other guest';
  return tasks[taskOfPrincipal(writer)] ?? `task ${taskOfPrincipal(writer)}`;
}
