import fc from 'fast-check';
import { EXTENDED_OFFSET, HEADER_BYTES, HEADER_OFFSET, LayoutTable, areaLayout, gapsOf } from '../../src/x86/layout';
import { AMD_CPU, AMX_CPU, APX_CPU, AVX_CPU, MPX_CPU, anyMask, anyXsaveCpu } from '../support/hand-made-cpus';

const anyForm = fc.constantFrom('standard' as const, 'compacted' as const);
const offsets = (layout: ReturnType<typeof areaLayout>): readonly (readonly [number, number])[] =>
  layout.components.map(({ bit, offset }) => [bit, offset]);

describe('the standard form', () => {
  it.each([
    [AVX_CPU, 0x3, 576],
    [AVX_CPU, 0x7, 832],
    [MPX_CPU, 0x1f, 1088],
    [MPX_CPU, 0xff, 2688],
    [MPX_CPU, 0x2ff, 2696],
    [AMD_CPU, 0xe7, 2432],
    [AMD_CPU, 0x2e7, 2440],
    [AMX_CPU, 0xe7, 2688],
    [AMX_CPU, 0x2e7, 2696],
    [AMX_CPU, 0x602e7, 11008],
    [APX_CPU, 0x802e7, 2696],
    [APX_CPU, 0x80003, 1088],
  ])('%#: takes its size from the component that ends last', (cpu, mask, bytes) => {
    expect(areaLayout(cpu, mask, 'standard').totalBytes).toBe(bytes);
  });

  it('puts components where CPUID says, also APX below AVX-512', () => {
    expect(offsets(areaLayout(APX_CPU, 0x802e7, 'standard'))).toEqual([
      [0, 0],
      [1, 160],
      [2, 576],
      [19, 960],
      [5, 1088],
      [6, 1152],
      [7, 1664],
      [9, 2688],
    ]);
  });

  it('has no supervisor components', () => {
    expect(areaLayout(AMX_CPU, 0x65ee7, 'standard').mask).toBe(0x602e7);
  });
});

describe('the compacted form', () => {
  it.each([
    [MPX_CPU, 0x2ff, 2568],
    [AMX_CPU, 0x600e7, 10688],
    [AMX_CPU, 0x602e7, 10752],
    [AMX_CPU, 0x20ee7, 2560],
    [AMX_CPU, 0x3, 576],
  ])('%#: packs', (cpu, mask, bytes) => {
    expect(areaLayout(cpu, mask, 'compacted').totalBytes).toBe(bytes);
  });

  it('aligns what CPUID says to 64', () => {
    expect(offsets(areaLayout(AMX_CPU, 0x60203, 'compacted'))).toEqual([
      [0, 0],
      [1, 160],
      [9, 576],
      [17, 640],
      [18, 704],
    ]);
  });

  it('packs APX last', () => {
    expect(offsets(areaLayout(APX_CPU, 0x80207, 'compacted'))).toEqual([
      [0, 0],
      [1, 160],
      [2, 576],
      [9, 832],
      [19, 840],
    ]);
  });
});

describe('every area', () => {
  it('leaves out what the processor lacks, and nothing else', () => {
    fc.assert(
      fc.property(anyXsaveCpu, anyMask, anyForm, (cpu, mask, form) => {
        const enumerated = form === 'standard' ? cpu.xcr0 : cpu.xcr0 | cpu.xss;
        expect(areaLayout(cpu, mask, form).mask).toBe(mask & enumerated);
      }),
    );
  });

  it('has components that do not overlap each other or the header', () => {
    fc.assert(
      fc.property(anyXsaveCpu, anyMask, anyForm, (cpu, mask, form) => {
        const { components } = areaLayout(cpu, mask, form);
        const parts = [...components, { offset: HEADER_OFFSET, size: HEADER_BYTES }].sort(
          (a, b) => a.offset - b.offset,
        );
        parts.slice(1).forEach((part, index) => {
          expect(part.offset).toBeGreaterThanOrEqual(parts[index].offset + parts[index].size);
        });
      }),
    );
  });

  it('starts components at a multiple of their alignment, and ends with the last one', () => {
    fc.assert(
      fc.property(anyXsaveCpu, anyMask, anyForm, (cpu, mask, form) => {
        const { components, totalBytes } = areaLayout(cpu, mask, form);
        for (const { offset, align } of components) expect(offset % align).toBe(0);
        expect(totalBytes).toBe(Math.max(EXTENDED_OFFSET, ...components.map(({ offset, size }) => offset + size)));
      }),
    );
  });

  it('compacted: is the sum of the sizes and of what alignment adds, below 64 bytes each', () => {
    fc.assert(
      fc.property(anyXsaveCpu, anyMask, (cpu, mask) => {
        const { components, totalBytes } = areaLayout(cpu, mask, 'compacted');
        const extended = components.filter(({ bit }) => bit >= 2);
        const sum = extended.reduce((bytes, { size }) => bytes + size, EXTENDED_OFFSET);
        const aligned = extended.filter(({ align }) => align === 64).length;
        expect(totalBytes).toBeGreaterThanOrEqual(sum);
        expect(totalBytes - sum).toBeLessThanOrEqual(63 * aligned);
      }),
    );
  });

  it('is covered once by components, header and gaps', () => {
    fc.assert(
      fc.property(anyXsaveCpu, anyMask, anyForm, (cpu, mask, form) => {
        const layout = areaLayout(cpu, mask, form);
        const parts = [...layout.components, ...gapsOf(layout), { offset: HEADER_OFFSET, size: HEADER_BYTES }];
        const end = parts
          .sort((a, b) => a.offset - b.offset)
          .reduce((at, { offset, size }) => {
            expect(offset).toBe(at);
            return at + size;
          }, 0);
        expect(end).toBe(layout.totalBytes);
      }),
    );
  });

  it('is remembered per mask and form', () => {
    const table = new LayoutTable(AMX_CPU);
    expect(table.of(0x602e7, 'standard')).toBe(table.of(0x602e7, 'standard'));
    expect(table.of(0x602e7, 'compacted')).toEqual(areaLayout(AMX_CPU, 0x602e7, 'compacted'));
    expect(table.of(0x602e7, 'standard')).not.toEqual(table.of(0x602e7, 'compacted'));
  });
});

describe('gaps', () => {
  it('are the unused bytes 416 to 511, and the room of components that are not there', () => {
    expect(gapsOf(areaLayout(AMX_CPU, 0x602e7, 'standard'))).toEqual([
      { offset: 416, size: 96 },
      { offset: 832, size: 256 },
      { offset: 2696, size: 56 },
    ]);
    expect(gapsOf(areaLayout(AMX_CPU, 0x602e7, 'compacted'))).toEqual([
      { offset: 416, size: 96 },
      { offset: 2440, size: 56 },
    ]);
  });
});
