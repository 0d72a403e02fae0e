/**
 * x87 loads, stores and exchanges: Intel SDM Vol. 2 "FLD", "FILD", "FST/FSTP", "FXCH"; Vol. 1 "Stack Overflow or
 * Underflow Exception (#IS)" (8.5.1.1), "Denormal Operand Exception (#D)" (8.5.2), "Real Numbers" (4.8.3).
 */
import { X87, X87_INIT, stackOrder, topOf, type X87State } from '@fpulab/core';
import { CODE } from '../../support/machine-code';
import { OPERAND, hex, run, toHex, type Ran } from '../../support/processor';

const IE = 1;
const DE = 2;
const SF = 0x40;
const C1 = 0x200;
const SUMMARY = 0x8080;
const INDEFINITE = '00000000000000c0ffff';
const unmasking = (flags: number): Partial<X87State> => ({ fcw: 0x37f & ~flags });

/** Code with x87 state and bytes at [RSI]. */
function x87(code: string, operand = '', given: Partial<X87State> = {}, cpu = 'zen2'): Ran {
  return run({
    cpu,
    code,
    bytes: [[OPERAND, hex(operand)]],
    state: (state) => {
      state.x87 = { ...X87_INIT, ...given };
    },
  });
}

const st = (ran: Ran, number: number): string =>
  toHex(stackOrder(ran.state.x87).subarray(10 * number, 10 * number + 10));
const flagsOf = ({ state }: Ran): number => state.x87.fsw & ~0x3800;

describe('FLD of a single', () => {
  it.each([
    ['1.0', '0000803f', '0000000000000080ff3f', 0],
    ['-0.0', '00000080', '00000000000000000080', 0],
    ['the smallest denormal', '01000000', '00000000000000806a3f', DE],
    ['the largest denormal', 'ffff7f00', '0000000000feffff803f', DE],
    ['infinity', '0000807f', '0000000000000080ff7f', 0],
    ['a quiet NaN', '0100c0ff', '00000000000100c0ffff', 0],
    ['a signalling NaN, made quiet', '0100807f', '00000000000100c0ff7f', IE],
  ])('%s', (_, operand, expected, flags) => {
    const ran = x87(CODE.FLD_M32, operand);
    expect([st(ran, 0).length, flagsOf(ran), topOf(ran.state.x87), ran.state.x87.ftw]).toEqual([20, flags, 7, 0x80]);
    expect(st(ran, 0)).toBe(expected);
  });
});

describe('FLD of a double', () => {
  it.each([
    ['pi', '182d4454fb210940', '00c06821a2da0fc90040', 0],
    ['the smallest denormal', '0100000000000000', '0000000000000080cd3b', DE],
    ['a signalling NaN, made quiet', '010000000000f0ff', '000800000000' + '00c0ffff', IE],
  ])('%s', (_, operand, expected, flags) => {
    const ran = x87(CODE.FLD_M64, operand);
    expect([st(ran, 0), flagsOf(ran)]).toEqual([expected, flags]);
  });
});

describe('FLD of 80 bits', () => {
  it.each([
    ['a signalling NaN', '0100000000000080ff7f'],
    ['a denormal', '01000000000000000000'],
    ['an unsupported encoding', '0000000000000000ff3f'],
  ])('%s is loaded as it is, without exceptions', (_, operand) => {
    const ran = x87(CODE.FLD_M80, operand);
    expect([st(ran, 0), flagsOf(ran)]).toEqual([operand, 0]);
  });
});

describe('FILD', () => {
  it.each([
    ['FILD_M16', 'ffff', '0000000000000080ffbf'],
    ['FILD_M16', '0080', '00000000000000800ec0'],
    ['FILD_M32', '00000000', '00000000000000000000'],
    ['FILD_M32', '01000000', '0000000000000080ff3f'],
    ['FILD_M64', 'ffffffffffffff7f', 'feffffffffffffff3d40'],
    ['FILD_M64', '0000000000000080', '00000000000000803ec0'],
  ] as const)('%s of %s', (name, operand, expected) => {
    const ran = x87(CODE[name], operand);
    expect([st(ran, 0), flagsOf(ran)]).toEqual([expected, 0]);
  });
});

describe('exceptions of the operand that are not masked', () => {
  it.each([
    ['IE, of a signalling NaN: nothing is pushed', '0100807f', IE, 0, 0],
    ['DE, of a denormal: it is pushed all the same', '01000000', DE, 0x3800, 0x80],
  ])(
    '%s; the flag and the summary are set, #MF comes with the next waiting instruction',
    (_, operand, flag, top, ftw) => {
      for (const cpu of ['zen4-guest', 'sandybridge']) {
        const ran = x87(CODE.FLD_M32, operand, unmasking(flag), cpu);
        expect(ran.fault).toBeUndefined();
        expect(ran.state.x87).toMatchObject({ fsw: flag | SUMMARY | top, ftw });
        expect(run({ after: ran, code: CODE.FWAIT })).toMatchObject({ fault: '#MF', reason: 'x87-exception-pending' });
      }
    },
  );

  it('DE: what is pushed is the denormal, normalised', () => {
    const ran = x87(CODE.FLD_M32, '01000000', unmasking(DE), 'zen4-guest');
    expect(st(ran, 0)).toBe('00000000000000806a3f');
  });
});

