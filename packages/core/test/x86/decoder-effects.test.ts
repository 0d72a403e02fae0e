import { decode } from '../../src/x86/decoder';
import { bytesOf } from './decoder-code';

const X87 = 1 << 0;
const SSE = 1 << 1;
const AVX = 1 << 2;
const OPMASK = 1 << 5;
const ZMM_HI256 = 1 << 6;
const HI16_ZMM = 1 << 7;
const PKRU = 1 << 9;
const TILECFG = 1 << 17;
const TILEDATA = 1 << 18;
const VECTORS = SSE | AVX | ZMM_HI256;

describe('class, modified components and waiting', () => {
  it.each([
    ['90', 'NOP', 'none', 0, false],
    ['0faef8', 'SFENCE', 'none', 0, false],
    ['0fae3f', 'CLFLUSH', 'none', 0, false],
    ['0fc307', 'MOVNTI', 'none', 0, false],
    ['f20f38f1c1', 'CRC32', 'none', 0, false],
    ['c4e270f2c2', 'ANDN', 'none', 0, false],
    ['9b', 'FWAIT', 'wait', 0, true],
    ['d9e8', 'FLD1', 'x87', X87, true],
    ['d9d0', 'FNOP', 'x87', 0, true],
    ['d917', 'FST', 'x87', X87, true],
    ['d8d1', 'FCOM', 'x87', X87, true],
    ['d92f', 'FLDCW', 'x87', X87, true],
    ['dd27', 'FRSTOR', 'x87', X87, true],
    ['dd37', 'FNSAVE', 'x87', X87, false],
    ['d937', 'FNSTENV', 'x87', X87, false],
    ['dbe3', 'FNINIT', 'x87', X87, false],
    ['dbe2', 'FNCLEX', 'x87', X87, false],
    ['d93f', 'FNSTCW', 'x87', 0, false],
    ['dfe0', 'FNSTSW', 'x87', 0, false],
    ['dbe0', 'FNENI', 'none', 0, false],
    ['dbe4', 'FNSETPM', 'none', 0, false],
    ['0f77', 'EMMS', 'mmx', X87, true],
    ['0fefc0', 'PXOR', 'mmx', X87, true],
    ['0f7f07', 'MOVQ', 'mmx', X87, true],
    ['0f7ec0', 'MOVD', 'mmx', X87, true],
    ['0fe707', 'MOVNTQ', 'mmx', X87, true],
    ['0ff7c1', 'MASKMOVQ', 'mmx', X87, true],
    ['0fd7c1', 'PMOVMSKB', 'mmx', X87, true],
    ['0f3800c1', 'PSHUFB', 'mmx', X87, true],
    ['f30fd6c0', 'MOVQ2DQ', 'mmx-sse', X87 | SSE, true],
    ['f20fd6c0', 'MOVDQ2Q', 'mmx-sse', X87, true],
    ['0f2ac0', 'CVTPI2PS', 'mmx-sse', X87 | SSE, true],
    ['0f2a07', 'CVTPI2PS', 'mmx-sse', X87 | SSE, true],
    ['660f2ac0', 'CVTPI2PD', 'mmx-sse', X87 | SSE, true],
    ['660f2a07', 'CVTPI2PD', 'sse', SSE, false],
    ['0f2d07', 'CVTPS2PI', 'mmx-sse', X87, true],
    ['0f28c1', 'MOVAPS', 'sse', SSE, false],
    ['0f2907', 'MOVAPS', 'sse', 0, false],
    ['0f29c1', 'MOVAPS', 'sse', SSE, false],
    ['660f7ec0', 'MOVD', 'sse', 0, false],
    ['0f2ec1', 'UCOMISS', 'sse', 0, false],
    ['660f3817c1', 'PTEST', 'sse', 0, false],
    ['660f3a62c100', 'PCMPISTRM', 'sse', SSE, false],
    ['660ff7c1', 'MASKMOVDQU', 'sse', 0, false],
    ['0fae17', 'LDMXCSR', 'sse', 0, false],
    ['0fae1f', 'STMXCSR', 'sse', 0, false],
    ['0fae07', 'FXSAVE', 'fxsave', 0, false],
    ['0fae0f', 'FXRSTOR', 'fxsave', X87 | SSE, false],
    ['0fae27', 'XSAVE', 'xsave', 0, false],
    ['0fae2f', 'XRSTOR', 'xsave', 0, false],
    ['c5f8ae17', 'VLDMXCSR', 'avx', 0, false],
    ['c5f877', 'VZEROUPPER', 'avx', AVX | ZMM_HI256, false],
    ['c5fc77', 'VZEROALL', 'avx', VECTORS, false],
    ['c5f9efc0', 'VPXOR', 'avx', VECTORS, false],
    ['c5fc2907', 'VMOVAPS', 'avx', 0, false],
    ['c4e1fb92c8', 'KMOVQ', 'opmask', OPMASK, false],
    ['c4e1f898c1', 'KORTESTQ', 'opmask', 0, false],
    ['c4e1f8910f', 'KMOVQ', 'opmask', 0, false],
    ['62f17d48efc0', 'VPXORD', 'avx512', VECTORS, false],
    ['62f17d08efc0', 'VPXORD', 'avx512', VECTORS, false],
    ['62a17d40efc0', 'VPXORD', 'avx512', HI16_ZMM, false],
    ['62f17d4876c1', 'VPCMPEQD', 'avx512', OPMASK, false],
    ['62f17e487f07', 'VMOVDQU32', 'avx512', 0, false],
    ['62f27d49904c0701', 'VPGATHERDD', 'avx512', VECTORS | OPMASK, false],
    ['62f27d49a04c0701', 'VPSCATTERDD', 'avx512', OPMASK, false],
    ['c4e2784907', 'LDTILECFG', 'amx', TILECFG | TILEDATA, false],
    ['c4e2794907', 'STTILECFG', 'amx', 0, false],
    ['c4e27849c0', 'TILERELEASE', 'amx', TILECFG | TILEDATA, false],
    ['c4e27b49c0', 'TILEZERO', 'amx', TILEDATA, false],
    ['c4e27b4b0c37', 'TILELOADD', 'amx', TILEDATA, false],
    ['c4e27a4b0c37', 'TILESTORED', 'amx', 0, false],
    ['0f01ee', 'RDPKRU', 'pkru', 0, false],
    ['0f01ef', 'WRPKRU', 'pkru', PKRU, false],
    ['0f01d0', 'XGETBV', 'xcr', 0, false],
    ['0f01d1', 'XSETBV', 'xcr', 0, false],
    ['0f06', 'CLTS', 'privileged', 0, false],
    ['0f01f0', 'LMSW', 'privileged', 0, false],
    ['0f22c0', 'MOV_TO_CR', 'privileged', 0, false],
    ['0f30', 'WRMSR', 'privileged', 0, false],
    ['0f01e0', 'SMSW', 'smsw', 0, false],
  ])('%s %s: %s', (code, mnemonic, kind, modifies, waits) => {
    const instruction = decode(bytesOf(code), 0, 64);
    expect(instruction).toMatchObject({ mnemonic, class: kind, modifies, waits, length: code.length / 2 });
  });
});

