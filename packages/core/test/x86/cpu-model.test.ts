import {
  CPU_MODELS,
  MOVE_INSTRUCTIONS,
  componentBits,
  cpuModel,
  saveAreaBytes,
  saveFormat,
  type CpuModel,
} from '@fpulab/core';
import { INSTRUCTIONS_OF } from '../../src/x86/cpu-model';
import { fpuErrorOf } from '../support/errors';

describe('CPU models', () => {
  it.each([
    ['pentium-mmx', 'fnsave', 108, [0]],
    ['nehalem', 'fxsave', 512, [0, 1]],
    ['sandybridge', 'xsave', 832, [0, 1, 2]],
    ['haswell', 'xsave', 832, [0, 1, 2]],
  ] as const)('%s saves with %s: %i bytes, components %j', (id, format, bytes, bits) => {
    const model = cpuModel(id);
    expect(saveFormat(model)).toBe(format);
    expect(saveAreaBytes(model)).toBe(bytes);
    expect(componentBits(model)).toEqual(bits);
  });

  it('the table above covers all of them', () => {
    expect(CPU_MODELS.map(({ id }) => id)).toEqual(['pentium-mmx', 'nehalem', 'sandybridge', 'haswell']);
  });

  it.each([
    ['fnsave', 'FNSAVE', 'FRSTOR'],
    ['fxsave', 'FXSAVE', 'FXRSTOR'],
    ['xsave', 'XSAVE', 'XRSTOR'],
  ] as const)('the format %s has the instructions %s and %s', (format, save, restore) => {
    const indices = INSTRUCTIONS_OF[format];
    expect([MOVE_INSTRUCTIONS[indices.save], MOVE_INSTRUCTIONS[indices.restore]]).toEqual([save, restore]);
  });

  it('instructions are numbered as events carry them: logs of earlier versions stay valid', () => {
    expect(MOVE_INSTRUCTIONS).toEqual(['FNSAVE', 'FRSTOR', 'FXSAVE', 'FXRSTOR', 'XSAVE', 'XRSTOR']);
  });

  it('XSAVE without AVX writes legacy region and header: 576 bytes', () => {
    const model: CpuModel = { id: 'own', title: 'own', features: ['fpu', 'mmx', 'fxsr', 'sse', 'xsave'] };
    expect(saveAreaBytes(model)).toBe(576);
    expect(componentBits(model)).toEqual([0, 1]);
  });

  it('only Haswell has XSAVEOPT: Linux 4.2 is eager there and lazy on Sandy Bridge', () => {
    const withXsaveopt = CPU_MODELS.filter(({ features }) => features.includes('xsaveopt')).map(({ id }) => id);
    expect(withXsaveopt).toEqual(['haswell']);
  });

  it('FPU101 for an unknown model, with the known ones', () => {
    const error = fpuErrorOf(() => cpuModel('i486'));
    expect(error.code).toBe('FPU101');
    expect(error.message).toBe("no CPU model 'i486'; known: pentium-mmx, nehalem, sandybridge, haswell");
    expect(error.detail).toEqual({ id: 'i486', known: ['pentium-mmx', 'nehalem', 'sandybridge', 'haswell'] });
  });
});
