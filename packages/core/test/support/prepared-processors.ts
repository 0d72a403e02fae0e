/** Processors in a given state, with an area in memory and the instructions that save to it and restore from it. */
import { BNDCSR, COMPONENTS, PKRU, SSE, TILECFG, bitsOf } from '../../src/x86/components';
import { CR4_OSFXSR, EFER_FFXSR } from '../../src/x86/control-registers';
import { cpuModel, CPU_IDS, type CpuModel } from '../../src/x86/cpu-model';
import { execute, type Code, type Execution } from '../../src/x86/execute';
import { EXTENDED_OFFSET, HEADER_OFFSET, areaLayout } from '../../src/x86/layout';
import { isRefusedByMsr, withoutUif } from '../../src/x86/instructions/supervisor-state';
import { Memory } from '../../src/x86/memory';
import { GPR, Processor, type ProcessorChoices } from '../../src/x86/processor';
import { bootState, initialBytes, type ProcessorState } from '../../src/x86/processor-state';
import type { X87State } from '../../src/x86/x87-state';
import type { Contents, StateRecipe } from './arbitraries';

/** Where the area lies that instructions of `code` address. */
export const AREA = 0x10000n;
/** Three pages: more than any area of a built-in processor. */
export const AREA_BYTES = 0x3000;
const CODE = 0x1000n;

/** Built-in processors that have XSAVE. */
export const XSAVE_MODELS: readonly CpuModel[] = modelsWith('xsave');

/** Built-in processors that have a feature. */
export function modelsWith(feature: CpuModel['features'][number]): readonly CpuModel[] {
  return CPU_IDS.map((id) => cpuModel(id)).filter(({ features }) => features.includes(feature));
}

/** Rows for `it.each`, the id first. */
export const named = (models: readonly CpuModel[]): readonly (readonly [string, CpuModel])[] =>
  models.map((model) => [model.id, model]);

/** The four saves. */
export type Save = 'XSAVE' | 'XSAVEOPT' | 'XSAVEC' | 'XSAVES';

/** Every save on every built-in processor that has it. */
export const SAVES_ON_MODELS = (['XSAVE', 'XSAVEOPT', 'XSAVEC', 'XSAVES'] as const).flatMap((save) =>
  modelsWith(save.toLowerCase() as Lowercase<Save>).map((model) => [save, model.id, model] as const),
);

/** A recipe at a CPL where the instruction is allowed: XSAVES and XRSTORS need 0. */
export function atCpl(recipe: StateRecipe, mnemonic: Mnemonic): StateRecipe {
  return mnemonic === 'XSAVES' || mnemonic === 'XRSTORS' ? { ...recipe, cpl: 0 } : recipe;
}

const IA32_U_CET = 0x6a0;
const IA32_HWP_REQUEST = 0x774;
const IA32_UINTR_MISC = 0x988;
const IA32_PASID = 0xd93;
const IA32_PM_CTL1 = 0xdb1;
const IA32_LBR_CTL = 0x14ce;
const IA32_LBR_DEPTH = 0x14cf;

/** Machine code of each instruction on [RDI] (or [EDI]), without REX.W. */
export const CODE_OF = {
  FXSAVE: [0x0f, 0xae, 0x07],
  FXRSTOR: [0x0f, 0xae, 0x0f],
  LDMXCSR: [0x0f, 0xae, 0x17],
  STMXCSR: [0x0f, 0xae, 0x1f],
  XSAVE: [0x0f, 0xae, 0x27],
  XRSTOR: [0x0f, 0xae, 0x2f],
  XSAVEOPT: [0x0f, 0xae, 0x37],
  XSAVEC: [0x0f, 0xc7, 0x27],
  XSAVES: [0x0f, 0xc7, 0x2f],
  XRSTORS: [0x0f, 0xc7, 0x1f],
  FNSAVE: [0xdd, 0x37],
  FRSTOR: [0xdd, 0x27],
  FNSTENV: [0xd9, 0x37],
  FLDENV: [0xd9, 0x27],
  LDTILECFG: [0xc4, 0xe2, 0x78, 0x49, 0x07],
  STTILECFG: [0xc4, 0xe2, 0x79, 0x49, 0x07],
  FNINIT: [0xdb, 0xe3],
  VZEROUPPER: [0xc5, 0xf8, 0x77],
  VZEROALL: [0xc5, 0xfc, 0x77],
  XGETBV: [0x0f, 0x01, 0xd0],
} as const;

/** An instruction of the list. */
export type Mnemonic = keyof typeof CODE_OF;

/** How an instruction is run. */
export interface RunOptions {
  /** EDX:EAX; all ones unless given. */
  readonly mask?: number;
  /** REX.W, in 64-bit mode only. */
  readonly wide?: boolean;
  /** With the 66 prefix. */
  readonly operand16?: boolean;
  readonly address?: bigint;
}

