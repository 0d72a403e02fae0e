/** Worker threads that expand large buckets together, over tables in shared memory. */
import { join } from 'node:path';
import type { Tinypool } from 'tinypool';
import type { Helpers } from './search';
import type { Space, Stop } from './space';
import type { Task, TaskResult, WorkerSetup } from './worker';

/** Buckets with fewer states are expanded sooner by one thread than handed over. */
const WORTHWHILE = 2_000;
const TICK_MS = 50;

/** Workers for one search. They are started when the first bucket is worth it. */
export class Workers implements Helpers {
  readonly worthwhile = WORTHWHILE;
  private pool: Tinypool | undefined;

  constructor(
    private readonly space: Space,
    private readonly jobs: number,
    private readonly setup: WorkerSetup,
  ) {}

  /** Expands all entries of a bucket; what they lead to is in the space afterwards. */
  async expandAll(entries: Int32Array, bucket: number, stop: () => boolean, tick: () => void): Promise<Stop> {
    const shared = new Int32Array(new SharedArrayBuffer(entries.byteLength));
    shared.set(entries);
    const control = new Int32Array(new SharedArrayBuffer(8));
    const timer = setInterval(() => {
      if (stop()) Atomics.store(control, 1, 1);
      tick();
    }, TICK_MS);
    try {
      for (;;) {
        const ended = await this.expandRest(shared, bucket, control);
        if (ended !== 'grow') return ended;
      }
    } finally {
      clearInterval(timer);
    }
  }

  /** Hands out what is left. Growing is done here, when all workers have come back. */
  private async expandRest(entries: Int32Array, bucket: number, control: Int32Array): Promise<Stop> {
    const { space } = this;
    const pool = await this.started();
    const task: Task = {
      entries,
      control,
      bucket,
      stateIndex: space.memory.states.index,
      partIndex: space.memory.parts.index,
    };
    const results = await Promise.all(Array.from({ length: this.jobs }, () => pool.run(task) as Promise<TaskResult>));
    for (const result of results) this.take(result);
    if (space.states.isCrowded) space.memory.states.index = space.states.grow();
    if (space.parts.isCrowded) space.memory.parts.index = space.parts.grow();
    const stops = results.map(({ stop }) => stop);
    return stops.find((one) => one === 'memory' || one === 'states') ?? (stops.includes('grow') ? 'grow' : 'none');
  }

  private take({ reached, violations, transitions, depth, depthHit, touchedForeign }: TaskResult): void {
    const { space } = this;
    for (const [bucket, entries] of reached) space.frontierOf(bucket).append(entries);
    for (const violation of violations) space.keepViolation(violation);
    space.transitions += transitions;
    space.depth = Math.max(space.depth, depth);
    space.depthHit ||= depthHit;
    space.touchedForeign ||= touchedForeign;
  }

  private async started(): Promise<Tinypool> {
    if (this.pool) return this.pool;
    const { Tinypool } = await import('tinypool');
    this.pool = new Tinypool({
      filename: join(__dirname, '..', 'dist', 'worker.js'),
      minThreads: this.jobs,
      maxThreads: this.jobs,
      workerData: this.setup,
    });
    return this.pool;
  }

  /** Ends the threads. */
  async close(): Promise<void> {
    await this.pool?.destroy();
  }
}
