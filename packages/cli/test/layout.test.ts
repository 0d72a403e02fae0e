import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CPU_IDS, areaLayout, cpuModel, cpuModelFile } from '@fpulab/core';
import { fpulab, temporaryDirectory } from './command';

const DOCS = join(__dirname, '../../../docs/layout.md');
const home = process.cwd();

let directory: string;
beforeAll(() => {
  directory = temporaryDirectory();
  process.chdir(directory);
});
afterAll(() => process.chdir(home));

interface LayoutDocument {
  readonly schema: string;
  readonly cpu: string;
  readonly form: string;
  readonly mask: string;
  readonly totalBytes: number;
  readonly components: readonly { bit: number; name: string; offset: number; size: number; align: number }[];
  readonly gaps: readonly { offset: number; size: number; reason: string }[];
  readonly ignored: readonly { bit: number; name: string; reason: string }[];
  readonly linux: {
    readonly byMask: object;
    readonly minimum: object;
    readonly maximum: object;
    readonly amxSeriesV10: object;
    readonly versions: readonly { since: string }[];
  };
  readonly check?: {
    readonly ok: boolean;
    readonly parts: readonly { what: string; ok: boolean; reasons: readonly { code: string }[] }[];
  };
}

async function json(...args: readonly string[]): Promise<{ exitCode: number; document: LayoutDocument }> {
  const { exitCode, stdout } = await fpulab('layout', ...args, '--json');
  return { exitCode, document: JSON.parse(stdout) as LayoutDocument };
}

/** Exit code and stdout of a check. */
async function told(...args: readonly string[]): Promise<readonly [number, string]> {
  const { exitCode, stdout, stderr } = await fpulab('layout', ...args);
  expect(stderr).toBe('');
  return [exitCode, stdout];
}

