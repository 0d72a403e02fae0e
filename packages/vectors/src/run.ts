/** Puts a processor into a vector's state and runs its code. */
import {
  FLAT_SELECTORS,
  Memory,
  Processor,
  bootState,
  componentOfMsr,
  execute,
  loadX87Image,
  physicalOrder,
  topOf,
  type CpuModel,
  type Execution,
  type ProcessorState,
  type Region,
} from '@fpulab/core';
import { COMPONENT_BITS, COMPONENT_KEYS, bytesOf, type LoadedState, type Vector, type VectorFile } from './format';

/** A vector that has run: the processor with what it holds now, and what it held before the code. */
export interface Run {
  readonly cpu: Processor;
  readonly execution: Execution;
  readonly before: ProcessorState;
  readonly memoryBefore: Uint8Array;
  readonly memory: Uint8Array;
}

const PAGE_BYTES = 4096;
const REGISTERS = { eax: 0, ecx: 1, edx: 2, ebx: 3, esi: 6, edi: 7 } as const;

/** Runs one vector on a model. */
export function runVector(file: VectorFile, vector: Vector, model: CpuModel): Run {
  const memory = initialMemory(file, vector);
  const regions: Region[] = [{ base: BigInt(file.memory.base), bytes: memory, writable: true }];
  const zeroPage = file.memory.read_only_zero_page;
  if (zeroPage !== undefined)
    regions.push({ base: BigInt(zeroPage), bytes: new Uint8Array(PAGE_BYTES), writable: false });
  const memoryBefore = memory.slice();
  const cpu = new Processor(model, initialState(file, vector, model, new Memory(regions)));
  loadState(cpu, file, file.states[vector.state]);
  Object.assign(cpu.state, { mode: vector.mode, tracking: undefined });
  const before = {
    ...cpu.state,
    registers: cpu.state.registers.slice(),
    control: { ...cpu.state.control },
    components: [...cpu.state.components],
  };
  const execution = execute(cpu, { base: BigInt(file.memory.code_base), bytes: bytesOf(file, vector.code) });
  return { cpu, execution, before, memoryBefore, memory };
}

function initialMemory(file: VectorFile, { mem }: Vector): Uint8Array {
  const memory = new Uint8Array(file.memory.size).fill(mem.fill);
  for (const [offset, text] of mem.init) memory.set(bytesOf(file, text), offset);
  return memory;
}

function initialState(file: VectorFile, vector: Vector, model: CpuModel, memory: Memory): ProcessorState {
  const { cpl } = file.source;
  const rflags = vector.rflags === undefined ? 2n : BigInt(vector.rflags);
  const state = bootState(model, memory, { cpl, rflags, selectors: FLAT_SELECTORS[cpl][vector.mode] });
  const control = vector.ctl ?? file.source;
  for (const register of ['cr0', 'cr4', 'efer', 'xcr0', 'xss'] as const) {
    const value = control[register];
    if (value !== undefined) state.control[register] = Number(value);
  }
  for (const [name, register] of Object.entries(REGISTERS)) {
    state.registers[register] = BigInt(vector.regs[name as keyof typeof REGISTERS] ?? 0);
  }
  return state;
}

/** As XRSTOR of all components loads it: what `bv` lacks is in its initial configuration, MXCSR is always loaded. */
function loadState(cpu: Processor, file: VectorFile, { load }: LoadedState): void {
  const bv = Number(load.bv);
  if (load.x87 && bv & 1) {
    const { st, ...numbers } = load.x87;
    const fsw = Number(numbers.fsw);
    const stack = Uint8Array.from(st.flatMap((register) => [...bytesOf(file, register)]));
    const registers = physicalOrder(stack, topOf({ fsw }));
    const { fcw, ftw, fop, fcs, fds } = numbers;
    const selectors = load.form === 'xrstor64' ? { fcs: 0, fds: 0 } : { fcs: Number(fcs), fds: Number(fds) };
    loadX87Image(cpu, {
      ...{ fcw: Number(fcw), fsw, ftw: Number(ftw), fop: Number(fop), ...selectors },
      ...{ fip: BigInt(numbers.fip), fdp: BigInt(numbers.fdp), registers },
    });
  }
  cpu.loadMxcsr(Number(load.mxcsr));
  for (const key of COMPONENT_KEYS) {
    const text = load[key];
    if (text !== undefined && bv & (1 << COMPONENT_BITS[key]))
      cpu.load(COMPONENT_BITS[key], bytesOf(file, text), 'memory');
  }
  for (const [msr, value] of Object.entries(load.msr ?? {})) loadMsr(cpu, Number(msr), BigInt(value));
}

function loadMsr(cpu: Processor, msr: number, value: bigint): void {
  const place = componentOfMsr(msr);
  if (!place) return;
  const bytes = cpu.component(place.bit).slice();
  new DataView(bytes.buffer).setBigUint64(place.offset, value, true);
  cpu.load(place.bit, bytes, 'memory');
}
