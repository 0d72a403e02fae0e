/** What XSAVE, XSAVEOPT, XSAVEC and XSAVES store, for all states, masks and modes, over memory that holds something already. */
import fc from 'fast-check';
import { PKRU, SSE, X87, bitsOf } from '../../src/x86/components';
import type { CpuModel } from '../../src/x86/cpu-model';
import { decode, type XsaveImage } from '../../src/x86/image/image';
import { EXTENDED_OFFSET, HEADER_OFFSET, areaLayout, type AreaForm } from '../../src/x86/layout';
import { MXCSR_INIT, isInitial } from '../../src/x86/processor-state';
import { anyMask, anyState } from '../support/arbitraries';
import { expectSameArea, expectSameBytes, reach } from '../support/state-expectations';
import {
  AREA_BYTES,
  SAVES_ON_MODELS,
  areaOf,
  atCpl,
  formOf,
  headerOf,
  modelsWith,
  named,
  processorOf,
  rfbmOf,
  runs,
  type Save,
} from '../support/prepared-processors';

const RUNS = { numRuns: 60 };
const fills = fc.constantFrom(0x00, 0x5a, 0xa5, 0xff);
const MXCSR_OFFSET = 24;

/** What lies in the area before the save: one byte everywhere, and the XSTATE_BV of an earlier save. */
const anyBefore = ({ xcr0 }: CpuModel): fc.Arbitrary<Uint8Array> =>
  fc.tuple(fills, anyMask).map(([fill, mask]) => {
    const area = new Uint8Array(AREA_BYTES).fill(fill);
    new DataView(area.buffer).setBigUint64(HEADER_OFFSET, BigInt(mask & xcr0), true);
    return area;
  });

