/**
 * XSAVES and XRSTORS of supervisor components: Intel SDM Vol. 1 "PT State" (13.5.6), "PASID State" (13.5.8), "CET
 * State" (13.5.9), "HDC State" (13.5.10), "User-Interrupt State" (13.5.11), "LBR State" (13.5.12), "Operation of
 * XSAVES" and "of XRSTORS" (13.11, 13.12).
 */
import {
  AVX,
  CET_S,
  CET_U,
  HDC,
  HWP,
  LBR,
  PASID,
  PT,
  SSE,
  UINTR,
  X87,
  cpuModel,
  initialBytes,
  type CpuModel,
} from '@fpulab/core';
import { CODE } from '../../support/machine-code';
import {
  AREA,
  COMPACTED,
  eventTypes,
  fill,
  filled,
  header,
  headerOf,
  quad,
  run,
  toHex,
  type Ran,
  type RunOptions,
} from '../../support/processor';

/** One component of the extended region, alone in a compacted area. */
const FIRST = AREA + 576n;
const bit = (number: number): bigint => 1n << BigInt(number);

/** Sapphire Rapids, with IA32_XSS for hardware duty cycling and P-states as well. */
const POWER_CPU: CpuModel = {
  ...cpuModel('sapphire-rapids'),
  features: [...cpuModel('sapphire-rapids').features, 'hdc'],
  xss: 0x1_fd00,
  components: [
    ...cpuModel('sapphire-rapids').components,
    ...[HDC, HWP].map((one) => ({ bit: one, size: 8, offset: 0, supervisor: true, align64: false, xfd: false })),
  ],
};

const VALUES = { ...POWER_CPU.behaviour, initTracking: 'value', modifiedOptimisation: 'none' } as const;

/** XRSTORS of one component: `image` at its place, or the initial configuration. */
function xrstors(component: number, image: Uint8Array | 'init', options: Partial<RunOptions> = {}): Ran {
  const state = image === 'init' ? 0n : bit(component);
  return run({
    cpu: POWER_CPU,
    code: CODE.XRSTORS,
    cpl: 0,
    registers: { rax: bit(component) },
    bytes: [header(state, COMPACTED | bit(component)), ...(image === 'init' ? [] : [[FIRST, image] as const])],
    ...options,
  });
}

function xsaves(component: number, options: Partial<RunOptions> = {}): Ran {
  const memory = [filled(AREA, 0x1000, 0xa5)];
  return run({ cpu: POWER_CPU, code: CODE.XSAVES, cpl: 0, registers: { rax: bit(component) }, memory, ...options });
}

const quads = (...values: readonly bigint[]): Uint8Array =>
  Uint8Array.from(values.flatMap((value) => [...quad(value)]));
const holding =
  (component: number, value: Uint8Array): RunOptions['state'] =>
  (state) => {
    state.components[component] = value;
    state.inUse |= 1 << component;
  };

