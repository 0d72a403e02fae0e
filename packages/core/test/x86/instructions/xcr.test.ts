/**
 * XSETBV, XGETBV, RDPKRU and WRPKRU: Intel SDM Vol. 1 "Enabling the XSAVE Feature Set and XSAVE-Enabled Features"
 * (13.3); Vol. 2, each instruction.
 */
import { PKRU, TILEDATA, X87 } from '@fpulab/core';
import { CODE } from '../../support/machine-code';
import { eventTypes, fill, quad, run, toHex, type Ran, type RunOptions } from '../../support/processor';

const HIGH = 0xdead_beef_0000_0000n;

function xsetbv(value: bigint, options: Partial<RunOptions> = {}): Ran {
  const registers = { rax: value & 0xffff_ffffn, rdx: value >> 32n, ...options.registers };
  return run({ code: CODE.XSETBV, cpl: 0, ...options, registers });
}

describe('XSETBV', () => {
  it.each([
    ['sapphire-rapids', [0x1n, 0x3n, 0x7n, 0xe7n, 0x201n, 0x6_0001n, 0x6_02e7n]],
    ['skylake-x', [0x19n, 0x1fn, 0xffn, 0x2ffn]],
    ['zen2', [0x1n, 0x3n, 0x7n]],
  ])('%s takes what the rules allow', (cpu, values) => {
    for (const value of values) {
      const ran = xsetbv(value, { cpu });
      expect([ran.fault, ran.state.control.xcr0]).toEqual([undefined, Number(value)]);
      expect(eventTypes(ran)).toEqual(['control-written']);
    }
  });

  it.each([
    ['sapphire-rapids', 'bit 0 is clear', 0x6n, 'x87-clear'],
    ['sapphire-rapids', 'zero', 0n, 'x87-clear'],
    ['sapphire-rapids', 'AVX without SSE', 0x5n, 'avx-without-sse'],
    ['skylake-x', 'BNDREGS without BNDCSR', 0x9n, 'mpx-incomplete'],
    ['skylake-x', 'BNDCSR without BNDREGS', 0x11n, 'mpx-incomplete'],
    ['sapphire-rapids', 'opmask alone', 0x27n, 'avx512-incomplete'],
    ['sapphire-rapids', 'ZMM_Hi256 and Hi16_ZMM without opmask', 0xc7n, 'avx512-incomplete'],
    ['sapphire-rapids', 'AVX-512 without AVX', 0xe3n, 'avx512-without-avx'],
    ['sapphire-rapids', 'AVX-512 without SSE and AVX', 0xe1n, 'avx512-without-avx'],
    ['sapphire-rapids', 'TILECFG alone', 0x2_0001n, 'amx-incomplete'],
    ['sapphire-rapids', 'TILEDATA alone', 0x4_0001n, 'amx-incomplete'],
    ['sapphire-rapids', 'a supervisor component', 0x401n, 'supervisor-in-xcr0'],
    ['sapphire-rapids', 'MPX, which it lacks', 0x19n, 'not-enumerated'],
    ['zen2', 'AVX-512, which it lacks', 0xe7n, 'not-enumerated'],
    ['sapphire-rapids', 'bit 40', (1n << 40n) | 1n, 'not-enumerated'],
    ['sapphire-rapids', 'bit 63', (1n << 63n) | 1n, 'not-enumerated'],
  ])('%s refuses %s with #GP(0)', (cpu, _, value, reason) => {
    const ran = xsetbv(value, { cpu });
    expect([ran.fault, ran.errorCode, ran.reason]).toEqual(['#GP', 0, reason]);
    expect(ran.state.control.xcr0).toBe(ran.cpu.model.xcr0);
  });

  it('knows XCR0 only; the upper half of RCX does not matter', () => {
    expect(xsetbv(1n, { registers: { rcx: 1n } }).reason).toBe('xcr-index');
    expect(xsetbv(1n, { registers: { rcx: HIGH } }).fault).toBeUndefined();
  });

  it('needs CPL 0, before it looks at its operands', () => {
    expect(xsetbv(0n, { cpl: 3 }).reason).toBe('not-privileged');
  });

  it('leaves components alone: state that XCR0 no longer enables stays in its registers, in use', () => {
    const ran = xsetbv(1n, { state: (state) => fill(state, TILEDATA, 0x11) });
    expect(ran.state.components[TILEDATA][0]).toBe(0x11);
    expect(ran.state.inUse).toBe(1 << TILEDATA);
  });
});

