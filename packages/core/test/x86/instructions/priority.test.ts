/**
 * Which fault an instruction raises when it could raise several: Intel SDM Vol. 3A "Priority Among Concurrent Events"
 * (6.9): #UD and #NM while decoding, then #MF, then what the operand brings; Vol. 2, each instruction.
 */
import { CR0_EM, CR0_MP, CR0_TS, X87_INIT, type ControlState } from '@fpulab/core';
import { CODE } from '../../support/machine-code';
import { AREA, OPERAND, header, hex, run, type Ran, type RunOptions } from '../../support/processor';

const BOOT = run({ code: '' }).state.control;
const CR4_OSFXSR = 1 << 9;
const CR4_OSXSAVE = 1 << 18;
const NON_CANONICAL = 1n << 63n;
/** At CPL 3 with CR0.AM set. */
const EFLAGS_AC = 0x4_0002n;
const set = (...bits: readonly number[]): Partial<ControlState> => ({
  cr0: bits.reduce((cr0, bit) => (cr0 | bit) >>> 0, BOOT.cr0),
});
const pendingX87: RunOptions['state'] = (state) => {
  state.x87 = { ...X87_INIT, fcw: 0x37e, fsw: 0x8081 };
};
const outcome = ({ fault, reason }: Ran): string => `${fault} ${reason}`;

/** Everything that can be wrong with an operand, from what is found first to what is found last. */
const STEPS: readonly [string, Partial<RunOptions>][] = [
  ['control registers', {}],
  ['address', { registers: { rdi: NON_CANONICAL | 1n } }],
  ['alignment', { registers: { rdi: AREA + 1n } }],
  ['page', { memory: [] }],
  ['contents', { bytes: [header(1n << 40n)] }],
];

describe('XRSTOR', () => {
  const broken = { cr0: set(CR0_TS).cr0, cr4: BOOT.cr4 & ~CR4_OSXSAVE };

  it('LOCK, then CR4.OSXSAVE, then CR0.TS', () => {
    const wrong = { registers: { rdi: NON_CANONICAL }, control: broken };
    expect(outcome(run({ code: `f0${CODE.XRSTOR}`, ...wrong }))).toBe('#UD lock-prefix');
    expect(outcome(run({ code: CODE.XRSTOR, ...wrong }))).toBe('#UD osxsave-clear');
    expect(outcome(run({ code: CODE.XRSTOR, ...wrong, control: set(CR0_TS) }))).toBe('#NM ts-set');
  });

  it.each([
    [1, '#GP non-canonical'],
    [2, '#GP misaligned'],
    [3, '#PF page-not-present'],
    [4, '#GP xstate-bv-not-enabled'],
  ])('step %i of address, alignment, page and contents: %s', (step, expected) => {
    expect(outcome(run({ code: CODE.XRSTOR, ...STEPS[step][1] }))).toBe(expected);
    expect(outcome(run({ code: CODE.XRSTOR, control: set(CR0_TS), ...STEPS[step][1] }))).toBe('#NM ts-set');
  });

  it('alignment comes before the page, and is asked for with RFBM = 0 too', () => {
    const ran = run({ code: CODE.XRSTOR, registers: { rdi: AREA + 32n, rax: 0n }, memory: [] });
    expect(outcome(ran)).toBe('#GP misaligned');
  });

  it('CR0.EM does not matter, nor a pending x87 exception', () => {
    expect(run({ code: CODE.XRSTOR, control: set(CR0_EM), state: pendingX87 }).fault).toBeUndefined();
  });

  it('a missing page comes before the contents behind it', () => {
    const bytes = [[AREA + 24n, hex('ffffffff')] as const, [AREA + 512n, hex('07')] as const];
    const whole = run({ cpu: 'zen2', code: CODE.XRSTOR, bytes });
    expect(outcome(whole)).toBe('#GP mxcsr-reserved');
    const rdi = AREA + 0x4000n - 576n;
    const moved = bytes.map(([at, value]) => [at - AREA + rdi, value] as const);
    const cut = run({ cpu: 'zen2', code: CODE.XRSTOR, bytes: moved, registers: { rdi } });
    expect(outcome(cut)).toBe('#PF page-not-present');
  });
});