describe('stack overflow', () => {
  const full = { ftw: 0xff };

  it.each(['FLD_M32', 'FLD_M80', 'FILD_M16', 'FLD1', 'FLDZ', 'FLD_ST1'] as const)(
    '%s on a full stack, masked: IE, SF and C1; the indefinite QNaN is pushed',
    (name) => {
      const ran = x87(CODE[name], '', full);
      expect([flagsOf(ran), topOf(ran.state.x87), st(ran, 0)]).toEqual([IE | SF | C1, 7, INDEFINITE]);
    },
  );

  it('not masked: IE, SF, C1 and the summary; the stack stays', () => {
    const ran = x87(CODE.FLD1, '', { ...full, ...unmasking(IE) });
    expect(ran.state.x87).toMatchObject({ fsw: IE | SF | C1 | SUMMARY, ftw: 0xff });
  });
});

describe('stack underflow', () => {
  it.each(['zen2', 'zen4-guest'])(
    'FLD of an empty register, masked: IE and SF, C1 clear; the indefinite QNaN is pushed (%s)',
    (cpu) => {
      for (const fsw of [0, C1]) {
        const ran = x87(CODE.FLD_ST1, '', { fsw }, cpu);
        expect([ran.state.x87.fsw, ran.state.x87.ftw, st(ran, 0)]).toEqual([0x3841, 0x80, INDEFINITE]);
      }
    },
  );

  it('FLD of an empty register, not masked: IE, SF and the summary, C1 clear; nothing is pushed', () => {
    const ran = x87(CODE.FLD_ST1, '', { fsw: C1, ...unmasking(IE) });
    expect(ran.state.x87).toMatchObject({ fsw: IE | SF | SUMMARY, ftw: 0 });
  });

  it('FSTP of 80 bits, masked: the indefinite QNaN is stored, and the stack popped', () => {
    const ran = x87(CODE.FSTP_M80);
    expect([toHex(ran.read(OPERAND, 10)), flagsOf(ran), topOf(ran.state.x87)]).toEqual([INDEFINITE, IE | SF, 1]);
  });

  it('FSTP of 80 bits, not masked: nothing is stored or popped', () => {
    const ran = x87(CODE.FSTP_M80, 'a5'.repeat(10), unmasking(IE));
    expect([toHex(ran.read(OPERAND, 10)), ran.state.x87.fsw]).toEqual(['a5'.repeat(10), IE | SF | SUMMARY]);
  });

  it('FST to a register, masked: it becomes the indefinite QNaN, and is valid', () => {
    const ran = x87(CODE.FST_ST1);
    expect([st(ran, 1), ran.state.x87.ftw, flagsOf(ran)]).toEqual([INDEFINITE, 2, IE | SF]);
  });

  it('FXCH with an empty register, masked: it counts as the indefinite QNaN', () => {
    const ran = x87(CODE.FLD1 + CODE.FXCH_ST1);
    expect([st(ran, 0), st(ran, 1), flagsOf(ran), ran.state.x87.ftw]).toEqual([
      ...[INDEFINITE, '0000000000000080ff3f', IE | SF, 0x81],
    ]);
  });

  it('FXCH, not masked: nothing moves', () => {
    const ran = x87(CODE.FLD1 + CODE.FXCH_ST1, '', unmasking(IE));
    expect([st(ran, 0), ran.state.x87.ftw]).toEqual(['0000000000000080ff3f', 0x80]);
  });
});

describe('registers', () => {
  const one = '0000000000000080ff3f';
  const zero = '00'.repeat(10);

  it('FXCH exchanges and clears C1', () => {
    const ran = x87(CODE.FLD1 + CODE.FLDZ + CODE.FXCH_ST1, '', { fsw: C1 });
    expect([st(ran, 0), st(ran, 1), flagsOf(ran)]).toEqual([one, zero, 0]);
  });

  it('FST copies, FSTP pops; the popped register keeps its contents and is empty', () => {
    const ran = x87(CODE.FLDZ + CODE.FLD1 + CODE.FSTP_ST1);
    expect([st(ran, 0), topOf(ran.state.x87), ran.state.x87.ftw]).toEqual([one, 7, 0x80]);
    expect(toHex(ran.state.x87.registers.subarray(60, 70))).toBe(one);
  });

  it('FSTP of 80 bits stores all bits, of a signalling NaN too', () => {
    const ran = x87(CODE.FLD_M80 + CODE.FSTP_M80, '0100000000000080ff7f');
    expect([toHex(ran.read(OPERAND, 10)), flagsOf(ran), ran.state.x87.ftw]).toEqual(['0100000000000080ff7f', 0, 0]);
  });

  it('physical registers turn with TOP: the ninth push goes round', () => {
    const ran = x87(CODE.FLD1, '', { fsw: 0x3800 });
    expect([topOf(ran.state.x87), ran.state.x87.ftw]).toEqual([6, 0x40]);
  });
});

describe('arithmetic', () => {
  it('is modelled in what it touches only: x87 state is in use, and not known', () => {
    const ran = x87(CODE.FADD_ST1);
    expect(ran.state.undetermined.components).toBe(1 << X87);
    expect(ran.state.inUse).toBe(1 << X87);
  });

  it('an instruction that loads all of x87 state makes it known again', () => {
    const ran = x87(CODE.FADD_ST1 + CODE.FXRSTOR);
    expect(ran.state.undetermined.components).toBe(0);
  });
});
