/** Instructions as text, in Intel syntax. */
import type { Instruction, MemoryOperand, Operand, RegisterFile } from '../instruction';
import { ENCODINGS } from './tables';

const GPR_NAMES = ['ax', 'cx', 'dx', 'bx', 'sp', 'bp', 'si', 'di'];
const HIGH_BYTE_NAMES = ['ah', 'ch', 'dh', 'bh'];

type RegisterOperand = Extract<Operand, { kind: 'register' }>;

const REGISTER_NAMES: Readonly<Record<RegisterFile, (operand: RegisterOperand) => string>> = {
  gpr: ({ number, bytes }) => generalRegisterName(number, bytes),
  'high-byte': ({ number }) => HIGH_BYTE_NAMES[number],
  mmx: ({ number }) => `mm${number}`,
  vector: ({ number, bytes }) => `${bytes > 32 ? 'zmm' : bytes > 16 ? 'ymm' : 'xmm'}${number}`,
  opmask: ({ number }) => `k${number}`,
  tile: ({ number }) => `tmm${number}`,
  control: ({ number }) => `cr${number}`,
  st: ({ number }) => `st(${number})`,
};

function generalRegisterName(number: number, bytes: number): string {
  if (number >= 8) return `r${number}${{ 1: 'b', 2: 'w', 4: 'd' }[bytes] ?? ''}`;
  if (bytes === 1) return number < 4 ? `${GPR_NAMES[number][0]}l` : `${GPR_NAMES[number]}l`;
  return `${{ 4: 'e', 8: 'r' }[bytes] ?? ''}${GPR_NAMES[number]}`;
}

/** Instructions of which REX.W makes another format: the SDM appends 64 to their names. */
const HAS_64_BIT_FORMAT = /^(FXSAVE|FXRSTOR|XSAVE(OPT|C|S)?|XRSTORS?)$/;

/** Mnemonics here that are `mov` in assembly. */
const MOVES: Readonly<Record<string, string>> = {
  MOV_TO_CR: 'MOV',
  MOV_FROM_CR: 'MOV',
  MOV_TO_DR: 'MOV',
  MOV_FROM_DR: 'MOV',
};

/** Mnemonics whose memory operand comes in several sizes. */
const AMBIGUOUS_IN_MEMORY = ambiguousMnemonics();

function ambiguousMnemonics(): ReadonlySet<string> {
  const sizes = new Map<string, Set<string>>();
  for (const { mnemonic, operands } of ENCODINGS) {
    const memory = operands.find(({ place, form }) => place === 'rm' && form !== 'register');
    if (memory) sizes.set(mnemonic, new Set([...(sizes.get(mnemonic) ?? []), memory.memorySize]));
  }
  return new Set([...sizes].filter(([, known]) => known.size > 1).map(([mnemonic]) => mnemonic));
}

const SIZE_NAMES: Readonly<Record<number, string>> = { 1: 'byte ', 2: 'word ', 4: 'dword ', 8: 'qword ', 10: 'tbyte ' };

/** `xsave64 [rdi]`, `mov rax, cr0`, `fld dword [rdi]`; `(bad: lock-prefix)` for bytes that are no instruction. */
export function format(instruction: Instruction): string {
  const { mnemonic, rexW, operands, invalid } = instruction;
  if (invalid) return `(bad: ${invalid})`;
  const name = (MOVES[mnemonic] ?? mnemonic).toLowerCase() + (rexW && HAS_64_BIT_FORMAT.test(mnemonic) ? '64' : '');
  const texts = operands.map(
    (operand, index) => operandText(instruction, operand) + (index === 0 ? maskText(instruction) : ''),
  );
  return [name, texts.join(', ')].filter((part) => part !== '').join(' ');
}

/** `{k1}{z}`. */
function maskText({ opmask, zeroing }: Instruction): string {
  return (opmask ? `{k${opmask}}` : '') + (zeroing ? '{z}' : '');
}

function operandText(instruction: Instruction, operand: Operand): string {
  if (operand.kind === 'register') return REGISTER_NAMES[operand.file](operand);
  return operand.kind === 'immediate'
    ? immediateText(instruction, operand.bytes)
    : memoryText(instruction, operand.bytes);
}

/** Signed only where it is extended to the width of the general register or memory that it goes to. */
function immediateText({ class: kind, operands, immediate }: Instruction, bytes: number): string {
  const signed = kind === 'none' && operands[0].bytes > bytes;
  return hex(signed ? immediate : BigInt.asUintN(8 * bytes, immediate));
}

/** The size is written only where neither a register nor the mnemonic tells it. */
function memoryText({ mnemonic, operands, memory, broadcast, vectorBits }: Instruction, bytes: number): string {
  const registers = operands.some(({ kind }) => kind === 'register');
  const size = !registers && AMBIGUOUS_IN_MEMORY.has(mnemonic) ? (SIZE_NAMES[bytes] ?? '') : '';
  const repeated = broadcast ? `{1to${vectorBits / (8 * bytes)}}` : '';
  return `${size}${memory ? addressText(memory) : '[]'}${repeated}`;
}

function addressText({
  base,
  index,
  scale,
  displacement,
  ripRelative,
  addressSize,
  segment,
  vsib,
}: MemoryOperand): string {
  const bytes = addressSize / 8;
  const indexName = vsib ? `vmm${index}` : generalRegisterName(index ?? 0, bytes);
  const parts = [
    ripRelative ? (addressSize === 64 ? 'rip' : 'eip') : undefined,
    base === undefined ? undefined : generalRegisterName(base, bytes),
    index === undefined ? undefined : indexName + (scale === 1 ? '' : `*${scale}`),
  ].filter((part) => part !== undefined);
  const offset =
    displacement === 0n && parts.length > 0
      ? ''
      : `${parts.length > 0 && displacement > 0n ? '+' : ''}${hex(displacement)}`;
  return `${segment ? `${segment}:` : ''}[${parts.join('+')}${offset}]`;
}

function hex(value: bigint): string {
  return value < 0n ? `-0x${(-value).toString(16)}` : `0x${value.toString(16)}`;
}
