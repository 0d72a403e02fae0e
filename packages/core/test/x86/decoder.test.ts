import { decode, format } from '../../src/x86/decoder';
import type { CodeMode } from '../../src/x86/instruction';
import { bytesOf } from './decoder-code';

function textsOf(code: string, mode: CodeMode): string[] {
  const bytes = bytesOf(code);
  const texts: string[] = [];
  for (let offset = 0; offset < bytes.length;) {
    const instruction = decode(bytes, offset, mode);
    texts.push(format(instruction));
    offset += instruction.length;
  }
  return texts;
}

describe('decode and format, 64-bit mode', () => {
  it.each([
    ['0fae07', 'fxsave [rdi]'],
    ['480fae07', 'fxsave64 [rdi]'],
    ['0fae0e', 'fxrstor [rsi]'],
    ['490fae2424', 'xsave64 [r12]'],
    ['0fae6c2440', 'xrstor [rsp+0x40]'],
    ['480fae37', 'xsaveopt64 [rdi]'],
    ['480fc727', 'xsavec64 [rdi]'],
    ['0fc72f', 'xsaves [rdi]'],
    ['480fc71f', 'xrstors64 [rdi]'],
    ['0fae5718', 'ldmxcsr [rdi+0x18]'],
    ['0fae1d00010000', 'stmxcsr [rip+0x100]'],
    ['65480fae242510000000', 'xsave64 gs:[0x10]'],
    ['670fae27', 'xsave [edi]'],
    ['0fae7ccff0', 'clflush [rdi+rcx*8-0x10]'],
    ['660fae37', 'clwb [rdi]'],
    ['660fae3f', 'clflushopt [rdi]'],
    ['0faee8', 'lfence'],
    ['0faeef', 'lfence'],
    ['0faef0', 'mfence'],
    ['0faef8', 'sfence'],
    ['0f01d0', 'xgetbv'],
    ['0f01d1', 'xsetbv'],
    ['0f01ee', 'rdpkru'],
    ['0f01ef', 'wrpkru'],
    ['0f06', 'clts'],
    ['0f01f0', 'lmsw ax'],
    ['0f0137', 'lmsw [rdi]'],
    ['0f01e0', 'smsw eax'],
    ['660f01e0', 'smsw ax'],
    ['480f01e0', 'smsw rax'],
    ['0f0127', 'smsw [rdi]'],
    ['0f20c0', 'mov rax, cr0'],
    ['410f22e0', 'mov cr4, r8'],
    ['440f20c0', 'mov rax, cr8'],
    // ModRM.mod is ignored (Intel SDM Vol. 2B "MOV - Move to/from Control Registers").
    ['0f2000', 'mov rax, cr0'],
    ['0f30', 'wrmsr'],
    ['0f32', 'rdmsr'],
    ['0fa2', 'cpuid'],
    ['480fc70f', 'cmpxchg16b [rdi]'],
    ['f00fc70f', 'cmpxchg8b [rdi]'],
    ['90', 'nop'],
    ['f390', 'pause'],
    ['0f1f00', 'nop dword [rax]'],
    ['0f1f440000', 'nop dword [rax+rax]'],
    ['f30f1efa', 'nop edx'],
    ['0f180f', 'prefetcht0 [rdi]'],
    ['0fc307', 'movnti [rdi], eax'],
    ['f30fb8c1', 'popcnt eax, ecx'],
    ['f20f38f1c1', 'crc32 eax, ecx'],
    ['c7472011223344', 'mov dword [rdi+0x20], 0x44332211'],
    ['48c7c0ffffffff', 'mov rax, -0x1'],
    ['48b80000000000000080', 'mov rax, 0x8000000000000000'],
    ['66b83412', 'mov ax, 0x1234'],
    ['b0ff', 'mov al, 0xff'],
    ['b4ff', 'mov ah, 0xff'],
    ['40b4ff', 'mov spl, 0xff'],
    ['4989c8', 'mov r8, rcx'],
    ['8b442408', 'mov eax, [rsp+0x8]'],
    ['83c808', 'or eax, 0x8'],
    ['4883e0f3', 'and rax, -0xd'],
    ['31c9', 'xor ecx, ecx'],
    ['f00109', 'add [rcx], ecx'],
    ['488d4740', 'lea rax, [rdi+0x40]'],
    ['3dffff0000', 'cmp eax, 0xffff'],
  ])('%s is %s', (code, text) => {
    expect(textsOf(code, 64)).toEqual([text]);
  });

  it('FWAIT is an instruction of its own: FSAVE is two', () => {
    expect(textsOf('9bdd37', 64)).toEqual(['fwait', 'fnsave [rdi]']);
  });

  it('a REX byte that is not directly before the opcode is ignored', () => {
    expect(textsOf('48660f01e0', 64)).toEqual(['smsw ax']);
    expect(textsOf('48410fae27', 64)).toEqual(['xsave [r15]']);
  });

  it('the last of F2 and F3 counts', () => {
    expect(textsOf('f2f30f58c1', 64)).toEqual(['addss xmm0, xmm1']);
    expect(textsOf('f3f20f58c1', 64)).toEqual(['addsd xmm0, xmm1']);
    expect(textsOf('66f30f58c1', 64)).toEqual(['addss xmm0, xmm1']);
  });
});

