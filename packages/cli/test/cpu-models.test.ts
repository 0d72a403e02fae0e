import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CPU_IDS, cpuModel, cpuModelFile, parseCpuModel } from '@fpulab/core';
import { fpulab, temporaryDirectory } from './command';

/** Runs in a directory of their own: failures are kept below it. */
const home = process.cwd();
let directory: string;
beforeAll(() => {
  directory = temporaryDirectory();
  process.chdir(directory);
});
afterAll(() => process.chdir(home));

/** Writes a CPU model file: a built-in model, changed. Returns its path. */
function cpuFile(name: string, change: object): string {
  const path = join(directory, `${name}.cpu.json`);
  writeFileSync(path, JSON.stringify({ ...cpuModelFile(cpuModel('skylake-x')), ...change }));
  return path;
}

async function json(...args: readonly string[]): Promise<{ exitCode: number; document: Record<string, unknown> }> {
  const { exitCode, stdout } = await fpulab(...args, '--json');
  return { exitCode, document: JSON.parse(stdout) as Record<string, unknown> };
}

const RUN = ['run', 'xen-pv-leak', '--platform', 'xen-pv'] as const;

describe('--cpu', () => {
  it.each([
    ['linux-3.6', 'skylake-x', 1],
    ['linux-3.6', 'sapphire-rapids', 1],
    ['linux-3.6', 'zen4', 1],
    ['linux-4.8', 'skylake-x', 0],
    ['linux-4.8', 'sapphire-rapids', 0],
    ['linux-4.2', 'qemu-max', 0],
  ])('runs %s on %s, exit code %i', async (preset, cpu, exitCode) => {
    const result = await json(...RUN, '--policy', preset, '--cpu', cpu);
    expect([result.exitCode, result.document.cpu]).toEqual([exitCode, cpu]);
    const replayed = await json('replay', result.document.replay as string);
    expect(replayed.document.digest).toBe(result.document.digest);
  });

  it('takes a file; its log replays without it, its replay string with it', async () => {
    const file = cpuFile('mine', { id: 'mine', title: 'my own' });
    const log = join(directory, 'mine.events.jsonl');
    const { stdout } = await fpulab(...RUN, '--cpu', file, '--log', log);
    const [command] = /fpulab replay '[^']+' --cpu .*/.exec(stdout) ?? [];
    const text = /'([^']+)'/.exec(command ?? '')?.[1] ?? '';
    expect(text).toMatch(/^r1\.xen-pv-leak\.linux-3_6~xen-pv\.mine\.1\./);
    expect(command).toBe(`fpulab replay '${text}' --cpu ${file}`);
    const header = JSON.parse(readFileSync(log, 'utf8').split('\n')[0]) as { cpu: unknown };
    expect(parseCpuModel(header.cpu)).toEqual({ ...cpuModel('skylake-x'), id: 'mine', title: 'my own' });
    const digest = /state ([0-9a-f]{16})/.exec(stdout)?.[1];
    for (const args of [
      ['replay', log],
      ['replay', log, '--rerun'],
      ['replay', text, '--cpu', file],
    ]) {
      expect((await json(...args)).document.digest).toBe(digest);
    }
    const without = await fpulab('replay', text);
    expect(without.exitCode).toBe(2);
    expect(without.stderr).toBe(
      "fpulab: error[FPU101]: the replay string is of the CPU model 'mine', which is not built in\n" +
        'hint: a replay string holds only the id of its CPU model; name the file that the run had: --cpu <file>\n',
    );
  });

  it('refuses another model for a replay string, and any for a log', async () => {
    const log = join(directory, 'plain.events.jsonl');
    const { document } = await json(...RUN, '--log', log);
    const other = await fpulab('replay', document.replay as string, '--cpu', 'haswell');
    expect(other.exitCode).toBe(2);
    expect(other.stderr).toContain("the replay string is of the CPU model 'sandybridge', but --cpu names 'haswell'");
    const same = await json('replay', document.replay as string, '--cpu', 'sandybridge');
    expect(same.document.digest).toBe(document.digest);
    expect((await fpulab('replay', log, '--cpu', 'sandybridge')).stderr).toContain('a log holds its CPU model');
  });

  it.each([
    ['an unknown id', () => 'i486', 2, "error[FPU101]: no CPU model 'i486'"],
    ['a missing file', () => 'nowhere.cpu.json', 66, "error[FPU502]: no CPU model file 'nowhere.cpu.json'"],
    ['a directory', () => '.json', 66, 'error[FPU502]'],
    [
      'a malformed model',
      () => cpuFile('bad', { id: 'bad', xcr0: '0x2fb' }),
      65,
      'bad.cpu.json: xcr0: bit 5 (opmask) needs bit 2 (avx)',
    ],
    [
      "a built-in model's id",
      () => cpuFile('same', { title: 'another' }),
      65,
      "same.cpu.json: id: 'skylake-x' is a built-in model, and this one differs from it",
    ],
    [
      'no JSON',
      () => {
        writeFileSync('text.json', '{');
        return 'text.json';
      },
      65,
      'error[FPU102]: text.json: expected JSON, ',
    ],
  ])('refuses %s', async (_what, cpu, code, message) => {
    const { exitCode, stdout, stderr } = await fpulab(...RUN, '--cpu', cpu());
    expect([exitCode, stdout]).toEqual([code, '']);
    expect(stderr).toContain(message);
  });

  it('takes a copy of a built-in model under its own id', async () => {
    expect((await json(...RUN, '--cpu', cpuFile('copy', {}))).document.cpu).toBe('skylake-x');
  });
});

describe('fpulab list cpus', () => {
  it('shows id, title and what matters', async () => {
    const { stdout } = await fpulab('list', 'cpus');
    const lines = stdout.trimEnd().split('\n');
    expect(lines).toHaveLength(2 * CPU_IDS.length);
    const at = lines.findIndex((line) => line.startsWith('sapphire-rapids '));
    expect(lines[at]).toContain(cpuModel('sapphire-rapids').title);
    expect(lines[at + 1].trim()).toBe(
      'fxsr xsave xsaveopt xsavec xsaves xfd, XCR0 0x602e7, XSS 0xdd00, MXCSR_MASK 0xffff',
    );
    expect(lines[1].trim()).toBe('fnsave only');
  });

  it('prints whole models as JSON: each could be a file', async () => {
    const { document } = await json('list', 'cpus');
    expect((document.cpus as readonly unknown[]).map((model) => parseCpuModel(model))).toEqual(CPU_IDS.map(cpuModel));
  });
});
