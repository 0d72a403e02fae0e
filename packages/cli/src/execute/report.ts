/** A trace as text. */
import {
  FAULT_REASONS,
  GPR,
  HI16_ZMM,
  MXCSR_INIT,
  SSE,
  VECTOR,
  vectorName,
  xfeaturesName,
  type Fault,
  type Processor,
  type Undetermined,
} from '@fpulab/core';
import type { Paint } from '@fpulab/eventlog';
import { changesOf } from './changes';
import { DATA_BASE, DATA_BYTES, REGISTER_NAMES, type Bench } from './setup';
import type { Trace, TracedInstruction } from './trace';
import { maskText, notStored, type NamedWrite } from './writes';

const hex = (value: number | bigint): string => `0x${value.toString(16)}`;

/** The trace, instruction by instruction, and what is left at its end. */
export function reportLines(bench: Bench, trace: Trace, before: Uint8Array, paint: Paint): readonly string[] {
  return [
    ...headLines(bench.cpu, trace),
    ...trace.instructions.flatMap((traced) => ['', ...instructionLines(traced, paint)]),
    '',
    ...endLines(bench, trace, before, paint),
  ];
}

function headLines({ model, state }: Processor, { start }: Trace): readonly string[] {
  const low = (register: number): string => BigInt.asUintN(32, start.registers[register]).toString(16).padStart(8, '0');
  const pointer = `${state.mode === 32 ? 'EDI' : 'RDI'} ${hex(start.registers[GPR.rdi])}`;
  return [
    `${model.id}, ${state.mode}-bit code at CPL ${state.cpl}`,
    `memory ${hex(DATA_BASE)} to ${hex(DATA_BASE + BigInt(DATA_BYTES - 1))}, ${pointer}, EDX:EAX ${low(GPR.rdx)}:${low(GPR.rax)}`,
  ];
}

const CODE_COLUMNS = 20;
const LABEL_COLUMNS = 11;
const INDENT = ' '.repeat(4);
const COLUMNS = 100;

function instructionLines(traced: TracedInstruction, paint: Paint): readonly string[] {
  const { offset, bytes, text, changes, fault } = traced;
  const code = Buffer.from(bytes).toString('hex');
  const effects = [
    ...changes.flatMap(({ place, items }) => labelled(place, items)),
    ...writeLines(traced),
    ...openLines(traced),
    ...trackingLines(traced),
    ...(fault ? [INDENT + paint.violation(`! ${faultText(fault)}`)] : []),
  ];
  return [
    `${String(offset).padStart(3)} ${code.padEnd(CODE_COLUMNS)} ${paint.head(text)}`,
    ...areaLines(traced),
    ...(effects.length === 0 ? [`${INDENT}changes nothing`] : effects),
  ];
}

/** Items behind a label, comma separated, in lines that are not too long. */
function labelled(label: string, items: readonly string[]): readonly string[] {
  const width = COLUMNS - INDENT.length - LABEL_COLUMNS;
  const separated = items.map((item, index) => (index < items.length - 1 ? `${item},` : item));
  const lines = packed(
    separated.flatMap((item) => (item.length <= width ? [item] : packed(item.split(/ |(?<=\+)/), width))),
    width,
  );
  return lines.map((line, index) => `${INDENT}${(index === 0 ? label : '').padEnd(LABEL_COLUMNS)}${line}`);
}

/** Parts in as few lines as there have to be. A list of components is not torn by spaces: `x87+sse+`, `avx`. */
function packed(parts: readonly string[], width: number): readonly string[] {
  const lines: string[] = [];
  for (const part of parts) {
    const last = lines.at(-1);
    const joined = last === undefined ? part : `${last}${last.endsWith('+') ? '' : ' '}${part}`;
    if (last !== undefined && joined.length <= width) lines[lines.length - 1] = joined;
    else lines.push(part);
  }
  return lines;
}

function areaLines({ area, header, instruction }: TracedInstruction): readonly string[] {
  if (!area || area.placements.length === 0) return [];
  const { mnemonic } = instruction;
  const asked = `RFBM ${maskText(area.rfbm)}`;
  if (!mnemonic.startsWith('XRSTOR') || !header) return labelled('asked for', [asked]);
  const form = header.xcompBv >> 63n ? 'compacted' : 'standard';
  return labelled('asked for', [
    asked,
    `XSTATE_BV ${maskText(header.xstateBv)}`,
    `XCOMP_BV ${hex(header.xcompBv)}: ${form} form`,
  ]);
}