describe('XRSTORS refuses with #GP(0) what WRMSR would refuse, and loads nothing', () => {
  it.each([
    ['IA32_PASID[30:20]', PASID, quads(1n << 20n)],
    ['IA32_PASID[63:32]', PASID, quads(1n << 32n)],
    ['IA32_U_CET[9:6]', CET_U, quads(0x40n, 0n)],
    ['IA32_U_CET with SUPPRESS and TRACKER', CET_U, quads(0xc00n, 0n)],
    ['IA32_PL3_SSP[1:0]', CET_U, quads(0n, 1n)],
    ['IA32_PL0_SSP, not canonical', CET_S, quads(1n << 60n, 0n, 0n)],
    ['IA32_PL2_SSP[1:0]', CET_S, quads(0n, 0n, 2n)],
    ['IA32_PM_CTL1[63:1]', HDC, quads(2n)],
    ['IA32_HWP_REQUEST[58:43]', HWP, quads(1n << 58n)],
    ['IA32_UINTR_HANDLER, not canonical', UINTR, quads(1n << 57n, 0n, 0n, 0n, 0n, 0n)],
    ['IA32_UINTR_STACKADJUST, not canonical', UINTR, quads(0n, 1n << 57n, 0n, 0n, 0n, 0n)],
    ['IA32_UINTR_MISC[62:40]', UINTR, quads(0n, 0n, 1n << 62n, 0n, 0n, 0n)],
    ['IA32_UINTR_PD[5:0]', UINTR, quads(0n, 0n, 0n, 1n, 0n, 0n)],
    ['IA32_UINTR_TT[3:1]', UINTR, quads(0n, 0n, 0n, 0n, 0n, 4n)],
  ])('%s', (_, component, image) => {
    const ran = xrstors(component, image);
    expect([ran.fault, ran.errorCode, ran.reason]).toEqual(['#GP', 0, 'supervisor-state-reserved']);
    expect(eventTypes(ran)).toEqual(['fault-raised']);
  });

  it.each([
    ['PASID', PASID, quads(0x800f_ffffn)],
    ['CET_U', CET_U, quads(0x3fn, 0x1000n)],
    ['CET_S', CET_S, quads(4n, 8n, 12n)],
    ['HDC', HDC, quads(0n)],
    ['HWP', HWP, quads(0x8080_ff01n)],
    ['UINTR, with UIF as bit 63 of IA32_UINTR_MISC', UINTR, quads(16n, 1n, 0x8000_0012_0000_0003n, 64n, 5n, 17n)],
  ])('%s that is sound is loaded', (_, component, image) => {
    const ran = xrstors(component, image);
    expect(ran.fault).toBeUndefined();
    expect(toHex(ran.state.components[component])).toBe(toHex(image));
    expect(ran.state.inUse).toBe(1 << component);
  });

  it('does not look at components outside RFBM', () => {
    const ran = xrstors(PASID, quads(1n << 20n), { registers: { rax: bit(SSE) } });
    expect([ran.fault, ran.state.components[PASID]]).toEqual([undefined, new Uint8Array(8)]);
  });
});

describe('initial configurations', () => {
  it.each([
    ['HDC: IA32_PM_CTL1 is 1', HDC, '0100000000000000'],
    ['HWP: IA32_HWP_REQUEST is 8000FF01H', HWP, '01ff008000000000'],
    ['PASID: zero', PASID, '0000000000000000'],
  ])('%s, after boot and after XRSTORS', (_, component, expected) => {
    expect(toHex(initialBytes(component))).toBe(expected);
    const ran = xrstors(component, 'init', { state: (state) => fill(state, component, 0) });
    expect(toHex(ran.state.components[component])).toBe(expected);
    expect(ran.state.inUse).toBe(0);
  });

  it('zero in HDC is not initial: where values decide, XSAVES stores it', () => {
    const values = { ...POWER_CPU, behaviour: VALUES };
    const loaded = xrstors(HDC, quads(0n), { cpu: values });
    const ran = run({ after: loaded, code: CODE.XSAVES, bytes: [[FIRST, new Uint8Array(8).fill(0xa5)]] });
    expect([headerOf(ran).xstateBv, toHex(ran.read(FIRST, 8))]).toEqual([bit(HDC), '0000000000000000']);
    const initial = xrstors(HDC, quads(1n), { cpu: values });
    expect(initial.state.inUse).toBe(0);
  });
});

