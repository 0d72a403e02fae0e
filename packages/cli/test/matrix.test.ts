import { execFileSync, spawn } from 'node:child_process';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SourceFile } from '../src/matrix/source-files';
import { fpulab, temporaryDirectory } from './command';

const ROOT = join(__dirname, '../../..');

interface MatrixDocument {
  readonly schema: string;
  readonly presets: readonly string[];
  readonly platforms: readonly string[];
  readonly scenarios: readonly string[];
  readonly interrupted: boolean;
  readonly svg: string | null;
  readonly durationMs: number;
  readonly cells: readonly {
    readonly preset: string;
    readonly platform: string;
    readonly scenario: string;
    readonly verdict: string;
    readonly violations: readonly { id: string; choices: number; steps: number; replay: string | null }[];
    readonly complete: boolean;
    readonly states: number;
    readonly reason: string | null;
    readonly replay: string;
    readonly command: string;
    readonly durationMs: number;
    readonly cached: boolean;
    readonly digest: string;
  }[];
}

/** Two kernels, two platforms, two scenarios with their own programs. */
const SMALL = [
  '--preset',
  'linux-3.6,linux-4.2',
  '--platform',
  'xen-hvm,xen-pv',
  '--scenario',
  'xen-pv-leak,fork-exec-exit',
];

async function matrix(
  ...args: readonly string[]
): Promise<{ exitCode: number; document: MatrixDocument; stderr: string }> {
  const { exitCode, stdout, stderr } = await fpulab('--json', 'matrix', '--jobs', '1', ...args);
  return { exitCode, document: JSON.parse(stdout) as MatrixDocument, stderr };
}

/** Cells as `preset platform scenario` and what came of them. */
function verdicts({ cells }: MatrixDocument): readonly (readonly [string, string])[] {
  return cells.map(({ preset, platform, scenario, verdict, violations }) => [
    `${preset} ${platform} ${scenario}`,
    [verdict, ...violations.map(({ id, choices, steps }) => `${id} ${choices}/${steps}`)].join(' '),
  ]);
}

const home = process.cwd();
/** Of the tests of SMALL: its cells are explored once. */
const shared = temporaryDirectory();
beforeEach(() => process.chdir(temporaryDirectory()));
afterEach(() => process.chdir(home));

