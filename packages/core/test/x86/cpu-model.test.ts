import {
  AVX,
  CPU_IDS,
  MOVE_INSTRUCTIONS,
  OPMASK,
  PKRU,
  SSE,
  USER_COMPONENTS,
  X87,
  componentBits,
  componentsOf,
  cpuModel,
  hasFeature,
  saveArea,
  saveFormat,
  withoutFeatures,
} from '@fpulab/core';
import { INSTRUCTIONS_OF } from '../../src/kernel/save-format';
import { fpuErrorOf } from '../support/errors';

describe('CPU models', () => {
  it.each([
    ['pentium-mmx', [0]],
    ['pentium-iii', [0, 1]],
    ['nehalem', [0, 1]],
    ['sandybridge', [0, 1, 2]],
    ['haswell', [0, 1, 2]],
    ['skylake-x', [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]],
    ['sapphire-rapids', [0, 1, 2, 5, 6, 7, 8, 9, 10, 11, 12, 14, 15, 17, 18]],
    ['zen3', [0, 1, 2, 9, 11, 12]],
  ] as const)('%s has the components %j', (id, bits) => {
    expect(componentBits(cpuModel(id))).toEqual(bits);
  });

  it('are parsed once', () => {
    expect(cpuModel('haswell')).toBe(cpuModel('haswell'));
  });

  it('Linux 4.2 is lazy on a processor without XSAVEOPT: those up to one kind of Sandy Bridge, no later one', () => {
    const without = CPU_IDS.filter((id) => !hasFeature(cpuModel(id), 'xsaveopt'));
    expect(without).toEqual(['pentium-mmx', 'pentium-iii', 'nehalem', 'sandybridge']);
  });

  it('FPU101 for an unknown model, with the known ones', () => {
    const error = fpuErrorOf(() => cpuModel('i486'));
    expect(error.code).toBe('FPU101');
    expect(error.message).toBe(`no CPU model 'i486'; known: ${CPU_IDS.join(', ')}`);
    expect(error.detail).toEqual({ id: 'i486', known: CPU_IDS });
  });
});

describe('a processor from which features are hidden', () => {
  it('is itself when nothing is hidden', () => {
    const model = cpuModel('skylake-x');
    expect(withoutFeatures(model, [])).toBe(model);
  });

  it('loses the component with the feature, and leaves the others where they are', () => {
    const model = withoutFeatures(cpuModel('skylake-x'), ['mpx', 'pku']);
    expect([model.xcr0, model.xss]).toEqual([0xe7, 0x100]);
    expect(model.components.map(({ bit, offset }) => [bit, offset])).toEqual([
      [2, 576],
      [5, 1088],
      [6, 1152],
      [7, 1664],
      [8, 0],
    ]);
    expect(hasFeature(model, 'mpx') || hasFeature(model, 'pku')).toBe(false);
  });

  it('loses AVX-512 with AVX, supervisor state with XSAVES', () => {
    const noAvx = withoutFeatures(cpuModel('skylake-x'), ['avx']);
    expect([noAvx.xcr0, hasFeature(noAvx, 'avx512f')]).toEqual([0x21b, false]);
    const noXsaves = withoutFeatures(cpuModel('sapphire-rapids'), ['xsaves']);
    expect([noXsaves.xcr0, noXsaves.xss]).toEqual([0x602e7, 0]);
    expect(hasFeature(noXsaves, 'cet')).toBe(true);
  });

  it('has FXSAVE and nothing more without XSAVE', () => {
    const model = withoutFeatures(cpuModel('sapphire-rapids'), ['xsave']);
    expect([model.xcr0, model.xss, model.components, componentsOf(model)]).toEqual([0, 0, [], 3]);
    expect(saveFormat(model, { xsaves: true })).toBe('fxsave');
    expect(model.features.filter((feature) => /^x|avx|amx|pku|mpx/.test(feature))).toEqual([]);
  });
});

describe('how a kernel saves', () => {
  const ALL = USER_COMPONENTS;
  const LINUX_3_6 = (1 << X87) | (1 << SSE) | (1 << AVX);

  it.each([
    ['pentium-mmx', ALL, 'fnsave', 108],
    ['pentium-iii', ALL, 'fxsave', 512],
    ['nehalem', ALL, 'fxsave', 512],
    ['sandybridge', ALL, 'xsave', 832],
    ['sandybridge', LINUX_3_6 & ~(1 << AVX), 'xsave', 576],
    ['haswell', ALL, 'xsaveopt', 832],
    ['skylake-x', ALL, 'xsaveopt', 2696],
    ['skylake-x', LINUX_3_6, 'xsaveopt', 832],
    ['skylake-x', LINUX_3_6 | (1 << OPMASK), 'xsaveopt', 1152],
    ['sapphire-rapids', ALL, 'xsaveopt', 11008],
    ['zen3', LINUX_3_6 | (1 << PKRU), 'xsaveopt', 2440],
  ] as const)('%s, xfeatures 0x%x, without XSAVES: %s into %i bytes', (id, xfeatures, format, bytes) => {
    expect(saveArea(cpuModel(id), { xfeatures, xsaves: false })).toEqual({ format, bytes, ...INSTRUCTIONS_OF[format] });
  });

  it.each([
    ['haswell', ALL, 'xsaveopt', 832],
    ['skylake-x', ALL, 'xsaves', 2568],
    ['sapphire-rapids', ALL, 'xsaves', 10752],
    ['zen3', ALL, 'xsaves', 840],
  ] as const)('%s, xfeatures 0x%x, with XSAVES: %s into %i bytes', (id, xfeatures, format, bytes) => {
    expect(saveArea(cpuModel(id), { xfeatures, xsaves: true })).toEqual({ format, bytes, ...INSTRUCTIONS_OF[format] });
  });

  it.each([
    ['fnsave', 'FNSAVE', 'FRSTOR'],
    ['fxsave', 'FXSAVE', 'FXRSTOR'],
    ['xsave', 'XSAVE', 'XRSTOR'],
    ['xsaveopt', 'XSAVEOPT', 'XRSTOR'],
    ['xsaves', 'XSAVES', 'XRSTORS'],
  ] as const)('the format %s has the instructions %s and %s', (format, save, restore) => {
    const indices = INSTRUCTIONS_OF[format];
    expect([MOVE_INSTRUCTIONS[indices.save], MOVE_INSTRUCTIONS[indices.restore]]).toEqual([save, restore]);
  });

  it('instructions are numbered as events carry them: new ones go to the end', () => {
    expect(MOVE_INSTRUCTIONS.slice(0, 6)).toEqual(['FNSAVE', 'FRSTOR', 'FXSAVE', 'FXRSTOR', 'XSAVE', 'XRSTOR']);
  });
});
