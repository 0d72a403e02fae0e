import { ORACLES } from '@fpulab/core';
import { bugOf, type Bug } from '@fpulab/policies';
import { exitCodeOf } from '../src/commands/museum';
import { watched, type Watched } from '../src/explore/conduct';
import { museumDocument, type MuseumResult } from '../src/museum/document';
import { explored } from '../src/museum/exhibit';
import { museumText } from '../src/museum/text';
import { paintFor } from '../src/terminal';
import { fpulab, temporaryDirectory } from './command';

const home = process.cwd();
beforeAll(() => process.chdir(temporaryDirectory()));
afterAll(() => process.chdir(home));

/** The words of a command line, as a shell takes them apart. */
const words = (command: string): readonly string[] =>
  command
    .replace(/^fpulab /, '')
    .replaceAll("'", '')
    .split(' ');

/** One bug, explored in this process. */
async function shown(bug: Bug, under?: (watched: Watched) => Watched): Promise<MuseumResult> {
  const exhibit = await watched({ json: false, quiet: true, debug: false, color: 'never' }, (plain) =>
    explored(bug, under ? under(plain) : plain, ''),
  );
  return { exhibits: [exhibit], interrupted: false, durationMs: 0 };
}

const document = (result: MuseumResult) => museumDocument(result, false).bugs[0];
const text = (result: MuseumResult) => museumText(result, false, paintFor('never'));

