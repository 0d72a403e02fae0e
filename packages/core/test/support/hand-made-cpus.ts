/** Processors made for tests: laid out as real ones are, or as none is. */
import fc from 'fast-check';
import type { Feature } from '../../src/x86/components';
import { CPU_IDS, cpuModel, type ComponentEnumeration, type CpuModel } from '../../src/x86/cpu-model';

/** A component as CPUID leaf 0DH enumerates it; offset 0 makes it a supervisor component. */
export function enumerated(
  bit: number,
  size: number,
  offset: number,
  flags: { align64?: boolean; xfd?: boolean } = {},
) {
  return { bit, size, offset, supervisor: offset === 0, align64: false, xfd: false, ...flags };
}

const ALL_FEATURES: readonly Feature[] = [
  ...(['fpu', 'mmx', 'fxsr', 'sse', 'sse2', 'xsave', 'xsaveopt', 'xsavec', 'xgetbv1', 'xsaves', 'xfd'] as const),
  ...(['avx', 'mpx', 'avx512f', 'pt', 'pku', 'enqcmd', 'cet', 'hdc', 'uintr', 'lbr', 'hwp', 'amx', 'apx'] as const),
];

/** A processor with these components. */
export function cpuWith(
  id: string,
  components: readonly ComponentEnumeration[],
  { features = ALL_FEATURES, vendor = 'GenuineIntel' }: { features?: readonly Feature[]; vendor?: string } = {},
): CpuModel {
  const mask = (supervisor: boolean): number =>
    components.filter((one) => one.supervisor === supervisor).reduce((all, { bit }) => all | (1 << bit), 0);
  return {
    id,
    title: id,
    vendor,
    signature: { family: 6, model: 1, stepping: 1 },
    features,
    mxcsrMask: 0xffff,
    xcr0: features.includes('xsave') ? mask(false) | 0b11 : 0,
    xss: mask(true),
    components,
    behaviour: {
      initTracking: 'load',
      initTracking32: 'low',
      pointersSaved: 'always',
      pointersUpdated: { fop: 'always', fip: 'always', fdp: 'always' },
      selectorsSaved: true,
      pointerBits: 64,
      modifiedOptimisation: 'any',
      pageFault: 'before-transfer',
      deviations: [],
    },
    cpuid: {},
    sources: ['made for a test'],
  };
}

const without = (...lacking: readonly Feature[]): readonly Feature[] =>
  ALL_FEATURES.filter((feature) => !lacking.includes(feature));

const AVX_PART = enumerated(2, 256, 576);
const MPX_PART = [enumerated(3, 64, 960), enumerated(4, 64, 1024)];
const AVX512_PART = [enumerated(5, 64, 1088), enumerated(6, 512, 1152), enumerated(7, 1024, 1664)];
const PKRU_PART = enumerated(9, 8, 2688);
const AMX_PART = [
  enumerated(17, 64, 2752, { align64: true }),
  enumerated(18, 8192, 2816, { align64: true, xfd: true }),
];
const SUPERVISOR_PART = [enumerated(10, 8, 0), enumerated(11, 16, 0), enumerated(12, 24, 0), enumerated(14, 48, 0)];

/** AVX alone, XSAVE and nothing later. */
export const AVX_CPU = cpuWith('avx', [AVX_PART], { features: ['fpu', 'mmx', 'fxsr', 'sse', 'sse2', 'xsave', 'avx'] });

/** No XSAVE at all. */
export const FXSAVE_CPU = cpuWith('fxsave', [], { features: ['fpu', 'mmx', 'fxsr', 'sse', 'sse2'] });

/** No FXSAVE either. */
export const FSAVE_CPU = cpuWith('fsave', [], { features: ['fpu'] });

/** The layout of Skylake-X: MPX, AVX-512, PKRU; PT as supervisor state. */
export const MPX_CPU = cpuWith('mpx', [AVX_PART, ...MPX_PART, ...AVX512_PART, enumerated(8, 128, 0), PKRU_PART], {
  features: without('xfd', 'enqcmd', 'cet', 'hdc', 'uintr', 'lbr', 'hwp', 'amx', 'apx'),
});

/** The layout of Sapphire Rapids, without LBR, HWP and PT. */
export const AMX_CPU = cpuWith('amx', [AVX_PART, ...AVX512_PART, PKRU_PART, ...SUPERVISOR_PART, ...AMX_PART], {
  features: without('mpx', 'pt', 'hdc', 'lbr', 'hwp', 'apx'),
});

/** The layout of Zen 4: no gap where others have MPX. */
export const AMD_CPU = cpuWith(
  'amd',
  [
    AVX_PART,
    ...[enumerated(5, 64, 832), enumerated(6, 512, 896), enumerated(7, 1024, 1408)],
    ...[enumerated(9, 8, 2432), enumerated(11, 16, 0), enumerated(12, 24, 0)],
  ],
  {
    features: without('mpx', 'pt', 'enqcmd', 'hdc', 'uintr', 'lbr', 'hwp', 'amx', 'apx', 'xfd'),
    vendor: 'AuthenticAMD',
  },
);

/** APX where MPX was, below AVX-512. */
export const APX_CPU = cpuWith('apx', [AVX_PART, ...AVX512_PART, PKRU_PART, enumerated(19, 128, 960)], {
  features: without('mpx', 'pt', 'enqcmd', 'cet', 'hdc', 'uintr', 'lbr', 'hwp', 'amx', 'xfd'),
});

/** Both, which no processor has. */
export const APX_AND_MPX_CPU = cpuWith('apx-and-mpx', [AVX_PART, ...MPX_PART, enumerated(19, 128, 960)]);

/** All of the above that have XSAVE and a sound layout, and the built-in ones. */
export const XSAVE_CPUS: readonly CpuModel[] = [
  ...[AVX_CPU, MPX_CPU, AMX_CPU, AMD_CPU, APX_CPU],
  ...CPU_IDS.map((id) => cpuModel(id)).filter(({ features }) => features.includes('xsave')),
];

/** One of them. */
export const anyXsaveCpu = fc.constantFrom(...XSAVE_CPUS);

/** Any bitmap of components, those that no processor has included. */
export const anyMask = fc.integer({ min: 0, max: 0xfffff });
