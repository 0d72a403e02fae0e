/**
 * What the four saves write and leave alone: Intel SDM Vol. 1 "Operation of XSAVE" (13.7), 13.9 to 13.11, "XSAVE Area"
 * (13.4).
 */
import { AVX, HI16_ZMM, PKRU, SSE, X87, X87_INIT, ZMM_HI256, type ProcessorState } from '@fpulab/core';
import { CODE, movEax } from '../../support/machine-code';
import {
  AREA,
  COMPACTED,
  eventTypes,
  fill,
  filled,
  headerOf,
  maskOf,
  run,
  toHex,
  type Ran,
  type RunOptions,
} from '../../support/processor';

const PATTERN = 0xa5;
/** x87, SSE, AVX and PKRU; all but AVX in use. */
const RFBM = maskOf(X87, SSE, AVX, PKRU);

function used(state: ProcessorState): void {
  state.x87 = { ...X87_INIT, registers: new Uint8Array(80).fill(0x44), ftw: 0xff };
  state.inUse |= 1;
  fill(state, SSE, 0x33);
  fill(state, PKRU, 0x22);
  state.components[PKRU].fill(0, 4);
}

function save(name: 'XSAVE' | 'XSAVEOPT' | 'XSAVEC' | 'XSAVES', options: Partial<RunOptions> = {}): Ran {
  return run({
    cpu: 'skylake-x',
    code: CODE[name],
    cpl: 0,
    registers: { rax: BigInt(RFBM) },
    memory: [filled(AREA, 0x1000, PATTERN)],
    state: used,
    ...options,
  });
}

/** Runs of bytes that are no longer the pattern, as `from-to`. */
function written(ran: Ran): string {
  const bytes = ran.read(AREA, 0x1000);
  const runs: string[] = [];
  for (let at = 0; at < bytes.length; at++) {
    if (bytes[at] === PATTERN) continue;
    const start = at;
    while (at < bytes.length && bytes[at] !== PATTERN) at++;
    runs.push(`${start}-${at - 1}`);
  }
  return runs.join(' ');
}

describe('bytes written', () => {
  it('XSAVE writes every component of RFBM, those in their initial configuration too; of the header XSTATE_BV', () => {
    // XSTATE_BV keeps bits outside RFBM: only its first two bytes change here.
    expect(written(save('XSAVE'))).toBe('0-415 512-513 576-831 2688-2695');
    expect(headerOf(save('XSAVE'))).toEqual({ xstateBv: 0xa5a5_a5a5_a5a5_a7a3n, xcompBv: 0xa5a5_a5a5_a5a5_a5a5n });
  });

  it('XSAVEOPT leaves out what is not in use', () => {
    const ran = save('XSAVEOPT');
    expect(written(ran)).toBe('0-415 512-513 2688-2695');
    expect(headerOf(ran).xstateBv).toBe(0xa5a5_a5a5_a5a5_a7a3n);
  });

  it.each(['XSAVEC', 'XSAVES'] as const)(
    '%s packs what RFBM names, leaves out what is not in use, writes XCOMP_BV',
    (name) => {
      const ran = save(name);
      expect(headerOf(ran)).toEqual({
        xstateBv: BigInt(maskOf(X87, SSE, PKRU)),
        xcompBv: COMPACTED | BigInt(RFBM),
      });
      // MXCSR goes with SSE; PKRU comes behind the place of AVX.
      expect(written(ran)).toBe('0-415 512-527 832-839');
    },
  );

  it('RFBM = 0 writes a header and nothing else', () => {
    const nothing = { registers: { rax: 0n } };
    expect(headerOf(save('XSAVE', nothing)).xstateBv).toBe(0xa5a5_a5a5_a5a5_a5a5n);
    expect(written(save('XSAVE', nothing))).toBe('');
    expect(headerOf(save('XSAVEC', nothing))).toEqual({ xstateBv: 0n, xcompBv: COMPACTED });
  });

  it('x87: slots end in six zeros, byte 5 is zero', () => {
    const ran = save('XSAVE', { registers: { rax: 1n } });
    expect(toHex(ran.read(AREA, 24))).toBe('7f030000ff00' + '00'.repeat(18));
    expect(toHex(ran.read(AREA + 32n, 16))).toBe('44'.repeat(10) + '00'.repeat(6));
    expect(toHex(ran.read(AREA + 24n, 8))).toBe('a5'.repeat(8));
  });

  it('each write is an event, and the header the last', () => {
    const ran = save('XSAVEC');
    expect(eventTypes(ran)).toEqual([
      'memory-written',
      'memory-written',
      'memory-written',
      'memory-written',
      'memory-written',
      'memory-written',
    ]);
    expect(ran.events.at(-2)).toMatchObject({ type: 'memory-written', address: AREA + 512n });
  });
});

