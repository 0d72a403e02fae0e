/**
 * #PF in the middle of an XSAVE area. What has been transferred by then is the processor's business: Intel SDM Vol. 1
 * "Memory Accesses by the XSAVE Feature Set" (13.13); each model declares it (`pageFault`).
 */
import { AVX, OPMASK, SSE, TILEDATA, X87, X87_INIT, ZMM_HI256, type ProcessorChoices } from '@fpulab/core';
import { CODE } from '../../support/machine-code';
import {
  AREA,
  OPERAND,
  behaving,
  eventTypes,
  fill,
  filled,
  header,
  maskOf,
  quad,
  run,
  type Ran,
  type RunOptions,
} from '../../support/processor';

/** An area of which the first 1024 bytes are on a page that is there. */
const SPLIT = AREA + 0xc00n;
const NEXT_PAGE = AREA + 0x1000n;
/** An area of which the legacy region is on a page that is not there, and header and extended region are. */
const HEADER_ONLY = AREA - 512n;
const RFBM = maskOf(X87, SSE, AVX, OPMASK, ZMM_HI256);

/** Registers full of 33H; memory full of A5H, with a header that loads all of RFBM. */
function split(code: string, options: Partial<RunOptions> = {}): Ran {
  return run({
    code,
    registers: { rdi: SPLIT, rax: BigInt(RFBM) },
    memory: [filled(AREA, 0x1000, 0xa5)],
    bytes: [
      [SPLIT + 24n, quad(0xffff_0000_1f80n)],
      [SPLIT + 512n, quad(BigInt(RFBM))],
      [SPLIT + 520n, new Uint8Array(16)],
    ],
    state: (state) => {
      for (const bit of [SSE, AVX, OPMASK, ZMM_HI256]) fill(state, bit, 0x33);
    },
    ...options,
  });
}

const choosing = (mask: number, asked: number[] = []): ProcessorChoices => ({
  transferredBeforeFault(candidates) {
    asked.push(candidates);
    return mask;
  },
});
const values = ({ state }: Ran): number[] => [SSE, AVX, OPMASK, ZMM_HI256].map((bit) => state.components[bit][0]);

describe('error code and address', () => {
  it.each([
    [3, 'XRSTOR', 4],
    [0, 'XRSTOR', 0],
    [3, 'XSAVE', 6],
    [0, 'XSAVE', 2],
    [3, 'XSAVEOPT', 6],
    [3, 'XSAVEC', 6],
    [3, 'FXSAVE', 6],
    [3, 'FXRSTOR', 4],
  ] as const)('CPL %i, %s of a page that is not there: %i', (cpl, name, errorCode) => {
    const ran = run({ code: CODE[name], cpl, memory: [] });
    expect(ran).toMatchObject({ fault: '#PF', reason: 'page-not-present', errorCode, faultAddress: expect.anything() });
  });

  it('a page that is there and read-only: 7 for a save, nothing for a restore', () => {
    const memory = [{ base: AREA, bytes: new Uint8Array(0x4000), writable: false }];
    expect(run({ code: CODE.XSAVE, memory })).toMatchObject({ fault: '#PF', reason: 'page-read-only', errorCode: 7 });
    expect(run({ code: CODE.XRSTOR, memory }).fault).toBeUndefined();
  });
});