describe('every save', () => {
  it.each(SAVES_ON_MODELS)(
    '%s on %s touches components of RFBM, MXCSR and header by their rules, nothing else',
    (...row) => {
      const [save, , model] = row;
      fc.assert(
        fc.property(anyState(model), anyMask, fc.boolean(), anyBefore(model), (recipe, mask, wide, before) => {
          const cpu = processorOf(model, atCpl(recipe, save), { area: before.slice() });
          runs(cpu, save, { mask, wide });
          const writable = writableBytes(model, save, rfbmOf(cpu, save, mask), recipe.mode);
          expectSameArea(areaOf(cpu), before, (offset) => writable[offset] === 0);
        }),
        RUNS,
      );
    },
  );

  /** 1 where a save may write. */
  function writableBytes(model: CpuModel, save: Save, rfbm: number, mode: 32 | 64): Uint8Array {
    const map = new Uint8Array(AREA_BYTES);
    for (const { bit, offset, size } of areaLayout(model, rfbm, formOf(save)).components) {
      map.fill(1, offset, offset + reach(bit, size, mode));
    }
    const compacted = formOf(save) === 'compacted';
    map.fill(rfbm & (compacted ? 0b010 : 0b110) ? 1 : 0, MXCSR_OFFSET, MXCSR_OFFSET + 8);
    return map.fill(1, HEADER_OFFSET, HEADER_OFFSET + (compacted ? 16 : 8));
  }

  it.each(SAVES_ON_MODELS)(
    '%s on %s: XSTATE_BV is XINUSE within RFBM, and kept or cleared outside',
    (save, _id, model) => {
      fc.assert(
        fc.property(anyState(model), anyMask, anyBefore(model), (recipe, mask, area) => {
          const { xstateBv: older } = headerOf(area);
          const cpu = processorOf(model, atCpl(recipe, save), { area });
          const compacted = formOf(save) === 'compacted';
          const marksMxcsr = compacted || cpu.deviates('xsave-marks-mxcsr');
          const sse = marksMxcsr && cpu.state.mxcsr !== MXCSR_INIT ? 1 << SSE : 0;
          const inUse = BigInt((cpu.inUse() & ~(recipe.xfd & recipe.xcr0)) | sse);
          runs(cpu, save, { mask });
          const rfbm = BigInt(rfbmOf(cpu, save, mask));
          expect(headerOf(areaOf(cpu)).xstateBv).toBe((inUse & rfbm) | (compacted ? 0n : older & ~rfbm));
        }),
        RUNS,
      );
    },
  );

  it.each(SAVES_ON_MODELS)(
    '%s on %s: XCOMP_BV is RFBM with bit 63 in the compacted form, else left alone',
    (...row) => {
      const [save, , model] = row;
      fc.assert(
        fc.property(anyState(model), anyMask, anyBefore(model), (recipe, mask, area) => {
          const { xcompBv: older } = headerOf(area);
          const cpu = processorOf(model, atCpl(recipe, save), { area });
          runs(cpu, save, { mask });
          const packed = (1n << 63n) | BigInt(rfbmOf(cpu, save, mask));
          expect(headerOf(areaOf(cpu)).xcompBv).toBe(formOf(save) === 'compacted' ? packed : older);
        }),
        RUNS,
      );
    },
  );

  it.each(SAVES_ON_MODELS)(
    '%s on %s: components in use lie where CPUID and the packing rule say',
    (save, _id, model) => {
      fc.assert(
        fc.property(anyState(model), anyMask, (recipe, mask) => {
          const cpu = processorOf(model, { ...atCpl(recipe, save), xfd: 0 });
          const values = [...cpu.state.components];
          const { inUse } = cpu.state;
          runs(cpu, save, { mask });
          const rfbm = rfbmOf(cpu, save, mask);
          const { components } = areaLayout(model, rfbm, formOf(save));
          for (const [bit, offset] of offsets(model, rfbm, formOf(save))) {
            expect([bit, components.find((one) => one.bit === bit)?.offset]).toEqual([bit, offset]);
            const size =
              bit === PKRU && cpu.deviates('pkru-four-bytes') ? 4 : reach(bit, values[bit].length, recipe.mode);
            const value = values[bit].subarray(0, size);
            // Outside 64-bit mode the registers that it can name may be initial while others are not.
            const stored = save === 'XSAVE' || (inUse & (1 << bit) && (recipe.mode === 64 || !isInitial(bit, value)));
            if (stored) expectSameBytes(`component ${bit}`, areaOf(cpu).subarray(offset, offset + size), value);
          }
        }),
        RUNS,
      );
    },
  );

  /** Intel SDM Vol. 1, 13.4.3: each behind the one before, at a multiple of 64 where CPUID.(0DH,i):ECX[1] says so. */
  function offsets(model: CpuModel, rfbm: number, form: AreaForm): readonly (readonly [bit: number, offset: number])[] {
    let next = EXTENDED_OFFSET;
    const sorted = [...model.components].sort((a, b) => a.bit - b.bit).filter(({ bit }) => rfbm & (1 << bit));
    const extended = sorted.map(({ bit, size, offset, align64 }) => {
      const packed = align64 ? (next + 63) & ~63 : next;
      next = packed + size;
      return [bit, form === 'standard' ? offset : packed] as const;
    });
    return rfbm & (1 << SSE) ? [[SSE, 160], ...extended] : extended;
  }
});

describe('XSAVEOPT', () => {
  it.each(named(modelsWith('xsaveopt')))(
    '%s: as XSAVE without a restore before, but initial components are left alone',
    (...row) => {
      const [, model] = row;
      fc.assert(
        fc.property(anyState(model), anyMask, fc.boolean(), anyBefore(model), (recipe, mask, wide, before) => {
          const full = processorOf(model, recipe, { area: before.slice() });
          const optimised = processorOf(model, recipe, { area: before.slice() });
          runs(full, 'XSAVE', { mask, wide });
          runs(optimised, 'XSAVEOPT', { mask, wide });
          const expected = areaOf(full).slice();
          const rfbm = rfbmOf(full, 'XSAVE', mask);
          const initial = rfbm & ~Number(headerOf(expected).xstateBv);
          for (const { offset, size } of areaLayout(model, initial, 'standard').components) {
            expected.set(before.subarray(offset, offset + size), offset);
          }
          const mxcsr = areaOf(full).subarray(MXCSR_OFFSET, MXCSR_OFFSET + 8);
          expected.set(mxcsr, MXCSR_OFFSET);
          expectSameArea(areaOf(optimised), expected);
        }),
        RUNS,
      );
    },
  );
});

