/** What the decoder makes of machine code. */
import type { InstructionClass } from './faults';

/** Bits that addresses and default operands have: the code segment's mode. */
export type CodeMode = 32 | 64;

/** A memory operand before its address is computed. Register numbers are those of the encoding: 0 RAX, 1 RCX, ... 15 R15. */
export interface MemoryOperand {
  readonly base: number | undefined;
  /** A general register, unless `vsib` is set. */
  readonly index: number | undefined;
  readonly scale: 1 | 2 | 4 | 8;
  readonly displacement: bigint;
  /** The displacement is relative to the next instruction. */
  readonly ripRelative: boolean;
  /** Bits to which the address is truncated. */
  readonly addressSize: 32 | 64;
  /** The segment whose base is added. The bases of CS, DS, ES and SS are zero in 64-bit mode and in flat 32-bit code. */
  readonly segment: 'fs' | 'gs' | undefined;
  /** The index is a vector register: one address per element (gather and scatter). */
  readonly vsib: boolean;
}

/** How an instruction uses its memory operand. */
export interface MemoryUse {
  /** `none` also for operands that are not accessed: LEA, NOP, PREFETCHT0. */
  readonly access: 'read' | 'write' | 'read-write' | 'none';
  /** Bytes touched; 0 where the instruction itself knows (XSAVE, TILELOADD, gathers). */
  readonly bytes: number;
  /** The operand must be aligned to this, or #GP; 1 where it need not be. */
  readonly align: number;
}

/**
 * Register files that operands name. `high-byte` is AH, CH, DH, BH as 0 to 3; `vector` is XMM, YMM or ZMM by the
 * operand's size; `st` counts from the top of the stack.
 */
export type RegisterFile = 'gpr' | 'high-byte' | 'mmx' | 'vector' | 'opmask' | 'tile' | 'control' | 'st';

/** One explicit operand. The first is the destination, except of instructions that only read it (CMP). */
export type Operand =
  | { readonly kind: 'register'; readonly file: RegisterFile; readonly number: number; readonly bytes: number }
  | { readonly kind: 'memory'; readonly bytes: number }
  | { readonly kind: 'immediate'; readonly bytes: number };

/**
 * Why bytes are no instruction.
 *
 * All raise #UD except three: `too-long` raises #GP(0); `not-modelled` is an instruction of the processor that the
 * decoder does not know; `truncated` says that the bytes end inside the instruction.
 */
export type InvalidReason =
  | 'undefined-opcode'
  | 'lock-prefix'
  | 'prefix'
  | 'operand-form'
  | 'register'
  | 'vex'
  | 'evex'
  | 'mode'
  | 'feature-off'
  | 'too-long'
  | 'not-modelled'
  | 'truncated';

/** One sentence for each reason. */
export const INVALID_REASONS: Readonly<Record<InvalidReason, string>> = {
  'undefined-opcode': 'the opcode is not defined',
  'lock-prefix': 'LOCK before an instruction that does not allow it',
  prefix: 'a 66, F2 or F3 prefix with which the opcode is not defined',
  'operand-form': 'a register where the opcode takes memory, or memory where it takes a register',
  register: 'a register that does not exist',
  vex: 'a VEX prefix after another prefix, or with a field that the opcode does not allow',
  evex: 'an EVEX prefix after another prefix, or with a field that the opcode does not allow',
  mode: 'the instruction does not exist in this mode',
  'feature-off': 'an instruction of a feature that is never enabled here',
  'too-long': 'the instruction is longer than 15 bytes',
  'not-modelled': 'an instruction that is not modelled',
  truncated: 'the bytes end inside the instruction',
};

/** One decoded instruction. */
export interface Instruction {
  /** Upper case, as in the SDM, without the 64 of REX.W: `XSAVE`, `FNSAVE`, `MOV_TO_CR`. `INVALID`: see `invalid`. */
  readonly mnemonic: string;
  readonly length: number;
  /** Which control bits make it fault, and how. */
  readonly class: InstructionClass;
  readonly mode: CodeMode;
  /** REX.W, or VEX.W and EVEX.W. */
  readonly rexW: boolean;
  /** The 16-bit operand size prefix is in force. */
  readonly operand16: boolean;
  /** ModRM.mod is 3: the operand is a register. False without ModRM. */
  readonly registerForm: boolean;
  /** ModRM.reg with its REX, VEX or EVEX extensions. */
  readonly reg: number;
  /** ModRM.rm with its extensions, when it is a register; the register in the low bits of an opcode such as B8. */
  readonly rm: number;
  /** VEX.vvvv or EVEX.vvvv with its extension. */
  readonly vvvv: number;
  /** 0 legacy SSE; else 128, 256 or 512. */
  readonly vectorBits: 0 | 128 | 256 | 512;
  /** EVEX.aaa, the opmask register; 0: none. */
  readonly opmask: number;
  /** EVEX.z: masked elements become zero. */
  readonly zeroing: boolean;
  /** EVEX.b with memory: one element is read and repeated. */
  readonly broadcast: boolean;
  readonly operands: readonly Operand[];
  readonly memory: MemoryOperand | undefined;
  readonly memoryUse: MemoryUse;
  /** Sign-extended immediate. */
  readonly immediate: bigint;
  /** What FOP holds after an x87 instruction: the low 3 bits of its first opcode byte, and the second byte. Else 0. */
  readonly x87Opcode: number;
  /** A pending unmasked x87 exception makes it raise #MF. */
  readonly waits: boolean;
  /**
   * Components whose registers it writes, as a bitmap; what it computes is not always modelled.
   *
   * MXCSR counts for none. XRSTOR and XRSTORS have 0: what they write depends on registers and memory.
   */
  readonly modifies: number;
  /** It may set exception flags in MXCSR and raise #XM. */
  readonly simdArithmetic: boolean;
  /** The reason, when the mnemonic is `INVALID`. */
  readonly invalid: InvalidReason | undefined;
}
