import fc from 'fast-check';
import type { CpuModel } from '../../src/x86/cpu-model';
import { areaLayout, type AreaForm } from '../../src/x86/layout';
import { compareLayouts, explainSize } from '../../src/x86/layout-comparison';
import {
  AMD_CPU,
  AMX_CPU,
  APX_CPU,
  AVX_CPU,
  FXSAVE_CPU,
  MPX_CPU,
  anyMask,
  anyXsaveCpu,
} from '../support/hand-made-cpus';

const side = (model: CpuModel, mask: number, form: AreaForm = 'standard') => ({
  model,
  layout: areaLayout(model, mask, form),
});
const sentences = (...sides: Parameters<typeof compareLayouts>): readonly string[] =>
  compareLayouts(...sides).map(({ sentence }) => sentence);

describe('two layouts', () => {
  it('are the same as themselves', () => {
    fc.assert(
      fc.property(anyXsaveCpu, anyMask, (cpu, mask) => {
        expect(compareLayouts(side(cpu, mask), side(cpu, mask))).toEqual([]);
      }),
    );
  });

  it('2688 against 2696: PKRU', () => {
    expect(sentences(side(MPX_CPU, 0xff), side(MPX_CPU, 0x2ff))).toEqual([
      '2688 against 2696 bytes, 8 more in the second: on mpx it ends with hi16_zmm (bit 7) at 1664+1024; on mpx it ends with pkru (bit 9) at 2688+8',
      "pkru (bit 9) is only in the area of mpx: the mask of mpx's area leaves it out",
    ]);
  });

  it('feature 5 at another offset: no room for MPX', () => {
    const differences = compareLayouts(side(AMD_CPU, 0xe7), side(MPX_CPU, 0xff));
    expect(differences.find(({ code, bit }) => code === 'offset' && bit === 5)).toEqual({
      code: 'offset',
      bit: 5,
      first: 832,
      second: 1088,
      sentence:
        'opmask (bit 5) is at 832 on amd and at 1088 on mpx: CPUID.(EAX=0DH,ECX=5):EBX says so; amd leaves no room for bndregs (bit 3) and bndcsr (bit 4)',
    });
  });

  it('feature 5 at another offset, where neither has MPX: the room is there all the same', () => {
    expect(sentences(side(AMD_CPU, 0xe7), side(AMX_CPU, 0xe7))).toContain(
      'opmask (bit 5) is at 832 on amd and at 1088 on amx: CPUID.(EAX=0DH,ECX=5):EBX says so; amx keeps 256 more bytes before it, room of components that it lacks',
    );
  });

  it('compacted against standard', () => {
    const differences = compareLayouts(side(AMX_CPU, 0x602e7, 'compacted'), side(AMX_CPU, 0x602e7));
    expect(differences.slice(0, 2).map(({ code, first, second }) => [code, first, second])).toEqual([
      ['form', 'compacted', 'standard'],
      ['total', 10752, 11008],
    ]);
    expect(differences.at(-1)?.sentence).toBe(
      'tiledata (bit 18) is at 2560 on amx and at 2816 on amx: one area is standard, the other compacted',
    );
  });

  it('compacted areas shift with what lies before', () => {
    expect(sentences(side(AMX_CPU, 0x207, 'compacted'), side(AMX_CPU, 0x2e7, 'compacted'))).toContain(
      'pkru (bit 9) is at 832 on amx and at 2432 on amx: the area of amx has opmask (bit 5), zmm_hi256 (bit 6), hi16_zmm (bit 7) before it',
    );
  });

  it('a component that one processor lacks', () => {
    expect(sentences(side(AMX_CPU, 0x602e7), side(APX_CPU, 0x802e7))).toEqual(
      expect.arrayContaining([
        'tilecfg (bit 17) is only in the area of amx: apx does not enumerate it',
        'apx (bit 19) is only in the area of apx: amx does not enumerate it',
      ]),
    );
  });

  it('supervisor state has no place in the standard form', () => {
    expect(sentences(side(AMX_CPU, 0x1803, 'compacted'), side(AMX_CPU, 0x1803))).toContain(
      'cet_u (bit 11) is only in the area of amx: the standard form has no supervisor components',
    );
  });
});

describe('a number of bytes', () => {
  it('2688: the standard size without PKRU; with it, 2696', () => {
    expect(explainSize(MPX_CPU, 2688)).toEqual({
      bytes: 2688,
      matches: [
        { form: 'standard', mask: 0xff, without: 0x200 },
        { form: 'compacted', mask: 0x1ff, without: 0x200 },
      ],
      sentences: [
        '2688 bytes: the standard size of mask 0xff: all user components of mpx but pkru',
        'without hi16_zmm (bit 7) it is 1664, with pkru (bit 9) it is 2696',
        '2688 bytes: the compacted size of mask 0x1ff: all user components of mpx but pkru, and supervisor pt',
        'all components of mpx: standard 2696 bytes, compacted 2696 with the supervisor components',
      ],
    });
  });

  it('2696: with PKRU', () => {
    expect(explainSize(MPX_CPU, 2696).matches[0]).toEqual({ form: 'standard', mask: 0x2ff, without: 0 });
    expect(explainSize(MPX_CPU, 2696).sentences[1]).toBe('without pkru (bit 9) it is 2688');
  });

  it('2568: the compacted size, too small for a standard area', () => {
    const { matches, sentences: told } = explainSize(MPX_CPU, 2568);
    expect(matches).toEqual([
      { form: 'compacted', mask: 0x2ff, without: 0 },
      { form: 'compacted', mask: 0x3e7, without: 0x18 },
    ]);
    expect(told).toContain(
      'a standard area for the same user components takes 2696 bytes: 2568 are 128 too few, and XSAVE would write hi16_zmm (bit 7), pkru (bit 9) past the end',
    );
  });

  it('knows the areas that are no XSAVE areas', () => {
    expect([108, 112, 512].map((bytes) => explainSize(FXSAVE_CPU, bytes).sentences.length)).toEqual([1, 1, 1]);
  });

  it('says when nothing fits', () => {
    expect(explainSize(AVX_CPU, 1000)).toEqual({
      bytes: 1000,
      matches: [],
      sentences: ['no XSAVE area of avx has 1000 bytes', 'all components of avx: standard 832 bytes'],
    });
  });

  it('names masks that have the size, and finds one for the size of every area', () => {
    fc.assert(
      fc.property(anyXsaveCpu, anyMask, (cpu, mask) => {
        const bytes = areaLayout(cpu, mask, 'standard').totalBytes;
        const { matches } = explainSize(cpu, bytes);
        expect(matches[0].form).toBe('standard');
        for (const match of matches) expect(areaLayout(cpu, match.mask, match.form).totalBytes).toBe(bytes);
      }),
      { numRuns: 50 },
    );
  });
});
