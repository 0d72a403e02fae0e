/**
 * Operands in the notation of the opcode tables: a letter and a size, close to Intel SDM Vol. 2D "Codes for Addressing
 * Method" (A.2.1) and "Codes for Operand Type" (A.2.2).
 *
 * Letters. ModRM.reg: `G` general, `V` vector, `P` MMX, `K` opmask, `T` tile, `C` control register. ModRM.rm, register or
 * memory: `E` general, `W` vector, `Q` MMX, `J` opmask; register only: `R` general, `U` vector, `N` MMX, `F` opmask, `X`
 * tile, `S` x87 stack; memory only: `M`, `A` with a vector index. vvvv: `B` general, `H` vector, `L` opmask, `Z` tile. `O`
 * general register in the low bits of the opcode, `D` accumulator, `Y` vector register in immediate bits 7:4, `I` immediate.
 *
 * Sizes. Bytes as a number, or `b` 1, `w` 2, `d` 4, `q` 8, `t` 10; `x` the vector length, `h`, `f`, `e` its half, fourth
 * and eighth; `v` operand size, `z` operand size up to 4, `y` 4 or with W 8, `m` 4 or in 64-bit mode 8; `n`
 * and `a` the x87 environment and state image. `Ed:b`: 4 bytes as a register, 1 as memory.
 */
import type { CodeMode, Operand, RegisterFile } from '../instruction';

type Place = 'reg' | 'rm' | 'vvvv' | 'opcode' | 'fixed' | 'immediate' | 'register-immediate';

interface Letter {
  readonly place: Place;
  readonly file: RegisterFile | undefined;
  readonly form?: 'memory' | 'register' | 'either';
  readonly vsib?: boolean;
  /** Where the notation gives no size. */
  readonly size?: string;
}

/** One operand of an encoding. */
export interface OperandSpec extends Letter {
  /** Register number of a fixed operand. */
  readonly number: number;
  readonly size: string;
  readonly memorySize: string;
}

/** What sizes and register numbers depend on. */
export interface OperandContext {
  readonly mode: CodeMode;
  readonly w: boolean;
  readonly operand16: boolean;
  readonly vectorBytes: number;
  /** Register numbers with all extensions, by place; `rm` of a vector register has one bit more. */
  readonly numbers: Readonly<Record<'reg' | 'rm' | 'rmVector' | 'vvvv' | 'opcode', number>>;
  readonly registerForm: boolean;
  readonly immediate: bigint;
  /** Without REX the byte registers 4 to 7 are AH, CH, DH and BH. */
  readonly highBytes: boolean;
  /** Bytes of one broadcast element; 0 without broadcast. */
  readonly broadcastBytes: number;
}

const LETTERS: Readonly<Record<string, Letter>> = {
  G: { place: 'reg', file: 'gpr' },
  V: { place: 'reg', file: 'vector' },
  P: { place: 'reg', file: 'mmx' },
  K: { place: 'reg', file: 'opmask', size: 'q' },
  T: { place: 'reg', file: 'tile', size: '1024' },
  C: { place: 'reg', file: 'control' },
  E: { place: 'rm', file: 'gpr', form: 'either' },
  W: { place: 'rm', file: 'vector', form: 'either' },
  Q: { place: 'rm', file: 'mmx', form: 'either' },
  J: { place: 'rm', file: 'opmask', form: 'either', size: 'q' },
  R: { place: 'rm', file: 'gpr', form: 'register' },
  U: { place: 'rm', file: 'vector', form: 'register' },
  N: { place: 'rm', file: 'mmx', form: 'register' },
  F: { place: 'rm', file: 'opmask', form: 'register', size: 'q' },
  X: { place: 'rm', file: 'tile', form: 'register', size: '1024' },
  S: { place: 'rm', file: 'st', form: 'register', size: 't' },
  M: { place: 'rm', file: undefined, form: 'memory' },
  A: { place: 'rm', file: undefined, form: 'memory', vsib: true },
  B: { place: 'vvvv', file: 'gpr' },
  H: { place: 'vvvv', file: 'vector' },
  L: { place: 'vvvv', file: 'opmask', size: 'q' },
  Z: { place: 'vvvv', file: 'tile', size: '1024' },
  O: { place: 'opcode', file: 'gpr' },
  D: { place: 'fixed', file: 'gpr' },
  Y: { place: 'register-immediate', file: 'vector' },
  I: { place: 'immediate', file: undefined },
};

