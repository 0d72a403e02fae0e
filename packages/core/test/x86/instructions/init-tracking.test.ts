/** XINUSE, by the three flavours of tracking: Intel SDM Vol. 1 "Processor Tracking of XSAVE-Managed State" (13.6). */
import { AVX, HI16_ZMM, OPMASK, PKRU, SSE, TILECFG, TILEDATA, X87, X87_INIT, ZMM_HI256, isInitial } from '@fpulab/core';
import { CODE, movEax } from '../../support/machine-code';
import {
  AREA,
  OPERAND,
  behaving,
  fill,
  header,
  headerOf,
  maskOf,
  run,
  type Ran,
  type RunOptions,
} from '../../support/processor';

const VECTORS = maskOf(SSE, AVX, ZMM_HI256, HI16_ZMM);
const MXCSR = [AREA + 24n, Uint8Array.of(0x80, 0x1f)] as const;
/** XGETBV with ECX = 1. */
const XINUSE = `b901000000${CODE.XGETBV}`;
const xinuse = (options: RunOptions): number => {
  const ran = run({ ...options, code: options.code + XINUSE });
  expect([ran.fault, ran.state.registers[2]]).toEqual([undefined, 0n]);
  return Number(ran.state.registers[0]);
};

const loadedZeros = { code: CODE.XRSTOR, bytes: [header(BigInt(VECTORS | 1)), MXCSR] };
const useAll: RunOptions['state'] = (state) => {
  for (const bit of [SSE, AVX, OPMASK, ZMM_HI256, HI16_ZMM, PKRU, TILECFG, TILEDATA]) fill(state, bit, 0x11);
  state.x87 = { ...X87_INIT, fcw: 0x27f };
  state.inUse |= 1;
};

describe('a processor that tracks loads (Intel)', () => {
  it('after boot nothing is in use', () => {
    expect(xinuse({ code: '' })).toBe(0);
  });

  it('components that XRSTOR loaded are in use, also when it loaded their initial values', () => {
    expect(xinuse(loadedZeros)).toBe(VECTORS | 1);
    const { state } = run(loadedZeros);
    expect(isInitial(AVX, state.components[AVX])).toBe(true);
  });

  it('components that XRSTOR initialised are not', () => {
    expect(xinuse({ code: CODE.XRSTOR, bytes: [header(0n), MXCSR], state: useAll })).toBe(0);
  });

  it('components outside RFBM keep what they were', () => {
    const code = movEax(maskOf(SSE)) + CODE.XRSTOR;
    expect(xinuse({ code, bytes: [header(0n), MXCSR], state: (state) => fill(state, AVX, 1) })).toBe(1 << AVX);
  });

  it('a register that becomes zero stays in use', () => {
    expect(xinuse({ code: CODE.ONES_YMM0 + CODE.ZERO_YMM0 })).toBe(maskOf(SSE, AVX));
    expect(xinuse({ code: CODE.ONES_K1 + 'c4e1f447c9' })).toBe(1 << OPMASK); // kxorq k1, k1, k1
  });

  it('what VEX and EVEX clear above their operand stays what it was', () => {
    expect(xinuse({ code: CODE.ONES_YMM0 })).toBe(maskOf(SSE, AVX));
    expect(xinuse({ code: CODE.ONES_ZMM0 + CODE.ONES_YMM0 })).toBe(maskOf(SSE, AVX, ZMM_HI256));
  });

  it('FNINIT does not return x87 to its initial configuration', () => {
    expect(xinuse({ code: CODE.FLDZ + CODE.FNINIT })).toBe(1 << X87);
  });

  it('VZEROUPPER returns AVX and ZMM_Hi256, VZEROALL SSE too; neither ZMM16-31', () => {
    const used = VECTORS | maskOf(X87, OPMASK, PKRU, TILECFG, TILEDATA);
    expect(xinuse({ code: CODE.VZEROUPPER, state: useAll })).toBe(used & ~maskOf(AVX, ZMM_HI256));
    expect(xinuse({ code: CODE.VZEROALL, state: useAll })).toBe(used & ~maskOf(SSE, AVX, ZMM_HI256));
  });

  it('TILERELEASE returns TILECFG and TILEDATA', () => {
    expect(xinuse({ code: CODE.TILERELEASE, state: useAll }) & maskOf(TILECFG, TILEDATA)).toBe(0);
  });

  it('WRPKRU of zero leaves PKRU in use', () => {
    expect(xinuse({ code: '31c031c931d20f01ef', control: { cr4: 0x440620 } })).toBe(1 << PKRU);
  });

  it('reading a register does not make it used', () => {
    expect(xinuse({ code: '0f28c8' })).toBe(1 << SSE); // movaps xmm1, xmm0 writes XMM1
    expect(xinuse({ code: '0f1106' })).toBe(0); // movups [rsi], xmm0
  });
});

