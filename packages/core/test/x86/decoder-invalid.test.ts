import { decode } from '../../src/x86/decoder';
import { bytesOf } from './decoder-code';

function reasonOf(code: string): string | undefined {
  return decode(bytesOf(code), 0, 64).invalid;
}

describe('LOCK', () => {
  it.each([
    ...['0fae07', '0fae0f', '0fae17', '0fae1f', '0fae27', '0fae2f', '0fae37', '0fae3f', '0fc71f', '0fc727', '0fc72f'],
    ...['480fae07', '480fc727', 'dd37', 'dd27', 'd9e8', '9b', '0f01d0', '0f01d1', '0f01ee', '0f01ef', '0f06', '0f20c0'],
    ...[
      '0f22c0',
      '0f30',
      '0fa2',
      '0f77',
      '0fefc0',
      '660fefc0',
      '0f58c1',
      '0faee8',
      '90',
      '8907',
      '01c8',
      '3907',
      '8d07',
    ],
  ])('before %s raises #UD', (code) => {
    expect(reasonOf(code)).toBeUndefined();
    expect(reasonOf(`f0${code}`)).toBe('lock-prefix');
  });

  it.each(['f00107', 'f08307f0', 'f0480907', 'f00fc70f'])('%s is allowed: it updates memory', (code) => {
    expect(reasonOf(code)).toBeUndefined();
  });
});

describe('66, F2 and F3 before an opcode that has no such form', () => {
  const NP = [
    ...['0fae07', '0fae0f', '0fae17', '0fae1f', '0fae27', '0fae2f', '0fc71f', '0fc727', '0fc72f', '0f01d0', '0f01d1'],
    ...['0f77', '0faee8', '0f2ec1'],
  ];
  /** PTWRITE, UCOMISD and INCSSP. */
  const OTHERS = ['f30fae27', '660f2ec1', 'f30faee8'];
  const cases = NP.flatMap((code) => ['66', 'f2', 'f3'].map((prefix) => prefix + code));
  it.each(cases.filter((code) => !OTHERS.includes(code)))('%s raises #UD', (code) => {
    expect(reasonOf(code)).toBe('prefix');
  });

  it.each([
    ['660fae37', 'CLWB'],
    ['660fae3f', 'CLFLUSHOPT'],
    ['660f2ec1', 'UCOMISD'],
  ])('%s is %s', (code, mnemonic) => {
    expect(decode(bytesOf(code), 0, 64).mnemonic).toBe(mnemonic);
  });

  it.each(['f20fae37', 'f30fae3f', 'f20fae3f'])('%s raises #UD', (code) => {
    expect(reasonOf(code)).toBe('prefix');
  });

  it.each([
    ['f30fae27', 'PTWRITE'],
    ['f30fae37', 'CLRSSBSY'],
    ['f30f01ee', 'CLUI'],
    ['f30f012f', 'RSTORSSP'],
    ['0f0e', 'FEMMS'],
    ['0f0fc0b4', '3DNow!'],
    ['0fc737', 'VMPTRLD'],
    ['0f01c1', 'VMCALL'],
  ])('%s is %s, of a feature that is never enabled', (code) => {
    expect(reasonOf(code)).toBe('feature-off');
  });

  it.each(['66d9e8', 'f2d9e8', 'f3d9e8', 'f20f06', '660fa2', 'f30f20c0', '669b'])('%s is ignored there', (code) => {
    expect(reasonOf(code)).toBeUndefined();
  });
});

describe('operand forms', () => {
  it.each([
    ...['0fc7d8', '0fc7e0', '0fc7e8', '0f28', '8dc0', '0f2bc0', '0fe7c0', 'f20ff0c0', '0f50', '0fd700', '0ff707'],
    ...['c5f8aed0', 'c4e27b4bc0', 'c4e17947', '660fd700'],
  ])('%s raises #UD', (code) => {
    expect(['operand-form', 'truncated']).toContain(reasonOf(code));
  });

  it.each([
    ['0faec0', 'prefix'],
    ['0faec8', 'prefix'],
    ['0faed0', 'prefix'],
    ['0faed8', 'prefix'],
    ['0faee0', 'prefix'],
    ['f30faec0', 'not-modelled'],
  ])('0F AE with a register operand: %s: %s', (code, reason) => {
    expect(reasonOf(code)).toBe(reason);
  });

  it.each(['0f20c8', '0f20e8', '0f22f0', '0f22f8', '440f20c8'])('%s names a control register that is none', (code) => {
    expect(reasonOf(code)).toBe('register');
  });
});