describe('a processor that looks before it moves (before-transfer)', () => {
  it.each(['XSAVE', 'XSAVEOPT', 'XRSTOR'] as const)(
    '%s transfers nothing; CR2 is the last byte of the area',
    (name) => {
      const ran = split(CODE[name], { cpu: 'zen4' });
      expect([ran.fault, ran.faultAddress]).toEqual(['#PF', SPLIT + 1407n]);
      expect(eventTypes(ran)).toEqual(['fault-raised']);
    },
  );

  it('RFBM decides how long the area is', () => {
    const fits = { cpu: 'zen4', registers: { rdi: SPLIT, rax: BigInt(maskOf(X87, SSE, AVX)) } };
    expect(split(CODE.XSAVE, fits).fault).toBeUndefined();
    expect(split(CODE.XRSTOR, fits).fault).toBeUndefined();
  });

  it('components that the init optimisation leaves out count, as long as RFBM has them', () => {
    const ran = split(CODE.XSAVEOPT, { cpu: 'zen4', state: undefined });
    expect(ran.faultAddress).toBe(SPLIT + 1407n);
  });

  it('the first byte is looked at first', () => {
    const ran = split(CODE.XRSTOR, { cpu: 'zen4', registers: { rdi: HEADER_ONLY, rax: BigInt(RFBM) } });
    expect([ran.fault, ran.faultAddress]).toEqual(['#PF', HEADER_ONLY]);
  });

  it('a page in the middle that is missing is found as well', () => {
    const memory = [filled(AREA, 0x1000, 0), filled(AREA + 0x2000n, 0x1000, 0)];
    const cpu = behaving('sapphire-rapids', { pageFault: 'before-transfer' });
    const bytes = [header(1n << BigInt(TILEDATA))];
    const ran = run({ cpu, code: CODE.XRSTOR, memory, bytes });
    expect([ran.fault, ran.faultAddress]).toEqual(['#PF', NEXT_PAGE]);
    expect(eventTypes(ran)).toEqual(['fault-raised']);
  });

  it('FXSAVE writes nothing; the last byte is looked at first', () => {
    const ran = run({ cpu: 'zen4', code: CODE.FXSAVE, registers: { rdi: AREA - 256n } });
    expect([ran.faultAddress, ran.events.length]).toEqual([AREA - 256n, 1]);
    const end = run({ cpu: 'zen4', code: CODE.FXSAVE, registers: { rdi: OPERAND + 0xf00n } });
    expect([end.faultAddress, end.events.length]).toEqual([OPERAND + 0x10ffn, 1]);
  });
});

describe('a processor that goes in order (in-order)', () => {
  it('XSAVE has stored what comes before the missing page, byte by byte; the header it has not touched', () => {
    const area = NEXT_PAGE - 768n; // the page ends within AVX
    const bytes = [[area + 512n, new Uint8Array(64)]] as const;
    const registers = { rdi: area, rax: BigInt(RFBM) };
    const ran = split(CODE.XSAVE, { cpu: 'qemu-max', registers, bytes });
    expect([ran.fault, ran.faultAddress, ran.errorCode]).toEqual(['#PF', NEXT_PAGE, 6]);
    expect(new Set(ran.read(area + 160n, 256))).toEqual(new Set([0x33]));
    expect(ran.read(area + 512n, 64)).toEqual(new Uint8Array(64));
    expect(new Set(ran.read(area + 576n, 192))).toEqual(new Set([0x33]));
  });

  it('XSAVE of Bochs looks at the header, then at the last byte of the area, and has stored nothing', () => {
    const ran = split(CODE.XSAVE, { cpu: 'bochs-sapphire-rapids' });
    expect([ran.fault, ran.faultAddress, ran.errorCode]).toEqual(['#PF', SPLIT + 1663n, 6]);
    expect(eventTypes(ran)).toEqual(['fault-raised']);
    const header = split(CODE.XSAVE, { cpu: 'bochs-sapphire-rapids', memory: [], bytes: [] });
    expect([header.faultAddress, header.errorCode]).toEqual([SPLIT + 512n, 4]);
  });

  it('XSAVEC looks at the last byte of the area behind the legacy region, before it stores more', () => {
    const ran = split(CODE.XSAVEC, { cpu: 'bochs-sapphire-rapids' });
    expect([ran.fault, ran.faultAddress, ran.errorCode]).toEqual(['#PF', SPLIT + 1407n, 6]);
    expect(new Set(ran.read(SPLIT + 160n, 256))).toEqual(new Set([0x33]));
    expect(ran.read(SPLIT + 520n, 8)).toEqual(new Uint8Array(8));
    expect(new Set(ran.read(SPLIT + 576n, 448))).toEqual(new Set([0xa5]));
  });

  it('XRSTOR has loaded the components before the missing page, and neither MXCSR nor what was to be initialised', () => {
    const state: RunOptions['state'] = (start) => {
      for (const bit of [SSE, AVX, OPMASK, ZMM_HI256]) fill(start, bit, 0x33);
      start.mxcsr = 0x1fa0;
    };
    const ran = split(CODE.XRSTOR, { cpu: 'bochs-sapphire-rapids', state });
    expect([ran.fault, ran.faultAddress]).toEqual(['#PF', SPLIT + 1088n]);
    expect(values(ran)).toEqual([0xa5, 0xa5, 0x33, 0x33]);
    expect(ran.state.mxcsr).toBe(0x1fa0);
  });

  it('XRSTOR whose legacy region is missing has loaded nothing', () => {
    const registers = { rdi: HEADER_ONLY, rax: BigInt(RFBM) };
    const bytes = [[AREA, quad(BigInt(RFBM))] as const, [AREA + 8n, new Uint8Array(16)] as const];
    const ran = split(CODE.XRSTOR, { cpu: 'bochs-sapphire-rapids', registers, bytes });
    expect([ran.fault, ran.faultAddress]).toEqual(['#PF', HEADER_ONLY]);
    expect(values(ran)).toEqual([0x33, 0x33, 0x33, 0x33]);
  });

  it('FXSAVE stores what is on the first page', () => {
    const ran = run({ cpu: 'bochs-ryzen', code: CODE.FXSAVE, registers: { rdi: OPERAND + 0xfe0n } });
    expect([ran.fault, ran.faultAddress]).toEqual(['#PF', OPERAND + 0x1000n]);
    expect([...ran.read(OPERAND + 0xfe0n, 2)]).toEqual([0x7f, 0x03]);
  });
});

