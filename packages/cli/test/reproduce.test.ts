import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readLog, replayLog } from '@fpulab/eventlog';
import { XEN_PV_LEAK } from '../src/commands/reproductions';
import { agree, type Proof } from '../src/reproduce/proofs';
import { fpulab, temporaryDirectory } from './command';

interface RunDocument {
  readonly id: string;
  readonly verdict: string;
  readonly violations: readonly {
    readonly id: string;
    readonly task: string;
    readonly writer: string;
    readonly step: number;
  }[];
  readonly exposures: readonly { readonly id: string }[];
  readonly log: string;
  readonly digest: string;
  readonly diagram: string;
  readonly choices: number;
  readonly asExpected: boolean;
  readonly proofs: readonly {
    readonly scenario: string;
    readonly tasks: number;
    readonly verdict: string;
    readonly states: number;
    readonly transitions: number;
    readonly durationMs: number;
    readonly choices: number | null;
    readonly steps: number | null;
    readonly oracle: string | null;
    readonly replay: string | null;
  }[];
}

describe('fpulab reproduce xen-pv-leak', () => {
  const out = temporaryDirectory();
  let runs: readonly RunDocument[];
  const run = (id: string): RunDocument => runs.find((one) => one.id === id) as RunDocument;
  const ids = (id: string): readonly string[] => [...new Set(run(id).violations.map((violation) => violation.id))];

  beforeAll(async () => {
    const { exitCode, stdout } = await fpulab('reproduce', 'xen-pv-leak', '--json', '--out', out);
    expect(exitCode).toBe(0);
    const document = JSON.parse(stdout) as { schema: string; runs: readonly RunDocument[] };
    expect(document.schema).toBe('fpulab/reproduce@1');
    runs = document.runs;
  });

  it('has seven runs', () => {
    expect(runs.map(({ id, verdict }) => [id, verdict])).toEqual([
      ['xen-hvm', 'clean'],
      ['xen-pv', 'violation'],
      ['xen-pv+guest-fix', 'clean'],
      ['xen-pv+real-ts-only', 'violation'],
      ['xen-pv+keep-both', 'clean'],
      ['linux-4.2-on-xen-pv', 'clean'],
      ['classic-guest+keep-both', 'violation'],
    ]);
  });

  it("leaks X's value to B on Xen PV, and loses what B wrote", () => {
    expect(ids('xen-pv')).toEqual(['leak', 'validity', 'lost-update']);
    expect(run('xen-pv').violations[0]).toMatchObject({ id: 'leak', task: 'B', writer: 'X' });
    expect(ids('xen-pv+real-ts-only')).toEqual(['leak', 'validity', 'lost-update']);
  });

  it('takes #NM in kernel mode where a classic guest is entered with both TS bits set', () => {
    expect(ids('classic-guest+keep-both')).toEqual(['unexpected-fault']);
  });

  it('reports the exposure behind TS=1 beside a clean verdict', () => {
    expect(run('xen-hvm').violations).toEqual([]);
    expect(new Set(run('xen-hvm').exposures.map(({ id }) => id))).toEqual(new Set(['speculative-exposure']));
  });

  it('finds the shortest run to every kind of violation, and no other kind', () => {
    const shortest = (id: string) =>
      run(id).proofs.map(({ oracle, choices, steps, tasks }) => `${oracle} ${choices}/${steps} of ${tasks}`);
    expect(shortest('xen-pv')).toEqual(['leak 4/69 of 3', 'validity 4/70 of 3', 'lost-update 5/86 of 3']);
    expect(shortest('xen-pv+real-ts-only')).toEqual(['leak 4/73 of 3', 'validity 4/74 of 3', 'lost-update 5/90 of 3']);
    expect(shortest('classic-guest+keep-both')).toEqual(['unexpected-fault 2/40 of 3']);
    for (const { choices, proofs } of runs) {
      for (const proof of proofs) if (proof.choices !== null) expect(proof.choices).toBeLessThanOrEqual(choices);
    }
    expect(run('xen-pv').choices).toBe(5);
  });

  it.each([
    ['xen-hvm', [854, 5748, 26959]],
    ['xen-pv+guest-fix', [898, 5856, 26875]],
    ['xen-pv+keep-both', [898, 5856, 26875]],
    ['linux-4.2-on-xen-pv', [695, 3780, 14537]],
  ])('verifies %s for 2, 3 and 4 tasks with any programs', (id, states) => {
    const { proofs } = run(id);
    expect(proofs.map(({ verdict, tasks }) => [verdict, tasks])).toEqual([2, 3, 4].map((tasks) => ['verified', tasks]));
    expect(proofs.map((proof) => proof.states)).toEqual(states);
    expect(proofs[2]).toEqual({
      scenario: 'xen-pv-leak.any-4',
      tasks: 4,
      verdict: 'verified',
      reason: null,
      states: states[2],
      transitions: expect.any(Number),
      durationMs: expect.any(Number),
      choices: null,
      steps: null,
      oracle: null,
      replay: null,
    });
  });

  it('prints a line that repeats the shortest run', async () => {
    const { replay } = run('xen-pv').proofs[0];
    const [, text, steps] = /^fpulab replay '(.*)' --max-steps (\d+)$/.exec(String(replay)) as RegExpExecArray;
    const { exitCode, stdout } = await fpulab('replay', text, '--max-steps', steps, '--json');
    expect(exitCode).toBe(1);
    expect((JSON.parse(stdout) as RunDocument).violations.map(({ id }) => id)).toEqual(['leak']);
  });

  it('leaves a log per run that folds, without policies, to the digest it reports', () => {
    for (const { log, digest, verdict } of runs) {
      const replayed = replayLog(readLog(log));
      expect(replayed).toMatchObject({ complete: true, digest, verdict });
    }
  });

  it('reruns every log with its policies, event by event', async () => {
    for (const { log, verdict } of runs) {
      const { exitCode, stdout } = await fpulab('replay', log, '--rerun', '--json');
      expect(JSON.parse(stdout)).toMatchObject({ rerun: 'same', verdict });
      expect(exitCode).toBe(verdict === 'clean' ? 0 : 1);
    }
  });

  it('draws at most 132 columns by 42 lines, uncoloured in JSON', () => {
    for (const { diagram } of runs) {
      const lines = diagram.split('\n');
      expect(lines.length).toBeLessThanOrEqual(42);
      for (const line of lines) expect(line.length).toBeLessThanOrEqual(132);
      expect(diagram).not.toContain('\x1b');
    }
  });

  it.each(['xen-hvm', 'xen-pv', 'classic-guest+keep-both'])('draws %s as before', (id) => {
    expect(run(id).diagram).toMatchSnapshot();
  });

  it('is in the README as it is drawn', () => {
    const readme = readFileSync(join(__dirname, '../../../README.md'), 'utf8');
    const [, shown] = /```\n(xen-pv: [\s\S]*?)\n```/.exec(readme) ?? [];
    const trimmed = (text = ''): readonly string[] => text.split('\n').map((line) => line.trimEnd());
    expect(trimmed(shown)).toEqual(trimmed(run('xen-pv').diagram));
  });

  it('prints both diagrams and every verdict for people, with colour on request; the logs are byte-identical', async () => {
    const again = temporaryDirectory();
    const { exitCode, stdout } = await fpulab('--color', 'always', 'reproduce', 'xen-pv-leak', '--out', again);
    expect(exitCode).toBe(0);
    expect(stdout).toContain('LEAK: B');
    expect(stdout).toContain('All 7 runs end as history says, and every interleaving was explored.');
    expect(stdout).toContain('  verified for 4 tasks with any programs: 26,959 states, ');
    expect(stdout).toContain('  shortest run to leak: 4 choices, 69 steps\n');
    expect(stdout).toContain('  the recorded run makes 5 choices before its first violation; explored: 715 states, ');
    expect(stdout).toContain('\x1b[31m');
    for (const { id } of XEN_PV_LEAK.runs) {
      const file = join('xen-pv-leak', `${id}.events.jsonl`);
      expect(readFileSync(join(again, file)).equals(readFileSync(join(out, file)))).toBe(true);
    }
  });

  it('wants the proofs to agree', () => {
    const violation = run('xen-pv').proofs as readonly Proof[];
    const clean = run('xen-hvm').proofs as readonly Proof[];
    expect(agree(violation, ['leak', 'lost-update', 'validity'])).toBe(true);
    expect(agree(violation, ['leak', 'lost-update'])).toBe(false);
    expect(agree(violation, ['leak', 'lost-update', 'validity', 'atomic-sleep'])).toBe(false);
    expect(agree(violation, [])).toBe(false);
    expect(agree(clean, [])).toBe(true);
    expect(agree(clean, ['leak'])).toBe(false);
    expect(agree([...clean.slice(1), { ...clean[0], verdict: 'inconclusive' }], [])).toBe(false);
  });

  it('names the cases that it knows', async () => {
    const { exitCode, stderr } = await fpulab('reproduce', 'lazyfp');
    expect(exitCode).toBe(2);
    expect(stderr).toBe(
      "fpulab: error[FPU504]: nothing called 'lazyfp' to reproduce; known: xen-pv-leak, pasid-update\n",
    );
  });
});

