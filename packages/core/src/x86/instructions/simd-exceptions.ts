/**
 * Which SIMD floating-point exceptions an SSE or AVX instruction raises: addition, subtraction, multiplication, division and square root of
 * singles and doubles. Only the flags; results are not modelled. Numbers are exact rationals, so that inexactness is, too.
 *
 * Source: Intel SDM Vol. 1 "SIMD Floating-Point Exception Conditions" (11.5.2), "Overview of Floating-Point Exceptions" (4.9).
 */
import type { Instruction, Operand } from '../instruction';
import type { Processor } from '../processor';
import { DE, IE, OE, PE, UE, ZE } from '../x87-state';
import { readVector } from './vector-registers';

/** Other bits of MXCSR. */
const DAZ = 1 << 6;
const UM = 1 << 11;
const FZ = 1 << 15;
const RC_SHIFT = 13;

type Operation = 'ADD' | 'SUB' | 'MUL' | 'DIV' | 'SQRT';

interface Format {
  readonly bytes: 4 | 8;
  readonly fractionBits: number;
  readonly bias: number;
}
const SINGLE: Format = { bytes: 4, fractionBits: 23, bias: 127 };
const DOUBLE: Format = { bytes: 8, fractionBits: 52, bias: 1023 };

const ARITHMETIC = /^V?(ADD|SUB|MUL|DIV|SQRT)([PS])([SD])$/;

/** The exception flags, or undefined where they are not modelled. */
export function simdExceptions(cpu: Processor, instruction: Instruction): number | undefined {
  const found = ARITHMETIC.exec(instruction.mnemonic);
  if (!found || instruction.opmask || instruction.broadcast) return undefined;
  const operation = found[1] as Operation;
  const format = found[3] === 'S' ? SINGLE : DOUBLE;
  const sources = instruction.operands.filter(({ kind }) => kind !== 'immediate').slice(-2);
  const bytes = found[2] === 'S' ? format.bytes : instruction.vectorBits / 8 || 16;
  const [left, right] = sources.map((operand) => elements(cpu, instruction, operand, bytes, format));
  return left.reduce(
    (flags, element, index) => flags | exceptionsOf(operation, format, element, right[index], cpu.state.mxcsr),
    0,
  );
}

/** A number as its format holds it. `magnitude` * 2^`scale` is its absolute value, where it is finite. */
interface Element {
  readonly kind: 'finite' | 'infinite' | 'quiet-nan' | 'signalling-nan';
  readonly negative: boolean;
  readonly denormal: boolean;
  readonly magnitude: bigint;
  readonly scale: number;
}

function elements(
  cpu: Processor,
  instruction: Instruction,
  operand: Operand,
  bytes: number,
  format: Format,
): readonly Element[] {
  const raw =
    operand.kind === 'memory'
      ? cpu.read(cpu.operandAddress(instruction), bytes)
      : readVector(cpu, operand.kind === 'register' ? operand.number : 0, bytes);
  return Array.from({ length: bytes / format.bytes }, (_, index) => {
    const at = index * format.bytes;
    return elementOf(raw.subarray(at, at + format.bytes), format);
  });
}

function elementOf(bytes: Uint8Array, { fractionBits, bias }: Format): Element {
  const bits = bytes.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
  const fraction = BigInt.asUintN(fractionBits, bits);
  const exponentOnes = 2 * bias + 1;
  const exponent = Number((bits >> BigInt(fractionBits)) & BigInt(exponentOnes));
  const negative = bits >> BigInt(8 * bytes.length - 1) === 1n;
  const isDenormal = exponent === 0 && fraction !== 0n;
  const magnitude = exponent === 0 ? fraction : fraction | (1n << BigInt(fractionBits));
  const number = { negative, denormal: isDenormal, magnitude, scale: Math.max(exponent, 1) - bias - fractionBits };
  if (exponent < exponentOnes) return { ...number, kind: 'finite' };
  if (fraction === 0n) return { ...number, kind: 'infinite' };
  const quiet = (fraction >> BigInt(fractionBits - 1)) & 1n;
  return { ...number, kind: quiet ? 'quiet-nan' : 'signalling-nan' };
}

/** Invalid comes before divide-by-zero, that before denormal, and those before what the result raises. */
function exceptionsOf(operation: Operation, format: Format, left: Element, right: Element, mxcsr: number): number {
  const flushed = (element: Element): Element =>
    mxcsr & DAZ && element.denormal ? { ...element, denormal: false, magnitude: 0n } : element;
  const operands = (operation === 'SQRT' ? [right] : [left, right]).map(flushed);
  if (operands.some(({ kind }) => kind === 'signalling-nan')) return IE;
  if (operands.some(({ kind }) => kind === 'quiet-nan')) return 0;
  const [a, b] = operation === 'SQRT' ? [operands[0], operands[0]] : operands;
  if (isInvalid(operation, a, b)) return IE;
  if (operation === 'DIV' && isZero(b) && a.kind === 'finite' && !isZero(a)) return ZE;
  const denormal = operands.some((operand) => operand.denormal) ? DE : 0;
  if (operands.some(({ kind }) => kind === 'infinite')) return denormal;
  return denormal | roundingExceptions(exactResult(operation, a, b), format, mxcsr);
}

function isZero({ kind, magnitude }: Element): boolean {
  return kind === 'finite' && magnitude === 0n;
}

