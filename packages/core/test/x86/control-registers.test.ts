import { CR0_BOOT, CR0_EM, CR0_ET, CR0_MP, CR0_NE, CR0_PE, CR0_TS, cr0AfterLmsw, fpuFault, withTs } from '@fpulab/core';

describe('CR0', () => {
  it('has its bits where the SDM puts them', () => {
    expect([CR0_PE, CR0_MP, CR0_EM, CR0_TS, CR0_ET, CR0_NE]).toEqual([0x01, 0x02, 0x04, 0x08, 0x10, 0x20]);
  });

  it('boots as PE, MP, TS, ET, NE: 0x3b, so that the first FPU instruction raises #NM', () => {
    expect(CR0_BOOT).toBe(0x3b);
    expect(fpuFault(CR0_BOOT, 'x87')).toBe(7);
  });

  it('withTs changes TS and nothing else', () => {
    expect(withTs(0x33, true)).toBe(0x3b);
    expect(withTs(0x3b, true)).toBe(0x3b);
    expect(withTs(0x3b, false)).toBe(0x33);
    expect(withTs(0x3b, 0)).toBe(0x33);
    expect(withTs(0x33, 1)).toBe(0x3b);
  });
});

describe('LMSW', () => {
  it('cannot clear PE', () => {
    expect(cr0AfterLmsw(CR0_PE, 0) & CR0_PE).toBe(CR0_PE);
  });

  it('can set PE', () => {
    expect(cr0AfterLmsw(0, CR0_PE)).toBe(CR0_PE);
  });

  it('sets and clears MP, EM and TS', () => {
    expect(cr0AfterLmsw(CR0_PE, CR0_MP | CR0_EM | CR0_TS)).toBe(CR0_PE | CR0_MP | CR0_EM | CR0_TS);
    expect(cr0AfterLmsw(CR0_PE | CR0_MP | CR0_EM | CR0_TS, 0)).toBe(CR0_PE);
  });

  it('leaves every bit above TS alone', () => {
    const high = ~0xf;
    expect(cr0AfterLmsw(high | CR0_TS, CR0_PE)).toBe(high | CR0_PE | 0);
    expect(cr0AfterLmsw(0, high)).toBe(0);
  });

  it('gives the same for all 256 combinations of old and new low bits as the SDM says bit by bit', () => {
    for (let before = 0; before < 16; before++) {
      for (let source = 0; source < 16; source++) {
        const pe = before & 1 || source & 1 ? 1 : 0;
        expect(cr0AfterLmsw(before, source)).toBe((source & 0b1110) | pe);
      }
    }
  });
});