describe('speculative exposure in the scenario xen-pv-leak', () => {
  const home = process.cwd();
  beforeAll(() => process.chdir(temporaryDirectory()));
  afterAll(() => process.chdir(home));

  const exposed = async (preset: string, platform: string, scenario = 'xen-pv-leak') => {
    const args = [scenario, '--policy', preset, '--platform', platform, '--oracle', 'speculative-exposure'];
    const { exitCode } = await fpulab('explore', ...args, '--all', '--json');
    return exitCode === 1;
  };

  it('is in the nature of lazy kernels, and not of eager ones', async () => {
    expect(await exposed('linux-3.6', 'bare-metal')).toBe(true);
    expect(await exposed('linux-4.2', 'bare-metal')).toBe(true);
    expect(await exposed('linux-4.8', 'bare-metal')).toBe(false);
  });

  it.each(['xen-hvm', 'xen-pv'])(
    'is in the nature of %s, too, which restores a vCPU that was idle lazily',
    async (xen) => {
      expect(await exposed('linux-4.8', xen)).toBe(true);
    },
  );

  it('is there with any programs, as it is with its own', async () => {
    expect(await exposed('linux-4.8', 'bare-metal', 'xen-pv-leak.any-2')).toBe(false);
    expect(await exposed('linux-4.8', 'xen-pv', 'xen-pv-leak.any-2')).toBe(true);
  });
});
