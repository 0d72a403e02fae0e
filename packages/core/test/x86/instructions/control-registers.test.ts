/**
 * MOV to and from CR0 and CR4, LMSW, SMSW, CLTS: Intel SDM Vol. 2 "MOV - Move to/from Control Registers", "LMSW",
 * "SMSW", "CLTS"; Vol. 3A "Control Registers" (2.5).
 */
import { CR0_EM, CR0_ET, CR0_MP, CR0_NE, CR0_PE, CR0_TS } from '@fpulab/core';
import { CODE } from '../../support/machine-code';
import { OPERAND, eventTypes, hex, run, toHex, type Ran, type RunOptions } from '../../support/processor';

const CR0_WP = 1 << 16;
const CR0_NW = 1 << 29;
const CR0_CD = 1 << 30;
const CR0_PG = 2 ** 31;
const CR4_PAE = 1 << 5;
const CR4_OSFXSR = 1 << 9;
const CR4_LA57 = 1 << 12;
const CR4_OSXSAVE = 1 << 18;
const CR4_PKE = 1 << 22;
const CR4_CET = 1 << 23;
const CR4_UINTR = 1 << 25;

const BOOT = run({ code: '' }).state.control;
/** Bitwise without the sign: CR0.PG is bit 31. */
const or = (...values: readonly number[]): number => values.reduce((all, value) => (all | value) >>> 0, 0);
const without = (value: number, bits: number): number => (value & ~bits) >>> 0;

function mov(code: string, value: number | bigint, options: Partial<RunOptions> = {}): Ran {
  return run({ code, cpl: 0, registers: { rax: BigInt(value) }, ...options });
}
const toCr0 = (value: number | bigint, options: Partial<RunOptions> = {}): Ran => mov(CODE.MOV_CR0_RAX, value, options);
const toCr4 = (value: number | bigint, options: Partial<RunOptions> = {}): Ran => mov(CODE.MOV_CR4_RAX, value, options);

describe('MOV to CR0', () => {
  it('sets and clears TS, MP, EM and NE', () => {
    for (const bit of [CR0_TS, CR0_MP, CR0_EM, CR0_NE]) {
      expect(toCr0(or(BOOT.cr0, bit)).state.control.cr0).toBe(or(BOOT.cr0, bit));
      expect(toCr0(without(BOOT.cr0, bit)).state.control.cr0).toBe(without(BOOT.cr0, bit));
    }
  });

  it('ET stays set and reserved bits stay clear; neither faults', () => {
    expect(toCr0(without(BOOT.cr0, CR0_ET)).state.control.cr0).toBe(BOOT.cr0);
    expect(toCr0(or(BOOT.cr0, 0x1ffa_ffc0)).state.control.cr0).toBe(or(BOOT.cr0, 1 << 16, 1 << 18));
  });

  it.each([
    ['bits 63:32', BigInt(BOOT.cr0) | (1n << 32n), 'cr0-reserved'],
    ['PG without PE', without(BOOT.cr0, CR0_PE), 'cr0-pg-without-pe'],
    ['NW without CD', or(BOOT.cr0, CR0_NW), 'cr0-nw-without-cd'],
    ['PG clear in 64-bit mode', without(BOOT.cr0, CR0_PG), 'cr0-pg-in-long-mode'],
  ])('%s: #GP(0)', (_, value, reason) => {
    const ran = toCr0(value);
    expect([ran.fault, ran.errorCode, ran.reason, ran.state.control.cr0]).toEqual(['#GP', 0, reason, BOOT.cr0]);
    expect(eventTypes(ran)).toEqual(['fault-raised']);
  });

  it('NW with CD is legal', () => {
    expect(toCr0(or(BOOT.cr0, CR0_NW, CR0_CD)).fault).toBeUndefined();
  });

  it('WP cannot be cleared while CR4.CET is set', () => {
    const value = without(BOOT.cr0, CR0_WP);
    expect(toCr0(value).fault).toBeUndefined();
    expect(toCr0(value, { control: { cr4: BOOT.cr4 | CR4_CET } }).reason).toBe('cr0-wp-with-cet');
  });

  it('needs CPL 0; so does reading it', () => {
    expect(toCr0(BOOT.cr0, { cpl: 3 }).reason).toBe('not-privileged');
    expect(mov(CODE.MOV_RAX_CR0, 0, { cpl: 3 }).reason).toBe('not-privileged');
  });

  it('reads back', () => {
    expect(mov(CODE.MOV_RAX_CR0, -1n & 0xffff_ffff_ffff_ffffn).state.registers[0]).toBe(BigInt(BOOT.cr0));
    expect(mov(CODE.MOV_RAX_CR4, 0).state.registers[0]).toBe(BigInt(BOOT.cr4));
  });

  it.each([
    ['MOV to CR2', '0f22d0'],
    ['MOV to CR3', '0f22d8'],
    ['MOV to CR8', '440f22c0'],
    ['MOV from CR3', '0f20d8'],
  ])('%s is not modelled at CPL 0, rather than another register; #GP(0) at CPL 3', (_, code) => {
    expect(() => run({ code, cpl: 0 })).toThrow('a control register other than CR0 and CR4');
    expect(run({ code })).toMatchObject({ fault: '#GP', errorCode: 0, reason: 'not-privileged' });
  });

  it('control registers 1, 5 to 7 and 9 to 15 are #UD, also at CPL 3', () => {
    for (const code of ['0f22c8', '0f22e8', '440f22c8']) {
      expect(run({ code, cpl: 3 })).toMatchObject({ fault: '#UD', reason: 'invalid-opcode' });
    }
  });
});

