/**
 * Random headers, images and instructions: whatever comes, an instruction runs or faults with a reason, and a restore writes
 * nothing to memory. A million in `npm run test:long`; the environment variable FPULAB_FUZZ_SEED chooses others.
 */
import { TILECFG, TILEDATA, UINTR, type Feature } from '../../src/x86/components';
import { cpuModel, type CpuModel } from '../../src/x86/cpu-model';
import { CR0_EM, CR0_TS, CR4_OSFXSR, CR4_OSXSAVE } from '../../src/x86/control-registers';
import { decode } from '../../src/x86/decoder';
import { execute, executeOne } from '../../src/x86/execute';
import { FAULT_REASONS, type FaultReason } from '../../src/x86/fault-reasons';
import { EXTENDED_OFFSET, HEADER_OFFSET } from '../../src/x86/layout';
import type { CodeMode, Instruction } from '../../src/x86/instruction';
import { Memory } from '../../src/x86/memory';
import { GPR, Processor } from '../../src/x86/processor';
import { bootState, hasLongMode, type ControlState } from '../../src/x86/processor-state';
import { often } from '../support/often';
import { CODE_OF, generator, type Mnemonic } from '../support/prepared-processors';

const SEED = Number(process.env.FPULAB_FUZZ_SEED ?? 20261120);
const RUNS = often(250_000, 1_000_000);

/** One of each kind: what is before or behind a missing page, XINUSE by value or by load, with and without XSAVEC, XSAVES, AMX, XSAVE. */
const MODELS = [
  ...['sapphire-rapids', 'skylake-x', 'zen4', 'haswell', 'bochs-sapphire-rapids', 'qemu-max', 'nehalem', 'pentium-iii'],
].map(cpuModel);

const RESTORES = ['XRSTOR', 'XRSTORS', 'FXRSTOR', 'FRSTOR', 'FLDENV', 'LDTILECFG', 'LDMXCSR'] as const;
const SAVES = ['XSAVE', 'XSAVEOPT', 'XSAVEC', 'XSAVES', 'FXSAVE', 'FNSAVE', 'FNSTENV', 'STTILECFG', 'STMXCSR'] as const;
/** What is run how often, out of the length of the list. */
const MIX = [
  ...repeated('XRSTOR', 24),
  ...repeated('XRSTORS', 18),
  ...repeated('FXRSTOR', 4),
  ...repeated('FRSTOR', 2),
  ...repeated('FLDENV', 1),
  ...repeated('LDTILECFG', 5),
  ...repeated('LDMXCSR', 2),
  ...SAVES,
  ...repeated('random bytes', 2),
];

/** What the processor has, and once in a while what it lacks. */
function mixOf(model: CpuModel): typeof MIX {
  const has = (name: (typeof MIX)[number]): boolean =>
    name === 'random bytes' || model.features.includes(FEATURE_OF[name] ?? 'fpu');
  const available = MIX.filter(has);
  return [...repeatedList(available, 8), ...MIX.filter((name) => !has(name))];
}

const FEATURE_OF: Partial<Record<Mnemonic, Feature>> = {
  ...{ FXSAVE: 'fxsr', FXRSTOR: 'fxsr', LDMXCSR: 'sse', STMXCSR: 'sse', LDTILECFG: 'amx', STTILECFG: 'amx' },
  ...{ XSAVE: 'xsave', XRSTOR: 'xsave', XSAVEOPT: 'xsaveopt', XSAVEC: 'xsavec', XSAVES: 'xsaves', XRSTORS: 'xsaves' },
};

function repeatedList<T>(list: readonly T[], times: number): T[] {
  return Array.from({ length: times }, () => list).flat();
}

function repeated<const T>(value: T, times: number): readonly T[] {
  return Array.from({ length: times }, () => value);
}

