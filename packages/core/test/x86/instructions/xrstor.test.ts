/** What XRSTOR loads and initialises: Intel SDM Vol. 1 "Operation of XRSTOR" (13.8), "XSAVE-Managed State" (13.5). */
import { AVX, HI16_ZMM, PKRU, SSE, TILECFG, X87, X87_INIT, isInitial } from '@fpulab/core';
import { CODE } from '../../support/machine-code';
import {
  AREA,
  COMPACTED,
  eventTypes,
  fill,
  filled,
  header,
  hex,
  maskOf,
  quad,
  run,
  type Ran,
  type RunOptions,
} from '../../support/processor';

const bits = (...numbers: readonly number[]): bigint => BigInt(maskOf(...numbers));
const mxcsr = (value: number): readonly [bigint, Uint8Array] => [
  AREA + 24n,
  new Uint8Array(Uint32Array.of(value).buffer),
];

function xrstor(rfbm: bigint, bytes: NonNullable<RunOptions['bytes']>, options: Partial<RunOptions> = {}): Ran {
  return run({ code: CODE.XRSTOR, registers: { rax: rfbm }, bytes, ...options });
}

describe('MXCSR', () => {
  const start: RunOptions['state'] = (state) => {
    state.mxcsr = 0x1fa0;
  };

  describe('in the standard form', () => {
    it.each([
      ['SSE', bits(SSE)],
      ['AVX', bits(AVX)],
      ['both', bits(SSE, AVX)],
    ])('is loaded with %s in RFBM, whatever XSTATE_BV says', (_, rfbm) => {
      expect(xrstor(rfbm, [header(0n), mxcsr(0x1f81)], { state: start }).state.mxcsr).toBe(0x1f81);
    });

    it('is not loaded with neither, nor looked at', () => {
      const ran = xrstor(bits(X87, PKRU), [header(bits(X87, SSE)), mxcsr(0xffff_ffff)], { state: start });
      expect([ran.fault, ran.state.mxcsr]).toEqual([undefined, 0x1fa0]);
    });

    it.each([
      ['SSE', bits(SSE)],
      ['AVX', bits(AVX)],
    ])('is refused with a reserved bit and %s in RFBM, though the component is initial', (_, rfbm) => {
      const ran = xrstor(rfbm, [header(0n), mxcsr(0x1_1f80)], { state: start });
      expect([ran.fault, ran.errorCode, ran.reason]).toEqual(['#GP', 0, 'mxcsr-reserved']);
      expect(ran.events).toHaveLength(1);
    });
  });

  describe('in the compacted form', () => {
    it('is loaded with SSE in RFBM and XSTATE_BV', () => {
      const ran = xrstor(bits(SSE), [header(bits(SSE), COMPACTED | bits(SSE)), mxcsr(0x1f81)], { state: start });
      expect(ran.state.mxcsr).toBe(0x1f81);
    });

    it('becomes 1F80H with SSE in RFBM and not in XSTATE_BV; the bytes in memory are not looked at', () => {
      const ran = xrstor(bits(SSE), [header(0n, COMPACTED), mxcsr(0xffff_ffff)], { state: start });
      expect([ran.fault, ran.state.mxcsr]).toEqual([undefined, 0x1f80]);
    });

    it('AVX in RFBM does not count', () => {
      const bytes = [header(bits(AVX), COMPACTED | bits(AVX)), mxcsr(0x1f81)] as const;
      expect(xrstor(bits(AVX), bytes, { state: start }).state.mxcsr).toBe(0x1fa0);
    });

    it('is refused with a reserved bit where it would be loaded', () => {
      const bytes = [header(bits(SSE), COMPACTED | bits(SSE)), mxcsr(0x1_1f80)] as const;
      expect(xrstor(bits(SSE), bytes, { state: start }).reason).toBe('mxcsr-reserved');
    });
  });

  it('bits are reserved per processor: AMD has bit 17 (misaligned SSE)', () => {
    const bytes = [header(0n), mxcsr(0x2_1f80)] as const;
    expect(xrstor(bits(SSE), bytes, { cpu: 'zen2' }).state.mxcsr).toBe(0x2_1f80);
    expect(xrstor(bits(SSE), bytes).reason).toBe('mxcsr-reserved');
  });

  it('MXCSR_MASK in the area is ignored', () => {
    const ran = xrstor(bits(SSE), [header(0n), mxcsr(0x1f80), [AREA + 28n, hex('00000000')]]);
    expect(ran.fault).toBeUndefined();
  });

  it('a flag whose exception is not masked raises nothing when loaded', () => {
    expect(xrstor(bits(SSE), [header(0n), mxcsr(0x01)]).state.mxcsr).toBe(0x01);
  });
});

