/**
 * XSAVE state components: the one table.
 *
 * Source: Intel SDM Vol. 1 "XSAVE-Supported Features and State-Component Bitmaps" (13.1), "Processor Tracking of
 * XSAVE-Managed State" (13.6: the initial configurations); CPUID leaf 0DH enumerates size, offset and alignment per CPU.
 */

/** CPU features that decide which instructions, components and MSRs exist. */
export type Feature =
  | 'fpu'
  | 'mmx'
  | 'fxsr'
  | 'ffxsr'
  | 'sse'
  | 'sse2'
  | 'xsave'
  | 'xsaveopt'
  | 'xsavec'
  | 'xgetbv1'
  | 'xsaves'
  | 'xfd'
  | 'avx'
  | 'mpx'
  | 'avx512f'
  | 'pt'
  | 'pku'
  | 'enqcmd'
  | 'cet'
  | 'hdc'
  | 'uintr'
  | 'lbr'
  | 'hwp'
  | 'amx'
  | 'apx';

/** The register that enables a component: XCR0 for user state, IA32_XSS for supervisor state. */
export type EnablingRegister = 'xcr0' | 'xss';

/** One state component: bit `bit` of XCR0 or IA32_XSS, of XSTATE_BV and of every other xfeatures bitmap. */
export interface Component {
  readonly bit: number;
  /** Short name, lower case: `x87`, `zmm_hi256`, `tiledata`. */
  readonly name: string;
  /** What registers it is. */
  readonly registers: string;
  /** The CPUID feature without which the component does not exist. */
  readonly feature: Feature;
  /** User components are enabled in XCR0, supervisor components in IA32_XSS. */
  readonly enabledBy: EnablingRegister;
  /** Bytes in an XSAVE area, as every processor enumerates it; x87 and SSE: what they own of the legacy region. */
  readonly size: number;
  /** Whether the compacted format puts it at a multiple of 64 (CPUID.(EAX=0DH,ECX=i):ECX[1]). */
  readonly align64: boolean;
  /** Bits that must be set with it in the enabling register, itself not among them. */
  readonly requires: number;
  /** Its first 64 bits in the initial configuration, where they are not zero; every byte after them is zero. */
  readonly init?: bigint;
  /** Bytes that registers hold, where the component has reserved ones behind them; loads drop those. */
  readonly registerBytes?: number;
  /** Bytes that are no part of the initial configuration and keep their value in it: IA32_LBR_DEPTH. */
  readonly initKeeps?: readonly [from: number, to: number];
  /** MSRs that hold it, in the order of its bytes; each 8 bytes. */
  readonly msrs?: readonly number[];
}

/** x87 state. MMX registers are the significands of the x87 registers and belong to it. */
export const X87 = 0;
/** XMM registers and, with rules of its own, MXCSR. */
export const SSE = 1;
/** Upper halves of YMM0 to YMM15. */
export const AVX = 2;
/** MPX bound registers. */
export const BNDREGS = 3;
/** MPX BNDCFGU and BNDSTATUS. */
export const BNDCSR = 4;
/** AVX-512 opmask registers. */
export const OPMASK = 5;
/** Upper halves of ZMM0 to ZMM15. */
export const ZMM_HI256 = 6;
/** ZMM16 to ZMM31. */
export const HI16_ZMM = 7;
/** Processor Trace MSRs. */
export const PT = 8;
/** PKRU. */
export const PKRU = 9;
/** IA32_PASID. */
export const PASID = 10;
/** CET user-mode MSRs. */
export const CET_U = 11;
/** CET shadow-stack pointers of supervisor mode. */
export const CET_S = 12;
/** Hardware duty cycling. */
export const HDC = 13;
/** User interrupts. */
export const UINTR = 14;
/** Last branch records. */
export const LBR = 15;
/** Hardware P-states. */
export const HWP = 16;
/** AMX TILECFG. */
export const TILECFG = 17;
/** AMX TILEDATA. */
export const TILEDATA = 18;
/** APX general registers R16 to R31. */
export const APX = 19;

const AVX512 = (1 << OPMASK) | (1 << ZMM_HI256) | (1 << HI16_ZMM);

/** IA32_LBR_CTL, IA32_LBR_DEPTH, IA32_LER_FROM_IP, TO_IP and INFO, then FROM, TO and INFO of each of 32 branches. */
const LBR_MSRS = [
  ...[0x14ce, 0x14cf, 0x1dd, 0x1de, 0x1e0],
  ...Array.from({ length: 32 }, (_, entry) => [0x1500 + entry, 0x1600 + entry, 0x1200 + entry]).flat(),
];

interface Row extends Partial<Component> {
  readonly size: number;
}

const user = (bit: number, name: string, registers: string, feature: Feature, row: Row): Component => ({
  bit,
  name,
  registers,
  feature,
  enabledBy: 'xcr0',
  align64: false,
  requires: 0,
  ...row,
});
const supervisor = (bit: number, name: string, registers: string, feature: Feature, row: Row): Component => ({
  ...user(bit, name, registers, feature, row),
  enabledBy: 'xss',
});

