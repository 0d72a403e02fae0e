import fc from 'fast-check';
import { COMPONENTS, SUPERVISOR_COMPONENTS, USER_COMPONENTS } from '../../src/x86/components';
import { bitsOfMask, described, explainMask, explainXcr0, explainXss, type Illegality } from '../../src/x86/legality';
import {
  AMX_CPU,
  APX_AND_MPX_CPU,
  AVX_CPU,
  FXSAVE_CPU,
  MPX_CPU,
  anyMask,
  anyXsaveCpu,
} from '../support/hand-made-cpus';

const codes = (reasons: readonly Illegality[]): readonly string[] => reasons.map(({ code }) => code);

describe('XCR0', () => {
  it.each([
    ['x87 alone', 0x1n, []],
    ['x87 and SSE', 0x3n, []],
    ['all of the processor', 0x602e7n, []],
    ['PKRU without anything but x87: it depends on nothing', 0x201n, []],
    ['AMX without AVX', 0x60001n, []],
    ['zero', 0x0n, ['x87-clear']],
    ['SSE without x87', 0x2n, ['x87-clear']],
    ['AVX without SSE', 0x5n, ['avx-without-sse']],
    ['AVX-512 without Hi16_ZMM', 0x67n, ['avx512-incomplete']],
    ['AVX-512 without AVX', 0xe3n, ['avx512-without-avx']],
    ['AVX-512 with AVX, without SSE', 0xe5n, ['avx-without-sse', 'avx512-without-avx']],
    ['opmask alone', 0x21n, ['avx512-incomplete', 'avx512-without-avx']],
    ['TILECFG without TILEDATA', 0x202e7n, ['amx-incomplete']],
    ['TILEDATA without TILECFG', 0x402e7n, ['amx-incomplete']],
    ['MPX, which this processor lacks', 0x1fn, ['not-enumerated']],
    ['half of it', 0xfn, ['not-enumerated', 'mpx-incomplete']],
    ['CET_U', 0x803n, ['supervisor-in-xcr0']],
    ['PT, which this processor lacks: supervisor state all the same', 0x103n, ['supervisor-in-xcr0']],
    ['bit 63', 0x8000000000000003n, ['not-enumerated']],
    ['bit 31', 0x80000003n, ['not-enumerated']],
    ['bit 32', 0x100000003n, ['not-enumerated']],
  ])('%s', (_what, value, expected) => {
    expect(codes(explainXcr0(AMX_CPU, value))).toEqual(expected);
  });

  it('needs both of MPX where there is MPX', () => {
    expect(codes(explainXcr0(MPX_CPU, 0x2fbn))).toEqual(['avx512-without-avx']);
    expect(codes(explainXcr0(MPX_CPU, 0x1fn))).toEqual([]);
    expect(codes(explainXcr0(MPX_CPU, 0xbn))).toEqual(['mpx-incomplete']);
    expect(codes(explainXcr0(MPX_CPU, 0x13n))).toEqual(['mpx-incomplete']);
  });

  it('says which bit lacks which, and where the rule is written', () => {
    const [reason] = explainXcr0(AMX_CPU, 0x202e7n);
    expect(reason).toEqual({
      code: 'amx-incomplete',
      bits: [17, 18],
      sentence:
        'the AMX components TILECFG and TILEDATA (bits 17 and 18) can only be enabled together: bit 17 (tilecfg) set without bit 18 (tiledata)',
      source: 'Intel SDM Vol. 1 "Enabling the XSAVE Feature Set and XSAVE-Enabled Features" (13.3)',
    });
  });

  it('does not exist without XSAVE', () => {
    expect(codes(explainXcr0(FXSAVE_CPU, 1n))).toEqual(['no-xsave']);
  });

  it('is legal exactly when it has bit 0, only enumerated bits, and what the component table requires', () => {
    fc.assert(
      fc.property(anyXsaveCpu, anyMask, (cpu, value) => {
        const complete = COMPONENTS.filter(({ bit }) => value & (1 << bit)).every(
          ({ requires }) => (value & requires) === requires,
        );
        // AVX requires SSE, and AVX-512 requires AVX: so AVX-512 requires SSE.
        const legal = (value & 1) !== 0 && (value & ~cpu.xcr0) === 0 && complete;
        expect(explainXcr0(cpu, BigInt(value)).length === 0).toBe(legal);
      }),
    );
  });
});

