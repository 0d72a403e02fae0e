/** The images of the machine as bytes: ids become bytes that the processor of the model takes, and ids again. */
import fc from 'fast-check';
import {
  INIT,
  PRINCIPAL,
  areaLayout,
  componentBits,
  cpuModel,
  createState,
  decodeImage,
  encodeImage,
  fpstateImage,
  principalOfTask,
  valueBytes,
  valueId,
  valuesOfImage,
  type AreaForm,
  type CpuModel,
  type MachineState,
  type XsaveImage,
} from '@fpulab/core';
import { SSE, SUPERVISOR_COMPONENTS, TILECFG, X87 } from '../../src/x86/components';
import { fpuErrorOf } from '../support/errors';
import { expectSameArea } from '../support/state-expectations';
import { areaOf, headerOf, processorOf, run, runs } from '../support/prepared-processors';

const MODELS = ['sapphire-rapids', 'skylake-x'].map((id) => [id, cpuModel(id)] as const);
const FORMS: readonly AreaForm[] = ['standard', 'compacted'];
const MODELS_AND_FORMS = MODELS.flatMap(([id, model]) => FORMS.map((form) => [id, form, model] as const));

const userBits = (model: CpuModel): readonly number[] =>
  componentBits(model).filter((bit) => !(SUPERVISOR_COMPONENTS & (1 << bit)));

/** A machine with two images: of the first all is INIT, the second holds these values by component bit. */
function machineWith(bits: readonly number[], values: ReadonlyMap<number, number>): MachineState {
  const sizes = { machine: 1, cpu: 1, task: 2, fpstate: 2 };
  const state = createState({ sizes, componentBits: bits, stackDepth: 2, fpstateEmbedded: true }, []);
  bits.forEach((bit, index) => {
    state.words[state.at.image + bits.length + index] = values.get(bit) ?? INIT;
  });
  return state;
}

const anyValue = fc.oneof(
  fc.constant(INIT),
  fc
    .record({
      principal: fc.oneof(
        fc.integer({ min: 0, max: 63 }).map(principalOfTask),
        fc.constantFrom(PRINCIPAL.kernel, PRINCIPAL.otherGuest),
      ),
      serial: fc.integer({ min: 1, max: 2 ** 20 - 1 }),
    })
    .map(({ principal, serial }) => valueId(principal, serial)),
);

const anyValues = (bits: readonly number[]): fc.Arbitrary<ReadonlyMap<number, number>> =>
  fc
    .array(anyValue, { minLength: bits.length, maxLength: bits.length })
    .map((values) => new Map(bits.map((bit, index) => [bit, values[index]])));

const inUse = (values: ReadonlyMap<number, number>): bigint =>
  [...values].reduce((mask, [bit, value]) => (value === INIT ? mask : mask | (1n << BigInt(bit))), 0n);

/** An image in an area of zeros, as the kernel allocates it. */
function encoded(image: XsaveImage): Uint8Array {
  const area = new Uint8Array(image.layout.totalBytes);
  encodeImage(image, area);
  return area;
}

/** A processor after boot, all of XCR0 enabled. */
function processor(model: CpuModel, area: Uint8Array): ReturnType<typeof processorOf> {
  const contents = Array.from({ length: 20 }, () => ({ kind: 'initial', seed: 1 }) as const);
  const { xcr0, xss } = model;
  const control = { mode: 64, cpl: 3, xcr0, xss, xfd: 0, mxcsr: 0x1f80, osfxsr: true, ffxsr: false } as const;
  return processorOf(model, { ...control, x87: undefined, contents }, { area });
}

describe('ids and bytes', () => {
  it.each(MODELS_AND_FORMS)(
    '%s, %s: every value comes back as the same id, through bytes and all',
    (_, form, model) => {
      const bits = userBits(model);
      fc.assert(
        fc.property(anyValues(bits), (values) => {
          const image = fpstateImage(machineWith(bits, values), { model, fpstate: 1, form });
          expect(valuesOfImage(image)).toEqual(values);
          expect(valuesOfImage(decodeImage(encoded(image), image) as XsaveImage)).toEqual(values);
        }),
      );
    },
  );

  it.each(MODELS_AND_FORMS)('%s, %s: XSTATE_BV has exactly the components that are not INIT', (_, form, model) => {
    const bits = userBits(model);
    fc.assert(
      fc.property(anyValues(bits), (values) => {
        const image = fpstateImage(machineWith(bits, values), { model, fpstate: 1, form });
        expect(image.xstateBv).toBe(inUse(values));
        expect(headerOf(encoded(image)).xstateBv).toBe(inUse(values));
        expect(image.components.size + (image.x87 ? 1 : 0)).toBe([...values.values()].filter(Boolean).length);
      }),
    );
  });

  it.each(MODELS_AND_FORMS)(
    '%s, %s: an image of INIT has a header and no component; MXCSR in the standard form only',
    (_, form, model) => {
      const bits = userBits(model);
      const values = new Map(bits.map((bit) => [bit, valueId(1, 7)]));
      const image = fpstateImage(machineWith(bits, values), { model, fpstate: 0, form });
      const mxcsr = form === 'standard' ? { value: 0x1f80, mask: 0xffff } : undefined;
      expect(image).toMatchObject({ xstateBv: 0n, x87: undefined });
      expect(image.mxcsr).toEqual(mxcsr);
      expect(image.components.size).toBe(0);
      const mask = bits.reduce((all, bit) => all | (1 << bit), 0);
      expect(image.xcompBv).toBe(form === 'compacted' ? (1n << 63n) | BigInt(mask) : 0n);
      expect(image.layout).toEqual(areaLayout(model, mask, form));
      expect([...valuesOfImage(image).values()]).toEqual(bits.map(() => INIT));
    },
  );

  it('the bytes of a component are its id, repeated', () => {
    const model = cpuModel('skylake-x');
    const value = valueId(3, 0x12345);
    const { components, x87 } = fpstateImage(
      machineWith(
        [X87, SSE],
        new Map([
          [X87, value],
          [SSE, value],
        ]),
      ),
      {
        ...{ model, fpstate: 1, form: 'standard' },
      },
    );
    expect(components.get(SSE)).toEqual(valueBytes(value, 256));
    expect(Buffer.from(x87?.registers.subarray(0, 20) ?? []).toString('hex')).toBe('4523310045233100ffff'.repeat(2));
    expect(x87?.ftw).toBe(0xff);
  });

  it('bytes that are no value of ours are undefined', () => {
    const model = cpuModel('skylake-x');
    const state = machineWith([X87, SSE], new Map([[SSE, valueId(1, 1)]]));
    const image = fpstateImage(state, { model, fpstate: 1, form: 'standard' });
    const foreign = valueBytes(valueId(1, 1), 256);
    foreign[255] ^= 1;
    expect(valuesOfImage({ ...image, components: new Map([[SSE, foreign]]) }).get(SSE)).toBeUndefined();
  });
});

