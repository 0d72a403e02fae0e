/**
 * Machine code to `Instruction`.
 *
 * Modelled are the instructions that load, save or modify FPU state (x87, MMX, SSE, AVX, AVX-512, AMX, the XSAVE family),
 * the system instructions that control it, and the few general-purpose ones between them; 64-bit mode and 32-bit code with
 * 32-bit addresses. Deviations: 16-bit addresses in 32-bit code, AVX512-FP16 and XOP are not modelled. The decoder knows
 * no CPU model: whether a processor has an instruction is for the caller to ask.
 */
import type { CodeMode, Instruction, InvalidReason, MemoryOperand } from '../instruction';
import { Cursor } from './cursor';
import { classOf, isSimdArithmetic, memoryUseOf, modifiesOf, waits } from './effects';
import type { Encoding } from './encoding';
import { illegality, type Parsed } from './legality';
import { readMemoryOperand, splitModRm, type ModRm } from './modrm';
import { resolveOperand, sizeOf, type OperandContext } from './operands';
import { readOpcode, readPrefixes, type LegacyPrefixes, type Opcode } from './prefixes';
import { selectEncoding } from './select';
import { encodingsOf } from './tables';

/**
 * Decodes one instruction. Pure, and never throws.
 *
 * @param bytes code; what lies beyond 15 bytes is not looked at
 * @param offset of the instruction's first byte
 * @param mode of the code segment
 * @returns an instruction whose mnemonic is `INVALID`, with the reason in `invalid`, when the bytes are none
 * @see Intel SDM Vol. 2A "Instruction Format" (chapter 2)
 */
export function decode(bytes: Uint8Array, offset: number, mode: CodeMode): Instruction {
  const cursor = new Cursor(bytes, offset);
  const prefixes = readPrefixes(cursor, mode);
  const opcode = readOpcode(cursor, prefixes, mode);
  const outcome = typeof opcode === 'string' ? opcode : decodeOpcode({ cursor, prefixes, opcode, mode });
  const reason = cursor.stopped ?? (typeof outcome === 'string' ? outcome : undefined);
  return typeof outcome === 'string' || reason ? invalidInstruction(reason!, cursor.length, mode) : outcome;
}

interface Source {
  readonly cursor: Cursor;
  readonly prefixes: LegacyPrefixes;
  readonly opcode: Opcode;
  readonly mode: CodeMode;
}

function decodeOpcode(source: Source): Instruction | InvalidReason {
  const { cursor, opcode, mode } = source;
  const encodings = encodingsOf(opcode);
  const modRmByte = encodings[0]?.hasModRm ? cursor.next() : 0;
  const modRm = encodings[0]?.hasModRm ? splitModRm(modRmByte) : undefined;
  const vectorLength = opcode.evexB && modRm?.mod === 3 ? 2 : opcode.vectorLength;
  const encoding = selectEncoding(encodings, { opcode, modRm, mode, vectorLength });
  if (typeof encoding === 'string') return encoding;
  const registerForm = modRm !== undefined && (modRm.mod === 3 || encoding.form === 'ignored');
  const hasMemory = modRm !== undefined && !registerForm;
  if (hasMemory && mode === 32 && source.prefixes.addressSize) return 'not-modelled';
  return finish(source, { encoding, modRm, modRmByte, registerForm, hasMemory, vectorLength });
}

interface Chosen {
  readonly encoding: Encoding;
  readonly modRm: ModRm | undefined;
  readonly modRmByte: number;
  readonly registerForm: boolean;
  readonly hasMemory: boolean;
  readonly vectorLength: number;
}