describe('components', () => {
  const used: RunOptions['state'] = (state) => {
    for (const bit of [SSE, AVX, PKRU]) fill(state, bit, 0x33);
    state.x87 = { ...X87_INIT, fcw: 0x27f, ftw: 0xff };
    state.inUse |= 1;
  };

  it('in RFBM and XSTATE_BV are loaded, in RFBM alone initialised, outside RFBM kept', () => {
    const bytes = [header(bits(AVX)), mxcsr(0x1f80), [AREA + 576n, new Uint8Array(256).fill(0x77)]] as const;
    const { state } = xrstor(bits(X87, SSE, AVX), bytes, { state: used });
    expect(state.components[AVX].every((byte) => byte === 0x77)).toBe(true);
    expect(isInitial(SSE, state.components[SSE])).toBe(true);
    expect(state.x87).toEqual(X87_INIT);
    expect(state.components[PKRU].every((byte) => byte === 0x33)).toBe(true);
  });

  it('in RFBM are initialised even when XCOMP_BV lacks them', () => {
    const { state } = xrstor(bits(AVX), [header(0n, COMPACTED)], { state: used });
    expect(isInitial(AVX, state.components[AVX])).toBe(true);
  });

  it('lie where XCOMP_BV puts them: PKRU alone at 576', () => {
    const bytes = [header(bits(PKRU), COMPACTED | bits(PKRU)), [AREA + 576n, quad(0x5555_0004n)]] as const;
    const { cpu } = xrstor(bits(PKRU), bytes);
    expect(cpu.pkru).toBe(0x5555_0004);
  });

  it('the events are the components, in order, and what the modified optimisation remembers', () => {
    const ran = xrstor(bits(X87, SSE, AVX), [header(bits(X87, AVX)), mxcsr(0x1f80)]);
    expect(eventTypes(ran)).toEqual([
      'component-loaded',
      'x87-loaded',
      'mxcsr-loaded',
      'components-modified', // SSE, of which MXCSR is a part
      'component-loaded',
      'restore-tracked',
    ]);
    expect(ran.events[0]).toMatchObject({ bit: SSE, inUse: false });
    expect(ran.events[4]).toMatchObject({ bit: AVX, inUse: true });
  });

  it('TILECFG that LDTILECFG would refuse is initialised, without a fault (SDM Vol. 1 "AMX State", 13.5.14)', () => {
    const palette = (id: number): Ran =>
      xrstor(bits(TILECFG), [header(bits(TILECFG)), [AREA + 2752n, Uint8Array.of(id, 0, ...new Array(62).fill(0))]]);
    expect(palette(1).state.components[TILECFG][0]).toBe(1);
    expect([palette(2).fault, palette(2).state.components[TILECFG][0]]).toEqual([undefined, 0]);
  });
});

describe('x87 state', () => {
  const image = (fcw: number, fsw: number): Uint8Array => {
    const view = new DataView(new ArrayBuffer(24));
    view.setUint16(0, fcw, true);
    view.setUint16(2, fsw, true);
    view.setUint16(6, 0xffff, true);
    view.setBigUint64(8, 0x1234_5678_9abc_def0n, true);
    view.setBigUint64(16, 0x0fed_cba9_8765_4321n, true);
    return new Uint8Array(view.buffer);
  };
  const load = (code: string, cpu: string, fcw = 0x37f, fsw = 0): Ran =>
    run({ cpu, code, registers: { rax: 1n }, bytes: [header(1n), [AREA, image(fcw, fsw)]] });

  it('FCW loses its reserved bits; FSW.ES and B follow from the flags and masks', () => {
    expect(load(CODE.XRSTOR, 'skylake-x', 0xffff).state.x87.fcw).toBe(0x1f7f);
    expect(load(CODE.XRSTOR, 'skylake-x', 0x37f, 0x8080).state.x87.fsw).toBe(0);
    expect(load(CODE.XRSTOR, 'skylake-x', 0x37e, 0x0001).state.x87.fsw).toBe(0x8081);
  });

  it('without REX.W pointers have 32 bits and selectors, with it 64 bits', () => {
    const narrow = load(CODE.XRSTOR, 'sandybridge').state.x87;
    expect(narrow).toMatchObject({ fop: 0x7ff, fip: 0x9abc_def0n, fcs: 0x5678, fdp: 0x8765_4321n, fds: 0xcba9 });
    const wide = load(CODE.XRSTOR64, 'sandybridge').state.x87;
    expect(wide).toMatchObject({ fip: 0x1234_5678_9abc_def0n, fcs: 0, fdp: 0x0fed_cba9_8765_4321n, fds: 0 });
  });

  it('selectors are ignored where CPUID.(7,0):EBX[13] deprecates them', () => {
    expect(load(CODE.XRSTOR, 'skylake-x').state.x87).toMatchObject({ fip: 0x9abc_def0n, fcs: 0, fds: 0 });
  });
});

describe('outside 64-bit mode', () => {
  const area = filled(AREA, 0x4000, 0x77);
  const all: RunOptions['bytes'] = [[AREA + 512n, new Uint8Array(64)], header(bits(SSE, AVX, HI16_ZMM)), mxcsr(0x1f80)];
  const start: RunOptions['state'] = (state) => {
    for (const bit of [SSE, AVX, HI16_ZMM]) fill(state, bit, 0x33);
  };
  const halves = (value: Uint8Array): number[] => [value[0], value[127], value[128], value[255]];

  it('XMM8-15 and YMM8-15 keep their values, and all of ZMM16-31', () => {
    const { state } = xrstor(bits(SSE, AVX, HI16_ZMM), all, { mode: 32, memory: [area], state: start });
    expect(halves(state.components[SSE])).toEqual([0x77, 0x77, 0x33, 0x33]);
    expect(halves(state.components[AVX])).toEqual([0x77, 0x77, 0x33, 0x33]);
    expect(state.components[HI16_ZMM].every((byte) => byte === 0x33)).toBe(true);
  });

  it('also when they are initialised', () => {
    const { state } = xrstor(bits(SSE, HI16_ZMM), [header(0n)], { mode: 32, state: start, cpu: 'zen4' });
    expect(halves(state.components[SSE])).toEqual([0, 0, 0x33, 0x33]);
    expect(state.components[HI16_ZMM].every((byte) => byte === 0x33)).toBe(true);
  });
});
