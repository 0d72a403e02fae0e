/**
 * CPU models: what a processor enumerates and how it behaves where the manuals leave room.
 *
 * The built-in ones are data files, `cpus/*.cpu.json`; users load their own with `parseCpuModel`.
 */
import { FpuError } from '../error';
import { CPU_IDS, builtInCpu } from './cpus';
import { ALL_COMPONENTS, COMPONENTS, SUPERVISOR_COMPONENTS, bitsOf, type Feature } from './components';
import { modelOf } from './cpu-model-file';
import type { Deviation } from './deviations';
import type { InitTracking } from './init-tracking';

/** One sub-leaf of CPUID leaf 0DH: an extended component (bit 2 and up) as this processor lays it out. */
export interface ComponentEnumeration {
  readonly bit: number;
  /** EAX. */
  readonly size: number;
  /** EBX: offset in the standard format; 0 for supervisor components, which have none. */
  readonly offset: number;
  /** ECX[0]: managed by IA32_XSS, not XCR0. */
  readonly supervisor: boolean;
  /** ECX[1]: in the compacted format it starts at a multiple of 64. */
  readonly align64: boolean;
  /** ECX[2]: IA32_XFD can disable it. */
  readonly xfd: boolean;
}

/** EAX, EBX, ECX, EDX. */
export type CpuidRegisters = readonly [eax: number, ebx: number, ecx: number, edx: number];

/** How a processor behaves where processors differ. Each value's source is in the model's `sources`. */
export interface CpuBehaviour {
  /** When a component is in use. */
  readonly initTracking: InitTracking;
  /** Which registers XINUSE of SSE, AVX and AVX-512 looks at outside 64-bit mode: `low` is the SDM (13.6). */
  readonly initTracking32: 'all' | 'low';
  /**
   * FOP, FIP and FDP in FXSAVE and XSAVE areas: `always` as they are; without a pending exception (FSW.ES clear) AMD stores zeros
   * where CPUID 8000_0008H EBX[2] says so (`zero-without-exception`), and earlier leaves memory, and on a restore the registers,
   * alone (`untouched-without-exception`); `never`: they are neither stored (zeros are) nor loaded.
   */
  readonly pointersSaved: 'always' | 'zero-without-exception' | 'untouched-without-exception' | 'never';
  /** Which x87 instructions load FOP, FIP and FDP: all, those with an unmasked exception, or none. */
  readonly pointersUpdated: Readonly<Record<'fop' | 'fip' | 'fdp', 'always' | 'with-exception' | 'never'>>;
  /** FCS and FDS: saved, or (CPUID.(7,0):EBX[13]) stored as zero. */
  readonly selectorsSaved: boolean;
  /** Linear-address bits that FIP and FDP keep, sign-extended. */
  readonly pointerBits: number;
  /** XSAVEOPT's and XSAVES's modified optimisation: none, started by a standard XRSTOR only, or by any XRSTOR and XRSTORS. */
  readonly modifiedOptimisation: 'none' | 'standard' | 'any';
  /**
   * When XRSTOR and XSAVE meet a page that is not there: nothing has been transferred (`before-transfer`: the first and last byte are
   * looked at first), everything that comes before it has (`in-order`), or any part of what was asked for (`any-part`).
   */
  readonly pageFault: 'before-transfer' | 'in-order' | 'any-part';
  /** Where it does something else than the manuals say. */
  readonly deviations: readonly Deviation[];
}

/** A processor. */
export interface CpuModel {
  readonly id: string;
  readonly title: string;
  readonly vendor: string;
  /** Display family, model and stepping. */
  readonly signature: { readonly family: number; readonly model: number; readonly stepping: number };
  readonly features: readonly Feature[];
  /** MXCSR bits that may be set; 0 where there is no MXCSR. */
  readonly mxcsrMask: number;
  /** Bits that XCR0 may hold; 0 without XSAVE. */
  readonly xcr0: number;
  /** Bits that IA32_XSS may hold. */
  readonly xss: number;
  /** CPUID leaf 0DH, sub-leaves 2 and up. */
  readonly components: readonly ComponentEnumeration[];
  readonly behaviour: CpuBehaviour;
  /** Other CPUID leaves that are known, by `leaf.subleaf` in lower-case hex. */
  readonly cpuid: Readonly<Record<string, CpuidRegisters>>;
  /** Where each statement comes from. */
  readonly sources: readonly string[];
}