describe('RFBM', () => {
  it('is EDX:EAX and XCR0, for XSAVES and IA32_XSS', () => {
    const control = { xcr0: maskOf(X87, SSE), xss: 0 };
    expect(headerOf(save('XSAVEC', { control })).xcompBv).toBe(COMPACTED | 3n);
    expect(
      headerOf(save('XSAVES', { control, cpu: 'sapphire-rapids', registers: { rax: 0xffff_ffffn } })).xcompBv,
    ).toBe(COMPACTED | 3n);
  });

  it('a component that XCR0 does not enable keeps its bytes and its bit of XSTATE_BV', () => {
    const ran = save('XSAVE', { control: { xcr0: 1 } });
    expect(written(ran)).toBe('0-23 32-159');
    expect(headerOf(ran).xstateBv & 0xffn).toBe(0xa5n);
  });
});

describe('MXCSR and MXCSR_MASK', () => {
  const place = (ran: Ran): string => toHex(ran.read(AREA + 24n, 8));
  const rfbm = (...bits: readonly number[]): Partial<RunOptions> => ({ registers: { rax: BigInt(maskOf(...bits)) } });
  const KEPT = 'a5'.repeat(8);
  const STORED = '801f0000ffff0000';

  it.each(['XSAVE', 'XSAVEOPT'] as const)('%s writes them with SSE or AVX in RFBM, in use or not', (name) => {
    const idle = { state: undefined };
    expect(place(save(name, { ...rfbm(SSE), ...idle }))).toBe(STORED);
    expect(place(save(name, { ...rfbm(AVX), ...idle }))).toBe(STORED);
    expect(place(save(name, { ...rfbm(X87, PKRU), ...idle }))).toBe(KEPT);
  });

  it.each(['XSAVEC', 'XSAVES'] as const)('%s writes them with SSE only, when it stores SSE', (name) => {
    expect(place(save(name, rfbm(SSE)))).toBe(STORED);
    expect(place(save(name, { ...rfbm(SSE), state: undefined }))).toBe(KEPT);
    expect(place(save(name, { ...rfbm(AVX), state: (state) => fill(state, AVX, 1) }))).toBe(KEPT);
  });

  it.each(['XSAVEC', 'XSAVES'] as const)('%s stores all of SSE for MXCSR alone', (name) => {
    const state: RunOptions['state'] = (start) => {
      start.mxcsr = 0x1fa0;
    };
    const ran = save(name, { state });
    expect(written(ran)).toBe('24-31 160-415 512-527');
    expect(headerOf(ran).xstateBv).toBe(2n);
  });
});

describe('what was saved comes back', () => {
  it.each([
    ['XSAVE', 'XRSTOR'],
    ['XSAVEC', 'XRSTOR'],
    ['XSAVES', 'XRSTORS'],
  ] as const)('%s and %s', (name, back) => {
    const state: RunOptions['state'] = (start) => {
      for (const bit of [AVX, ZMM_HI256, HI16_ZMM]) fill(start, bit, bit);
      used(start);
    };
    const all = { registers: { rax: 0xffff_ffffn }, memory: [filled(AREA, 0x1000, 0)], state };
    const saved = save(name, all);
    const clobbered = run({ after: saved, code: CODE.VZEROALL + CODE.FNINIT + CODE.ONES_ZMM16 + CODE.ONES_K1 });
    const ran = run({ after: clobbered, code: movEax(-1) + CODE[back] });
    expect(ran.fault).toBeUndefined();
    expect(ran.state.components).toEqual(saved.state.components);
    expect(ran.state.x87).toEqual(saved.state.x87);
  });
});

describe('outside 64-bit mode', () => {
  it('bytes of XMM8-15, YMM8-15, ZMM8-15 and all of ZMM16-31 are left alone', () => {
    const state: RunOptions['state'] = (start) => {
      for (const bit of [SSE, AVX, ZMM_HI256, HI16_ZMM]) fill(start, bit, 0x33);
    };
    const registers = { rax: BigInt(maskOf(SSE, AVX, ZMM_HI256, HI16_ZMM)) };
    const ran = save('XSAVE', { mode: 32, state, registers });
    expect(written(ran)).toBe('24-31 160-287 512-512 576-703 1152-1407');
    expect(headerOf(ran).xstateBv & 0xffn).toBe(0x67n); // bit 7: in its initial configuration there
  });
});

it('alignment to 64 bytes, with RFBM = 0 too, and no more than that', () => {
  const at = (rdi: bigint): Ran => save('XSAVE', { registers: { rdi, rax: 0n } });
  expect([at(AREA + 32n).reason, at(AREA + 64n).reason]).toEqual(['misaligned', undefined]);
});