describe('fpulab museum', () => {
  it('has one JSON document: bugs that are found, by runs that replay, and fixes that are verified', async () => {
    const { exitCode, stdout, stderr } = await fpulab('museum', 'F29', 'F32', '--json');
    expect([exitCode, stderr]).toEqual([0, '']);
    const { bugs, ...rest } = JSON.parse(stdout) as { bugs: Record<string, unknown>[] };
    expect(rest).toEqual({ schema: 'fpulab/museum@1', interrupted: false, durationMs: expect.any(Number) });
    expect(bugs).toMatchObject([
      {
        id: 'F29',
        name: 'lazyfp',
        year: 2018,
        cve: 'CVE-2018-3665',
        property: 'speculative-exposure',
        buggy: { preset: 'linux-4.2', patches: [] },
        found: true,
        choices: 10,
        steps: 46,
        fixes: [{ by: '58122bf1d856', preset: 'linux-4.8', patches: [], verdict: 'verified', states: 869 }],
        fixVerified: true,
      },
      {
        id: 'F32',
        source: bugOf('F32').source,
        property: 'leak',
        buggy: { preset: 'linux-4.8', patches: ['bogus-xcomp-bv'] },
        found: true,
        choices: 4,
        steps: 110,
        fixes: [
          { patches: [], verdict: 'verified', states: 15 },
          { patches: ['bogus-xcomp-bv', 'fprestore-fixup'], oracles: ['leak'], verdict: 'verified', states: 17 },
        ],
        fixVerified: true,
      },
    ]);
    const [lazy] = bugs as unknown as readonly { fixes: readonly { oracles: readonly string[] }[] }[];
    expect([...lazy.fixes[0].oracles].sort()).toEqual(ORACLES.filter((id) => id !== 'pkru-mismatch').sort());
    for (const { replay, steps, property, violation, told, diagram } of bugs) {
      const again = await fpulab('--json', ...words(String(replay)));
      expect(again.exitCode).toBe(1);
      const { violations } = JSON.parse(again.stdout) as { violations: readonly unknown[] };
      expect(violations[violations.length - 1]).toEqual(violation);
      expect(violation).toMatchObject({ id: property });
      expect(replay).toMatch(
        new RegExp(`^fpulab replay 'r1\\.\\S+' --oracle ${String(property)} --max-steps ${String(steps)}$`),
      );
      expect(told).toContainEqual(expect.stringMatching(new RegExp(`^ +! ${String(property)} at event`)));
      expect(diagram).toContain('fpregs hold');
    }
  });

  it('prints a table, then the story, the run, its diagram, and lines that repeat it all', async () => {
    const { exitCode, stdout } = await fpulab('museum', 'F44', '--quiet');
    expect(exitCode).toBe(0);
    const lines = stdout.split('\n');
    expect(lines.slice(0, 5)).toEqual([
      'id   name       year  kernels            breaks  found in  fix verified',
      'F44  xen-pv-nm  2013  up to 4.1, Xen PV  leak    69 steps  131 states',
      '',
      expect.stringMatching(/^1 bug: all found, every fix verified; \d+\.\d\d s$/),
      '',
    ]);
    expect(stdout.replace(/\s+/g, ' ')).toContain(bugOf('F44').story);
    expect(stdout).toContain('! leak at event 187: A can read X#1 in x87, which X wrote\n');
    expect(stdout).toContain('4 choices, 69 steps: no run has fewer choices');
    expect(stdout).toContain('! LEAK: A sees X#1'); // drawn
    expect(stdout).toMatch(/#30 +cpu0 B +fpu__restore\/kmem_cache_alloc +B\.sleeping 0>1/); // told
    expect((await fpulab('museum', 'F44', '--no-diagram')).stdout).not.toContain('! LEAK');

    const [, replay] = /replay: (fpulab .*)/.exec(stdout) ?? [];
    expect((await fpulab(...words(replay))).stdout).toContain('! leak at event 187');
    const [, again] = /again: (fpulab .*)/.exec(stdout) ?? [];
    expect((await fpulab(...words(again))).stdout).toMatch(/^verified {2}xen-pv-leak: .*\n[^]*\n {2}131 states/);
  });

  it('knows what there is, and what there is not', async () => {
    const { exitCode, stdout, stderr } = await fpulab('museum', 'F44', 'F99');
    expect([exitCode, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(
      /^fpulab: error\[FPU504\]: no bug 'F99' in the museum; there: F01, F03, .*F51. Others that presets have: fpulab list bugs\n$/,
    );
    expect((await fpulab('list', 'bugs')).stdout).toMatch(/^F29 +another task's registers/m);
    expect((await fpulab('museum', '--help')).stdout).toContain('fpulab museum F05');
  });

  it('ends with 130 on Ctrl-C', async () => {
    const before = process.listenerCount('SIGINT');
    const timer = setInterval(() => {
      if (process.listenerCount('SIGINT') <= before) return; // not exploring yet
      clearInterval(timer);
      process.emit('SIGINT');
    }, 1);
    const { exitCode, stdout } = await fpulab('museum', '--json');
    expect(exitCode).toBe(130);
    const { interrupted, bugs } = JSON.parse(stdout) as { interrupted: boolean; bugs: readonly unknown[] };
    expect(interrupted).toBe(true);
    expect(bugs.length).toBeLessThan(3);
  });

  it('says after Ctrl-C what was found by then, and that nobody knows of the fix', async () => {
    const untilFixed = ({ explore, signal }: Watched): Watched => ({
      signal,
      explore(options, label) {
        if (label?.includes('fixed')) process.emit('SIGINT');
        return explore(options, label);
      },
    });
    const result = { ...(await shown(bugOf('F08'), untilFixed)), interrupted: true };
    expect(exitCodeOf(result)).toBe(130);
    expect(document(result)).toMatchObject({ found: true, steps: 56, fixes: [], fixVerified: null });
    expect(text(result)).toContain('56 steps  ? states\n\n1 bug: interrupted: F08; ');
  });
});

describe('a museum that is wrong', () => {
  const bug = bugOf('F44');
  const [fix] = bug.fixes;

  it('ends with 1 and says which bug is not found', async () => {
    const result = await shown({ ...bug, buggy: fix });
    expect(exitCodeOf(result)).toBe(1);
    expect(document(result)).toMatchObject({ found: false, steps: null, replay: null, fixVerified: true });
    expect(text(result)).toContain('not found  131 states\n\n1 bug: not found: F44; ');
  });

  it('ends with 1 and says which fix is not verified, and why', async () => {
    const result = await shown({ ...bug, fixes: [fix, { ...bug.buggy, by: 'nothing' }] });
    expect(exitCodeOf(result)).toBe(1);
    expect(document(result)).toMatchObject({
      found: true,
      fixes: [{ verdict: 'verified' }, { by: 'nothing', verdict: 'violation', violations: ['leak', 'validity'] }],
      fixVerified: false,
    });
    expect(text(result)).toContain('131 + NOT states\n\n1 bug: fix not verified: F44; ');
    expect(text(result)).toContain('! nothing: NOT VERIFIED: violation, leak, validity\n');
  });
});