describe('MOV to CR4', () => {
  it('sets and clears OSXSAVE, OSFXSR and PKE; XCR0 stays', () => {
    const set = toCr4(BOOT.cr4 | CR4_PKE);
    expect([set.fault, set.state.control.cr4]).toEqual([undefined, BOOT.cr4 | CR4_PKE]);
    const cleared = toCr4(BOOT.cr4 & ~(CR4_OSXSAVE | CR4_OSFXSR));
    expect([cleared.state.control.cr4, cleared.state.control.xcr0]).toEqual([0x420, BOOT.xcr0]);
  });

  it.each([
    ['bits 63:32', BigInt(BOOT.cr4) | (1n << 33n), 'cr4-reserved', {}],
    ['bit 15', BOOT.cr4 | (1 << 15), 'cr4-reserved', {}],
    ['PAE clear in long mode', BOOT.cr4 & ~CR4_PAE, 'cr4-pae-in-long-mode', {}],
    ['LA57 changed in long mode', BOOT.cr4 | CR4_LA57, 'cr4-la57-in-long-mode', {}],
    ['CET with CR0.WP clear', BOOT.cr4 | CR4_CET, 'cr4-cet-without-wp', { cr0: without(BOOT.cr0, CR0_WP) }],
  ])('%s: #GP(0)', (_, value, reason, control) => {
    const ran = toCr4(value, { control });
    expect([ran.fault, ran.errorCode, ran.reason]).toEqual(['#GP', 0, reason]);
  });

  it.each([
    ['OSXSAVE', CR4_OSXSAVE, 'nehalem', 'sandybridge'],
    ['PKE', CR4_PKE, 'broadwell', 'skylake-x'],
    ['CET', CR4_CET, 'zen2', 'zen3'],
    ['UINTR', CR4_UINTR, 'zen4', 'sapphire-rapids'],
    ['OSFXSR', CR4_OSFXSR, 'pentium-mmx', 'pentium-iii'],
    ['LA57', CR4_LA57, 'zen3', 'zen4'],
    ['PKS', 1 << 24, 'zen4', 'sapphire-rapids'],
    ['UMIP', 1 << 11, 'skylake-x', 'sapphire-rapids'],
    ['SMAP', 1 << 21, 'haswell', 'broadwell'],
  ])('%s exists with its CPUID feature only', (name, bit, without, withIt) => {
    expect(toCr4(CR4_PAE | bit, { cpu: without }).reason).toBe('cr4-reserved');
    const reason = name === 'LA57' ? 'cr4-la57-in-long-mode' : undefined;
    expect(toCr4(CR4_PAE | bit, { cpu: withIt }).reason).toBe(reason);
  });
});

describe('MOV to CR4 of processors without long mode', () => {
  it('needs no PAE, and knows only what CPUID offers', () => {
    const pentium = (value: number): Ran => toCr4(value, { cpu: 'pentium-mmx' });
    expect([pentium(0).fault, pentium(0x10).state.control.cr4]).toEqual([undefined, 0x10]);
    for (const bit of [CR4_OSFXSR, 1 << 11, 1 << 21]) expect(pentium(bit).reason).toBe('cr4-reserved');
  });

  it('PCIDE can be set in long mode only', () => {
    const set = (efer: number): Ran => toCr4(BOOT.cr4 | (1 << 17), { control: { efer } });
    expect([set(BOOT.efer).fault, set(0).reason]).toEqual([undefined, 'cr4-pcide']);
  });
});