/** All state components that are architecturally defined, by bit. */
export const COMPONENTS: readonly Component[] = [
  user(X87, 'x87', 'FCW FSW FTW FOP FIP FDP ST0-ST7', 'fpu', { size: 160 }),
  user(SSE, 'sse', 'XMM0-XMM15, MXCSR', 'sse', { size: 256 }),
  user(AVX, 'avx', 'upper halves of YMM0-YMM15', 'avx', { size: 256, requires: 1 << SSE }),
  user(BNDREGS, 'bndregs', 'BND0-BND3', 'mpx', { size: 64, requires: 1 << BNDCSR }),
  user(BNDCSR, 'bndcsr', 'BNDCFGU, BNDSTATUS', 'mpx', { size: 64, registerBytes: 16, requires: 1 << BNDREGS }),
  user(OPMASK, 'opmask', 'K0-K7', 'avx512f', { size: 64, requires: (AVX512 & ~(1 << OPMASK)) | (1 << AVX) }),
  user(ZMM_HI256, 'zmm_hi256', 'upper halves of ZMM0-ZMM15', 'avx512f', {
    size: 512,
    requires: (AVX512 & ~(1 << ZMM_HI256)) | (1 << AVX),
  }),
  user(HI16_ZMM, 'hi16_zmm', 'ZMM16-ZMM31', 'avx512f', {
    size: 1024,
    requires: (AVX512 & ~(1 << HI16_ZMM)) | (1 << AVX),
  }),
  supervisor(PT, 'pt', 'IA32_RTIT_* MSRs', 'pt', {
    size: 128,
    msrs: [0x570, 0x560, 0x561, 0x571, 0x572, 0x580, 0x581, 0x582, 0x583],
  }),
  user(PKRU, 'pkru', 'PKRU', 'pku', { size: 8, registerBytes: 4 }),
  supervisor(PASID, 'pasid', 'IA32_PASID', 'enqcmd', { size: 8, msrs: [0xd93] }),
  supervisor(CET_U, 'cet_u', 'IA32_U_CET, IA32_PL3_SSP', 'cet', { size: 16, msrs: [0x6a0, 0x6a7] }),
  supervisor(CET_S, 'cet_s', 'IA32_PL0_SSP, IA32_PL1_SSP, IA32_PL2_SSP', 'cet', {
    size: 24,
    msrs: [0x6a4, 0x6a5, 0x6a6],
  }),
  supervisor(HDC, 'hdc', 'IA32_PM_CTL1', 'hdc', { size: 8, init: 1n, msrs: [0xdb1] }),
  supervisor(UINTR, 'uintr', 'IA32_UINTR_* MSRs, UIF', 'uintr', {
    size: 48,
    msrs: [0x986, 0x987, 0x988, 0x989, 0x985, 0x98a],
  }),
  supervisor(LBR, 'lbr', 'IA32_LBR_* MSRs', 'lbr', { size: 808, msrs: LBR_MSRS, initKeeps: [8, 16] }),
  supervisor(HWP, 'hwp', 'IA32_HWP_REQUEST', 'hwp', { size: 8, init: 0x8000ff01n, msrs: [0x774] }),
  user(TILECFG, 'tilecfg', 'TILECFG', 'amx', { size: 64, align64: true, requires: 1 << TILEDATA }),
  user(TILEDATA, 'tiledata', 'TMM0-TMM7', 'amx', { size: 8192, align64: true, requires: 1 << TILECFG }),
  user(APX, 'apx', 'R16-R31', 'apx', { size: 128 }),
];

/** Bits of all components that are defined. */
export const ALL_COMPONENTS = COMPONENTS.reduce((mask, { bit }) => mask | (1 << bit), 0);

/** Bits of all user components. */
export const USER_COMPONENTS = COMPONENTS.filter(({ enabledBy }) => enabledBy === 'xcr0').reduce(
  (mask, { bit }) => mask | (1 << bit),
  0,
);

/** Bits of all supervisor components. */
export const SUPERVISOR_COMPONENTS = ALL_COMPONENTS & ~USER_COMPONENTS;

/** `x87`, `sse`, ... for a component bit; `xfeature20` where none is defined. */
export function componentName(bit: number): string {
  return COMPONENTS[bit]?.name ?? `xfeature${bit}`;
}

/** True when a bitmap has a component's bit. */
export function hasComponent(xfeatures: number, bit: number): boolean {
  return (xfeatures & (1 << bit)) !== 0;
}

/** Bits of a bitmap, ascending. Takes bits 0 to 31. */
export function bitsOf(mask: number): readonly number[] {
  const bits: number[] = [];
  for (let rest = mask; rest !== 0; rest &= rest - 1) bits.push(31 - Math.clz32(rest & -rest));
  return bits;
}

/** `x87+sse` for a bitmap, `none` for the empty one. */
export function xfeaturesName(mask: number): string {
  return mask === 0 ? 'none' : bitsOf(mask).map(componentName).join('+');
}
