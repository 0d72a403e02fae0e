import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CPUS_MAX } from '@fpulab/core';
import { FPULAB_VERSION } from '@fpulab/eventlog';
import { PRESETS } from '@fpulab/policies';
import { fpulab, temporaryDirectory } from './command';

/** Runs in a directory of their own: failures are kept below it. */
const home = process.cwd();
let directory: string;
beforeAll(() => {
  directory = temporaryDirectory();
  process.chdir(directory);
});
afterAll(() => process.chdir(home));

async function json(...args: readonly string[]): Promise<{ exitCode: number; document: Record<string, unknown> }> {
  const { exitCode, stdout } = await fpulab(...args, '--json');
  return { exitCode, document: JSON.parse(stdout) as Record<string, unknown> };
}

describe('fpulab run', () => {
  it('prints one document with the result, the composition and the counters', async () => {
    const { exitCode, document } = await json('run', 'xen-pv-leak', '--platform', 'xen-pv');
    expect(exitCode).toBe(1);
    expect(document).toMatchObject({
      schema: 'fpulab/run@1',
      verdict: 'violation',
      outcome: 'finished',
      policies: ['lazy-cr0-ts'],
      preset: 'linux-3.6',
      platform: 'xen-pv',
      cpu: 'sandybridge',
      cpus: 1,
      scenario: 'xen-pv-leak',
      seed: null,
      digest: expect.stringMatching(/^[0-9a-f]{16}$/) as string,
      replay: expect.stringMatching(/^r1\.xen-pv-leak\.linux-3_6~xen-pv\.sandybridge\.1\.-\./) as string,
    });
    expect(Object.keys(document.counters as object)).toEqual([
      'saves',
      'restores',
      'restoresSkipped',
      'traps',
      'cr0Writes',
      'msrWrites',
      'bytesSaved',
      'bytesRestored',
    ]);
    const [violation] = document.violations as readonly object[];
    expect(violation).toMatchObject({ id: 'leak', component: 'x87', task: 'B', reader: 'B', writer: 'X' });
  });

  it('keeps the log of a run that finds something, although nobody asked', async () => {
    const { document } = await json('run', 'xen-pv-leak', '--platform', 'xen-pv');
    expect(existsSync(document.log as string)).toBe(true);
    const replayed = await json('replay', document.log as string);
    expect(replayed.document).toMatchObject({ verdict: 'violation', digest: document.digest });
  });

  it('is clean with the patch', async () => {
    const { exitCode, stdout } = await fpulab('run', 'xen-pv-leak', '--platform', 'xen-pv', '--patch', 'guest-fix');
    expect(stdout).toMatch(/^clean {2}xen-pv-leak: lazy-cr0-ts \(linux-3\.6\) on xen-pv \+ guest-fix\n/);
    expect(exitCode).toBe(0);
  });

  it('runs a variant of a scenario, and the line that repeats the run names it', async () => {
    const variant = 'interrupts.any-2.nest-1';
    const { document } = await json('run', variant, '--seed', '7', '--max-steps', '60');
    expect(document).toMatchObject({
      scenario: variant,
      outcome: 'step-limit',
      replay: expect.stringMatching(/^r1\.interrupts_any-2_nest-1\./) as string,
    });
    const { document: again } = await json('replay', document.replay as string, '--max-steps', '60');
    expect(again).toMatchObject({ scenario: variant, digest: document.digest });
  });

  it('gives the same log for the same seed, another for another', async () => {
    const logs = ['a', 'b', 'c'].map((name) => join(directory, `${name}.events.jsonl`));
    await fpulab('run', 'migration', '--seed', '7', '--log', logs[0]);
    await fpulab('run', 'migration', '--seed', '0x7', '--log', logs[1]);
    await fpulab('run', 'migration', '--seed', '8', '--log', logs[2]);
    const [a, b, c] = logs.map((log) => readFileSync(log, 'utf8'));
    expect(b).toBe(a);
    expect(c).not.toBe(a);
  });

  it('repeats a seeded run from its replay string, and ends in the same state', async () => {
    const seeded = await json('run', 'xen-pv-leak', '--platform', 'xen-pv', '--seed', '3');
    const again = await json('replay', seeded.document.replay as string);
    expect(again.document.digest).toBe(seeded.document.digest);
    expect(again.exitCode).toBe(seeded.exitCode);
    const choices = await json('run', 'xen-pv-leak', '--choices', seeded.document.replay as string);
    expect(choices.document.digest).toBe(seeded.document.digest);
  });

  it('lets --oracle decide: every lazy policy has speculative-exposure', async () => {
    const { exitCode, document } = await json('run', 'xen-pv-leak', '--oracle', 'speculative-exposure');
    expect(exitCode).toBe(1);
    expect(document.exposures).toEqual([]);
    const eager = await json('run', 'xen-pv-leak', '--oracle', 'speculative-exposure', '--policy', 'linux-4.8');
    expect(eager.exitCode).toBe(0);
  });

  it('has no verdict on a run that did not get where its scenario leads', async () => {
    const { exitCode, document } = await json('run', 'xen-pv-leak', '--max-steps', '0');
    expect(document).toMatchObject({ outcome: 'step-limit', verdict: null });
    expect(exitCode).toBe(3);
  });

  it('prints a replay line that ends as the run did, with its oracles and its step limit', async () => {
    const first = await fpulab(
      'run',
      'endless',
      '--oracle',
      'speculative-exposure',
      '--max-steps',
      '700',
      '--seed',
      '1',
    );
    const line = /replay: fpulab (replay '\S+'.*)\n/.exec(first.stdout)?.[1] ?? '';
    const again = await fpulab(...line.replaceAll("'", '').split(' '));
    expect(again.exitCode).toBe(1);
    const states = [first, again].map(({ stdout }) => /state ([0-9a-f]{16})/.exec(stdout)?.[1]);
    expect(states[1]).toBe(states[0]);
  });

  it('stops endless programs at the step limit', async () => {
    const { exitCode, document } = await json('run', 'endless', '--max-steps', '500');
    expect(document).toMatchObject({ outcome: 'step-limit', steps: 500, verdict: 'clean' });
    expect(exitCode).toBe(0);
  });

  it.each<[string, number, readonly string[]]>([
    ['FPU504', 2, ['run', 'nosuch']],
    ['FPU504', 2, ['run', 'endless', '--platform', 'nosuch']],
    ['FPU504', 2, ['run', 'endless', '--policy', 'nosuch']],
    ['FPU504', 2, ['run', 'endless', '--patch', 'nosuch']],
    ['FPU504', 2, ['run', 'endless', '--oracle', 'nosuch']],
    ['FPU101', 2, ['run', 'endless', '--cpu', 'nosuch']],
    ['FPU203', 2, ['run', 'endless', '--patch', 'keep-both']],
    ['FPU204', 2, ['run', 'preemption', '--cpu', 'pentium-mmx']],
    ['FPU208', 2, ['run', 'endless', '--cpus', '0']],
    ['FPU304', 2, ['run', 'endless', '--seed', '-1']],
    ['FPU303', 2, ['run', 'endless', '--choices', 'r1.x']],
    ['FPU502', 66, ['run', 'endless', '--policy', 'nosuch.ts']],
    ['FPU503', 74, ['run', 'xen-pv-leak', '--log', '/dev/full']],
    ['FPU501', 2, ['rnu']],
    ['FPU501', 2, ['run']],
    ['FPU501', 2, ['run', 'endless', '--cpus', '9']],
    ['FPU501', 2, ['replay', 'nosuch.jsonl', '--nosuch']],
    ['FPU502', 66, ['replay', 'nosuch.jsonl']],
    ['FPU302', 4, ['replay', 'r1.xen-pv-leak.linux-3_6~xen-pv.sandybridge.1.-.zz.zz']],
  ])('refuses with %s and exit code %i: %j', async (code, expected, args) => {
    const { exitCode, stdout, stderr } = await fpulab(...args);
    expect(stderr).toContain(`fpulab: error[${code}]: `);
    expect(stderr).not.toMatch(/\n\s+at /);
    expect(stdout).toBe('');
    expect(exitCode).toBe(expected);
    const asJson = await fpulab(...args, '--json');
    expect(JSON.parse(asJson.stderr)).toMatchObject({ error: { id: code } });
  });

  it.each([[['rnu']], [['run']], [['run', 'endless', '--cpus', 'x']], [['run', 'endless', '--nosuch']], [[]]])(
    'is a usage error, exit code 2: %j',
    async (args: readonly string[]) => {
      const { exitCode, stdout, stderr } = await fpulab(...args);
      expect(exitCode).toBe(2);
      expect(stdout).toBe('');
      expect(stderr).not.toBe('');
    },
  );
});

