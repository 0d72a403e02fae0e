/**
 * x87 environment and control: Intel SDM Vol. 1 "x87 FPU Control Word" (8.1.5), "Saving the x87 FPU's State with
 * FSTENV/FNSTENV and FSAVE/FNSAVE" (8.1.10), "x87 FPU Tag Word" (8.1.7), "Waiting vs. Non-waiting Instructions"
 * (8.3.11); Vol. 2, each instruction.
 */
import { CR0_NE, X87_INIT, type ControlState, type X87State } from '@fpulab/core';
import { CODE } from '../../support/machine-code';
import { AREA, OPERAND, filled, hex, run, toHex, zeros, type Ran, type RunOptions } from '../../support/processor';

/** R0 1.0, R1 zero, R2 denormal, R3 infinity, R4 unnormal, R5 1.0 but empty, R6 pseudo-denormal, R7 quiet NaN. */
const REGISTERS = [
  ...['0000000000000080ff3f', '00000000000000000000', '01000000000000000000', '0000000000000080ff7f'],
  ...['0000000000000040ff3f', '0000000000000080ff3f', '00000000000000800000', '00000000000000c0ff7f'],
];
const TAGS = 0b10_10_11_10_10_10_01_00;
const STATE: X87State = {
  ...{ fcw: 0x27f, fsw: 0x1800 | 0x4700, ftw: 0b1101_1111, fop: 0x5ab, fip: 0x1_2345_6789n, fdp: 0x2_9876_5432n },
  ...{ fcs: 0x33, fds: 0x2b, registers: hex(REGISTERS.join('')) },
};
/** TOP is 3: ST0 is R3. */
const STACK = [...REGISTERS.slice(3), ...REGISTERS.slice(0, 3)].join('');
const ENV32 = `7f02ffff 005fffff ${le16(TAGS)}ffff 89674523 3300ab05 32547698 2b00ffff`.replaceAll(' ', '');
const ENV16 = `7f02 005f ${le16(TAGS)} 8967 3300 3254 2b00`.replaceAll(' ', '');

function le16(value: number): string {
  return toHex(Uint8Array.of(value & 0xff, value >> 8));
}

function x87(code: string, given: Partial<X87State> = {}, options: Partial<RunOptions> = {}): Ran {
  const state: RunOptions['state'] = (start) => Object.assign(start, { x87: { ...STATE, ...given }, inUse: 1 });
  const memory = [filled(AREA, 0x1000, 0xa5), zeros(OPERAND, 0x1000)];
  return run({ cpu: 'sandybridge', code, state, memory, ...options });
}

/** The start state changed as FSW and FCW say. */
const pending = { fcw: 0x37e, fsw: 0x8081 };

describe('FNSTENV', () => {
  it('stores seven doublewords, reserved halves as ones, the upper halves of pointers lost', () => {
    expect(toHex(x87(CODE.FNSTENV).read(AREA, 32))).toBe(ENV32 + 'a5a5a5a5');
  });

  it('with a 66 prefix seven words, without the opcode', () => {
    expect(toHex(x87(CODE.FNSTENV16).read(AREA, 16))).toBe(ENV16 + 'a5a5');
  });

  it('then masks all exceptions: ES and B are clear afterwards, in the image they are not', () => {
    const ran = x87(CODE.FNSTENV, pending);
    expect(toHex(ran.read(AREA, 8))).toBe('7e03ffff8180ffff');
    expect(ran.state.x87).toMatchObject({ fcw: 0x37f, fsw: 0x0001, fip: STATE.fip });
  });

  it('stores selectors as zero where CPUID.(7,0):EBX[13] deprecates them', () => {
    const image = toHex(x87(CODE.FNSTENV, {}, { cpu: 'skylake-x' }).read(AREA, 28));
    expect([image.slice(32, 40), image.slice(48)]).toEqual(['0000ab05', '0000ffff']);
  });
});

describe('FNSAVE', () => {
  it.each([
    ['108 bytes', 'FNSAVE', ENV32],
    ['94 bytes with a 66 prefix', 'FNSAVE16', ENV16],
  ] as const)('stores %s: the environment and the registers from ST0 on', (_, name, environment) => {
    expect(toHex(x87(CODE[name]).read(AREA, 112))).toBe((environment + STACK).padEnd(224, 'a5'));
  });

  it('initialises all but the contents of registers', () => {
    expect(x87(CODE.FNSAVE).state.x87).toEqual({ ...X87_INIT, registers: STATE.registers });
  });

  it('a page fault stores and initialises nothing', () => {
    const ran = x87(CODE.FNSAVE, {}, { registers: { rdi: AREA + 0xff0n } });
    expect([ran.fault, ran.faultAddress, ran.events.length]).toEqual(['#PF', AREA + 0x1000n, 1]);
  });
});

