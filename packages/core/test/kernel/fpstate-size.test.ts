import fc from 'fast-check';
import {
  LINUX_DYNAMIC_XFEATURES,
  LINUX_XSTATE_ERAS,
  LINUX_XSTATE_LATEST,
  calculateXstateBufSizeFromMask,
  linuxFpuConfig,
  xstateBufferConfig,
  xstateCalculateSize,
  type LinuxXstateEra,
} from '../../src/kernel/fpstate-size';
import { cpuModel } from '../../src/x86/cpu-model';
import { areaLayout } from '../../src/x86/layout';
import {
  AMD_CPU,
  AMX_CPU,
  APX_AND_MPX_CPU,
  APX_CPU,
  AVX_CPU,
  FSAVE_CPU,
  FXSAVE_CPU,
  MPX_CPU,
  anyMask,
  anyXsaveCpu,
} from '../support/hand-made-cpus';

const era = (since: string): LinuxXstateEra => LINUX_XSTATE_ERAS.find((one) => one.since === since) as LinuxXstateEra;
const anyEra = fc.constantFrom(...LINUX_XSTATE_ERAS);
const anyForm = fc.constantFrom('standard' as const, 'compacted' as const);

describe('xstate_calculate_size()', () => {
  it('is the size of the area, for every mask that Linux can enable', () => {
    fc.assert(
      fc.property(anyXsaveCpu, anyMask, anyForm, anyEra, (cpu, mask, form, when) => {
        const xfeatures = mask & (when.userSupported | when.supervisorSupported);
        const size = xstateCalculateSize(cpu, xfeatures, { form, era: when });
        expect(size).toBe(areaLayout(cpu, xfeatures, form).totalBytes);
      }),
    );
  });

  it('would have taken the highest-numbered feature before 6.16: too few bytes for APX', () => {
    expect(xstateCalculateSize(APX_CPU, 0x802e7, { form: 'standard', era: era('6.6') })).toBe(1088);
    expect(xstateCalculateSize(APX_CPU, 0x802e7, { form: 'standard', era: era('6.16') })).toBe(2696);
    expect(xstateCalculateSize(APX_CPU, 0x802e7, { form: 'compacted', era: era('6.6') })).toBe(2568);
  });
});

describe('fpu_kernel_cfg and fpu_user_cfg', () => {
  it('AMX: TILEDATA is in the maximum, not in the default', () => {
    expect(linuxFpuConfig(AMX_CPU, era('6.17'))).toEqual({
      era: era('6.17'),
      kernelForm: 'compacted',
      kernel: { maxFeatures: 0x61ee7, defaultFeatures: 0x20ee7, maxSize: 10752, defaultSize: 2560 },
      user: { maxFeatures: 0x602e7, defaultFeatures: 0x202e7, maxSize: 11008, defaultSize: 2816 },
      guest: { features: 0x21ee7, size: 2560 },
      independentFeatures: 0,
    });
  });

  it('CET_S is in guests by default since 6.17, and not in the host', () => {
    const cfg = linuxFpuConfig(AMD_CPU, era('6.17'));
    expect(cfg.kernel).toEqual({ maxFeatures: 0x1ae7, defaultFeatures: 0xae7, maxSize: 2480, defaultSize: 2456 });
    expect(cfg.guest).toEqual({ features: 0x1ae7, size: 2480 });
    expect(linuxFpuConfig(AMD_CPU, era('6.6')).guest).toEqual({ features: 0xae7, size: 2456 });
    expect(linuxFpuConfig(AMD_CPU, era('5.19')).kernel.maxFeatures).toBe(0x2e7);
  });

  it.each([
    ['sandybridge', 'standard', 832, 832, 832, 832],
    ['haswell', 'standard', 832, 832, 832, 832],
    ['skylake-x', 'compacted', 2568, 2568, 2696, 2696],
    ['sapphire-rapids', 'compacted', 2560, 10752, 2816, 11008],
    ['zen3', 'compacted', 856, 880, 2440, 2440],
    ['zen4', 'compacted', 2456, 2480, 2440, 2440],
  ])('%s: %s, kernel %i to %i, user %i to %i bytes', (id, form, kernelDefault, kernelMax, userDefault, userMax) => {
    const { kernelForm, kernel, user } = linuxFpuConfig(cpuModel(id));
    expect(kernelForm).toBe(form);
    expect([kernel.defaultSize, kernel.maxSize]).toEqual([kernelDefault, kernelMax]);
    expect([user.defaultSize, user.maxSize]).toEqual([userDefault, userMax]);
  });

  it('standard without XSAVEC: kernel and user buffers are the same', () => {
    const { kernelForm, kernel, user } = linuxFpuConfig(AVX_CPU);
    expect(kernelForm).toBe('standard');
    expect(kernel).toEqual({ maxFeatures: 7, defaultFeatures: 7, maxSize: 832, defaultSize: 832 });
    expect(user).toEqual(kernel);
  });

  it('XSAVEC without XSAVES: compacted since 5.19, without supervisor state', () => {
    const cpu = { ...MPX_CPU, features: MPX_CPU.features.filter((feature) => feature !== 'xsaves') };
    expect(linuxFpuConfig(cpu, era('5.16'))).toMatchObject({ kernelForm: 'standard', kernel: { maxSize: 2696 } });
    expect(linuxFpuConfig(cpu, era('5.19'))).toMatchObject({ kernelForm: 'compacted', kernel: { maxSize: 2568 } });
  });

  it('PT is enumerated, but Linux does not keep it in XSAVE areas', () => {
    expect(linuxFpuConfig(MPX_CPU).kernel).toEqual({
      maxFeatures: 0x2ff,
      defaultFeatures: 0x2ff,
      maxSize: 2568,
      defaultSize: 2568,
    });
  });

  it('a component without its CPUID feature is left out; TILEDATA without XFD too', () => {
    const without = (feature: string) => ({ ...AMX_CPU, features: AMX_CPU.features.filter((one) => one !== feature) });
    expect(linuxFpuConfig(without('pku')).user.maxFeatures).toBe(0x600e7);
    expect(linuxFpuConfig(without('amx')).user.maxFeatures).toBe(0x2e7);
    expect(linuxFpuConfig(without('xfd')).user.maxFeatures).toBe(0x202e7);
  });

  it('APX: the largest offset decides, and AVX-512 lies above', () => {
    expect(linuxFpuConfig(APX_CPU).user.maxSize).toBe(2696);
    expect(linuxFpuConfig(APX_CPU, era('6.6')).user).toMatchObject({ maxFeatures: 0x2e7, maxSize: 2696 });
  });

  it.each([
    ['FXSAVE', FXSAVE_CPU, 'fxsave', 512],
    ['FNSAVE', FSAVE_CPU, 'fsave', 112],
    ['APX with MPX, for which Linux gives XSAVE up', APX_AND_MPX_CPU, 'fxsave', 512],
  ] as const)('%s', (_what, cpu, kernelForm, size) => {
    const cfg = linuxFpuConfig(cpu);
    expect(cfg.kernelForm).toBe(kernelForm);
    expect([cfg.kernel.maxSize, cfg.kernel.defaultSize, cfg.user.maxSize, cfg.guest.size]).toEqual(Array(4).fill(size));
  });

  it('passes paranoid_xstate_size_valid(): the maximum is what CPUID would say for XCR0 | IA32_XSS', () => {
    fc.assert(
      fc.property(anyXsaveCpu, anyEra, (cpu, when) => {
        const { kernel, user, kernelForm } = linuxFpuConfig(cpu, when);
        const form = kernelForm === 'compacted' ? 'compacted' : 'standard';
        expect(kernel.maxSize).toBe(areaLayout(cpu, kernel.maxFeatures, form).totalBytes);
        expect(user.maxSize).toBe(areaLayout(cpu, user.maxFeatures, 'standard').totalBytes);
        expect(kernel.defaultSize).toBeLessThanOrEqual(kernel.maxSize);
        expect(user.defaultSize).toBeLessThanOrEqual(user.maxSize);
        expect(kernel.defaultFeatures & LINUX_DYNAMIC_XFEATURES).toBe(0);
      }),
    );
  });
});

