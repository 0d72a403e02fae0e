/**
 * Header checks of XRSTOR and XRSTORS, one by one: Intel SDM Vol. 1 "Standard Form of XRSTOR" (13.8.1), "Compacted
 * Form of XRSTOR" (13.8.2), "Operation of XRSTORS" (13.12).
 */
import { APX, AVX, BNDREGS, PASID, SSE, UINTR, X87, cpuModel } from '@fpulab/core';
import { CODE } from '../../support/machine-code';
import { AREA, COMPACTED, fill, header, maskOf, run, type Ran, type RunOptions } from '../../support/processor';

type Header = readonly [xstateBv: bigint, xcompBv: bigint, reserved?: readonly number[]];

/** The area's header, with ones in the named bytes of it. */
function withHeader([xstateBv, xcompBv, reserved = []]: Header): NonNullable<RunOptions['bytes']> {
  const ones = reserved.map((byte) => [AREA + 512n + BigInt(byte), Uint8Array.of(1)] as const);
  return [header(xstateBv, xcompBv), ...ones];
}

function xrstor(given: Header, options: Partial<RunOptions> = {}): Ran {
  return run({ code: CODE.XRSTOR, bytes: withHeader(given), ...options });
}

function xrstors(given: Header, options: Partial<RunOptions> = {}): Ran {
  return run({ code: CODE.XRSTORS, cpl: 0, bytes: withHeader(given), ...options });
}

function expectRefused(ran: Ran, reason: string): void {
  expect([ran.fault, ran.errorCode, ran.reason]).toEqual(['#GP', 0, reason]);
  expect(ran.events).toHaveLength(1);
}

const bit = (number: number): bigint => 1n << BigInt(number);
const XCOMP = COMPACTED | bit(X87) | bit(SSE) | bit(AVX);

describe('XRSTOR, standard form', () => {
  it('takes a header of zeros', () => {
    expect(xrstor([0n, 0n]).fault).toBeUndefined();
  });

  it.each([
    ['a component that the processor lacks', bit(BNDREGS)],
    ['a supervisor component, even one that IA32_XSS enables', bit(PASID)],
    ['a bit that is not defined', bit(40)],
    ['bit 63', bit(63)],
  ])('refuses XSTATE_BV with %s', (_, xstateBv) => {
    expectRefused(xrstor([xstateBv, 0n]), 'xstate-bv-not-enabled');
  });

  it('refuses XSTATE_BV with a component that XCR0 does not enable now', () => {
    expect(xrstor([bit(AVX), 0n]).fault).toBeUndefined();
    expectRefused(xrstor([bit(AVX), 0n], { control: { xcr0: 3 } }), 'xstate-bv-not-enabled');
  });

  it.each([8, 15, 16, 23])('refuses a header whose byte %i is not zero', (byte) => {
    // Byte 15 without its top bit: that would be the compacted form.
    expectRefused(xrstor([0n, 0n, [byte]]), 'standard-header-reserved');
  });

  it.each([24, 40, 63])('does not look at byte %i', (byte) => {
    expect(xrstor([0n, 0n, [byte]]).fault).toBeUndefined();
  });

  it('where both are wrong, XSTATE_BV is told first', () => {
    expectRefused(xrstor([bit(40), 0n, [16]]), 'xstate-bv-not-enabled');
  });
});

