/** XSAVE areas byte by byte, over memory full of A5H. */
import { areaLayout, cpuModel, decodeImage, encodeImage, xcompBvOf, type XsaveImage } from '@fpulab/core';
import { AVX, OPMASK, PKRU, SSE, TILECFG, TILEDATA, X87 } from '../../../src/x86/components';
import { X87_INIT, type X87State } from '../../../src/x86/x87-state';
import { fpuErrorOf } from '../../support/errors';

const FILL = 0xa5;
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const bitmap = (...bits: readonly number[]): number => bits.reduce((mask, bit) => mask | (1 << bit), 0);

/** ST0 is R7: 3FFF8000000000000000H (1.0); ST1 is R0; the others hold their number. */
const X87_STATE: X87State = {
  fcw: 0x037f,
  fsw: 0x3800,
  ftw: 0x80,
  fop: 0x1d9,
  fip: 0x0000_7fff_1234_5678n,
  fdp: 0x0000_7ffe_9abc_def0n,
  fcs: 0x33,
  fds: 0x2b,
  registers: Uint8Array.from({ length: 80 }, (_, index) =>
    index < 70 ? Math.floor(index / 10) : [0, 0, 0, 0, 0, 0, 0, 0x80, 0xff, 0x3f][index - 70],
  ),
};

/** Ranges of bytes that no longer hold the fill, both ends included. No byte of the images here is A5H. */
function changedRanges(area: Uint8Array): readonly string[] {
  const ranges: string[] = [];
  for (let from = 0; from < area.length; from++) {
    if (area[from] === FILL) continue;
    let to = from;
    while (to + 1 < area.length && area[to + 1] !== FILL) to++;
    ranges.push(`${from}-${to}`);
    from = to;
  }
  return ranges;
}

function imageOf(id: string, mask: number, overrides: Partial<XsaveImage> = {}): XsaveImage {
  const form = overrides.form ?? 'standard';
  const layout = areaLayout(cpuModel(id), mask, form);
  const stored = layout.components.filter(({ bit }) => bit !== X87);
  return {
    ...{ form, layout, wide: true, xstateBv: BigInt(layout.mask) },
    xcompBv: form === 'compacted' ? xcompBvOf(layout.mask) : 0n,
    mxcsr: { value: 0x1f80, mask: 0xffff },
    x87: mask & 1 ? X87_STATE : undefined,
    components: new Map(stored.map(({ bit, size }) => [bit, new Uint8Array(size).fill(bit)])),
    ...overrides,
  };
}

function encoded(image: XsaveImage, bytes = image.layout.totalBytes): Uint8Array {
  const area = new Uint8Array(bytes).fill(FILL);
  encodeImage(image, area);
  return area;
}

describe('the legacy region', () => {
  it('has 64-bit pointers with REX.W', () => {
    const area = encoded(imageOf('haswell', bitmap(X87, SSE)));
    expect(hex(area.subarray(0, 32))).toBe(
      '7f030038' + '8000d901' + '78563412ff7f0000' + 'f0debc9afe7f0000' + '801f0000ffff0000',
    );
  });

  it('has 32-bit pointers and selectors without', () => {
    const area = encoded(imageOf('haswell', bitmap(X87, SSE), { wide: false }));
    expect(hex(area.subarray(0, 32))).toBe(
      '7f030038' + '8000d901' + '7856341233000000' + 'f0debc9a2b000000' + '801f0000ffff0000',
    );
  });

  it('has ST0 first, each register in 16 bytes of which the last six are zero', () => {
    const area = encoded(imageOf('haswell', bitmap(X87)));
    expect(hex(area.subarray(32, 64))).toBe('0000000000000080ff3f000000000000' + '00000000000000000000000000000000');
    expect(hex(area.subarray(64, 96))).toBe('01010101010101010101000000000000' + '02020202020202020202000000000000');
    expect(hex(area.subarray(144, 160))).toBe('06060606060606060606000000000000');
  });
});

