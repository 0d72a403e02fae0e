/** Which line of the tables an instruction is. */
import type { CodeMode, InvalidReason } from '../instruction';
import type { Encoding } from './encoding';
import type { ModRm } from './modrm';
import type { Opcode } from './prefixes';
import { UNDEFINED_IN_64_BIT_MODE } from './tables/general';
import { isUnmodelled0f } from './tables/system';

/** What is known when a line is chosen. */
export interface Candidate {
  readonly opcode: Opcode;
  /** Undefined when the opcode has none. */
  readonly modRm: ModRm | undefined;
  readonly mode: CodeMode;
  /** EVEX.b of a register form means 512 bits. */
  readonly vectorLength: number;
}

type Test = (encoding: Encoding, candidate: Candidate) => boolean;

/** In this order: the first test that no line passes names the reason. */
const TESTS: readonly (readonly [(candidate: Candidate) => InvalidReason, Test])[] = [
  [({ modRm }) => (modRm ? 'undefined-opcode' : 'not-modelled'), fitsExtension],
  [() => 'operand-form', fitsForm],
  [() => 'prefix', ({ prefix }, { opcode }) => prefix === 'any' || prefix === opcode.prefix],
  [({ opcode }) => (opcode.encoding === 'evex' ? 'evex' : 'vex'), fitsVector],
  [() => 'mode', ({ mode }, candidate) => mode === undefined || mode === candidate.mode],
];

/** Without ModRM only REX.B extends an opcode: 90 becomes XCHG. */
function fitsExtension({ reg, rm, form, words }: Encoding, { modRm, opcode }: Candidate): boolean {
  if (words.has('norexb') && opcode.b !== 0) return false;
  if (reg !== undefined && reg !== modRm?.reg) return false;
  return rm === undefined || form !== 'register' || modRm?.mod !== 3 || rm === modRm.rm;
}

function fitsForm({ form }: Encoding, { modRm }: Candidate): boolean {
  if (!modRm || form === 'either' || form === 'ignored') return true;
  return (modRm.mod === 3) === (form === 'register');
}

function fitsVector({ w, lengths, words }: Encoding, { opcode, mode, vectorLength }: Candidate): boolean {
  const wFits = w === undefined || w === opcode.w || (mode === 32 && words.has('wig32'));
  return wFits && (opcode.encoding === 'legacy' || (lengths & (1 << vectorLength)) !== 0);
}

/** The line that fits, or why none does. */
export function selectEncoding(encodings: readonly Encoding[], candidate: Candidate): Encoding | InvalidReason {
  if (encodings.length === 0) return absence(candidate.opcode, candidate.mode);
  let fitting = encodings;
  for (const [reason, test] of TESTS) {
    fitting = fitting.filter((encoding) => test(encoding, candidate));
    if (fitting.length === 0) return reason(candidate);
  }
  return fitting[0].refused ?? fitting[0];
}

/** Why an opcode is in no table. */
function absence({ encoding, map, opcode }: Opcode, mode: CodeMode): InvalidReason {
  if (encoding !== 'legacy' || map > 1) return 'undefined-opcode';
  if (map === 1) return isUnmodelled0f(opcode) ? 'not-modelled' : 'undefined-opcode';
  return mode === 64 && UNDEFINED_IN_64_BIT_MODE.includes(opcode) ? 'undefined-opcode' : 'not-modelled';
}