describe('XSAVES', () => {
  it('stores supervisor components in use, behind each other, and leaves others alone', () => {
    const ran = xsaves(PASID, {
      registers: { rax: bit(PASID) | bit(CET_U) | bit(CET_S) },
      state: (state) => {
        fill(state, PASID, 0x11);
        fill(state, CET_S, 0x22);
      },
    });
    expect(headerOf(ran)).toEqual({
      xstateBv: bit(PASID) | bit(CET_S),
      xcompBv: COMPACTED | bit(PASID) | bit(CET_U) | bit(CET_S),
    });
    expect(toHex(ran.read(FIRST, 48))).toBe('11'.repeat(8) + 'a5'.repeat(16) + '22'.repeat(24));
  });

  it('of one component gives an image of several another layout: that one lies where another did, and XSTATE_BV has it alone', () => {
    const several = COMPACTED | bit(X87) | bit(SSE) | bit(AVX) | bit(PASID);
    const image = { bytes: [header(bit(SSE) | bit(AVX) | bit(PASID), several), [FIRST + 256n, quads(7n)] as const] };
    const ran = xsaves(PASID, { ...image, state: holding(PASID, quads(0x8000_0001n)) });
    expect(headerOf(ran)).toEqual({ xstateBv: bit(PASID), xcompBv: COMPACTED | bit(PASID) });
    expect(toHex(ran.read(FIRST, 16))).toBe(`${toHex(quads(0x8000_0001n))}${'a5'.repeat(8)}`); // AVX was here
    expect(toHex(ran.read(FIRST + 256n, 8))).toBe(toHex(quads(7n))); // PASID was here
    const unused = xsaves(PASID, image);
    expect(headerOf(unused)).toEqual({ xstateBv: 0n, xcompBv: COMPACTED | bit(PASID) });
    expect(toHex(unused.read(FIRST, 8))).toBe('a5'.repeat(8));
  });

  it('RFBM is cut to XCR0 and IA32_XSS', () => {
    const ran = xsaves(PASID, { control: { xss: 0 }, state: (state) => fill(state, PASID, 0x11) });
    expect(headerOf(ran)).toEqual({ xstateBv: 0n, xcompBv: COMPACTED });
  });

  it('has stored UINV and clears it', () => {
    const misc = 0x8000_0012_0000_0003n;
    const ran = xsaves(UINTR, { state: holding(UINTR, quads(0n, 0n, misc, 0n, 0n, 0n)) });
    expect(toHex(ran.read(FIRST + 16n, 8))).toBe(toHex(quad(misc)));
    expect(toHex(ran.state.components[UINTR].subarray(16, 24))).toBe(toHex(quad(0x8000_0000_0000_0003n)));
  });

  it('leaves UINV alone where it does not store the component', () => {
    const value = quads(0n, 0n, 0x12_0000_0000n, 0n, 0n, 0n);
    const elsewhere = xsaves(PASID, { state: holding(UINTR, value) });
    expect(elsewhere.state.components[UINTR]).toBe(value);
  });

  it('has stored IA32_RTIT_CTL and clears its TraceEn', () => {
    const value = new Uint8Array(128);
    value.set(quad(0x2001n));
    const ran = xsaves(PT, { state: holding(PT, value) });
    expect(toHex(ran.read(FIRST, 8))).toBe(toHex(quad(0x2001n)));
    expect(toHex(ran.state.components[PT].subarray(0, 8))).toBe(toHex(quad(0x2000n)));
  });

  it('a fault leaves UINV and TraceEn as they were', () => {
    const value = quads(0n, 0n, 0x12_0000_0000n, 0n, 0n, 0n);
    const ran = xsaves(UINTR, { memory: [], state: holding(UINTR, value) });
    expect([ran.fault, ran.state.components[UINTR]]).toEqual(['#PF', value]);
  });
});

describe('user interrupts', () => {
  const armed = holding(UINTR, quads(0n, 0n, 0x12_0000_0000n, 0n, 0n, 0n));

  it('XRSTORS that would load them with UINV in use raises #GP(0)', () => {
    const ran = xrstors(UINTR, new Uint8Array(48), { state: armed });
    expect([ran.fault, ran.errorCode, ran.reason]).toEqual(['#GP', 0, 'uinv-not-zero']);
  });

  it('XRSTORS that initialises them does not, and clears UINV', () => {
    const ran = xrstors(UINTR, 'init', { state: armed });
    expect([ran.fault, toHex(ran.state.components[UINTR])]).toEqual([undefined, '00'.repeat(48)]);
  });
});

describe('processor trace', () => {
  const traced = holding(
    PT,
    Uint8Array.from({ length: 128 }, (_, at) => Number(at === 0)),
  );

  it.each([
    ['load', new Uint8Array(128)],
    ['initialise', 'init'],
  ] as const)('XRSTORS that would %s it while TraceEn is set raises #GP(0)', (_, image) => {
    const ran = xrstors(PT, image, { state: traced });
    expect([ran.fault, ran.reason]).toEqual(['#GP', 'supervisor-state-reserved']);
  });

  it('XRSTORS refuses an image whose bytes behind the MSRs, 127:72, are not zero', () => {
    const image = (at: number): Uint8Array => Uint8Array.from({ length: 128 }, (_, index) => Number(index === at));
    for (const at of [72, 100, 127]) expect(xrstors(PT, image(at)).reason).toBe('supervisor-state-reserved');
    expect(xrstors(PT, image(71)).fault).toBeUndefined();
  });

  it('XRSTORS without PT in RFBM does not look at TraceEn', () => {
    expect(xrstors(PT, 'init', { state: traced, registers: { rax: bit(PASID) } }).fault).toBeUndefined();
  });
});