/** Reasons that must have occurred, or the fuzz has missed the checks it is for. */
const EXPECTED: readonly FaultReason[] = [
  ...([
    'xstate-bv-not-enabled',
    'standard-header-reserved',
    'xcomp-bv-not-compacted',
    'xcomp-bv-not-enabled',
    'xstate-bv-outside-xcomp-bv',
    'compacted-header-reserved',
    'compacted-unsupported',
  ] as const),
  ...(['mxcsr-reserved', 'supervisor-state-reserved', 'uinv-not-zero', 'xfd-armed', 'not-privileged'] as const),
  ...(['misaligned', 'non-canonical', 'alignment-check', 'page-not-present', 'page-read-only'] as const),
  ...(['tile-palette', 'tile-reserved', 'tile-shape', 'x87-exception-pending', 'ts-set', 'em-set'] as const),
  ...(['osfxsr-clear', 'osxsave-clear', 'no-such-feature', 'invalid-opcode', 'lock-prefix'] as const),
];

/** Bytes of the area that are there; behind them is a missing page. */
const AREA_BYTES = 0x3000;
const AREA = 0x10000n;
const READ_ONLY = 0x40000n;
const NOTHING = 0x50000n;
const CODE = 0x1000n;

const random = generator(SEED);
const chance = (oneIn: number): boolean => random() % oneIn === 0;
const oneOf = <T>(list: readonly T[]): T => list[random() % list.length];

/** A processor that is used again and again, and what it is put back to. */
interface Bench {
  readonly cpu: Processor;
  readonly area: Uint8Array;
  readonly words: Uint32Array;
  readonly control: Readonly<ControlState>;
  readonly components: readonly Uint8Array[];
  readonly mix: typeof MIX;
}

function benchOf(model: CpuModel): Bench {
  const area = new Uint8Array(AREA_BYTES);
  const memory = new Memory([
    { base: AREA, bytes: area, writable: true },
    { base: READ_ONLY, bytes: new Uint8Array(0x1000), writable: false },
  ]);
  const state = bootState(model, memory);
  const words = new Uint32Array(area.buffer);
  return {
    cpu: new Processor(model, state),
    area,
    words,
    control: { ...state.control },
    components: [...state.components],
    mix: mixOf(model),
  };
}

const AMX = (1 << TILECFG) | (1 << TILEDATA);

/** Legal, but now and then with something switched off. */
function resetControl({ cpu, control }: Bench): void {
  const { state, model } = cpu;
  Object.assign(state.control, control);
  state.cpl = chance(4) ? 3 : 0;
  state.mode = chance(4) || !hasLongMode(model) ? 32 : 64;
  state.rflags = chance(32) ? 0x40002n : 2n;
  const switchedOff = random() % 64;
  // Half of the runs without the large components, most others without tiles: 8 KiB take three times as long as all the rest.
  if (switchedOff < 32) state.control.xcr0 = model.xcr0 & 0x7;
  else if (switchedOff < 56) state.control.xcr0 = model.xcr0 & ~AMX;
  if (switchedOff < 8) state.control.xss = 0;
  if (switchedOff === 16) state.control.cr0 |= CR0_TS;
  if (switchedOff === 17) state.control.cr0 |= CR0_EM;
  if (switchedOff === 18) state.control.cr4 &= ~CR4_OSFXSR;
  if (switchedOff === 19) state.control.cr4 &= ~CR4_OSXSAVE;
  if (switchedOff > 48 && model.features.includes('xfd')) state.control.xfd = 1 << TILEDATA;
}

/** User interrupts with a notification vector, UINV. */
const ARMED_UINTR = new Uint8Array(48).fill(1, 20, 21);

/** Registers in their initial configuration: loads and saves change them from run to run. */
function resetRegisters({ cpu, area, components }: Bench): void {
  components.forEach((value, bit) => (cpu.state.components[bit] = value));
  if (chance(2)) cpu.state.components[UINTR] = ARMED_UINTR;
  cpu.state.inUse = 0;
  cpu.state.tracking = undefined;
  cpu.state.undetermined.memory.length = 0;
  area.fill(0);
}

const BOUNDARY_WORDS = [
  0, 1, 2, 3, 4, 7, 0x1f80, 0xffc0, 0xffff, 0x1_0000, 0x2_ffff, 0x602e7, 0x7fff_ffff, 0xffff_ffff,
];

/** Words of the header: XSTATE_BV, XCOMP_BV, reserved. */
const HEADER = HEADER_OFFSET / 4;
const MXCSR_WORD = 6;
const TOP_BIT = 0x8000_0000;