describe('which bytes the standard form changes', () => {
  it.each([
    ['x87 and MXCSR', bitmap(X87), {}, ['0-159', '512-519']],
    ['x87 alone', bitmap(X87), { mxcsr: undefined }, ['0-23', '32-159', '512-519']],
    ['MXCSR alone', 0, {}, ['24-31', '512-519']],
    ['nothing but XSTATE_BV', 0, { mxcsr: undefined }, ['512-519']],
    ['SSE', bitmap(SSE), {}, ['24-31', '160-415', '512-519']],
    ['x87, SSE and AVX', bitmap(X87, SSE, AVX), {}, ['0-415', '512-519', '576-831']],
    ['PKRU', bitmap(PKRU), { mxcsr: undefined }, ['512-519', '2688-2695']],
  ])('%s', (_, mask, overrides, expected) => {
    expect(changedRanges(encoded(imageOf('skylake-x', mask, overrides), 2696))).toEqual(expected);
  });

  it('half of the vector registers, when the image holds half', () => {
    const components = new Map([
      [SSE, new Uint8Array(128).fill(1)],
      [AVX, new Uint8Array(128).fill(2)],
    ]);
    const area = encoded(imageOf('haswell', bitmap(SSE, AVX), { components }));
    expect(changedRanges(area)).toEqual(['24-31', '160-287', '512-519', '576-703']);
  });

  it('leaves XCOMP_BV alone', () => {
    const area = encoded(imageOf('haswell', bitmap(X87, SSE, AVX)));
    expect(hex(area.subarray(512, 528))).toBe('0700000000000000' + 'a5a5a5a5a5a5a5a5');
  });

  it('PKRU lies elsewhere on a processor that never had MPX', () => {
    const image = imageOf('zen4', bitmap(PKRU), { mxcsr: undefined });
    expect(changedRanges(encoded(image))).toEqual(['512-519', '2432-2439']);
  });
});

describe('which bytes the compacted form changes', () => {
  const compacted = { form: 'compacted' } as const;

  it('packs components behind the header, and writes XCOMP_BV', () => {
    const area = encoded(imageOf('skylake-x', bitmap(X87, SSE, OPMASK, PKRU), compacted));
    expect(area).toHaveLength(576 + 64 + 8);
    expect(changedRanges(area)).toEqual(['0-415', '512-527', '576-647']);
    expect(hex(area.subarray(512, 528))).toBe('2302000000000000' + '2302000000000080');
    expect(hex(area.subarray(636, 648))).toBe('05050505' + '0909090909090909');
  });

  it('puts TILECFG and TILEDATA at multiples of 64, and leaves the gap alone', () => {
    const area = encoded(
      imageOf('sapphire-rapids', bitmap(PKRU, TILECFG, TILEDATA), { ...compacted, mxcsr: undefined }),
    );
    expect(area).toHaveLength(704 + 8192);
    expect(changedRanges(area)).toEqual(['512-527', '576-583', '640-8895']);
    expect([area[583], area[584], area[639], area[640], area[703], area[704]]).toEqual([9, FILL, FILL, 17, 17, 18]);
    expect(hex(area.subarray(512, 528))).toBe('0002060000000000' + '0002060000000080');
  });

  it('keeps the place of a component of which there are no bytes', () => {
    const mask = bitmap(AVX, OPMASK);
    const components = new Map([[OPMASK, new Uint8Array(64).fill(5)]]);
    const image = imageOf('skylake-x', mask, { ...compacted, mxcsr: undefined, components, xstateBv: 1n << 5n });
    const area = encoded(image);
    expect(changedRanges(area)).toEqual(['512-527', '832-895']);
    expect(hex(area.subarray(512, 528))).toBe('2000000000000000' + '2400000000000080');
  });

  it('has supervisor components, by number', () => {
    const cetU = 11;
    const area = encoded(imageOf('zen4', bitmap(X87, PKRU, cetU), { ...compacted, mxcsr: undefined }));
    expect(changedRanges(area)).toEqual(['0-23', '32-159', '512-527', '576-599']);
    expect([area[583], area[584], area[599]]).toEqual([9, 11, 11]);
  });
});

