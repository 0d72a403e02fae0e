/** Runs machine code on a processor in a chosen state, and replays what it emitted. */
import { deepStrictEqual } from 'node:assert';
import {
  GPR,
  Memory,
  Processor,
  apply,
  bootState,
  cpuModel,
  execute,
  vectorName,
  type ControlState,
  type CpuBehaviour,
  type CpuModel,
  type FaultReason,
  type ProcessorChoices,
  type ProcessorEvent,
  type ProcessorState,
  type Region,
} from '@fpulab/core';

/** Where code lies; FIP shows it. */
export const CODE_BASE = 0x40_0000n;
/** Where RDI points unless a test says otherwise: 16 KiB of zeros, on pages of their own. */
export const AREA = 0x1_0000n;
/** Where RSI points unless a test says otherwise: a page of zeros. */
export const OPERAND = 0x3_0000n;
/** What FCS and FDS show. */
export const SELECTORS = { cs: 0x33, ds: 0x2b };

/** What a test says about a run; the rest is as after boot, at CPL 3 in 64-bit mode. */
export interface RunOptions {
  readonly cpu?: string | CpuModel;
  /** Hex. */
  readonly code: string;
  readonly cpl?: 0 | 3;
  readonly mode?: 32 | 64;
  readonly rflags?: bigint;
  /** EAX is the low half of the mask, all ones unless given; EDX is zero. */
  readonly registers?: Partial<Record<keyof typeof GPR, bigint>>;
  readonly control?: Partial<ControlState>;
  /** Changes the start state, after all of the above. */
  readonly state?: (state: ProcessorState) => void;
  /** All of memory; unless given a region of zeros at AREA and one at OPERAND. */
  readonly memory?: readonly Region[];
  /** Bytes over the memory, by address. */
  readonly bytes?: readonly (readonly [address: bigint, bytes: Uint8Array])[];
  readonly choices?: ProcessorChoices;
  /** Start where another run ended, with its memory; `mode` and `cpl` may still differ. */
  readonly after?: Ran;
}

/** How a run ended. */
export interface Ran {
  readonly cpu: Processor;
  readonly state: ProcessorState;
  /** What the instructions did: all but that execution started. */
  readonly events: readonly ProcessorEvent[];
  /** `#GP`, or undefined where all instructions retired. */
  readonly fault: string | undefined;
  readonly reason: FaultReason | undefined;
  readonly errorCode: number | undefined;
  readonly faultAddress: bigint | undefined;
  /** Memory as it is now. */
  read(address: bigint, length: number): Uint8Array;
}

/** Runs code to its end or to a fault; every run is replayed from its events and must end in the same state. */
export function run(options: RunOptions): Ran {
  const model = typeof options.cpu === 'object' ? options.cpu : cpuModel(options.cpu ?? modelOf(options));
  const state = startState(model, options);
  const copy = copyOf(state);
  const cpu = new Processor(options.after ? options.after.cpu.model : model, state, options.choices);
  const events: ProcessorEvent[] = [];
  cpu.events$.subscribe((event) => events.push(event));
  const execution = execute(cpu, { base: CODE_BASE, bytes: hex(options.code) });
  if (execution.end === 'not-modelled') throw new Error(`${execution.instruction.mnemonic}: ${execution.why}`);
  for (const event of events) apply(copy, event);
  deepStrictEqual(copy, state);
  const raised = execution.end === 'fault' ? execution.fault : undefined;
  return {
    cpu,
    state,
    events: events.filter(({ type }) => type !== 'execution-started'),
    fault: raised && vectorName(raised.vector),
    reason: raised?.reason,
    errorCode: raised?.errorCode,
    faultAddress: raised?.address,
    read: (address, length) => state.memory.read(address, length),
  };
}

function modelOf({ after }: RunOptions): string {
  return after ? after.cpu.model.id : 'sapphire-rapids';
}

