/** The processor that `fpulab execute` runs on, before the code. */
import {
  FLAT_SELECTORS,
  FpuError,
  GPR,
  Memory,
  PKRU,
  Processor,
  bootState,
  explainXcr0,
  explainXss,
  hasFeature,
  xfeaturesName,
  type CodeMode,
  type ControlState,
  type CpuModel,
  type Illegality,
} from '@fpulab/core';

/** Where the code is. */
export const CODE_BASE = 0xa00_0000n;
/** Memory that can be written; the pages around it are not there. */
export const DATA_BASE = 0xb00_0000n;
/** Its bytes. */
export const DATA_BYTES = 0x4000;
/** RDI points so far into it. */
const OPERAND_OFFSET = 0x100;

const PAGE_BYTES = 4096;
/** Longest code that is run. */
export const CODE_BYTES_MAX = PAGE_BYTES;
/** CR4.PKE: Linux sets it where the processor has protection keys. */
const CR4_PKE = 1 << 22;
const ALL_ONES = 0xffff_ffffn;

/** What the processor and its memory are to be. */
export interface Setup {
  readonly model: CpuModel;
  readonly mode: CodeMode;
  readonly cpl: 0 | 3;
  /** `register=value` */
  readonly set: readonly string[];
  /** A fill byte, `a5`, or bytes behind RDI, `512=0300`. */
  readonly memory: readonly string[];
}

/** The processor, and the bytes that its code can write. */
export interface Bench {
  readonly cpu: Processor;
  readonly data: Uint8Array;
}

/**
 * A processor as after boot, with FPU and XSAVE enabled, EDX:EAX all ones (so that XSAVE saves all) and RDI pointing into memory.
 *
 * @throws FpuError FPU501 and FPU504 for settings that are malformed, unknown or impossible on the processor
 */
export function setUp({ model, mode, cpl, set, memory }: Setup, code: Uint8Array): Bench {
  const data = memoryOf(memory);
  const page = new Uint8Array(CODE_BYTES_MAX);
  page.set(code);
  const regions = new Memory([
    { base: DATA_BASE, bytes: data, writable: true },
    { base: CODE_BASE, bytes: page, writable: false },
  ]);
  const cpu = new Processor(model, bootState(model, regions, { mode, cpl, selectors: FLAT_SELECTORS[cpl][mode] }));
  if (hasFeature(model, 'pku')) cpu.state.control.cr4 |= CR4_PKE;
  cpu.state.registers[GPR.rax] = ALL_ONES;
  cpu.state.registers[GPR.rdx] = ALL_ONES;
  cpu.state.registers[GPR.rdi] = DATA_BASE + BigInt(OPERAND_OFFSET);
  for (const setting of set) assign(cpu, setting);
  return { cpu, data };
}

function memoryOf(settings: readonly string[]): Uint8Array {
  const data = new Uint8Array(DATA_BYTES);
  const patches = settings.filter((setting) => !/^[0-9a-f]{2}$/i.test(setting));
  for (const fill of settings.filter((setting) => !patches.includes(setting))) data.fill(Number.parseInt(fill, 16));
  for (const patch of patches) applyPatch(data, patch);
  return data;
}

function applyPatch(data: Uint8Array, patch: string): void {
  const [, where, digits] = /^(\d{1,5}|0x[0-9a-f]{1,4})=((?:[0-9a-f]{2})+)$/i.exec(patch) ?? [];
  if (where === undefined) {
    throw new FpuError(
      'FPU501',
      `--memory ${patch}: expected a fill byte such as a5, or offset=bytes such as 512=0300`,
    );
  }
  const bytes = Buffer.from(digits, 'hex');
  const start = OPERAND_OFFSET + Number(where);
  if (start + bytes.length > DATA_BYTES) {
    const room = DATA_BYTES - OPERAND_OFFSET;
    throw new FpuError('FPU501', `--memory ${patch}: there are ${room} bytes from where RDI points`);
  }
  data.set(bytes, start);
}

type Assign = (cpu: Processor, value: bigint) => void;