describe('FRSTOR and FLDENV', () => {
  it.each([
    ['FNSAVE', 'FRSTOR', STATE.fop],
    ['FNSAVE16', 'FRSTOR16', 0],
  ] as const)('%s and %s bring back everything but upper halves of pointers', (save, restore, fop) => {
    const wide = save === 'FNSAVE';
    expect(x87(CODE[save] + CODE[restore]).state.x87).toEqual({
      ...STATE,
      ...{ fop, fip: wide ? 0x2345_6789n : 0x6789n, fdp: wide ? 0x9876_5432n : 0x5432n },
    });
  });

  it.each(['FLDENV', 'FLDENV16'] as const)('%s keeps physical registers, where TOP moves too', (name) => {
    const bytes = [[AREA, hex(name === 'FLDENV' ? '7f03ffff0030ffff0000ffff' : '7f0300300000')]] as const;
    const after = x87(CODE[name], {}, { bytes }).state.x87;
    expect(after).toMatchObject({ fcw: 0x37f, fsw: 0x3000, ftw: 0xff });
    expect(after.registers).toEqual(STATE.registers);
  });

  it.each([
    ['FCW: reserved bits 7 and 15:13 are dropped, bit 6 is one', 'ffff0000', '7f1f'],
    ['FCW of zeros', '00000000', '4000'],
  ])('%s', (_, image, fcw) => {
    const after = x87(CODE.FLDENV + CODE.FNSTCW, {}, { bytes: [[AREA, hex(image + '00000000')]] });
    expect(toHex(after.read(OPERAND, 2))).toBe(fcw);
  });

  it('FSW.ES and B are those of the flags and masks, whatever the image has', () => {
    const fsw = (image: string): number => x87(CODE.FLDENV, {}, { bytes: [[AREA, hex(image)]] }).state.x87.fsw;
    expect(fsw('7f030000 80800000')).toBe(0);
    expect(fsw('5f030000 20000000')).toBe(0x80a0);
    expect(fsw('7f030000 ffff0000')).toBe(0x7f7f);
  });

  it('only empty or not counts in the tag word: its other values are computed', () => {
    const bytes = [[AREA, hex('7f03ffff 0000ffff 55d5ffff')]] as const;
    const ran = x87(CODE.FLDENV + CODE.FNSTENV, {}, { bytes });
    expect(ran.state.x87.ftw).toBe(0b0111_1111);
    expect(toHex(ran.read(AREA + 8n, 2))).toBe(le16(0b11_10_00_10_10_10_01_00));
  });
});

describe('control', () => {
  it('FNINIT keeps the contents of registers', () => {
    expect(x87(CODE.FNINIT).state.x87).toEqual({ ...X87_INIT, registers: STATE.registers });
  });

  it('FNCLEX clears flags, SF, ES and B; TOP, conditions and pointers stay', () => {
    const after = x87(CODE.FNCLEX, { fcw: 0x340, fsw: 0xffff }).state.x87;
    expect(after).toMatchObject({ fsw: 0x7f00, fip: STATE.fip, fop: STATE.fop });
  });

  it('FLDCW that unmasks a flag sets ES and B and faults itself not; the next waiting instruction does', () => {
    const bytes = [[OPERAND, hex('7e03')]] as const;
    const ran = x87(CODE.FLDCW, { fsw: 1 }, { bytes });
    expect([ran.fault, ran.state.x87.fsw]).toEqual([undefined, 0x8081]);
    expect(x87(CODE.FLDCW + CODE.FWAIT, { fsw: 1 }, { bytes }).fault).toBe('#MF');
  });

  it('FLDCW that masks it clears them', () => {
    const bytes = [[OPERAND, hex('7f03')]] as const;
    const masked = run({ after: x87(CODE.FNCLEX, pending), code: CODE.FLDCW, bytes });
    expect(masked.state.x87).toMatchObject({ fcw: 0x37f, fsw: 0 });
  });

  it('FNSTSW to AX leaves the rest of RAX alone', () => {
    const ran = x87(CODE.FNSTSW_AX, {}, { registers: { rax: 0x1122_3344_5566_7788n } });
    expect(ran.state.registers[0]).toBe(0x1122_3344_5566_5f00n);
  });

  it('FINCSTP and FDECSTP turn TOP and leave tags and contents', () => {
    const top = (code: string, fsw: number): number => x87(code, { fsw }).state.x87.fsw;
    expect([top(CODE.FINCSTP, 0x3800), top(CODE.FDECSTP, 0)]).toEqual([0, 0x3800]);
    expect(x87(CODE.FINCSTP).state.x87).toMatchObject({ ftw: STATE.ftw, registers: STATE.registers });
  });

  it('FFREE empties a register by its number in the stack', () => {
    expect(x87(CODE.FFREE_ST1).state.x87.ftw).toBe(0b1100_1111);
  });
});

