/** The few general-purpose instructions that test code is made of. */
import { cpuid as cpuidLeaf } from '../cpuid';
import type { Fault } from '../faults';
import type { Instruction, Operand } from '../instruction';
import { GPR, type Processor } from '../processor';
import { operandFault, registerBits } from './operands';

/** Where AH, CH, DH and BH lie in their registers. */
const HIGH_BYTE = 8n;

const FLAG = { cf: 1n << 0n, pf: 1n << 2n, af: 1n << 4n, zf: 1n << 6n, sf: 1n << 7n, of: 1n << 11n };
/** CF, PF, AF, ZF, SF and OF of RFLAGS (Intel SDM Vol. 1 "Status Flags", 3.4.3.1). */
export const ARITHMETIC_FLAGS = FLAG.cf | FLAG.pf | FLAG.af | FLAG.zf | FLAG.sf | FLAG.of;

/** CPUID. */
export function cpuid(cpu: Processor): undefined {
  const [leaf, subleaf] = [GPR.rax, GPR.rcx].map((register) => Number(cpu.register(register, 32)));
  const [eax, ebx, ecx, edx] = cpuidLeaf(cpu.model, leaf, subleaf, cpu.control);
  const results = [
    [GPR.rax, eax],
    [GPR.rbx, ebx],
    [GPR.rcx, ecx],
    [GPR.rdx, edx],
  ] as const;
  for (const [register, value] of results) cpu.writeRegister(register, BigInt(value >>> 0), 32);
  return undefined;
}

/** LEA. */
export function lea(cpu: Processor, instruction: Instruction): undefined {
  const [destination] = instruction.operands;
  cpu.writeRegister(instruction.reg, cpu.operandAddress(instruction), registerBits(destination.bytes));
  return undefined;
}

/** A value that an instruction reads, or the fault that reading it raises. */
function readOperand(cpu: Processor, instruction: Instruction, operand: Operand): bigint | Fault {
  if (operand.kind === 'immediate') return instruction.immediate;
  if (operand.kind === 'register') {
    const value = cpu.register(operand.number);
    return operand.file === 'high-byte' ? (value >> HIGH_BYTE) & 0xffn : value;
  }
  const refused = operandFault(cpu, instruction, operand.bytes, 'read');
  if (refused) return refused;
  const bytes = cpu.read(cpu.operandAddress(instruction), operand.bytes);
  return bytes.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
}

function writeOperand(cpu: Processor, instruction: Instruction, operand: Operand, value: bigint): Fault | undefined {
  if (operand.kind === 'register') {
    const { file, number, bytes } = operand;
    if (file !== 'high-byte') cpu.writeRegister(number, value, registerBits(bytes));
    else cpu.writeRegister(number, ((value & 0xffn) << HIGH_BYTE) | cpu.register(number, 8), 16);
    return undefined;
  }
  const refused = operandFault(cpu, instruction, operand.bytes, 'write');
  if (refused) return refused;
  const bytes = new Uint8Array(BigUint64Array.of(BigInt.asUintN(64, value)).buffer, 0, operand.bytes);
  cpu.write(cpu.operandAddress(instruction), bytes.slice());
  return undefined;
}

/** MOV between registers, memory and immediates. */
export function mov(cpu: Processor, instruction: Instruction): Fault | undefined {
  const [destination, source] = instruction.operands;
  const value = readOperand(cpu, instruction, source);
  return typeof value === 'bigint' ? writeOperand(cpu, instruction, destination, value) : value;
}

/** What an arithmetic instruction makes of its operands: the result and CF, OF and AF. */
type Arithmetic = (left: bigint, right: bigint, bits: number) => { readonly result: bigint; readonly flags: bigint };

/** AND, OR, XOR and TEST: CF and OF are cleared, AF is undefined and stays clear. */
export const logic =
  (operation: (left: bigint, right: bigint) => bigint): Arithmetic =>
  (left, right, bits) => ({ result: BigInt.asUintN(bits, operation(left, right)), flags: 0n });

/** ADD, SUB and CMP. */
export const sum =
  (sign: 1n | -1n): Arithmetic =>
  (left, right, bits) => {
    const result = BigInt.asUintN(bits, left + sign * right);
    const carry = sign === 1n ? result < left : left < right;
    const exact = BigInt.asIntN(bits, left) + sign * BigInt.asIntN(bits, right);
    const overflow = exact !== BigInt.asIntN(bits, result);
    const adjust = ((left ^ right ^ result) & 16n) !== 0n;
    return { result, flags: (carry ? FLAG.cf : 0n) | (overflow ? FLAG.of : 0n) | (adjust ? FLAG.af : 0n) };
  };

