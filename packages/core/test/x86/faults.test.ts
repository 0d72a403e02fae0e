import { CR0_EM, CR0_MP, CR0_TS, VECTOR, fpuFault, vectorName, type InstructionClass } from '@fpulab/core';

const { UD, NM, GP } = VECTOR;

const CLASSES: readonly InstructionClass[] = ['x87', 'wait', 'mmx', 'sse', 'avx', 'fxsave', 'xsave'];

/**
 * Intel SDM Vol. 3A "Control Registers" (2.5), table "Action Taken By x87 FPU Instructions for Different Combinations
 * of EM, MP, and TS"; its text on EM and TS for MMX and SSE; Vol. 2 exception classes of VEX, FXSAVE and XSAVE, which
 * do not look at EM (VEX, XSAVE) or answer it with #NM (FXSAVE).
 */
const TABLE: readonly [em: 0 | 1, mp: 0 | 1, ts: 0 | 1, actions: readonly number[]][] = [
  //         x87 wait mmx sse avx fxsave xsave
  [0, 0, 0, [0, 0, 0, 0, 0, 0, 0]],
  [0, 0, 1, [NM, 0, NM, NM, NM, NM, NM]],
  [0, 1, 0, [0, 0, 0, 0, 0, 0, 0]],
  [0, 1, 1, [NM, NM, NM, NM, NM, NM, NM]],
  [1, 0, 0, [NM, 0, UD, UD, 0, NM, 0]],
  [1, 0, 1, [NM, 0, UD, UD, NM, NM, NM]],
  [1, 1, 0, [NM, 0, UD, UD, 0, NM, 0]],
  [1, 1, 1, [NM, NM, UD, UD, NM, NM, NM]],
];

describe('what CR0.EM, MP and TS make FPU instructions raise', () => {
  const cases = TABLE.flatMap(([em, mp, ts, actions]) =>
    CLASSES.map((instruction, column) => ({ em, mp, ts, instruction, vector: actions[column] })),
  );

  it('the table covers every class under every combination', () => {
    expect(cases).toHaveLength(56);
  });

  it.each(cases)('EM=$em MP=$mp TS=$ts $instruction raises vector $vector', ({ em, mp, ts, instruction, vector }) => {
    const cr0 = (em ? CR0_EM : 0) | (mp ? CR0_MP : 0) | (ts ? CR0_TS : 0);
    expect(fpuFault(cr0, instruction)).toBe(vector);
  });

  it('no other bit of CR0 matters', () => {
    const others = ~(CR0_EM | CR0_MP | CR0_TS);
    for (const { em, mp, ts, instruction, vector } of cases) {
      const cr0 = (em ? CR0_EM : 0) | (mp ? CR0_MP : 0) | (ts ? CR0_TS : 0);
      expect(fpuFault(cr0 | others, instruction)).toBe(vector);
    }
  });

  it('#UD has priority over #NM: MMX and SSE with EM=1 and TS=1', () => {
    expect(fpuFault(CR0_EM | CR0_TS, 'mmx')).toBe(UD);
    expect(fpuFault(CR0_EM | CR0_TS, 'sse')).toBe(UD);
  });

  it('WAIT obeys TS only when MP is set', () => {
    expect(fpuFault(CR0_TS, 'wait')).toBe(0);
    expect(fpuFault(CR0_TS | CR0_MP, 'wait')).toBe(NM);
  });
});

describe('vectors', () => {
  it('have the numbers of the SDM', () => {
    expect([UD, NM, GP]).toEqual([6, 7, 13]);
  });

  it('have names; unknown ones keep their number', () => {
    expect([UD, NM, GP, 14, 18].map(vectorName)).toEqual(['#UD', '#NM', '#GP', '#PF', '#18']);
  });
});
