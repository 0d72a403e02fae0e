/**
 * RDMSR and WRMSR of IA32_XSS and the MSRs that supervisor components are: Intel SDM Vol. 1 "XSAVE-Managed State"
 * (13.5), Vol. 4. IA32_XFD and IA32_XFD_ERR: xfd.test.ts.
 */
import { CET_U, HWP, PASID, UINTR, componentOfMsr, cpuModel } from '@fpulab/core';
import { CODE } from '../../support/machine-code';
import { eventTypes, quad, run, toHex, type Ran, type RunOptions } from '../../support/processor';

const IA32_XSS = 0xda0n;
const PASID_MSR = 0xd93n;
const U_CET = 0x6a0n;
const PL3_SSP = 0x6a7n;
const UINTR_RR = 0x985n;
const UINTR_HANDLER = 0x986n;
const UINTR_STACKADJUST = 0x987n;
const UINTR_MISC = 0x988n;
const UINTR_PD = 0x989n;
const UINTR_TT = 0x98an;
const LBR_CTL = 0x14cen;
const LBR_DEPTH = 0x14cfn;

function wrmsr(msr: bigint, value: bigint, options: Partial<RunOptions> = {}): Ran {
  const registers = { rcx: msr, rax: value & 0xffff_ffffn, rdx: value >> 32n };
  return run({ code: CODE.WRMSR, cpl: 0, registers, ...options });
}

function rdmsr(msr: bigint, options: Partial<RunOptions> = {}): bigint | string | undefined {
  const ran = run({ code: CODE.RDMSR, cpl: 0, ...options, registers: { rcx: msr } });
  return ran.reason ?? (ran.state.registers[2] << 32n) | ran.state.registers[0];
}