/**
 * Fills the part of the area that restores look at first: uniformly random, a valid image with mutations, or boundary values.
 *
 * @param from where the image starts; what would lie behind the end of the area is dropped
 */
function makeImage({ cpu, area, words }: Bench, from: number, mnemonic: string): void {
  const first = from >> 2;
  const header = first + HEADER;
  switch (random() % 8) {
    case 0:
      for (let word = first; word < header + 16; word++) words[word] = random();
      return;
    case 1:
      for (let word = 0; word < 28; word++) words[first + word] = oneOf(BOUNDARY_WORDS);
      for (let word = 0; word < 6; word++) words[header + word] = chance(2) ? 0 : oneOf(BOUNDARY_WORDS);
      words.fill(0, header + 6, header + 16);
      return;
    default:
      words.fill(0, first, header + 16);
      if (mnemonic === 'LDTILECFG') makeTileConfiguration(area, from);
      else makeValidImage(cpu, words, first, mnemonic === 'XRSTORS' ? !chance(8) : chance(2));
  }
  for (let mutations = random() % 3; mutations > 0; mutations--) mutate(area, from);
}

function makeValidImage({ model, control }: Processor, words: Uint32Array, first: number, compacted: boolean): void {
  const header = first + HEADER;
  const enabled = control.xcr0 | control.xss;
  const present = random() & (compacted ? enabled : control.xcr0) & (chance(8) ? -1 : ~(1 << TILEDATA));
  words[first] = 0x37f | (random() << 16);
  words[first + 1] = random() & 0x7ff_00ff;
  for (let word = first + 2; word < first + MXCSR_WORD; word++) words[word] = random();
  words[first + MXCSR_WORD] = random() & model.mxcsrMask;
  words[first + 8 + 4 * (random() % 8)] = random();
  words[header] = present;
  words[header + 2] = compacted ? present | (random() & enabled) : 0;
  words[header + 3] = compacted ? TOP_BIT : 0;
}

/** At the start of the area, where LDTILECFG finds it. */
function makeTileConfiguration(area: Uint8Array, from: number): void {
  area[from] = random() % 3;
  for (let tile = 0; tile < 8; tile++) {
    const bytesPerRow = random() % 65;
    area[from + 16 + 2 * tile] = bytesPerRow;
    area[from + 48 + tile] = bytesPerRow === 0 ? 0 : 1 + (random() % 16);
  }
}

/** Where a mutation hits, offset and bytes: x87 control words, MXCSR, TILECFG, the header, the components behind it. */
const MUTABLE = [
  [0, 16],
  [24, 16],
  [HEADER_OFFSET, 8],
  [HEADER_OFFSET + 8, 8],
  [HEADER_OFFSET + 16, 48],
  [16, 48],
  [EXTENDED_OFFSET, 0x400],
] as const;

function mutate(area: Uint8Array, from: number): void {
  const [start, bytes] = oneOf(MUTABLE);
  const offset = from + start + (random() % bytes);
  area[offset] = chance(2) ? random() : area[offset] ^ (1 << (random() % 8));
}

/** Where the image starts in the area: mostly at its start, else at any distance from the missing page behind it. */
function anyStart(): number {
  return chance(12) ? AREA_BYTES - 64 * (1 + (random() % 24)) : 0;
}

/** Where the instruction looks for it. */
function anyAddress(from: number): bigint {
  const right = AREA + BigInt(from);
  switch (random() % 32) {
    case 0:
      return right + BigInt(1 << (random() % 6));
    case 1:
      return (1n << 47n) << BigInt(random() % 17);
    case 2:
      return READ_ONLY;
    case 3:
      return NOTHING;
    default:
      return right;
  }
}

/** Beginnings of instructions that matter here; random bytes seldom are one. */
const STARTS = [
  [],
  [0x0f, 0xae],
  [0x0f, 0xc7],
  [0x0f, 0x01],
  [0x0f, 0x22],
  [0xdb],
  [0xdd],
  [0xc5],
  [0xc4, 0xe2],
  [0x62],
  [0xf0],
];