/** Runs one instruction on the area. */
export function run(cpu: Processor, mnemonic: Mnemonic, options: RunOptions = {}): Execution {
  return execute(cpu, prepare(cpu, mnemonic, options));
}

/** Loads RIP and the registers that the instruction takes, and gives its code. */
export function prepare(cpu: Processor, mnemonic: Mnemonic, options: RunOptions = {}): Code {
  const { mask = -1, wide = false, operand16 = false, address = AREA } = options;
  cpu.state.rip = CODE;
  cpu.state.registers[GPR.rax] = BigInt(mask >>> 0);
  cpu.state.registers[GPR.rdx] = mask === -1 ? 0xffff_ffffn : 0n;
  cpu.state.registers[GPR.rdi] = address;
  const prefixes = [...(operand16 ? [0x66] : []), ...(wide && cpu.state.mode === 64 ? [0x48] : [])];
  return { base: CODE, bytes: Uint8Array.of(...prefixes, ...CODE_OF[mnemonic]) };
}

/** Runs an instruction that must not fault. */
export function runs(cpu: Processor, mnemonic: Mnemonic, options: RunOptions = {}): void {
  const execution = run(cpu, mnemonic, options);
  if (execution.end === 'ran-to-end') return;
  throw new Error(
    `${mnemonic} on ${cpu.model.id}: ${execution.end === 'fault' ? execution.fault.reason : execution.why}`,
  );
}

/** An area full of one byte, with a header that XRSTOR accepts: zeros. */
export function filledArea(byte: number): Uint8Array {
  return new Uint8Array(AREA_BYTES).fill(byte).fill(0, HEADER_OFFSET, EXTENDED_OFFSET);
}

/** Where a page ends behind which nothing is mapped, when an area is cut. */
const END_OF_PAGE = 0x20000n;

/**
 * The address at which an area is to be mapped so that the page behind its first `bytes` bytes is missing.
 *
 * @param bytes a multiple of 64, as the area must be aligned
 */
export function addressBefore(bytes: number): bigint {
  return END_OF_PAGE - BigInt(bytes);
}

/** Memory and choices of a processor made for a test. */
export interface ProcessorOptions {
  readonly area?: Uint8Array;
  readonly address?: bigint;
  readonly choices?: ProcessorChoices;
}

/** A processor in a state, with an area in its memory. */
export function processorOf(model: CpuModel, recipe: StateRecipe, options: ProcessorOptions = {}): Processor {
  const { area = filledArea(0xa5), address = AREA, choices } = options;
  const memory = new Memory([{ base: address, bytes: area, writable: true }]);
  const state = bootState(model, memory, { mode: recipe.mode, cpl: recipe.cpl, rip: CODE });
  const cpu = new Processor(model, state, choices);
  Object.assign(state.control, { xcr0: recipe.xcr0, xss: recipe.xss, xfd: recipe.xfd });
  if (!recipe.osfxsr) state.control.cr4 &= ~CR4_OSFXSR;
  if (recipe.ffxsr) state.control.efer |= EFER_FFXSR;
  if (model.features.includes('sse')) cpu.loadMxcsr(recipe.mxcsr & model.mxcsrMask);
  if (recipe.x87) cpu.loadX87(heldX87(model, recipe.x87), 'memory');
  const extended = model.components.reduce((mask, { bit }) => mask | (1 << bit), 0);
  for (const bit of bitsOf(extended | (model.features.includes('sse') ? 1 << SSE : 0))) {
    const contents = recipe.contents[bit];
    if (contents.kind !== 'initial') cpu.load(bit, bytesOfContents(model, bit, contents), 'memory');
  }
  return cpu;
}

/** An x87 state as the registers of a processor can hold it. */
function heldX87(model: CpuModel, x87: X87State): X87State {
  const { selectorsSaved, pointerBits } = model.behaviour;
  const pointer = (value: bigint): bigint =>
    pointerBits <= 32 ? BigInt.asUintN(pointerBits, value) : BigInt.asUintN(64, BigInt.asIntN(pointerBits, value));
  const selectors = selectorsSaved ? {} : { fcs: 0, fds: 0 };
  return { ...x87, ...selectors, fip: pointer(x87.fip), fdp: pointer(x87.fdp) };
}

/** Bytes of a component as its registers can hold them. */
export function bytesOfContents(model: CpuModel, bit: number, { kind, seed }: Contents): Uint8Array {
  const size = areaLayout(model, 1 << bit, 'compacted').components[0].size;
  const bytes = initialBytes(bit, size);
  const random = generator(seed);
  const { msrs } = COMPONENTS[bit];
  if (kind === 'initial' || kind === 'initial-loaded') fillMsrs(model, bytes, msrs);
  else if (bit === TILECFG) fillTileConfiguration(bytes, random);
  else {
    fillAtRandom(bytes, kind, random);
    bytes.fill(0, heldBytes(bit, size));
    fillMsrs(model, bytes, msrs);
  }
  return bytes;
}