describe('MSRs of supervisor components', () => {
  it.each([
    ['IA32_PASID', PASID_MSR, 0x8000_0000n | 0xf_ffffn],
    ['IA32_U_CET', U_CET, 0xffff_a334_4b0e_b03fn],
    ['IA32_PL3_SSP', PL3_SSP, 0x7fff_ffff_fffcn],
    ['IA32_UINTR_RR', UINTR_RR, 0xffff_ffff_ffff_ffffn],
    ['IA32_UINTR_HANDLER', UINTR_HANDLER, 0x00ff_ffff_ffff_ffffn],
    ['IA32_UINTR_STACKADJUST', UINTR_STACKADJUST, 0xff00_0000_0000_0001n],
    ['IA32_UINTR_MISC', UINTR_MISC, 0xff_ffff_ffffn],
    ['IA32_UINTR_PD', UINTR_PD, 0x1234_5678_90c0n],
    ['IA32_UINTR_TT', UINTR_TT, 0x1234_5678_90f1n],
    ['IA32_HWP_REQUEST', 0x774n, 0xf800_07ff_ffff_ffffn],
  ])('%s takes all of its bits and gives them back', (_, msr, value) => {
    const ran = wrmsr(msr, value);
    expect(ran.fault).toBeUndefined();
    expect(eventTypes(ran)).toEqual(['component-loaded']);
    expect(rdmsr(msr, { after: ran })).toBe(value);
  });

  it.each([
    ['IA32_PASID[30:20]', PASID_MSR, 1n << 20n],
    ['IA32_PASID[30:20]', PASID_MSR, 1n << 30n],
    ['IA32_PASID[63:32]', PASID_MSR, 1n << 32n],
    ['IA32_U_CET[9:6]', U_CET, 1n << 6n],
    ['IA32_U_CET[9:6]', U_CET, 1n << 9n],
    ['IA32_U_CET with SUPPRESS and TRACKER', U_CET, 3n << 10n],
    ['IA32_U_CET, bitmap address not canonical', U_CET, 1n << 57n],
    ['IA32_PL3_SSP[1:0]', PL3_SSP, 1n],
    ['IA32_PL3_SSP[1:0]', PL3_SSP, 2n],
    ['IA32_PL3_SSP, not canonical', PL3_SSP, 1n << 56n],
    ['IA32_PL0_SSP[1:0]', 0x6a4n, 1n],
    ['IA32_PL2_SSP, not canonical', 0x6a6n, 1n << 63n],
    ['IA32_UINTR_HANDLER, not canonical', UINTR_HANDLER, 1n << 57n],
    ['IA32_UINTR_STACKADJUST, not canonical', UINTR_STACKADJUST, 1n << 63n],
    ['IA32_UINTR_MISC[63:40]', UINTR_MISC, 1n << 40n],
    ['IA32_UINTR_MISC[63], where an XSAVE image has UIF', UINTR_MISC, 1n << 63n],
    ['IA32_UINTR_PD[5:0]', UINTR_PD, 0x20n],
    ['IA32_UINTR_PD, not canonical', UINTR_PD, 1n << 60n],
    ['IA32_UINTR_TT[3:1]', UINTR_TT, 2n],
    ['IA32_UINTR_TT[3:1]', UINTR_TT, 8n],
    ['IA32_HWP_REQUEST[58:43]', 0x774n, 1n << 43n],
  ])('%s: #GP(0), and the value stays', (_, msr, value) => {
    const ran = wrmsr(msr, value);
    expect([ran.fault, ran.errorCode, ran.reason, ran.events.length]).toEqual(['#GP', 0, 'msr-reserved', 1]);
  });

  it('SUPPRESS or TRACKER of IA32_U_CET alone is fine', () => {
    expect([wrmsr(U_CET, 1n << 10n).fault, wrmsr(U_CET, 1n << 11n).fault]).toEqual([undefined, undefined]);
  });

  it('canonical means for the widest addresses of the processor, whatever CR4.LA57 says: 48 bits on Zen 3', () => {
    expect(wrmsr(PL3_SSP, 1n << 48n).fault).toBeUndefined();
    expect(wrmsr(PL3_SSP, 1n << 48n, { cpu: 'zen3' }).reason).toBe('msr-reserved');
  });

  it('are where the component has them', () => {
    expect(componentOfMsr(0x6a7)).toEqual({ bit: CET_U, offset: 8 });
    expect(componentOfMsr(0x985)).toEqual({ bit: UINTR, offset: 32 });
    expect(componentOfMsr(0x98a)).toEqual({ bit: UINTR, offset: 40 });
    expect(componentOfMsr(0x10)).toBeUndefined();
    const ran = wrmsr(UINTR_RR, 0x1122_3344_5566_7788n);
    expect(toHex(ran.state.components[UINTR].subarray(32, 40))).toBe('8877665544332211');
  });

  it('UIF, which only an image shows, survives a write to IA32_UINTR_MISC and is not read', () => {
    const uif: RunOptions['state'] = (state) => {
      state.components[UINTR] = new Uint8Array(48);
      state.components[UINTR].set(quad(1n << 63n), 16);
    };
    expect(rdmsr(UINTR_MISC, { state: uif })).toBe(0n);
    const ran = wrmsr(UINTR_MISC, 0x12_0000_0001n, { state: uif });
    expect(toHex(ran.state.components[UINTR].subarray(16, 24))).toBe('0100000012000080');
  });

  it('a write puts the component in use, whatever is written (Intel)', () => {
    expect(wrmsr(PASID_MSR, 0n).state.inUse).toBe(1 << PASID);
  });

  it.each([
    ['IA32_PASID without ENQCMD', PASID_MSR, 'skylake-x'],
    ['IA32_U_CET without CET', U_CET, 'skylake-x'],
    ['IA32_UINTR_RR without user interrupts', UINTR_RR, 'zen4'],
  ])('%s: no such MSR here', (_, msr, cpu) => {
    expect(wrmsr(msr, 0n, { cpu }).reason).toBe('no-such-msr');
    expect(rdmsr(msr, { cpu })).toBe('no-such-msr');
  });

  it('IA32_LBR_DEPTH takes depths that CPUID leaf 1CH offers, IA32_LBR_CTL its bits only', () => {
    expect([wrmsr(LBR_DEPTH, 32n).fault, wrmsr(LBR_CTL, 0x7f_000fn).fault]).toEqual([undefined, undefined]);
    for (const depth of [0n, 16n, 33n, 0x12345n, 1n << 40n])
      expect(wrmsr(LBR_DEPTH, depth).reason).toBe('msr-reserved');
    for (const ctl of [1n << 4n, 1n << 15n, 1n << 23n, 1n << 63n])
      expect(wrmsr(LBR_CTL, ctl).reason).toBe('msr-reserved');
    const { cpuid } = cpuModel('sapphire-rapids');
    const deeper = { ...cpuModel('sapphire-rapids'), cpuid: { ...cpuid, '1c.0': [0xb, 0, 0, 0] as const } };
    expect([8n, 16n, 24n, 32n].map((depth) => wrmsr(LBR_DEPTH, depth, { cpu: deeper }).fault)).toEqual([
      ...[undefined, undefined, '#GP', undefined],
    ]);
  });

  it('IA32_U_CET has the bits of shadow stacks and of indirect branch tracking by CPUID.(7,0): Zen 4 has no tracking', () => {
    expect(wrmsr(U_CET, 0x3n, { cpu: 'zen4' }).fault).toBeUndefined();
    for (const bit of [2n, 5n, 10n, 12n]) expect(wrmsr(U_CET, 1n << bit, { cpu: 'zen4' }).reason).toBe('msr-reserved');
  });

  it('exist though IA32_XSS cannot manage them: hardware P-states of Sapphire Rapids start at 8000FF01H', () => {
    expect(rdmsr(0x774n)).toBe(0x8000_ff01n);
    expect(run({ code: '' }).cpu.model.xss & (1 << HWP)).toBe(0);
  });

  it('need CPL 0', () => {
    expect(wrmsr(PASID_MSR, 0n, { cpl: 3 }).reason).toBe('not-privileged');
    expect(rdmsr(PASID_MSR, { cpl: 3 })).toBe('not-privileged');
  });
});

