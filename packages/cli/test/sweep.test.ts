/** The sweep: a fast part of it, judged by the same table of known bugs as the page docs/verified.md. */
import { readFileSync } from 'node:fs';
import { scenarioOf } from '@fpulab/core';
import { PRESETS } from '@fpulab/policies';
import type { Cell } from '../src/matrix/run-cells';
import { planOfCell, sweepCells, type SweepCell } from '../src/sweep/cells';
import { judged } from '../src/sweep/judge';
import { fpulab, temporaryDirectory } from './command';

interface SweepDocument {
  readonly verdict: string;
  readonly missing: readonly string[];
  readonly cells: readonly {
    readonly preset: string;
    readonly scenario: string;
    readonly cpus: number;
    readonly tasks: number;
    readonly outcome: string;
    readonly bugs?: readonly string[];
    readonly interrupts?: boolean;
    readonly mended?: string;
  }[];
}

/** `1x2 known F05 verified`: one CPU, two tasks. */
function outcomesOf({ cells }: SweepDocument): Readonly<Record<string, string>> {
  return Object.fromEntries(
    cells.map(({ preset, scenario, cpus, tasks, outcome, bugs = [], interrupts, mended }) => [
      `${preset} ${scenario} ${cpus}x${tasks}`,
      [outcome, ...bugs, ...(interrupts ? ['irqs'] : []), ...(mended ? [mended] : [])].join(' '),
    ]),
  );
}

describe('fpulab sweep', () => {
  const here = process.cwd();
  beforeEach(() => process.chdir(temporaryDirectory()));
  afterEach(() => process.chdir(here));

  it('verifies, finds what is known and nothing else, and says where it has no verdict', async () => {
    const asked = ['--preset', 'linux-3.6,linux-5.2,linux-6.1', '--scenario', 'fork-irq,frame-fails'];
    const page = 'verified.md';
    const bounds = ['--max-states', '20000', '--jobs', '1', '--page', page];
    const { exitCode, stdout } = await fpulab('sweep', ...asked, ...bounds, '--json');
    const document = JSON.parse(stdout) as SweepDocument;
    expect([exitCode, document.verdict, document.missing]).toEqual([0, 'as-expected', []]);
    expect(outcomesOf(document)).toMatchObject({
      'linux-3.6 frame-fails 1x2': 'known F49 verified',
      'linux-5.2 fork-irq 1x2': 'known F05 verified',
      'linux-5.2 fork-irq 1x3': 'known F05 verified',
      'linux-6.1 fork-irq 1x3': 'verified irqs',
      'linux-6.1 frame-fails 1x2': 'verified irqs',
      'linux-6.1 fork-irq 2x3': 'inconclusive',
    });
    const text = readFileSync(page, 'utf8');
    expect(text).toContain('\n## 1 CPU, 3 tasks\n\nUp to 6,667 states.\n\n| scenario | 3.6 | 5.2 | 6.1 |\n');
    expect(text).toContain('\n| fork-irq | **irqs** | F05 | **irqs** |\n');
    expect(await fpulab('sweep', ...asked, ...bounds)).toMatchObject({ exitCode: 0 });
  });

  it('looks harder for a bug that showed nowhere, says if in vain, and where a scenario is about nothing', async () => {
    const asked = [
      '--preset',
      'linux-6.1',
      '--scenario',
      'suspend-pkru,cpu-hotplug',
      '--max-states',
      '200',
      '--jobs',
      '1',
    ];
    const { exitCode, stdout } = await fpulab('sweep', ...asked, '--json');
    const document = JSON.parse(stdout) as SweepDocument;
    expect([exitCode, document.missing]).toEqual([1, ['linux-6.1: xen-cpu-up-owner']]);
    expect(outcomesOf(document)).toMatchObject({
      'linux-6.1 suspend-pkru 1x2': 'known pkru-suspend verified',
      'linux-6.1 cpu-hotplug 1x2': 'never-happens',
      'linux-6.1 cpu-hotplug 2x2': 'inconclusive',
    });
  });

  it('refuses what there is not', async () => {
    expect(await fpulab('sweep', '--preset', 'linux-7')).toMatchObject({ exitCode: 2 });
    expect(await fpulab('sweep', '--scenario', 'nothing')).toMatchObject({ exitCode: 2 });
  });
});

