/** One processor: registers, memory, and the stream of what its instructions do. */
import type { Observable } from 'rxjs';
import { Subject } from '../subject';
import { AVX, HI16_ZMM, PKRU, SSE, X87, ZMM_HI256 } from './components';
import { CR0_AM, CR4_LA57 } from './control-registers';
import type { CpuModel } from './cpu-model';
import type { Deviation } from './deviations';
import { inUseAfter, type Origin, type X87Origin } from './init-tracking';
import { VECTOR, fault, type Fault } from './faults';
import type { Instruction, MemoryOperand } from './instruction';
import { LayoutTable } from './layout';
import { PAGE_BYTES, type Access } from './memory';
import {
  apply,
  initialBytes,
  isInitial,
  type ControlState,
  type ProcessorEvent,
  type ProcessorState,
} from './processor-state';
import { FSW_ES, X87_INIT, sameX87, type X87State } from './x87-state';

/** General register numbers as encodings have them. */
export const GPR = { rax: 0, rcx: 1, rdx: 2, rbx: 3, rsp: 4, rbp: 5, rsi: 6, rdi: 7 } as const;

const EFLAGS_AC = 1n << 18n;

const NO_POINTERS = { fop: 0, fip: 0n, fdp: 0n, fcs: 0, fds: 0 } as const;

/** Answers what the manuals leave to the processor. */
export interface ProcessorChoices {
  /**
   * Which of these components a restore had loaded, or a save had stored, when it met the missing page.
   * Asked only of models whose behaviour is `any-part`.
   *
   * @param candidates components that lie on pages that are there, as a bitmap
   * @returns a subset of them
   */
  transferredBeforeFault(candidates: number): number;
}

const NOTHING_TRANSFERRED: ProcessorChoices = { transferredBeforeFault: () => 0 };

/** Executes instructions' parts: operands, checks, transfers. Every change is an event. */
export class Processor {
  readonly layouts: LayoutTable;
  private readonly subject = new Subject<ProcessorEvent>();

  constructor(
    readonly model: CpuModel,
    readonly state: ProcessorState,
    readonly choices: ProcessorChoices = NOTHING_TRANSFERRED,
  ) {
    this.layouts = new LayoutTable(model);
  }

  /** Everything that happens, in order. */
  get events$(): Observable<ProcessorEvent> {
    return this.subject;
  }

  emit(event: ProcessorEvent): void {
    apply(this.state, event);
    this.subject.next(event);
  }

  // --- general registers -----------------------------------------------------------------------------------------

  /** A general register, cut to a number of bits. */
  register(number: number, bits: 8 | 16 | 32 | 64 = 64): bigint {
    return BigInt.asUintN(bits, this.state.registers[number]);
  }

  /** Writes a general register; 32 bits clear the upper half, 8 and 16 bits leave the rest alone. */
  writeRegister(number: number, value: bigint, bits: 8 | 16 | 32 | 64): void {
    const low = BigInt.asUintN(bits, value);
    const kept = bits < 32 ? (this.state.registers[number] >> BigInt(bits)) << BigInt(bits) : 0n;
    this.emit({ type: 'register-written', register: number, value: kept | low });
  }

  /** EDX:EAX. */
  edxEax(): bigint {
    return (this.register(GPR.rdx, 32) << 32n) | this.register(GPR.rax, 32);
  }

  writeEdxEax(value: bigint): void {
    this.writeRegister(GPR.rax, value & 0xffff_ffffn, 32);
    this.writeRegister(GPR.rdx, value >> 32n, 32);
  }

  // --- control registers -----------------------------------------------------------------------------------------

  get control(): Readonly<ControlState> {
    return this.state.control;
  }

  writeControl(register: keyof ControlState, value: number): void {
    this.emit({ type: 'control-written', register, value: value >>> 0 });
  }

  get user(): boolean {
    return this.state.cpl === 3;
  }

  // --- operands --------------------------------------------------------------------------------------------------

  /** The linear address of a memory operand, all segment bases being 0; with a vector of indices: without them. */
  address(operand: MemoryOperand, instructionLength: number): bigint {
    const { base, index, scale, displacement, ripRelative, addressSize, vsib } = operand;
    let address = displacement;
    if (ripRelative) address += this.state.rip + BigInt(instructionLength);
    if (base !== undefined) address += this.register(base);
    if (index !== undefined && !vsib) address += this.register(index) * BigInt(scale);
    return BigInt.asUintN(this.state.mode === 32 ? 32 : addressSize, address);
  }

  /** The linear address of an instruction's memory operand, which it must have. */
  operandAddress({ memory, length }: Instruction): bigint {
    if (!memory) throw new Error('fpulab bug: no memory operand');
    return this.address(memory, length);
  }

  /** #GP(0), or #SS(0) for the stack segment, of an address whose upper bits are not copies of the highest one in use. */
  canonicalFault(address: bigint, operand?: MemoryOperand): Fault | undefined {
    if (this.state.mode === 32) return undefined;
    const bits = this.control.cr4 & CR4_LA57 ? 57 : 48;
    if (BigInt.asUintN(64, BigInt.asIntN(bits, address)) === address) return undefined;
    const stack = operand?.segment === undefined && (operand?.base === GPR.rsp || operand?.base === GPR.rbp);
    return fault(stack ? VECTOR.SS : VECTOR.GP, 'non-canonical');
  }