/** A register of `--set`: how wide it is, and what writes it. */
interface Settable {
  readonly bits: 32 | 64;
  readonly assign: Assign;
}

const LOW_NAMES = ['eax', 'ecx', 'edx', 'ebx', 'esp', 'ebp', 'esi', 'edi'];

/** Names of the general registers in the order of their encodings. */
export const REGISTER_NAMES: readonly string[] = [
  ...LOW_NAMES.map((name) => name.replace('e', 'r')),
  ...Array.from({ length: 8 }, (_, index) => `r${index + 8}`),
];

const general = (number: number, bits: 32 | 64): Settable => ({
  bits,
  assign: ({ state }, value) => (state.registers[number] = value),
});

const control = (register: keyof ControlState, check?: Assign): Settable => ({
  bits: 32,
  assign: (cpu, value) => {
    check?.(cpu, value);
    cpu.state.control[register] = Number(value);
  },
});

const SETTABLE: Readonly<Record<string, Settable>> = {
  ...Object.fromEntries(REGISTER_NAMES.map((name, number) => [name, general(number, 64)])),
  ...Object.fromEntries(LOW_NAMES.map((name, number) => [name, general(number, 32)])),
  rflags: { bits: 32, assign: ({ state }, value) => (state.rflags = value | 2n) },
  cr0: control('cr0'),
  cr4: control('cr4'),
  efer: control('efer'),
  xcr0: control('xcr0', (cpu, value) => refuseIllegal('xcr0', explainXcr0(cpu.model, value))),
  xss: control('xss', (cpu, value) => refuseIllegal('xss', explainXss(cpu.model, value))),
  xfd: control('xfd', refuseXfd),
  mxcsr: { bits: 32, assign: assignMxcsr },
  pkru: { bits: 32, assign: assignPkru },
};

function assign(cpu: Processor, setting: string): void {
  const [, name, text] = /^(\w+)=(0x[0-9a-f]+|\d+)$/i.exec(setting) ?? [];
  if (name === undefined) throw new FpuError('FPU501', `--set ${setting}: expected register=value, such as eax=0x7`);
  const register = Object.hasOwn(SETTABLE, name.toLowerCase()) ? SETTABLE[name.toLowerCase()] : undefined;
  if (!register) {
    const known = Object.keys(SETTABLE);
    throw new FpuError('FPU504', `--set: no register '${name}'; known: ${known.join(', ')}`, { known });
  }
  const value = BigInt(text);
  if (BigInt.asUintN(register.bits, value) !== value) {
    throw new FpuError('FPU501', `--set ${setting}: ${name} has ${register.bits} bits`);
  }
  register.assign(cpu, value);
}

function refuseIllegal(name: string, [first]: readonly Illegality[]): void {
  if (first) throw new FpuError('FPU501', `--set ${name}: the processor would refuse it: ${first.sentence}`);
}

function refuseXfd({ model }: Processor, value: bigint): void {
  const possible = model.components.reduce((mask, { bit, xfd }) => (xfd ? mask | (1 << bit) : mask), 0);
  if (value & ~BigInt(possible)) {
    const what = possible === 0 ? 'has no IA32_XFD' : `can disable ${xfeaturesName(possible)} and nothing else`;
    throw new FpuError('FPU501', `--set xfd: ${model.id} ${what}`);
  }
}

function assignMxcsr(cpu: Processor, value: bigint): void {
  const { id, mxcsrMask } = cpu.model;
  if (value & ~BigInt(mxcsrMask)) {
    throw new FpuError('FPU501', `--set mxcsr: MXCSR_MASK of ${id} is 0x${mxcsrMask.toString(16)}`);
  }
  cpu.loadMxcsr(Number(value));
}

function assignPkru(cpu: Processor, value: bigint): void {
  if (!hasFeature(cpu.model, 'pku')) throw new FpuError('FPU501', `--set pkru: ${cpu.model.id} has no PKRU`);
  const bytes = cpu.component(PKRU).slice();
  new DataView(bytes.buffer).setUint32(0, Number(value), true);
  cpu.load(PKRU, bytes, 'memory');
}