describe('fpulab layout', () => {
  it.each([
    ['the standard form of Sapphire Rapids', ['--cpu', 'sapphire-rapids']],
    ['the compacted form of Sapphire Rapids, supervisor state included', ['--cpu', 'sapphire-rapids', '--compacted']],
    ['AVX alone', ['--cpu', 'skylake-x', '--mask', '0x4']],
    ['Zen 4, whose kernel buffers changed over time', ['--cpu', 'zen4']],
    ['a processor without XSAVEC', ['--cpu', 'haswell']],
  ])('draws %s as before', async (_what, args) => {
    const [exitCode, stdout] = await told(...args);
    expect(exitCode).toBe(0);
    expect(stdout).toMatchSnapshot();
  });

  it('prints one document', async () => {
    const { exitCode, document } = await json('--cpu', 'sapphire-rapids', '--mask', '0x602e7', '--compacted');
    expect(exitCode).toBe(0);
    expect(document).toMatchObject({
      schema: 'fpulab/layout@1',
      cpu: 'sapphire-rapids',
      form: 'compacted',
      mask: '0x602e7',
      totalBytes: 10752,
      ignored: [],
      gaps: [
        { offset: 416, size: 96 },
        { offset: 2440, size: 56 },
      ],
    });
    expect(document.components.at(-1)).toEqual({ bit: 18, name: 'tiledata', offset: 2560, size: 8192, align: 64 });
    expect(document.components.map(({ bit }) => bit)).toEqual([0, 1, 2, 5, 6, 7, 9, 17, 18]);
    expect(document.linux).toMatchObject({
      byMask: { standard: 11008, compacted: 10752 },
      minimum: { standard: 2816, compacted: 2560 },
      maximum: { standard: 11008, compacted: 10752 },
      fpuKernelCfg: { maxFeatures: '0x61ee7', defaultFeatures: '0x20ee7', maxSize: 10752, defaultSize: 2560 },
      fpuUserCfg: { maxFeatures: '0x602e7', defaultFeatures: '0x202e7', maxSize: 11008, defaultSize: 2816 },
      guestDefaultCfg: { features: '0x21ee7', size: 2560 },
      independentFeatures: '0x8000',
      amxSeriesV10: { mask: '0x606e7', dynamic: '0x40000', minSize: 2560, maxSize: 10752, byMask: 10752 },
    });
    expect(document.linux.versions.map(({ since }) => since)).toEqual(['5.16', '5.19', '6.6', '6.16', '6.17']);
  });

  it('leaves out what the processor lacks, and says so', async () => {
    const args = ['--cpu', 'sapphire-rapids', '--mask', '0x600ff', '--compacted'];
    const { exitCode, document } = await json(...args);
    expect(exitCode).toBe(0);
    expect(document).toMatchObject({ requestedMask: '0x600ff', mask: '0x600e7', totalBytes: 10688 });
    expect(document.ignored).toEqual([
      { bit: 3, name: 'bndregs', reason: 'not-enumerated' },
      { bit: 4, name: 'bndcsr', reason: 'not-enumerated' },
    ]);
    const { stdout, stderr } = await fpulab('layout', ...args);
    expect(stdout).toContain('10688  0x29c0');
    expect(stderr).toBe(
      'fpulab: note: --mask: bits 3 (bndregs) and 4 (bndcsr) left out, as the processor does (RFBM): ' +
        'CPUID leaf 0DH of sapphire-rapids does not enumerate such components\n',
    );
    expect((await fpulab('layout', ...args, '--quiet')).stderr).toBe('');
  });

  it('leaves supervisor state out of the standard form, and says so', async () => {
    const { exitCode, document } = await json('--cpu', 'zen4', '--mask', '0x1803');
    expect(exitCode).toBe(0);
    expect(document.ignored.map(({ bit, reason }) => [bit, reason])).toEqual([
      [11, 'supervisor-in-standard-form'],
      [12, 'supervisor-in-standard-form'],
    ]);
    const { stderr } = await fpulab('layout', '--cpu', 'zen4', '--mask', '0x1803');
    expect(stderr).toContain('supervisor components have no place in the standard form; see --compacted');
  });

  it.each(CPU_IDS.filter((id) => cpuModel(id).features.includes('xsave')))('maps every byte of %s once', async (id) => {
    for (const flags of cpuModel(id).features.includes('xsavec') ? [[], ['--compacted']] : [[]]) {
      const { document } = await json('--cpu', id, ...flags);
      const parts = [...document.components, ...document.gaps, { offset: 512, size: 64 }];
      const end = parts
        .sort((a, b) => a.offset - b.offset)
        .reduce((at, { offset, size }) => {
          expect(offset).toBe(at);
          return at + size;
        }, 0);
      expect(end).toBe(document.totalBytes);
    }
  });

  it.each([
    ['0x4', [], 'not in the mask; MXCSR, at 24, is saved all the same'],
    ['0x2', [], 'not in the mask; MXCSR, at 24, is saved all the same'],
    ['0x4', ['--compacted'], 'not in the mask'],
    ['0x2', ['--compacted'], 'not in the mask; MXCSR, at 24, is saved all the same'],
    ['0x200', [], 'not in the mask'],
  ])('mask %s %j: the place of x87 is %s', async (mask, flags, reason) => {
    const { document } = await json('--cpu', 'skylake-x', '--mask', mask, ...flags);
    expect(document.gaps[0]).toMatchObject({ offset: 0, reason });
  });

  it("takes a user's own processor from a file", async () => {
    const file = join(directory, 'mine.cpu.json');
    writeFileSync(file, JSON.stringify({ ...cpuModelFile(cpuModel('zen4')), id: 'mine' }));
    const { document } = await json('--cpu', file);
    expect(document).toMatchObject({ cpu: 'mine', totalBytes: 2440 });
    expect((await fpulab('layout', '--cpu', 'zen4', '--against', file)).exitCode).toBe(0);
  });
});

