/**
 * What XSAVE, XRSTOR and their variants move: pure rules on bitmaps, used by the instructions and by the kernel machine.
 *
 * Source: Intel SDM Vol. 1 "Operation of XSAVE" (13.7) to "Operation of XRSTORS" (13.12), "Extended Feature Disable" (13.14).
 */
import { AVX, HI16_ZMM, SSE, ZMM_HI256 } from './components';
import { COMPACTED_BIT, savesMxcsr, type AreaForm } from './layout';

/** The four save instructions. */
export type SaveMnemonic = 'XSAVE' | 'XSAVEOPT' | 'XSAVEC' | 'XSAVES';

/** What decides what a save does. */
export interface SaveRequest {
  /** EDX:EAX and XCR0 (XSAVES: and IA32_XSS). */
  readonly rfbm: number;
  /** XINUSE, MXCSR not counted. */
  readonly inUse: number;
  /** MXCSR is not 1F80H. */
  readonly mxcsrInUse: boolean;
  /** Components that the modified optimisation may leave out; 0 where it does not apply. */
  readonly unmodified: number;
  /** IA32_XFD and XCR0: these count as initial. */
  readonly disabled: number;
}

/** What a save does. */
export interface SavePlan {
  readonly form: AreaForm;
  /** Components whose bytes are written. */
  readonly stored: number;
  /** Components of `stored` that are written as their initial configuration, whatever the registers hold. */
  readonly storedAsInitial: number;
  readonly mxcsr: boolean;
  /** XSTATE_BV within RFBM; XSAVE and XSAVEOPT leave the bits outside alone, XSAVEC and XSAVES clear them. */
  readonly xstateBv: number;
}

/** Decides what a save instruction stores and marks. */
export function planSave(mnemonic: SaveMnemonic, request: SaveRequest): SavePlan {
  const { rfbm, mxcsrInUse, unmodified, disabled } = request;
  const inUse = request.inUse & ~disabled;
  if (mnemonic === 'XSAVE' || mnemonic === 'XSAVEOPT') {
    const stored = mnemonic === 'XSAVE' ? rfbm : rfbm & inUse & ~unmodified;
    return {
      form: 'standard',
      stored,
      storedAsInitial: stored & disabled,
      mxcsr: savesMxcsr(rfbm),
      xstateBv: rfbm & inUse,
    };
  }
  const sse = mxcsrInUse ? rfbm & (1 << SSE) : 0;
  const xstateBv = (rfbm & inUse) | sse;
  const stored = mnemonic === 'XSAVES' ? (xstateBv & ~unmodified) | sse : xstateBv;
  return { form: 'compacted', stored, storedAsInitial: 0, mxcsr: (stored & (1 << SSE)) !== 0, xstateBv };
}

/** XSTATE_BV after a save, given what the area held before. */
export function savedXstateBv(plan: SavePlan, rfbm: number, before: bigint): bigint {
  if (plan.form === 'compacted') return BigInt(plan.xstateBv >>> 0);
  return (before & ~BigInt(rfbm >>> 0)) | BigInt(plan.xstateBv >>> 0);
}

/** The header of an area that is to be restored, cut to the components that are defined. */
export interface RestoreRequest {
  readonly form: AreaForm;
  readonly rfbm: number;
  readonly xstateBv: number;
}

/** What a restore does. */
export interface RestorePlan {
  /** Components that get the bytes of the area. */
  readonly loaded: number;
  /** Components that get their initial configuration. */
  readonly initialised: number;
  readonly mxcsr: 'load' | 'init' | 'keep';
}

/** Decides what XRSTOR and XRSTORS load. */
export function planRestore({ form, rfbm, xstateBv }: RestoreRequest): RestorePlan {
  const loaded = rfbm & xstateBv;
  const initialised = rfbm & ~xstateBv;
  if (form === 'standard') return { loaded, initialised, mxcsr: savesMxcsr(rfbm) ? 'load' : 'keep' };
  if (!(rfbm & (1 << SSE))) return { loaded, initialised, mxcsr: 'keep' };
  return { loaded, initialised, mxcsr: loaded & (1 << SSE) ? 'load' : 'init' };
}