describe('fpulab replay', () => {
  let log: string;
  beforeAll(async () => {
    log = join(directory, 'leak.events.jsonl');
    await fpulab('run', 'xen-pv-leak', '--platform', 'xen-pv', '--log', log);
  });

  it('folds to an event and shows the machine there', async () => {
    const { exitCode, document } = await json('replay', log, '--to', '40');
    expect(document).toMatchObject({ schema: 'fpulab/replay@1', complete: false, events: 41, verdict: null });
    expect(exitCode).toBe(0);
    const text = await fpulab('replay', log, '--to', '40');
    expect(text.stdout).toContain('xen-pv.guest_ts=1');
  });

  it('refuses an event that the log does not have', async () => {
    const { exitCode, stderr } = await fpulab('replay', log, '--to', '999999');
    expect(stderr).toContain('error[FPU501]');
    expect(exitCode).toBe(2);
  });

  it('draws a log as the run was drawn', async () => {
    const drawn = await json('run', 'xen-pv-leak', '--platform', 'xen-pv', '--diagram');
    const replayed = await json('replay', log, '--diagram');
    const body = (diagram: unknown): readonly string[] => String(diagram).split('\n').slice(1);
    expect(body(replayed.document.diagram)).toEqual(body(drawn.document.diagram));
  });

  it.each([
    ['truncated', 'FPU402', (text: string) => text.slice(0, text.length / 2)],
    [
      'with a changed digit',
      'FPU405',
      (text: string) =>
        text.replace(
          '"fpregs.written","v":1,"by":"user","data":{"component":0,"value":"0x3',
          '"fpregs.written","v":1,"by":"user","data":{"component":0,"value":"0x2',
        ),
    ],
    ['empty', 'FPU401', () => ''],
    ['no log at all', 'FPU401', () => 'hello\n'],
    ['of another version', 'FPU406', (text: string) => text.replace('"version":3', '"version":1')],
  ])('refuses a log that is %s with %s, exit code 65', async (_what, code, damage) => {
    const damaged = join(directory, 'damaged.events.jsonl');
    const text = readFileSync(log, 'utf8');
    expect(damage(text)).not.toBe(text);
    writeFileSync(damaged, damage(text));
    for (const flags of [[], ['--rerun'], ['--to', '5']]) {
      const { exitCode, stdout, stderr } = await fpulab('replay', damaged, ...flags);
      expect(stderr).toContain(`error[${code}]`);
      expect(stdout).toBe('');
      expect(exitCode).toBe(65);
    }
  });
});