describe('the processor of the model', () => {
  it.each(MODELS_AND_FORMS)('%s, %s: XRSTOR takes the image, and a save gives the same bytes', (_, form, model) => {
    const bits = userBits(model);
    const save = form === 'standard' ? 'XSAVEOPT' : 'XSAVEC';
    fc.assert(
      fc.property(anyValues(bits), (values) => {
        const image = fpstateImage(machineWith(bits, values), { model, fpstate: 1, form });
        const expected = encoded(image);
        const cpu = processor(model, expected.slice());
        runs(cpu, 'XRSTOR', { wide: true });
        expect(BigInt(cpu.inUse())).toBe(inUse(values));
        // Elsewhere, so that nothing counts as unmodified; over zeros, because initial components are left alone.
        cpu.state.tracking = undefined;
        areaOf(cpu).fill(0);
        runs(cpu, save, { wide: true });
        // XSAVEC stores MXCSR with SSE only.
        if (form === 'compacted' && !(image.xstateBv & 2n)) areaOf(cpu).set(expected.subarray(24, 32), 24);
        expectSameArea(areaOf(cpu), expected);
      }),
    );
  });

  it.each(MODELS)('%s: XSAVE gives the same bytes when no component is INIT', (_, model) => {
    const bits = userBits(model);
    const values = new Map(bits.map((bit) => [bit, valueId(bit + 1, 1000 + bit)]));
    const expected = encoded(fpstateImage(machineWith(bits, values), { model, fpstate: 1, form: 'standard' }));
    const cpu = processor(model, expected.slice());
    runs(cpu, 'XRSTOR', { wide: true });
    areaOf(cpu).fill(0);
    runs(cpu, 'XSAVE', { wide: true });
    expectSameArea(areaOf(cpu), expected);
  });

  it('LDTILECFG takes the bytes of any value of TILECFG', () => {
    const model = cpuModel('sapphire-rapids');
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 0x7fff_ffff }), (value) => {
        const state = machineWith([TILECFG], new Map([[TILECFG, value]]));
        const image = fpstateImage(state, { model, fpstate: 1, form: 'compacted' });
        const config = image.components.get(TILECFG) ?? new Uint8Array(0);
        expect(config).toHaveLength(64);
        const cpu = processor(model, config.slice());
        expect(run(cpu, 'LDTILECFG').end).toBe('ran-to-end');
        expect(valuesOfImage({ ...image, components: new Map([[TILECFG, cpu.component(TILECFG)]]) }).get(TILECFG)).toBe(
          value,
        );
      }),
    );
  });
});

describe('supervisor components', () => {
  it.each(MODELS)('%s: the standard form is FPU204', (_, model) => {
    const state = machineWith(componentBits(model), new Map());
    const error = fpuErrorOf(() => fpstateImage(state, { model, fpstate: 1, form: 'standard' }));
    expect(error.code).toBe('FPU204');
    expect(error.message).toContain('supervisor components have no place in a standard image');
    expect(error.detail.mask).toBe(model.xcr0 | model.xss);
  });

  it.each(MODELS)('%s: the compacted form has them, with bits in XSTATE_BV and XCOMP_BV', (_, model) => {
    const bits = componentBits(model);
    const values = new Map(bits.map((bit) => [bit, valueId(bit + 1, 1)]));
    const image = fpstateImage(machineWith(bits, values), { model, fpstate: 1, form: 'compacted' });
    expect(image.xstateBv).toBe(BigInt(model.xcr0 | model.xss));
    expect(image.xcompBv).toBe((1n << 63n) | image.xstateBv);
    expect(valuesOfImage(image)).toEqual(values);
  });
});