describe('XRSTOR, compacted form', () => {
  it('takes XCOMP_BV with bit 63 alone', () => {
    expect(xrstor([0n, COMPACTED]).fault).toBeUndefined();
  });

  it.each([
    ['a component that the processor lacks', bit(BNDREGS)],
    ['a supervisor component', bit(UINTR)],
    ['APX', bit(APX)],
    ['a bit that is not defined', bit(62)],
  ])('refuses XCOMP_BV with %s', (_, wrong) => {
    expectRefused(xrstor([0n, XCOMP | wrong]), 'xcomp-bv-not-enabled');
  });

  it('refuses XCOMP_BV with a component that XCR0 does not enable now', () => {
    expectRefused(xrstor([0n, XCOMP], { control: { xcr0: 3 } }), 'xcomp-bv-not-enabled');
  });

  it('refuses XSTATE_BV with a bit that XCOMP_BV lacks, though XCR0 enables it', () => {
    expectRefused(xrstor([bit(9), XCOMP]), 'xstate-bv-outside-xcomp-bv');
  });

  it('x87 and SSE are no exception, though the legacy region has a place for them', () => {
    expectRefused(xrstor([bit(SSE), COMPACTED | bit(X87)]), 'xstate-bv-outside-xcomp-bv');
    expectRefused(xrstor([bit(X87), COMPACTED]), 'xstate-bv-outside-xcomp-bv');
  });

  it.each(['zen4-guest', 'skylake-x'])('%s refuses XSTATE_BV[63], which no component is', (cpu) => {
    expectRefused(xrstor([bit(63), COMPACTED], { cpu }), 'xstate-bv-outside-xcomp-bv');
    expectRefused(xrstors([bit(63), COMPACTED], { cpu }), 'xstate-bv-outside-xcomp-bv');
  });

  it.each(['bochs-sapphire-rapids', 'bochs-ryzen'])('%s lets XSTATE_BV[63] pass', (cpu) => {
    expect(xrstor([bit(63), COMPACTED], { cpu }).fault).toBeUndefined();
  });

  it.each([16, 23, 24, 40, 63])('refuses a header whose byte %i is not zero', (byte) => {
    expectRefused(xrstor([0n, XCOMP, [byte]]), 'compacted-header-reserved');
  });

  it('is refused whole by a processor without XSAVEC', () => {
    expectRefused(xrstor([0n, COMPACTED], { cpu: 'haswell' }), 'compacted-unsupported');
    expect(cpuModel('haswell').features).not.toContain('xsavec');
  });
});

describe('XRSTORS', () => {
  it('takes supervisor components that IA32_XSS enables', () => {
    expect(xrstors([0n, XCOMP | bit(PASID)]).fault).toBeUndefined();
  });

  it('refuses the standard form', () => {
    expectRefused(xrstors([0n, 0n]), 'xcomp-bv-not-compacted');
  });

  it('refuses it before it looks at XSTATE_BV', () => {
    expectRefused(xrstors([bit(40), 0n]), 'xcomp-bv-not-compacted');
  });

  it.each([
    ['a supervisor component that IA32_XSS does not enable now', bit(PASID), { xss: 0 }],
    ['a user component that XCR0 does not enable now', bit(AVX), { xcr0: 3 }],
    ['a component that the processor lacks', bit(BNDREGS), {}],
  ])('refuses XCOMP_BV with %s', (_, wrong, control) => {
    expectRefused(xrstors([0n, COMPACTED | wrong], { control }), 'xcomp-bv-not-enabled');
  });

  it('refuses XSTATE_BV with a bit that XCOMP_BV lacks', () => {
    expectRefused(xrstors([bit(PASID), XCOMP]), 'xstate-bv-outside-xcomp-bv');
  });

  it.each([16, 63])('refuses a header whose byte %i is not zero', (byte) => {
    expectRefused(xrstors([0n, XCOMP, [byte]]), 'compacted-header-reserved');
  });

  it('refuses CPL 3 before it reads the header', () => {
    const ran = xrstors([0n, 0n], { cpl: 3, memory: [], bytes: [] });
    expectRefused(ran, 'not-privileged');
  });
});

describe('header checks do not depend on RFBM', () => {
  const nothing = { registers: { rax: 0n } };

  it.each([
    ['standard, XSTATE_BV', [bit(40), 0n], 'xstate-bv-not-enabled'],
    ['standard, bytes 23:8', [0n, 0n, [16]], 'standard-header-reserved'],
    ['compacted, XCOMP_BV', [0n, XCOMP | bit(62)], 'xcomp-bv-not-enabled'],
    ['compacted, XSTATE_BV', [bit(9), XCOMP], 'xstate-bv-outside-xcomp-bv'],
    ['compacted, bytes 63:16', [0n, XCOMP, [63]], 'compacted-header-reserved'],
  ] as const)('%s: refused with RFBM = 0 too', (_, given, reason) => {
    expectRefused(xrstor(given, nothing), reason);
  });

  it('XRSTORS refuses the standard form with RFBM = 0 too', () => {
    expectRefused(xrstors([0n, 0n], nothing), 'xcomp-bv-not-compacted');
  });

  it('RFBM = 0 and a good header load nothing', () => {
    const state: RunOptions['state'] = (start) => fill(start, SSE, 0x55);
    const ran = xrstor([BigInt(maskOf(X87, SSE)), 0n], { ...nothing, state, cpu: 'bochs-sapphire-rapids' });
    expect(ran.fault).toBeUndefined();
    expect(ran.events.map(({ type }) => type)).toEqual(['instruction-retired']);
  });
});