describe('fpulab matrix', () => {
  it('explores every cell, finds all kinds of violations, and keeps what it found', async () => {
    process.chdir(shared);
    const first = await matrix(...SMALL);
    expect(first.exitCode).toBe(1);
    expect(verdicts(first.document)).toEqual([
      ['linux-3.6 xen-hvm xen-pv-leak', 'verified'],
      ['linux-3.6 xen-hvm fork-exec-exit', 'verified'],
      ['linux-3.6 xen-pv xen-pv-leak', 'violation leak 4/69 validity 4/70 lost-update 5/86'],
      ['linux-3.6 xen-pv fork-exec-exit', 'violation leak 10/116 validity 10/121 lost-update 11/117'],
      ['linux-4.2 xen-hvm xen-pv-leak', 'verified'],
      ['linux-4.2 xen-hvm fork-exec-exit', 'verified'],
      ['linux-4.2 xen-pv xen-pv-leak', 'verified'],
      ['linux-4.2 xen-pv fork-exec-exit', 'verified'],
    ]);
    expect(first.document.cells.every(({ cached, complete }) => !cached && complete)).toBe(true);

    const second = await matrix(...SMALL);
    expect(second.exitCode).toBe(1);
    expect(second.document.cells).toEqual(first.document.cells.map((cell) => ({ ...cell, cached: true })));

    const third = await matrix(
      '--no-cache',
      '--preset',
      'linux-4.2',
      '--platform',
      'xen-pv',
      '--scenario',
      'xen-pv-leak',
    );
    expect(third.document.cells.map(({ cached }) => cached)).toEqual([false]);
  });

  it('has one JSON document, whose replay lines repeat the cells', async () => {
    const { document } = await matrix(
      '--preset',
      'linux-3.6',
      '--platform',
      'bare-metal,xen-pv',
      '--scenario',
      'xen-pv-leak',
    );
    expect(document).toEqual({
      schema: 'fpulab/matrix@1',
      presets: ['linux-3.6'],
      platforms: ['bare-metal', 'xen-pv'],
      scenarios: ['xen-pv-leak'],
      cells: [expect.anything(), expect.anything()],
      interrupted: false,
      svg: null,
      durationMs: expect.any(Number),
    });
    const [verified, violation] = document.cells;
    expect(verified).toEqual({
      preset: 'linux-3.6',
      platform: 'bare-metal',
      scenario: 'xen-pv-leak',
      verdict: 'verified',
      violations: [],
      complete: true,
      states: 308,
      reason: null,
      replay: verified.command,
      command: 'fpulab explore xen-pv-leak --policy linux-3.6 --platform bare-metal --all --max-states 1200000',
      durationMs: expect.any(Number),
      cached: false,
      digest: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
    expect(violation.replay).toMatch(/^fpulab replay 'r1\.xen-pv-leak\.[^']+' --max-steps 69$/);
    expect(violation.replay).toBe(violation.violations[0].replay);
    const [, text] = /'(.*)'/.exec(violation.replay) as RegExpExecArray;
    const replayed = await fpulab('--json', 'replay', text, '--max-steps', '69');
    expect(replayed.exitCode).toBe(1);
    expect((JSON.parse(replayed.stdout) as { violations: { id: string }[] }).violations[0].id).toBe('leak');
    const [, ...explore] = verified.command.split(' ');
    const explored = await fpulab('--json', ...explore);
    expect(explored.exitCode).toBe(0);
  });

  it('ends with 0, 1 or 3, by what its cells say', async () => {
    const of = ['--preset', 'linux-3.6', '--platform', 'xen-pv', '--scenario', 'xen-pv-leak'];
    const verified = await matrix('--preset', 'linux-4.8', ...of.slice(2));
    expect([verified.exitCode, verdicts(verified.document)[0][1]]).toEqual([0, 'verified']);
    const inconclusive = await matrix(...of, '--max-states', '10');
    expect([inconclusive.exitCode, inconclusive.document.cells[0].reason]).toEqual([3, 'stopped at 10 states']);
    const both = await matrix(
      '--preset',
      'linux-3.6',
      '--platform',
      'xen-pv,xen-hvm',
      '--scenario',
      'xen-pv-leak',
      '--max-states',
      '100',
    );
    expect(both.document.cells.map(({ verdict }) => verdict)).toEqual(['violation', 'inconclusive']);
    expect(both.document.cells[0]).toMatchObject({
      complete: false,
      reason: expect.stringContaining('there may be other violations'),
    });
    expect(both.exitCode).toBe(1);
    const unfit = await matrix('--preset', 'linux-4.8', '--scenario', 'fork-exec-exit', '--cpu', 'pentium-mmx');
    expect(unfit.document.cells).toHaveLength(5);
    for (const { verdict, reason } of unfit.document.cells) {
      expect([verdict, reason]).toEqual(['cannot-run', expect.stringContaining("the CPU model 'pentium-mmx' lacks")]);
    }
    expect(unfit.exitCode).toBe(0);
  });

  it('finds what can happen although the time is short, and keeps nothing that a clock ended', async () => {
    const of = ['--preset', 'linux-3.6', '--platform', 'xen-hvm,xen-pv', '--scenario', 'interrupts'];
    const { document, exitCode } = await matrix(...of, '--timeout', '1');
    expect(document.cells.map(({ verdict, reason }) => [verdict, reason])).toEqual([
      ['inconclusive', 'stopped after 1 s'],
      ['violation', 'not all was explored: there may be other violations'],
    ]);
    expect(document.cells[1].violations.map(({ id }) => id)).toContain('unexpected-fault');
    expect(exitCode).toBe(1);
    expect(() => readdirSync('.fpulab/matrix')).toThrow('ENOENT');
  });

  it('explores a cell again whose kept file is damaged, and writes it again', async () => {
    const of = ['--preset', 'linux-4.8', '--platform', 'bare-metal', '--scenario', 'xen-pv-leak'];
    await matrix(...of);
    const [name] = readdirSync('.fpulab/matrix');
    const file = join('.fpulab/matrix', name);
    const kept = readFileSync(file, 'utf8');
    for (const damaged of ['', '{"schema":', '{}', 'null', kept.replace('"verified"', '"fine"'), kept.slice(0, -20)]) {
      writeFileSync(file, damaged);
      const { document, exitCode } = await matrix(...of);
      expect([exitCode, document.cells[0].cached, document.cells[0].verdict]).toEqual([0, false, 'verified']);
      expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({ schema: 'fpulab/matrix-cell@1' });
    }
    expect(readdirSync('.fpulab/matrix')).toEqual([name]);
    expect((await matrix(...of)).document.cells[0].cached).toBe(true);
  });

  it('prints a table of at most 132 columns, or Markdown, and draws', async () => {
    process.chdir(shared);
    const table = await fpulab('matrix', '--jobs', '1', ...SMALL, '--svg', 'maps/small.svg');
    expect(table.exitCode).toBe(1);
    expect(table.stdout).toContain('linux-3.6  xen-hvm  ok 308       ok 6524');
    expect(table.stdout).toContain('           xen-pv   ! LUV        ! LUV');
    expect(table.stdout).toContain('L leak, U lost-update, V validity');
    expect(table.stdout).toContain('8 cells: 6 verified, 2 with violations, 0 inconclusive');
    for (const line of table.stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(132);
    const markdown = await fpulab('matrix', '--jobs', '1', ...SMALL, '--markdown');
    expect(markdown.stdout).toContain('| linux-3.6 | xen-pv | **violation**: leak, validity, lost-update |');
    const svg = readFileSync('maps/small.svg', 'utf8');
    expect(svg).toMatch(/^<svg [^>]*role="img"/);
    expect(svg).toContain('prefers-color-scheme: dark');
    expect(svg.match(/<g><title>/g)).toHaveLength(8);
    expect(svg).toContain(
      '<title>linux-3.6 on xen-pv: xen-pv-leak: violation\nleak, validity, lost-update\nfpulab replay',
    );
    expect(svg).not.toContain('<script');
  });

  it.each([
    [['--preset', 'linux-9'], "no preset 'linux-9'; known: linux-2.6.32"],
    [['--platform', 'kvm'], "no platform 'kvm'; known: bare-metal"],
    [['--scenario', 'nap'], "no scenario 'nap'; known: xen-pv-leak"],
    [['--preset', ','], 'expected names with commas between them and nothing empty'],
    [['--scenario', 'preemption.any-2', '--tasks', '3'], "the scenario 'preemption.any-2' says how many tasks"],
    [['--markdown', '--json'], '--json prints one JSON document and --markdown prints Markdown; drop one'],
    [['--cpu', 'z80'], "'z80'"],
    [['--jobs', '0'], 'expected a whole number from 1 to 64'],
    [['--max-states', 'many'], 'expected a whole number from 1'],
    [['surplus'], 'too many arguments'],
  ])('refuses %j', async (args, complaint) => {
    const { exitCode, stdout, stderr } = await fpulab('matrix', ...args);
    expect([exitCode, stdout]).toEqual([2, '']);
    expect(stderr).toContain(complaint);
  });

  it('explores in worker threads; Ctrl-C prints the cells known so far', async () => {
    const directory = temporaryDirectory();
    const args = ['matrix', '--jobs', '2', '--json', '--preset', 'linux-3.6', '--platform', 'xen-hvm'];
    const child = spawn(
      process.execPath,
      [join(ROOT, 'packages/cli/bin/fpulab.cjs'), ...args, '--scenario', 'xen-pv-leak,interrupts,preemption.any-3'],
      { cwd: directory, stdio: ['ignore', 'pipe', 'pipe'] },
    );
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (text) => (stdout += String(text)));
    child.stderr.on('data', (text) => (stderr += String(text)));
    const closed = new Promise((resolve) => child.on('close', resolve));
    const kept = (): number => {
      try {
        return readdirSync(join(directory, '.fpulab/matrix')).length;
      } catch {
        return 0;
      }
    };
    while (kept() === 0) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      // Not built, as a rule: worker threads need `npm run build`.
      if (child.exitCode !== null) throw new Error(`ended with ${child.exitCode} before its first cell:\n${stderr}`);
    }
    child.kill('SIGINT');
    expect(await closed).toBe(130);
    const document = JSON.parse(stdout) as MatrixDocument;
    expect(document.interrupted).toBe(true);
    expect(verdicts(document)).toEqual([['linux-3.6 xen-hvm xen-pv-leak', 'verified']]);
  });
});

describe('what a cell depends on', () => {
  it('is the files behind its modules: touching what only one needs changes only its digest', () => {
    const directory = temporaryDirectory();
    const modules = {
      'core.js': 'exports.core = 1;',
      'third.js': "require('typescript/package.json');",
      'lazy.js': "require('./core'); require('./third'); exports.lazy = 1;",
      'eager.js': "require('./core'); exports.eager = 1;",
    };
    for (const [name, text] of Object.entries(modules)) writeFileSync(join(directory, name), text);
    const script = `
      const { SourceFiles } = require(${JSON.stringify(join(ROOT, 'packages/cli/src/matrix/source-files.ts'))});
      const { appendFileSync } = require('node:fs');
      module.paths.push(${JSON.stringify(join(ROOT, 'node_modules'))});
      const [lazy, eager, core] = ['lazy', 'eager', 'core'].map((name) => require.resolve(${JSON.stringify(directory)} + '/' + name));
      require(lazy); require(eager);
      const behind = () => [lazy, eager].map((file) => new SourceFiles().behind([file]));
      const before = behind();
      appendFileSync(lazy, '// touched');
      const lazyTouched = behind();
      appendFileSync(core, '// touched');
      console.log(JSON.stringify([before, lazyTouched, behind()]));`;
    const environment = { ...process.env, NODE_PATH: join(ROOT, 'node_modules') };
    const output = execFileSync(process.execPath, ['-r', 'ts-node/register', '-e', script], {
      cwd: ROOT,
      env: environment,
    });
    const [before, lazyTouched, coreTouched] = JSON.parse(String(output)) as (readonly (readonly SourceFile[])[])[];
    const names = (files: readonly SourceFile[]): readonly string[] =>
      files.map(([name]) => name.split('/').slice(-2).join('/')).map((name) => name.replace(/^fpulab-test-\w+\//, ''));
    expect(names(before[0])).toEqual(
      expect.arrayContaining(['core.js', 'lazy.js', 'third.js', 'typescript/package.json']),
    );
    expect(names(before[1])).toEqual(['core.js', 'eager.js']);
    expect(before[0].filter(([, digest]) => digest === null)).toEqual([['node_modules/typescript/package.json', null]]);
    expect(lazyTouched[0]).not.toEqual(before[0]);
    expect(lazyTouched[1]).toEqual(before[1]);
    expect(coreTouched[1]).not.toEqual(before[1]);
  });

  it('is bounds, CPU model, and number of CPUs, too, but not the timeout', async () => {
    const of = ['--preset', 'linux-4.8', '--platform', 'bare-metal', '--scenario', 'xen-pv-leak', '--no-cache'];
    const digest = async (...more: readonly string[]) => (await matrix(...of, ...more)).document.cells[0].digest;
    const plain = await digest();
    expect(await digest('--timeout', '50')).toBe(plain);
    const others = [
      await digest('--max-states', '5'),
      await digest('--max-states', '5', '--cpu', 'haswell'),
      await digest('--max-states', '5', '--cpus', '2'),
    ];
    expect(new Set([plain, ...others]).size).toBe(4);
  });
});
