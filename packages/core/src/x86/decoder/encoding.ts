/**
 * The notation of the opcode tables.
 *
 * One line is one encoding: opcode, prefix, mnemonic, operands, words.
 *
 *     AE/2    NP   LDMXCSR  Md      reads class=sse sets=none
 *     01/2.0  NP   XGETBV   -       class=xcr
 *     B8+     any  MOV      Ov,Iv
 *
 * The opcode may end in `/reg` (ModRM.reg extends it), `/reg.rm` (all of ModRM, mod = 3), `/r.rm` (any reg) or `+` (a
 * register in its low bits). The prefix is `NP`, `66`, `F3`, `F2`, or `any` where prefixes choose nothing. Operands are a letter, which says
 * where the operand is encoded, and a size; `operands.ts` lists both. Words are listed below.
 */
import type { InstructionClass } from '../faults';
import type { CodeMode, InvalidReason } from '../instruction';
import { parseOperand, type OperandSpec } from './operands';
import type { MandatoryPrefix, Opcode } from './prefixes';

/** How the first operand is used. Other operands are read. */
export type DestinationUse = 'writes' | 'reads' | 'updates';

/** A line of a table. */
export interface Encoding {
  readonly space: Opcode['encoding'];
  readonly map: number;
  readonly opcode: number;
  readonly prefix: MandatoryPrefix | 'any';
  readonly mnemonic: string;
  readonly operands: readonly OperandSpec[];
  /** What ModRM.reg and ModRM.rm must be, when they extend the opcode. */
  readonly reg: number | undefined;
  readonly rm: number | undefined;
  readonly hasModRm: boolean;
  /** What ModRM.mod must say; `ignored`: a register whatever it says (MOV CR). */
  readonly form: 'memory' | 'register' | 'either' | 'ignored';
  readonly w: boolean | undefined;
  /** Vector lengths that are defined: bit 0 128, bit 1 256, bit 2 512. */
  readonly lengths: number;
  readonly mode: CodeMode | undefined;
  readonly use: DestinationUse;
  /** The words that name nothing else: `fp`, `nowait`, `lockable`, ... */
  readonly words: ReadonlySet<Word>;
  readonly class: InstructionClass | undefined;
  /** `sets=`: what it modifies, when that is not its destination. */
  readonly sets: readonly string[] | undefined;
  readonly align: number | undefined;
  /** It is known, but cannot be executed: why. */
  readonly refused: InvalidReason | undefined;
}

/**
 * Words of a line:
 *
 * - `fp` SIMD arithmetic; `er`, `sae`: the same, and EVEX.b of the register form rounds or suppresses exceptions
 * - `nowait` an x87 instruction that does not report a pending exception
 * - `aligned`, `unaligned` memory need or need not be aligned, against the rule of the encoding
 * - `noaccess` the address is not accessed
 * - `lockable` LOCK is allowed with a memory destination
 * - `bcast` EVEX.b broadcasts one element from memory
 * - `nomask` EVEX.aaa must be 0; `needmask` must not
 * - `distinct` the operands must be different registers; `sib` a SIB byte must follow
 * - `norexb` REX.B makes another instruction of it
 * - `wig32` outside 64-bit mode W is ignored
 * - `modignored` ModRM.mod is ignored; `register` ModRM.mod is 3 though no operand says so
 */
const WORDS = [
  'fp',
  'er',
  'sae',
  'nowait',
  'aligned',
  'unaligned',
  'noaccess',
  'lockable',
  'bcast',
  'nomask',
  'needmask',
  'distinct',
  'sib',
  'norexb',
  'wig32',
  'modignored',
  'register',
] as const;

/** A word without a value. */
export type Word = (typeof WORDS)[number];

/** What holds for every line of a table unless it says otherwise. */
export interface TableDefaults {
  readonly space?: Opcode['encoding'];
  readonly map: number;
  readonly class?: InstructionClass;
  readonly use?: DestinationUse;
}

const LENGTHS: Readonly<Record<string, number>> = { L0: 1, L1: 2, L2: 4, L12: 6 };
const ALL_LENGTHS = 7;
const USES: readonly string[] = ['writes', 'reads', 'updates'] satisfies DestinationUse[];
const REFUSED: Readonly<Record<string, InvalidReason>> = { off: 'feature-off', unmodelled: 'not-modelled' };

/** The lines of a table. Empty lines and lines that start with `#` are skipped. */
export function parseTable(text: string, defaults: TableDefaults): readonly Encoding[] {
  const lines = text.split('\n').map((line) => line.trim());
  return lines.filter((line) => line !== '' && !line.startsWith('#')).flatMap((line) => parseLine(line, defaults));
}

function parseLine(line: string, defaults: TableDefaults): readonly Encoding[] {
  const [opcodeText, prefix, mnemonic, operandText, ...words] = line.split(/\s+/);
  const [, opcode, reg, rm, inOpcode] = /^([0-9A-F]{2})(?:\/([\dr])(?:\.(\d))?)?(\+?)$/.exec(opcodeText) ?? fail(line);
  const operands = operandText === '-' ? [] : operandText.split(',').map(parseOperand);
  const base: Encoding = {
    space: defaults.space ?? 'legacy',
    map: defaults.map,
    opcode: parseInt(opcode, 16),
    prefix: prefix as Encoding['prefix'],
    mnemonic,
    operands,
    reg: reg === undefined || reg === 'r' ? undefined : Number(reg),
    rm: rm === undefined ? undefined : Number(rm),
    hasModRm: reg !== undefined || operands.some(({ place }) => place === 'reg' || place === 'rm'),
    form: rm === undefined ? formOf(operands) : 'register',
    w: undefined,
    lengths: ALL_LENGTHS,
    mode: undefined,
    use: defaults.use ?? 'writes',
    words: new Set(),
    class: defaults.class,
    sets: undefined,
    align: undefined,
    refused: undefined,
  };
  const encoding = words.reduce((so, word) => ({ ...so, ...meaningOf(word, so, line) }), base);
  return inOpcode ? inLowBits(encoding) : [encoding];
}

/** Eight opcodes that differ in the register. */
function inLowBits(encoding: Encoding): readonly Encoding[] {
  return Array.from({ length: 8 }, (_, low) => ({ ...encoding, opcode: encoding.opcode + low }));
}

function formOf(operands: readonly OperandSpec[]): Encoding['form'] {
  return operands.find(({ place }) => place === 'rm')?.form ?? 'either';
}

function meaningOf(word: string, so: Encoding, line: string): Partial<Encoding> {
  const [name, value] = word.split('=');
  if (name === 'class') return { class: value as InstructionClass };
  if (name === 'sets') return { sets: value.split('+') };
  if (name === 'align') return { align: Number(value) };
  if (word === 'W0' || word === 'W1') return { w: word === 'W1' };
  if (word === 'only64') return { mode: 64 };
  if (word in LENGTHS) return { lengths: LENGTHS[word] };
  if (word in REFUSED) return { refused: REFUSED[word] };
  if (USES.includes(word)) return { use: word as DestinationUse };
  if (!(WORDS as readonly string[]).includes(word)) return fail(line);
  const words = new Set([...so.words, word as Word]);
  if (word === 'modignored') return { words, form: 'ignored' };
  return word === 'register' ? { words, form: 'register', hasModRm: true } : { words };
}

function fail(line: string): never {
  throw new Error(`fpulab bug: opcode table: ${line}`);
}