function isInvalid(operation: Operation, a: Element, b: Element): boolean {
  const infinite = (element: Element): boolean => element.kind === 'infinite';
  switch (operation) {
    case 'SQRT':
      return b.negative && !isZero(b);
    case 'DIV':
      return (isZero(a) && isZero(b)) || (infinite(a) && infinite(b));
    case 'MUL':
      return (isZero(a) && infinite(b)) || (infinite(a) && isZero(b));
    case 'ADD':
      return infinite(a) && infinite(b) && a.negative !== b.negative;
    case 'SUB':
      return infinite(a) && infinite(b) && a.negative === b.negative;
  }
}

/** |result| as numerator / denominator; `irrational` when it is only the integer part of more digits than any format has. */
interface Exact {
  readonly negative: boolean;
  readonly numerator: bigint;
  readonly denominator: bigint;
  readonly irrational: boolean;
}

/** Enough digits to round a square root of either format. */
const ROOT_SCALE = 1200n;

function exactResult(operation: Operation, a: Element, b: Element): Exact {
  const [x, y] = [rational(a), rational(b)];
  const of = (numerator: bigint, denominator: bigint): Exact => ({
    negative: numerator < 0n,
    numerator: numerator < 0n ? -numerator : numerator,
    denominator,
    irrational: false,
  });
  switch (operation) {
    case 'ADD':
      return of(x.n * y.d + y.n * x.d, x.d * y.d);
    case 'SUB':
      return of(x.n * y.d - y.n * x.d, x.d * y.d);
    case 'MUL':
      return of(x.n * y.n, x.d * y.d);
    case 'DIV':
      return of(x.n * y.d * (y.n < 0n ? -1n : 1n), x.d * (y.n < 0n ? -y.n : y.n));
    case 'SQRT':
      return squareRoot(y.n, y.d);
  }
}

function rational({ negative, magnitude, scale }: Element): { readonly n: bigint; readonly d: bigint } {
  const signed = negative ? -magnitude : magnitude;
  return scale >= 0 ? { n: signed << BigInt(scale), d: 1n } : { n: signed, d: 1n << BigInt(-scale) };
}

function squareRoot(n: bigint, d: bigint): Exact {
  const scaled = (n << (2n * ROOT_SCALE)) / d;
  const root = integerRoot(scaled);
  const exact = root * root === scaled && (n << (2n * ROOT_SCALE)) % d === 0n;
  return { negative: false, numerator: root, denominator: 1n << ROOT_SCALE, irrational: !exact };
}

function integerRoot(value: bigint): bigint {
  if (value < 2n) return value;
  let root = 1n << BigInt(Math.ceil(bitLength(value) / 2));
  for (let next = (root + value / root) >> 1n; next < root; next = (root + value / root) >> 1n) root = next;
  return root;
}

/** How MXCSR.RC rounds a magnitude. */
type Rounding = 'nearest' | 'up' | 'down';

function roundingOf(mxcsr: number, negative: boolean): Rounding {
  const towards = ['nearest', 'negative', 'positive', 'zero'][(mxcsr >> RC_SHIFT) & 3];
  if (towards === 'nearest') return 'nearest';
  return towards === (negative ? 'negative' : 'positive') ? 'up' : 'down';
}

/** OE, UE and PE. Tininess is detected after rounding (SDM Vol. 1, 4.9.1.5). */
function roundingExceptions(exact: Exact, format: Format, mxcsr: number): number {
  const { numerator, denominator, irrational } = exact;
  if (numerator === 0n) return 0;
  const { fractionBits, bias } = format;
  const rounding = roundingOf(mxcsr, exact.negative);
  const exponentMin = 1 - bias;
  const exponent = exponentOf(numerator, denominator);
  const unlimited = rounded(exact, exponent - fractionBits, rounding);
  const carried = bitLength(unlimited.value) > fractionBits + 1 ? exponent + 1 : exponent;
  if (carried > bias) return OE | PE;
  const stored = rounded(exact, Math.max(exponent, exponentMin) - fractionBits, rounding);
  const inexact = irrational || stored.inexact;
  if (carried >= exponentMin) return inexact ? PE : 0;
  if (!(mxcsr & UM)) return UE | (inexact ? PE : 0);
  // Flushed to zero, or a denormal.
  return mxcsr & FZ || inexact ? UE | PE : 0;
}

/** floor(log2(numerator / denominator)). */
function exponentOf(numerator: bigint, denominator: bigint): number {
  const estimate = bitLength(numerator) - bitLength(denominator);
  const atLeast =
    estimate >= 0 ? numerator >= denominator << BigInt(estimate) : numerator << BigInt(-estimate) >= denominator;
  return atLeast ? estimate : estimate - 1;
}

/** numerator / denominator in units of 2^scale, rounded. */
function rounded(
  { numerator, denominator, irrational }: Exact,
  scale: number,
  rounding: Rounding,
): { readonly value: bigint; readonly inexact: boolean } {
  const n = scale < 0 ? numerator << BigInt(-scale) : numerator;
  const d = scale > 0 ? denominator << BigInt(scale) : denominator;
  const [quotient, rest] = [n / d, n % d];
  const inexact = rest !== 0n || irrational;
  const nearestUp = 2n * rest > d || (2n * rest === d && (irrational || quotient % 2n === 1n));
  const up = rounding === 'nearest' ? nearestUp : rounding === 'up' && inexact;
  return { value: up ? quotient + 1n : quotient, inexact };
}

function bitLength(value: bigint): number {
  return value.toString(2).length;
}