describe('a pending exception', () => {
  const WAITING = ['FLD1', 'FLDCW', 'FRSTOR', 'FLDENV', 'FWAIT', 'FNOP', 'EMMS', 'MOVQ_MM1_RAX', 'FINCSTP'] as const;
  const NOT_WAITING = [
    'FNINIT',
    'FNCLEX',
    'FNSAVE',
    'FNSTENV',
    'FNSTCW',
    'FNSTSW',
    'FNSTSW_AX',
    'FXSAVE',
    'FXRSTOR',
  ] as const;
  const area: RunOptions['memory'] = [zeros(AREA, 0x1000), zeros(OPERAND, 0x1000)];
  const clear = (bit: number): Partial<ControlState> => ({ cr0: run({ code: '' }).state.control.cr0 & ~bit });

  it.each(WAITING)('%s raises #MF', (name) => {
    expect(x87(CODE[name], pending, { memory: area })).toMatchObject({ fault: '#MF', reason: 'x87-exception-pending' });
  });

  it.each(WAITING)('%s does not with CR0.NE clear: the interrupt controller is told instead', (name) => {
    expect(x87(CODE[name], pending, { memory: area, control: clear(CR0_NE) }).fault).toBeUndefined();
  });

  it.each(NOT_WAITING)('%s does not wait for it', (name) => {
    expect(x87(CODE[name], pending, { memory: area }).fault).toBeUndefined();
  });

  it('XSAVE and XRSTOR do not wait for it', () => {
    expect(x87(CODE.XSAVE + CODE.XRSTOR, pending, { memory: area }).fault).toBeUndefined();
  });

  it('SSE instructions do not, those that name an MMX register as well do', () => {
    expect(x87(CODE.ONES_XMM0, pending).fault).toBeUndefined();
    expect([x87(CODE.MOVQ2DQ, pending).fault, x87(CODE.MOVDQ2Q, pending).fault]).toEqual(['#MF', '#MF']);
  });

  it('#MF changes nothing', () => {
    expect(x87(CODE.FLD1, pending).events).toEqual([expect.objectContaining({ type: 'fault-raised' })]);
  });
});

describe('MMX: Intel SDM Vol. 1 "Effect of MMX, x87 FPU, FXSAVE, and FXRSTOR Instructions on the x87 FPU Tag Word" (9.6.2)', () => {
  const VALUE = 0x1122_3344_5566_7788n;

  it('writes the significand of the physical register, its exponent becomes ones; TOP 0, all valid', () => {
    const { x87: after } = x87(CODE.MOVQ_MM1_RAX, {}, { registers: { rax: VALUE } }).state;
    expect(toHex(after.registers.subarray(10, 20))).toBe('8877665544332211ffff');
    expect(after).toMatchObject({ fsw: STATE.fsw & ~0x3800, ftw: 0xff, fcw: STATE.fcw, fip: STATE.fip });
  });

  it('a read makes the same transition, and reads what x87 wrote', () => {
    const ran = x87(CODE.MOVQ_RAX_MM1, { registers: hex('11'.repeat(80)) });
    expect(ran.state.registers[0]).toBe(0x1111_1111_1111_1111n);
    expect(ran.state.x87).toMatchObject({ fsw: STATE.fsw & ~0x3800, ftw: 0xff });
  });

  it('EMMS empties all registers and keeps their contents', () => {
    const { x87: after } = x87(CODE.EMMS).state;
    expect(after).toEqual({ ...STATE, ftw: 0, fsw: STATE.fsw & ~0x3800 });
  });

  it('arithmetic makes the transition too; its result is not modelled', () => {
    const ran = x87(CODE.PADDB_MM0_MM1);
    expect(ran.state.x87.ftw).toBe(0xff);
    expect(ran.state.undetermined.components).toBe(1);
  });
});