describe('cells', () => {
  const cells = sweepCells();

  it('are all presets in all scenarios but the one for measuring, where these have so many tasks', () => {
    const sizes = cells.filter(({ preset, scenario }) => preset === 'linux-6.1' && scenario === 'ptrace');
    expect(sizes.map(({ machine: { cpus, tasks }, plain }) => [cpus, tasks, plain])).toEqual([
      [1, 3, 'ptrace'],
      [2, 3, 'ptrace'],
    ]);
    expect(new Set(cells.map(({ preset }) => preset)).size).toBe(PRESETS.length);
    expect(cells.some(({ scenario }) => scenario === 'endless')).toBe(false);
  });

  it('name variants that there are', () => {
    const ids = new Set(cells.flatMap(({ plain, withIrqs }) => [plain, withIrqs ?? plain]));
    for (const id of ids) expect(scenarioOf(id).id).toBe(id);
  });

  it('look for bugs of one platform there', () => {
    const elsewhere = cells
      .filter(({ machine }) => machine.platform !== 'bare-metal')
      .map(({ preset, machine: { platform, cpus }, plain }) => `${preset} ${platform} ${plain} ${cpus}`);
    expect(elsewhere).toContain('linux-3.6 xen-pv xen-pv-leak.any-3 1');
    expect(elsewhere).toContain('linux-6.1 xen-pv cpu-hotplug 2');
    expect(elsewhere.filter((cell) => cell.includes('enqcmd'))).toEqual([]);
  });
});

describe('a cell with a violation', () => {
  const cellOf = (preset: string, scenario: string): SweepCell =>
    sweepCells([preset], [scenario]).filter(({ machine }) => machine.tasks === 3)[0];
  const found = (cell: SweepCell, scenario: string, verdict: 'violation' | 'verified' = 'violation'): Cell => ({
    plan: planOfCell(cell, scenario, 1),
    cached: false,
    digest: '',
    verdict,
    violations: verdict === 'violation' ? [{ id: 'leak', choices: 1, steps: 1, replay: null }] : [],
    complete: true,
    states: 1,
    reason: null,
    durationMs: 0,
    settled: true,
  });

  it('is unexpected where the preset lists no bug that shows in the scenario', () => {
    const cell = cellOf('linux-6.1', 'ptrace');
    expect(judged(cell, { plain: found(cell, cell.plain) })).toMatchObject({ kind: 'unexpected', oracles: ['leak'] });
  });

  it('is unexpected where the kernel without its bugs has one too', () => {
    const cell = cellOf('linux-5.10', 'ptrace-refused');
    const plain = found(cell, cell.plain);
    expect(judged(cell, { plain, mended: plain })).toMatchObject({ kind: 'unexpected' });
    const mended = found(cell, cell.plain, 'verified');
    expect(judged(cell, { plain, mended })).toEqual({
      kind: 'known',
      bugs: ['43be46e89698'],
      oracles: ['leak'],
      mended: 'verified',
    });
  });

  it('is by F05 wherever there are interrupts, and nowhere else', () => {
    const cell = cellOf('linux-5.2', 'preemption');
    const mended = found(cell, cell.plain, 'verified');
    expect(judged(cell, { plain: found(cell, cell.plain), mended })).toMatchObject({ kind: 'unexpected' });
    const withIrqs = found(cell, cell.withIrqs ?? '');
    expect(judged(cell, { plain: mended, withIrqs, mended })).toMatchObject({ kind: 'known', bugs: ['F05'] });
  });
});