describe('XSAVES', () => {
  it.each(named(modelsWith('xsaves')))(
    '%s: with IA32_XSS = 0 and no restore before it stores every byte as XSAVEC',
    (...row) => {
      const [, model] = row;
      fc.assert(
        fc.property(anyState(model), anyMask, fc.boolean(), anyBefore(model), (recipe, mask, wide, before) => {
          const [user, supervisor] = (['XSAVEC', 'XSAVES'] as const).map((save) => {
            const cpu = processorOf(model, { ...recipe, cpl: 0, xss: 0 }, { area: before.slice() });
            runs(cpu, save, { mask, wide });
            return areaOf(cpu);
          });
          expectSameArea(supervisor, user);
        }),
        RUNS,
      );
    },
  );

  it.each(named(modelsWith('xsaves')))(
    '%s: user components as XSAVEC, supervisor components and their bits besides',
    (...row) => {
      const [, model] = row;
      fc.assert(
        fc.property(anyState(model), anyMask, fc.boolean(), (recipe, mask, wide) => {
          const cpu = processorOf(model, { ...recipe, cpl: 0 });
          const values = [...cpu.state.components];
          const { inUse } = cpu.state;
          const [user, all] = (['XSAVEC', 'XSAVES'] as const).map((save): XsaveImage => {
            runs(cpu, save, { mask, wide });
            const layout = areaLayout(model, rfbmOf(cpu, save, mask), 'compacted');
            return decode(areaOf(cpu), { form: 'compacted', wide, layout }) as XsaveImage;
          });
          const supervisor = mask & recipe.xss;
          expect(all.xcompBv).toBe(user.xcompBv | BigInt(supervisor));
          expect(all.xstateBv).toBe(user.xstateBv | BigInt(supervisor & inUse));
          expect({ x87: all.x87, mxcsr: all.mxcsr }).toEqual({ x87: user.x87, mxcsr: user.mxcsr });
          for (const [bit, bytes] of all.components) {
            const expected = supervisor & (1 << bit) ? values[bit] : user.components.get(bit);
            expectSameBytes(`component ${bit}`, bytes, expected ?? new Uint8Array(0));
          }
        }),
        RUNS,
      );
    },
  );

  const optimising = modelsWith('xsaves').filter(({ behaviour }) => behaviour.modifiedOptimisation === 'any');

  it.each(named(optimising))(
    '%s: to the area of the last XRSTORS it leaves alone what has not been modified',
    (_, model) => {
      fc.assert(
        fc.property(anyState(model), anyMask, anyMask, (recipe, mask, modified) => {
          const cpu = processorOf(model, { ...recipe, cpl: 0, mode: 64 });
          runs(cpu, 'XSAVES', { mask });
          runs(cpu, 'XRSTORS', { mask });
          cpu.emit({ type: 'components-modified', mask: modified });
          const header = headerOf(areaOf(cpu));
          areaOf(cpu).fill(0x3c);
          runs(cpu, 'XSAVES', { mask });
          expect(headerOf(areaOf(cpu))).toEqual(header);
          // MXCSR in use makes SSE stored, modified or not (Intel SDM Vol. 2 "XSAVES", Operation).
          const stored = modified | (cpu.state.mxcsr === MXCSR_INIT ? 0 : 1 << SSE);
          const { components } = areaLayout(model, rfbmOf(cpu, 'XSAVES', mask), 'compacted');
          for (const { bit, offset, size } of components.filter((one) => !(stored & (1 << one.bit)))) {
            const bytes = areaOf(cpu).slice(offset, offset + size);
            if (bit === X87) bytes.fill(0x3c, MXCSR_OFFSET, MXCSR_OFFSET + 8);
            expectSameBytes(`component ${bit}`, bytes, new Uint8Array(size).fill(0x3c));
          }
        }),
        RUNS,
      );
    },
  );
});

describe('XSAVEC', () => {
  it.each(named(modelsWith('xsavec')))(
    '%s: has no modified optimisation, a restore before it changes nothing',
    (...row) => {
      const [, model] = row;
      fc.assert(
        fc.property(anyState(model), anyMask, (recipe, mask) => {
          const cpu = processorOf(model, recipe);
          runs(cpu, 'XSAVEC', { mask });
          runs(cpu, 'XRSTOR', { mask });
          const fresh = processorOf(model, recipe);
          Object.assign(fresh.state, { x87: cpu.state.x87, mxcsr: cpu.state.mxcsr, inUse: cpu.state.inUse });
          for (const bit of bitsOf(recipe.xcr0)) fresh.state.components[bit] = cpu.component(bit);
          for (const one of [cpu, fresh]) {
            areaOf(one).fill(0x3c);
            runs(one, 'XSAVEC', { mask });
          }
          expectSameArea(areaOf(cpu), areaOf(fresh));
        }),
        RUNS,
      );
    },
  );
});
