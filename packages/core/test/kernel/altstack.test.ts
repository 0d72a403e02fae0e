/** How large an alternate stack has to be for a frame: FPU part, magic2, FSAVE header, and the rest of the frame below. */
import { cpuModel } from '@fpulab/core';
import { MINSIGSTKSZ, frameFits } from '../../src/kernel/altstack';

const fits = (cpu: string, xfeatures: number, bytes: number, abi: 'x86-64' | 'x32' | 'ia32' = 'x86-64'): boolean =>
  frameFits(bytes, abi, {
    model: cpuModel(cpu),
    userXfeatures: xfeatures,
    userMaxFeatures: xfeatures,
    ia32: abi === 'ia32',
  });

describe('frameFits', () => {
  it.each([
    ['sandybridge', 0x7, 'x86-64', 1348], // 832 + 4 down to a multiple of 64, then 440 down to a multiple of 16, less 8
    ['skylake-x', 0x2ff, 'x86-64', 3212], // 2,696 + 4
    ['skylake-x', 0x2ff, 'x32', 3148],
    ['skylake-x', 0x2ff, 'ia32', 3148], // 112 bytes of FSAVE header, but 268 of the rest
  ] as const)('%s with the components %i, %s: from %i bytes on', (cpu, xfeatures, abi, least) => {
    expect([fits(cpu, xfeatures, least - 1, abi), fits(cpu, xfeatures, least, abi)]).toEqual([false, true]);
  });

  it('MINSIGSTKSZ is enough with AVX, and not with AVX-512', () => {
    expect([fits('sandybridge', 0x7, MINSIGSTKSZ), fits('skylake-x', 0x2ff, MINSIGSTKSZ)]).toEqual([true, false]);
  });
});