it('XSAVES and XRSTORS: #UD and #NM before the CPL, the CPL before the operand', () => {
  for (const code of [CODE.XSAVES, CODE.XRSTORS]) {
    const wrong = { code, registers: { rdi: NON_CANONICAL } };
    expect(outcome(run({ ...wrong, cpu: 'haswell' }))).toBe('#UD no-such-feature');
    expect(outcome(run({ ...wrong, control: set(CR0_TS) }))).toBe('#NM ts-set');
    expect(outcome(run(wrong))).toBe('#GP not-privileged');
    expect(outcome(run({ ...wrong, cpl: 0 }))).toBe('#GP non-canonical');
  }
});

describe('FXSAVE and FXRSTOR', () => {
  it.each(['FXSAVE', 'FXRSTOR'] as const)('%s: CR0.EM and TS are #NM, before the operand', (name) => {
    const wrong = { code: CODE[name], registers: { rdi: NON_CANONICAL | 1n } };
    expect(outcome(run({ ...wrong, control: set(CR0_EM, CR0_TS) }))).toBe('#NM em-set');
    expect(outcome(run({ ...wrong, control: set(CR0_TS) }))).toBe('#NM ts-set');
    expect(outcome(run(wrong))).toBe('#GP non-canonical');
  });

  it('16 bytes of alignment, before the page; #AC instead where it is on and four bytes are not', () => {
    const at = (rdi: bigint, rflags = 2n): string =>
      outcome(run({ code: CODE.FXSAVE, registers: { rdi }, rflags, memory: [] }));
    expect([at(AREA + 8n), at(AREA + 2n), at(AREA)]).toEqual([
      ...['#GP misaligned', '#GP misaligned', '#PF page-not-present'],
    ]);
    expect([at(AREA + 8n, EFLAGS_AC), at(AREA + 2n, EFLAGS_AC)]).toEqual(['#GP misaligned', '#AC alignment-check']);
  });

  it('an area behind RSP or RBP that is not canonical is #SS(0)', () => {
    const ran = run({ code: '0fae0424', registers: { rsp: NON_CANONICAL } }); // fxsave [rsp]
    expect(ran).toMatchObject({ fault: '#SS', errorCode: 0, reason: 'non-canonical' });
  });

  it('CR4.OSFXSR is no condition', () => {
    expect(run({ code: CODE.FXSAVE + CODE.FXRSTOR, control: { cr4: 0x20 } }).fault).toBeUndefined();
  });
});

describe('x87', () => {
  const wrong = { code: CODE.FLD_M32, registers: { rsi: NON_CANONICAL }, state: pendingX87 };

  it('#NM, then #MF, then the operand', () => {
    expect(outcome(run({ ...wrong, control: set(CR0_EM, CR0_TS) }))).toBe('#NM em-set');
    expect(outcome(run({ ...wrong, control: set(CR0_TS) }))).toBe('#NM ts-set');
    expect(outcome(run(wrong))).toBe('#MF x87-exception-pending');
    expect(outcome(run({ ...wrong, state: undefined }))).toBe('#GP non-canonical');
  });

  it('#AC, then a missing page', () => {
    const unaligned = { code: CODE.FLD_M32, registers: { rsi: OPERAND + 1n }, rflags: EFLAGS_AC };
    expect(outcome(run({ ...unaligned, memory: [] }))).toBe('#AC alignment-check');
    expect(outcome(run({ ...unaligned, memory: [], rflags: 2n }))).toBe('#PF page-not-present');
    expect(outcome(run({ ...unaligned, memory: [], cpl: 0 }))).toBe('#PF page-not-present');
    expect(outcome(run(unaligned))).toBe('#AC alignment-check');
    expect(run({ ...unaligned, cpl: 0 }).fault).toBeUndefined();
  });

  it('FWAIT: TS counts with MP only, EM never; then #MF', () => {
    const fwait = (control: Partial<ControlState>): string =>
      outcome(run({ code: CODE.FWAIT, control, state: pendingX87 }));
    const withoutMp = (...bits: number[]): Partial<ControlState> => ({
      cr0: ((set(...bits).cr0 ?? 0) & ~CR0_MP) >>> 0,
    });
    expect(fwait(set(CR0_TS))).toBe('#NM ts-set');
    expect(fwait(withoutMp(CR0_TS, CR0_EM))).toBe('#MF x87-exception-pending');
  });
});

