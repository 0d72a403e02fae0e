/**
 * FOP, FIP and FDP in FXSAVE and XSAVE areas, in the four ways of processors: Intel SDM Vol. 1 "x87 FPU Instruction
 * and Data (Operand) Pointers" (8.1.8); AMD: CVE-2006-1056, Linux X86_BUG_FXSAVE_LEAK and
 * restore_fpregs_from_fpstate() (arch/x86/kernel/fpu/core.c).
 */
import { X87_INIT, type CpuModel, type X87State } from '@fpulab/core';
import { CODE } from '../../support/machine-code';
import {
  AREA,
  CODE_BASE,
  OPERAND,
  behaving,
  filled,
  header,
  hex,
  run,
  toHex,
  type Ran,
  type RunOptions,
} from '../../support/processor';

const POINTERS = { fop: 0x123, fip: 0x1111_2222_3333n, fdp: 0x4444_5555_6666n, fcs: 0x33, fds: 0x2b };
/** IE set and not masked: FSW.ES and B are set. */
const PENDING = { fcw: 0x37e, fsw: 0x8081 };
const STORED_NARROW = '2301 33332222 3300 0000 66665555 2b00 0000'.replaceAll(' ', '');
const STORED_WIDE = '2301 3333222211110000 6666555544440000'.replaceAll(' ', '');
const ZERO = '00'.repeat(18);
const KEPT = 'a5'.repeat(18);

const always = behaving('zen2', { pointersSaved: 'always' });
const zero = behaving('zen2', { pointersSaved: 'zero-without-exception' });
const untouched = behaving('zen2', { pointersSaved: 'untouched-without-exception' });
const never = behaving('zen2', { pointersSaved: 'never' });

/** Bytes 6 to 23 of the area after a save over A5H. */
function saved(cpu: CpuModel, code: string, pending = false): string {
  const x87: X87State = { ...X87_INIT, ...POINTERS, ...(pending ? PENDING : {}) };
  const state: RunOptions['state'] = (start) => Object.assign(start, { x87, inUse: 1 });
  return toHex(run({ cpu, code, memory: [filled(AREA, 0x1000, 0xa5)], state }).read(AREA + 6n, 18));
}

describe('saves', () => {
  it.each(['FXSAVE', 'XSAVE', 'XSAVEOPT', 'XSAVEC'] as const)('%s, always', (name) => {
    expect([saved(always, CODE[name]), saved(always, CODE[name], true)]).toEqual([STORED_NARROW, STORED_NARROW]);
  });

  it('with REX.W: 64 bits, no selectors', () => {
    expect(saved(always, CODE.FXSAVE64)).toBe(STORED_WIDE);
    expect(saved(always, CODE.XSAVE64)).toBe(STORED_WIDE);
  });

  it.each(['FXSAVE', 'XSAVE', 'XSAVEC'] as const)('%s, zero without an exception', (name) => {
    expect([saved(zero, CODE[name]), saved(zero, CODE[name], true)]).toEqual([ZERO, STORED_NARROW]);
  });

  it.each(['FXSAVE', 'XSAVE', 'XSAVEC'] as const)('%s, bytes 6 to 23 left alone without an exception', (name) => {
    expect([saved(untouched, CODE[name]), saved(untouched, CODE[name], true)]).toEqual([KEPT, STORED_NARROW]);
  });

  it.each(['FXSAVE', 'XSAVE'] as const)('%s, never', (name) => {
    expect([saved(never, CODE[name]), saved(never, CODE[name], true)]).toEqual([ZERO, ZERO]);
  });

  it('FCS and FDS are stored as zero where CPUID.(7,0):EBX[13] deprecates them', () => {
    const cpu = behaving('zen2', { pointersSaved: 'always', selectorsSaved: false });
    expect(saved(cpu, CODE.FXSAVE)).toBe('2301333322220000000066665555' + '00000000');
  });

  it('whatever is left alone, the rest is written: FCW, FSW, FTW and the byte behind it', () => {
    const memory = [filled(AREA, 0x1000, 0xa5)];
    const ran = run({ cpu: untouched, code: CODE.FXSAVE, memory });
    expect(toHex(ran.read(AREA, 6))).toBe('7f0300000000');
    expect(toHex(ran.read(AREA + 24n, 8))).toBe('801f0000ffff0200');
    expect(toHex(ran.read(AREA + 416n, 4))).toBe('a5a5a5a5');
  });
});