/** XSTATE_BV, XCOMP_BV and the reserved bytes of an area. */
export interface XsaveHeader {
  readonly xstateBv: bigint;
  readonly xcompBv: bigint;
  /** Bytes 16 to 63 are all zero; bytes 16 to 23 are. */
  readonly reservedZero: boolean;
  readonly bytes16To23Zero: boolean;
}

/** Reads a header of 64 bytes. */
export function readHeader(bytes: Uint8Array): XsaveHeader {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const zero = (from: number, to: number): boolean => bytes.subarray(from, to).every((byte) => byte === 0);
  return {
    xstateBv: view.getBigUint64(0, true),
    xcompBv: view.getBigUint64(8, true),
    reservedZero: zero(16, 64),
    bytes16To23Zero: zero(16, 24),
  };
}

/** Why a header is refused with #GP(0). */
export type HeaderFault =
  | 'xstate-bv-not-enabled'
  | 'standard-header-reserved'
  | 'xcomp-bv-not-compacted'
  | 'xcomp-bv-not-enabled'
  | 'xstate-bv-outside-xcomp-bv'
  | 'compacted-header-reserved'
  | 'compacted-unsupported';

/** What a header is checked against. */
export interface HeaderContext {
  /** XCR0; for XRSTORS also IA32_XSS. */
  readonly enabled: number;
  /** XRSTORS takes the compacted form only. */
  readonly compactedOnly: boolean;
  /** The processor has XSAVEC: XRSTOR knows the compacted form. */
  readonly compactedKnown: boolean;
  /** XSTATE_BV[63] passes in the compacted form, whose XCOMP_BV[63] is set. */
  readonly bit63Ignored?: boolean;
}

/**
 * The first check of a header that fails, whatever RFBM is.
 *
 * All raise #GP(0) and the manuals give them no order; this one is that of the text. XSTATE_BV[63] is no component, so no form allows it: so
 * an EPYC does, measured.
 *
 * @see Intel SDM Vol. 1 "Standard Form of XRSTOR" (13.8.1), "Compacted Form of XRSTOR" (13.8.2), "Operation of XRSTORS" (13.12)
 */
export function headerFault(
  header: XsaveHeader,
  { enabled, compactedOnly, compactedKnown, bit63Ignored = false }: HeaderContext,
): HeaderFault | undefined {
  const disabled = ~BigInt(enabled >>> 0);
  const compacted = (header.xcompBv & COMPACTED_BIT) !== 0n;
  if (!compacted) {
    if (compactedOnly) return 'xcomp-bv-not-compacted';
    if (header.xstateBv & disabled) return 'xstate-bv-not-enabled';
    return header.xcompBv === 0n && header.bytes16To23Zero ? undefined : 'standard-header-reserved';
  }
  if (!compactedKnown) return 'compacted-unsupported';
  if (header.xcompBv & ~COMPACTED_BIT & disabled) return 'xcomp-bv-not-enabled';
  const named = bit63Ignored ? header.xcompBv : header.xcompBv & ~COMPACTED_BIT;
  if (header.xstateBv & ~named) return 'xstate-bv-outside-xcomp-bv';
  return header.reservedZero ? undefined : 'compacted-header-reserved';
}

/**
 * Bytes of a component that saves and restores reach: outside 64-bit mode half of the vector registers, and none of ZMM16-31.
 *
 * @see Intel SDM Vol. 1 "Memory Accesses by the XSAVE Feature Set" (13.13)
 */
export function reachableBytes(bit: number, size: number, mode: 32 | 64): number {
  if (mode === 64 || !(HALVED_OUTSIDE_64 & (1 << bit))) return size;
  return bit === HI16_ZMM ? 0 : size / 2;
}

/** Components of which code outside 64-bit mode reaches a half, or nothing. */
export const HALVED_OUTSIDE_64 = (1 << SSE) | (1 << AVX) | (1 << ZMM_HI256) | (1 << HI16_ZMM);