describe('MMX and SSE', () => {
  it('MMX: CR0.EM is #UD, before #NM, before #MF', () => {
    const mmx = { code: CODE.MOVQ_MM1_RAX, state: pendingX87 };
    expect(outcome(run({ ...mmx, control: set(CR0_EM, CR0_TS) }))).toBe('#UD em-set');
    expect(outcome(run({ ...mmx, control: set(CR0_TS) }))).toBe('#NM ts-set');
    expect(outcome(run(mmx))).toBe('#MF x87-exception-pending');
  });

  it('SSE: CR0.EM, CR4.OSFXSR, then #NM, then the operand', () => {
    const load = { code: '0f2806', registers: { rsi: OPERAND + 1n }, memory: [] }; // movaps xmm0, [rsi]
    const control = { ...set(CR0_TS), cr4: BOOT.cr4 & ~CR4_OSFXSR };
    expect(outcome(run({ ...load, control: { ...control, ...set(CR0_EM, CR0_TS) } }))).toBe('#UD em-set');
    expect(outcome(run({ ...load, control }))).toBe('#UD osfxsr-clear');
    expect(outcome(run({ ...load, control: set(CR0_TS) }))).toBe('#NM ts-set');
    expect(outcome(run(load))).toBe('#GP misaligned');
  });

  it('AVX: CR4.OSXSAVE, XCR0, then #NM; CR0.EM does not matter', () => {
    const avx = { code: CODE.ONES_YMM0 };
    const control = { ...set(CR0_TS, CR0_EM), cr4: BOOT.cr4 & ~CR4_OSXSAVE, xcr0: 3 };
    expect(outcome(run({ ...avx, control }))).toBe('#UD osxsave-clear');
    expect(outcome(run({ ...avx, control: { ...control, cr4: BOOT.cr4 } }))).toBe('#UD xcr0-lacks-component');
    expect(outcome(run({ ...avx, control: set(CR0_TS, CR0_EM) }))).toBe('#NM ts-set');
    expect(run({ ...avx, control: set(CR0_EM) }).fault).toBeUndefined();
  });

  it('LDMXCSR: #AC, then a missing page, then the value', () => {
    const bytes = [[OPERAND + 1n, hex('ffffffff')]] as const;
    const load = { code: CODE.LDMXCSR, registers: { rsi: OPERAND + 1n }, rflags: EFLAGS_AC };
    expect(outcome(run({ ...load, memory: [] }))).toBe('#AC alignment-check');
    expect(outcome(run({ ...load, memory: [], rflags: 2n }))).toBe('#PF page-not-present');
    expect(outcome(run({ ...load, bytes }))).toBe('#AC alignment-check');
    expect(outcome(run({ ...load, bytes, rflags: 2n }))).toBe('#GP mxcsr-reserved');
  });
});

it.each([
  ['LDMXCSR', CODE.LDMXCSR],
  ['FNSAVE', CODE.FNSAVE],
  ['FLD of 32 bits', CODE.FLD_M32],
  ['FLD of 80 bits', CODE.FLD_M80],
])('%s, misaligned on a page that is not there: #AC on an EPYC too', (_, code) => {
  const wrong = { cpu: 'zen4-guest', code, registers: { rsi: OPERAND + 1n, rdi: AREA + 1n }, memory: [] };
  expect(outcome(run({ ...wrong, rflags: EFLAGS_AC }))).toBe('#AC alignment-check');
  expect(outcome(run(wrong))).toBe('#PF page-not-present');
});
