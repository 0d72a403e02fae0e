/**
 * What sigreturn makes of the FPU part of a signal frame, which the program may have changed or made up.
 *
 * Follows arch/x86/kernel/fpu/signal.c of Linux 6.3 to 6.15. No input is written to.
 */
import { PKRU, SSE, SUPERVISOR_COMPONENTS, X87 } from '../x86/components';
import { hasFeature } from '../x86/cpu-model';
import { maskOf } from '../x86/image/image';
import { MXCSR_OFFSET } from '../x86/image/legacy';
import { EXTENDED_OFFSET, LEGACY_BYTES } from '../x86/layout';
import { IA32_FSAVE_BYTES, convertToFxsr } from './ia32-fsave';
import {
  FP_XSTATE_MAGIC1,
  FP_XSTATE_MAGIC2,
  FP_XSTATE_MAGIC2_BYTES,
  fsaveHeaderBytes,
  fpstateUserSize,
  type SignalContext,
} from './signal-frame';
import { refusal, type Refusal } from './uabi-refusal';
import { copyUabiToXstate, type UabiWrite } from './uabi-xstate';
import { SW_RESERVED, changeXstateBv, hasInvalidMxcsr, headerOf, viewOf } from './xstate-buffer';

const FPSSE = (1 << X87) | (1 << SSE);

/** Why a frame counts as one with x87 and SSE only. It is no error: everything else becomes INIT. */
export const FX_ONLY_REASONS = {
  magic1: 'bytes 464 to 467 are not FP_XSTATE_MAGIC1',
  'xstate-size-below-576': 'xstate_size is smaller than legacy region and header',
  'xstate-size-above-user-size': 'xstate_size is larger than the kernel makes it for this task',
  'xstate-size-above-extended-size': 'xstate_size is larger than extended_size',
  magic2: 'FP_XSTATE_MAGIC2 is not where the extended state ends',
} as const;

/** The code of such a reason. */
export type FxOnlyReason = keyof typeof FX_ONLY_REASONS;

/**
 * Which sizes the kernel believes.
 *
 * `frame`: Linux up to 6.14, and 7.1 and later: `xstate_size` of the frame, if it makes sense, tells where magic2 is.
 * `kernel`: 6.15 (dc8aa31a7ac2) to 7.0: magic2 has to be at `user_size`, the sizes of the frame are not looked at. Frames
 * with less state, which CRIU and gVisor make, became x87 and SSE only; 44eeff9bc467 reverted it.
 */
export type SigframeSizes = 'frame' | 'kernel';

/** What a frame has. */
export interface SigframeContents {
  readonly ok: true;
  /** x87 and SSE only: the reason; undefined when there is extended state. */
  readonly fxOnly: FxOnlyReason | undefined;
  /** `xfeatures` as the frame has it, unchecked; 3 when it is x87 and SSE only. */
  readonly xfeatures: bigint;
  readonly xstateSize: number;
}

/**
 * Looks for extended state in a frame.
 *
 * @param fx the FXSAVE or XSAVE image of the frame, from `bufFx` on
 * @returns refusal `unreadable` where the memory ends too early; the program gets SIGSEGV
 * @see Linux check_xstate_in_sigframe() (6.3 to 6.15)
 */
export function checkXstateInSigframe(
  fx: Uint8Array,
  context: SignalContext,
  sizes: SigframeSizes = 'frame',
): SigframeContents | Refusal {
  if (fx.length < LEGACY_BYTES) return refusal('unreadable');
  const sw = viewOf(fx.subarray(SW_RESERVED.offset, LEGACY_BYTES));
  const xstateSize = sw.getUint32(16, true);
  if (sw.getUint32(0, true) !== FP_XSTATE_MAGIC1) return fxOnly('magic1');
  if (sizes === 'frame') {
    if (xstateSize < EXTENDED_OFFSET) return fxOnly('xstate-size-below-576');
    if (xstateSize > fpstateUserSize(context)) return fxOnly('xstate-size-above-user-size');
    if (xstateSize > sw.getUint32(4, true)) return fxOnly('xstate-size-above-extended-size');
  }
  const end = sizes === 'frame' ? xstateSize : fpstateUserSize(context);
  if (fx.length < end + FP_XSTATE_MAGIC2_BYTES) return refusal('unreadable');
  if (viewOf(fx).getUint32(end, true) !== FP_XSTATE_MAGIC2) return fxOnly('magic2');
  return { ok: true, fxOnly: undefined, xfeatures: sw.getBigUint64(8, true), xstateSize };
}

