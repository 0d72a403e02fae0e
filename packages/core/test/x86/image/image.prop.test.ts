/** Laws of the images: what `encode` writes `decode` reads back, for all contents. */
import fc from 'fast-check';
import { decodeImage, encodeImage, xcompBvOf, type FsaveImage, type FxsaveImage, type XsaveImage } from '@fpulab/core';
import { X87 } from '../../../src/x86/components';
import { encodeFsave, encodeStack } from '../../../src/x86/image/legacy';
import { LEGACY_BYTES, areaLayout } from '../../../src/x86/layout';
import type { X87State } from '../../../src/x86/x87-state';
import { anyMask, anyMxcsr, anyState, anyX87 } from '../../support/arbitraries';
import { expectSameArea, expectSameBytes } from '../../support/state-expectations';
import { XSAVE_MODELS, bytesOfContents, named } from '../../support/prepared-processors';

/** x87 state as the form can hold it: 64-bit pointers, or 32-bit ones with selectors. */
const inForm = (x87: X87State, wide: boolean): X87State =>
  wide ? { ...x87, fcs: 0, fds: 0 } : { ...x87, fip: x87.fip & 0xffff_ffffn, fdp: x87.fdp & 0xffff_ffffn };

const FILL = 0xa5;
/** Bytes of x87 in an XSAVE area: the environment and eight slots of 16. MXCSR with its mask lies between. */
const X87_BYTES = 24 + 128;
const MXCSR_BYTES = 8;

describe('decode after encode is identity', () => {
  it.each(named(XSAVE_MODELS))('XSAVE areas of %s, standard and compacted', (_, model) => {
    const forms = model.features.includes('xsavec') ? (['standard', 'compacted'] as const) : (['standard'] as const);
    const anyImage = fc
      .record({
        form: fc.constantFrom(...forms),
        state: anyState(model),
        x87: anyX87,
        mxcsr: anyMxcsr,
        mask: anyMask,
        present: anyMask,
        wide: fc.boolean(),
      })
      .map(({ form, state, x87, mxcsr, mask, present, wide }): XsaveImage => {
        const layout = areaLayout(model, mask & (model.xcr0 | (form === 'compacted' ? model.xss : 0)), form);
        const xstateBv = layout.mask & present;
        const stored = layout.components.filter(({ bit }) => bit !== X87 && xstateBv & (1 << bit));
        return {
          ...{ form, layout, wide, xstateBv: BigInt(xstateBv), mxcsr: { value: mxcsr, mask: model.mxcsrMask } },
          xcompBv: form === 'compacted' ? xcompBvOf(layout.mask) : 0n,
          x87: xstateBv & (1 << X87) ? inForm(x87, wide) : undefined,
          components: new Map(stored.map(({ bit }) => [bit, bytesOfContents(model, bit, state.contents[bit])])),
        };
      });
    fc.assert(
      fc.property(anyImage, (image) => {
        const area = new Uint8Array(image.layout.totalBytes).fill(FILL);
        const written = encodeImage(image, area);
        const found = decodeImage(area, image) as XsaveImage;
        expect({ ...found, components: [] }).toEqual({ ...image, components: [] });
        expect([...found.components.keys()]).toEqual([...image.components.keys()]);
        for (const [bit, bytes] of found.components)
          expectSameBytes(`component ${bit}`, bytes, image.components.get(bit) ?? bytes);

        const header = image.form === 'compacted' ? 16 : 8;
        const components = [...image.components.values()].reduce((sum, { length }) => sum + length, 0);
        expect(written).toBe((image.x87 ? X87_BYTES : 0) + MXCSR_BYTES + header + components);
        const again = area.slice();
        encodeImage(found, again);
        expectSameArea(again, area);
      }),
    );
  });

  it('FXSAVE, bytes 416 to 511 left alone', () => {
    const xmms = fc.uint8Array({ minLength: 256, maxLength: 256 });
    fc.assert(
      fc.property(anyX87, anyMxcsr, xmms, fc.boolean(), (x87, value, xmm, wide) => {
        const mxcsr = { value, mask: 0xffff };
        const image: FxsaveImage = { form: 'fxsave', wide, x87: inForm(x87, wide), mxcsr, xmm };
        const area = new Uint8Array(LEGACY_BYTES).fill(FILL);
        expect(encodeImage(image, area)).toBe(416);
        expect(decodeImage(area, { form: 'fxsave', wide })).toEqual(image);
        expect(area.subarray(416).every((byte) => byte === FILL)).toBe(true);
      }),
    );
  });

  it('FNSAVE, with 16-bit and 32-bit operands', () => {
    fc.assert(
      fc.property(anyX87, fc.constantFrom<16 | 32>(16, 32), (held, operandBits) => {
        const low = operandBits === 16 ? 0xffffn : 0xffff_ffffn;
        const x87 = { ...held, fip: held.fip & low, fdp: held.fdp & low, fop: operandBits === 16 ? 0 : held.fop };
        const image: FsaveImage = { form: 'fnsave', operandBits, x87 };
        const area = new Uint8Array(128).fill(FILL);
        const bytes = operandBits === 16 ? 94 : 108;
        expect(encodeImage(image, area)).toBe(bytes);
        expect(decodeImage(area, { form: 'fnsave', operandBits })).toEqual(image);
        expect(area.subarray(bytes).every((byte) => byte === FILL)).toBe(true);
      }),
    );
  });
});

it('the same registers lie in FXSAVE and FNSAVE images, in stack order', () => {
  fc.assert(
    fc.property(anyX87, (x87) => {
      const slots = encodeStack(x87);
      const packed = encodeFsave(x87, 32).subarray(28);
      for (let slot = 0; slot < 8; slot++) {
        expect(packed.slice(10 * slot, 10 * slot + 10)).toEqual(slots.slice(16 * slot, 16 * slot + 10));
      }
    }),
  );
});
