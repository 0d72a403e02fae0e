/** What follows from a line of the tables: class, components, memory use. */
import { AVX, HI16_ZMM, OPMASK, PKRU, SSE, TILECFG, TILEDATA, X87, ZMM_HI256 } from '../components';
import type { InstructionClass } from '../faults';
import type { MemoryUse, Operand, RegisterFile } from '../instruction';
import type { DestinationUse, Encoding } from './encoding';

const VECTOR_CLASS: Readonly<Record<Encoding['space'], InstructionClass>> = {
  legacy: 'sse',
  vex: 'avx',
  evex: 'avx512',
};

/** The class: given in the table, else by the registers that the encoding names. */
export function classOf({ class: given, space, operands }: Encoding): InstructionClass {
  if (given) return given;
  if (space === 'evex') return 'avx512';
  const files = new Set<RegisterFile | undefined>(operands.map(({ file }) => file));
  if (files.has('tile')) return 'amx';
  if (files.has('vector')) return files.has('mmx') ? 'mmx-sse' : VECTOR_CLASS[space];
  if (files.has('mmx')) return 'mmx';
  return files.has('opmask') ? 'opmask' : 'none';
}

/** Classes whose instructions report a pending x87 exception: Intel SDM Vol. 1 "Waiting vs. Non-waiting Instructions" (8.3.11). */
const WAITING: readonly InstructionClass[] = ['x87', 'wait', 'mmx', 'mmx-sse'];

/** True when a pending unmasked x87 exception makes it raise #MF. */
export function waits(encoding: Encoding): boolean {
  return WAITING.includes(classOf(encoding)) && !encoding.words.has('nowait');
}

/** VEX and EVEX zero a destination up to its full width, which is in other components. */
const LOW_VECTORS = (1 << SSE) | (1 << AVX) | (1 << ZMM_HI256);

/** Components of what `sets=` names; `vector` is the register of the first operand. */
const NAMED_SETS: Readonly<Record<string, number>> = {
  none: 0,
  x87: 1 << X87,
  sse: 1 << SSE,
  upper: (1 << AVX) | (1 << ZMM_HI256),
  opmask: 1 << OPMASK,
  pkru: 1 << PKRU,
  tilecfg: 1 << TILECFG,
  tiledata: 1 << TILEDATA,
};

/**
 * Components whose registers an instruction writes.
 *
 * Every instruction that names an MMX register sets TOP and the tag word: x87, also when it only reads (Intel SDM Vol. 1
 * "MMX Instructions and the x87 FPU Tag Word" (9.5.1)).
 */
export function modifiesOf(encoding: Encoding, operands: readonly Operand[]): number {
  const { sets, space } = encoding;
  const [first] = operands;
  if (sets)
    return sets.reduce((mask, name) => mask | (NAMED_SETS[name] ?? vectorComponents(space, numberOf(first))), 0);
  const instructionClass = classOf(encoding);
  if (instructionClass === 'x87') return 1 << X87;
  const mmx = instructionClass === 'mmx' || instructionClass === 'mmx-sse' ? 1 << X87 : 0;
  return mmx | (encoding.use === 'reads' || !first ? 0 : componentsOf(space, first));
}

function numberOf(operand: Operand | undefined): number {
  return operand?.kind === 'register' ? operand.number : 0;
}

function componentsOf(space: Encoding['space'], operand: Operand): number {
  if (operand.kind !== 'register') return 0;
  if (operand.file === 'vector') return vectorComponents(space, operand.number);
  return operand.file === 'opmask' ? 1 << OPMASK : operand.file === 'tile' ? 1 << TILEDATA : 0;
}

function vectorComponents(space: Encoding['space'], number: number): number {
  if (space === 'legacy') return 1 << SSE;
  return number >= 16 ? 1 << HI16_ZMM : LOW_VECTORS;
}

const ACCESS: Readonly<Record<DestinationUse, MemoryUse['access']>> = {
  writes: 'write',
  reads: 'read',
  updates: 'read-write',
};

/** How the memory operand, if there is one, is used. */
export function memoryUseOf(encoding: Encoding, operands: readonly Operand[]): MemoryUse {
  const at = operands.findIndex(({ kind }) => kind === 'memory');
  const operand = operands[at];
  if (operand?.kind !== 'memory') return { access: 'none', bytes: 0, align: 1 };
  if (encoding.words.has('noaccess')) return { access: 'none', bytes: operand.bytes, align: 1 };
  return {
    access: at === 0 ? ACCESS[encoding.use] : 'read',
    bytes: operand.bytes,
    align: encoding.align ?? alignOf(encoding, operand.bytes),
  };
}

/**
 * SSE instructions with 16-byte operands require alignment, those with VEX or EVEX do not; MOVAPS and MOVUPS and their
 * like have their own rule in either encoding (Intel SDM Vol. 1 "Memory alignment" (14.9)).
 */
function alignOf(encoding: Encoding, bytes: number): number {
  if (encoding.words.has('aligned')) return bytes;
  const legacySse = encoding.space === 'legacy' && ['sse', 'mmx-sse'].includes(classOf(encoding));
  return legacySse && bytes === 16 && !encoding.words.has('unaligned') ? 16 : 1;
}

/** True when it may set exception flags in MXCSR. */
export function isSimdArithmetic({ words }: Encoding): boolean {
  return words.has('fp') || words.has('er') || words.has('sae');
}