describe('a processor that looks at what XRSTOR loads, and at what instructions write only if that can be zero alone (AMD)', () => {
  const amd = { cpu: 'zen4-guest' };
  const after = (code: string, options: Partial<RunOptions> = {}): number => xinuse({ ...amd, code, ...options });
  const FSTP_ST0 = 'ddd8';

  it('zeros loaded by XRSTOR do not count', () => {
    expect(xinuse({ ...amd, ...loadedZeros, code: movEax(VECTORS) + CODE.XRSTOR })).toBe(0);
  });

  it('a register that becomes zero again does not count', () => {
    expect(after(CODE.ONES_YMM0)).toBe(maskOf(SSE, AVX));
    expect(after(CODE.ONES_YMM0 + CODE.ZERO_YMM0)).toBe(0);
  });

  it('an x87 register that FLDZ wrote counts, popped and empty', () => {
    expect(after(CODE.FLDZ + FSTP_ST0)).toBe(1 << X87);
  });

  it.each([
    ['FNINIT', CODE.FNINIT],
    ['FNSAVE', CODE.FNSAVE],
    ['FNCLEX', CODE.FNCLEX],
    ['FLDENV', CODE.FNSTENV + CODE.FLDENV],
  ])('until %s, after which its value decides again', (_, code) => {
    expect(after(CODE.FLDZ + FSTP_ST0 + code)).toBe(0);
    expect(after(CODE.FLD1 + FSTP_ST0 + code)).toBe(1 << X87);
  });

  it.each([
    ['EMMS', CODE.EMMS],
    ['FLDCW', CODE.FNSTCW + CODE.FLDCW],
    ['FWAIT', CODE.FWAIT],
    ['FNOP', CODE.FNOP],
    ['FNSTCW', CODE.FNSTCW],
    ['FNSTENV', CODE.FNSTENV],
    ['FFREE', CODE.FFREE_ST1],
  ])('%s changes nothing about it', (_, code) => {
    expect(after(CODE.FLDZ + FSTP_ST0 + code)).toBe(1 << X87);
    expect(after(code)).toBe(0);
  });

  it.each([
    ['movaps xmm0, xmm1', '0f28c1', maskOf(SSE)],
    ['kmovq k1, rax', 'c4e1fb92c8', maskOf(OPMASK)],
    ['vmovdqa32 zmm16, zmm16', '62a17d486fc0', maskOf(HI16_ZMM)],
    ['vmovups ymm15, [rsi]', 'c57c103e', maskOf(SSE, AVX)],
    ['vmovups zmm15, [rsi]', '62717c48103e', maskOf(SSE, AVX, ZMM_HI256)],
  ])('%s of zeros puts what it writes in use', (_, code, expected) => {
    expect(after(code, { registers: { rax: 0n } })).toBe(expected);
  });

  it.each([
    ['vmovaps ymm0, ymm1', 'c5fc28c1'],
    ['vmovaps zmm0, zmm1', '62f17c4828c1'],
  ])('%s of zeros puts the low part in use: the upper one is copied with its mark', (_, code) => {
    expect(after(code)).toBe(maskOf(SSE));
  });

  it.each([
    ['xorps', '0f57c9'],
    ['pxor', '660fefc9'],
    ['pandn', '660fdfc9'],
    ['psubd', '660ffac9'],
    ['pcmpgtd', '660f66c9'],
    ['kxorq', 'c4e1f447c9'],
  ])('%s of a register with itself can give zero only: it does not', (_, code) => {
    expect(after(code)).toBe(0);
  });

  it('while ZMM_Hi256 is in use an SSE write to XMM puts AVX in use as well, even XORPS of a register with itself', () => {
    const state: RunOptions['state'] = (start) => fill(start, ZMM_HI256, 1);
    expect(after('', { state })).toBe(maskOf(ZMM_HI256));
    expect(after('0f57c0', { state })).toBe(maskOf(AVX, ZMM_HI256));
  });

  it('pointers count only where they are stored', () => {
    expect(xinuse({ cpu: 'zen2', code: CODE.FNOP })).toBe(0);
    const stores = behaving('zen2', { pointersSaved: 'always' });
    expect(xinuse({ cpu: stores, code: CODE.FNOP })).toBe(1 << X87);
  });
});

