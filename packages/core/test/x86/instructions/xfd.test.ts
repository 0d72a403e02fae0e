/** Extended feature disable: Intel SDM Vol. 1 "Extended Feature Disable (XFD)" (13.14). */
import { CR0_TS, TILECFG, TILEDATA, isInitial } from '@fpulab/core';
import { CODE, movEax } from '../../support/machine-code';
import {
  AREA,
  COMPACTED,
  eventTypes,
  fill,
  filled,
  header,
  headerOf,
  maskOf,
  run,
  type RunOptions,
} from '../../support/processor';

const DATA = 1 << TILEDATA;
const BOTH = maskOf(TILECFG, TILEDATA);
/** Where Sapphire Rapids has TILEDATA in the standard format, and TILECFG and TILEDATA alone in the compacted one. */
const STANDARD_DATA = AREA + 2816n;
const COMPACTED_CFG = AREA + 576n;
const COMPACTED_DATA = AREA + 640n;
/** Palette 1, tiles 0 to 2 of one row of four bytes. */
const CONFIG = Uint8Array.from({ length: 64 }, (_, at) => {
  if (at === 0) return 1;
  return [16, 18, 20].includes(at) ? 4 : at >= 48 && at < 51 ? 1 : 0;
});

const armed = (options: RunOptions): ReturnType<typeof run> =>
  run({ ...options, control: { xfd: DATA, ...options.control } });

describe('XRSTOR and XRSTORS under IA32_XFD', () => {
  const loading: readonly [string, RunOptions][] = [
    ['XRSTOR, standard form', { code: CODE.XRSTOR, bytes: [header(BigInt(DATA))] }],
    ['XRSTOR, compacted form', { code: CODE.XRSTOR, bytes: [header(BigInt(DATA), COMPACTED | BigInt(DATA))] }],
    ['XRSTORS', { code: CODE.XRSTORS, cpl: 0, bytes: [header(BigInt(DATA), COMPACTED | BigInt(DATA))] }],
  ];

  it.each(loading)(
    '%s that would load TILEDATA raises #NM; IA32_XFD_ERR names it, nothing else happens',
    (_, options) => {
      const ran = armed(options);
      expect([ran.fault, ran.reason]).toEqual(['#NM', 'xfd-armed']);
      expect(ran.events).toEqual([
        { type: 'control-written', register: 'xfdErr', value: DATA },
        expect.objectContaining({ type: 'fault-raised' }),
      ]);
    },
  );

  it.each(loading)('%s of TILEDATA in its initial configuration is allowed', (_, options) => {
    const [[at, bytes]] = options.bytes ?? [];
    const initial = bytes.slice().fill(0, 0, 8);
    const ran = armed({ ...options, bytes: [[at, initial]], state: (state) => fill(state, TILEDATA, 0xaa) });
    expect(ran.fault).toBeUndefined();
    expect(isInitial(TILEDATA, ran.state.components[TILEDATA])).toBe(true);
    expect(ran.state.inUse & DATA).toBe(0);
    expect(ran.state.control.xfdErr).toBe(0);
  });

  it.each(loading)('%s without TILEDATA in RFBM is allowed and leaves it alone', (_, options) => {
    const ran = armed({ ...options, registers: { rax: 3n }, state: (state) => fill(state, TILEDATA, 0xaa) });
    expect(ran.fault).toBeUndefined();
    expect(ran.state.components[TILEDATA].every((byte) => byte === 0xaa)).toBe(true);
  });

  it('loads IA32_XFD_ERR, it does not add to it', () => {
    const ran = armed({ code: CODE.XRSTOR, bytes: [header(BigInt(DATA))], control: { xfdErr: 1 << TILECFG } });
    expect(ran.state.control.xfdErr).toBe(DATA);
  });

  it('#NM by CR0.TS comes first and leaves IA32_XFD_ERR alone', () => {
    const cr0 = run({ code: '' }).state.control.cr0 | CR0_TS;
    const ran = armed({ code: CODE.XRSTOR, bytes: [header(BigInt(DATA))], control: { cr0, xfdErr: 1 << TILECFG } });
    expect([ran.fault, ran.reason, ran.state.control.xfdErr]).toEqual(['#NM', 'ts-set', 1 << TILECFG]);
    expect(eventTypes(ran)).toEqual(['fault-raised']);
  });
});

