/** Widening of singles, doubles and integers to the 80-bit format: exact, and the exceptions that it raises. */
import { DE, IE, REGISTER_BYTES } from '../x87-state';

/** A value of the 80-bit format, and the exception flags (FSW.IE, FSW.DE) that making it raised. */
export interface Extended {
  readonly bytes: Uint8Array;
  readonly flags: number;
}

const EXTENDED_BIAS = 16383n;
const EXTENDED_ONES = 0x7fffn;
const INTEGER_BIT = 1n << 63n;
const QUIET_BIT = 1n << 62n;

interface Format {
  readonly exponentBits: bigint;
  readonly fractionBits: bigint;
}
const SINGLE: Format = { exponentBits: 8n, fractionBits: 23n };
const DOUBLE: Format = { exponentBits: 11n, fractionBits: 52n };

/** From 4 bytes. */
export function extendedOfSingle(bytes: Uint8Array): Extended {
  return widened(little(bytes), SINGLE);
}

/** From 8 bytes. */
export function extendedOfDouble(bytes: Uint8Array): Extended {
  return widened(little(bytes), DOUBLE);
}

/** From a signed integer of 2, 4 or 8 bytes. */
export function extendedOfInteger(bytes: Uint8Array): Extended {
  const value = BigInt.asIntN(8 * bytes.length, little(bytes));
  const sign = value < 0n ? 1n : 0n;
  const magnitude = value < 0n ? -value : value;
  return magnitude === 0n ? packed(0n, 0n, 0n, 0) : normalised(sign, magnitude, 63n + EXTENDED_BIAS, 0);
}

function widened(value: bigint, { exponentBits, fractionBits }: Format): Extended {
  const ones = (1n << exponentBits) - 1n;
  const bias = ones >> 1n;
  const sign = value >> (exponentBits + fractionBits);
  const exponent = (value >> fractionBits) & ones;
  const fraction = value & ((1n << fractionBits) - 1n);
  const significand = fraction << (63n - fractionBits);
  if (exponent === ones) return special(sign, significand);
  if (exponent !== 0n) return packed(sign, exponent - bias + EXTENDED_BIAS, significand | INTEGER_BIT, 0);
  return fraction === 0n ? packed(sign, 0n, 0n, 0) : normalised(sign, significand, 1n - bias + EXTENDED_BIAS, DE);
}

/** Infinities and NaNs; a signalling NaN becomes quiet. */
function special(sign: bigint, significand: bigint): Extended {
  const signalling = significand !== 0n && !(significand & QUIET_BIT);
  return packed(sign, EXTENDED_ONES, significand | INTEGER_BIT | (signalling ? QUIET_BIT : 0n), signalling ? IE : 0);
}

function normalised(sign: bigint, significand: bigint, exponent: bigint, flags: number): Extended {
  const shift = 64n - BigInt(significand.toString(2).length);
  return packed(sign, exponent - shift, significand << shift, flags);
}

function packed(sign: bigint, exponent: bigint, significand: bigint, flags: number): Extended {
  const view = new DataView(new ArrayBuffer(REGISTER_BYTES));
  view.setBigUint64(0, significand, true);
  view.setUint16(8, Number((sign << 15n) | exponent), true);
  return { bytes: new Uint8Array(view.buffer), flags };
}

function little(bytes: Uint8Array): bigint {
  return bytes.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
}
