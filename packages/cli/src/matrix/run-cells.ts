/** Explores the cells of a matrix, several at a time, with progress on stderr, until Ctrl-C. */
import { join } from 'node:path';
import type { Tinypool } from 'tinypool';
import { EXIT } from '../exit-codes';
import { grouped } from '../explore/numbers';
import { progressLine, type GlobalOptions } from '../terminal';
import { keepCell, keptCell } from './cache';
import { cellDigest } from './digest';
import { exploreCell, type CellControl, type CellResult } from './explore-cell';
import type { CellPlan } from './plan';
import { SourceFiles } from './source-files';
import type { CellTask } from './worker';

/** A cell, and what came of it. */
export interface Cell extends CellResult {
  readonly plan: CellPlan;
  /** It was explored another time. */
  readonly cached: boolean;
  /** Of everything that it depends on. */
  readonly digest: string;
}

/** How cells are explored. */
export interface CellRunOptions extends Pick<GlobalOptions, 'quiet'> {
  /** Cells at a time; more than one take worker threads. */
  readonly jobs: number;
  readonly cache: boolean;
}

/** A cell that may have to be explored. */
interface Waiting {
  readonly plan: CellPlan;
  readonly digest: string;
}

/** How often progress is looked at. */
const TICK_MS = 100;

/** Explores cells. */
export class CellRun {
  /** Somebody pressed Ctrl-C: some cells are missing. */
  interrupted = false;
  private readonly done = new Map<CellPlan, Cell>();
  private readonly running = new Map<CellPlan, CellControl>();
  private readonly files = new SourceFiles();
  private pool: Tinypool | undefined;
  private keepingFailed = false;

  constructor(
    private readonly cells: readonly CellPlan[],
    private readonly options: CellRunOptions,
  ) {}

  /** Explores all of them. Returns those that are known at the end, in their order. */
  async run(): Promise<readonly Cell[]> {
    const progress = progressLine(this.options);
    const interrupt = (): void => this.interrupt();
    const timer = setInterval(() => progress.update(() => this.progressText()), TICK_MS);
    process.on('SIGINT', interrupt);
    try {
      const left = this.cells.flatMap((plan) => this.takeKept({ plan, digest: cellDigest(plan, this.files) }));
      const jobs = Math.min(this.options.jobs, left.length);
      if (jobs > 1) this.pool = await startPool(jobs);
      const waiting = left.values();
      await Promise.all(Array.from({ length: jobs }, () => this.work(waiting)));
    } finally {
      clearInterval(timer);
      progress.clear();
      process.removeListener('SIGINT', interrupt);
      await this.pool?.destroy();
    }
    return this.cells.flatMap((cell) => this.done.get(cell) ?? []);
  }

  /** Takes what was kept of a cell. Returns what is left to explore: nothing, or the cell. */
  private takeKept({ plan, digest }: Waiting): readonly Waiting[] {
    const kept = this.options.cache ? keptCell(digest) : undefined;
    if (kept) this.done.set(plan, { ...kept, plan, cached: true, digest });
    return kept ? [] : [{ plan, digest }];
  }

  private async work(waiting: IterableIterator<Waiting>): Promise<void> {
    for (const { plan, digest } of waiting) {
      if (this.interrupted) return;
      const control: CellControl = new Int32Array(new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT));
      this.running.set(plan, control);
      const result = await this.explore({ cell: plan, control });
      this.running.delete(plan);
      if (!result) continue;
      this.done.set(plan, { ...result, plan, cached: false, digest });
      if (this.options.cache && result.settled) this.keep(digest, result);
    }
  }

  private explore(task: CellTask): ReturnType<typeof exploreCell> {
    if (this.pool) return this.pool.run(task) as ReturnType<typeof exploreCell>;
    return exploreCell(task.cell, task.control);
  }

  private keep(digest: string, result: CellResult): void {
    const problem = keepCell(digest, result);
    if (problem === undefined || this.keepingFailed) return;
    this.keepingFailed = true;
    if (!this.options.quiet) process.stderr.write(`fpulab: cells are not kept: ${problem}\n`);
  }

  /** The first time, what runs is stopped and the rest is left; the second time the process ends. */
  private interrupt(): void {
    if (this.interrupted) process.exit(EXIT.interrupted);
    this.interrupted = true;
    for (const control of this.running.values()) Atomics.store(control, 1, 1);
  }

  private progressText(): string {
    const cells = [...this.done.values()];
    const violations = cells.filter(({ verdict }) => verdict === 'violation').length;
    const running = [...this.running].map(
      ([{ preset, platform, scenario }, control]) =>
        `${preset} ${platform} ${scenario} (${grouped(Atomics.load(control, 0))} states)`,
    );
    return `${cells.length} of ${this.cells.length} cells, ${violations} with violations; ${running.join(', ')}`;
  }
}

async function startPool(jobs: number): Promise<Tinypool> {
  const { Tinypool } = await import('tinypool');
  // Workers load what was compiled, also where this file is run as TypeScript.
  const filename = join(__dirname, '..', '..', 'dist', 'matrix', 'worker.js');
  return new Tinypool({ filename, minThreads: jobs, maxThreads: jobs });
}