function startState(model: CpuModel, options: RunOptions): ProcessorState {
  const { after, cpl, mode, rflags } = options;
  const memory = new Memory(options.memory ?? [zeros(AREA, 0x4000), zeros(OPERAND, 0x1000)]);
  const state = after ? copyOf(after.state) : bootState(model, memory, { cpl: 3, rflags: 2n, selectors: SELECTORS });
  if (!after) setRegisters(state, { rax: 0xffff_ffffn, rdi: AREA, rsi: OPERAND });
  setRegisters(state, options.registers ?? {});
  Object.assign(state.control, options.control);
  Object.assign(state, { rip: CODE_BASE }, defined({ cpl, mode, rflags }));
  for (const [address, bytes] of options.bytes ?? []) state.memory.write(address, bytes);
  options.state?.(state);
  return state;
}

function defined(values: Readonly<Record<string, unknown>>): object {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}

function setRegisters(state: ProcessorState, registers: Partial<Record<keyof typeof GPR, bigint>>): void {
  for (const [name, value] of Object.entries(registers)) state.registers[GPR[name as keyof typeof GPR]] = value;
}

/** A state that shares nothing that `apply` changes. */
function copyOf(state: ProcessorState): ProcessorState {
  const regions = state.memory.regions.map((region) => ({ ...region, bytes: region.bytes.slice() }));
  return {
    ...state,
    registers: state.registers.slice(),
    control: { ...state.control },
    components: state.components.map((value) => value.slice()),
    undetermined: { ...state.undetermined, memory: [...state.undetermined.memory] },
    x87: { ...state.x87, registers: state.x87.registers.slice() },
    memory: new Memory(regions),
  };
}

/** A writable region of zeros. */
export function zeros(base: bigint, length: number, writable = true): Region {
  return { base, bytes: new Uint8Array(length), writable };
}

/** A region filled with one byte. */
export function filled(base: bigint, length: number, byte: number): Region {
  return { base, bytes: new Uint8Array(length).fill(byte), writable: true };
}

/** Bytes in hex, spaces allowed. */
export function hex(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text.replaceAll(' ', ''), 'hex'));
}

/** Hex of bytes. */
export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

/** Eight bytes, lowest first. */
export function quad(value: bigint): Uint8Array {
  return new Uint8Array(BigUint64Array.of(BigInt.asUintN(64, value)).buffer);
}

/** Eight bytes of memory as a number. */
export function readQuad(ran: Ran, address: bigint): bigint {
  return Buffer.from(ran.read(address, 8)).readBigUInt64LE();
}

/** XSTATE_BV and XCOMP_BV of the area at AREA. */
export function headerOf(ran: Ran): { readonly xstateBv: bigint; readonly xcompBv: bigint } {
  return { xstateBv: readQuad(ran, AREA + 512n), xcompBv: readQuad(ran, AREA + 520n) };
}

/** A built-in processor that behaves otherwise. */
export function behaving(id: string, behaviour: Partial<CpuBehaviour>): CpuModel {
  const model = cpuModel(id);
  return { ...model, behaviour: { ...model.behaviour, ...behaviour } };
}

/** XSTATE_BV and XCOMP_BV for the area at AREA, as `bytes` of a run takes them. */
export function header(xstateBv: bigint, xcompBv = 0n): readonly [address: bigint, bytes: Uint8Array] {
  return [AREA + 512n, new Uint8Array(BigUint64Array.of(xstateBv, xcompBv).buffer)];
}

/** Fills a component above x87 with a byte, in use. */
export function fill(state: ProcessorState, bit: number, byte: number): void {
  state.components[bit] = new Uint8Array(state.components[bit].length).fill(byte);
  state.inUse |= 1 << bit;
}

/** A bitmap with these bits. */
export function maskOf(...bits: readonly number[]): number {
  return bits.reduce((mask, bit) => mask | (1 << bit), 0);
}

/** XCOMP_BV of the compacted form. */
export const COMPACTED = 1n << 63n;

/** Names of the events that say what happened, without registers and retirement. */
export function eventTypes({ events }: Ran): readonly string[] {
  return events.map(({ type }) => type).filter((type) => type !== 'instruction-retired');
}
