/**
 * The modified optimisation of XSAVEOPT and XSAVES: Intel SDM Vol. 1 "Processor Tracking of XSAVE-Managed State"
 * (13.6), "XRSTOR and the Init and Modified Optimizations" (13.8.3), 13.9 and 13.11.
 */
import { AVX, PKRU, SSE, X87, type ProcessorState } from '@fpulab/core';
import { CODE, movEax } from '../../support/machine-code';
import {
  AREA,
  COMPACTED,
  eventTypes,
  fill,
  header,
  headerOf,
  maskOf,
  run,
  zeros,
  type Ran,
  type RunOptions,
} from '../../support/processor';

const OTHER = AREA + 0x4000n;
const RFBM = maskOf(X87, SSE, AVX);
const bit = (number: number): bigint => 1n << BigInt(number);
const STANDARD = [header(BigInt(RFBM)), [AREA + 24n, Uint8Array.of(0x80, 0x1f)]] as const;
const SUPERVISOR = [header(BigInt(RFBM), COMPACTED | BigInt(RFBM)), [AREA + 24n, Uint8Array.of(0x80, 0x1f)]] as const;

/** A restore that marks x87, SSE and AVX, then code. */
function tracked(code: string, options: Partial<RunOptions> = {}): Ran {
  return run({
    code,
    memory: [zeros(AREA, 0x4000), zeros(OTHER, 0x4000)],
    registers: { rax: BigInt(RFBM), rsi: OTHER },
    bytes: STANDARD,
    ...options,
  });
}

/** Components that the last save of a run wrote, by where it wrote. */
function stored({ events }: Ran): string {
  const writes = events.filter(({ type }) => type === 'memory-written') as { address: bigint }[];
  const names: Record<number, string> = { 0: 'x87', 24: 'mxcsr', 160: 'sse', 576: 'avx', 512: 'header' };
  return writes
    .map(({ address }) => names[Number(address & 0xfffn)] ?? '')
    .filter(Boolean)
    .join(' ');
}