describe('x87 instructions', () => {
  it.each([
    ['d9e8', 'fld1'],
    ['d907', 'fld dword [rdi]'],
    ['dd07', 'fld qword [rdi]'],
    ['db2f', 'fld tbyte [rdi]'],
    ['db0f', 'fisttp dword [rdi]'],
    ['ddd8', 'fstp st(0)'],
    ['dac1', 'fcmovb st(0), st(1)'],
    ['d8d1', 'fcom st(1)'],
    ['def1', 'fdivrp st(1), st(0)'],
    ['def9', 'fdivp st(1), st(0)'],
    ['dce1', 'fsubr st(1), st(0)'],
    ['dce9', 'fsub st(1), st(0)'],
    ['d9fa', 'fsqrt'],
    ['d9f6', 'fdecstp'],
    ['d9f7', 'fincstp'],
    ['ddc3', 'ffree st(3)'],
    ['dfc3', 'ffreep st(3)'],
    ['dbe0', 'fneni'],
    ['dbe1', 'fndisi'],
    ['dbe2', 'fnclex'],
    ['dbe3', 'fninit'],
    ['dbe4', 'fnsetpm'],
    ['dfe0', 'fnstsw ax'],
    ['dd3f', 'fnstsw [rdi]'],
    ['d92f', 'fldcw [rdi]'],
    ['d93f', 'fnstcw [rdi]'],
    ['d9d0', 'fnop'],
    // Second encodings.
    ['dcd1', 'fcom st(1)'],
    ['ded1', 'fcomp st(1)'],
    ['ddc9', 'fxch st(1)'],
    ['dfd1', 'fstp st(1)'],
    ['d9d9', 'fstpnce st(1)'],
  ])('%s is %s', (code, text) => {
    expect(textsOf(code, 64)).toEqual([text]);
  });

  it.each([
    'd9d1',
    'd90f',
    'd9e2',
    'd9ef',
    'dae0',
    'dbe5',
    'dbe6',
    'dbf8',
    'dde8'.replace('dde8', 'ddf0'),
    'ded8',
    'dfe1',
    'dfff',
  ])('%s is undefined', (code) => {
    expect(decode(bytesOf(code), 0, 64)).toMatchObject({ mnemonic: 'INVALID', length: 2 });
  });

  it.each([
    ['dd37', 108],
    ['66dd37', 94],
    ['4866dd37', 94],
    ['6648dd37', 108],
    ['d937', 28],
    ['66d937', 14],
    ['d907', 4],
    ['db2f', 10],
    ['df3f', 8],
  ])('the operand of %s has %i bytes', (code, bytes) => {
    expect(decode(bytesOf(code), 0, 64).memoryUse).toMatchObject({ bytes, align: 1 });
  });

  it('have the value of FOP', () => {
    expect(decode(bytesOf('d9e8'), 0, 64).x87Opcode).toBe(0x1e8);
    expect(decode(bytesOf('66dd7740'), 0, 64).x87Opcode).toBe(0x577);
    expect(decode(bytesOf('0f58c1'), 0, 64).x87Opcode).toBe(0);
  });
});

