/** What makes a chosen encoding #UD after all: LOCK, registers that do not exist, fields of VEX and EVEX. */
import type { InvalidReason, MemoryOperand, Operand } from '../instruction';
import type { Encoding } from './encoding';
import { SIB, type ModRm } from './modrm';
import type { LegacyPrefixes, Opcode } from './prefixes';

/** An instruction whose operands have been read. */
export interface Parsed {
  readonly encoding: Encoding;
  readonly prefixes: LegacyPrefixes;
  readonly opcode: Opcode;
  readonly modRm: ModRm | undefined;
  readonly memory: MemoryOperand | undefined;
  readonly operands: readonly Operand[];
}

/** Why it raises #UD, or undefined. */
export function illegality(parsed: Parsed): InvalidReason | undefined {
  if (parsed.prefixes.lock && !lockAllowed(parsed)) return 'lock-prefix';
  if (parsed.operands.some(hasNoRegister) || repeatsRegister(parsed)) return 'register';
  if (parsed.encoding.words.has('sib') && parsed.modRm?.rm !== SIB) return 'operand-form';
  if (unusedVvvv(parsed)) return parsed.opcode.encoding === 'evex' ? 'evex' : 'vex';
  return parsed.opcode.encoding === 'evex' && !evexAllowed(parsed) ? 'evex' : undefined;
}

/** Intel SDM Vol. 2A "LOCK - Assert LOCK# Signal Prefix": listed instructions, and only with a memory destination. */
function lockAllowed({ encoding, operands }: Parsed): boolean {
  return encoding.words.has('lockable') && operands[0]?.kind === 'memory';
}

/** Intel SDM Vol. 2B "MOV - Move to/from Control Registers". */
const CONTROL_REGISTERS = [0, 2, 3, 4, 8];

/** EVEX and VEX can encode more general, opmask and tile registers than there are. */
function hasNoRegister(operand: Operand): boolean {
  if (operand.kind !== 'register') return false;
  const { file, number } = operand;
  if (file === 'control') return !CONTROL_REGISTERS.includes(number);
  return (file === 'gpr' && number > 15) || ((file === 'opmask' || file === 'tile') && number > 7);
}

/** Gathers and TDP* need different registers, a vector index among them. */
function repeatsRegister({ encoding, operands, memory }: Parsed): boolean {
  if (!encoding.words.has('distinct')) return false;
  const numbers = operands.flatMap((operand) =>
    operand.kind === 'register' ? [operand.number] : (memory?.index ?? []),
  );
  return new Set(numbers).size < numbers.length;
}

/** vvvv must be 1111B where it names no operand; V' extends a vector index instead. */
function unusedVvvv({ encoding, opcode, memory }: Parsed): boolean {
  if (opcode.encoding === 'legacy' || encoding.operands.some(({ place }) => place === 'vvvv')) return false;
  return (memory?.vsib ? opcode.vvvv & 15 : opcode.vvvv) !== 0;
}

/** Intel SDM Vol. 2A "#UD Equations for EVEX" (2.7.11). */
function evexAllowed({ encoding: { words }, opcode, memory, operands }: Parsed): boolean {
  const { evexB, opmask, zeroing } = opcode;
  if (evexB && !(memory ? words.has('bcast') : words.has('er') || words.has('sae'))) return false;
  if (words.has('nomask') && opmask !== 0) return false;
  if (words.has('needmask') && (opmask === 0 || zeroing)) return false;
  const [first] = operands;
  return !zeroing || (opmask !== 0 && first.kind === 'register' && first.file === 'vector');
}