function fxOnly(reason: FxOnlyReason): SigframeContents {
  return { ok: true, fxOnly: reason, xfeatures: BigInt(FPSSE), xstateSize: LEGACY_BYTES };
}

/** What a frame does to the registers. */
export interface SigreturnPlan {
  readonly ok: true;
  /** The instruction that loads from user memory. Its faults, but #PF, are the program's SIGSEGV. */
  readonly instruction: 'XRSTOR' | 'FXRSTOR' | 'FRSTOR';
  /** RFBM of XRSTOR. Whether XSTATE_BV marks a component, the instruction sees for itself. */
  readonly restored: number;
  /** Then made INIT, from `init_fpstate`. */
  readonly initialised: number;
}

/**
 * How registers are restored from a 64-bit frame (or, without FXSR, from an ia32 one).
 *
 * The header is not validated by the kernel here: XRSTOR does it.
 *
 * @see Linux restore_fpregs_from_user() and __restore_fpregs_from_user() (6.3 to 6.15)
 */
export function sigreturnPlan(
  fx: Uint8Array,
  context: SignalContext,
  sizes: SigframeSizes = 'frame',
): SigreturnPlan | Refusal {
  const { model, userXfeatures } = context;
  if (!hasFeature(model, 'xsave')) {
    const fxsr = hasFeature(model, 'fxsr');
    return { ok: true, instruction: fxsr ? 'FXRSTOR' : 'FRSTOR', restored: fxsr ? FPSSE : 1 << X87, initialised: 0 };
  }
  const contents = checkXstateInSigframe(fx, context, sizes);
  if (!contents.ok) return contents;
  const restored = maskOf(contents.xfeatures) & userXfeatures;
  const instruction = contents.fxOnly ? 'FXRSTOR' : 'XRSTOR';
  return { ok: true, instruction, restored, initialised: userXfeatures & ~restored };
}

/**
 * Takes an ia32 frame with FSAVE header into the kernel's buffer, from which the registers are then loaded. (Without FXSR an
 * ia32 frame has none, and FRSTOR loads it: `sigreturnPlan`.)
 *
 * Its FSAVE header wins over the x87 state of the XSAVE image. On a refusal the program gets SIGSEGV, and its user state is
 * reset.
 *
 * @param frame from `buf` on
 * @param kernelBits a 32-bit kernel clears reserved bits of MXCSR in an x87 and SSE frame, a 64-bit one refuses them
 * @see Linux __fpu_restore_sig() (6.3 to 6.15)
 */
export function restoreIa32Sigframe(
  kernel: Uint8Array,
  context: SignalContext,
  frame: Uint8Array,
  { sizes = 'frame', kernelBits = 64 }: { readonly sizes?: SigframeSizes; readonly kernelBits?: 64 | 32 } = {},
): UabiWrite | Refusal {
  const fx = frame.subarray(fsaveHeaderBytes(context));
  if (frame.length < IA32_FSAVE_BYTES) return refusal('unreadable');
  const xsave = hasFeature(context.model, 'xsave');
  const contents = xsave ? checkXstateInSigframe(fx, context, sizes) : fxOnly('magic1');
  if (!contents.ok) return contents;
  const taken = contents.fxOnly ? takeFxsave(kernel, context, fx, kernelBits) : copyUabiToXstate(kernel, context, fx);
  if (!taken.ok) return taken;
  const result = convertToFxsr(taken.kernel, frame, kernelBits);
  if (!xsave) return { ok: true, kernel: result, pkru: undefined };
  changeXstateBv(result, (before) => before & (contents.xfeatures | BigInt(SUPERVISOR_COMPONENTS)));
  // All components are loaded from the buffer now, PKRU among them.
  const pkruMarked = headerOf(result).xstateBv & (1n << BigInt(PKRU));
  return { ok: true, kernel: result, pkru: pkruMarked ? taken.pkru : 0 };
}

function takeFxsave(
  kernel: Uint8Array,
  { model }: SignalContext,
  fx: Uint8Array,
  kernelBits: 64 | 32,
): UabiWrite | Refusal {
  if (fx.length < LEGACY_BYTES) return refusal('unreadable');
  if (kernelBits === 64 && hasInvalidMxcsr(fx, model)) return refusal('mxcsr-reserved');
  const result = kernel.slice();
  result.set(fx.subarray(0, LEGACY_BYTES));
  const view = viewOf(result);
  view.setUint32(MXCSR_OFFSET, view.getUint32(MXCSR_OFFSET, true) & model.mxcsrMask, true);
  if (hasFeature(model, 'xsave')) changeXstateBv(result, (before) => before | BigInt(FPSSE));
  return { ok: true, kernel: result, pkru: undefined };
}