describe('IA32_XSS', () => {
  it.each([
    ['nothing', 0n, []],
    ['CET and UINTR', 0x5800n, []],
    ['a user component', 0x4n, ['user-in-xss']],
    ['PKRU', 0x200n, ['user-in-xss']],
    ['PT, which this processor lacks', 0x100n, ['not-enumerated']],
    ['TILEDATA and HDC', 0x42000n, ['user-in-xss', 'not-enumerated']],
    ['bit 63', 1n << 63n, ['not-enumerated']],
  ])('%s', (_what, value, expected) => {
    expect(codes(explainXss(AMX_CPU, value))).toEqual(expected);
  });

  it('does not exist without XSAVES', () => {
    expect(codes(explainXss(AVX_CPU, 0n))).toEqual(['no-xsaves']);
  });

  it('is legal exactly when all bits are enumerated', () => {
    fc.assert(
      fc.property(anyMask, (value) => {
        expect(explainXss(AMX_CPU, BigInt(value)).length === 0).toBe((value & ~AMX_CPU.xss) === 0);
      }),
    );
  });
});

describe('the mask of an area', () => {
  it.each([
    ['TILECFG without TILEDATA: the rule binds XCR0 only', 0x202e7n, 'standard', []],
    ['no x87', 0x4n, 'compacted', []],
    ['supervisor state, compacted', 0x1802n, 'compacted', []],
    ['supervisor state, standard', 0x1802n, 'standard', ['supervisor-in-standard-form']],
    ['MPX', 0x1fn, 'compacted', ['not-enumerated']],
    ['bit 62', 1n << 62n, 'standard', ['not-enumerated']],
  ] as const)('%s', (_what, mask, form, expected) => {
    expect(codes(explainMask(AMX_CPU, mask, form))).toEqual(expected);
  });

  it('has no compacted form without XSAVEC and XSAVES', () => {
    expect(codes(explainMask(AVX_CPU, 0x7n, 'compacted'))).toEqual(['no-compacted-form']);
  });

  it('does not exist without XSAVE', () => {
    expect(codes(explainMask(FXSAVE_CPU, 0x3n, 'standard'))).toEqual(['no-xsave']);
  });

  it('shows APX over MPX in the standard form of a processor that claims both, and there only', () => {
    const reasons = explainMask(APX_AND_MPX_CPU, 0x8001fn, 'standard');
    expect(codes(reasons)).toEqual(['overlap', 'overlap']);
    expect(reasons.map(({ bits }) => bits)).toEqual([
      [3, 19],
      [4, 19],
    ]);
    expect(explainMask(APX_AND_MPX_CPU, 0x8001fn, 'compacted')).toEqual([]);
  });
});

describe('bits in words', () => {
  it.each([
    [0x20000n, 'bit 17 (tilecfg)'],
    [0x18n, 'bits 3 (bndregs) and 4 (bndcsr)'],
    [(1n << 63n) | 1n, 'bits 0 (x87) and 63'],
    [0xe0n, 'bits 5 (opmask), 6 (zmm_hi256) and 7 (hi16_zmm)'],
  ])('%s is %s', (mask, text) => {
    expect(described(mask)).toBe(text);
  });

  it('finds the bits of user and supervisor components', () => {
    expect(bitsOfMask(BigInt(USER_COMPONENTS))).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 9, 17, 18, 19]);
    expect(bitsOfMask(BigInt(SUPERVISOR_COMPONENTS))).toEqual([8, 10, 11, 12, 13, 14, 15, 16]);
  });
});
