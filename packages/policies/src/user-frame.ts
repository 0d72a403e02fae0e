/** Kernel code that moves registers to and from a signal frame on the user's stack, whose pages may not be there. */
import { HEADER, SSE, USER_COMPONENTS, X87, step, when, whileHolds } from '@fpulab/core';
import type { Kernel, RoutineNode, Step, UserRestore } from '@fpulab/core';

/** How an attempt went, in local 0 of a routine. */
export const ATTEMPT = { retry: 0, ok: 1, faulted: 2, failed: 3 } as const;

/** Asks how the attempt went. */
export const went =
  (how: number) =>
  (k: Kernel): boolean =>
    k.local(0) === how;

/** What an access or a restore says, as ATTEMPT. */
export const attempt = (result: boolean | UserRestore): number => {
  if (typeof result === 'boolean') return result ? ATTEMPT.ok : ATTEMPT.faulted;
  return { ok: ATTEMPT.ok, 'page-fault': ATTEMPT.faulted, 'general-protection': ATTEMPT.failed }[result];
};

/** Brings the missing page in and tries again, or gives up. */
export const faultIn = (name: string): RoutineNode =>
  when(went(ATTEMPT.faulted), [step(name, (k) => k.setLocal(0, k.faultIn() ? ATTEMPT.retry : ATTEMPT.failed))]);

/**
 * An access with page faults enabled, as all are before 5.2: the fault is taken inside, other tasks may run meanwhile, and
 * the instruction starts again.
 */
export function userAccess(
  name: string,
  run: (k: Kernel) => boolean | UserRestore,
  options: Pick<Step, 'instruction' | 'nmExpected'> = {},
): RoutineNode {
  return whileHolds(went(ATTEMPT.retry), [
    step(name, (k) => k.setLocal(0, attempt(run(k))), options),
    faultIn(`do_page_fault in ${name}`),
  ]);
}

/** copy_user_to_xstate(): a header with reserved bits is refused before any component is copied. */
export const copyValidated = (k: Kernel, fpstate: number, xfeatures: number): boolean | UserRestore =>
  frameHeader(k) === HEADER.reserved ? 'general-protection' : k.copyFromUser(fpstate, xfeatures);

/** sanitize_restored_xstate() up to 4.9: what the frame does not hold is INIT, and the reserved bits of the header are 0. */
export function sanitizeRestored(k: Kernel, fpstate: number): void {
  if (frameHeader(k) === HEADER.fxOnly) k.writeXstateBv(fpstate, k.xstateBv(fpstate) & inFrame(k));
  k.writeHeader(fpstate, HEADER.valid);
}

/** User components of this kernel. */
export const userFeatures = (k: Kernel): number => k.xfeatures & USER_COMPONENTS;

/** The header of the current task's signal frame: one of HEADER. */
export const frameHeader = (k: Kernel): number => k.headerOf(k.fpstateOf(k.task, 'sigframe'));

/** Components that the frame holds: all user ones; x87 and SSE where it has lost its magic. */
export const inFrame = (k: Kernel): number =>
  frameHeader(k) === HEADER.fxOnly ? (1 << X87) | (1 << SSE) : userFeatures(k);

/** Components that the frame does not hold: they return to INIT. */
export const notInFrame = (k: Kernel): number => userFeatures(k) & ~inFrame(k);