function finish(source: Source, chosen: Chosen): Instruction | InvalidReason {
  const { cursor, opcode, prefixes } = source;
  const { encoding, modRm, registerForm } = chosen;
  const sizes = sizesOf(source, chosen);
  const memory = chosen.hasMemory ? readMemory(source, chosen, sizes) : undefined;
  const context = { ...sizes, immediate: readImmediate(cursor, encoding, sizes) };
  const operands = encoding.operands.map((spec) => resolveOperand(spec, context));
  const parsed: Parsed = { encoding, prefixes, opcode, modRm, memory, operands };
  const reason = illegality(parsed);
  if (reason) return reason;
  const vectorRm = encoding.operands.some(({ place, file }) => place === 'rm' && file === 'vector');
  return {
    mnemonic: encoding.mnemonic,
    length: cursor.length,
    class: classOf(encoding),
    mode: source.mode,
    rexW: opcode.w,
    operand16: context.operand16,
    registerForm,
    reg: context.numbers.reg,
    rm: registerForm ? context.numbers[vectorRm ? 'rmVector' : 'rm'] : modRm ? 0 : context.numbers.opcode,
    vvvv: opcode.vvvv,
    vectorBits: opcode.encoding === 'legacy' ? 0 : VECTOR_BITS[chosen.vectorLength],
    opmask: opcode.opmask,
    zeroing: opcode.zeroing,
    broadcast: context.broadcastBytes !== 0,
    operands,
    memory,
    memoryUse: memoryUseOf(encoding, operands),
    immediate: context.immediate,
    x87Opcode: isX87(opcode) ? ((opcode.opcode & 7) << 8) | chosen.modRmByte : 0,
    waits: waits(encoding),
    modifies: modifiesOf(encoding, operands),
    simdArithmetic: isSimdArithmetic(encoding),
    invalid: undefined,
  };
}

const VECTOR_BITS = [128, 256, 512] as const;

/** D8 to DF. */
function isX87({ map, opcode }: Opcode): boolean {
  return map === 0 && opcode >= 0xd8 && opcode <= 0xdf;
}

/** What operand sizes and register numbers depend on; the immediate is not read yet. */
function sizesOf(
  { prefixes, opcode, mode }: Source,
  { encoding, modRm, registerForm, ...chosen }: Chosen,
): OperandContext {
  const rm = (modRm?.rm ?? 0) + opcode.b;
  const broadcasts = opcode.evexB && chosen.hasMemory && encoding.words.has('bcast');
  return {
    mode,
    w: opcode.w,
    operand16: prefixes.operandSize && !opcode.w,
    vectorBytes: opcode.encoding === 'legacy' ? 16 : 16 << chosen.vectorLength,
    numbers: {
      reg: (modRm?.reg ?? 0) + opcode.r,
      rm,
      rmVector: rm + (opcode.encoding === 'evex' ? opcode.x << 1 : 0),
      vvvv: opcode.vvvv,
      opcode: (opcode.opcode & 7) + opcode.b,
    },
    registerForm,
    immediate: 0n,
    highBytes: prefixes.rex === 0,
    broadcastBytes: broadcasts ? (opcode.w ? 8 : 4) : 0,
  };
}

function readMemory(source: Source, { encoding, modRm }: Chosen, sizes: OperandContext): MemoryOperand {
  const spec = encoding.operands.find(({ place }) => place === 'rm');
  const bytes = sizes.broadcastBytes || sizeOf(spec?.memorySize ?? '', sizes);
  return readMemoryOperand(source.cursor, modRm!, {
    ...source,
    displacement8Unit: source.opcode.encoding === 'evex' ? bytes : 1,
    vsib: spec?.vsib ?? false,
  });
}

/** A register in an immediate takes a whole byte. */
function readImmediate(cursor: Cursor, { operands }: Encoding, sizes: OperandContext): bigint {
  const spec = operands.find(({ place }) => place === 'immediate' || place === 'register-immediate');
  if (!spec) return 0n;
  return cursor.signed(spec.place === 'immediate' ? sizeOf(spec.size, sizes) : 1);
}

function invalidInstruction(invalid: InvalidReason, length: number, mode: CodeMode): Instruction {
  return {
    mnemonic: 'INVALID',
    length,
    class: 'none',
    mode,
    rexW: false,
    operand16: false,
    registerForm: false,
    reg: 0,
    rm: 0,
    vvvv: 0,
    vectorBits: 0,
    opmask: 0,
    zeroing: false,
    broadcast: false,
    operands: [],
    memory: undefined,
    memoryUse: { access: 'none', bytes: 0, align: 1 },
    immediate: 0n,
    x87Opcode: 0,
    waits: false,
    modifies: 0,
    simdArithmetic: false,
    invalid,
  };
}