describe('calculate_xstate_buf_size_from_mask(), version 10 of the AMX series', () => {
  it('has a minimum without and a maximum with TILEDATA', () => {
    expect(xstateBufferConfig(AMX_CPU)).toEqual({ mask: 0x606e7, dynamic: 0x40000, minSize: 2560, maxSize: 10752 });
    expect(calculateXstateBufSizeFromMask(AMX_CPU, 0x206e7)).toBe(2560);
    expect(calculateXstateBufSizeFromMask(AMX_CPU, 0x606e7)).toBe(10752);
  });

  it.each([
    [0x0, 0],
    [0x1, 576],
    [0x3, 576],
    [0x7, 832],
    [0x40003, 8768],
    [0x602e7, 10752],
  ])('mask %p takes %p bytes, compacted', (mask, bytes) => {
    expect(calculateXstateBufSizeFromMask(AMX_CPU, mask)).toBe(bytes);
  });

  it('takes offset and size of the last feature in the standard form', () => {
    const cpu = { ...AMX_CPU, features: AMX_CPU.features.filter((feature) => feature !== 'xsaves') };
    expect(xstateBufferConfig(cpu)).toEqual({ mask: 0x602e7, dynamic: 0x40000, minSize: 2816, maxSize: 11008 });
    expect(calculateXstateBufSizeFromMask(cpu, 0x203)).toBe(2696);
  });

  it('agrees with xstate_calculate_size() for every mask but none', () => {
    fc.assert(
      fc.property(anyXsaveCpu, anyMask, (cpu, mask) => {
        const form = cpu.features.includes('xsaves') ? 'compacted' : 'standard';
        const supported = mask & (cpu.xcr0 | cpu.xss) & ~0x80000;
        fc.pre(supported !== 0);
        const expected = areaLayout(cpu, supported, form).totalBytes;
        expect(calculateXstateBufSizeFromMask(cpu, supported)).toBe(expected);
      }),
    );
  });
});

it('eras are in order, and the latest is last', () => {
  const versions = LINUX_XSTATE_ERAS.map(({ since }) => since.split('.').map(Number));
  expect(versions).toEqual([...versions].sort(([a, b], [c, d]) => a - c || b - d));
  expect(LINUX_XSTATE_LATEST.since).toBe('6.17');
});