describe('fpulab list', () => {
  it('lists what there is to combine', async () => {
    const { exitCode, document } = await json('list');
    expect(exitCode).toBe(0);
    const presets = document.presets as readonly { id: string; parts: unknown; bugs: unknown }[];
    expect(presets.map(({ id }) => id)).toEqual(PRESETS.map(({ id }) => id));
    expect(presets.find(({ id }) => id === 'linux-3.6')).toEqual({
      id: 'linux-3.6',
      title: 'Linux 3.6: lazy, state allocated at first use with interrupts on',
      parts: [
        { policy: 'lazy-cr0-ts', era: 'linux-3.6' },
        { policy: 'kvm', era: 'linux-3.6' },
        { policy: 'kvm-xcr0', era: 'with-registers' },
      ],
      patches: [],
      fixed: [],
      bugs: expect.arrayContaining([{ id: 'F44', on: 'xen-pv' }, { id: 'F49' }]) as unknown,
    });
    expect((document.platforms as readonly { id: string }[]).map(({ id }) => id)).toEqual([
      'bare-metal',
      'xen-hvm',
      'xen-hvm-eager',
      'xen-pv',
      'xen-pv-lmsw',
    ]);
  });

  it('lists one kind, and knows no others', async () => {
    expect((await fpulab('list', 'patches')).stdout.split('\n')[0]).toMatch(/^guest-fix +stts\(\)/);
    expect((await fpulab('list', 'nosuch')).exitCode).toBe(2);
  });
});

describe('fpulab --help', () => {
  it('knows version and limits without loading what defines them', async () => {
    expect((await fpulab('--version')).stdout).toBe(`${FPULAB_VERSION}\n`);
    const withCpus = (cpus: number) => fpulab('run', 'endless', '--max-steps', '9', '--cpus', String(cpus));
    expect((await withCpus(CPUS_MAX)).stderr).toBe('');
    expect((await withCpus(CPUS_MAX + 1)).stderr).toContain(`from 0 to ${CPUS_MAX}`);
  });

  it('shows examples on stdout and exits with 0', async () => {
    const { exitCode, stdout } = await fpulab('--help');
    expect(stdout).toContain('fpulab reproduce xen-pv-leak');
    expect(exitCode).toBe(0);
  });
});