describe('fpulab layout --svg', () => {
  const heights = (svg: string, x: number): readonly (readonly [string, number])[] =>
    [...svg.matchAll(/<rect [^>]*x="(\d+)"[^>]* height="([\d.]+)"><title>([^:]*): bytes/g)]
      .filter(([, at]) => Number(at) === x)
      .map(([, , height, name]) => [name, Number(height)]);

  it('draws slices to scale, each with a title, and no script', async () => {
    const [exitCode, svg] = await told('--cpu', 'sapphire-rapids', '--svg');
    expect(exitCode).toBe(0);
    expect(svg).toMatch(/^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg" viewBox="0 0 \d+ \d+" role="img"/);
    expect(svg).toContain('@media (prefers-color-scheme: dark)');
    expect(svg).not.toMatch(/<script|href|url\(/);
    const { components } = areaLayout(cpuModel('sapphire-rapids'), 0x602e7, 'standard');
    const columns = [...new Set([...svg.matchAll(/ x="(\d+)"[^>]*><title>/g)].map(([, x]) => Number(x)))];
    expect(columns).toHaveLength(2);
    for (const x of columns) {
      const drawn = heights(svg, x);
      const [, unit] = drawn.find(([name]) => name === 'hi16_zmm (bit 7)') ?? ['', NaN];
      for (const [name, height] of drawn) {
        const size = components.find(({ bit, name: own }) => name === `${own} (bit ${bit})`)?.size;
        if (size !== undefined) expect(height / unit).toBeCloseTo(size / 1024, 1);
      }
    }
    expect(heights(svg, columns[0]).map(([name]) => name)).toContain('tiledata (bit 18)');
    expect(heights(svg, columns[1]).map(([name]) => name)).not.toContain('tiledata (bit 18)');
  });

  it('needs one bar only where no component takes more than half', async () => {
    const [, svg] = await told('--cpu', 'skylake-x', '--svg');
    expect(svg).not.toContain('class="zoom" points');
  });

  it('writes a file, and prints the table', async () => {
    const file = join(directory, 'map.svg');
    const [exitCode, stdout] = await told('--cpu', 'zen4', '--svg', file);
    expect(exitCode).toBe(0);
    expect(stdout).toContain('2440   0x988');
    expect(readFileSync(file, 'utf8')).toMatch(/<\/svg>\n$/);
  });

  it('escapes what a file calls its processor', async () => {
    const file = join(directory, 'odd.cpu.json');
    writeFileSync(file, JSON.stringify({ ...cpuModelFile(cpuModel('zen4')), id: 'odd', title: '<b>&"' }));
    const [, svg] = await told('--cpu', file, '--svg');
    expect(svg).toContain('&lt;b&gt;&amp;&quot;');
    expect(svg).not.toContain('<b>');
  });
});

describe('the four lost days', () => {
  it('2688 or 2696: PKRU', async () => {
    const [exitCode, stdout] = await told('--cpu', 'skylake-x', '--check', '--size', '2688');
    expect(exitCode).toBe(1);
    expect(stdout).toContain('takes 2696 bytes: 8 bytes too few');
    expect(stdout).toContain('2688 bytes: the standard size of mask 0xff: all user components of skylake-x but pkru');
    expect(stdout).toContain('with pkru (bit 9) it is 2696');
    expect((await told('--cpu', 'skylake-x', '--check', '--size', '2696'))[0]).toBe(0);
  });

  it('feature 5 at another offset', async () => {
    const [exitCode, stdout] = await told('--cpu', 'zen4', '--check', '--against', 'skylake-x');
    expect(exitCode).toBe(1);
    expect(stdout).toContain(
      'opmask (bit 5) is at 832 on zen4 and at 1088 on skylake-x: CPUID.(EAX=0DH,ECX=5):EBX says so; ' +
        'zen4 leaves no room for bndregs (bit 3) and bndcsr (bit 4)',
    );
  });

  it('a compacted size for a standard area', async () => {
    const [exitCode, stdout] = await told('--cpu', 'skylake-x', '--check', '--size', '2568');
    expect(exitCode).toBe(1);
    expect(stdout).toContain('2568 bytes: the compacted size of mask 0x2ff: all user components of skylake-x');
    expect(stdout).toContain(
      'takes 2696 bytes: 2568 are 128 too few, and XSAVE would write hi16_zmm (bit 7), pkru (bit 9) past the end',
    );
    expect((await told('--cpu', 'skylake-x', '--mask', '0x2ff', '--compacted', '--size', '2568'))[0]).toBe(0);
  });

  it('TILECFG without TILEDATA', async () => {
    const [exitCode, stdout] = await told('--cpu', 'sapphire-rapids', '--check', '--xcr0', '0x202e7');
    expect(exitCode).toBe(1);
    expect(stdout).toBe(
      [
        'XCR0 0x202e7 on sapphire-rapids: illegal: XSETBV raises #GP(0)',
        '  - the AMX components TILECFG and TILEDATA (bits 17 and 18) can only be enabled together: bit 17 (tilecfg) set without bit 18 (tiledata)',
        '    Intel SDM Vol. 1 "Enabling the XSAVE Feature Set and XSAVE-Enabled Features" (13.3)',
        '',
      ].join('\n'),
    );
    expect((await told('--cpu', 'sapphire-rapids', '--check', '--xcr0', '0x602e7'))[0]).toBe(0);
  });

  it('are the examples of --help', async () => {
    const { stdout } = await fpulab('layout', '--help');
    const examples = [...stdout.matchAll(/fpulab layout (.*?)(?: {2}|\n)/g)].map(([, args]) => args.trim().split(' '));
    expect(examples.length).toBeGreaterThanOrEqual(6);
    for (const args of examples.filter((example) => example[0] === '--cpu')) {
      const { exitCode, stderr } = await fpulab('layout', ...args);
      expect({ args, stderr }).toEqual({ args, stderr: '' });
      expect([0, 1]).toContain(exitCode);
    }
  });
});

describe('fpulab layout --check', () => {
  const verdicts = (document: LayoutDocument): readonly (readonly [string, boolean, readonly string[]])[] =>
    (document.check?.parts ?? []).map(({ what, ok, reasons }) => [what, ok, reasons.map(({ code }) => code)] as const);

  it("finds nothing wrong with a processor's own XCR0 and IA32_XSS", async () => {
    for (const id of CPU_IDS.filter((one) => cpuModel(one).features.includes('xsave'))) {
      const { exitCode, document } = await json('--cpu', id, '--check');
      expect([id, exitCode, document.check?.ok]).toEqual([id, 0, true]);
    }
  });

  it('judges XCR0 and IA32_XSS', async () => {
    const { exitCode, document } = await json('--cpu', 'skylake-x', '--xcr0', '0xb', '--xss', '0x100');
    expect(exitCode).toBe(1);
    expect(verdicts(document)).toEqual([
      ['xcr0', false, ['mpx-incomplete']],
      ['xss', true, []],
    ]);
  });

  it('judges a mask as an area, and as what must be enabled', async () => {
    const amx = await json('--cpu', 'sapphire-rapids', '--check', '--mask', '0x202e7');
    expect(verdicts(amx.document)).toEqual([
      ['mask', true, []],
      ['xcr0', false, ['amx-incomplete']],
    ]);
    const mpx = await json('--cpu', 'sapphire-rapids', '--check', '--mask', '0x1f');
    expect(verdicts(mpx.document)).toEqual([
      ['mask', false, ['not-enumerated']],
      ['xcr0', false, ['not-enumerated']],
    ]);
    const cet = await json('--cpu', 'zen4', '--check', '--mask', '0x1803', '--compacted');
    expect([cet.exitCode, ...verdicts(cet.document)]).toEqual([
      0,
      ['mask', true, []],
      ['xcr0', true, []],
      ['xss', true, []],
    ]);
    const standard = await json('--cpu', 'zen4', '--check', '--mask', '0x1803');
    expect(verdicts(standard.document)[0]).toEqual(['mask', false, ['supervisor-in-standard-form']]);
  });

  it('compares the same mask on both, or all that each has', async () => {
    const same = await json('--cpu', 'zen4', '--mask', '0x7', '--against', 'skylake-x');
    expect([same.exitCode, same.document.check?.ok]).toEqual([0, true]);
    const all = await json('--cpu', 'zen4', '--against', 'skylake-x');
    expect(verdicts(all.document)[0][2]).toEqual([
      'total',
      'only-in-second',
      'only-in-second',
      ...Array<string>(4).fill('offset'),
    ]);
  });

  it('names processors that have a size, where this one has not', async () => {
    const [exitCode, stdout] = await told('--cpu', 'haswell', '--size', '2696');
    expect(exitCode).toBe(1);
    expect(stdout).toContain('no XSAVE area of haswell has 2696 bytes');
    expect(stdout).toContain('2696 is the standard size on skylake-x');
  });
});

describe('fpulab layout refuses', () => {
  it.each<[string, number, string, readonly string[]]>([
    ['FPU501', 2, "expected hex mask like 0x2e7, found '2e7'", ['--cpu', 'zen4', '--mask', '2e7']],
    ['FPU501', 2, "expected hex mask like 0x2e7, found '0xg'", ['--cpu', 'zen4', '--xcr0', '0xg']],
    ['FPU501', 2, 'expected hex mask like', ['--cpu', 'zen4', '--xss', '0x11111111111111111']],
    ['FPU501', 2, 'expected a whole number', ['--cpu', 'zen4', '--size', '-1']],
    ['FPU501', 2, '--cpu', []],
    ['FPU101', 2, "no CPU model 'nosuch'", ['--cpu', 'nosuch']],
    ['FPU101', 2, "no CPU model 'nosuch'", ['--cpu', 'zen4', '--against', 'nosuch']],
    ['FPU204', 2, 'nehalem has no XSAVE: it saves 512 bytes with FXSAVE', ['--cpu', 'nehalem']],
    ['FPU204', 2, 'pentium-mmx has no XSAVE: it saves 108 bytes with FNSAVE', ['--cpu', 'pentium-mmx']],
    ['FPU204', 2, 'haswell has neither XSAVEC nor XSAVES', ['--cpu', 'haswell', '--compacted']],
    ['FPU502', 66, "no CPU model file './nosuch.cpu.json'", ['--cpu', './nosuch.cpu.json']],
    ['FPU102', 65, 'expected JSON', ['--cpu', 'broken.cpu.json']],
    ['FPU102', 65, 'empty.cpu.json', ['--cpu', 'empty.cpu.json']],
    ['FPU102', 65, "zen4.cpu.json: id: 'zen4' is a built-in model", ['--cpu', 'zen4.cpu.json']],
    ['FPU503', 74, 'cannot write', ['--cpu', 'zen4', '--svg', 'nosuch/map.svg']],
  ])('with %s and exit code %i: %s', async (code, expected, message, args) => {
    writeFileSync('broken.cpu.json', '{');
    writeFileSync('empty.cpu.json', '{}');
    writeFileSync('zen4.cpu.json', JSON.stringify({ ...cpuModelFile(cpuModel('zen4')), title: 'another' }));
    const { exitCode, stdout, stderr } = await fpulab('layout', ...args);
    expect(stderr).toContain(`fpulab: error[${code}]: `);
    expect(stderr).toContain(message);
    expect(stdout).toBe('');
    expect(exitCode).toBe(expected);
  });

  it('two documents on stdout', async () => {
    const { exitCode, stderr } = await fpulab('layout', '--cpu', 'zen4', '--svg', '--json');
    expect(exitCode).toBe(2);
    expect(JSON.parse(stderr)).toMatchObject({ error: { id: 'FPU501' } });
  });
});

it('has commands in docs/layout.md that run as pasted, and print what is shown', async () => {
  const blocks = [...readFileSync(DOCS, 'utf8').matchAll(/```sh\n([\s\S]*?)```(?:\n\n```text\n([\s\S]*?)```)?/g)];
  const commands = blocks.flatMap(([, script, shown]) =>
    script
      .trim()
      .split('\n')
      .map((line) => ({ line, shown })),
  );
  expect(commands.length).toBeGreaterThan(6);
  for (const { line, shown } of commands) {
    const args = line.replace(/#.*/, '').trim().split(/\s+/);
    expect(args.slice(0, 2)).toEqual(['npx', 'fpulab']);
    const { exitCode, stdout, stderr } = await fpulab(...args.slice(2));
    expect({ line, stderr }).toEqual({ line, stderr: '' });
    expect([0, 1]).toContain(exitCode);
    if (shown !== undefined) expect(stdout).toContain(shown);
  }
  expect(existsSync('map.svg')).toBe(true);
});
