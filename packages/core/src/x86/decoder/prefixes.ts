/**
 * Legacy prefixes, REX, VEX and EVEX.
 *
 * @see Intel SDM Vol. 2A "Instruction Prefixes" (2.1.1), "REX Prefixes" (2.2.1), "Intel Advanced Vector Extensions (Intel
 *   AVX)" (2.3), "Intel AVX-512 Encoding" (2.7)
 */
import type { CodeMode, InvalidReason } from '../instruction';
import type { Cursor } from './cursor';

/** The prefix that chooses among instructions of one opcode: 66, F3 or F2, or none (NP in the SDM). */
export type MandatoryPrefix = 'NP' | '66' | 'F3' | 'F2';

/** Legacy prefixes and REX. */
export interface LegacyPrefixes {
  readonly lock: boolean;
  readonly operandSize: boolean;
  readonly addressSize: boolean;
  /** The last of F2 and F3. */
  readonly repeat: 0 | 0xf2 | 0xf3;
  readonly segment: 'fs' | 'gs' | undefined;
  /** The REX byte; 0 without. */
  readonly rex: number;
}

/** Everything in front of ModRM, whatever way it was encoded. */
export interface Opcode {
  readonly encoding: 'legacy' | 'vex' | 'evex';
  /** 0: one byte, 1: 0F, 2: 0F 38, 3: 0F 3A, and higher ones of EVEX. */
  readonly map: number;
  readonly opcode: number;
  readonly prefix: MandatoryPrefix;
  readonly w: boolean;
  /** Extensions of ModRM.reg (8 and 16), index, base and vvvv; vvvv with all of its bits. */
  readonly r: number;
  readonly x: number;
  readonly b: number;
  readonly vvvv: number;
  /** VEX.L or EVEX.L'L: 0 128 bits, 1 256, 2 512, 3 reserved. */
  readonly vectorLength: number;
  readonly opmask: number;
  readonly zeroing: boolean;
  /** EVEX.b: broadcast, embedded rounding or suppressed exceptions. */
  readonly evexB: boolean;
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };

const LEGACY_PREFIXES: Readonly<Record<number, Partial<LegacyPrefixes>>> = {
  0xf0: { lock: true },
  0xf2: { repeat: 0xf2 },
  0xf3: { repeat: 0xf3 },
  0x66: { operandSize: true },
  0x67: { addressSize: true },
  0x64: { segment: 'fs' },
  0x65: { segment: 'gs' },
};

/** ES, CS, SS and DS: ignored in 64-bit mode; in flat 32-bit code they undo an earlier FS or GS. */
const FLAT_SEGMENTS = [0x26, 0x2e, 0x36, 0x3e];

/** What a byte changes when it is a prefix. */
function prefixChange(byte: number, mode: CodeMode): Partial<LegacyPrefixes> | undefined {
  if (mode === 64 && byte >> 4 === 4) return { rex: byte };
  if (!FLAT_SEGMENTS.includes(byte)) return LEGACY_PREFIXES[byte];
  return mode === 64 ? {} : { segment: undefined };
}

/** Reads legacy prefixes and REX. A REX byte counts only directly before the opcode. */
export function readPrefixes(cursor: Cursor, mode: CodeMode): LegacyPrefixes {
  const prefixes: Writable<LegacyPrefixes> = {
    lock: false,
    operandSize: false,
    addressSize: false,
    repeat: 0,
    segment: undefined,
    rex: 0,
  };
  // Bounded: the cursor stops after 15 bytes.
  while (!cursor.stopped) {
    const change = prefixChange(cursor.peek(), mode);
    if (!change) break;
    Object.assign(prefixes, { rex: 0 }, change);
    cursor.next();
  }
  return prefixes;
}

const PREFIX_OF_PP: readonly MandatoryPrefix[] = ['NP', '66', 'F3', 'F2'];
const VEX3 = 0xc4;
const VEX2 = 0xc5;
const EVEX = 0x62;

/**
 * Reads the opcode with its escape bytes or its VEX or EVEX prefix.
 *
 * Outside 64-bit mode C4, C5 and 62 are LES, LDS and BOUND unless the next byte would give them a register operand, which
 * they do not allow.
 */
