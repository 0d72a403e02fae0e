/**
 * The parts of FXSAVE, XSAVE and FSAVE images that hold x87 state and MXCSR.
 *
 * Source: Intel SDM Vol. 1 "Legacy Region of an XSAVE Area" (13.4.1); Vol. 2 "FXSAVE" (layout tables); Vol. 1 "Saving the x87
 * FPU's State with FSTENV/FNSTENV and FSAVE/FNSAVE" (8.1.10).
 */
import {
  REGISTER_BYTES,
  abridgedTagWord,
  fullTagWord,
  physicalOrder,
  stackOrder,
  topOf,
  type X87State,
} from '../x87-state';

/** Offset of MXCSR and MXCSR_MASK in an FXSAVE or XSAVE area. */
export const MXCSR_OFFSET = 24;
/** Offset of ST0; eight slots of 16 bytes. */
export const STACK_OFFSET = 32;
/** Offset of XMM0. */
export const XMM_OFFSET = 160;
/** Bytes of a slot: ten of the register, six reserved. */
export const SLOT_BYTES = 16;

/**
 * Bytes 0 to 23 of an FXSAVE or XSAVE area: FCW, FSW, abridged FTW, a zero, FOP, FIP, FDP.
 *
 * @param wide with REX.W: 64-bit FIP and FDP; without: 32 bits and the selectors
 */
export function encodeEnvironment(x87: X87State, wide: boolean): Uint8Array {
  const view = new DataView(new ArrayBuffer(MXCSR_OFFSET));
  view.setUint16(0, x87.fcw, true);
  view.setUint16(2, x87.fsw, true);
  view.setUint8(4, x87.ftw);
  view.setUint16(6, x87.fop, true);
  if (wide) {
    view.setBigUint64(8, x87.fip, true);
    view.setBigUint64(16, x87.fdp, true);
  } else {
    view.setUint32(8, low32(x87.fip), true);
    view.setUint16(12, x87.fcs, true);
    view.setUint32(16, low32(x87.fdp), true);
    view.setUint16(20, x87.fds, true);
  }
  return new Uint8Array(view.buffer);
}

/** Bytes 32 to 159: ST0 to ST7, each with six zero bytes behind it. */
export function encodeStack(x87: X87State): Uint8Array {
  const stack = stackOrder(x87);
  const bytes = new Uint8Array(8 * SLOT_BYTES);
  for (let slot = 0; slot < 8; slot++) {
    bytes.set(stack.subarray(slot * REGISTER_BYTES, (slot + 1) * REGISTER_BYTES), slot * SLOT_BYTES);
  }
  return bytes;
}

/** Bytes 24 to 31: MXCSR and MXCSR_MASK. */
export function encodeMxcsr({ value, mask }: MxcsrImage): Uint8Array {
  const view = new DataView(new ArrayBuffer(8));
  view.setUint32(0, value, true);
  view.setUint32(4, mask, true);
  return new Uint8Array(view.buffer);
}

/** MXCSR with the mask of bits that may be set, as FXSAVE and XSAVE store them. */
export interface MxcsrImage {
  readonly value: number;
  readonly mask: number;
}

/** Reads MXCSR and MXCSR_MASK. */
export function decodeMxcsr(area: Uint8Array): MxcsrImage {
  const view = viewOf(area);
  return { value: view.getUint32(MXCSR_OFFSET, true), mask: view.getUint32(MXCSR_OFFSET + 4, true) };
}

