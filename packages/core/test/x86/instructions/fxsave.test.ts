/**
 * FXSAVE, FXRSTOR, LDMXCSR and STMXCSR: Intel SDM Vol. 2, each instruction; AMD APM Vol. 2 "Extended Feature Enable
 * Register (EFER)" (FFXSR). Pointers: x87-pointers.test.ts.
 */
import { SSE, X87_INIT, type ProcessorState } from '@fpulab/core';
import { CODE } from '../../support/machine-code';
import {
  AREA,
  OPERAND,
  eventTypes,
  fill,
  filled,
  hex,
  run,
  toHex,
  zeros,
  type Ran,
  type RunOptions,
} from '../../support/processor';

const EFER_FFXSR = 0x4500;
const { cr4 } = run({ code: '' }).state.control;
const OSFXSR_CLEAR = { cr4: cr4 & ~(1 << 9) };

function used(state: ProcessorState): void {
  state.x87 = { ...X87_INIT, fcw: 0x27f };
  state.mxcsr = 0x1fa0;
  state.inUse = 1;
  fill(state, SSE, 0x33);
}

function fxsave(options: Partial<RunOptions> = {}): Ran {
  const memory = [filled(AREA, 0x1000, 0xa5)];
  return run({ cpu: 'zen2', code: CODE.FXSAVE, cpl: 0, memory, state: used, ...options });
}

/** FXRSTOR of an image full of 11H, with MXCSR 1F81H. */
function fxrstor(options: Partial<RunOptions> = {}): Ran {
  const memory = [filled(AREA, 0x1000, 0x11)];
  const bytes = [[AREA + 24n, hex('811f0000')]] as const;
  return run({ cpu: 'zen2', code: CODE.FXRSTOR, cpl: 0, memory, bytes, state: used, ...options });
}

const parts = (ran: Ran): string[] => [24, 160, 288, 416].map((at) => toHex(ran.read(AREA + BigInt(at), 4)));
const xmm = ({ state }: Ran): number[] => [state.components[SSE][0], state.components[SSE][255]];

describe('FXSAVE', () => {
  it('writes MXCSR, XMM0-15, and not bytes 416 to 511', () => {
    expect(parts(fxsave())).toEqual(['a01f0000', '33333333', '33333333', 'a5a5a5a5']);
  });

  it('outside 64-bit mode does not write XMM8-15', () => {
    expect(parts(fxsave({ mode: 32 }))).toEqual(['a01f0000', '33333333', 'a5a5a5a5', 'a5a5a5a5']);
  });

  it('stores MXCSR_MASK; a Pentium III 0, which stands for FFBFH', () => {
    const mask = (cpu: string): string => toHex(fxsave({ cpu, registers: { rdi: AREA } }).read(AREA + 28n, 4));
    expect([mask('pentium-iii'), mask('nehalem'), mask('zen4')]).toEqual(['00000000', 'ffff0000', 'ffff0200']);
  });

  it('does not look at XINUSE: what is initial is written too', () => {
    expect(parts(fxsave({ state: undefined }))).toEqual(['801f0000', '00000000', '00000000', 'a5a5a5a5']);
  });

  it.each([
    ['EFER.FFXSR at CPL 0 in 64-bit mode', { control: { efer: EFER_FFXSR } }],
    ['CR4.OSFXSR clear', { control: OSFXSR_CLEAR }],
  ])('%s: MXCSR is written, XMM is not', (_, options) => {
    expect(parts(fxsave(options))).toEqual(['a01f0000', 'a5a5a5a5', 'a5a5a5a5', 'a5a5a5a5']);
  });

  it.each([
    ['at CPL 3', { cpl: 3 }],
    ['outside 64-bit mode', { mode: 32 }],
    ['on a processor without it', { cpu: 'skylake-x' }],
  ] as const)('EFER.FFXSR %s changes nothing', (_, options) => {
    expect(parts(fxsave({ control: { efer: EFER_FFXSR }, ...options }))[1]).toBe('33333333');
  });

  it('does not check a pending x87 exception, nor clear it', () => {
    const state: RunOptions['state'] = (start) =>
      Object.assign(start, { x87: { ...X87_INIT, fcw: 0x37e, fsw: 0x8081 } });
    const ran = fxsave({ state });
    expect([ran.fault, ran.state.x87.fsw]).toEqual([undefined, 0x8081]);
  });
});

