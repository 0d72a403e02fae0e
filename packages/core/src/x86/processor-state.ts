/**
 * The registers of one processor that matter to FPU state, and the events that change them.
 *
 * `apply` is the only code that writes a `ProcessorState`; instructions decide and emit.
 */
import { ALL_COMPONENTS, COMPONENTS, LBR, SSE, X87, bitsOf } from './components';
import {
  CR0_AM,
  CR0_ET,
  CR0_MP,
  CR0_NE,
  CR0_PE,
  CR0_PG,
  CR0_WP,
  CR4_OSFXSR,
  CR4_OSXMMEXCPT,
  CR4_OSXSAVE,
  CR4_PAE,
  EFER_LMA,
  EFER_LME,
} from './control-registers';
import { componentsOf, cpuidBit, type CpuModel } from './cpu-model';
import type { Fault } from './faults';
import type { CodeMode } from './instruction';
import type { Memory } from './memory';
import { X87_INIT, type X87State } from './x87-state';

/** MXCSR after reset and in the initial configuration: all exceptions masked. */
export const MXCSR_INIT = 0x1f80;

/** Control registers and the MSRs that decide about components, as unsigned 32-bit numbers. */
export interface ControlState {
  cr0: number;
  cr4: number;
  efer: number;
  /** Bits of XCR0, IA32_XSS, IA32_XFD and IA32_XFD_ERR; no bit above 30 is defined. */
  xcr0: number;
  xss: number;
  xfd: number;
  xfdErr: number;
}

/** What the last XRSTOR left for the modified optimisation: the SDM's XRSTOR_INFO and XMODIFIED. */
export interface RestoreTracking {
  readonly address: bigint;
  readonly cpl: number;
  /** Where it was executed: outside 64-bit mode it did not reach all registers. */
  readonly mode: CodeMode;
  /** XCOMP_BV of the image; 0n for the standard form. */
  readonly xcompBv: bigint;
  /** Components that have not been modified since. */
  readonly unmodified: number;
}

/** What the model does not know, because an instruction computed it that is modelled only in what it touches. */
export interface Undetermined {
  components: number;
  mxcsr: boolean;
  /** Arithmetic flags, as bits of RFLAGS. */
  flags: bigint;
  /** General registers, as a bitmap. */
  registers: number;
  memory: { readonly address: bigint; readonly length: number }[];
}

/** Everything that the modelled instructions read or write. */
export interface ProcessorState {
  mode: CodeMode;
  cpl: 0 | 3;
  rip: bigint;
  rflags: bigint;
  /** RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8 to R15. */
  readonly registers: BigUint64Array;
  readonly control: ControlState;
  x87: X87State;
  mxcsr: number;
  /** Values of the components but x87, by bit, in their own memory layout; SSE without MXCSR. Never written in place. */
  readonly components: Uint8Array[];
  /** XINUSE, MXCSR not counted. */
  inUse: number;
  /** An instruction has written an x87 data register since they were loaded or initialised: some processors count that as use. */
  x87Written: boolean;
  tracking: RestoreTracking | undefined;
  readonly undetermined: Undetermined;
  /** Selectors that FCS and FDS show. */
  readonly selectors: { readonly cs: number; readonly ds: number };
  readonly memory: Memory;
}

/** Something that an instruction did. */
export type ProcessorEvent =
  | { readonly type: 'x87-loaded'; readonly value: X87State; readonly inUse: boolean; readonly written: boolean }
  | { readonly type: 'component-loaded'; readonly bit: number; readonly value: Uint8Array; readonly inUse: boolean }
  | { readonly type: 'mxcsr-loaded'; readonly value: number }
  | { readonly type: 'register-written'; readonly register: number; readonly value: bigint }
  | { readonly type: 'flags-written'; readonly value: bigint }
  | { readonly type: 'control-written'; readonly register: keyof ControlState; readonly value: number }
  | { readonly type: 'memory-written'; readonly address: bigint; readonly bytes: Uint8Array }
  | { readonly type: 'components-modified'; readonly mask: number }
  | { readonly type: 'component-in-use'; readonly bit: number }
  | { readonly type: 'restore-tracked'; readonly tracking: RestoreTracking | undefined }
  | { readonly type: 'result-undetermined'; readonly what: Partial<Undetermined> }
  | { readonly type: 'execution-started'; readonly at: bigint }
  | { readonly type: 'instruction-retired'; readonly mnemonic: string; readonly next: bigint }
  | { readonly type: 'fault-raised'; readonly mnemonic: string; readonly fault: Fault };

/** Applies one event. The only code that changes a state. */
export function apply(state: ProcessorState, event: ProcessorEvent): void {
  switch (event.type) {
    case 'x87-loaded':
      state.x87 = event.value;
      state.x87Written = event.written;
      return written(state, X87, event.inUse);
    case 'component-loaded':
      state.components[event.bit] = event.value;
      return written(state, event.bit, event.inUse);
    case 'mxcsr-loaded':
      state.mxcsr = event.value;
      state.undetermined.mxcsr = false;
      return;
    case 'register-written':
      state.registers[event.register] = event.value;
      state.undetermined.registers &= ~(1 << event.register);
      return;
    case 'flags-written':
      state.rflags = event.value;
      state.undetermined.flags = 0n;
      return;
    case 'control-written':
      state.control[event.register] = event.value;
      return;
    case 'memory-written':
      return state.memory.write(event.address, event.bytes);
    case 'component-in-use':
      state.inUse |= 1 << event.bit;
      return;
    case 'components-modified':
      return modified(state, event.mask);
    case 'restore-tracked':
      state.tracking = event.tracking;
      return;
    case 'result-undetermined':
      return undetermined(state, event.what);
    case 'execution-started':
      state.rip = event.at;
      return;
    case 'instruction-retired':
      state.rip = event.next;
      return;
    case 'fault-raised':
      return; // what delivery changes beyond registers that faults report is the kernel's business
    default:
      throw new Error(`fpulab bug: unknown event ${String(event satisfies never)}`);
  }
}

