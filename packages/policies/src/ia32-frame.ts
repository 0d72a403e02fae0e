/**
 * Signal frames of 32-bit programs: an FSAVE header lies in front of the FXSAVE or XSAVE image, and its x87 state counts.
 *
 * Where the processor has no FXSAVE there is no such header: the frame is an FSAVE image, as a 64-bit kernel never makes one. Linux 6.1
 * arch/x86/kernel/fpu/signal.c save_fsave_header(), regset.c convert_from_fxsr(), convert_to_fxsr(); before 3.7 kernel/i387.c.
 */
import { X87, step, when } from '@fpulab/core';
import type { Kernel, RoutineNode, Step } from '@fpulab/core';
import { ATTEMPT, sanitizeRestored, userAccess, went } from './user-frame';

const header = (k: Kernel): number => k.fpstateOf(k.task, 'fsave');

/** One more access, where those before it went well. */
export const andThen = (name: string, access: RoutineNode): RoutineNode =>
  when(went(ATTEMPT.ok), [step(name, (k) => k.setLocal(0, ATTEMPT.retry)), access]);

/**
 * copy_fxregs_to_kernel(), earlier fpu_fxsave(): x87 and SSE of the image become current, for the header is made of them. What FXSAVE does not
 * write stays old, XSTATE_BV included: nobody looks at it before the whole image is saved again.
 */
export const fxsave = (name: string, image: (k: Kernel) => number, options: Pick<Step, 'nmExpected'> = {}): Step =>
  step(name, (k) => k.fxsave(image(k)), { instruction: 'fxsave', ...options });

/** convert_from_fxsr() and __copy_to_user(): x87 as it lies in the image goes to the header. False when a page is missing. */
export function copyFsaveHeader(k: Kernel, fpstate: number): boolean {
  return k.frameIsThere() && (k.writeFpstate(header(k), X87, k.readFpstate(fpstate, X87)), true);
}

/** save_fsave_header(), the part that accesses user memory. */
export const saveFsaveHeader = (image: (k: Kernel) => number): RoutineNode =>
  userAccess('save_fsave_header', (k) => copyFsaveHeader(k, image(k)));

/** __copy_from_user(&env, buf): until it is folded in, nobody changes the header. */
export const readFsaveHeader: RoutineNode = userAccess('__copy_from_user(env)', (k) => k.frameIsThere());

/** convert_to_fxsr(): the header's x87 state takes the place of the image's. A frame of the kernel marks x87 in XSTATE_BV. */
export function convertToFxsr(k: Kernel, fpstate: number): void {
  k.writeFpstate(fpstate, X87, k.readFpstate(header(k), X87));
  k.writeXstateBv(fpstate, k.xstateBv(fpstate) | (1 << X87));
}

/** sanitize_restored_xstate() with convert_to_fxsr() behind it. */
export const sanitize = (image: (k: Kernel) => number): Step =>
  step('sanitize_restored_xstate', (k) => {
    sanitizeRestored(k, image(k));
    convertToFxsr(k, image(k));
  });