describe('memory operands', () => {
  it.each([
    ['0fae07', 'write', 512, 16],
    ['0fae0f', 'read', 512, 16],
    ['0fae27', 'write', 0, 64],
    ['0fae2f', 'read', 0, 64],
    ['0fae17', 'read', 4, 1],
    ['c5f8ae1f', 'write', 4, 1],
    ['d93f', 'write', 2, 1],
    ['d807', 'read', 4, 1],
    ['0f2807', 'read', 16, 16],
    ['0f2907', 'write', 16, 16],
    ['0f1007', 'read', 16, 1],
    ['0f5807', 'read', 16, 16],
    ['f30f5807', 'read', 4, 1],
    ['c5f85807', 'read', 16, 1],
    ['c5fc5807', 'read', 32, 1],
    ['c5fc2807', 'read', 32, 32],
    ['62f17c482807', 'read', 64, 64],
    ['62f17c481007', 'read', 64, 1],
    ['62f17d58fe07', 'read', 4, 1],
    ['660f3a620700', 'read', 16, 1],
    ['f20ff007', 'read', 16, 1],
    ['c4e2784907', 'read', 64, 1],
    ['c4e27b4b0c37', 'read', 0, 1],
    ['0fae3f', 'read', 1, 1],
    ['0f180f', 'none', 1, 1],
    ['488d07', 'none', 0, 1],
    ['0f1f00', 'none', 4, 1],
    ['0107', 'read-write', 4, 1],
    ['3907', 'read', 4, 1],
    ['8907', 'write', 4, 1],
    ['488b07', 'read', 8, 1],
    ['0fc70f', 'read-write', 8, 1],
    ['480fc70f', 'read-write', 16, 16],
    ['0f28c1', 'none', 0, 1],
  ])('%s: %s, %i bytes, aligned to %i', (code, access, bytes, align) => {
    expect(decode(bytesOf(code), 0, 64).memoryUse).toEqual({ access, bytes, align });
  });

  it('are described by base, index, scale and displacement', () => {
    expect(decode(bytesOf('49 0f ae 64 8c f0'.replaceAll(' ', '')), 0, 64).memory).toEqual({
      base: 12,
      index: 1,
      scale: 4,
      displacement: -16n,
      ripRelative: false,
      addressSize: 64,
      segment: undefined,
      vsib: false,
    });
  });

  it('have no index where SIB.index is 4 and not extended', () => {
    expect(decode(bytesOf('0fae2424'), 0, 64).memory).toMatchObject({ base: 4, index: undefined });
    expect(decode(bytesOf('420fae2424'), 0, 64).memory).toMatchObject({ base: 4, index: 12 });
  });

  it('have no base where mod is 0 and SIB.base 5', () => {
    expect(decode(bytesOf('0fae242500000080'), 0, 64).memory).toMatchObject({
      base: undefined,
      displacement: -0x80000000n,
    });
  });

  it('relative to RIP exist in 64-bit mode only', () => {
    const code = bytesOf('0fae2500010000');
    expect(decode(code, 0, 64).memory).toMatchObject({ ripRelative: true, base: undefined, displacement: 0x100n });
    expect(decode(code, 0, 32).memory).toMatchObject({ ripRelative: false, base: undefined, displacement: 0x100n });
  });

  it('take FS and GS; DS undoes them in 32-bit code and is ignored in 64-bit mode', () => {
    const code = bytesOf('643e0fae27');
    expect(decode(code, 0, 64).memory?.segment).toBe('fs');
    expect(decode(code, 0, 32).memory?.segment).toBeUndefined();
  });
});

