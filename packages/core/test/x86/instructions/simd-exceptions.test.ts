/**
 * Which flags of MXCSR arithmetic on singles and doubles sets: Intel SDM Vol. 1 "SIMD Floating-Point Exception
 * Conditions" (11.5.2), "Overview of Floating-Point Exceptions" (4.9). Results are not modelled.
 */
import { SSE } from '@fpulab/core';
import { hex, run, type Ran } from '../../support/processor';

const IE = 1;
const DE = 2;
const ZE = 4;
const OE = 8;
const UE = 16;
const PE = 32;
const DAZ = 0x40;
const FZ = 0x8000;
const MASKED = 0x1f80;

/** Code on XMM0 and XMM1, given as hex of their low bytes; the rest is zero in XMM0 and ones, 1.0, in XMM1. */
function arithmetic(code: string, left: string, right: string, mxcsr = MASKED, cpu = 'zen4-guest'): Ran {
  return run({
    cpu,
    code,
    state: (state) => {
      const xmm = new Uint8Array(256);
      xmm.set(hex(left), 0);
      for (let at = 16; at < 32; at += 4) xmm.set(hex(ONE), at);
      xmm.set(hex(right), 16);
      Object.assign(state, { mxcsr });
      state.components[SSE] = xmm;
    },
  });
}

const ADDSS = 'f30f58c1';
const SUBSS = 'f30f5cc1';
const MULSS = 'f30f59c1';
const DIVSS = 'f30f5ec1';
const SQRTSS = 'f30f51c1';
const DIVPS = '0f5ec1';
const ADDSD = 'f20f58c1';
const MULSD = 'f20f59c1';

const ZERO = '00000000';
const ONE = '0000803f';
const TWO_TO_MINUS_60 = '00008021';
const DENORMAL = '01000000';
const SMALLEST_NORMAL = '00008000';
const LARGEST = 'ffff7f7f';
const INFINITY = '0000807f';
const MINUS_INFINITY = '000080ff';
const QUIET_NAN = '0000c07f';
const SIGNALLING_NAN = '0100807f';
const HALF = '0000003f';
const TWO = '00000040';
const THREE = '00004040';
const MINUS_ONE = '000080bf';

const flagsOf = ({ state }: Ran): number => state.mxcsr & 0x3f;

describe('flags, all exceptions masked', () => {
  it.each([
    ['1.0 + 2^-60 is inexact', ADDSS, ONE, TWO_TO_MINUS_60, PE],
    ['1.0 + 1.0 is exact', ADDSS, ONE, ONE, 0],
    ['a denormal / 0 is a division by zero, and DE is not reported', DIVSS, DENORMAL, ZERO, ZE],
    ['a denormal + 1.0', ADDSS, DENORMAL, ONE, DE | PE],
    ['0 / 0', DIVSS, ZERO, ZERO, IE],
    ['1 / 0', DIVSS, ONE, ZERO, ZE],
    ['1 / 3', DIVSS, ONE, THREE, PE],
    ['1 / 2', DIVSS, ONE, TWO, 0],
    ['infinity / 0 is exact', DIVSS, INFINITY, ZERO, 0],
    ['infinity / infinity', DIVSS, INFINITY, INFINITY, IE],
    ['infinity * 0', MULSS, INFINITY, ZERO, IE],
    ['infinity - infinity', SUBSS, INFINITY, INFINITY, IE],
    ['infinity + -infinity', ADDSS, INFINITY, MINUS_INFINITY, IE],
    ['infinity + infinity', ADDSS, INFINITY, INFINITY, 0],
    ['infinity + a denormal', ADDSS, INFINITY, DENORMAL, DE],
    ['a signalling NaN', ADDSS, SIGNALLING_NAN, ONE, IE],
    ['a signalling NaN and a denormal', ADDSS, SIGNALLING_NAN, DENORMAL, IE],
    ['a quiet NaN and a denormal', ADDSS, QUIET_NAN, DENORMAL, 0],
    ['the largest number doubled', MULSS, LARGEST, TWO, OE | PE],
    ['the largest number + 1.0', ADDSS, LARGEST, ONE, PE],
    ['the smallest normal number halved is a denormal, and exact', MULSS, SMALLEST_NORMAL, HALF, 0],
    ['the smallest denormal halved', MULSS, DENORMAL, HALF, DE | UE | PE],
    ['the square root of 2', SQRTSS, ZERO, TWO, PE],
    ['the square root of 1', SQRTSS, ZERO, ONE, 0],
    ['the square root of -1', SQRTSS, ZERO, MINUS_ONE, IE],
    ['the square root of -0 is exact', SQRTSS, ZERO, '00000080', 0],
  ])('%s', (_, code, left, right, flags) => {
    const ran = arithmetic(code, left, right);
    expect([ran.fault, flagsOf(ran)]).toEqual([undefined, flags]);
  });

  it.each([
    ['1.0 + 2^-60', ADDSD, '000000000000f03f', '000000000000303c', PE],
    ['1.0 + 2^-52', ADDSD, '000000000000f03f', '000000000000b03c', 0],
    ['the largest number doubled', MULSD, 'ffffffffffffef7f', '0000000000000040', OE | PE],
    ['a denormal * 1.0', MULSD, '0100000000000000', '000000000000f03f', DE],
  ])('doubles: %s', (_, code, left, right, flags) => {
    expect(flagsOf(arithmetic(code, left, right))).toBe(flags);
  });

  it('are those of all elements together, and stay set', () => {
    const packed = arithmetic(DIVPS, DENORMAL + ZERO + ONE + ONE, ZERO + ZERO + THREE + ONE);
    expect(flagsOf(packed)).toBe(ZE | IE | PE);
    expect(flagsOf(arithmetic(ADDSS, ONE, ONE, MASKED | OE))).toBe(OE);
  });

  it('DIVPS of denormals by zeros sets ZE only', () => {
    expect(flagsOf(arithmetic(DIVPS, DENORMAL.repeat(4), ZERO.repeat(4)))).toBe(ZE);
  });
});

describe('modes of MXCSR', () => {
  it('DAZ makes denormal operands zeros: neither DE, nor more than a zero would', () => {
    expect(flagsOf(arithmetic(ADDSS, DENORMAL, ONE, MASKED | DAZ))).toBe(0);
    expect(flagsOf(arithmetic(DIVSS, DENORMAL, ZERO, MASKED | DAZ))).toBe(IE);
  });

  it('FZ flushes a tiny result to zero: underflow and inexact, even where the denormal would be exact', () => {
    expect(flagsOf(arithmetic(MULSS, SMALLEST_NORMAL, HALF, MASKED | FZ))).toBe(UE | PE);
  });

  it('with underflow not masked a tiny result is one even if it is exact', () => {
    const ran = arithmetic(MULSS, SMALLEST_NORMAL, HALF, MASKED & ~0x800);
    expect([ran.fault, flagsOf(ran)]).toEqual(['#XM', UE]);
  });
});

describe('exceptions that are not masked', () => {
  it('of the operands keep those of the result from being reported', () => {
    const ran = arithmetic(ADDSS, DENORMAL, ONE, MASKED & ~0x100);
    expect([ran.fault, flagsOf(ran)]).toEqual(['#XM', DE]);
  });

  it('leave the destination as it was', () => {
    const ran = arithmetic(DIVSS, ONE, ZERO, MASKED & ~0x200);
    expect([ran.fault, flagsOf(ran), ran.state.undetermined.components]).toEqual(['#XM', ZE, 0]);
  });
});