describe('32-bit mode', () => {
  it.each([
    ['0fae07', 'fxsave [edi]'],
    ['0fae2d78563412', 'xrstor [0x12345678]'],
    ['660fefc1', 'pxor xmm0, xmm1'],
    ['c5f9efc1', 'vpxor xmm0, xmm0, xmm1'],
    ['62f17d48efc1', 'vpxord zmm0, zmm0, zmm1'],
    ['0f20c0', 'mov eax, cr0'],
    ['b801000000', 'mov eax, 0x1'],
    ['0f01e0', 'smsw eax'],
    ['c4e1f96ec1', 'vmovd xmm0, ecx'],
    ['c4e2f0f2c2', 'andn eax, ecx, edx'],
  ])('%s is %s', (code, text) => {
    expect(textsOf(code, 32)).toEqual([text]);
  });

  it.each([
    ['4890', 'DEC'],
    ['c407', 'LES'],
    ['c507', 'LDS'],
    ['6207', 'BOUND'],
    ['670fae27', 'a 16-bit address'],
  ])('%s is not modelled: %s', (code) => {
    expect(decode(bytesOf(code), 0, 32)).toMatchObject({ mnemonic: 'INVALID', invalid: 'not-modelled' });
  });

  it('has eight registers: extensions are ignored, EVEX registers above 7 undefined', () => {
    expect(textsOf('c4c17957c1', 32)).toEqual(['vxorpd xmm0, xmm0, xmm1']);
    expect(textsOf('c4e13957c1', 32)).toEqual(['vxorpd xmm0, xmm0, xmm1']);
    expect(decode(bytesOf('62f17d40efc1'), 0, 32).invalid).toBe('evex');
    expect(decode(bytesOf('62e17d48efc1'), 0, 32).invalid).toBe('evex');
  });

  it.each(['c4e2784907', 'c4e27b49c0', 'c4e27849c0', 'c4e1fb92c8'])('%s exists in 64-bit mode only', (code) => {
    expect(decode(bytesOf(code), 0, 64).invalid).toBeUndefined();
    expect(decode(bytesOf(code), 0, 32).invalid).toBe('mode');
  });
});

describe('VEX and EVEX', () => {
  it.each([
    ['c5f877', 'vzeroupper'],
    ['c5fc77', 'vzeroall'],
    ['c5f8ae17', 'vldmxcsr [rdi]'],
    ['c5fc57c0', 'vxorps ymm0, ymm0, ymm0'],
    ['c5fd76c0', 'vpcmpeqd ymm0, ymm0, ymm0'],
    ['c4417857c7', 'vxorps xmm8, xmm0, xmm15'],
    ['c4e1fc47c0', 'kxorq k0, k0, k0'],
    ['c4e1fb92c8', 'kmovq k1, rax'],
    ['c4e1f8900f', 'kmovq k1, [rdi]'],
    ['c5f993c1', 'kmovb eax, k1'],
    ['c4e2f5b8c2', 'vfmadd231pd ymm0, ymm1, ymm2'],
    ['c4e37d19c101', 'vextractf128 xmm1, ymm0, 0x1'],
    ['c4e3794bc120', 'vblendvpd xmm0, xmm0, xmm1, xmm2'],
    ['c4e2699204cf', 'vgatherdps xmm0, [rdi+vmm1*8], xmm2'],
    ['c4e2784907', 'ldtilecfg [rdi]'],
    ['c4e2794907', 'sttilecfg [rdi]'],
    ['c4e27b49c8', 'tilezero tmm1'],
    ['c4e27849c0', 'tilerelease'],
    ['c4e27b4b0c37', 'tileloadd tmm1, [rdi+rsi]'],
    ['c4e27a4b0c37', 'tilestored [rdi+rsi], tmm1'],
    ['c4e26b5ec1', 'tdpbssd tmm0, tmm1, tmm2'],
    ['62a17d40efc0', 'vpxord zmm16, zmm16, zmm16'],
    ['62a1fd40efc0', 'vpxorq zmm16, zmm16, zmm16'],
    ['62f37d4825c0ff', 'vpternlogd zmm0, zmm0, zmm0, 0xff'],
    ['62f17e486f07', 'vmovdqu32 zmm0, [rdi]'],
    ['62f17e496f07', 'vmovdqu32 zmm0{k1}, [rdi]'],
    ['62f17ec96f07', 'vmovdqu32 zmm0{k1}{z}, [rdi]'],
    ['62f17d58fe07', 'vpaddd zmm0, zmm0, [rdi]{1to16}'],
    ['62f17c58c2c100', 'vcmpps k0, zmm0, zmm1, 0x0'],
  ])('%s is %s', (code, text) => {
    expect(textsOf(code, 64)).toEqual([text]);
  });

  it.each([
    ['62f17d48fe4701', 64n],
    ['62f17d28fe4701', 32n],
    ['62f17d58fe4701', 4n],
    ['62f1fd58d44701', 8n],
    ['62f17e48584701', 4n],
    ['62f27d09904c0701', 4n],
    ['62f17d48fe47ff', -64n],
    ['62f17c48588700010000', 0x100n],
  ])('%s: EVEX counts 8-bit displacements in memory operands', (code, displacement) => {
    const { memory, invalid } = decode(bytesOf(code), 0, 64);
    expect(invalid).toBeUndefined();
    expect(memory?.displacement).toBe(displacement);
  });
});
