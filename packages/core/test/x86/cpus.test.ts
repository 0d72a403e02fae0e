import {
  ALL_COMPONENTS,
  COMPONENTS,
  CPU_IDS,
  bitsOf,
  cpuModel,
  cpuModelFile,
  hasFeature,
  parseCpuModel,
  type CpuModelFile,
} from '@fpulab/core';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { areaLayout } from '../../src/x86/layout';
import { fpuErrorOf } from '../support/errors';

const FOLDER = join(__dirname, '../../src/x86/cpus');

/** Components as `bit:size@offset` with what ECX says: s supervisor, a align64, x xfd. */
function leaf0D(id: string): string {
  return cpuModel(id)
    .components.map(({ bit, size, offset, supervisor, align64, xfd }) => {
      const flags = `${supervisor ? 's' : ''}${align64 ? 'a' : ''}${xfd ? 'x' : ''}`;
      return `${bit}:${size}@${offset}${flags}`;
    })
    .join(' ');
}

describe('built-in CPU models', () => {
  it('are the files of the folder', () => {
    const files = readdirSync(FOLDER).filter((file) => file.endsWith('.json'));
    expect(files.sort()).toEqual(CPU_IDS.map((id) => `${id}.cpu.json`).sort());
  });

  it.each(CPU_IDS)('%s parses, and its file form is its file, which leaves nothing out', (id) => {
    const json = JSON.parse(readFileSync(join(FOLDER, `${id}.cpu.json`), 'utf8')) as CpuModelFile;
    const model = parseCpuModel(json, id);
    expect(model).toEqual(cpuModel(id));
    expect(cpuModelFile(model)).toEqual(json);
    expect(parseCpuModel(cpuModelFile(model))).toEqual(model);
  });

  const NONE = '';
  const AVX_ONLY = '2:256@576';
  it.each([
    ['pentium-mmx', 0, 0, NONE],
    ['pentium-iii', 0, 0, NONE],
    ['nehalem', 0, 0, NONE],
    ['sandybridge', 0x7, 0, AVX_ONLY],
    ['sandybridge-xsaveopt', 0x7, 0, AVX_ONLY],
    ['haswell', 0x7, 0, AVX_ONLY],
    ['broadwell', 0x7, 0, AVX_ONLY],
    ['skylake-x', 0x2ff, 0x100, '2:256@576 3:64@960 4:64@1024 5:64@1088 6:512@1152 7:1024@1664 8:128@0s 9:8@2688'],
    [
      'sapphire-rapids',
      0x602e7,
      0xdd00,
      '2:256@576 5:64@1088 6:512@1152 7:1024@1664 8:128@0s 9:8@2688 10:8@0s 11:16@0s 12:24@0s 14:48@0s 15:808@0s 17:64@2752a 18:8192@2816ax',
    ],
    ['zen2', 0x7, 0, AVX_ONLY],
    ['zen3', 0x207, 0x1800, '2:256@576 9:8@2432 11:16@0s 12:24@0s'],
    ['zen4', 0x2e7, 0x1800, '2:256@576 5:64@832 6:512@896 7:1024@1408 9:8@2432 11:16@0s 12:24@0s'],
    ['zen4-guest', 0xe7, 0x1800, '2:256@576 5:64@832 6:512@896 7:1024@1408 11:16@0s 12:24@0s'],
    [
      'bochs-sapphire-rapids',
      0x602e7,
      0x5800,
      '2:256@576 5:64@1088 6:512@1152 7:1024@1664 9:8@2688 11:16@0s 12:24@0s 14:48@0s 17:64@2752a 18:8192@2816a',
    ],
    ['bochs-ryzen', 0x7, 0, AVX_ONLY],
    ['qemu-max', 0x21f, 0, '2:256@576 3:64@960 4:64@1024 9:8@2688'],
  ] as const)('%s enumerates leaf 0DH exactly: XCR0 0x%x, XSS 0x%x', (id, xcr0, xss, components) => {
    const model = cpuModel(id);
    expect([model.xcr0, model.xss, leaf0D(id)]).toEqual([xcr0, xss, components]);
  });

  it('the table above covers all of them', () => {
    expect(CPU_IDS).toHaveLength(16);
  });

  it.each([
    ['sandybridge', 832, 832],
    ['skylake-x', 2696, 2696],
    ['sapphire-rapids', 11008, 11776],
    ['zen2', 832, 832],
    ['zen3', 2440, 880],
    ['zen4', 2440, 2480],
    ['zen4-guest', 2432, 2472],
    ['bochs-sapphire-rapids', 11008, 10816],
    ['qemu-max', 2696, 968],
  ] as const)(
    '%s: everything takes %i bytes in the standard and %i in the compacted form',
    (id, standard, compacted) => {
      const model = cpuModel(id);
      expect(areaLayout(model, model.xcr0, 'standard').totalBytes).toBe(standard);
      expect(areaLayout(model, model.xcr0 | model.xss, 'compacted').totalBytes).toBe(compacted);
    },
  );

  it('MXCSR_MASK: none, without DAZ, with it, and with the misaligned mode of AMD', () => {
    const masks = ['pentium-mmx', 'pentium-iii', 'nehalem', 'sapphire-rapids', 'zen2', 'zen4'].map(
      (id) => cpuModel(id).mxcsrMask,
    );
    expect(masks).toEqual([0, 0xffbf, 0xffff, 0xffff, 0x2ffff, 0x2ffff]);
  });

  it('FCS and FDS are gone from Haswell on, FDP without an exception from Skylake on, as CPUID leaf 7 says', () => {
    for (const id of CPU_IDS.map(cpuModel).flatMap(({ id, vendor }) => (vendor === 'GenuineIntel' ? [id] : []))) {
      const { behaviour, cpuid } = cpuModel(id);
      const [, ebx] = cpuid['7.0'] ?? [0, 0, 0, 0];
      expect([id, behaviour.selectorsSaved]).toEqual([id, (ebx & (1 << 13)) === 0]);
      expect([id, behaviour.pointersUpdated.fdp]).toEqual([id, ebx & (1 << 6) ? 'with-exception' : 'always']);
    }
    const withExceptionOnly = CPU_IDS.filter((id) => cpuModel(id).behaviour.pointersUpdated.fdp === 'with-exception');
    expect(withExceptionOnly).toEqual(['skylake-x', 'sapphire-rapids', 'bochs-sapphire-rapids']);
  });

  it('have the features of their CPUID leaves', () => {
    const bits = [
      ['mmx', '1.0', 3, 23],
      ['fxsr', '1.0', 3, 24],
      ['sse', '1.0', 3, 25],
      ['sse2', '1.0', 3, 26],
      ['xsave', '1.0', 2, 26],
      ['avx', '1.0', 2, 28],
      ['mpx', '7.0', 1, 14],
      ['avx512f', '7.0', 1, 16],
      ['pt', '7.0', 1, 25],
      ['pku', '7.0', 2, 3],
      ['cet', '7.0', 2, 7],
      ['enqcmd', '7.0', 2, 29],
      ['uintr', '7.0', 3, 5],
      ['lbr', '7.0', 3, 19],
      ['amx', '7.0', 3, 24],
    ] as const;
    for (const model of CPU_IDS.map(cpuModel)) {
      for (const [feature, leaf, register, bit] of bits) {
        const has = (((model.cpuid[leaf] ?? [0, 0, 0, 0])[register] >>> bit) & 1) === 1;
        expect([model.id, feature, hasFeature(model, feature)]).toEqual([model.id, feature, has]);
      }
    }
  });

  it('have the signature of CPUID leaf 1 and the vendor of leaf 0', () => {
    for (const { id, signature, vendor, cpuid } of CPU_IDS.map(cpuModel)) {
      const [eax] = cpuid['1.0'];
      const family = (eax >>> 8) & 0xf;
      const model = ((eax >>> 4) & 0xf) | (family === 6 || family === 15 ? (eax >>> 12) & 0xf0 : 0);
      const expected = { family: family === 15 ? 15 + ((eax >>> 20) & 0xff) : family, model, stepping: eax & 0xf };
      expect([id, signature]).toEqual([id, expected]);
      const [, ebx, ecx, edx] = cpuid['0.0'];
      expect(Buffer.from(Uint32Array.of(ebx, edx, ecx).buffer).toString()).toBe(vendor);
    }
  });
});