describe('a processor that may have moved any part (any-part)', () => {
  it('CR2 is the first byte of the missing page', () => {
    expect(split(CODE.XRSTOR).faultAddress).toBe(NEXT_PAGE);
    expect(split(CODE.XSAVE).faultAddress).toBe(NEXT_PAGE);
  });

  it('without a choice nothing moves', () => {
    expect(eventTypes(split(CODE.XRSTOR))).toEqual(['fault-raised']);
    expect(eventTypes(split(CODE.XSAVE))).toEqual(['fault-raised']);
  });

  it('the choice is among components that lie on pages that are there', () => {
    const asked: number[] = [];
    split(CODE.XRSTOR, { choices: choosing(0, asked) });
    split(CODE.XSAVE, { choices: choosing(0, asked) });
    expect(asked).toEqual([maskOf(X87, SSE, AVX), maskOf(X87, SSE, AVX)]);
  });

  it('the choice is among components that are transferred at all', () => {
    const asked: number[] = [];
    const bytes = [
      [SPLIT + 512n, quad(BigInt(maskOf(AVX, ZMM_HI256)))],
      [SPLIT + 520n, new Uint8Array(16)],
    ] as const;
    split(CODE.XRSTOR, { bytes: [[SPLIT + 24n, quad(0x1f80n)], ...bytes], choices: choosing(0, asked) });
    split(CODE.XSAVEC, { choices: choosing(0, asked), state: (state) => fill(state, AVX, 0x33) });
    expect(asked).toEqual([maskOf(AVX), maskOf(AVX)]);
  });

  it('XRSTOR has loaded the chosen components and no other; MXCSR and what was to be initialised stay', () => {
    const ran = split(CODE.XRSTOR, { choices: choosing(maskOf(AVX)) });
    expect(ran.fault).toBe('#PF');
    expect(values(ran)).toEqual([0x33, 0xa5, 0x33, 0x33]);
    expect(ran.state.x87).toBe(X87_INIT);
    expect(eventTypes(ran)).toEqual(['component-loaded', 'fault-raised']);
  });

  it('XRSTOR may have loaded x87 and SSE', () => {
    const ran = split(CODE.XRSTOR, { choices: choosing(maskOf(X87, SSE)) });
    expect(values(ran)).toEqual([0xa5, 0x33, 0x33, 0x33]);
    expect(ran.state.x87.fcw).toBe(0x0565);
    expect(ran.state.mxcsr).toBe(0x1f80);
  });

  it('a choice cannot name components that are not there', () => {
    const ran = split(CODE.XRSTOR, { choices: choosing(-1) });
    expect(values(ran)).toEqual([0xa5, 0xa5, 0x33, 0x33]);
  });

  it('XRSTOR leaves what the modified optimisation remembers, less what it has loaded', () => {
    const first = run({ code: CODE.XRSTOR, registers: { rax: BigInt(maskOf(X87, SSE, AVX)) } });
    const before = first.state.tracking;
    expect(before?.unmodified).toBe(maskOf(X87, SSE, AVX));
    const ran = split(CODE.XRSTOR, {
      choices: choosing(maskOf(AVX)),
      state: (state) => Object.assign(state, { tracking: before }),
    });
    expect(ran.state.tracking).toEqual({ ...before, unmodified: maskOf(X87, SSE) });
  });

  it('XSAVE has stored the chosen components; the header is untouched', () => {
    const ran = split(CODE.XSAVE, { choices: choosing(maskOf(AVX)), bytes: [] });
    expect(new Set(ran.read(SPLIT + 576n, 256))).toEqual(new Set([0x33]));
    expect(new Set(ran.read(SPLIT, 576))).toEqual(new Set([0xa5]));
    expect(eventTypes(ran)).toEqual(['memory-written', 'fault-raised']);
  });

  it('XSAVE stores MXCSR with SSE', () => {
    const ran = split(CODE.XSAVE, { choices: choosing(maskOf(SSE)), bytes: [] });
    expect([...ran.read(SPLIT + 24n, 8)]).toEqual([0x80, 0x1f, 0, 0, 0xff, 0xff, 0, 0]);
    expect(new Set(ran.read(SPLIT + 160n, 256))).toEqual(new Set([0x33]));
    expect(new Set(ran.read(SPLIT + 512n, 64))).toEqual(new Set([0xa5]));
  });

  it('XSAVEOPT stores of the chosen components those that are in use', () => {
    const ran = split(CODE.XSAVEOPT, {
      choices: choosing(maskOf(X87, SSE, AVX)),
      bytes: [],
      state: (state) => fill(state, AVX, 0x33),
    });
    expect(new Set(ran.read(SPLIT, 576))).toEqual(new Set([0xa5]));
    expect(new Set(ran.read(SPLIT + 576n, 256))).toEqual(new Set([0x33]));
  });

  it('the header is needed first: XRSTOR of an area without it asks nobody', () => {
    const asked: number[] = [];
    const ran = split(CODE.XRSTOR, { registers: { rdi: NEXT_PAGE - 512n }, bytes: [], choices: choosing(-1, asked) });
    expect([ran.fault, ran.faultAddress, asked]).toEqual(['#PF', NEXT_PAGE, []]);
  });

  it('XRSTOR reads the header before it misses the legacy region', () => {
    const ran = split(CODE.XRSTOR, {
      registers: { rdi: HEADER_ONLY, rax: BigInt(RFBM) },
      bytes: [
        [AREA, quad(BigInt(maskOf(AVX)))],
        [AREA + 8n, new Uint8Array(16)],
      ],
      choices: choosing(maskOf(AVX)),
    });
    expect([ran.fault, ran.faultAddress]).toEqual(['#PF', HEADER_ONLY]);
    expect(values(ran)).toEqual([0x33, 0xa5, 0x33, 0x33]);
  });
});