describe('restores', () => {
  const OLD = { fop: 0x7ee, fip: 0x999n, fdp: 0x888n, fcs: 0x44, fds: 0x55 };
  const image = (pending: boolean): readonly (readonly [bigint, Uint8Array])[] => [
    header(1n),
    [AREA, hex(pending ? '7e030100 0000' : '7f030000 0000')],
    [AREA + 6n, hex(STORED_NARROW)],
    [AREA + 24n, hex('801f0000')],
  ];
  const restored = (cpu: CpuModel, code: string, pending = false): Partial<X87State> => {
    const state: RunOptions['state'] = (start) => Object.assign(start, { x87: { ...X87_INIT, ...OLD }, inUse: 1 });
    const { fop, fip, fdp, fcs, fds } = run({ cpu, code, bytes: image(pending), state }).state.x87;
    return { fop, fip, fdp, fcs, fds };
  };
  const LOADED = { fop: 0x123, fip: 0x2222_3333n, fdp: 0x5555_6666n, fcs: 0x33, fds: 0x2b };

  it.each(['FXRSTOR', 'XRSTOR'] as const)('%s loads them from any image', (name) => {
    expect(restored(always, CODE[name])).toEqual(LOADED);
    expect(restored(zero, CODE[name])).toEqual(LOADED);
  });

  it.each(['FXRSTOR', 'XRSTOR'] as const)('%s leaves the registers alone without an exception in the image', (name) => {
    expect(restored(untouched, CODE[name])).toEqual(OLD);
    expect(restored(untouched, CODE[name], true)).toEqual(LOADED);
  });

  it('FLDENV and FRSTOR load them all the same: only FXRSTOR and XRSTOR ask for an exception', () => {
    const bytes = [
      [AREA, hex('7f03ffff0000ffffffffffff')],
      [AREA + 12n, hex('3412000033000000785600002b00')],
    ] as const;
    for (const code of [CODE.FLDENV, CODE.FRSTOR])
      expect(run({ cpu: untouched, code, bytes }).state.x87).toMatchObject({ fip: 0x1234n, fdp: 0x5678n });
  });

  it('and so another task reads what the last exception left (CVE-2006-1056)', () => {
    const victim: RunOptions['state'] = (start) => Object.assign(start, { x87: { ...X87_INIT, ...OLD } });
    const quiet = run({ cpu: untouched, code: CODE.FXRSTOR, bytes: image(false), state: victim });
    expect(toHex(run({ after: quiet, code: CODE.FNSTENV }).read(AREA + 12n, 4))).toBe('99090000');
  });

  it('never: the registers keep what they had', () => {
    expect(restored(never, CODE.FXRSTOR, true)).toEqual(OLD);
  });

  it.each([
    [48, 0x0000_ffff_ffff_fff0n, 0xffff_ffff_ffff_fff0n],
    [57, 0x0000_ffff_ffff_fff0n, 0x0000_ffff_ffff_fff0n],
    [57, 0x0100_0000_0000_0000n, 0xff00_0000_0000_0000n],
    [64, 0x0100_0000_0000_0000n, 0x0100_0000_0000_0000n],
  ])('a processor that keeps %i bits extends the sign: 0x%x', (pointerBits, fip, expected) => {
    const cpu = behaving('zen2', { pointersSaved: 'always', pointerBits });
    const ran = run({ cpu, code: CODE.FXRSTOR64, bytes: [[AREA + 8n, new Uint8Array(BigUint64Array.of(fip).buffer)]] });
    expect(ran.state.x87.fip).toBe(expected);
  });
});

describe('which instructions load them', () => {
  const x87Of = (cpu: string, code: string, options: Partial<RunOptions> = {}): Ran['state']['x87'] =>
    run({ cpu, code, ...options }).state.x87;

  it('a load of memory: FIP, FDP, FOP and the selectors', () => {
    expect(x87Of('zen2', `90${CODE.FLD_M32}`)).toMatchObject({
      ...{ fop: 0x106, fip: CODE_BASE + 1n, fcs: 0x33, fdp: OPERAND, fds: 0x2b },
    });
  });

  it('an instruction without memory leaves FDP', () => {
    expect(x87Of('zen2', CODE.FLD_M32 + CODE.FLD1)).toMatchObject({ fip: CODE_BASE + 2n, fdp: OPERAND, fop: 0x1e8 });
  });

  it('control instructions leave all of them', () => {
    const after = x87Of('zen2', CODE.FLD1 + CODE.FNSTCW + CODE.FLDCW + CODE.FNSTSW + CODE.FNCLEX + CODE.FWAIT);
    expect(after.fip).toBe(CODE_BASE);
  });

  it('FNINIT clears them', () => {
    expect(x87Of('zen2', CODE.FLD_M32 + CODE.FNINIT)).toMatchObject({ fop: 0, fip: 0n, fdp: 0n, fcs: 0, fds: 0 });
  });

  it('where only unmasked exceptions load FOP (SDM Vol. 1, 8.1.9.1), a quiet load leaves it, and loads FIP', () => {
    const quiet = x87Of('sandybridge', CODE.FLD_M32);
    expect(quiet).toMatchObject({ fop: 0, fip: CODE_BASE, fdp: OPERAND });
    const denormal = { bytes: [[OPERAND, hex('01000000')]] as const };
    const state: RunOptions['state'] = (start) => Object.assign(start, { x87: { ...X87_INIT, fcw: 0x37d } });
    expect(x87Of('sandybridge', CODE.FLD_M32, { ...denormal, state }).fop).toBe(0x106);
  });

  it('where nothing loads FOP (QEMU), loads of an image do', () => {
    expect(x87Of('qemu-max', CODE.FLD_M32)).toMatchObject({ fop: 0, fip: CODE_BASE });
  });

  it('where only unmasked exceptions load FDP (CPUID.(7,0):EBX[6]), a quiet load leaves it', () => {
    const snan = { bytes: [[OPERAND, hex('0100807f')]] as const };
    const unmasked: RunOptions['state'] = (state) => {
      state.x87 = { ...X87_INIT, fcw: 0x37e };
    };
    expect(x87Of('skylake-x', CODE.FLD_M32).fdp).toBe(0n);
    expect(x87Of('skylake-x', CODE.FLD_M32, snan).fdp).toBe(0n);
    expect(x87Of('skylake-x', CODE.FLD_M32, { ...snan, state: unmasked }).fdp).toBe(OPERAND);
  });
});
