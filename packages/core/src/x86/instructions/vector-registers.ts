/** Vector, opmask and MMX registers as instructions name them, in the components that hold them. */
import { AVX, HI16_ZMM, OPMASK, SSE, X87, ZMM_HI256 } from '../components';
import type { Origin } from '../init-tracking';
import type { Processor } from '../processor';
import { REGISTER_BYTES, withTop, type X87State } from '../x87-state';

/** A slice of a component that is part of vector register `n`. */
interface Part {
  readonly bit: number;
  /** Where the slice starts in the component. */
  readonly at: number;
  /** Bytes of the slice. */
  readonly bytes: number;
  /** Where the slice starts in the register. */
  readonly from: number;
}

function partsOf(register: number): readonly Part[] {
  if (register >= 16) return [{ bit: HI16_ZMM, at: (register - 16) * 64, bytes: 64, from: 0 }];
  return [
    { bit: SSE, at: register * 16, bytes: 16, from: 0 },
    { bit: AVX, at: register * 16, bytes: 16, from: 16 },
    { bit: ZMM_HI256, at: register * 32, bytes: 32, from: 32 },
  ];
}

function present(cpu: Processor, { bit }: Part): boolean {
  return bit === SSE || cpu.model.components.some((component) => component.bit === bit);
}

/** The low bytes of a vector register. */
export function readVector(cpu: Processor, register: number, bytes: number): Uint8Array {
  const value = new Uint8Array(64);
  for (const part of partsOf(register)) {
    if (present(cpu, part)) value.set(cpu.component(part.bit).subarray(part.at, part.at + part.bytes), part.from);
  }
  return value.subarray(0, bytes);
}

/** How a vector register is written. */
export interface VectorWrite {
  /** By an SSE instruction: bits above 127 stay. VEX and EVEX clear what they do not write. */
  readonly legacy: boolean;
  /** `copy`: from a register; `zero`: nothing but zero can come out. */
  readonly from: 'memory' | 'copy' | 'zero';
}

/** Writes a vector register. */
export function writeVector(cpu: Processor, register: number, value: Uint8Array, { legacy, from }: VectorWrite): void {
  for (const part of partsOf(register)) {
    if (!present(cpu, part)) continue;
    const written = part.from < value.length;
    if (!written && legacy) continue;
    const component = cpu.component(part.bit).slice();
    component.fill(0, part.at, part.at + part.bytes);
    component.set(value.subarray(part.from, part.from + part.bytes), part.at);
    loadPart(cpu, part.bit, component, written ? originOf(part.bit, from) : 'clear');
  }
  if (legacy || (value.length === YMM_BYTES && register < 16 && from !== 'zero')) markAvx(cpu);
}

/** Clears a vector register from a byte on, as VEX and EVEX do above their operand. */
export function clearAbove(cpu: Processor, register: number, bytes: number): void {
  for (const part of partsOf(register)) {
    if (!present(cpu, part) || part.from < bytes) continue;
    const component = cpu.component(part.bit).slice();
    loadPart(cpu, part.bit, component.fill(0, part.at, part.at + part.bytes), 'clear');
  }
}

/** The upper part of a copy is in use if its source was: by its value, as far as the model goes. */
function originOf(bit: number, from: VectorWrite['from']): Origin {
  if (from === 'zero') return 'zero';
  return from === 'copy' && (bit === AVX || bit === ZMM_HI256) ? 'zero' : 'write';
}

const YMM_BYTES = 32;

/** What a write of an XMM register by SSE, or of a YMM register, does to XINUSE[2] where the processor is declared to do it. */
export function markAvx(cpu: Processor): void {
  const { inUse } = cpu.state;
  if (!cpu.deviates('write-marks-avx') || !(inUse & (1 << ZMM_HI256)) || inUse & (1 << AVX)) return;
  cpu.emit({ type: 'component-in-use', bit: AVX });
}

/** Components that hold the low bytes of a vector register. */
export function componentsWithin(register: number, bytes: number): number {
  return partsOf(register).reduce((mask, { bit, from }) => (from < bytes ? mask | (1 << bit) : mask), 0);
}

/** K0 to K7. */
export function readOpmask(cpu: Processor, register: number): bigint {
  return new DataView(cpu.component(OPMASK).buffer, cpu.component(OPMASK).byteOffset).getBigUint64(8 * register, true);
}

/** Writes K0 to K7. */
export function writeOpmask(cpu: Processor, register: number, value: bigint, origin: Origin): void {
  const component = cpu.component(OPMASK).slice();
  new DataView(component.buffer).setBigUint64(8 * register, BigInt.asUintN(64, value), true);
  loadPart(cpu, OPMASK, component, origin);
}

/**
 * The transition to MMX: TOP becomes 0, all registers valid.
 *
 * @see Intel SDM Vol. 3A "Intel MMX Technology System Programming", "Effect of MMX, x87 FPU, FXSAVE, and FXRSTOR Instructions on the
 *   x87 FPU Tag Word"
 */
export function enterMmx(x87: X87State): X87State {
  return { ...x87, fsw: withTop(x87.fsw, 0), ftw: 0xff };
}

/** MM0 to MM7: the significand of a physical register. */
export function readMmx(cpu: Processor, register: number): Uint8Array {
  const at = (register & 7) * REGISTER_BYTES;
  return cpu.state.x87.registers.slice(at, at + 8);
}

/** Writes MM0 to MM7: the exponent becomes all ones. */
export function writeMmx(cpu: Processor, register: number, value: Uint8Array): void {
  const at = (register & 7) * REGISTER_BYTES;
  const registers = cpu.state.x87.registers.slice();
  registers.set(value.subarray(0, 8), at);
  if (!cpu.deviates('mmx-keeps-exponent')) registers.fill(0xff, at + 8, at + REGISTER_BYTES);
  const unknown = cpu.state.undetermined.components & (1 << X87);
  cpu.loadX87({ ...enterMmx(cpu.state.x87), registers }, 'write');
  keepUnknown(cpu, unknown);
}

/** A component of which one register changed: what was not known of the others still is not. */
function loadPart(cpu: Processor, bit: number, value: Uint8Array, origin: Origin): void {
  const unknown = cpu.state.undetermined.components & (1 << bit);
  cpu.load(bit, value, origin);
  keepUnknown(cpu, unknown);
}

function keepUnknown(cpu: Processor, components: number): void {
  if (components) cpu.emit({ type: 'result-undetermined', what: { components } });
}
