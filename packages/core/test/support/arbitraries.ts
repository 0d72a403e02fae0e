/** Random but legal processor states: contents that are often initial, any mask, any legal XCR0 and IA32_XSS, both modes, both CPLs. */
import fc from 'fast-check';
import { COMPONENTS, TILEDATA, X87, bitsOf } from '../../src/x86/components';
import type { CpuModel } from '../../src/x86/cpu-model';
import type { CodeMode } from '../../src/x86/instruction';
import { MXCSR_INIT, hasLongMode } from '../../src/x86/processor-state';
import { X87_INIT, loadedX87, type X87State } from '../../src/x86/x87-state';

/**
 * What a component holds. `initial-loaded` are initial values that a load put there, which a processor may count as in use.
 *
 * The bytes come from `seed`, so that a value of 8 KiB costs the generator nothing and still shrinks.
 */
export interface Contents {
  readonly kind: 'initial' | 'initial-loaded' | 'one-byte' | 'low-half' | 'high-half' | 'full';
  readonly seed: number;
}

/** A processor state in terms that fit every model; `processorOf` makes one of it. */
export interface StateRecipe {
  readonly mode: CodeMode;
  readonly cpl: 0 | 3;
  readonly xcr0: number;
  readonly xss: number;
  /** IA32_XFD. */
  readonly xfd: number;
  readonly mxcsr: number;
  /** CR4.OSFXSR. */
  readonly osfxsr: boolean;
  /** EFER.FFXSR. */
  readonly ffxsr: boolean;
  /** Undefined: in its initial configuration. */
  readonly x87: X87State | undefined;
  /** By component bit; those that the model lacks are not looked at. */
  readonly contents: readonly Contents[];
}

const seeds = fc.integer({ min: 1, max: 0x7fff_ffff });

/** Contents of one component. */
export const anyContents: fc.Arbitrary<Contents> = fc.record({
  kind: fc.constantFrom('initial', 'initial-loaded', 'one-byte', 'low-half', 'high-half', 'full'),
  seed: seeds,
});

/** MXCSR: often 1F80H; the model's mask cuts it. */
export const anyMxcsr: fc.Arbitrary<number> = fc.oneof(
  fc.constant(MXCSR_INIT),
  fc.constantFrom(0, 0x1fa0, 0xffff, 0x2ffff, 0x7f80),
  fc.integer({ min: 0, max: 0x2ffff }),
);

/** Values at which pointers change their form: 16, 32, 48, 57 and 64 bits. */
const anyPointer: fc.Arbitrary<bigint> = fc.oneof(
  fc.constantFrom(0n, 1n, 0xffffn, 0xffff_ffffn, 1n << 32n, (1n << 47n) - 1n, 1n << 47n, 1n << 56n, (1n << 64n) - 1n),
  fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
);

const word = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 0xffff }));

/** Registers of zeros often, one register often, as the x87 stack is used. */
const anyDataRegisters: fc.Arbitrary<Uint8Array> = fc.oneof(
  fc.constant(new Uint8Array(80)),
  fc.uint8Array({ minLength: 80, maxLength: 80 }),
  fc.record({ at: fc.integer({ min: 0, max: 79 }), byte: fc.integer({ min: 1, max: 255 }) }).map(({ at, byte }) => {
    const registers = new Uint8Array(80);
    registers[at] = byte;
    return registers;
  }),
);

/** x87 state as a load leaves it: no reserved bits, FSW.ES and B as flags and masks make them. */
export const anyX87: fc.Arbitrary<X87State> = fc
  .record({
    fcw: fc.oneof(fc.constant(0x37f), word),
    fsw: word,
    ftw: fc.oneof(fc.constantFrom(0, 0xff), fc.integer({ min: 0, max: 0xff })),
    fop: word,
    fip: anyPointer,
    fdp: anyPointer,
    fcs: word,
    fds: word,
    registers: anyDataRegisters,
  })
  .map(loadedX87);

/** A bitmap of components, as EDX:EAX may hold it: those that no processor has included. */
export const anyMask: fc.Arbitrary<number> = fc.oneof(
  fc.constantFrom(-1, 0, 1, 2, 3, 4, 7, 0xe7, 0x2ff, 0x602e7, 0x60000, 0x40000),
  fc.integer({ min: 0, max: 0x7fff_ffff }),
);

/** A legal value of XCR0: a subset of the model's, x87 set, no component without those that it requires. */
export function anyXcr0({ xcr0 }: CpuModel): fc.Arbitrary<number> {
  const some = fc.integer({ min: 0, max: 0x7fff_ffff }).map((mask) => closed((mask & xcr0) | (1 << X87)));
  return fc.oneof(fc.constant(xcr0), fc.constant(xcr0), some);
}

/** Drops what lacks something that it requires, until nothing does. */
function closed(mask: number): number {
  const kept = bitsOf(mask).filter((bit) => (COMPONENTS[bit].requires & ~mask) === 0);
  const smaller = kept.reduce((all, bit) => all | (1 << bit), 0);
  return smaller === mask ? mask : closed(smaller);
}

/** A legal value of IA32_XSS: any subset of the model's. */
export function anyXss({ xss }: CpuModel): fc.Arbitrary<number> {
  return fc.oneof(
    fc.constant(xss),
    fc.constant(0),
    fc.integer({ min: 0, max: 0x7fff_ffff }).map((mask) => mask & xss),
  );
}

/** A state that the model can be in. */
export function anyState(model: CpuModel): fc.Arbitrary<StateRecipe> {
  const has = (feature: CpuModel['features'][number]): boolean => model.features.includes(feature);
  return fc.record({
    mode: hasLongMode(model) ? fc.constantFrom<CodeMode>(64, 64, 32) : fc.constant<CodeMode>(32),
    cpl: fc.constantFrom<0 | 3>(0, 3),
    xcr0: anyXcr0(model),
    xss: anyXss(model),
    xfd: has('xfd') ? fc.constantFrom(0, 0, 1 << TILEDATA) : fc.constant(0),
    mxcsr: anyMxcsr,
    osfxsr: fc.oneof(fc.constant(has('fxsr')), fc.constant(has('fxsr')), fc.constant(false)),
    ffxsr: has('ffxsr') ? fc.boolean() : fc.constant(false),
    x87: fc.oneof(fc.constant(undefined), fc.constant(X87_INIT), anyX87, anyX87),
    contents: fc.array(anyContents, { minLength: COMPONENTS.length, maxLength: COMPONENTS.length }),
  });
}