describe('VEX', () => {
  it.each(['66', 'f2', 'f3', 'f0', '48', '40'])('%s before it raises #UD', (prefix) => {
    expect(reasonOf(`${prefix}c5f877`)).toBe('vex');
    expect(reasonOf(`${prefix}c4e2784907`)).toBe('vex');
    expect(reasonOf(`${prefix}62f17d48efc0`)).toBe('evex');
  });

  it('67 and segments before it are allowed', () => {
    expect(reasonOf('6764c5f8ae17')).toBeUndefined();
  });

  it.each([
    ['c5fcae17', 'VLDMXCSR with VEX.L = 1'],
    ['c5f0ae17', 'VLDMXCSR with vvvv'],
    ['c4e2704907', 'LDTILECFG with vvvv'],
    ['c4e2f84907', 'LDTILECFG with VEX.W = 1'],
    ['c4e27c4907', 'LDTILECFG with VEX.L = 1'],
    ['c5f077', 'VZEROUPPER with vvvv'],
    ['c4e17d6ec0', 'VMOVD with VEX.L = 1'],
    ['c4e07877', 'map 0'],
    ['c4e47877', 'map 4'],
    ['c5f892', 'KMOVW without its ModRM'],
  ])('%s: %s', (code) => {
    expect(['vex', 'truncated']).toContain(reasonOf(code));
  });

  it.each([
    ['c4e2735ec1', 'TDPBSSD with one tile twice'],
    ['c462735ec1', 'TDPBSSD with tile 8'],
    ['c4627b49c0', 'TILEZERO of tile 8'],
    ['c4e279920407', 'VGATHERDPS with one register twice'],
    ['c4617c47c0', 'KXORW to opmask 8'],
  ])('%s: %s', (code) => {
    expect(reasonOf(code)).toBe('register');
  });
});

describe('EVEX', () => {
  it.each([
    ['62f97d48efc0', 'P0[3] = 1'],
    ['62f17948efc0', 'P1[2] = 0'],
    ['62f07d48efc0', 'map 0'],
    ['62f47d48efc0', 'map 4'],
    ['62f17d68efc0', "L'L = 11B"],
    ['62f17dc8efc0', 'z without an opmask'],
    ['62f17d58efc0', 'b with registers, no rounding'],
    ['62f17e586f07', 'b where nothing can be broadcast'],
    ['62f17ec97f07', 'z with a memory destination'],
    ['62f17d89760f', 'z with an opmask destination'],
    ['62f27d08904c0701', 'a gather without an opmask'],
    ['62f17c492b07', 'an opmask where none is allowed'],
    ['62f17d406f07', 'vvvv without an operand'],
  ])('%s: %s', (code) => {
    expect(reasonOf(code)).toBe('evex');
  });

  it.each(['62f57c4858c1', '62f67d4898c1', '62f37c4808c100'])('%s is AVX512-FP16, which is not modelled', (code) => {
    expect(reasonOf(code)).toBe('not-modelled');
  });
});

describe('what is not in the tables', () => {
  it.each([
    'c3',
    '50',
    '74fe',
    'cd80',
    '0f05',
    '0f31',
    '0f44c1',
    '0fb6c0',
    '1107',
    '8311ff',
    '4190',
    '0f0107',
    'f30fc7f8',
  ])('%s is not modelled', (code) => {
    expect(reasonOf(code)).toBe('not-modelled');
  });

  it.each([
    '06',
    '27',
    '60',
    '82c000',
    '9a',
    'd6',
    '0f0b',
    '0f04',
    '0fff',
    '0fb9',
    '0f3800',
    '0f38ff',
    '0f3aff',
    '660fd0',
  ])('%s is undefined in 64-bit mode', (code) => {
    expect(['undefined-opcode', 'truncated']).toContain(reasonOf(code));
  });
});

describe('length', () => {
  it('of 15 bytes is allowed, of 16 raises #GP', () => {
    const prefixes = (count: number): string => '3e'.repeat(count);
    expect(decode(bytesOf(`${prefixes(12)}0fae27`), 0, 64)).toMatchObject({ mnemonic: 'XSAVE', length: 15 });
    expect(decode(bytesOf(`${prefixes(13)}0fae27`), 0, 64)).toMatchObject({ invalid: 'too-long', length: 15 });
    expect(decode(bytesOf(prefixes(20)), 0, 64)).toMatchObject({ invalid: 'too-long', length: 15 });
  });

  it.each(['', '0f', '66', '0fae', 'dd', 'b80000', 'c5', 'c4e2', '62f17d48', '0fae6c24', 'c7472011'])(
    "'%s' ends inside an instruction",
    (code) => {
      expect(decode(bytesOf(code), 0, 64)).toMatchObject({ invalid: 'truncated', length: code.length / 2 });
    },
  );

  it('counts from the offset', () => {
    expect(decode(bytesOf('d9e80fae27'), 2, 64)).toMatchObject({ mnemonic: 'XSAVE', length: 3 });
  });
});