describe('the end of the address space', () => {
  it('an area that runs into addresses that are not canonical is #GP(0), not #PF', () => {
    const memory = [filled(0x7fff_ffff_f000n, 0x1000, 0)];
    const ran = run({ code: CODE.XSAVE, registers: { rdi: 0x7fff_ffff_fc00n }, memory });
    expect([ran.fault, ran.errorCode, ran.faultAddress]).toEqual(['#GP', 0, undefined]);
  });

  it('an area at its very end goes on at zero', () => {
    const memory = [filled(0xffff_ffff_ffff_f000n, 0x1000, 0)];
    const ran = run({ code: CODE.XSAVE, registers: { rdi: 0xffff_ffff_ffff_ffc0n }, memory });
    expect([ran.fault, ran.faultAddress]).toEqual(['#PF', 0n]);
  });
});

describe('MASKMOVQ and MASKMOVDQU', () => {
  const [MASKMOVQ, MASKMOVDQU] = ['0ff7c1', '660ff7c1'];

  it.each([
    ['MASKMOVQ', MASKMOVQ],
    ['MASKMOVDQU', MASKMOVDQU],
  ])('%s to a missing page is #PF of [RDI], though its mask is zero; registers are as before', (_, code) => {
    const ran = run({ cpu: 'zen4-guest', code, memory: [] });
    expect([ran.fault, ran.errorCode, ran.faultAddress]).toEqual(['#PF', 6, AREA]);
    expect(eventTypes(ran)).toEqual(['fault-raised']);
  });

  it('reach 8 bytes and 16', () => {
    const at = (code: string, rdi: bigint): bigint | undefined =>
      run({ code, registers: { rdi }, memory: [filled(AREA, 0x1000, 0)] }).faultAddress;
    expect([at(MASKMOVQ, NEXT_PAGE - 8n), at(MASKMOVQ, NEXT_PAGE - 7n)]).toEqual([undefined, NEXT_PAGE]);
    expect([at(MASKMOVDQU, NEXT_PAGE - 16n), at(MASKMOVDQU, NEXT_PAGE - 15n)]).toEqual([undefined, NEXT_PAGE]);
  });
});
