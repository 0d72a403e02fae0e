import fc from 'fast-check';
import { convertFromFxsr, convertToFxsr } from '../../src/kernel/ia32-fsave';
import { decodeX87, encodeEnvironment, encodeFsave, encodeStack } from '../../src/x86/image/legacy';
import { X87_INIT, physicalOrder, topOf, type X87State } from '../../src/x86/x87-state';

const view = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
const KERNEL_64 = { bits: 64, cs: 0x23, ds: 0x2b } as const;
const KERNEL_32 = { bits: 32 } as const;

const fxsave = (state: X87State, wide: boolean): Uint8Array => {
  const bytes = new Uint8Array(512);
  bytes.set(encodeEnvironment(state, wide));
  bytes.set(encodeStack(state), 32);
  return bytes;
};
const words = (env: Uint8Array): readonly number[] =>
  [0, 1, 2, 3, 4, 5, 6].map((n) => view(env).getUint32(4 * n, true));

/** ST0 to ST7, each by exponent and significand. */
const stack = (...registers: readonly (readonly [number, bigint])[]): Uint8Array => {
  const bytes = new Uint8Array(80);
  registers.forEach(([exponent, significand], st) => {
    view(bytes).setBigUint64(10 * st, significand, true);
    view(bytes).setUint16(10 * st + 8, exponent, true);
  });
  return bytes;
};

const state: X87State = {
  ...X87_INIT,
  fcw: 0x27f,
  fsw: 0x2841,
  ftw: 0b1110_0000,
  fop: 0x5d9,
  fip: 0x7fff_1234_5678n,
  fdp: 0x7ffe_9abc_def0n,
  // TOP is 5: ST0 is R5.
  registers: physicalOrder(stack([0x3fff, 1n << 63n], [0, 0n], [0x7fff, 1n << 63n]), 5),
};

describe('convert_from_fxsr()', () => {
  it('64-bit kernel: low halves of the pointers, the current CS and DS, no FOP', () => {
    const env = convertFromFxsr(fxsave(state, true), KERNEL_64);
    expect(env).toHaveLength(108);
    // R7 holds infinity (special, 2), R6 zero (1), R5 one (valid, 0), the others are empty (3).
    expect(words(env)).toEqual([
      ...[0xffff027f, 0xffff2841, 0xffff93ff],
      ...[0x12345678, 0x00000023, 0x9abcdef0, 0xffff002b],
    ]);
  });

  it('32-bit kernel: selectors and FOP as stored, DS without ones above it', () => {
    const narrow = { ...state, fip: 0x12345678n, fdp: 0x9abcdef0n, fcs: 0x73, fds: 0x7b };
    const env = convertFromFxsr(fxsave(narrow, false), KERNEL_32);
    expect(words(env).slice(3)).toEqual([0x12345678, 0x05d90073, 0x9abcdef0, 0x0000007b]);
  });

  it('has the registers in stack order, ten bytes each', () => {
    const env = convertFromFxsr(fxsave(state, true), KERNEL_64);
    expect([...env.subarray(28, 38)]).toEqual([0, 0, 0, 0, 0, 0, 0, 0x80, 0xff, 0x3f]);
    expect([...env.subarray(48, 58)]).toEqual([0, 0, 0, 0, 0, 0, 0, 0x80, 0xff, 0x7f]);
  });

  it.each([
    ['a normal number', [0x3fff, 1n << 63n], 0],
    ['a negative one', [0xc000, 1n << 63n], 0],
    ['zero', [0, 0n], 1],
    ['minus zero', [0x8000, 0n], 1],
    ['a denormal', [0, 1n], 2],
    ['a pseudo-denormal', [0, 1n << 63n], 2],
    ['infinity', [0x7fff, 1n << 63n], 2],
    ['a NaN', [0x7fff, 3n << 62n], 2],
    ['an unnormal', [0x3fff, 1n << 62n], 2],
  ] as const)('tags %s', (_what, register, tag) => {
    const one = { ...X87_INIT, ftw: 1, registers: stack(register) };
    expect(words(convertFromFxsr(fxsave(one, true), KERNEL_64))[2]).toBe(0xfffffffc + tag);
  });

  it('all registers empty: FFFF', () => {
    expect(words(convertFromFxsr(fxsave(X87_INIT, true), KERNEL_64))[2]).toBe(0xffffffff);
  });
});