/** Operands that are always the same register. */
const FIXED: Readonly<Record<string, OperandSpec>> = {
  ax: { place: 'fixed', file: 'gpr', number: 0, size: 'w', memorySize: '' },
  st0: { place: 'fixed', file: 'st', number: 0, size: 't', memorySize: '' },
  xmm0: { place: 'fixed', file: 'vector', number: 0, size: '16', memorySize: '' },
};

/** Reads the notation of one operand. */
export function parseOperand(text: string): OperandSpec {
  if (FIXED[text]) return FIXED[text];
  const letter = LETTERS[text[0]];
  const [size, memorySize = size] = (text.slice(1) || (letter?.size ?? '')).split(':');
  if (!letter || !(size in SIZES || /^\d*$/.test(size))) throw new Error(`fpulab bug: operand notation: ${text}`);
  return { ...letter, number: 0, size, memorySize };
}

const SIZES: Readonly<
  Record<string, (context: Pick<OperandContext, 'mode' | 'w' | 'operand16' | 'vectorBytes'>) => number>
> = {
  b: () => 1,
  w: () => 2,
  d: () => 4,
  q: () => 8,
  t: () => 10,
  x: ({ vectorBytes }) => vectorBytes,
  h: ({ vectorBytes }) => vectorBytes / 2,
  f: ({ vectorBytes }) => vectorBytes / 4,
  e: ({ vectorBytes }) => vectorBytes / 8,
  v: ({ w, operand16 }) => (w ? 8 : operand16 ? 2 : 4),
  z: ({ operand16 }) => (operand16 ? 2 : 4),
  y: ({ w, mode }) => (w && mode === 64 ? 8 : 4),
  m: ({ mode }) => mode / 8,
  n: ({ operand16 }) => (operand16 ? 14 : 28),
  a: ({ operand16 }) => (operand16 ? 94 : 108),
};

/** Bytes that a size code stands for. */
export function sizeOf(
  size: string,
  context: Pick<OperandContext, 'mode' | 'w' | 'operand16' | 'vectorBytes'>,
): number {
  return SIZES[size]?.(context) ?? Number(size);
}

/** The operand that a specification names in one instruction. */
export function resolveOperand(spec: OperandSpec, context: OperandContext): Operand {
  if (spec.place === 'immediate') return { kind: 'immediate', bytes: sizeOf(spec.size, context) };
  const isMemory = spec.place === 'rm' && spec.form !== 'register' && !context.registerForm;
  if (isMemory || !spec.file) {
    return { kind: 'memory', bytes: context.broadcastBytes || sizeOf(spec.memorySize, context) };
  }
  return registerOperand(spec.file, numberOf(spec, context), sizeOf(spec.size, context), context.highBytes);
}

function registerOperand(file: RegisterFile, number: number, bytes: number, highBytes: boolean): Operand {
  const high = file === 'gpr' && bytes === 1 && highBytes && number >= 4;
  return { kind: 'register', file: high ? 'high-byte' : file, number: high ? number - 4 : number, bytes };
}

/** MMX and x87 registers, and opmasks in ModRM.rm, are eight: what would extend their number is ignored. */
function numberOf({ place, file, number }: OperandSpec, { numbers, immediate, mode }: OperandContext): number {
  if (place === 'fixed' || place === 'immediate') return number;
  if (place === 'register-immediate') return Number((immediate >> 4n) & (mode === 64 ? 15n : 7n));
  const found = numbers[place === 'rm' && file === 'vector' ? 'rmVector' : place];
  const eight = file === 'mmx' || file === 'st' || (file === 'opmask' && place === 'rm');
  return eight ? found & 7 : found;
}
