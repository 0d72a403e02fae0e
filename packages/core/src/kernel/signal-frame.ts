/**
 * The FPU part of a signal frame: its size and place on the user's stack, and what the kernel writes there.
 *
 * The registers are saved straight to user memory with XSAVE, in standard format. So, unlike in ptrace's image, what XSAVE does
 * not write is what was on the stack before: bytes 416 to 463, gaps between components, TILEDATA that was left out. It
 * is the program's own memory.
 *
 * Follows arch/x86/kernel/fpu/signal.c and xstate.h of Linux 6.3 to 6.15. No input is written to.
 */
import { FpuError } from '../error';
import { PKRU, SSE, TILECFG, TILEDATA, X87 } from '../x86/components';
import { hasFeature } from '../x86/cpu-model';
import { encode, type Image } from '../x86/image/image';
import { EXTENDED_OFFSET, HEADER_OFFSET, LEGACY_BYTES, areaLayout } from '../x86/layout';
import { convertFromFxsr, type Ia32Kernel } from './ia32-fsave';
import type { UabiContext } from './uabi-xstate';
import { SW_RESERVED, changeXstateBv, placeOf, viewOf } from './xstate-buffer';

/** Bytes 464 to 467 of the frame: there is extended state. */
export const FP_XSTATE_MAGIC1 = 0x46505853;
/** Behind the extended state: it has not been cut off. */
export const FP_XSTATE_MAGIC2 = 0x46505845;
/** Bytes of FP_XSTATE_MAGIC2. */
export const FP_XSTATE_MAGIC2_BYTES = 4;
/** `magic` of struct _fpstate_32: an FXSAVE image follows the 112 bytes. */
export const X86_FXSR_MAGIC = 0;
/** sizeof(struct fregs_state), and what precedes the FXSAVE image in struct _fpstate_32: 108 bytes, `status`, `magic`. */
export const FREGS_STATE_BYTES = 112;

const STATUS_OFFSET = 108;
const MAGIC_OFFSET = 110;
const FRAME_ALIGN = 64n;
const FPSSE = (1n << BigInt(X87)) | (1n << BigInt(SSE));

/** A task that gets a signal. */
export interface SignalContext extends UabiContext {
  /** The frame is one of 32-bit programs. */
  readonly ia32: boolean;
}

/** `fpstate->user_size`: the FPU state without magic2 and without the header of ia32 frames. */
export function fpstateUserSize({ model, userXfeatures }: UabiContext): number {
  if (hasFeature(model, 'xsave')) return areaLayout(model, userXfeatures, 'standard').totalBytes;
  return hasFeature(model, 'fxsr') ? LEGACY_BYTES : FREGS_STATE_BYTES;
}

/** Bytes before the FXSAVE or XSAVE image: the FSAVE header of ia32 frames. */
export function fsaveHeaderBytes({ model, ia32 }: SignalContext): number {
  return ia32 && hasFeature(model, 'fxsr') ? FREGS_STATE_BYTES : 0;
}

/** Where the FPU part of a frame lies. */
export interface SignalFramePlace {
  /** Where it starts; what `sigcontext.fpstate` points to. */
  readonly buf: bigint;
  /** Where the FXSAVE or XSAVE image starts, at a multiple of 64. */
  readonly bufFx: bigint;
  /** From `buf` to the end of magic2. */
  readonly size: number;
}

/**
 * Allocates the FPU part of a frame below a stack pointer.
 *
 * @see Linux fpu__alloc_mathframe() and xstate_sigframe_size() (6.3 to 6.15)
 */
export function allocMathframe(sp: bigint, context: SignalContext): SignalFramePlace {
  const size = frameBytes(context);
  const header = fsaveHeaderBytes(context);
  const below = sp - BigInt(size - header);
  const bufFx = below - (below % FRAME_ALIGN);
  return { buf: bufFx - BigInt(header), bufFx, size };
}

function frameBytes(context: SignalContext): number {
  const magic2 = hasFeature(context.model, 'xsave') ? FP_XSTATE_MAGIC2_BYTES : 0;
  return fsaveHeaderBytes(context) + fpstateUserSize(context) + magic2;
}

/**
 * The mask with which XSAVE writes a frame: what is in use, and all features but AMX in any case. Where the processor has no
 * dynamic features, all.
 *
 * @param inUse XINUSE, as XGETBV(1) returns it
 * @see Linux xfeatures_need_sigframe_write() and xsave_to_user_sigframe() (6.3 to 6.15)
 */
export function sigframeXsaveMask({ userXfeatures, userMaxFeatures }: UabiContext, inUse: number): number {
  if (!(userMaxFeatures & (1 << TILEDATA))) return userXfeatures;
  return userXfeatures & (inUse | ~((1 << TILECFG) | (1 << TILEDATA)));
}

