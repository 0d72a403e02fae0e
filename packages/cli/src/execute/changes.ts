/** What differs between two moments of a processor, in words. */
import {
  COMPONENTS,
  SSE,
  X87,
  componentBits,
  componentName,
  isInitial,
  topOf,
  xfeaturesName,
  type CodeMode,
  type ControlState,
  type CpuModel,
  type X87State,
} from '@fpulab/core';
import { extendedText } from './extended-text';
import { REGISTER_NAMES } from './setup';
import type { Snapshot } from './snapshot';

/** A part of the processor and what became of its registers. */
export interface Change {
  readonly place: string;
  /** `FTW 0x0 -> 0x80` */
  readonly items: readonly string[];
}

/** Whose registers they are. */
export interface Subject {
  readonly model: CpuModel;
  readonly mode: CodeMode;
}

/** All that differs, FPU state first. */
export function changesOf(subject: Subject, before: Snapshot, after: Snapshot): readonly Change[] {
  const changes = [
    { place: 'x87', items: x87Items(before.x87, after.x87) },
    { place: 'mxcsr', items: items('MXCSR', before.mxcsr, after.mxcsr) },
    ...componentBits(subject.model)
      .filter((bit) => bit !== X87)
      .map((bit) => ({ place: componentName(bit), items: componentItems(bit, before, after) })),
    { place: 'general', items: generalItems(subject.mode, before, after) },
    { place: 'control', items: controlItems(before.control, after.control) },
  ];
  return changes.filter((change) => change.items.length > 0);
}

const hex = (value: number | bigint): string => `0x${value.toString(16)}`;

function items(name: string, before: number | bigint, after: number | bigint, note = ''): readonly string[] {
  return before === after ? [] : [`${name} ${hex(before)} -> ${hex(after)}${note && ` (${note})`}`];
}

/** FSW bits but TOP, in the order of their numbers. */
const FSW_BITS = [
  ...['IE', 'DE', 'ZE', 'OE', 'UE', 'PE', 'SF', 'ES', 'C0', 'C1', 'C2'].map((name, bit) => [bit, name] as const),
  [14, 'C3'] as const,
  [15, 'B'] as const,
];

function fswNote(fsw: number): string {
  const flags = FSW_BITS.filter(([bit]) => fsw & (1 << bit)).map(([, name]) => name);
  return [`TOP ${topOf({ fsw })}`, ...flags].join(' ');
}

function x87Items(before: X87State, after: X87State): readonly string[] {
  const field = (name: 'fcw' | 'ftw' | 'fop' | 'fip' | 'fdp' | 'fcs' | 'fds'): readonly string[] =>
    items(name.toUpperCase(), before[name], after[name]);
  return [
    ...field('fcw'),
    ...items('FSW', before.fsw, after.fsw, fswNote(after.fsw)),
    ...field('ftw'),
    ...(['fop', 'fip', 'fcs', 'fdp', 'fds'] as const).flatMap(field),
    ...x87RegisterItems(before.registers, after),
  ];
}

const X87_REGISTER_BYTES = 10;

function x87RegisterItems(before: Uint8Array, after: X87State): readonly string[] {
  return Array.from({ length: 8 }, (_, register) => register).flatMap((register) => {
    const [from, to] = [register * X87_REGISTER_BYTES, (register + 1) * X87_REGISTER_BYTES];
    const value = after.registers.subarray(from, to);
    if (Buffer.compare(before.subarray(from, to), value) === 0) return [];
    return [`R${register} = ST${(register - topOf(after)) & 7} = ${extendedText(value)}`];
  });
}

/** How the bytes of a component divide into registers. */
interface Division {
  readonly bytes: number;
  readonly name: (index: number) => string;
}

const numbered = (bytes: number, prefix: string, suffix = '', first = 0): Division => ({
  bytes,
  name: (index) => `${prefix}${index + first}${suffix}`,
});

const DIVISIONS: Readonly<Record<string, Division>> = {
  sse: numbered(16, 'XMM'),
  avx: numbered(16, 'YMM', ' upper half'),
  bndregs: numbered(16, 'BND'),
  bndcsr: { bytes: 8, name: (index) => ['BNDCFGU', 'BNDSTATUS'][index] ?? 'reserved bytes' },
  opmask: numbered(8, 'K'),
  zmm_hi256: numbered(32, 'ZMM', ' upper half'),
  hi16_zmm: numbered(64, 'ZMM', '', 16),
  pkru: { bytes: 8, name: () => 'PKRU' },
  tilecfg: { bytes: 64, name: () => 'TILECFG' },
  tiledata: numbered(1024, 'TMM'),
  apx: numbered(8, 'R', '', 16),
};

