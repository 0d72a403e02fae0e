/** FXSAVE and FNSAVE images byte by byte, over memory full of A5H. */
import { decodeImage, encodeImage, type FsaveImage, type FxsaveImage } from '@fpulab/core';
import type { X87State } from '../../../src/x86/x87-state';
import { fpuErrorOf } from '../../support/errors';

const FILL = 0xa5;
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** TOP = 6. R6 (ST0) is 1.0, R7 (ST1) is zero, R0 (ST2) is infinity, R1 (ST3) is a denormal; the others are empty. */
const X87_STATE: X87State = {
  fcw: 0x027f,
  fsw: 0x3000,
  ftw: 0b1100_0011,
  fop: 0x5d9,
  fip: 0x1_2345_6789n,
  fdp: 0x2_3456_789an,
  fcs: 0x0023,
  fds: 0x002b,
  registers: Uint8Array.from(
    Buffer.from(
      [
        '0000000000000080ff7f',
        '01000000000000000000',
        '22222222222222222222',
        '33333333333333333333',
        '44444444444444444444',
        '55555555555555555555',
        '0000000000000080ff3f',
        '00000000000000000000',
      ].join(''),
      'hex',
    ),
  ),
};

const STACK = [
  '0000000000000080ff3f',
  '00000000000000000000',
  '0000000000000080ff7f',
  '01000000000000000000',
  '22222222222222222222',
  '33333333333333333333',
  '44444444444444444444',
  '55555555555555555555',
];

const MXCSR = { value: 0x1fa1, mask: 0xffff };
const fxsave = (overrides: Partial<FxsaveImage> = {}): FxsaveImage => ({
  form: 'fxsave',
  wide: false,
  x87: X87_STATE,
  mxcsr: MXCSR,
  xmm: new Uint8Array(256).fill(0x11),
  ...overrides,
});
const fnsave = (operandBits: 16 | 32): FsaveImage => ({ form: 'fnsave', operandBits, x87: X87_STATE });

describe('FXSAVE', () => {
  it.each([
    ['32-bit pointers and selectors', false, '89674523' + '23000000' + '9a785634' + '2b000000'],
    ['64-bit pointers', true, '8967452301000000' + '9a78563402000000'],
  ])('%s', (_, wide, pointers) => {
    const area = new Uint8Array(512).fill(FILL);
    expect(encodeImage(fxsave({ wide }), area)).toBe(416);
    expect(hex(area.subarray(0, 32))).toBe('7f020030' + 'c300d905' + pointers + 'a11f0000ffff0000');
    expect(hex(area.subarray(32, 160))).toBe(STACK.map((register) => `${register}000000000000`).join(''));
    expect(hex(area.subarray(160, 416))).toBe('11'.repeat(256));
    expect(hex(area.subarray(416))).toBe('a5'.repeat(96));
  });

  it.each([
    ['128 bytes of XMM: registers 8 to 15 are left alone', { xmm: new Uint8Array(128).fill(0x11) }, 288, 512],
    ['no XMM: bytes 160 on are left alone', { xmm: undefined }, 160, 512],
    ['no MXCSR: bytes 24 to 31 are left alone', { mxcsr: undefined }, 24, 32],
  ])('%s', (_, overrides, from, to) => {
    const area = new Uint8Array(512).fill(FILL);
    const full = area.slice();
    encodeImage(fxsave(), full);
    encodeImage(fxsave(overrides), area);
    expect(hex(area.subarray(from, to))).toBe('a5'.repeat(to - from));
    expect(hex(area.subarray(0, from))).toBe(hex(full.subarray(0, from)));
  });

  it('reads back what the form holds', () => {
    const area = new Uint8Array(512).fill(FILL);
    encodeImage(fxsave(), area);
    const low = { fip: 0x2345_6789n, fdp: 0x3456_789an };
    expect(decodeImage(area, { form: 'fxsave', wide: false })).toEqual(fxsave({ x87: { ...X87_STATE, ...low } }));
    encodeImage(fxsave({ wide: true }), area);
    const flat = { fcs: 0, fds: 0 };
    expect(decodeImage(area, { form: 'fxsave', wide: true })).toEqual(
      fxsave({ wide: true, x87: { ...X87_STATE, ...flat } }),
    );
  });

  it('an image that ends with XMM15 is enough, one byte less is FPU103', () => {
    const image = fxsave();
    expect(encodeImage(image, new Uint8Array(416))).toBe(416);
    expect(decodeImage(new Uint8Array(416), { form: 'fxsave', wide: true }).form).toBe('fxsave');
    for (const action of [
      () => encodeImage(image, new Uint8Array(415)),
      () => decodeImage(new Uint8Array(415), { form: 'fxsave', wide: true }),
    ]) {
      expect(fpuErrorOf(action)).toMatchObject({ code: 'FPU103', detail: { found: 415, needed: 416 } });
    }
  });
});

