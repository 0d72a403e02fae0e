/**
 * The FPU register sets of ptrace and of core dumps: NT_X86_XSTATE, NT_PRXFPREG, and the NT_PRFPREG of 32-bit programs.
 * (The NT_PRFPREG of 64-bit programs is the FXSAVE image that 32-bit programs know as NT_PRXFPREG.)
 *
 * Follows arch/x86/kernel/fpu/regset.c of Linux 6.3 to 6.15. No input is written to.
 */
import { SSE, X87 } from '../x86/components';
import { hasFeature } from '../x86/cpu-model';
import { XMM_OFFSET } from '../x86/image/legacy';
import { LEGACY_BYTES, areaLayout } from '../x86/layout';
import { IA32_FSAVE_BYTES, convertFromFxsr, convertToFxsr, type Ia32Kernel } from './ia32-fsave';
import { refusal, type Refusal } from './uabi-refusal';
import { copyUabiToXstate, copyXstateToUabiBuf, type UabiContext, type UabiWrite } from './uabi-xstate';
import { changeXstateBv, hasInvalidMxcsr } from './xstate-buffer';

const FP = 1n << BigInt(X87);
const FPSSE = FP | (1n << BigInt(SSE));

/** What a register set shows, or why there is none. */
export type RegsetRead = { readonly ok: true; readonly bytes: Uint8Array } | Refusal;

/** Size of NT_X86_XSTATE: `fpu_user_cfg.max_size`, with room for TILEDATA also for a task that has none. */
export function xstateRegsetBytes({ model, userMaxFeatures }: UabiContext): number {
  return areaLayout(model, userMaxFeatures, 'standard').totalBytes;
}

/**
 * NT_X86_XSTATE.
 *
 * @param pkru `thread.pkru`
 * @see Linux xstateregs_get()
 */
export function xstateregsGet(kernel: Uint8Array, context: UabiContext, pkru: number): RegsetRead {
  if (!hasFeature(context.model, 'xsave')) return refusal('no-xsave');
  const bytes = xstateRegsetBytes(context);
  return { ok: true, bytes: copyXstateToUabiBuf(kernel, context, { mode: 'xsave', pkru, bytes }) };
}

/**
 * Writes NT_X86_XSTATE, which has to come in full size.
 *
 * @see Linux xstateregs_set()
 */
export function xstateregsSet(kernel: Uint8Array, context: UabiContext, image: Uint8Array): UabiWrite | Refusal {
  if (!hasFeature(context.model, 'xsave')) return refusal('no-xsave');
  if (image.length !== xstateRegsetBytes(context)) return refusal('xstate-not-whole');
  return copyUabiToXstate(kernel, context, image);
}

/**
 * NT_PRXFPREG: 512 bytes as FXSAVE stores them. Without XSAVE they are the kernel's buffer itself.
 *
 * @see Linux xfpregs_get()
 */
export function xfpregsGet(kernel: Uint8Array, context: UabiContext): RegsetRead {
  if (!hasFeature(context.model, 'fxsr')) return refusal('no-fxsr');
  return { ok: true, bytes: fxImage(kernel, context, 'fx') };
}

/**
 * Writes NT_PRXFPREG. All 512 bytes go into the buffer; x87 and SSE are marked.
 *
 * @param ia32Caller the writer is a 32-bit program: XMM8 to XMM15 become 0, which it does not know
 * @see Linux xfpregs_set() (5.17 and later: 44cad52cc14a)
 */
export function xfpregsSet(
  kernel: Uint8Array,
  context: UabiContext,
  fxsave: Uint8Array,
  { ia32Caller = false }: { readonly ia32Caller?: boolean } = {},
): UabiWrite | Refusal {
  const { model } = context;
  if (!hasFeature(model, 'fxsr')) return refusal('no-fxsr');
  if (fxsave.length !== LEGACY_BYTES) return refusal('fpregs-not-whole');
  if (hasInvalidMxcsr(fxsave, model)) return refusal('mxcsr-reserved');
  const result = kernel.slice();
  result.set(fxsave);
  if (ia32Caller) result.fill(0, XMM_OFFSET + 8 * 16, XMM_OFFSET + 16 * 16);
  return written(result, context, FPSSE);
}

/**
 * The NT_PRFPREG of a 32-bit program: 108 bytes as FNSAVE stores them.
 *
 * @see Linux fpregs_get()
 */
export function fpregsGet(kernel: Uint8Array, context: UabiContext, ia32: Ia32Kernel): RegsetRead {
  if (!hasFeature(context.model, 'fxsr')) return { ok: true, bytes: kernel.slice(0, IA32_FSAVE_BYTES) };
  return { ok: true, bytes: convertFromFxsr(fxImage(kernel, context, 'fp'), ia32) };
}

/**
 * Writes the NT_PRFPREG of a 32-bit program. x87 is marked; MXCSR and XMM stay.
 *
 * @see Linux fpregs_set()
 */
export function fpregsSet(
  kernel: Uint8Array,
  context: UabiContext,
  env: Uint8Array,
  kernelBits: 64 | 32 = 64,
): UabiWrite | Refusal {
  if (env.length !== IA32_FSAVE_BYTES) return refusal('fpregs-not-whole');
  if (hasFeature(context.model, 'fxsr')) return written(convertToFxsr(kernel, env, kernelBits), context, FP);
  const result = kernel.slice();
  result.set(env);
  return written(result, context, FP);
}

/** With XSAVE the buffer may lack what is INIT: it has to be filled in. */
function fxImage(kernel: Uint8Array, context: UabiContext, mode: 'fp' | 'fx'): Uint8Array {
  if (!hasFeature(context.model, 'xsave')) return kernel.slice(0, LEGACY_BYTES);
  return copyXstateToUabiBuf(kernel, context, { mode, pkru: 0, bytes: LEGACY_BYTES });
}

/** Marks components in a buffer of ours, where it has a header. */
function written(kernel: Uint8Array, { model }: UabiContext, xfeatures: bigint): UabiWrite {
  if (hasFeature(model, 'xsave')) changeXstateBv(kernel, (before) => before | xfeatures);
  return { ok: true, kernel, pkru: undefined };
}