describe('decoding', () => {
  const image = imageOf('skylake-x', bitmap(X87, SSE, AVX), { xstateBv: BigInt(bitmap(X87, AVX)) });

  it('reads the components that XSTATE_BV marks, and MXCSR always', () => {
    const { x87, components, mxcsr } = decodeImage(encoded(image), image) as XsaveImage;
    expect(x87).toEqual({ ...X87_STATE, fcs: 0, fds: 0 });
    expect([...components.keys()]).toEqual([AVX]);
    expect(mxcsr).toEqual({ value: 0x1f80, mask: 0xffff });
  });

  it('reads XCOMP_BV in the compacted form only', () => {
    const area = encoded(image);
    expect(decodeImage(area, image)).toMatchObject({ xcompBv: 0n });
    expect(decodeImage(area, { ...image, form: 'compacted' })).toMatchObject({ xcompBv: 0xa5a5_a5a5_a5a5_a5a5n });
  });

  it('keeps reserved bits as they are', () => {
    const area = encoded(image).fill(0xff, 0, 32);
    expect(decodeImage(area, image)).toMatchObject({
      mxcsr: { value: 0xffff_ffff, mask: 0xffff_ffff },
      x87: { fcw: 0xffff, fsw: 0xffff, ftw: 0xff, fop: 0xffff },
    });
  });

  it('does not share bytes with the area', () => {
    const area = encoded(image);
    const { components, x87 } = decodeImage(area, image) as XsaveImage;
    area.fill(0xff);
    expect(components.get(AVX)?.[0]).toBe(AVX);
    expect(x87?.registers[70]).toBe(0);
  });

  it('reads an area in the middle of a buffer', () => {
    const buffer = new Uint8Array(4096).fill(FILL);
    buffer.set(encoded(image), 1000);
    expect(decodeImage(buffer.subarray(1000), image)).toEqual(decodeImage(encoded(image), image));
  });

  it('x87 registers that are initial are not there', () => {
    const empty = imageOf('haswell', bitmap(X87), { xstateBv: 0n, x87: X87_INIT });
    expect((decodeImage(encoded(empty), empty) as XsaveImage).x87).toBeUndefined();
  });
});

describe('an area that is too small', () => {
  it.each([
    ['haswell', 'standard', bitmap(X87, SSE, AVX), 831, 832],
    ['skylake-x', 'standard', bitmap(PKRU), 2695, 2696],
    ['sapphire-rapids', 'compacted', bitmap(TILECFG, TILEDATA), 8831, 8832],
  ] as const)('%s, %s, mask %i: %i bytes are FPU103, %i are enough', (id, form, mask, found, needed) => {
    const image = imageOf(id, mask, { form });
    for (const action of [
      () => encodeImage(image, new Uint8Array(found)),
      () => decodeImage(new Uint8Array(found), image),
    ]) {
      const error = fpuErrorOf(action);
      expect(error.code).toBe('FPU103');
      expect(error.message).toBe(`the area has ${found} bytes, the image needs ${needed}`);
      expect(error.detail).toMatchObject({ found, needed });
    }
    expect(encodeImage(image, new Uint8Array(needed))).toBeGreaterThan(0);
    expect(decodeImage(new Uint8Array(needed), image)).toMatchObject({ form });
  });

  it('without extended components it still needs its header', () => {
    const image = imageOf('haswell', bitmap(X87));
    expect(fpuErrorOf(() => encodeImage(image, new Uint8Array(512))).code).toBe('FPU103');
    expect(fpuErrorOf(() => decodeImage(new Uint8Array(575), image)).detail).toMatchObject({ needed: 576 });
  });
});