describe('XSAVEOPT on a processor that tracks any restore', () => {
  it('leaves out what has not been modified since XRSTOR from the same address; XSTATE_BV still has it', () => {
    const ran = tracked(CODE.XRSTOR + CODE.XSAVEOPT);
    expect(stored(ran)).toBe('mxcsr header');
    expect(headerOf(ran).xstateBv).toBe(BigInt(RFBM));
  });

  it.each([
    ['SSE', CODE.ONES_XMM0, 'mxcsr sse header'],
    ['AVX, and SSE with it', CODE.ONES_YMM0, 'mxcsr sse avx header'],
    ['x87', CODE.FNINIT, 'x87 mxcsr header'],
    ['MMX registers, which are x87 state', CODE.MOVQ_MM1_RAX, 'x87 mxcsr header'],
  ])('stores %s again once modified, and only that', (_, modify, expected) => {
    expect(stored(tracked(CODE.XRSTOR + modify + CODE.XSAVEOPT))).toBe(expected);
  });

  it('a modification that writes the same value is one', () => {
    expect(stored(tracked(CODE.XRSTOR + CODE.ZERO_XMM0 + CODE.XSAVEOPT))).toBe('mxcsr sse header');
  });

  it.each([
    ['to another address', CODE.XRSTOR + CODE.XSAVEOPT_RSI],
    ['after another XRSTOR, from elsewhere', CODE.XRSTOR + CODE.XRSTOR_RSI + CODE.XSAVEOPT],
    ['after another XRSTOR, of nothing', CODE.XRSTOR + movEax(0) + CODE.XRSTOR + movEax(RFBM) + CODE.XSAVEOPT],
  ])('stores everything in use %s', (_, code) => {
    const elsewhere = [OTHER + 512n, Uint8Array.of(RFBM)] as const;
    expect(stored(tracked(code, { bytes: [...STANDARD, elsewhere] }))).toBe('x87 mxcsr sse avx header');
  });

  it('stores everything in use after a restore in the compacted form', () => {
    expect(stored(tracked(CODE.XRSTOR + CODE.XSAVEOPT, { bytes: SUPERVISOR }))).toBe('x87 mxcsr sse avx header');
  });

  it('stores what was outside the RFBM of the restore', () => {
    const code = movEax(maskOf(X87, SSE)) + CODE.XRSTOR + movEax(RFBM) + CODE.XSAVEOPT;
    expect(stored(tracked(CODE.ONES_YMM0 + code))).toBe('mxcsr avx header');
  });

  it('a restore at one CPL says nothing to a save at another', () => {
    const restored = tracked(CODE.XRSTOR, { cpl: 0 });
    expect(stored(run({ after: restored, code: CODE.XSAVEOPT, cpl: 0 }))).toBe('mxcsr header');
    expect(stored(run({ after: restored, code: CODE.XSAVEOPT, cpl: 3 }))).toBe('x87 mxcsr sse avx header');
  });

  it('a restore outside 64-bit mode says nothing to a save in it about registers of which it reached a half', () => {
    const restored = tracked(CODE.XRSTOR, { mode: 32 });
    expect(stored(run({ after: restored, code: CODE.XSAVEOPT, mode: 32 }))).toBe('mxcsr header');
    expect(stored(run({ after: restored, code: CODE.XSAVEOPT, mode: 64 }))).toBe('mxcsr sse avx header');
  });

  it('nor one that initialised them: XMM8 to XMM15, which it left alone, are stored', () => {
    const state: RunOptions['state'] = (start) => fill(start, SSE, 0x33);
    const bytes = [header(0n), STANDARD[1]] as const;
    const restored = tracked(CODE.XRSTOR, { mode: 32, registers: { rax: 2n }, bytes, state });
    const saved = run({ after: restored, code: CODE.XSAVEOPT, mode: 64 });
    expect([headerOf(saved).xstateBv, saved.read(AREA + 288n, 1)[0]]).toEqual([2n, 0x33]);
  });

  it('MXCSR is written always', () => {
    expect(stored(tracked(movEax(maskOf(AVX)) + CODE.XRSTOR + CODE.XSAVEOPT))).toBe('mxcsr header');
  });

  it('a save in between changes nothing, even over the area; nor do stores to it', () => {
    expect(stored(tracked(CODE.XRSTOR + CODE.XSAVEOPT + CODE.XSAVEOPT))).toBe('mxcsr header mxcsr header');
    const ran = tracked(`${CODE.XRSTOR}c70700000000${CODE.XSAVEOPT}`); // mov dword ptr [rdi], 0
    expect(stored(ran)).toBe('x87 mxcsr header'); // the first is the MOV's
  });

  it('FXRSTOR modifies x87 and SSE, and leaves AVX unmodified', () => {
    expect(stored(tracked(`${CODE.XRSTOR}0fae0e${CODE.XSAVEOPT}`))).toBe('x87 mxcsr sse header'); // fxrstor [rsi]
  });

  it('XSAVE and XSAVEC never use it', () => {
    expect(stored(tracked(CODE.XRSTOR + CODE.XSAVE))).toBe('x87 mxcsr sse avx header');
    expect(stored(tracked(CODE.XRSTOR + CODE.XSAVEC))).toBe('x87 mxcsr sse avx header');
  });
});

