/**
 * The x87 registers.
 *
 * Source: Intel SDM Vol. 1 "x87 FPU Execution Environment" (8.1), "FXSAVE Area" (10.5.1).
 */

/** x87 state. Immutable: an instruction makes a new one. */
export interface X87State {
  readonly fcw: number;
  readonly fsw: number;
  /** Abridged tag word: bit i set means that physical register i is not empty. */
  readonly ftw: number;
  /** Last opcode, 11 bits. */
  readonly fop: number;
  /** Last instruction and data pointers, 64 bits. */
  readonly fip: bigint;
  readonly fdp: bigint;
  readonly fcs: number;
  readonly fds: number;
  /** The eight data registers R0 to R7, 10 bytes each, by physical number. */
  readonly registers: Uint8Array;
}

/** Bytes of one data register. */
export const REGISTER_BYTES = 10;

/** Exception flags of FSW and MXCSR, and mask bits of FCW: invalid operation. */
export const IE = 1 << 0;
/** Denormal operand. */
export const DE = 1 << 1;
/** Division by zero. */
export const ZE = 1 << 2;
/** Overflow. */
export const OE = 1 << 3;
/** Underflow. */
export const UE = 1 << 4;
/** Precision. */
export const PE = 1 << 5;
/** All of them. */
export const EXCEPTION_FLAGS = 0x3f;
/** FSW.SF, stack fault. */
export const FSW_SF = 1 << 6;
/** FSW.ES, exception summary. */
export const FSW_ES = 1 << 7;
/** FSW.C1. */
export const FSW_C1 = 1 << 9;
/** FSW.B, busy: a copy of ES. */
export const FSW_B = 1 << 15;
const FSW_TOP = 7 << 11;
/** Bits of FCW that exist; bit 6 always reads as 1. */
const FCW_BITS = 0x1f3f;
const FCW_ONE = 0x40;

/** After FNINIT on cleared registers: the initial configuration. */
export const X87_INIT: X87State = {
  fcw: 0x37f,
  fsw: 0,
  ftw: 0,
  fop: 0,
  fip: 0n,
  fdp: 0n,
  fcs: 0,
  fds: 0,
  registers: new Uint8Array(8 * REGISTER_BYTES),
};

/** FSW.TOP. */
export function topOf({ fsw }: Pick<X87State, 'fsw'>): number {
  return (fsw >> 11) & 7;
}

/** FSW with another TOP. */
export function withTop(fsw: number, top: number): number {
  return (fsw & ~FSW_TOP) | ((top & 7) << 11);
}

/** FSW with ES and B as its flags and the masks of FCW make them. */
export function withSummary(fsw: number, fcw: number): number {
  const pending = fsw & EXCEPTION_FLAGS & ~fcw;
  return pending ? fsw | FSW_ES | FSW_B : fsw & ~(FSW_ES | FSW_B);
}

/** What FCW becomes when this is loaded: reserved bits are dropped. */
export function loadedFcw(value: number): number {
  return (value & FCW_BITS) | FCW_ONE;
}

/** A state as a load leaves it: FCW without reserved bits, FSW.ES and B recomputed. */
export function loadedX87(image: X87State): X87State {
  const fcw = loadedFcw(image.fcw);
  return { ...image, fcw, fsw: withSummary(image.fsw, fcw), fop: image.fop & 0x7ff };
}

/** The registers in stack order, ST0 first. */
export function stackOrder(state: Pick<X87State, 'fsw' | 'registers'>): Uint8Array {
  return rotated(state.registers, topOf(state));
}

/** Registers by physical number, from stack order. */
export function physicalOrder(stack: Uint8Array, top: number): Uint8Array {
  return rotated(stack, 8 - top);
}

function rotated(registers: Uint8Array, by: number): Uint8Array {
  const split = (by & 7) * REGISTER_BYTES;
  const result = new Uint8Array(8 * REGISTER_BYTES);
  result.set(registers.subarray(split));
  result.set(registers.subarray(0, split), result.length - split);
  return result;
}

/** Tag values of the full tag word. */
const TAG = { valid: 0, zero: 1, special: 2, empty: 3 } as const;

/**
 * The full tag word, which only FNSTENV and FNSAVE show: computed from the contents of the registers.
 *
 * @see Intel SDM Vol. 1 "x87 FPU Tag Word" (8.1.7); Vol. 2 "FXSAVE", table "Recreating FSAVE Format"
 */
export function fullTagWord({ ftw, registers }: Pick<X87State, 'ftw' | 'registers'>): number {
  let word = 0;
  for (let register = 0; register < 8; register++) {
    const tag = ftw & (1 << register) ? contentTag(registers, register * REGISTER_BYTES) : TAG.empty;
    word |= tag << (2 * register);
  }
  return word;
}

function contentTag(registers: Uint8Array, at: number): number {
  const exponent = (registers[at + 8] | (registers[at + 9] << 8)) & 0x7fff;
  const significand = registers.subarray(at, at + 8);
  if (exponent === 0x7fff) return TAG.special;
  if (exponent === 0) return significand.every((byte) => byte === 0) ? TAG.zero : TAG.special;
  return significand[7] & 0x80 ? TAG.valid : TAG.special;
}

/** The abridged tag word of a full one: a register is empty or not. */
export function abridgedTagWord(full: number): number {
  let abridged = 0;
  for (let register = 0; register < 8; register++) {
    if (((full >> (2 * register)) & 3) !== TAG.empty) abridged |= 1 << register;
  }
  return abridged;
}

/** True when two states show the same in every image. */
export function sameX87(a: X87State, b: X87State): boolean {
  const sameNumbers = a.fcw === b.fcw && a.fsw === b.fsw && a.ftw === b.ftw && a.fop === b.fop;
  const samePointers = a.fip === b.fip && a.fdp === b.fdp && a.fcs === b.fcs && a.fds === b.fds;
  return sameNumbers && samePointers && a.registers.every((byte, index) => byte === b.registers[index]);
}