/** What the kernel does about PKRU after XSAVE. */
export type SigframePkru =
  /** Up to Linux 6.11: nothing. */
  | 'as-saved'
  /** 6.12.0: writes the value, XSTATE_BV is left as it is. If the bit is clear, sigreturn sets PKRU to 0. */
  | 'value'
  /** 6.13 and later (ae6012d72fa6): writes the value and sets the bit. */
  | 'value-and-bit';

/** What is saved in a frame. */
export interface SavedRegisters {
  /** What XSAVE (standard form, `sigframeXsaveMask`), FXSAVE or FNSAVE (32-bit operands) stores. */
  readonly image: Image;
  /** The PKRU that the program had. The kernel runs XSAVE with PKRU 0 since Linux 6.12, so that it can write to the stack. */
  readonly pkru?: { readonly value: number; readonly update: SigframePkru };
  /** How the kernel fills in the header of an ia32 frame. */
  readonly kernel: Ia32Kernel;
}

/**
 * The memory of a frame after the kernel has written its FPU part.
 *
 * @param stack what lies from `buf` on, at least `size` bytes
 * @returns a copy of `stack` with the frame in it
 * @throws FpuError FPU103 when it is shorter
 * @see Linux copy_fpstate_to_sigframe(), save_fsave_header() and save_xstate_epilog() (6.3 to 6.15)
 */
export function copyFpstateToSigframe(
  stack: Uint8Array,
  context: SignalContext,
  registers: SavedRegisters,
): Uint8Array {
  requireBytes(stack, frameBytes(context));
  const { model } = context;
  const frame = stack.slice();
  const fx = frame.subarray(fsaveHeaderBytes(context));
  if (hasFeature(model, 'xsave')) fx.fill(0, HEADER_OFFSET, EXTENDED_OFFSET);
  encode(registers.image, fx);
  updatePkru(fx, context, registers.pkru);
  if (fsaveHeaderBytes(context) > 0) writeFsaveHeader(frame, fx, registers.kernel);
  if (hasFeature(model, 'fxsr')) writeEpilog(fx, context);
  // struct fregs_state: the status word once more, without a magic.
  else viewOf(frame).setUint16(STATUS_OFFSET, viewOf(frame).getUint16(4, true), true);
  return frame;
}

function updatePkru(fx: Uint8Array, { model, userXfeatures }: SignalContext, pkru: SavedRegisters['pkru']): void {
  if (!pkru || pkru.update === 'as-saved' || !(userXfeatures & (1 << PKRU))) return;
  viewOf(fx).setUint32(placeOf(areaLayout(model, userXfeatures, 'standard'), PKRU).offset, pkru.value, true);
  if (pkru.update === 'value-and-bit') changeXstateBv(fx, (before) => before | (1n << BigInt(PKRU)));
}

/** The kernel converts an FXSAVE of the same registers; the bytes that it takes are those of the frame. */
function writeFsaveHeader(frame: Uint8Array, fx: Uint8Array, kernel: Ia32Kernel): void {
  frame.set(convertFromFxsr(fx, kernel));
  viewOf(frame).setUint16(STATUS_OFFSET, viewOf(fx).getUint16(2, true), true);
  viewOf(frame).setUint16(MAGIC_OFFSET, X86_FXSR_MAGIC, true);
}

function writeEpilog(fx: Uint8Array, context: SignalContext): void {
  fx.set(swReserved(context), SW_RESERVED.offset);
  if (!hasFeature(context.model, 'xsave')) return;
  viewOf(fx).setUint32(fpstateUserSize(context), FP_XSTATE_MAGIC2, true);
  // Programs that know FXSAVE only change x87 and SSE without marking them.
  changeXstateBv(fx, (before) => before | FPSSE);
}

/**
 * struct _fpx_sw_bytes, which says how much state follows. Written without XSAVE too, magic1 and the size of a magic2 that
 * is not there included.
 *
 * @see Linux save_sw_bytes() (6.3 to 6.15)
 */
export function swReserved(context: SignalContext): Uint8Array {
  const bytes = new Uint8Array(SW_RESERVED.bytes);
  const view = viewOf(bytes);
  const size = fpstateUserSize(context);
  view.setUint32(0, FP_XSTATE_MAGIC1, true);
  view.setUint32(4, size + FP_XSTATE_MAGIC2_BYTES + (context.ia32 ? FREGS_STATE_BYTES : 0), true);
  view.setBigUint64(8, BigInt(context.userXfeatures), true);
  view.setUint32(16, size, true);
  return bytes;
}

function requireBytes(memory: Uint8Array, needed: number): void {
  if (memory.length >= needed) return;
  throw new FpuError('FPU103', `the frame has ${memory.length} bytes, it needs ${needed}`, {
    needed,
    found: memory.length,
    hint: 'allocMathframe() tells the size',
  });
}
