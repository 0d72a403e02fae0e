import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { readLog, replayLog } from '@fpulab/eventlog';
import { XEN_PV_LEAK } from '../src/commands/reproductions';
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

  it('writes byte-identical logs each time', async () => {
    const again = temporaryDirectory();
    await fpulab('reproduce', 'xen-pv-leak', '--json', '--out', again);
    const { readFileSync } = await import('node:fs');
    for (const { id } of XEN_PV_LEAK.runs) {
      const file = join('xen-pv-leak', `${id}.events.jsonl`);
      expect(readFileSync(join(again, file)).equals(readFileSync(join(out, file)))).toBe(true);
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

  it('prints both diagrams and every verdict for people, with colour on request', async () => {
    const { exitCode, stdout } = await fpulab('--color', 'always', 'reproduce', 'xen-pv-leak', '--out', out);
    expect(exitCode).toBe(0);
    expect(stdout).toContain('LEAK: B');
    expect(stdout).toContain('All 7 runs end as history says.');
    expect(stdout).toContain('\x1b[31m');
    expect(existsSync(join(out, 'xen-pv-leak', 'xen-pv.events.jsonl'))).toBe(true);
  });

  it('knows no other case yet', async () => {
    const { exitCode, stderr } = await fpulab('reproduce', 'lazyfp');
    expect(exitCode).toBe(2);
    expect(stderr).toBe("fpulab: error[FPU504]: nothing called 'lazyfp' to reproduce; known: xen-pv-leak\n");
  });
});