describe('docs/cpu-model-format.md', () => {
  const text = readFileSync(join(__dirname, '../../../../docs/cpu-model-format.md'), 'utf8');

  it('shows a model that parses', () => {
    const [, json] = /```json\n([^`]+)```/.exec(text) ?? [];
    expect(parseCpuModel(JSON.parse(json))).toMatchObject({ id: 'my-cpu', xcr0: 7, xss: 0x1800, cpuid: {} });
  });

  it('names every feature and every key', () => {
    const { features } = cpuModel('sapphire-rapids');
    for (const feature of [...features, ...COMPONENTS.map((one) => one.feature)])
      expect(text).toContain(`\`${feature}\``);
    for (const key of Object.keys(cpuModelFile(cpuModel('haswell')))) expect(text).toContain(key);
  });
});

describe('parseCpuModel refuses (FPU102)', () => {
  type Json = Record<string, unknown>;
  const intact = (): Json => JSON.parse(JSON.stringify(cpuModelFile(cpuModel('sapphire-rapids')))) as Json;
  const features = intact().features as readonly string[];
  const components = intact().components as readonly Json[];
  const withComponent = (bit: number, change: Json): Json => ({
    components: components.map((one) => (one.bit === bit ? { ...one, ...change } : one)),
  });
  const without = (feature: string): Json => ({ features: features.filter((one) => one !== feature) });
  const indexOf = (bit: number): number => components.findIndex((one) => one.bit === bit);

  it('nothing about an intact file', () => {
    expect(parseCpuModel(intact()).id).toBe('sapphire-rapids');
  });

  it.each<[string, Json, string]>([
    ['an unknown key', { extra: 1 }, 'Unrecognized key: "extra"'],
    ['an unknown key further down', withComponent(2, { align: 1 }), 'components[0]: Unrecognized key: "align"'],
    ['another schema', { schema: 'fpulab/cpu@2' }, 'schema: expected "fpulab/cpu@1", found "fpulab/cpu@2"'],
    ['an id with capitals', { id: 'My CPU' }, 'id: expected an id of a-z, 0-9, "." and "-", found "My CPU"'],
    ['an empty title', { title: '' }, 'title: '],
    ['a vendor of another length', { vendor: 'Intel' }, 'vendor: '],
    ['a missing signature', { signature: undefined }, 'signature: expected object, received undefined'],
    ['a stepping of five bits', { signature: { family: 6, model: 1, stepping: 16 } }, 'signature.stepping: '],
    ['an unknown feature', { features: [...features, 'avx10'] }, `features[${features.length}]: Invalid option`],
    ['a feature twice', { features: [...features, 'avx'] }, `features: 'avx' is there twice`],
    ['XSAVE without SSE', without('sse'), `features: 'sse2' needs 'sse', which is not there`],
    ['XSAVE without FXSR', without('fxsr'), `features: 'sse' needs 'fxsr', which is not there`],
    ['AVX-512 without AVX', without('avx'), `features: 'avx512f' needs 'avx', which is not there`],
    ['a mask that is a number', { xcr0: 7 }, 'xcr0: expected string, received number'],
    [
      'a mask in capitals',
      { xcr0: '0X7' },
      'xcr0: expected 32 bits in lower-case hexadecimal, like "0x2e7", found "0X7"',
    ],
    ['a mask of 33 bits', { xss: '0x100000000' }, 'xss: expected 32 bits'],
    [
      'an MXCSR mask without the exception masks',
      { mxcsrMask: '0x40' },
      'mxcsrMask: expected the bits that MXCSR may hold',
    ],
    ['XCR0 without SSE', { xcr0: '0x602e5' }, 'xcr0: expected bits 0 and 1 (x87 and SSE) with xsave, found 0x602e5'],
    ['an undefined bit of XCR0', { xcr0: '0x1602e7' }, 'xcr0: bit 20 (undefined) is no component of XCR0'],
    ['supervisor state in XCR0', { xcr0: '0x603e7' }, 'xcr0: bit 8 (pt) is no component of XCR0'],
    ['user state in XSS', { xss: '0xdf00' }, 'xss: bit 9 (pkru) is no component of IA32_XSS'],
    ['TILEDATA without TILECFG', { xcr0: '0x402e7' }, 'xcr0: bit 18 (tiledata) needs bit 17 (tilecfg)'],
    ['AVX-512 by a third', { xcr0: '0x60227' }, 'xcr0: bit 5 (opmask) needs bit 6 (zmm_hi256) and bit 7 (hi16_zmm)'],
    ['a component without its feature', without('pku'), "xcr0: bit 9 (pkru) needs the feature 'pku'"],
    [
      'a user feature without its component',
      { features: [...features, 'mpx'] },
      "xcr0: the feature 'mpx' needs bit 3 (bndregs)",
    ],
    ['supervisor components without XSAVES', without('xsaves'), 'xss: expected 0x0 without xsaves, found 0xdd00'],
    [
      'a component without entry',
      { components: components.slice(1) },
      'components: expected an entry for bit 2 (avx) of xcr0 and xss',
    ],
    [
      'an entry without component',
      { components: [...components, { bit: 3, size: 64, offset: 960 }] },
      `components[${components.length}].bit: neither xcr0 nor xss has bit 3`,
    ],
    [
      'two entries',
      { components: [...components, components[0]] },
      `components[${components.length}].bit: bit 2 has two entries`,
    ],
    ['an entry for SSE', { components: [{ bit: 1, size: 256, offset: 160 }] }, 'components[0].bit: '],
    [
      'another size',
      withComponent(9, { size: 64 }),
      `components[${indexOf(9)}].size: expected 8 bytes of pkru, found 64`,
    ],
    [
      'supervisor state as user state',
      withComponent(11, { supervisor: false }),
      `components[${indexOf(11)}].supervisor: cet_u is supervisor state`,
    ],
    [
      'user state as supervisor state',
      withComponent(2, { supervisor: true }),
      'components[0].supervisor: avx is user state',
    ],
    [
      'a place for supervisor state',
      withComponent(8, { offset: 3000 }),
      `components[${indexOf(8)}].offset: expected 0`,
    ],
    [
      'a place in the header',
      withComponent(2, { offset: 512 }),
      'components[0].offset: expected at least 576, behind the XSAVE header, found 512',
    ],
    [
      'an overlap',
      withComponent(5, { offset: 800 }),
      `components[${indexOf(5)}].offset: overlaps bit 2, which ends at 832, found 800`,
    ],
    ['XFD without XFD', without('xfd'), `components[${indexOf(18)}].xfd: needs the feature 'xfd'`],
    [
      'a behaviour that nobody knows',
      { behaviour: { ...(intact().behaviour as Json), initTracking: 'never' } },
      'behaviour.initTracking: ',
    ],
    [
      'a pointer of 16 bits',
      { behaviour: { ...(intact().behaviour as Json), pointerBits: 16 } },
      'behaviour.pointerBits: ',
    ],
    ['a leaf without sub-leaf', { cpuid: { '7': ['0x0', '0x0', '0x0', '0x0'] } }, 'cpuid.7: '],
    ['a leaf of three registers', { cpuid: { '7.0': ['0x0', '0x0', '0x0'] } }, 'cpuid.7.0'],
    ['no sources', { sources: [] }, 'sources: '],
  ])('%s', (_what, change, message) => {
    const error = fpuErrorOf(() => parseCpuModel({ ...intact(), ...change }, 'mine.cpu.json'));
    expect(error.code).toBe('FPU102');
    expect(error.message).toContain(`mine.cpu.json: ${message}`);
    expect(error.detail.where).toBe('mine.cpu.json');
    expect(String(error.detail.hint)).toContain('fpulab list cpus --json');
  });

  it.each<[string, Json, string]>([
    ['XCR0 without XSAVE', { xcr0: '0x3' }, 'xcr0: expected 0x0 without xsave, found 0x3'],
    [
      'components without XSAVE',
      { components: [{ bit: 2, size: 256, offset: 576 }] },
      'components[0].bit: neither xcr0 nor xss has bit 2',
    ],
    ['MXCSR without SSE', { features: ['fpu', 'mmx', 'fxsr'] }, 'mxcsrMask: expected 0x0 without sse, found 0xffff'],
  ])('%s', (_what, change, message) => {
    expect(fpuErrorOf(() => parseCpuModel({ ...cpuModelFile(cpuModel('nehalem')), ...change })).message).toContain(
      message,
    );
  });

  it.each([[undefined], [null], [7], ['haswell'], [[]]])('%j', (json) => {
    const error = fpuErrorOf(() => parseCpuModel(json, 'x'));
    expect([error.code, error.message.startsWith('x: expected object')]).toEqual(['FPU102', true]);
  });
});

describe('the table of components', () => {
  it('gives every model its sizes', () => {
    for (const model of CPU_IDS.map(cpuModel)) {
      for (const { bit, size } of model.components) expect(size).toBe(COMPONENTS[bit].size);
      expect(bitsOf((model.xcr0 | model.xss) & ~ALL_COMPONENTS)).toEqual([]);
    }
  });
});