/** An arithmetic instruction; `keep` is false for those that only set flags. */
export function arithmetic(
  compute: Arithmetic,
  keep = true,
): (cpu: Processor, instruction: Instruction) => Fault | undefined {
  return (cpu, instruction) => {
    const [destination, source] = instruction.operands;
    const bits = 8 * destination.bytes;
    const left = readOperand(cpu, instruction, destination);
    const right = readOperand(cpu, instruction, source);
    if (typeof left !== 'bigint') return left;
    if (typeof right !== 'bigint') return right;
    const { result, flags } = compute(BigInt.asUintN(bits, left), BigInt.asUintN(bits, right), bits);
    const refused = keep ? writeOperand(cpu, instruction, destination, result) : undefined;
    if (!refused) writeFlags(cpu, resultFlags(result, bits) | flags);
    return refused;
  };
}

/** SFENCE, PREFETCHT0, CLFLUSH, NOP: nothing that is modelled, but for the address of an operand that is looked at. */
export function untouched(cpu: Processor, instruction: Instruction): Fault | undefined {
  const { memory, memoryUse } = instruction;
  return memory && memoryUse.access === 'read' ? operandFault(cpu, instruction, memoryUse.bytes, 'read') : undefined;
}

/** BMI2's shifts, and what moves bits without a flag. */
const KEEPS_FLAGS = /^(MULX|PDEP|PEXT|RORX|SARX|SHLX|SHRX)$/;

/** General-purpose instructions whose results are not modelled, as BLSR and CMPXCHG8B. */
export function unknownResult(cpu: Processor, instruction: Instruction): Fault | undefined {
  const { memory, memoryUse, operands, mnemonic } = instruction;
  const writes = memoryUse.access === 'write' || memoryUse.access === 'read-write';
  const refused =
    memory && memoryUse.access !== 'none'
      ? operandFault(cpu, instruction, memoryUse.bytes, writes ? 'write' : 'read')
      : undefined;
  if (refused) return refused;
  const written = mnemonic === 'MULX' ? operands.slice(0, 2) : operands.slice(0, 1);
  const implicit = mnemonic.startsWith('CMPXCHG') ? (1 << GPR.rax) | (1 << GPR.rdx) : 0;
  const registers = written.reduce(
    (mask, o) => (o.kind === 'register' && o.file === 'gpr' ? mask | (1 << o.number) : mask),
    implicit,
  );
  const stored = memory && writes ? [{ address: cpu.operandAddress(instruction), length: memoryUse.bytes }] : [];
  cpu.emit({
    type: 'result-undetermined',
    what: { registers, flags: KEEPS_FLAGS.test(mnemonic) ? 0n : ARITHMETIC_FLAGS, memory: stored },
  });
  return undefined;
}

/** ANDN: CF and OF clear, PF and AF are undefined. */
export function andn(cpu: Processor, instruction: Instruction): Fault | undefined {
  const [destination, inverted, source] = instruction.operands;
  const bits = 8 * destination.bytes;
  const left = readOperand(cpu, instruction, inverted);
  const right = readOperand(cpu, instruction, source);
  if (typeof left !== 'bigint') return left;
  if (typeof right !== 'bigint') return right;
  const result = BigInt.asUintN(bits, ~left & right);
  writeFlags(cpu, resultFlags(result, bits));
  cpu.emit({ type: 'result-undetermined', what: { flags: FLAG.pf | FLAG.af } });
  return writeOperand(cpu, instruction, destination, result);
}

/** POPCNT: ZF by the source, the other flags clear. */
export function popcnt(cpu: Processor, instruction: Instruction): Fault | undefined {
  const [destination, source] = instruction.operands;
  const value = readOperand(cpu, instruction, source);
  if (typeof value !== 'bigint') return value;
  const count = BigInt.asUintN(8 * source.bytes, value)
    .toString(2)
    .replaceAll('0', '').length;
  writeFlags(cpu, count === 0 ? FLAG.zf : 0n);
  return writeOperand(cpu, instruction, destination, BigInt(count));
}

const CRC32C_REFLECTED = 0x82f63b78;

/** CRC32 with the Castagnoli polynomial, as the instruction has it. */
export function crc32(cpu: Processor, instruction: Instruction): Fault | undefined {
  const [destination, source] = instruction.operands;
  const value = readOperand(cpu, instruction, source);
  if (typeof value !== 'bigint') return value;
  let crc = Number(cpu.register(destination.kind === 'register' ? destination.number : 0, 32));
  for (let byte = 0; byte < source.bytes; byte++) {
    crc ^= Number((value >> BigInt(8 * byte)) & 0xffn);
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ CRC32C_REFLECTED : crc >>> 1;
  }
  return writeOperand(cpu, instruction, destination, BigInt(crc >>> 0));
}

function resultFlags(result: bigint, bits: number): bigint {
  let flags = result === 0n ? FLAG.zf : 0n;
  if ((result >> BigInt(bits - 1)) & 1n) flags |= FLAG.sf;
  let ones = 0;
  for (let low = Number(result & 0xffn); low !== 0; low &= low - 1) ones++;
  return ones % 2 === 0 ? flags | FLAG.pf : flags;
}

function writeFlags(cpu: Processor, flags: bigint): void {
  cpu.emit({ type: 'flags-written', value: (cpu.state.rflags & ~ARITHMETIC_FLAGS) | flags });
}