function fillAtRandom(bytes: Uint8Array, kind: Contents['kind'], random: () => number): void {
  const half = bytes.length / 2;
  if (kind === 'one-byte') bytes[random() % bytes.length] = 1 + (random() % 255);
  else
    for (let index = kind === 'high-half' ? half : 0; index < (kind === 'low-half' ? half : bytes.length); index++)
      bytes[index] = random();
}

/** Bytes at the start of a component that are registers: PKRU has 32 bits, BNDCSR two registers, an MSR component its MSRs. */
function heldBytes(bit: number, size: number): number {
  if (bit === PKRU) return 4;
  return bit === BNDCSR ? 16 : 8 * (COMPONENTS[bit].msrs?.length ?? size);
}

/** Bits of MSRs that software may set; of all others a canonical address of a page is taken. */
const LEGAL_BITS: Readonly<Record<number, bigint>> = {
  [IA32_PASID]: 0x800f_ffffn,
  [IA32_PM_CTL1]: 1n,
  [IA32_HWP_REQUEST]: 0xffff_ffffn,
  // UIF, UITTSZ; UINV is clear, as XRSTORS wants the registers to have it.
  [IA32_UINTR_MISC]: 0x8000_0000_ffff_ffffn,
  [IA32_U_CET]: 0x3n,
  [IA32_LBR_CTL]: 0x7f_000fn,
};
const PAGE_ADDRESS = 0x7fff_ffff_f000n;
/** All that there is: images of another depth are not restored. */
const LBR_DEPTH = 32n;

/** Makes values of MSRs such that WRMSR takes them; IA32_RTIT_CTL.TraceEn is clear, as XRSTORS wants the registers to have it. */
function fillMsrs(model: CpuModel, bytes: Uint8Array, msrs: readonly number[] = []): void {
  const view = new DataView(bytes.buffer);
  msrs.forEach((msr, index) => {
    const value = view.getBigUint64(8 * index, true) & (LEGAL_BITS[msr] ?? PAGE_ADDRESS);
    const legal = msr === IA32_LBR_DEPTH ? LBR_DEPTH : isRefusedByMsr(model, msr, withoutUif(msr, value)) ? 0n : value;
    view.setBigUint64(8 * index, legal, true);
  });
}

/** A configuration that LDTILECFG takes. */
function fillTileConfiguration(config: Uint8Array, random: () => number): void {
  config[0] = 1;
  config[1] = random() % 16;
  for (let tile = 0; tile < 8; tile++) {
    if (random() % 4 === 0) continue;
    config[48 + tile] = 1 + (random() % 16);
    config[16 + 2 * tile] = 1 + (random() % 64);
  }
}

/** A small generator of 32-bit numbers (xorshift). */
export function generator(seed: number): () => number {
  let state = seed | 0 || 0x9e3779b9;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

/** A copy of a state with memory of its own. */
export function copyOf(state: ProcessorState): ProcessorState {
  const { components, control, memory, registers, undetermined } = state;
  return {
    ...state,
    registers: registers.slice(),
    control: { ...control },
    components: components.map((bytes) => bytes.slice()),
    undetermined: { ...undetermined, memory: [...undetermined.memory] },
    memory: new Memory(memory.regions.map((region) => ({ ...region, bytes: region.bytes.slice() }))),
  };
}

/** The area of a processor made by `processorOf`. */
export function areaOf({ state }: Processor): Uint8Array {
  return state.memory.regions[0].bytes;
}

/** XSTATE_BV and XCOMP_BV in an area. */
export function headerOf(area: Uint8Array): { readonly xstateBv: bigint; readonly xcompBv: bigint } {
  const view = new DataView(area.buffer, area.byteOffset + HEADER_OFFSET, 16);
  return { xstateBv: view.getBigUint64(0, true), xcompBv: view.getBigUint64(8, true) };
}

/** What kind of area a mnemonic writes. */
export function formOf(mnemonic: Mnemonic): 'standard' | 'compacted' {
  return mnemonic === 'XSAVEC' || mnemonic === 'XSAVES' ? 'compacted' : 'standard';
}

/** EDX:EAX as far as it is enabled. */
export function rfbmOf({ control }: Processor, mnemonic: Mnemonic, mask: number): number {
  return mask & (control.xcr0 | (mnemonic === 'XSAVES' || mnemonic === 'XRSTORS' ? control.xss : 0));
}