/** Reads the x87 state of an FXSAVE or XSAVE area, reserved bits and all. */
export function decodeX87(area: Uint8Array, wide: boolean): X87State {
  const view = viewOf(area);
  const fsw = view.getUint16(2, true);
  const stack = new Uint8Array(8 * REGISTER_BYTES);
  for (let slot = 0; slot < 8; slot++) {
    const from = STACK_OFFSET + slot * SLOT_BYTES;
    stack.set(area.subarray(from, from + REGISTER_BYTES), slot * REGISTER_BYTES);
  }
  return {
    fcw: view.getUint16(0, true),
    fsw,
    ftw: view.getUint8(4),
    fop: view.getUint16(6, true),
    fip: wide ? view.getBigUint64(8, true) : BigInt(view.getUint32(8, true)),
    fcs: wide ? 0 : view.getUint16(12, true),
    fdp: wide ? view.getBigUint64(16, true) : BigInt(view.getUint32(16, true)),
    fds: wide ? 0 : view.getUint16(20, true),
    registers: physicalOrder(stack, topOf({ fsw })),
  };
}

/** Bytes of the environment that FNSTENV stores. */
export function fsaveEnvironmentBytes(operandBits: 16 | 32): number {
  return operandBits === 16 ? 14 : 28;
}

/** Bytes that FNSAVE stores: the environment and eight registers of ten bytes. */
export function fsaveBytes(operandBits: 16 | 32): number {
  return fsaveEnvironmentBytes(operandBits) + 8 * REGISTER_BYTES;
}

/**
 * The environment as FNSTENV and FNSAVE store it in protected mode: seven words, or seven doublewords whose reserved halves are
 * ones.
 */
export function encodeFsaveEnvironment(x87: X87State, operandBits: 16 | 32): Uint8Array {
  const view = new DataView(new ArrayBuffer(fsaveEnvironmentBytes(operandBits)));
  if (operandBits === 16) {
    const words = [x87.fcw, x87.fsw, fullTagWord(x87), low32(x87.fip), x87.fcs, low32(x87.fdp), x87.fds];
    words.forEach((word, index) => view.setUint16(2 * index, word & 0xffff, true));
  } else {
    const ones = 0xffff0000;
    const opcode = x87.fop << 16;
    const words = [
      ...[x87.fcw | ones, x87.fsw | ones, fullTagWord(x87) | ones],
      ...[low32(x87.fip), x87.fcs | opcode, low32(x87.fdp), x87.fds | ones],
    ];
    words.forEach((word, index) => view.setUint32(4 * index, word >>> 0, true));
  }
  return new Uint8Array(view.buffer);
}

/** The image that FNSAVE stores. */
export function encodeFsave(x87: X87State, operandBits: 16 | 32): Uint8Array {
  const bytes = new Uint8Array(fsaveBytes(operandBits));
  bytes.set(encodeFsaveEnvironment(x87, operandBits));
  bytes.set(stackOrder(x87), fsaveEnvironmentBytes(operandBits));
  return bytes;
}

/**
 * Reads what FNSTENV stored. The data registers are those of `registers`.
 *
 * The 16-bit format has no opcode: FOP becomes 0.
 */
export function decodeFsaveEnvironment(bytes: Uint8Array, operandBits: 16 | 32, registers: Uint8Array): X87State {
  const view = viewOf(bytes);
  const word = (index: number): number =>
    operandBits === 16 ? view.getUint16(2 * index, true) : view.getUint32(4 * index, true);
  return {
    fcw: word(0) & 0xffff,
    fsw: word(1) & 0xffff,
    ftw: abridgedTagWord(word(2) & 0xffff),
    fip: BigInt(word(3)),
    fcs: word(4) & 0xffff,
    fop: operandBits === 16 ? 0 : (word(4) >>> 16) & 0x7ff,
    fdp: BigInt(word(5)),
    fds: word(6) & 0xffff,
    registers,
  };
}

/** Reads what FNSAVE stored. */
export function decodeFsave(bytes: Uint8Array, operandBits: 16 | 32): X87State {
  const start = fsaveEnvironmentBytes(operandBits);
  const environment = decodeFsaveEnvironment(bytes, operandBits, new Uint8Array(0));
  const stack = bytes.slice(start, start + 8 * REGISTER_BYTES);
  return { ...environment, registers: physicalOrder(stack, topOf(environment)) };
}

function low32(value: bigint): number {
  return Number(value & 0xffff_ffffn);
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