function divisionOf(bit: number): Division {
  const { msrs = [] } = COMPONENTS[bit];
  return DIVISIONS[componentName(bit)] ?? { bytes: 8, name: (index) => `MSR ${hex(msrs[index] ?? 0)}` };
}

/** Registers up to so many bytes, and so many of them, are shown with their values. */
const SHOWN_BYTES = 16;
const SHOWN_REGISTERS = 2;

function componentItems(bit: number, before: Snapshot, after: Snapshot): readonly string[] {
  const [old, value] = [before.components[bit], after.components[bit]];
  if (Buffer.compare(old, value) === 0) return inUseItems(bit, before, after);
  if (isInitial(bit, value)) return [`INIT${bit === SSE ? ' (XMM)' : ''}`];
  const { bytes, name } = divisionOf(bit);
  const changed = Array.from({ length: Math.ceil(value.length / bytes) }, (_, index) => index).filter(
    (index) => Buffer.compare(slice(old, index, bytes), slice(value, index, bytes)) !== 0,
  );
  if (changed.length > SHOWN_REGISTERS || bytes > SHOWN_BYTES)
    return ranges(changed).map((range) => rangeText(range, name));
  return changed.map((index) => `${name(index)} = ${littleEndian(slice(value, index, bytes))}`);
}

/** A component can become in use with no other value, where the processor goes by what was loaded. */
function inUseItems(bit: number, before: Snapshot, after: Snapshot): readonly string[] {
  const [was, is] = [before.inUse & (1 << bit), after.inUse & (1 << bit)];
  if (was === is || after.open & (1 << bit)) return [];
  return [is ? 'in use, with the same value' : 'no longer in use'];
}

function slice(bytes: Uint8Array, index: number, length: number): Uint8Array {
  return bytes.subarray(index * length, (index + 1) * length);
}

function littleEndian(bytes: Uint8Array): string {
  return hex(bytes.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n));
}

function ranges(numbers: readonly number[]): readonly (readonly [first: number, last: number])[] {
  const found: [number, number][] = [];
  for (const number of numbers) {
    const last = found.at(-1);
    if (last && last[1] === number - 1) last[1] = number;
    else found.push([number, number]);
  }
  return found;
}

function rangeText([first, last]: readonly [number, number], name: (index: number) => string): string {
  return first === last ? name(first) : `${name(first)} to ${name(last)}`;
}

const FLAGS = { CF: 0, PF: 2, AF: 4, ZF: 6, SF: 7, OF: 11 } as const;

function generalItems(mode: CodeMode, before: Snapshot, after: Snapshot): readonly string[] {
  const name = (register: number): string =>
    (mode === 32 ? REGISTER_NAMES[register].replace('r', 'e') : REGISTER_NAMES[register]).toUpperCase();
  const flags = Object.entries(FLAGS).filter(([, bit]) => after.rflags & (1n << BigInt(bit)));
  return [
    ...[...after.registers].flatMap((value, register) => items(name(register), before.registers[register], value)),
    ...items('RFLAGS', before.rflags, after.rflags, flags.map(([flag]) => flag).join(' ') || 'no arithmetic flag'),
  ];
}

const CR0_BITS = { PE: 0, MP: 1, EM: 2, TS: 3, ET: 4, NE: 5, WP: 16, AM: 18, NW: 29, CD: 30, PG: 31 } as const;
const CONTROL_NAMES: Readonly<Record<keyof ControlState, string>> = {
  cr0: 'CR0',
  cr4: 'CR4',
  efer: 'EFER',
  xcr0: 'XCR0',
  xss: 'IA32_XSS',
  xfd: 'IA32_XFD',
  xfdErr: 'IA32_XFD_ERR',
};

function controlItems(before: ControlState, after: ControlState): readonly string[] {
  return (Object.keys(CONTROL_NAMES) as (keyof ControlState)[]).flatMap((register) =>
    items(CONTROL_NAMES[register], before[register], after[register], controlNote(register, before, after)),
  );
}

function controlNote(register: keyof ControlState, before: ControlState, after: ControlState): string {
  if (register === 'cr4' || register === 'efer') return '';
  if (register !== 'cr0') return xfeaturesName(after[register]);
  return Object.entries(CR0_BITS)
    .filter(([, bit]) => ((before.cr0 ^ after.cr0) >>> bit) & 1)
    .map(([name, bit]) => `${name} ${(after.cr0 >>> bit) & 1 ? 'set' : 'clear'}`)
    .join(', ');
}
