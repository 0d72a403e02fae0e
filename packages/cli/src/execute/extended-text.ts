/** The 80-bit format of an x87 register as text. */

const EXPONENT_MAX = 0x7fff;
const EXPONENT_BIAS = 16383;
const INTEGER_BIT = 1n << 63n;

/** `1 (3fff 8000000000000000)`: what it is, then sign with exponent, and significand. */
export function extendedText(bytes: Uint8Array): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const [significand, top] = [view.getBigUint64(0, true), view.getUint16(8, true)];
  const digits = `${top.toString(16).padStart(4, '0')} ${significand.toString(16).padStart(16, '0')}`;
  return `${valueText(top, significand)} (${digits})`;
}

function valueText(top: number, significand: bigint): string {
  const sign = top & 0x8000 ? '-' : '';
  const exponent = top & EXPONENT_MAX;
  if (exponent === 0) return significand === 0n ? `${sign}0` : `${sign}denormal`;
  // Such as MMX instructions leave: ones above any 64 bits.
  if (!(significand & INTEGER_BIT)) return 'no number';
  if (exponent === EXPONENT_MAX) return significand === INTEGER_BIT ? `${sign}infinity` : 'NaN';
  const value = (Number(significand) / 2 ** 63) * 2 ** (exponent - EXPONENT_BIAS);
  if (value === 0 || !Number.isFinite(value)) return `${sign}1.x * 2^${exponent - EXPONENT_BIAS}`;
  const about = BigInt(Number(significand)) === significand ? '' : 'about ';
  return `${about}${sign}${value}`;
}