describe('convert_to_fxsr()', () => {
  const target = new Uint8Array(512).fill(0xa5);
  const env = convertFromFxsr(fxsave(state, true), { bits: 64, cs: 0x05d9_0023, ds: 0x2b });

  it('64-bit kernel: zero-extends the pointers, takes FOP from above CS, ignores the selectors', () => {
    const result = convertToFxsr(target, env, 64);
    expect([...result.subarray(0, 24)]).toEqual([
      ...[0x7f, 0x02, 0x41, 0x28, 0xe0, 0x00, 0xd9, 0x05],
      ...[0x78, 0x56, 0x34, 0x12, 0, 0, 0, 0],
      ...[0xf0, 0xde, 0xbc, 0x9a, 0, 0, 0, 0],
    ]);
  });

  it('32-bit kernel: selectors too, DS with what lies above it', () => {
    const result = convertToFxsr(target, env, 32);
    expect(view(result).getUint32(12, true)).toBe(0x23);
    expect(view(result).getUint32(20, true)).toBe(0xffff002b);
  });

  it('all 16 bits of FOP, though it has 11', () => {
    const wild = env.slice();
    view(wild).setUint16(18, 0xffff, true);
    expect(view(convertToFxsr(target, wild, 64)).getUint16(6, true)).toBe(0xffff);
  });

  it('leaves MXCSR, the ends of the register slots, XMM and all behind alone', () => {
    const result = convertToFxsr(target, env, 64);
    expect(result.subarray(24, 32)).toEqual(target.subarray(24, 32));
    for (let slot = 0; slot < 8; slot++) {
      expect(result.subarray(42 + 16 * slot, 48 + 16 * slot)).toEqual(target.subarray(0, 6));
    }
    expect(result.subarray(160)).toEqual(target.subarray(160));
    expect(target.every((byte) => byte === 0xa5)).toBe(true);
  });

  it('only tag 3 makes a register empty', () => {
    const tags = env.slice();
    view(tags).setUint16(8, 0b11_10_01_00_11_10_01_00, true);
    expect(convertToFxsr(target, tags, 64)[4]).toBe(0b0111_0111);
  });
});

it('inputs that are too short: FPU103', () => {
  const code = expect.objectContaining({ code: 'FPU103' });
  expect(() => convertFromFxsr(new Uint8Array(159), KERNEL_64)).toThrow(code);
  expect(() => convertToFxsr(new Uint8Array(512), new Uint8Array(107), 64)).toThrow(code);
});

describe('for all states', () => {
  const u16 = fc.integer({ min: 0, max: 0xffff });
  const u32 = fc.integer({ min: 0, max: 0xffffffff }).map(BigInt);
  const anyState: fc.Arbitrary<X87State> = fc
    .record({
      fcw: u16,
      fsw: u16,
      ftw: fc.integer({ min: 0, max: 0xff }),
      fop: fc.integer({ min: 0, max: 0x7ff }),
      fip: u32,
      fdp: u32,
      fcs: u16,
      fds: u16,
      registers: fc.uint8Array({ minLength: 80, maxLength: 80 }),
    })
    .map((fields) => ({ ...X87_INIT, ...fields }));

  it('32-bit kernel: there and back is identity, but for the ones above FDS', () => {
    fc.assert(
      fc.property(anyState, (any) => {
        const back = convertToFxsr(new Uint8Array(512), convertFromFxsr(fxsave(any, false), KERNEL_32), 32);
        expect(decodeX87(back, false)).toEqual(decodeX87(fxsave(any, false), false));
      }),
    );
  });

  it('64-bit kernel: there and back loses FOP and the selectors', () => {
    fc.assert(
      fc.property(anyState, (any) => {
        const back = convertToFxsr(new Uint8Array(512), convertFromFxsr(fxsave(any, true), KERNEL_64), 64);
        expect(decodeX87(back, true)).toMatchObject({ ...any, fop: 0, fcs: 0, fds: 0 });
      }),
    );
  });

  it('32-bit kernel: what FNSAVE stores, but for the ones above FDS', () => {
    fc.assert(
      fc.property(anyState, (any) => {
        const fnsave = encodeFsave(any, 32);
        fnsave.fill(0, 26, 28);
        expect(convertFromFxsr(fxsave(any, false), KERNEL_32)).toEqual(fnsave);
        expect(topOf(any)).toBe((any.fsw >> 11) & 7);
      }),
    );
  });
});
