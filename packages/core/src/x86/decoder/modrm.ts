/**
 * ModRM, SIB and displacement.
 *
 * @see Intel SDM Vol. 2A "Addressing-Mode Encoding of ModR/M and SIB Bytes" (2.1.5), "RIP-Relative Addressing" (2.2.1.6)
 */
import type { CodeMode, MemoryOperand } from '../instruction';
import type { Cursor } from './cursor';
import type { LegacyPrefixes, Opcode } from './prefixes';

/** The fields of a ModRM byte. */
export interface ModRm {
  readonly mod: number;
  readonly reg: number;
  readonly rm: number;
}

/** Splits a ModRM or SIB byte: 2, 3 and 3 bits. */
export function splitModRm(byte: number): ModRm {
  return { mod: byte >> 6, reg: (byte >> 3) & 7, rm: byte & 7 };
}

/** What the address depends on beside the bytes that are read here. */
export interface AddressContext {
  readonly mode: CodeMode;
  readonly prefixes: LegacyPrefixes;
  readonly opcode: Opcode;
  /** Unit of an 8-bit displacement: 1, or what EVEX compresses it by ("Compressed Displacement (disp8*N)" (2.7.5)). */
  readonly displacement8Unit: number;
  readonly vsib: boolean;
}

/** rm = 4: a SIB byte follows. */
export const SIB = 4;
/** rm or base = 5 with mod = 0: no base, a 32-bit displacement. */
const NO_BASE = 5;
/** SIB.index = 4, not extended: no index. */
const NO_INDEX = 4;
const SCALES = [1, 2, 4, 8] as const;

/** Reads SIB and displacement of a memory operand (`mod` is not 3). The 16-bit forms must have been refused before. */
export function readMemoryOperand(cursor: Cursor, { mod, rm }: ModRm, context: AddressContext): MemoryOperand {
  const { mode, prefixes } = context;
  const sib = rm === SIB ? readSib(cursor, context) : { index: undefined, scale: 1 as const, base: rm };
  const noBase = mod === 0 && sib.base === NO_BASE;
  return {
    ...sib,
    base: noBase ? undefined : sib.base + context.opcode.b,
    displacement: readDisplacement(cursor, noBase ? 2 : mod, context.displacement8Unit),
    ripRelative: noBase && rm !== SIB && mode === 64,
    addressSize: mode === 64 && !prefixes.addressSize ? 64 : 32,
    segment: prefixes.segment,
    vsib: context.vsib,
  };
}

function readSib(
  cursor: Cursor,
  { opcode, vsib }: AddressContext,
): Pick<MemoryOperand, 'index' | 'scale'> & { base: number } {
  const { mod, reg, rm } = splitModRm(cursor.next());
  const vectorHigh = vsib && opcode.encoding === 'evex' ? opcode.vvvv & 16 : 0;
  const index = (reg + opcode.x) | vectorHigh;
  return { index: index === NO_INDEX && !vsib ? undefined : index, scale: SCALES[mod], base: rm };
}

function readDisplacement(cursor: Cursor, mod: number, displacement8Unit: number): bigint {
  if (mod === 0) return 0n;
  return mod === 1 ? cursor.signed(1) * BigInt(displacement8Unit) : cursor.signed(4);
}