describe('a processor that looks at values alone (Bochs)', () => {
  it('does not ask how they came about', () => {
    const cpu = 'bochs-sapphire-rapids';
    expect(xinuse({ cpu, code: `${CODE.FLDZ}ddd8${CODE.FNINIT}0f28c1` })).toBe(0);
    expect(xinuse({ cpu, code: CODE.ONES_XMM0 })).toBe(1 << SSE);
  });
});

describe('MXCSR', () => {
  const odd: RunOptions['state'] = (state) => {
    state.mxcsr = 0x1fa0;
  };
  const save = (code: string, options: Partial<RunOptions> = {}): Ran => run({ code, state: odd, ...options });

  it('is not part of XINUSE[1]: XSAVE and XSAVEOPT do not mark SSE for it', () => {
    expect(headerOf(save(CODE.XSAVE)).xstateBv).toBe(0n);
    expect(headerOf(save(CODE.XSAVEOPT)).xstateBv).toBe(0n);
  });

  it('but XGETBV(1), XSAVEC and XSAVES do', () => {
    expect(xinuse({ code: '', state: odd })).toBe(1 << SSE);
    expect(headerOf(save(CODE.XSAVEC)).xstateBv).toBe(2n);
    expect(headerOf(save(CODE.XSAVES, { cpl: 0 })).xstateBv).toBe(2n);
  });

  it('some emulators mark it for XSAVE too', () => {
    expect(headerOf(save(CODE.XSAVE, { cpu: 'bochs-ryzen' })).xstateBv).toBe(2n);
  });
});

describe('outside 64-bit mode', () => {
  const high: RunOptions['state'] = (state) => {
    for (const bit of [SSE, AVX, ZMM_HI256]) {
      fill(state, bit, 0);
      state.components[bit].fill(0x11, state.components[bit].length / 2);
    }
    fill(state, HI16_ZMM, 0x11);
  };

  it('only the registers that code can name count, and Hi16_ZMM never does', () => {
    expect(xinuse({ code: '', mode: 32, state: high })).toBe(0);
    expect(xinuse({ code: '', mode: 64, state: high })).toBe(VECTORS);
  });

  it('on AMD all of them count', () => {
    expect(xinuse({ cpu: 'zen4', code: '', mode: 32, state: high })).toBe(VECTORS);
  });

  it('a low register counts', () => {
    const low: RunOptions['state'] = (state) => {
      fill(state, AVX, 0);
      state.components[AVX][0] = 1;
    };
    expect(xinuse({ code: '', mode: 32, state: low })).toBe(1 << AVX);
  });

  it('VZEROALL clears registers 0 to 7 only; in 64-bit mode the rest is still there, and in use', () => {
    const cleared = run({ code: CODE.VZEROALL, mode: 32, state: useAll });
    const sse = cleared.state.components[SSE];
    expect([sse[0], sse[127], sse[128], sse[255]]).toEqual([0, 0, 0x11, 0x11]);
    expect(cleared.cpu.inUse() & maskOf(SSE, AVX, ZMM_HI256)).toBe(0);
    const back = run({ after: cleared, code: '', mode: 64 });
    expect(back.cpu.inUse() & maskOf(SSE, AVX, ZMM_HI256)).toBe(maskOf(SSE, AVX, ZMM_HI256));
  });

  it('XRSTOR of the initial configuration leaves registers 8 to 15, and 64-bit mode sees them in use', () => {
    const start: RunOptions['state'] = (state) => fill(state, SSE, 0x33);
    const options = { mode: 32, registers: { rax: 2n }, bytes: [header(0n), MXCSR], state: start } as const;
    const restored = run({ ...options, code: CODE.XRSTOR });
    const saved = run({ after: restored, code: CODE.XSAVEOPT_RSI, mode: 64 });
    expect(saved.read(OPERAND + 512n, 1)[0]).toBe(2);
    expect([saved.read(OPERAND + 160n, 1)[0], saved.read(OPERAND + 288n, 1)[0]]).toEqual([0, 0x33]);
  });
});