/** Each instruction is decoded once: decoding it anew would take half of the time. */
const decoded = new Map<string, Instruction>();

function instructionOf(mnemonic: Mnemonic, mode: CodeMode): Instruction {
  const rex = mode === 64 && chance(2) ? [0x48] : [];
  const operand16 = OPERAND_SIZED.includes(mnemonic) && chance(4) ? [0x66] : [];
  const key = `${mnemonic} ${mode} ${rex.length} ${operand16.length}`;
  const known = decoded.get(key) ?? decode(Uint8Array.of(...operand16, ...rex, ...CODE_OF[mnemonic]), 0, mode);
  decoded.set(key, known);
  return known;
}

const OPERAND_SIZED: readonly Mnemonic[] = ['FNSAVE', 'FRSTOR', 'FNSTENV', 'FLDENV'];

function anyCode(): Uint8Array {
  return Uint8Array.of(...oneOf(STARTS), ...randomBytes(1 + (random() % 12)));
}

function randomBytes(count: number): readonly number[] {
  return Array.from({ length: count }, () => random() & 0xff);
}

/** What happened, by name. */
class Tally {
  private readonly counts = new Map<string, number>();

  add(name: string): void {
    this.counts.set(name, (this.counts.get(name) ?? 0) + 1);
  }

  of(name: string): number {
    return this.counts.get(name) ?? 0;
  }

  get names(): readonly string[] {
    return [...this.counts.keys()];
  }
}

const outcomes = new Tally();
/** Must stay empty. */
const failures = new Tally();
const untouched = new Uint8Array(AREA_BYTES);

function fuzzOnce(bench: Bench, run: number): void {
  const { cpu, area } = bench;
  if (run % 64 === 0) resetRegisters(bench);
  resetControl(bench);
  const mnemonic = oneOf(bench.mix);
  const from = anyStart();
  makeImage(bench, from, mnemonic);
  const { registers, mode } = cpu.state;
  registers[GPR.rax] = BigInt(chance(4) ? 0xffff_ffff : random() & random());
  registers[GPR.rdx] = chance(2) ? 0xffff_ffffn : 0n;
  registers[GPR.rdi] = anyAddress(from);
  untouched.set(area);
  const outcome = outcomeOf(() => runOf(cpu, mnemonic, mode));
  if (outcome === 'not-modelled' && mnemonic === 'random bytes') return;
  const known = outcome === 'ran-to-end' || outcome in FAULT_REASONS;
  if (!known) failures.add(`${mnemonic} on ${cpu.model.id}: ${outcome}`);
  else outcomes.add(outcome);
  const restores = (RESTORES as readonly string[]).includes(mnemonic);
  if (restores && Buffer.compare(area, untouched) !== 0) failures.add(`${mnemonic} on ${cpu.model.id} wrote to memory`);
}

/** `ran-to-end`, `not-modelled`, or the reason of the fault. */
function runOf(cpu: Processor, mnemonic: Mnemonic | 'random bytes', mode: CodeMode): string {
  if (mnemonic === 'random bytes') {
    const execution = execute(cpu, { base: CODE, bytes: anyCode() });
    return execution.end === 'fault' ? execution.fault.reason : execution.end;
  }
  cpu.state.rip = CODE;
  return executeOne(cpu, instructionOf(mnemonic, mode))?.reason ?? 'ran-to-end';
}

/** Or the message of what was thrown. */
function outcomeOf(run: () => string): string {
  try {
    return run();
  } catch (error) {
    return String(error).replace(/0x[0-9a-f]+/g, '0x...');
  }
}

it(`random instructions and images run or fault, and restores write nothing (FPULAB_FUZZ_SEED=${SEED})`, () => {
  const benches = MODELS.map(benchOf);
  for (let run = 0; run < RUNS; run++) fuzzOnce(benches[run % benches.length], Math.floor(run / benches.length));
  expect(failures.names.map((name) => `${name}: ${failures.of(name)} times`)).toEqual([]);
  expect([...EXPECTED, 'ran-to-end'].filter((name) => outcomes.of(name) === 0)).toEqual([]);
  expect(outcomes.of('ran-to-end')).toBeGreaterThan(RUNS / 10);
});