describe('FXRSTOR', () => {
  it('loads x87, MXCSR and XMM0-15', () => {
    const ran = fxrstor();
    expect([ran.state.mxcsr, ...xmm(ran), ran.state.x87.fcw]).toEqual([0x1f81, 0x11, 0x11, 0x1151]);
    expect(eventTypes(ran)).toEqual(['x87-loaded', 'mxcsr-loaded', 'component-loaded']);
  });

  it('outside 64-bit mode keeps XMM8-15', () => {
    expect(xmm(fxrstor({ mode: 32 }))).toEqual([0x11, 0x33]);
  });

  it('EFER.FFXSR at CPL 0 in 64-bit mode: x87 and MXCSR, not XMM', () => {
    const ran = fxrstor({ control: { efer: EFER_FFXSR } });
    expect([ran.state.mxcsr, ...xmm(ran), ran.state.x87.fcw]).toEqual([0x1f81, 0x33, 0x33, 0x1151]);
  });

  it('CR4.OSFXSR clear: x87 alone', () => {
    const ran = fxrstor({ control: OSFXSR_CLEAR });
    expect([ran.state.mxcsr, ...xmm(ran), ran.state.x87.fcw]).toEqual([0x1fa0, 0x33, 0x33, 0x1151]);
  });

  it('reserved bits of MXCSR are #GP(0), and nothing is loaded', () => {
    const ran = fxrstor({ bytes: [] });
    expect(ran).toMatchObject({ fault: '#GP', errorCode: 0, reason: 'mxcsr-reserved' });
    expect(eventTypes(ran)).toEqual(['fault-raised']);
  });

  it('is no start for the modified optimisation', () => {
    expect(fxrstor().state.tracking).toBeUndefined();
  });
});

describe('LDMXCSR and STMXCSR', () => {
  const ldmxcsr = (value: string, options: Partial<RunOptions> = {}): Ran =>
    run({ code: CODE.LDMXCSR, bytes: [[OPERAND, hex(value)]], ...options });

  it('LDMXCSR loads; a flag whose exception is not masked raises nothing by itself', () => {
    expect(ldmxcsr('01000000').state.mxcsr).toBe(1);
  });

  it.each([
    ['sapphire-rapids', '00000100', 'mxcsr-reserved'],
    ['sapphire-rapids', '00000200', 'mxcsr-reserved'],
    ['zen2', '00000200', undefined],
    ['zen2', '00000100', 'mxcsr-reserved'],
    ['pentium-iii', '40000000', 'mxcsr-reserved'],
    ['nehalem', '40000000', undefined],
  ])('%s, LDMXCSR of %s: %s', (cpu, value, reason) => {
    expect(ldmxcsr(value, { cpu }).reason).toBe(reason);
  });

  it('STMXCSR stores four bytes', () => {
    const state: RunOptions['state'] = (start) => Object.assign(start, { mxcsr: 0x1fa0 });
    const memory = [zeros(AREA, 0x1000), filled(OPERAND, 0x1000, 0xa5)];
    expect(toHex(run({ code: CODE.STMXCSR, state, memory }).read(OPERAND, 6))).toBe('a01f0000a5a5');
  });

  it('their VEX forms need XCR0[2:1], and not CR4.OSFXSR', () => {
    const vldmxcsr = { code: 'c5f8ae16', bytes: [[OPERAND, hex('801f0000')]] as const };
    expect(run({ ...vldmxcsr, control: OSFXSR_CLEAR }).fault).toBeUndefined();
    expect(run({ ...vldmxcsr, control: { xcr0: 3 } }).reason).toBe('xcr0-lacks-component');
  });

  it('a SIMD exception sets its flag; not masked it is #XM, without CR4.OSXMMEXCPT #UD', () => {
    const divide = (mxcsr: number, control = {}): Ran =>
      run({ code: CODE.DIVPS, control, state: (start) => Object.assign(start, { mxcsr }) });
    expect([divide(0x1f80).fault, divide(0x1f80).state.mxcsr]).toEqual([undefined, 0x1f81]);
    const raised = divide(0x1f00);
    expect(raised).toMatchObject({ fault: '#XM', reason: 'simd-exception' });
    expect([raised.state.mxcsr, raised.state.components[SSE][0]]).toEqual([0x1f01, 0]);
    expect(divide(0x1f00, { cr4: cr4 & ~0x400 })).toMatchObject({ fault: '#UD', reason: 'osxmmexcpt-clear' });
  });
});