describe('XGETBV', () => {
  const xgetbv = (rcx: bigint, options: Partial<RunOptions> = {}): Ran =>
    run({ code: CODE.XGETBV, ...options, registers: { rcx, rax: HIGH, rdx: HIGH } });

  it('returns XCR0 at any CPL, and clears the upper halves', () => {
    for (const cpl of [0, 3] as const) {
      const { registers } = xgetbv(HIGH, { cpl }).state;
      expect([registers[0], registers[2]]).toEqual([0x6_02e7n, 0n]);
    }
  });

  it('with ECX = 1 returns what of XCR0 is in use', () => {
    const state: RunOptions['state'] = (start) => {
      fill(start, PKRU, 1);
      fill(start, TILEDATA, 1);
      start.control.xcr0 = 0x207;
    };
    expect(xgetbv(1n, { state }).state.registers[0]).toBe(1n << BigInt(PKRU));
  });

  it('with ECX = 1 needs CPUID.(0DH,1):EAX[2]', () => {
    expect(xgetbv(1n, { cpu: 'haswell' })).toMatchObject({ fault: '#GP', errorCode: 0, reason: 'xcr-index' });
    expect(xgetbv(1n, { cpu: 'skylake-x' }).fault).toBeUndefined();
  });

  it('knows no other register', () => {
    expect(xgetbv(2n).reason).toBe('xcr-index');
    expect(xgetbv(0xffff_ffffn).reason).toBe('xcr-index');
  });
});

it.each(['XGETBV', 'XSETBV'] as const)('%s is #UD with CR4.OSXSAVE clear, whatever the CPL, and never #NM', (name) => {
  const { cr0, cr4 } = run({ code: '' }).state.control;
  const clear = { cr4: cr4 & ~(1 << 18) };
  expect(run({ code: CODE[name], control: clear })).toMatchObject({ fault: '#UD', reason: 'osxsave-clear' });
  const ts = run({ code: CODE[name], cpl: 0, registers: { rax: 1n }, control: { cr0: cr0 | 8 } });
  expect(ts.fault).toBeUndefined();
});

describe('RDPKRU and WRPKRU', () => {
  const PKE = 1 << 22;
  const pkru = (code: string, options: Partial<RunOptions> = {}): Ran =>
    run({ code, control: { cr4: run({ code: '' }).state.control.cr4 | PKE }, ...options });

  it('WRPKRU loads EAX, RDPKRU returns it and clears EDX; upper halves do not matter', () => {
    const registers = { rax: HIGH | 0x5555_5554n, rcx: HIGH, rdx: HIGH };
    const ran = pkru(CODE.WRPKRU, { registers });
    expect([ran.fault, ran.cpu.pkru, toHex(ran.state.components[PKRU])]).toEqual([
      ...[undefined, 0x5555_5554, toHex(quad(0x5555_5554n))],
    ]);
    const read = run({ after: ran, code: CODE.RDPKRU });
    expect([read.state.registers[0], read.state.registers[2]]).toEqual([0x5555_5554n, 0n]);
  });

  it.each([
    ['RDPKRU', { rcx: 1n }, 'pkru-ecx'],
    ['WRPKRU', { rcx: 1n }, 'pkru-ecx'],
    ['WRPKRU', { rdx: 1n }, 'pkru-edx'],
    ['WRPKRU', { rcx: 1n, rdx: 1n }, 'pkru-ecx'],
  ] as const)('%s with %o: #GP(0)', (name, registers, reason) => {
    expect(pkru(CODE[name], { registers })).toMatchObject({ fault: '#GP', errorCode: 0, reason });
  });

  it('RDPKRU does not look at EDX', () => {
    expect(pkru(CODE.RDPKRU, { registers: { rdx: 1n } }).fault).toBeUndefined();
  });

  it('are #UD with CR4.PKE clear, and without protection keys', () => {
    expect(run({ code: CODE.RDPKRU })).toMatchObject({ fault: '#UD', reason: 'pke-clear' });
    expect(pkru(CODE.WRPKRU, { cpu: 'zen2' })).toMatchObject({ fault: '#UD', reason: 'no-such-feature' });
  });

  it('need neither CR4.OSXSAVE nor XCR0[9], nor a clear CR0.TS', () => {
    const control = { cr0: run({ code: '' }).state.control.cr0 | 8, cr4: PKE | 0x20, xcr0: 1 << X87 };
    expect(pkru(CODE.WRPKRU + CODE.RDPKRU, { control }).fault).toBeUndefined();
  });
});
