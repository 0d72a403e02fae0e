/** Moves and bitwise logic of vector, MMX and opmask registers: modelled in full, since XINUSE goes by what they leave behind. */
import type { Instruction, Operand } from '../instruction';
import type { Processor } from '../processor';
import {
  enterMmx,
  readMmx,
  readOpmask,
  readVector,
  writeMmx,
  writeOpmask,
  writeVector,
  type VectorWrite,
} from './vector-registers';

/** Computes a result from the sources, all of the same length. */
type Compute = (sources: readonly Uint8Array[], instruction: Instruction) => Uint8Array;

const byByte =
  (logic: (left: number, right: number) => number): Compute =>
  ([left, right]) =>
    left.map((byte, index) => logic(byte, right[index]));

const OPERATIONS: Readonly<Record<string, Compute>> = {
  XOR: byByte((left, right) => left ^ right),
  XNOR: byByte((left, right) => ~(left ^ right)),
  OR: byByte((left, right) => left | right),
  AND: byByte((left, right) => left & right),
  ANDN: byByte((left, right) => ~left & right),
  MOV: ([source]) => source,
  EQUAL: compareEqual,
  TERNARY: ternary,
  ZERO: ([source]) => new Uint8Array(source.length),
};

/** Mnemonics, and which operation they are. */
const PATTERNS: readonly (readonly [pattern: RegExp, operation: string | undefined])[] = [
  [/^V?P(XOR|OR|ANDN|AND)[DQ]?$/, undefined],
  [/^V?(XOR|OR|ANDN|AND)P[SD]$/, undefined],
  [/^K(XOR|XNOR|OR|ANDN|AND)[BWDQ]$/, undefined],
  [/^(V?MOV(?:[AU]P[SD]|DQ[AU](?:8|16|32|64)?|[DQ]|DQ2Q|Q2DQ)|KMOV[BWDQ])$/, 'MOV'],
  [/^(V?PCMPEQ[BWD])$/, 'EQUAL'],
  [/^(VPTERNLOG[DQ])$/, 'TERNARY'],
  [/^(V?P(?:SUB|SUBU?S|CMPGT)[BWDQ])$/, 'ZERO'],
];

function operationOf({ mnemonic, opmask, broadcast }: Instruction): Compute | undefined {
  if (opmask || broadcast) return undefined; // merging and broadcasting are not modelled
  for (const [pattern, operation] of PATTERNS) {
    const found = pattern.exec(mnemonic);
    if (found) return OPERATIONS[operation ?? found[1]];
  }
  return undefined;
}

/**
 * Executes a move or bitwise instruction whose memory operand has been checked.
 *
 * @returns false when it is none, or writes what is not modelled; then nothing has happened
 */
export function bitwise(cpu: Processor, instruction: Instruction): boolean {
  const compute = operationOf(instruction);
  const [destination, ...sources] = instruction.operands.filter(({ kind }) => kind !== 'immediate');
  if (!compute || !destination || !isWritable(destination) || !sources.every(isReadable)) return false;
  // EVEX comparisons write one bit per element.
  const comparesToOpmask =
    destination.kind === 'register' && destination.file === 'opmask' && instruction.mnemonic.startsWith('VPCMP');
  if (comparesToOpmask) return false;
  const dyadic = compute !== OPERATIONS.MOV;
  const readsDestination = compute === ternary || (dyadic && sources.length === 1);
  const bytes = Math.max(...[destination, ...sources].map((operand) => bytesOf(instruction, operand)));
  const operands = readsDestination ? [destination, ...sources] : sources;
  if (compute === OPERATIONS.ZERO && !sameRegister(operands)) return false;
  const values = operands.map((operand) => padded(readOperand(cpu, instruction, operand), bytes));
  if (instruction.operands.some((operand) => operand.kind === 'register' && operand.file === 'mmx')) {
    cpu.loadX87(enterMmx(cpu.state.x87), 'keep');
  }
  const result = compute(values, instruction).subarray(0, bytesOf(instruction, destination));
  writeOperand(cpu, instruction, destination, result, sourceKind(compute, operands));
  return true;
}