describe('FNSAVE', () => {
  it('108 bytes with 32-bit operands: reserved halves are ones, FOP lies above FCS', () => {
    const area = new Uint8Array(128).fill(FILL);
    expect(encodeImage(fnsave(32), area)).toBe(108);
    expect(hex(area)).toBe(
      '7f02ffff' +
        '0030ffff' +
        'fa4fffff' +
        '89674523' +
        '2300d905' +
        '9a785634' +
        '2b00ffff' +
        STACK.join('') +
        'a5'.repeat(20),
    );
  });

  it('94 bytes with 16-bit operands: no FOP, pointers of 16 bits', () => {
    const area = new Uint8Array(128).fill(FILL);
    expect(encodeImage(fnsave(16), area)).toBe(94);
    expect(hex(area)).toBe(
      '7f02' + '0030' + 'fa4f' + '8967' + '2300' + '9a78' + '2b00' + STACK.join('') + 'a5'.repeat(34),
    );
  });

  it('tags by content: valid 0, zero 1, special 2, empty 3', () => {
    const area = new Uint8Array(108);
    encodeImage(fnsave(32), area);
    const word = area[8] | (area[9] << 8);
    expect(Array.from({ length: 8 }, (_, register) => (word >> (2 * register)) & 3)).toEqual([2, 2, 3, 3, 3, 3, 0, 1]);
  });

  it('reads back what the form holds; contents of empty registers too', () => {
    const area = new Uint8Array(108);
    encodeImage(fnsave(32), area);
    const low = { fip: 0x2345_6789n, fdp: 0x3456_789an };
    expect(decodeImage(area, { form: 'fnsave', operandBits: 32 })).toEqual({
      ...fnsave(32),
      x87: { ...X87_STATE, ...low },
    });
    encodeImage(fnsave(16), area);
    expect(decodeImage(area, { form: 'fnsave', operandBits: 16 })).toEqual({
      ...fnsave(16),
      x87: { ...X87_STATE, fip: 0x6789n, fdp: 0x789an, fop: 0 },
    });
  });

  it('drops the upper five bits of what lies in FOP', () => {
    const area = new Uint8Array(108).fill(0xff);
    expect(decodeImage(area, { form: 'fnsave', operandBits: 32 })).toMatchObject({
      x87: { fop: 0x7ff, fcs: 0xffff, ftw: 0 },
    });
  });

  it.each([
    [16, 94],
    [32, 108],
  ] as const)('with %i-bit operands one byte less than %i is FPU103', (operandBits, needed) => {
    const found = needed - 1;
    for (const action of [
      () => encodeImage(fnsave(operandBits), new Uint8Array(found)),
      () => decodeImage(new Uint8Array(found), { form: 'fnsave', operandBits }),
    ]) {
      expect(fpuErrorOf(action)).toMatchObject({ code: 'FPU103', detail: { found, needed } });
    }
  });
});
