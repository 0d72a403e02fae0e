/**
 * Which SIMD floating-point exceptions an SSE instruction would raise: addition, subtraction, multiplication, division and square root
 * of singles and doubles. Only the flags; results are not modelled.
 *
 * Source: Intel SDM Vol. 1 "SSE and SSE2 SIMD Floating-Point Exceptions" (11.5.2), "Overview of Floating-Point Exceptions" (4.9).
 */
import type { Instruction, Operand } from '../instruction';
import type { Processor } from '../processor';
import { readVector } from './vector-registers';

/** Flags of MXCSR. */
const IE = 1;
const DE = 2;
const ZE = 4;
const OE = 8;
const UE = 16;
const PE = 32;
const DAZ = 1 << 6;

type Operation = 'ADD' | 'SUB' | 'MUL' | 'DIV' | 'SQRT';

interface Format {
  readonly bytes: 4 | 8;
  readonly smallestNormal: number;
  readonly largest: number;
}
const SINGLE: Format = { bytes: 4, smallestNormal: 2 ** -126, largest: (2 - 2 ** -23) * 2 ** 127 };
const DOUBLE: Format = { bytes: 8, smallestNormal: 2 ** -1022, largest: Number.MAX_VALUE };

const ARITHMETIC = /^V?(ADD|SUB|MUL|DIV|SQRT)([PS])([SD])$/;

/**
 * The exception flags, or undefined where they are not modelled.
 *
 * Whether a double result is inexact is decided for division, multiplication and square root only where a flag before it decides the
 * fault; otherwise the answer is undefined.
 */
export function simdExceptions(cpu: Processor, instruction: Instruction): number | undefined {
  const found = ARITHMETIC.exec(instruction.mnemonic);
  if (!found || instruction.opmask || instruction.broadcast) return undefined;
  const operation = found[1] as Operation;
  const format = found[3] === 'S' ? SINGLE : DOUBLE;
  const sources = instruction.operands.filter(({ kind }) => kind !== 'immediate').slice(-2);
  const bytes = found[2] === 'S' ? format.bytes : instruction.vectorBits / 8 || 16;
  const [left, right] = sources.map((operand) => elements(cpu, instruction, operand, bytes, format));
  let flags = 0;
  for (let index = 0; index < left.length; index++) {
    const one = elementExceptions(operation, format, left[index], right[index], (cpu.state.mxcsr & DAZ) !== 0);
    if (one === undefined) return undefined;
    flags |= one;
  }
  return flags;
}

/** A floating-point number and whether it is a signalling NaN, which a JavaScript number cannot tell. */
interface Element {
  readonly value: number;
  readonly signalling: boolean;
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
      : readVector(cpu, operand.kind === 'register' ? operand.number : 0, bytes).slice();
  const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
  return Array.from({ length: bytes / format.bytes }, (_, index) => {
    const at = index * format.bytes;
    const quietByte = raw[at + format.bytes - 2];
    const quiet = format === SINGLE ? 0x40 : 0x08;
    const value = format === SINGLE ? view.getFloat32(at, true) : view.getFloat64(at, true);
    return { value, signalling: Number.isNaN(value) && !(quietByte & quiet) };
  });
}

function elementExceptions(
  operation: Operation,
  format: Format,
  a: Element,
  b: Element,
  daz: boolean,
): number | undefined {
  const operands = operation === 'SQRT' ? [b] : [a, b];
  if (operands.some(({ signalling }) => signalling)) return IE;
  if (operands.some(({ value }) => Number.isNaN(value))) return 0;
  const tiny = ({ value }: Element): boolean => value !== 0 && Math.abs(value) < format.smallestNormal;
  const value = (element: Element): number => (daz && tiny(element) ? 0 : element.value);
  const denormal = !daz && operands.some(tiny) ? DE : 0;
  if (isInvalid(operation, value(a), value(b))) return IE;
  if (operation === 'DIV' && value(b) === 0 && value(a) !== 0 && Number.isFinite(value(a))) return ZE | denormal;
  const after = resultExceptions(operation, format, value(a), value(b));
  return after === undefined && !denormal ? undefined : (after ?? 0) | denormal;
}

function isInvalid(operation: Operation, a: number, b: number): boolean {
  if (operation === 'SQRT') return b < 0;
  if (operation === 'DIV') return (a === 0 && b === 0) || (!Number.isFinite(a) && !Number.isFinite(b));
  if (operation === 'MUL') return (a === 0 && !Number.isFinite(b)) || (b === 0 && !Number.isFinite(a));
  const sum = operation === 'ADD' ? a + b : a - b;
  return Number.isNaN(sum);
}

/** OE, UE and PE of a finite operation. Singles are computed in double precision, which is exact enough to tell. */
function resultExceptions(operation: Operation, format: Format, a: number, b: number): number | undefined {
  const exact = { ADD: a + b, SUB: a - b, MUL: a * b, DIV: a / b, SQRT: Math.sqrt(b) }[operation];
  if (exact === 0 || !Number.isFinite(exact))
    return Number.isFinite(a) && Number.isFinite(b) && exact !== 0 ? OE | PE : 0;
  if (format === DOUBLE) return undefined;
  if (Math.abs(exact) > format.largest) return OE | PE;
  const inexact =
    Math.fround(exact) !== exact ||
    (operation === 'SQRT' && exact * exact !== b) ||
    (operation === 'DIV' && exact * b !== a);
  const underflow = Math.abs(exact) < format.smallestNormal && inexact;
  return (inexact ? PE : 0) | (underflow ? UE : 0);
}
