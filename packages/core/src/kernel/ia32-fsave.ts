/**
 * The x87 state as 32-bit programs know it: conversions between an FXSAVE image and struct user_i387_ia32_struct, the 108
 * bytes that FNSAVE would store.
 *
 * Follows arch/x86/kernel/fpu/regset.c of Linux 4.4 to 6.15. No input is written to.
 */
import { FpuError } from '../error';
import { STACK_OFFSET, XMM_OFFSET, decodeX87 } from '../x86/image/legacy';
import { REGISTER_BYTES, abridgedTagWord, fullTagWord } from '../x86/x87-state';
import { viewOf } from './xstate-buffer';

/** sizeof(struct user_i387_ia32_struct): seven doublewords and eight registers of ten bytes. */
export const IA32_FSAVE_BYTES = 108;
/** Where ST0 is, and how far ST1 is from it. Both forms have the registers in stack order. */
interface Stack {
  readonly offset: number;
  readonly stride: number;
}
const FSAVE_STACK: Stack = { offset: 28, stride: REGISTER_BYTES };
const FXSAVE_STACK: Stack = { offset: STACK_OFFSET, stride: 16 };
/** FNSAVE stores ones in the reserved halves. */
const ONES = 0xffff0000;

/** Fields of struct user_i387_ia32_struct, by offset. */
const FIELD = { cwd: 0, swd: 4, twd: 8, fip: 12, fcs: 16, foo: 20, fos: 24 } as const;
/** Fields of struct fxregs_state; `rip` and `rdp` overlay `fip`, `fcs` and `foo`, `fos`. */
const FX = { cwd: 0, swd: 2, twd: 4, fop: 6, fip: 8, fcs: 12, foo: 16, fos: 20, rip: 8, rdp: 16 } as const;

/**
 * How a kernel knows the selectors of the last x87 instruction.
 *
 * A 64-bit kernel saves 64-bit pointers, which leave no room for selectors: it shows the CS and DS that the task has now,
 * and loses FOP. A 32-bit kernel has them in the image.
 */
export type Ia32Kernel = { readonly bits: 64; readonly cs: number; readonly ds: number } | { readonly bits: 32 };

/**
 * The 108 bytes of a task's x87 state.
 *
 * The tag word is computed from the contents of the registers, as FNSAVE does it.
 *
 * @param fxsave at least the first 160 bytes of an FXSAVE or XSAVE image; INIT has to be filled in already
 * @throws FpuError FPU103 when it is shorter
 * @see Linux __convert_from_fxsr() and twd_fxsr_to_i387() (5.14 to 6.15), convert_from_fxsr() (before)
 */
export function convertFromFxsr(fxsave: Uint8Array, kernel: Ia32Kernel): Uint8Array {
  requireBytes(fxsave, XMM_OFFSET);
  const from = viewOf(fxsave);
  const env = new Uint8Array(IA32_FSAVE_BYTES);
  const to = viewOf(env);
  const put = (field: keyof typeof FIELD, value: number): void => to.setUint32(FIELD[field], value >>> 0, true);
  put('cwd', from.getUint16(FX.cwd, true) | ONES);
  put('swd', from.getUint16(FX.swd, true) | ONES);
  put('twd', fullTagWord(decodeX87(fxsave, true)) | ONES);
  // The low halves of rip and rdp where the kernel has 64 bits.
  put('fip', from.getUint32(FX.fip, true));
  put('foo', from.getUint32(FX.foo, true));
  if (kernel.bits === 64) {
    put('fcs', kernel.cs);
    put('fos', kernel.ds | ONES);
  } else {
    put('fcs', from.getUint16(FX.fcs, true) | (from.getUint16(FX.fop, true) << 16));
    put('fos', from.getUint32(FX.fos, true));
  }
  moveRegisters({ bytes: fxsave, ...FXSAVE_STACK }, { bytes: env, ...FSAVE_STACK });
  return env;
}

/**
 * An FXSAVE image with the x87 state of 108 bytes folded in.
 *
 * MXCSR, XMM and the six bytes behind each register stay. FOP is the upper half of `fcs`, all 16 bits. A 64-bit kernel
 * zero-extends the pointers and ignores the selectors.
 *
 * @returns a copy of `fxsave`, as long as it is
 * @throws FpuError FPU103 when an input is too short
 * @see Linux convert_to_fxsr() and twd_i387_to_fxsr() (4.4 to 6.15)
 */
export function convertToFxsr(fxsave: Uint8Array, env: Uint8Array, kernelBits: 64 | 32): Uint8Array {
  requireBytes(fxsave, XMM_OFFSET);
  requireBytes(env, IA32_FSAVE_BYTES);
  const from = viewOf(env);
  const result = fxsave.slice();
  const to = viewOf(result);
  to.setUint16(FX.cwd, from.getUint16(FIELD.cwd, true), true);
  to.setUint16(FX.swd, from.getUint16(FIELD.swd, true), true);
  to.setUint16(FX.twd, abridgedTagWord(from.getUint16(FIELD.twd, true)), true);
  to.setUint16(FX.fop, from.getUint16(FIELD.fcs + 2, true), true);
  const fip = from.getUint32(FIELD.fip, true);
  const foo = from.getUint32(FIELD.foo, true);
  if (kernelBits === 64) {
    to.setBigUint64(FX.rip, BigInt(fip), true);
    to.setBigUint64(FX.rdp, BigInt(foo), true);
  } else {
    to.setUint32(FX.fip, fip, true);
    to.setUint32(FX.fcs, from.getUint16(FIELD.fcs, true), true);
    to.setUint32(FX.foo, foo, true);
    to.setUint32(FX.fos, from.getUint32(FIELD.fos, true), true);
  }
  moveRegisters({ bytes: env, ...FSAVE_STACK }, { bytes: result, ...FXSAVE_STACK });
  return result;
}

type StackBytes = Stack & { readonly bytes: Uint8Array };

function moveRegisters(from: StackBytes, to: StackBytes): void {
  for (let st = 0; st < 8; st++) {
    const start = from.offset + st * from.stride;
    to.bytes.set(from.bytes.subarray(start, start + REGISTER_BYTES), to.offset + st * to.stride);
  }
}

function requireBytes(bytes: Uint8Array, needed: number): void {
  if (bytes.length >= needed) return;
  throw new FpuError('FPU103', `the image has ${bytes.length} bytes, it needs ${needed}`, {
    needed,
    found: bytes.length,
  });
}