  /** #AC of a misaligned access, when alignment is checked. */
  alignmentFault(address: bigint, align: bigint): Fault | undefined {
    const checked = this.user && this.control.cr0 & CR0_AM && this.state.rflags & EFLAGS_AC;
    return checked && address % align !== 0n ? fault(VECTOR.AC, 'alignment-check') : undefined;
  }

  /** The fault of touching one byte: #GP(0) where it is not canonical, #PF. */
  probe(address: bigint, access: Access): Fault | undefined {
    const at = BigInt.asUintN(this.state.mode, address);
    return this.canonicalFault(at) ?? this.state.memory.probe(at, access, this.user);
  }

  /** The fault of touching a range: at its first byte, or at the first byte of a page that it goes on to. */
  probeRange(address: bigint, length: number, access: Access): Fault | undefined {
    const end = address + BigInt(length);
    for (let at = address; at < end; at = (at / PAGE_BYTES + 1n) * PAGE_BYTES) {
      const refused = this.probe(at, access);
      if (refused) return refused;
    }
    return undefined;
  }

  read(address: bigint, length: number): Uint8Array {
    return this.state.memory.read(address, length);
  }

  write(address: bigint, bytes: Uint8Array): void {
    this.emit({ type: 'memory-written', address, bytes });
  }

  // --- FPU state -------------------------------------------------------------------------------------------------

  /** Loads x87 state. */
  loadX87(value: X87State, origin: X87Origin): void {
    const { inUse, x87Written } = this.state;
    const written = origin === 'write' || (origin === 'keep' && x87Written);
    const tracking = this.model.behaviour.initTracking;
    const before = (inUse & (1 << X87)) !== 0;
    const how =
      origin === 'memory' || origin === 'init' ? origin : written ? 'write' : origin === 'keep' ? 'clear' : 'zero';
    this.emit({
      type: 'x87-loaded',
      value,
      written,
      inUse: inUseAfter(tracking, how, this.isInitialX87(value), before),
    });
  }

  /** Loads a component above x87. */
  load(bit: number, value: Uint8Array, origin: Origin): void {
    const before = (this.state.inUse & (1 << bit)) !== 0;
    const inUse = inUseAfter(this.model.behaviour.initTracking, origin, isInitial(bit, value), before);
    this.emit({ type: 'component-loaded', bit, value, inUse });
  }

  /**
   * Loads MXCSR. Where XSAVES leaves out what is unmodified, it belongs to SSE there (SDM Vol. 1, 13.5.2); for the XSAVEOPT of a Zen 4,
   * which stores MXCSR anyway, it does not modify SSE.
   */
  loadMxcsr(value: number): void {
    this.emit({ type: 'mxcsr-loaded', value: value >>> 0 });
    if (this.model.behaviour.modifiedOptimisation === 'any') this.emit({ type: 'components-modified', mask: 1 << SSE });
  }

  /** Puts a component into its initial configuration. */
  initialise(bit: number): void {
    if (bit === X87) this.loadX87(X87_INIT, 'init');
    else this.load(bit, initialBytes(bit, this.component(bit).length), 'init');
  }

  component(bit: number): Uint8Array {
    return this.state.components[bit];
  }

  get pkru(): number {
    return new DataView(this.component(PKRU).buffer, this.component(PKRU).byteOffset).getUint32(0, true);
  }

  /**
   * XINUSE, MXCSR not counted.
   *
   * @see Intel SDM Vol. 1 "Processor Tracking of XSAVE-Managed State" (13.6): outside 64-bit mode only the registers that
   *   code can name count, unless the model says otherwise
   */
  inUse(): number {
    const { inUse, mode, components } = this.state;
    if (mode === 64 || this.model.behaviour.initTracking32 === 'all') return inUse;
    let mask = inUse & ~(1 << HI16_ZMM);
    for (const bit of [SSE, AVX, ZMM_HI256]) {
      if (mask & (1 << bit) && isInitial(bit, components[bit].subarray(0, components[bit].length / 2)))
        mask &= ~(1 << bit);
    }
    return mask;
  }

  /** x87 state as FXSAVE and XSAVE store it: pointers and selectors as the model has them. */
  storedX87(): X87State {
    const { x87 } = this.state;
    const { pointersSaved, selectorsSaved } = this.model.behaviour;
    const zero = pointersSaved === 'never' || (pointersSaved === 'zero-without-exception' && !(x87.fsw & FSW_ES));
    if (zero) return { ...x87, ...NO_POINTERS };
    return selectorsSaved ? x87 : { ...x87, fcs: 0, fds: 0 };
  }

  /** A pointer as FIP or FDP keeps it. */
  pointer(value: bigint): bigint {
    const { pointerBits } = this.model.behaviour;
    if (pointerBits <= 32) return BigInt.asUintN(pointerBits, value);
    return BigInt.asUintN(64, BigInt.asIntN(pointerBits, value));
  }

  /** False where FXSAVE and XSAVE leave the bytes of FOP, FIP and FDP alone. */
  get storesPointers(): boolean {
    return this.model.behaviour.pointersSaved !== 'untouched-without-exception' || (this.state.x87.fsw & FSW_ES) !== 0;
  }

  /** True when the processor is declared to do something else than the manuals say. */
  deviates(how: Deviation): boolean {
    return this.model.behaviour.deviations.includes(how);
  }

  private isInitialX87(value: X87State): boolean {
    const ignored = this.model.behaviour.pointersSaved !== 'always' && !(value.fsw & FSW_ES);
    return sameX87(ignored ? { ...value, ...NO_POINTERS } : value, X87_INIT);
  }
}
