/** What an instruction wrote to memory, with names for the parts of save areas. */
import {
  ALL_COMPONENTS,
  HEADER_OFFSET,
  SSE,
  areaLayout,
  xfeaturesName,
  type AreaForm,
  type Instruction,
  type Placement,
  type Processor,
  type ProcessorEvent,
} from '@fpulab/core';

/** One write: bytes from the operand on, and what they are. */
export interface NamedWrite {
  readonly offset: number;
  readonly bytes: Uint8Array;
  readonly what: string;
}

/** The area that an instruction of the XSAVE and FXSAVE families works on. */
export interface Area {
  readonly address: bigint;
  readonly form: AreaForm;
  /** Components that it is asked to move; 0 for FXSAVE, which has no mask. */
  readonly rfbm: number;
  readonly placements: readonly Placement[];
}

const FAMILIES = /^(XSAVE|XSAVEOPT|XSAVEC|XSAVES|XRSTOR|XRSTORS|FXSAVE|FXRSTOR)$/;

/** The area of an instruction that has one. The processor is as it was before the instruction. */
export function areaOf(cpu: Processor, instruction: Instruction): Area | undefined {
  const { mnemonic } = instruction;
  if (!FAMILIES.test(mnemonic) || !instruction.memory) return undefined;
  const address = cpu.operandAddress(instruction);
  if (mnemonic.startsWith('FX')) return { address, form: 'standard', rfbm: 0, placements: [] };
  const { xcr0, xss } = cpu.control;
  const enabled = mnemonic.endsWith('S') ? xcr0 | xss : xcr0;
  const rfbm = Number(cpu.edxEax() & BigInt(enabled));
  const form = mnemonic === 'XSAVEC' || mnemonic === 'XSAVES' ? 'compacted' : 'standard';
  return { address, form, rfbm, placements: areaLayout(cpu.model, rfbm, form).components };
}

const MXCSR_OFFSET = 24;
const XMM_OFFSET = 160;
/** Parts of the legacy region: Intel SDM Vol. 1 "FXSAVE Area" (10.5.1). */
const LEGACY_PARTS = [
  { offset: 0, end: 24, what: 'FCW, FSW, FTW, FOP, FIP, FDP' },
  { offset: MXCSR_OFFSET, end: 32, what: 'MXCSR, MXCSR_MASK' },
  { offset: 32, end: XMM_OFFSET, what: 'ST0 to ST7' },
] as const;
const LONGEST_VALUE = 16;

/** Stores of x87 state that have no area of the XSAVE kind. */
const X87_STORES: Readonly<Record<string, string>> = {
  FNSTENV: 'FCW, FSW, FTW, FIP, FOP, FDP',
  FNSAVE: 'FCW, FSW, FTW, FIP, FOP, FDP, ST0 to ST7',
};

/** A write to be named. */
export interface Write {
  readonly area: Area | undefined;
  /** Address of the operand. */
  readonly start: bigint;
  readonly instruction: Instruction;
  readonly event: Extract<ProcessorEvent, { type: 'memory-written' }>;
}

/** Names a write: a part of an area, or a value. */
export function namedWrite({ area, start, instruction, event: { address, bytes } }: Write): NamedWrite {
  const offset = Number(address - start);
  const value = bytes.length <= LONGEST_VALUE ? littleEndian(bytes) : '';
  return { offset, bytes, what: (area ? partOf(area, offset, bytes) : X87_STORES[instruction.mnemonic]) ?? value };
}

function partOf({ placements }: Area, offset: number, bytes: Uint8Array): string | undefined {
  if (offset === HEADER_OFFSET) return headerText(bytes);
  if (offset === MXCSR_OFFSET) return mxcsrText(bytes);
  if (offset === XMM_OFFSET) return `XMM0 to XMM${Math.ceil(bytes.length / 16) - 1}`;
  const legacy = LEGACY_PARTS.filter((part) => part.offset >= offset && part.end <= offset + bytes.length);
  if (offset < XMM_OFFSET) return legacy.map(({ what }) => what).join(', ') || undefined;
  return placements.find((placement) => placement.bit > SSE && placement.offset === offset)?.name;
}

function mxcsrText(bytes: Uint8Array): string {
  const words = Array.from({ length: Math.floor(bytes.length / 4) }, (_, index) =>
    littleEndian(bytes.subarray(4 * index, 4 * index + 4)),
  );
  return words.map((word, index) => `${['MXCSR', 'MXCSR_MASK'][index]} = ${word}`).join(', ');
}

function headerText(bytes: Uint8Array): string {
  const xstateBv = firstWord(bytes);
  const text = `XSTATE_BV = ${maskText(xstateBv)}`;
  return bytes.length < 16 ? text : `${text}, XCOMP_BV = ${hex(firstWord(bytes.subarray(8)))}`;
}

/** Components that a save was asked for and did not store, as bitmaps: `init` where XSTATE_BV says so, else `other`. */
export function notStored(
  { rfbm, placements }: Area,
  writes: readonly NamedWrite[],
): { readonly init: number; readonly other: number } {
  const header = writes.find(({ offset }) => offset === HEADER_OFFSET);
  if (!header) return { init: 0, other: 0 };
  const xstateBv = Number(firstWord(header.bytes) & BigInt(ALL_COMPONENTS));
  const places = new Set(writes.map(({ offset }) => offset));
  const stored = placements.filter(({ bit, offset }) => places.has(bit === SSE ? XMM_OFFSET : offset));
  const left = rfbm & ~stored.reduce((mask, { bit }) => mask | (1 << bit), 0);
  return { init: left & ~xstateBv, other: left & xstateBv };
}

/** XSTATE_BV and XCOMP_BV of the area, if its header can be read. */
export function headerOf(
  cpu: Processor,
  { address }: Area,
): { readonly xstateBv: bigint; readonly xcompBv: bigint } | undefined {
  const at = BigInt.asUintN(64, address + BigInt(HEADER_OFFSET));
  if (cpu.probeRange(at, 16, 'read')) return undefined;
  const bytes = cpu.read(at, 16);
  return { xstateBv: firstWord(bytes), xcompBv: firstWord(bytes.subarray(8)) };
}

function firstWord(bytes: Uint8Array): bigint {
  return new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
}

/** `0x3 (x87+sse)`; bits that no component has are in the number only. */
export function maskText(mask: number | bigint): string {
  const defined = Number(BigInt(mask) & BigInt(ALL_COMPONENTS));
  return `${hex(BigInt(mask))} (${xfeaturesName(defined)})`;
}

function littleEndian(bytes: Uint8Array): string {
  return hex(bytes.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n));
}

function hex(value: bigint): string {
  return `0x${value.toString(16)}`;
}