/** Bytes of an operand; of an opmask register those that the mnemonic's last letter says. */
function bytesOf({ mnemonic }: Instruction, operand: Operand): number {
  if (operand.kind !== 'register' || operand.file !== 'opmask') return operand.bytes;
  return { B: 1, W: 2, D: 4, Q: 8 }[mnemonic.at(-1) as 'B' | 'W' | 'D' | 'Q'];
}

/** Operations that give zero when both sources are the same register. */
const ZERO_OF_SAME: readonly Compute[] = [OPERATIONS.XOR, OPERATIONS.ANDN, OPERATIONS.ZERO];

function sourceKind(compute: Compute, operands: readonly Operand[]): VectorWrite['from'] {
  if (operands.some(({ kind }) => kind === 'memory')) return 'memory';
  return ZERO_OF_SAME.includes(compute) && sameRegister(operands) ? 'zero' : 'copy';
}

function sameRegister([left, right]: readonly Operand[]): boolean {
  return left?.kind === 'register' && right?.kind === 'register' && left.number === right.number;
}

const READABLE_FILES: readonly string[] = ['gpr', 'mmx', 'vector', 'opmask'];
const isReadable = (operand: Operand): boolean => operand.kind !== 'register' || READABLE_FILES.includes(operand.file);
const isWritable = (operand: Operand): boolean => isReadable(operand);

function padded(value: Uint8Array, bytes: number): Uint8Array {
  if (value.length >= bytes) return value;
  const wide = new Uint8Array(bytes);
  wide.set(value);
  return wide;
}

function readOperand(cpu: Processor, instruction: Instruction, operand: Operand): Uint8Array {
  if (operand.kind === 'memory') return cpu.read(cpu.operandAddress(instruction), operand.bytes);
  if (operand.kind === 'immediate') throw new Error('fpulab bug: an immediate is no source here');
  const { file, number } = operand;
  const bytes = bytesOf(instruction, operand);
  if (file === 'vector') return readVector(cpu, number, bytes);
  if (file === 'mmx') return readMmx(cpu, number);
  const word = file === 'opmask' ? readOpmask(cpu, number) : cpu.register(number);
  return new Uint8Array(BigUint64Array.of(word).buffer, 0, bytes);
}

function writeOperand(
  cpu: Processor,
  instruction: Instruction,
  operand: Operand,
  value: Uint8Array,
  from: VectorWrite['from'],
): void {
  if (operand.kind === 'memory') return cpu.write(cpu.operandAddress(instruction), value.slice());
  if (operand.kind === 'immediate') throw new Error('fpulab bug: an immediate is no destination');
  const { file, number } = operand;
  if (file === 'vector') return writeVector(cpu, number, value, { legacy: instruction.vectorBits === 0, from });
  if (file === 'mmx') return writeMmx(cpu, number, value);
  const word = value.reduceRight((all, byte) => (all << 8n) | BigInt(byte), 0n);
  if (file === 'opmask') return writeOpmask(cpu, number, word, from === 'zero' ? 'zero' : 'write');
  return cpu.writeRegister(number, word, value.length === 8 ? 64 : 32);
}

/** All ones in every element where both are equal. */
function compareEqual([left, right]: readonly Uint8Array[], { mnemonic }: Instruction): Uint8Array {
  const elementBytes = { B: 1, W: 2, D: 4 }[mnemonic.at(-1) as 'B' | 'W' | 'D'];
  const result = new Uint8Array(left.length);
  for (let at = 0; at < left.length; at += elementBytes) {
    const same = left.subarray(at, at + elementBytes).every((byte, index) => byte === right[at + index]);
    if (same) result.fill(0xff, at, at + elementBytes);
  }
  return result;
}

/** The immediate is a truth table of three bits. */
function ternary([a, b, c]: readonly Uint8Array[], { immediate }: Instruction): Uint8Array {
  const table = Number(BigInt.asUintN(8, immediate));
  return a.map((byte, index) => {
    let result = 0;
    for (let bit = 0; bit < 8; bit++) {
      const row = (((byte >> bit) & 1) << 2) | (((b[index] >> bit) & 1) << 1) | ((c[index] >> bit) & 1);
      result |= ((table >> row) & 1) << bit;
    }
    return result;
  });
}