export function readOpcode(cursor: Cursor, prefixes: LegacyPrefixes, mode: CodeMode): Opcode | InvalidReason {
  const first = cursor.next();
  if (first !== VEX3 && first !== VEX2 && first !== EVEX) return legacyOpcode(cursor, prefixes, first);
  if (mode === 32 && cursor.peek() >> 6 !== 3) return 'not-modelled';
  const reason = first === EVEX ? 'evex' : 'vex';
  if (prefixes.lock || prefixes.operandSize || prefixes.repeat || prefixes.rex) return reason;
  const found = first === EVEX ? readEvex(cursor) : readVex(cursor, first);
  return typeof found === 'string' || mode === 64 ? found : in32BitMode(found);
}

function legacyOpcode(cursor: Cursor, { repeat, operandSize, rex }: LegacyPrefixes, first: number): Opcode {
  const second = first === 0x0f ? cursor.next() : 0;
  const map = first !== 0x0f ? 0 : second === 0x38 ? 2 : second === 0x3a ? 3 : 1;
  return {
    encoding: 'legacy',
    map,
    opcode: map === 0 ? first : map === 1 ? second : cursor.next(),
    prefix: repeat === 0xf2 ? 'F2' : repeat === 0xf3 ? 'F3' : operandSize ? '66' : 'NP',
    w: (rex & 8) !== 0,
    r: (rex & 4) << 1,
    x: (rex & 2) << 2,
    b: (rex & 1) << 3,
    vvvv: 0,
    vectorLength: 0,
    opmask: 0,
    zeroing: false,
    evexB: false,
  };
}

/** The register extensions are stored inverted: this is the register bit that bit `bit` of `byte` extends by. */
function inverted(byte: number, bit: number, value: number): number {
  return byte & (1 << bit) ? 0 : value;
}

function readVex(cursor: Cursor, first: number): Opcode | InvalidReason {
  const head = cursor.next();
  const [map, last] = first === VEX3 ? [head & 0x1f, cursor.next()] : [1, head];
  if (map < 1 || map > 3) return 'vex';
  return {
    encoding: 'vex',
    map,
    opcode: cursor.next(),
    prefix: PREFIX_OF_PP[last & 3],
    w: first === VEX3 && (last & 0x80) !== 0,
    r: inverted(head, 7, 8),
    x: first === VEX3 ? inverted(head, 6, 8) : 0,
    b: first === VEX3 ? inverted(head, 5, 8) : 0,
    vvvv: (~last >> 3) & 0xf,
    vectorLength: (last >> 2) & 1,
    opmask: 0,
    zeroing: false,
    evexB: false,
  };
}

/** Maps 5 and 6 hold AVX512-FP16, which is not modelled; 0, 4 and 7 are reserved. */
const EVEX_MAPS: Readonly<Record<number, 'modelled' | InvalidReason>> = {
  0: 'evex',
  1: 'modelled',
  2: 'modelled',
  3: 'modelled',
  4: 'evex',
  5: 'not-modelled',
  6: 'not-modelled',
  7: 'evex',
};

function readEvex(cursor: Cursor): Opcode | InvalidReason {
  const [p0, p1, p2] = [cursor.next(), cursor.next(), cursor.next()];
  const map = EVEX_MAPS[p0 & 7];
  const fixedBits = (p0 & 8) === 0 && (p1 & 4) !== 0;
  if (!fixedBits) return 'evex';
  if (map !== 'modelled') return map;
  return {
    encoding: 'evex',
    map: p0 & 7,
    opcode: cursor.next(),
    prefix: PREFIX_OF_PP[p1 & 3],
    w: (p1 & 0x80) !== 0,
    r: inverted(p0, 7, 8) | inverted(p0, 4, 16),
    x: inverted(p0, 6, 8),
    b: inverted(p0, 5, 8),
    vvvv: ((~p1 >> 3) & 0xf) | inverted(p2, 3, 16),
    vectorLength: (p2 >> 5) & 3,
    opmask: p2 & 7,
    zeroing: (p2 & 0x80) !== 0,
    evexB: (p2 & 0x10) !== 0,
  };
}

/**
 * Only eight registers exist outside 64-bit mode: the extensions of ModRM and SIB are ignored, and so is the top bit of
 * VEX.vvvv. EVEX.R', EVEX.V' and EVEX.vvvv that name a register above 7 raise #UD.
 */
function in32BitMode(opcode: Opcode): Opcode | InvalidReason {
  const beyond = opcode.encoding === 'evex' && (opcode.vvvv > 7 || opcode.r > 7);
  return beyond ? 'evex' : { ...opcode, r: 0, x: 0, b: 0, vvvv: opcode.vvvv & 7 };
}