describe('AMX instructions under IA32_XFD', () => {
  const configured = (code: string, config = CONFIG, control = {}): ReturnType<typeof run> =>
    armed({
      code,
      control,
      bytes: [[AREA, CONFIG]],
      state: (state) => {
        state.components[TILECFG] = config;
        state.inUse |= 1 << TILECFG;
        fill(state, TILEDATA, 0xaa);
      },
    });

  it.each(['TILEZERO_0', 'TILELOADD_0', 'TILELOADDT1_0', 'TILESTORED_0', 'TDPBSSD'] as const)(
    '%s raises #NM with IA32_XFD_ERR',
    (name) => {
      const ran = configured(CODE[name]);
      expect([ran.fault, ran.reason, ran.state.control.xfdErr]).toEqual(['#NM', 'xfd-armed', DATA]);
      expect(ran.state.components[TILEDATA].every((byte) => byte === 0xaa)).toBe(true);
    },
  );

  it.each([
    ['TILELOADD_0', 'tile-not-in-palette', 0],
    ['TDPBSSD', 'tile-shapes-differ', 2],
  ] as const)('%s with a shape that is #UD raises that first', (name, reason, rows) => {
    const ran = configured(
      CODE[name],
      CONFIG.map((byte, at) => (at === 48 ? rows : byte)),
    );
    expect([ran.fault, ran.reason, ran.state.control.xfdErr]).toEqual(['#UD', reason, 0]);
  });

  it('#NM comes before the faults of memory', () => {
    const ran = armed({
      code: CODE.TILELOADD_0,
      registers: { rsi: 0x7000_0000n },
      state: (state) => {
        state.components[TILECFG] = CONFIG;
      },
    });
    expect(ran.reason).toBe('xfd-armed');
  });

  it.each(['LDTILECFG', 'TILERELEASE'] as const)('%s raises none and initialises TILEDATA', (name) => {
    const ran = configured(CODE[name]);
    expect(ran.fault).toBeUndefined();
    expect(isInitial(TILEDATA, ran.state.components[TILEDATA])).toBe(true);
    expect(ran.state.inUse & DATA).toBe(0);
    expect(ran.state.control.xfdErr).toBe(0);
  });

  it('STTILECFG raises none', () => {
    const ran = configured(CODE.STTILECFG);
    expect(ran.fault).toBeUndefined();
    expect(ran.read(AREA, 64)).toEqual(CONFIG);
  });

  it('without XCR0[18:17] they are #UD, and IA32_XFD_ERR stays', () => {
    const ran = configured(CODE.TILEZERO_0, CONFIG, { xcr0: 7 });
    expect([ran.fault, ran.reason, ran.state.control.xfdErr]).toEqual(['#UD', 'xcr0-lacks-component', 0]);
  });
});