function writeLines({ area, writes, before, instruction }: TracedInstruction): readonly string[] {
  const lines = writes.flatMap((write, index) => labelled(index === 0 ? 'writes' : '', [writeText(write)]));
  if (!area) return lines;
  const { init, other } = notStored(area, writes);
  const unmodified = other & (before.tracking?.unmodified ?? 0);
  const unreachable = instruction.mode === 32 ? other & ~unmodified & (1 << HI16_ZMM) : 0;
  const reasons = [
    [init, 'XSTATE_BV says that it is INIT'],
    [unmodified, 'not modified since XRSTOR loaded it from here'],
    [unreachable, '32-bit code cannot name it'],
  ] as const;
  const left = reasons.filter(([mask]) => mask !== 0).map(([mask, why]) => `${xfeaturesName(mask)}: ${why}`);
  return [...lines, ...left.flatMap((text, index) => labelled(index === 0 ? 'left alone' : '', [text]))];
}

function writeText({ offset, bytes, what }: NamedWrite): string {
  const range = bytes.length === 1 ? `byte ${offset}` : `bytes ${offset} to ${offset + bytes.length - 1}`;
  return what === '' ? range : `${range.padEnd(18)} ${what}`;
}

function openLines({ events }: TracedInstruction): readonly string[] {
  const open = events.flatMap((event) => (event.type === 'result-undetermined' ? openItems(event.what) : []));
  return open.length === 0 ? [] : labelled('changes', [...open, 'to what is not modelled']);
}

/** What the model does not know. */
function openItems(what: Partial<Undetermined>): readonly string[] {
  const { components = 0, mxcsr, flags, registers = 0, memory = [] } = what;
  return [
    ...(components ? [xfeaturesName(components)] : []),
    ...(mxcsr ? ['MXCSR'] : []),
    ...(flags ? ['flags'] : []),
    ...REGISTER_NAMES.filter((_, number) => registers & (1 << number)).map((name) => name.toUpperCase()),
    ...memory.map(({ address, length }) => `${length} bytes at ${hex(address)}`),
  ];
}

/** What XRSTOR leaves for XSAVEOPT and XSAVES, and what takes it away. */
function trackingLines({ before, after }: TracedInstruction): readonly string[] {
  const [old, now] = [before.tracking, after.tracking];
  if (old === now) return [];
  if (!now) return labelled('tracking', ['ended']);
  const state = now.unmodified === 0 ? 'all are modified' : `${xfeaturesName(now.unmodified)} not modified since`;
  return labelled('tracking', [`XRSTOR from ${hex(now.address)}: ${state}`]);
}

/** Vectors that push an error code. */
const WITH_ERROR_CODE: readonly number[] = [VECTOR.SS, VECTOR.GP, VECTOR.PF, VECTOR.AC];

/** `#PF(0x2), CR2 0xb004000: the page is not present`. */
export function faultText({ vector, errorCode, address, reason }: Fault): string {
  const code = WITH_ERROR_CODE.includes(vector) ? `(${errorCode === 0 ? '0' : hex(errorCode)})` : '';
  const place = address === undefined ? '' : `, CR2 ${hex(address)}`;
  return `${vectorName(vector)}${code}${place}: ${FAULT_REASONS[reason]}`;
}

function endLines({ cpu, data }: Bench, trace: Trace, before: Uint8Array, paint: Paint): readonly string[] {
  const { model, state, control } = cpu;
  const changes = changesOf({ model, mode: state.mode }, trace.start, trace.end);
  const open = openItems(state.undetermined);
  const bytes = data.reduce((count, byte, at) => (byte === before[at] ? count : count + 1), 0);
  return [
    outcomeText(trace, paint),
    ...(control.xcr0 === 0 ? [] : labelled('XCR0', [maskText(control.xcr0)])),
    ...(control.xss === 0 ? [] : labelled('IA32_XSS', [maskText(control.xss)])),
    ...labelled(control.xcr0 === 0 ? 'in use' : 'XINUSE', [maskText(xinuseOf(cpu))]),
    ...labelled('changed', [
      ...changes.map(({ place, items }) => (place === 'general' || place === 'control' ? items.join(', ') : place)),
      ...(bytes === 0 ? [] : [`${bytes} bytes of memory`]),
      ...(changes.length + bytes === 0 ? ['nothing'] : []),
    ]),
    ...(open.length === 0 ? [] : labelled('not known', open)),
  ];
}

function outcomeText({ execution, executed, offset }: Trace, paint: Paint): string {
  const count = `${executed} instruction${executed === 1 ? '' : 's'}`;
  if (execution.end === 'ran-to-end') return `ran to its end: ${count}`;
  const cause = execution.end === 'fault' ? vectorName(execution.fault.vector) : 'what is not modelled';
  return paint.violation(`stopped by ${cause} at offset ${offset}, after ${count}`);
}

/** XINUSE as XGETBV with ECX = 1 tells it, supervisor components beside it: MXCSR counts for SSE. */
export function xinuseOf(cpu: Processor): number {
  const sse = cpu.state.mxcsr === MXCSR_INIT ? 0 : 1 << SSE;
  const { xcr0, xss } = cpu.control;
  // Without XSAVE there is no XCR0: all that there is counts.
  return (cpu.inUse() | sse) & (xcr0 === 0 ? 0x3 : xcr0 | xss);
}