const parsed = new Map<string, CpuModel>();

/** Ids of the built-in processors. */
export { CPU_IDS };

/**
 * The built-in processor with this id.
 *
 * @throws FpuError FPU101 when there is none
 */
export function cpuModel(id: string): CpuModel {
  const known = parsed.get(id);
  if (known) return known;
  if (!CPU_IDS.includes(id))
    throw new FpuError('FPU101', `no CPU model '${id}'; known: ${CPU_IDS.join(', ')}`, { id, known: CPU_IDS });
  const model = modelOf(builtInCpu(id));
  parsed.set(id, model);
  return model;
}

/** Components that exist on a CPU, as a bitmap: x87, SSE with FXSR and SSE, and whatever leaf 0DH enumerates. */
export function componentsOf(model: CpuModel): number {
  const legacy = COMPONENTS.slice(0, 2).filter(({ feature }) => model.features.includes(feature));
  return legacy.reduce((mask, { bit }) => mask | (1 << bit), 0) | ((model.xcr0 | model.xss) & ALL_COMPONENTS);
}

/** Components that exist on a CPU, as bits in ascending order. */
export function componentBits(model: CpuModel): readonly number[] {
  return bitsOf(componentsOf(model));
}

/** True when the CPU has a feature. */
export function hasFeature(model: CpuModel, feature: Feature): boolean {
  return model.features.includes(feature);
}

/** What goes with XSAVE. */
const XSAVE_FAMILY: readonly Feature[] = ['xsaveopt', 'xsavec', 'xgetbv1', 'xsaves', 'xfd'];

/**
 * The processor as somebody sees it from whom features are hidden, with the components that need them.
 *
 * What lies where in an area, and the recorded CPUID leaves, stay as they are.
 */
export function withoutFeatures(model: CpuModel, hidden: readonly Feature[]): CpuModel {
  if (hidden.length === 0) return model;
  const noXsave = hidden.includes('xsave');
  // Ascending: whatever a component requires has a lower bit, or the same feature.
  const lost = COMPONENTS.reduce((mask, { bit, feature, enabledBy, requires }) => {
    const unsupported = enabledBy === 'xss' && hidden.includes('xsaves');
    const gone = hidden.includes(feature) || unsupported || (noXsave && bit > 1) || (requires & mask) !== 0;
    return gone ? mask | (1 << bit) : mask;
  }, 0);
  const lostFeatures = COMPONENTS.filter(({ bit }) => lost & ~SUPERVISOR_COMPONENTS & (1 << bit)).map(
    ({ feature }) => feature,
  );
  const gone = [...hidden, ...lostFeatures, ...(noXsave ? XSAVE_FAMILY : [])];
  return {
    ...model,
    features: model.features.filter((feature) => !gone.includes(feature)),
    xcr0: noXsave ? 0 : model.xcr0 & ~lost,
    xss: noXsave ? 0 : model.xss & ~lost,
    components: model.components.filter(({ bit }) => !(lost & (1 << bit))),
  };
}

/** A register of CPUID's answer. */
export type CpuidRegister = 'eax' | 'ebx' | 'ecx' | 'edx';

const CPUID_REGISTERS: readonly CpuidRegister[] = ['eax', 'ebx', 'ecx', 'edx'];

/** One bit of a CPUID leaf (`7.0`) as the model records it; false where the leaf is not recorded. */
export function cpuidBit(model: CpuModel, leaf: string, register: CpuidRegister, bit: number): boolean {
  const value = model.cpuid[leaf]?.[CPUID_REGISTERS.indexOf(register)] ?? 0;
  return ((value >>> bit) & 1) === 1;
}