describe('EFER', () => {
  const EFER = 0xc000_0080n;
  const LMA = 0x500;

  it('takes SCE and NXE, FFXSR where the processor has it; LMA stays', () => {
    const efer = (value: bigint, cpu = 'sapphire-rapids'): number => wrmsr(EFER, value, { cpu }).state.control.efer;
    expect([efer(0x901n), efer(0x500n), efer(0x4500n, 'zen4')]).toEqual([0x901 | 0x400, LMA, 0x4500]);
  });

  it.each([
    ['bit 32', 0x1_0000_0500n],
    ['FFXSR, which Intel lacks', 0x4500n],
    ['bit 1', 0x502n],
    ['LME clear while paging is on', 0x400n],
  ])('refuses %s with #GP(0)', (_, value) => {
    const ran = wrmsr(EFER, value);
    expect([ran.fault, ran.errorCode, ran.reason, ran.state.control.efer]).toEqual(['#GP', 0, 'msr-reserved', LMA]);
  });

  it('is no MSR of a processor without long mode', () => {
    expect([rdmsr(EFER, { cpu: 'pentium-iii' }), wrmsr(EFER, 0n, { cpu: 'pentium-iii' }).reason]).toEqual([
      'no-such-msr',
      'no-such-msr',
    ]);
  });
});

describe('MSRs that have nothing to do with FPU state', () => {
  it.each([
    ['IA32_TIME_STAMP_COUNTER', 0x10n],
    ['IA32_S_CET, which is CET and no state component', 0x6a2n],
  ])('%s is not modelled at CPL 0, and #GP(0) at CPL 3', (_, msr) => {
    const why = 'an MSR that has nothing to do with FPU state';
    expect(() => wrmsr(msr, 0n)).toThrow(`WRMSR: ${why}`);
    expect(() => rdmsr(msr)).toThrow(`RDMSR: ${why}`);
    expect([wrmsr(msr, 0n, { cpl: 3 }).reason, rdmsr(msr, { cpl: 3 })]).toEqual(['not-privileged', 'not-privileged']);
  });
});

describe('RDMSR and WRMSR', () => {
  it('take ECX, EAX and EDX: upper halves do not matter, and RDMSR clears them', () => {
    const registers = { rcx: 0xdead_0000_0000_0d93n, rax: 0xdead_0000_0000_0001n, rdx: 0xdead_0000_0000_0000n };
    const written = run({ code: CODE.WRMSR, cpl: 0, registers });
    expect(written.fault).toBeUndefined();
    const read = run({ after: written, code: CODE.RDMSR });
    expect([read.state.registers[0], read.state.registers[2]]).toEqual([1n, 0n]);
  });
});

describe('IA32_XSS', () => {
  it('takes every subset of what CPUID.(0DH,1):ECX offers', () => {
    for (const value of [0n, 0xdd00n, 1n << 10n, 1n << 12n]) {
      expect(wrmsr(IA32_XSS, value).state.control.xss).toBe(Number(value));
    }
    expect(rdmsr(IA32_XSS)).toBe(0xdd00n);
  });

  it.each([
    ['user-in-xss', 1n << 2n],
    ['user-in-xss', 1n << 18n],
    ['not-enumerated', 1n << 13n],
    ['not-enumerated', 1n << 16n],
    ['not-enumerated', 1n << 40n],
    ['not-enumerated', 1n << 63n],
  ])('%s: 0x%x is refused with #GP(0)', (reason, value) => {
    const ran = wrmsr(IA32_XSS, value);
    expect([ran.fault, ran.errorCode, ran.reason, ran.state.control.xss]).toEqual(['#GP', 0, reason, 0xdd00]);
  });

  it('does not exist without XSAVES', () => {
    expect(wrmsr(IA32_XSS, 0n, { cpu: 'haswell' }).reason).toBe('no-such-msr');
  });
});