describe('XSAVES', () => {
  const supervised = (code: string, options: Partial<RunOptions> = {}): Ran =>
    tracked(code, { cpl: 0, bytes: SUPERVISOR, ...options });

  it('leaves out what has not been modified since XRSTORS from the same address', () => {
    const ran = supervised(CODE.XRSTORS + CODE.XSAVES);
    expect(stored(ran)).toBe('header');
    expect(headerOf(ran)).toEqual({ xstateBv: BigInt(RFBM), xcompBv: COMPACTED | BigInt(RFBM) });
  });

  it('a compacted XRSTOR at CPL 0 will do as well', () => {
    expect(stored(supervised(CODE.XRSTOR + CODE.XSAVES))).toBe('header');
  });

  it('a standard XRSTOR will not', () => {
    expect(stored(supervised(CODE.XRSTOR + CODE.XSAVES, { bytes: STANDARD }))).toBe('x87 mxcsr sse avx header');
  });

  it('XCOMP_BV of the restore must be the RFBM of the save', () => {
    const fewer = movEax(maskOf(X87, SSE));
    expect(stored(supervised(CODE.XRSTORS + fewer + CODE.XSAVES))).toBe('x87 mxcsr sse header');
    const wider = [header(BigInt(RFBM), COMPACTED | BigInt(RFBM) | bit(PKRU)), SUPERVISOR[1]];
    expect(stored(supervised(CODE.XRSTORS + CODE.XSAVES, { bytes: wider }))).toBe('x87 mxcsr sse avx header');
  });

  it('what counts is XCOMP_BV, not the RFBM of the restore: components that it did not restore are stored', () => {
    const code = movEax(maskOf(AVX)) + CODE.XRSTORS + movEax(RFBM) + CODE.XSAVES;
    const ran = supervised(code, {
      state: (state) => {
        state.inUse = maskOf(X87);
      },
    });
    expect(stored(ran)).toBe('x87 header');
  });

  it('stores SSE with MXCSR whenever MXCSR is not 1F80H, unmodified or not', () => {
    const bytes = [SUPERVISOR[0], [AREA + 24n, Uint8Array.of(0xa0, 0x1f)]] as const;
    expect(stored(supervised(CODE.XRSTORS + CODE.XSAVES, { bytes }))).toBe('mxcsr sse header');
  });

  it('LDMXCSR modifies SSE: MXCSR that became 1F80H is stored', () => {
    const bytes = [SUPERVISOR[0], [AREA + 24n, Uint8Array.of(0xa0, 0x1f)], [OTHER, Uint8Array.of(0x80, 0x1f)]] as const;
    const ran = supervised(CODE.XRSTORS + CODE.LDMXCSR + CODE.XSAVES, { bytes });
    expect(stored(ran)).toBe('mxcsr sse header');
    expect([headerOf(ran).xstateBv, ...ran.read(AREA + 24n, 2)]).toEqual([BigInt(RFBM), 0x80, 0x1f]);
  });

  it('stores what has been modified, and only that', () => {
    expect(stored(supervised(CODE.XRSTORS + CODE.FNINIT + CODE.XSAVES))).toBe('x87 header');
  });

  it('XSAVEC at the same place never uses it', () => {
    expect(stored(supervised(CODE.XRSTORS + CODE.XSAVEC))).toBe('x87 mxcsr sse avx header');
  });
});

describe('other processors', () => {
  it('AMD: a standard XRSTOR starts it for XSAVEOPT, a compacted one ends it', () => {
    const amd = { cpu: 'zen2', state: (state: ProcessorState) => fill(state, AVX, 0x33) };
    const started = tracked(CODE.XSAVE + CODE.XRSTOR, amd);
    expect(started.state.tracking).toEqual({ address: AREA, cpl: 3, mode: 64, xcompBv: 0n, unmodified: RFBM });
    expect(stored(run({ after: started, code: CODE.XSAVEOPT }))).toBe('mxcsr header');
    const ended = run({ after: started, code: CODE.XRSTOR, bytes: [header(0n, COMPACTED)] });
    expect(ended.state.tracking).toBeUndefined();
  });

  it('AMD: LDMXCSR does not modify SSE for XSAVEOPT, which stores MXCSR anyway', () => {
    expect(stored(tracked(CODE.XRSTOR + CODE.LDMXCSR + CODE.XSAVEOPT, { cpu: 'zen4-guest' }))).toBe('mxcsr header');
  });

  it('AMD: XRSTORS starts nothing for XSAVES', () => {
    const options = { cpu: 'zen2', cpl: 0, bytes: SUPERVISOR } as const;
    const ran = tracked(CODE.ONES_YMM0 + CODE.XSAVES + CODE.XRSTORS + CODE.XSAVES, options);
    expect(stored(ran)).toBe('sse avx header sse avx header'.replaceAll('sse', 'mxcsr sse'));
  });

  it('without it nothing is remembered', () => {
    const ran = tracked(CODE.XRSTOR, { cpu: 'sandybridge' });
    expect(eventTypes(ran)).not.toContain('restore-tracked');
    expect(ran.state.tracking).toBeUndefined();
  });
});