describe('saves under IA32_XFD treat TILEDATA as initial', () => {
  const saving = (code: string, options: Partial<RunOptions> = {}): ReturnType<typeof run> =>
    armed({
      code,
      registers: { rax: BigInt(BOTH) },
      memory: [filled(AREA, 0x4000, 0xa5)],
      state: (state) => {
        fill(state, TILECFG, 0x11);
        fill(state, TILEDATA, 0xaa);
      },
      ...options,
    });
  const dataOf = (ran: ReturnType<typeof run>, at: bigint): ReadonlySet<number> => new Set(ran.read(at, 8192));

  it('XSAVE stores its initial configuration over what was there', () => {
    const ran = saving(CODE.XSAVE);
    expect(dataOf(ran, STANDARD_DATA)).toEqual(new Set([0]));
    expect(headerOf(ran)).toEqual({ xstateBv: 0xa5a5a5a5a5a3a5a5n, xcompBv: 0xa5a5a5a5a5a5a5a5n });
  });

  it('XSAVEOPT stores nothing of it', () => {
    const ran = saving(CODE.XSAVEOPT);
    expect(dataOf(ran, STANDARD_DATA)).toEqual(new Set([0xa5]));
    expect(headerOf(ran).xstateBv).toBe(0xa5a5a5a5a5a3a5a5n);
  });

  it.each([
    ['XSAVEC', {}],
    ['XSAVES', { cpl: 0 }],
  ] as const)('%s stores nothing of it, clears its bit of XSTATE_BV and keeps its bit of XCOMP_BV', (name, options) => {
    const ran = saving(CODE[name], options);
    expect(dataOf(ran, COMPACTED_DATA)).toEqual(new Set([0xa5]));
    expect(new Set(ran.read(COMPACTED_CFG, 64))).toEqual(new Set([0x11]));
    expect(headerOf(ran)).toEqual({ xstateBv: 1n << 17n, xcompBv: COMPACTED | BigInt(BOTH) });
  });

  it('the registers keep their contents, and stay in use: IA32_XFD hides, it does not clear', () => {
    const ran = saving(CODE.XSAVEC);
    expect(ran.state.components[TILEDATA].every((byte) => byte === 0xaa)).toBe(true);
    expect(ran.state.inUse & DATA).toBe(DATA);
  });

  it('none of them raises #NM', () => {
    for (const name of ['XSAVE', 'XSAVEOPT', 'XSAVEC'] as const) expect(saving(CODE[name]).fault).toBeUndefined();
  });

  it('has no effect on a component that XCR0 does not enable: RFBM lacks it, and the save is as ever', () => {
    const ran = saving(CODE.XSAVEC, { control: { xfd: DATA, xcr0: 7 } });
    expect(headerOf(ran)).toEqual({ xstateBv: 0n, xcompBv: COMPACTED });
  });

  it('disarmed again, the same save stores it', () => {
    const ran = saving(CODE.XSAVEC, { control: { xfd: 0 } });
    expect(dataOf(ran, COMPACTED_DATA)).toEqual(new Set([0xaa]));
    expect(headerOf(ran).xstateBv).toBe(BigInt(BOTH));
  });
});

describe('WRMSR and RDMSR of IA32_XFD and IA32_XFD_ERR', () => {
  const MSRS = [
    ['IA32_XFD', 0x1c4n, 'xfd'],
    ['IA32_XFD_ERR', 0x1c5n, 'xfdErr'],
  ] as const;
  const wrmsr = (rcx: bigint, rax: bigint, rdx = 0n, options: Partial<RunOptions> = {}): ReturnType<typeof run> =>
    run({ code: CODE.WRMSR, cpl: 0, registers: { rcx, rax, rdx }, ...options });

  it.each(MSRS)('%s takes bit 18, which CPUID.(0DH,18):ECX[2] offers, and RDMSR returns it', (_, msr, name) => {
    const ran = wrmsr(msr, BigInt(DATA));
    expect([ran.fault, ran.state.control[name]]).toEqual([undefined, DATA]);
    const read = run({ after: ran, code: movEax(5) + CODE.RDMSR });
    expect([read.state.registers[0], read.state.registers[2]]).toEqual([BigInt(DATA), 0n]);
  });

  it.each(MSRS)('%s refuses TILECFG, AVX and bits above 31 with #GP(0)', (_, msr, name) => {
    const refused = [wrmsr(msr, 1n << 17n), wrmsr(msr, 4n), wrmsr(msr, 0n, 1n)];
    for (const { fault, errorCode, reason, state } of refused) {
      expect([fault, errorCode, reason, state.control[name]]).toEqual(['#GP', 0, 'xfd-not-supported', 0]);
    }
  });

  it.each(MSRS)('%s does not exist without CPUID.(0DH,1):EAX[4]', (_, msr) => {
    const write = wrmsr(msr, 0n, 0n, { cpu: 'skylake-x' });
    const read = run({ cpu: 'skylake-x', code: CODE.RDMSR, cpl: 0, registers: { rcx: msr } });
    expect([write.reason, read.reason]).toEqual(['no-such-msr', 'no-such-msr']);
  });

  it.each(MSRS)('%s is out of reach of CPL 3', (_, msr) => {
    expect(wrmsr(msr, 0n, 0n, { cpl: 3 }).reason).toBe('not-privileged');
    expect(run({ code: CODE.RDMSR, registers: { rcx: msr } }).reason).toBe('not-privileged');
  });
});