describe('LMSW', () => {
  it('loads PE, MP, EM and TS from the low four bits and nothing else', () => {
    const loaded = (rax: bigint): number => mov(CODE.LMSW_AX, rax).state.control.cr0;
    expect(loaded(0xfff0n)).toBe(or(without(BOOT.cr0, CR0_MP | CR0_TS | CR0_EM), CR0_PE));
    expect(loaded(0xfn)).toBe(or(BOOT.cr0, CR0_MP, CR0_EM, CR0_TS));
  });

  it('cannot clear PE', () => {
    expect(mov(CODE.LMSW_AX, 0).state.control.cr0 & CR0_PE).toBe(CR0_PE);
  });

  it('takes 16 bits from memory', () => {
    const ran = run({ code: CODE.LMSW_M16, cpl: 0, bytes: [[OPERAND, hex('0a00')]] });
    expect(ran.state.control.cr0).toBe(or(BOOT.cr0, CR0_MP, CR0_TS));
  });

  it('needs CPL 0, before it looks at memory', () => {
    expect(run({ code: CODE.LMSW_M16, memory: [] }).reason).toBe('not-privileged');
    expect(run({ code: CODE.LMSW_M16, memory: [], cpl: 0 }).fault).toBe('#PF');
  });
});

describe('SMSW', () => {
  it('stores as much of CR0 as a register has', () => {
    const of = (code: string): bigint => run({ code, registers: { rax: 0x1122_3344_5566_7788n } }).state.registers[0];
    expect(of(CODE.SMSW_AX)).toBe(0x1122_3344_5566_0000n | BigInt(BOOT.cr0 & 0xffff));
    expect(of(CODE.SMSW_EAX)).toBe(BigInt(BOOT.cr0));
    expect(of(CODE.SMSW_RAX)).toBe(BigInt(BOOT.cr0));
  });

  it('stores 16 bits to memory, with CR0.TS as it is', () => {
    const ran = run({
      code: CODE.SMSW_M16,
      control: { cr0: or(BOOT.cr0, CR0_TS) },
      bytes: [[OPERAND, hex('a5a5a5a5')]],
    });
    expect(toHex(ran.read(OPERAND, 4))).toBe('3b00a5a5');
  });
});

describe('SMSW with CR4.UMIP', () => {
  const control = { cr4: BOOT.cr4 | (1 << 11) };

  it.each(['SMSW_AX', 'SMSW_EAX', 'SMSW_RAX', 'SMSW_M16'] as const)('%s is #GP(0) at CPL 3, before memory', (name) => {
    const ran = run({ code: CODE[name], control, memory: [] });
    expect(ran).toMatchObject({ fault: '#GP', errorCode: 0, reason: 'umip-set' });
  });

  it('at CPL 0 it changes nothing', () => {
    expect(run({ code: CODE.SMSW_EAX, cpl: 0, control }).state.registers[0]).toBe(BigInt(BOOT.cr0));
  });
});

describe('privileged instructions that are modelled as far as the fault at CPL 3', () => {
  it.each([
    ['HLT', 'f4'],
    ['CLI', 'fa'],
    ['STI', 'fb'],
    ['IN AL, 16', 'e410'],
    ['IN EAX, DX', 'ed'],
    ['OUT DX, AL', 'ee'],
    ['INVD', '0f08'],
    ['WBINVD', '0f09'],
    ['INVLPG', '0f013f'],
    ['LGDT', '0f0117'],
    ['LIDT', '0f011f'],
    ['LLDT', '0f00d0'],
    ['LTR', '0f001f'],
    ['SWAPGS', '0f01f8'],
    ['SYSRET', '480f07'],
    ['SYSEXIT', '0f35'],
  ])('%s', (_, code) => {
    expect(run({ code, memory: [] })).toMatchObject({ fault: '#GP', errorCode: 0, reason: 'not-privileged' });
    expect(() => run({ code, cpl: 0 })).toThrow('of this privileged instruction only the fault at CPL 3 is modelled');
  });
});

describe('CLTS', () => {
  it('clears TS and nothing else', () => {
    const ran = run({ code: CODE.CLTS, cpl: 0, control: { cr0: or(BOOT.cr0, CR0_TS) } });
    expect(ran.state.control.cr0).toBe(BOOT.cr0);
    expect(eventTypes(ran)).toEqual(['control-written']);
  });

  it('needs CPL 0', () => {
    expect(run({ code: CODE.CLTS })).toMatchObject({ fault: '#GP', reason: 'not-privileged' });
  });
});

it('none of them looks at CR0.TS or EM', () => {
  const control = { cr0: or(BOOT.cr0, CR0_TS, CR0_EM) };
  const code = CODE.SMSW_EAX + CODE.MOV_RAX_CR0 + CODE.MOV_CR0_RAX + CODE.LMSW_AX + CODE.CLTS;
  expect(run({ code, cpl: 0, control }).fault).toBeUndefined();
});