describe('register numbers', () => {
  it.each([
    ['4489c8', { reg: 9, rm: 0 }],
    ['4189c8', { reg: 1, rm: 8 }],
    ['410f22e0', { reg: 4, rm: 8 }],
    ['62a17d40efc1', { reg: 16, rm: 17, vvvv: 16 }],
    ['c4415057ff', { reg: 15, rm: 15, vvvv: 5 }],
    ['410fefff', { reg: 7, rm: 15 }],
  ])('%s', (code, numbers) => {
    expect(decode(bytesOf(code), 0, 64)).toMatchObject({ ...numbers, registerForm: true });
  });

  it('in the low bits of an opcode are in rm', () => {
    expect(decode(bytesOf('41b801000000'), 0, 64)).toMatchObject({ rm: 8, registerForm: false });
  });

  it('of MMX and x87 operands ignore REX', () => {
    expect(decode(bytesOf('450fefff'), 0, 64).operands).toEqual([
      { kind: 'register', file: 'mmx', number: 7, bytes: 8 },
      { kind: 'register', file: 'mmx', number: 7, bytes: 8 },
    ]);
    expect(decode(bytesOf('41ddc1'), 0, 64).operands).toEqual([{ kind: 'register', file: 'st', number: 1, bytes: 10 }]);
  });
});

describe('SIMD arithmetic', () => {
  it.each(['0f58c1', '0f5ec1', 'f30f51d3', '0f2ac0', '0f2ec1', '0fc2c100', 'c5fc58c0', 'c4e2f5b8c2', '62f17c4858c1'])(
    '%s may raise #XM',
    (code) => {
      expect(decode(bytesOf(code), 0, 64).simdArithmetic).toBe(true);
    },
  );

  it.each(['0f57c0', '0f28c1', '660fefc0', 'f30fe6c1', '0f53c1', '0fae17', 'd9e8', '62f17d48efc0'])(
    '%s does not',
    (code) => {
      expect(decode(bytesOf(code), 0, 64).simdArithmetic).toBe(false);
    },
  );
});