describe('last branch records', () => {
  /** IA32_LBR_CTL with bits that it has, IA32_LBR_DEPTH, and everything else full of a byte. */
  const value = (depth: number, byte: number): Uint8Array => {
    const image = new Uint8Array(808).fill(byte);
    image.set(quads(BigInt(byte & 0xf), BigInt(depth)));
    return image;
  };

  it('XRSTORS of the same depth loads all', () => {
    const ran = xrstors(LBR, value(32, 0x22), { state: holding(LBR, value(32, 0x11)) });
    expect(toHex(ran.state.components[LBR])).toBe(toHex(value(32, 0x22)));
  });

  it('XRSTORS of another depth loads the five MSRs but IA32_LBR_DEPTH, and clears the records', () => {
    const ran = xrstors(LBR, value(32, 0x22), { state: holding(LBR, value(16, 0x11)) });
    const expected = new Uint8Array(808);
    expected.set(value(16, 0x22).subarray(0, 40));
    expect(toHex(ran.state.components[LBR])).toBe(toHex(expected));
  });

  it('XRSTORS of another depth leaves XINUSE[15] as it was', () => {
    const after = (inUse: number): number => {
      const state: RunOptions['state'] = (start) => {
        start.components[LBR] = value(16, 0);
        start.inUse = inUse;
      };
      const ran = xrstors(LBR, value(32, 0), { state });
      expect(ran.fault).toBeUndefined();
      return ran.state.inUse;
    };
    expect([after(0), after(1 << LBR)]).toEqual([0, 1 << LBR]);
  });

  it.each([
    ['IA32_LBR_CTL[63:23]', quads(1n << 23n, 32n)],
    ['IA32_LBR_CTL[15:4]', quads(1n << 4n, 32n)],
    ['an IA32_LBR_DEPTH that no processor has', quads(0n, 1n << 40n)],
    ['an IA32_LBR_DEPTH of 16, which CPUID leaf 1CH does not offer here', quads(0n, 16n)],
  ])('XRSTORS refuses %s', (_, msrs) => {
    const image = new Uint8Array(808);
    image.set(msrs);
    expect(xrstors(LBR, image)).toMatchObject({ fault: '#GP', errorCode: 0, reason: 'supervisor-state-reserved' });
  });

  it('XSAVES stores the entries below IA32_LBR_DEPTH and leaves the places of the others alone', () => {
    const ran = xsaves(LBR, { state: holding(LBR, value(8, 0x11)) });
    expect(toHex(ran.read(FIRST, 40 + 8 * 24))).toBe(toHex(value(8, 0x11).subarray(0, 40 + 8 * 24)));
    expect(new Set(ran.read(FIRST + 40n + 8n * 24n, 24 * 24))).toEqual(new Set([0xa5]));
  });

  it('IA32_LBR_DEPTH is no reason to be in use, where values decide', () => {
    const cpu = { ...POWER_CPU, behaviour: VALUES };
    const ran = xrstors(LBR, 'init', { cpu, state: (state) => state.components[LBR].set(quad(32n), 8) });
    expect(ran.state.inUse).toBe(0);
    expect(xrstors(LBR, value(32, 0), { cpu }).state.inUse).toBe(0);
  });

  it('XRSTORS of the initial configuration keeps IA32_LBR_DEPTH', () => {
    const ran = xrstors(LBR, 'init', { state: holding(LBR, value(32, 0x11)) });
    expect(toHex(ran.state.components[LBR])).toBe(toHex(value(32, 0)));
    expect(ran.state.inUse & (1 << LBR)).toBe(0);
  });
});
