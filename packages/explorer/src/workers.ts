/** Threads that expand large buckets together, over tables in shared memory: this one and worker threads. */
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import type { Tinypool } from 'tinypool';
import type { Helpers } from './search';
import type { Space, Stop } from './space';
import type { Task, TaskResult, WorkerSetup } from './worker';

/** Buckets with fewer states are expanded sooner by one thread than handed over. */
const WORTHWHILE = 2_000;
/** How long this thread expands between two looks at the clock, and how often it looks while it waits for the others. */
const SLICE_MS = 40;
/** States between two looks at the clock. */
const SLICE_STATES = 64;

/** Helps one search. Worker threads are started when the first bucket is worth it, and join in when they are ready. */
export class Workers implements Helpers {
  readonly worthwhile = WORTHWHILE;
  private pool: Tinypool | undefined;
  private starting: Promise<void> | undefined;
  private ready = 0;
  private failure: { readonly error: unknown } | undefined;

  constructor(
    private readonly space: Space,
    private readonly jobs: number,
    private readonly setup: WorkerSetup,
  ) {}

  /** Expands all entries of a bucket; what they lead to is in the space afterwards. */
  async expandAll(entries: Int32Array, bucket: number, stop: () => boolean, tick: () => void): Promise<Stop> {
    this.starting ??= this.start();
    const shared = new Int32Array(new SharedArrayBuffer(entries.byteLength));
    shared.set(entries);
    const control = new Int32Array(new SharedArrayBuffer(8));
    const look = (): void => {
      if (stop()) Atomics.store(control, 1, 1);
      tick();
    };
    for (;;) {
      const ended = await this.expandRest(shared, bucket, control, look);
      if (ended !== 'grow') return ended;
    }
  }

  /** Expands what is left. Growing is done here, when all workers have come back. */
  private async expandRest(entries: Int32Array, bucket: number, control: Int32Array, look: () => void): Promise<Stop> {
    const { space } = this;
    const task: Task = {
      entries,
      control,
      bucket,
      stateIndex: space.memory.states.index,
      partIndex: space.memory.parts.index,
    };
    const count = entries.length / (1 + space.frontierKeyWords);
    const others: Promise<TaskResult>[] = [];
    let own: Stop = 'none';
    while (own === 'none' && Atomics.load(control, 0) < count && Atomics.load(control, 1) === 0) {
      if (this.failure) throw this.failure.error;
      while (others.length < this.ready) others.push((this.pool as Tinypool).run(task) as Promise<TaskResult>);
      own = this.expandSlice(task, count);
      look();
      await setImmediate();
    }
    if (own === 'memory' || own === 'states') Atomics.store(control, 1, 1);
    const results = await this.resultsOf(others, look);
    for (const result of results) this.take(result);
    if (space.states.isCrowded) space.memory.states.index = space.states.grow();
    if (space.parts.isCrowded) space.memory.parts.index = space.parts.grow();
    const stops = [own, ...results.map(({ stop }) => stop)];
    return stops.find((one) => one === 'memory' || one === 'states') ?? (stops.includes('grow') ? 'grow' : 'none');
  }

  private expandSlice({ entries, bucket, control }: Task, count: number): Stop {
    const until = performance.now() + SLICE_MS;
    let expanded = 0;
    return this.space.expandAll(
      entries,
      bucket,
      () => {
        const entry = Atomics.add(control, 0, 1);
        return entry < count ? entry : -1;
      },
      () => ++expanded % SLICE_STATES === 0 && (performance.now() > until || Atomics.load(control, 1) !== 0),
    );
  }

  private async resultsOf(others: readonly Promise<TaskResult>[], look: () => void): Promise<readonly TaskResult[]> {
    const timer = setInterval(look, SLICE_MS);
    try {
      return await Promise.all(others);
    } finally {
      clearInterval(timer);
    }
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

  private async start(): Promise<void> {
    const { Tinypool } = await import('tinypool');
    const threads = this.jobs - 1;
    const pool = new Tinypool({
      filename: join(__dirname, '..', 'dist', 'worker.js'),
      minThreads: threads,
      maxThreads: threads,
      workerData: this.setup,
    });
    this.pool = pool;
    for (let thread = 0; thread < threads; thread++) {
      pool.run(undefined).then(
        () => this.ready++,
        (error: unknown) => (this.failure ??= { error }),
      );
    }
  }

  /** Ends the threads. */
  async close(): Promise<void> {
    await this.starting;
    await this.pool?.destroy();
  }
}
