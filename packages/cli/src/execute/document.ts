/** A trace as JSON. */
import {
  componentBits,
  componentName,
  stackOrder,
  vectorName,
  type Fault,
  type Processor,
  type X87State,
} from '@fpulab/core';
import { faultText, xinuseOf } from './report';
import { DATA_BASE, REGISTER_NAMES, type Bench } from './setup';
import type { Trace, TracedInstruction } from './trace';

const hex = (value: number | bigint): string => `0x${value.toString(16)}`;
const bytesText = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** The document that `--json` prints. Numbers that can exceed 32 bits, and bitmaps, are `"0x..."`; bytes are hex digits in memory order. */
export function documentOf({ cpu, data }: Bench, trace: Trace, code: Uint8Array, before: Uint8Array): object {
  const { mode, cpl } = cpu.state;
  return {
    schema: 'fpulab/execute@1',
    cpu: cpu.model.id,
    mode,
    cpl,
    code: bytesText(code),
    end: trace.execution.end,
    executed: trace.executed,
    instructions: trace.instructions.map(instructionDocument),
    fault: faultDocument(trace),
    notModelled: notModelled(trace, code),
    xinuse: hex(xinuseOf(cpu)),
    xcr0: hex(cpu.control.xcr0),
    state: stateDocument(cpu),
    memory: { base: hex(DATA_BASE), size: data.length, changed: changedRanges(before, data) },
  };
}

function instructionDocument({ offset, bytes, text, events, changes }: TracedInstruction): object {
  return { offset, bytes: bytesText(bytes), text, changes, events: events.map(plain) };
}

/** Values of events as JSON has them. */
function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return hex(value);
  if (value instanceof Uint8Array) return bytesText(value);
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, plain(part)]));
}

function faultDocument({ execution, offset }: Trace): object | null {
  if (execution.end !== 'fault') return null;
  const { vector, errorCode, address, reason }: Fault = execution.fault;
  return {
    vector,
    name: vectorName(vector),
    errorCode: hex(errorCode),
    ...(address === undefined ? {} : { cr2: hex(address) }),
    reason,
    text: faultText(execution.fault),
    offset,
  };
}

/** Where and why the model stopped. */
export interface NotModelled {
  readonly offset: number;
  readonly bytes: string;
  readonly why: string;
}

const INSTRUCTION_BYTES_MAX = 15;

/** The instruction that the model does not know, if the code has one. */
export function notModelled({ execution, offset }: Trace, code: Uint8Array): NotModelled | null {
  if (execution.end !== 'not-modelled') return null;
  const bytes = bytesText(code.subarray(offset, offset + INSTRUCTION_BYTES_MAX));
  return { offset, bytes, why: execution.why };
}

function stateDocument({ model, state, control }: Processor): object {
  const components = componentBits(model).filter((bit) => bit !== 0);
  return {
    rip: hex(state.rip),
    rflags: hex(state.rflags),
    registers: Object.fromEntries(REGISTER_NAMES.map((name, number) => [name, hex(state.registers[number])])),
    control: plain(Object.fromEntries(Object.entries(control).map(([name, value]) => [name, BigInt(value)]))),
    x87: x87Document(state.x87),
    mxcsr: hex(state.mxcsr),
    components: Object.fromEntries(components.map((bit) => [componentName(bit), shortText(state.components[bit])])),
  };
}

/** `0*256` for zeros, as in files of vectors. */
function shortText(bytes: Uint8Array): string {
  return bytes.every((byte) => byte === 0) ? `0*${bytes.length}` : bytesText(bytes);
}

const REGISTER_BYTES = 10;

function x87Document(x87: X87State): object {
  const { fcw, fsw, ftw, fop, fip, fdp, fcs, fds } = x87;
  const stack = stackOrder(x87);
  const st = Array.from({ length: 8 }, (_, index) =>
    bytesText(stack.subarray(index * REGISTER_BYTES, (index + 1) * REGISTER_BYTES)),
  );
  const numbers = Object.entries({ fcw, fsw, ftw, fop, fip, fdp, fcs, fds });
  return { ...Object.fromEntries(numbers.map(([name, value]) => [name, hex(value)])), st };
}

/** Bytes that are not what they were, as the vectors list them: `[offset, bytes]`. */
function changedRanges(before: Uint8Array, after: Uint8Array): readonly (readonly [offset: number, bytes: string])[] {
  const ranges: [number, string][] = [];
  for (let at = 0; at < after.length; at++) {
    if (after[at] === before[at]) continue;
    let end = at;
    while (end < after.length && after[end] !== before[end]) end++;
    ranges.push([at, bytesText(after.subarray(at, end))]);
    at = end;
  }
  return ranges;
}
