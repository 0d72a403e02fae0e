import { DEFAULT_PKRU, INIT, PRINCIPAL, serialOf, taskOfPrincipal, writerOf } from '@fpulab/core';

/** `X#1`: the first value that X wrote; `INIT`; `default`: the kernel's PKRU; `kernel#2`; `other guest`. */
export function valueName(value: number, tasks: readonly string[]): string {
  if (value === INIT) return 'INIT';
  if (value === DEFAULT_PKRU) return 'default';
  const writer = writerOf(value);
  if (writer === PRINCIPAL.otherGuest) return 'other guest';
  if (writer === PRINCIPAL.pasid) return `PASID ${serialOf(value)}`;
  return `${writerName(writer, tasks)}#${serialOf(value)}`;
}

/** Name of a principal: a task's, `kernel`, `kernel default`, `other guest`, or `nobody`. */
export function writerName(writer: number, tasks: readonly string[]): string {
  if (writer === PRINCIPAL.none) return 'nobody';
  if (writer === PRINCIPAL.kernel) return 'kernel';
  if (writer === PRINCIPAL.otherGuest) return 'other guest';
  if (writer === PRINCIPAL.kernelDefault) return 'kernel default';
  if (writer === PRINCIPAL.pasid) return 'the allocator of PASIDs';
  return tasks[taskOfPrincipal(writer)] ?? `task ${taskOfPrincipal(writer)}`;
}

/** `A[3] mmx.read`: operation 3 of A's program; without its text where the program has none. */
export function operationName(
  { tasks, programs }: { readonly tasks: readonly string[]; readonly programs: readonly (readonly string[])[] },
  task: number,
  at: number,
): string {
  return [`${tasks[task]}[${at}]`, programs[task]?.[at]].join(' ').trimEnd();
}