function written(state: ProcessorState, bit: number, inUse: boolean): void {
  state.inUse = inUse ? state.inUse | (1 << bit) : state.inUse & ~(1 << bit);
  state.undetermined.components &= ~(1 << bit);
  modified(state, 1 << bit);
}

function modified(state: ProcessorState, mask: number): void {
  if (!state.tracking || !(state.tracking.unmodified & mask)) return;
  state.tracking = { ...state.tracking, unmodified: state.tracking.unmodified & ~mask };
}

function undetermined(state: ProcessorState, what: Partial<Undetermined>): void {
  const { components = 0, mxcsr = false, flags = 0n, registers = 0, memory = [] } = what;
  const all = state.undetermined;
  all.components |= components;
  all.mxcsr ||= mxcsr;
  all.flags |= flags;
  all.registers |= registers;
  all.memory.push(...memory);
  state.inUse |= components;
  modified(state, components);
}

/** The bytes of a component in its initial configuration. x87 has a state of its own: X87_INIT. */
export function initialBytes(bit: number, size = COMPONENTS[bit].size): Uint8Array {
  const bytes = new Uint8Array(size);
  const { init = 0n } = COMPONENTS[bit];
  if (init !== 0n) new DataView(bytes.buffer).setBigUint64(0, init, true);
  return bytes;
}

/** Selectors of flat segments by CPL and mode, which FCS and FDS show: Linux user code, and boot code. */
export const FLAT_SELECTORS = {
  3: { 64: { cs: 0x33, ds: 0x2b }, 32: { cs: 0x23, ds: 0x2b } },
  0: { 64: { cs: 0x08, ds: 0x10 }, 32: { cs: 0x18, ds: 0x10 } },
} as const;

/**
 * A processor after boot as Linux leaves it: long mode where the model has it, FPU and XSAVE enabled for all that the model has, every
 * component in its initial configuration.
 */
export function bootState(
  model: CpuModel,
  memory: Memory,
  given: Partial<Pick<ProcessorState, 'mode' | 'cpl' | 'rip' | 'rflags' | 'selectors'>> = {},
): ProcessorState {
  const has = (bit: boolean, value: number): number => (bit ? value : 0);
  const xsave = model.features.includes('xsave');
  const fxsr = model.features.includes('fxsr');
  const long = hasLongMode(model);
  return {
    mode: long ? 64 : 32,
    cpl: 3,
    rip: 0n,
    rflags: 2n,
    registers: new BigUint64Array(16),
    control: {
      cr0: (CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_PG) >>> 0,
      cr4: has(long, CR4_PAE) | has(fxsr, CR4_OSFXSR | CR4_OSXMMEXCPT) | has(xsave, CR4_OSXSAVE),
      efer: has(long, EFER_LME | EFER_LMA),
      xcr0: model.xcr0,
      xss: model.xss,
      xfd: 0,
      xfdErr: 0,
    },
    x87: X87_INIT,
    mxcsr: MXCSR_INIT,
    components: initialComponents(model),
    inUse: 0,
    x87Written: false,
    tracking: undefined,
    undetermined: { components: 0, mxcsr: false, flags: 0n, registers: 0, memory: [] },
    selectors: { cs: 0, ds: 0 },
    memory,
    ...given,
  };
}

/** IA32_LBR_DEPTH after reset: all that the component has room for. */
const LBR_DEPTH_MAX = 32n;

/** CPUID 8000_0001H EDX[29]; where the leaf is not recorded, processors with XSAVE have long mode. */
export function hasLongMode(model: CpuModel): boolean {
  const recorded = model.cpuid['80000001.0'] !== undefined;
  return recorded ? cpuidBit(model, '80000001.0', 'edx', 29) : model.features.includes('xsave');
}

function initialComponents(model: CpuModel): Uint8Array[] {
  const size = (bit: number): number => model.components.find((one) => one.bit === bit)?.size ?? COMPONENTS[bit].size;
  const components = bitsOf(ALL_COMPONENTS).map((bit) =>
    initialBytes(bit, componentsOf(model) & (1 << bit) ? size(bit) : undefined),
  );
  new DataView(components[LBR].buffer).setBigUint64(8, LBR_DEPTH_MAX, true);
  return components;
}

/** True when a component's value is its initial configuration. MXCSR does not count for SSE. */
export function isInitial(bit: number, value: Uint8Array): boolean {
  const { init = 0n, initKeeps: [from, to] = [0, 0] } = COMPONENTS[bit];
  for (let index = 0; index < value.length; index++) {
    if (value[index] === 0 && init === 0n) continue;
    if (index >= from && index < to) continue;
    if (value[index] !== (index < 8 ? Number((init >> BigInt(8 * index)) & 0xffn) : 0)) return false;
  }
  return true;
}

/** Bits of SSE for XGETBV(1), XSAVEC and XSAVES: MXCSR counts there. */
export function sseInUse(mxcsr: number): number {
  return mxcsr === MXCSR_INIT ? 0 : 1 << SSE;
}
