/** One search of one space: buckets of states in order of their distance, or the state reached last first. */
import { setImmediate } from 'node:timers/promises';
import { Frontier } from './frontier';
import type { Bounds } from './options';
import type { Space, Stop, Violation } from './space';

/** Why a search ended. */
export type SearchEnd =
  | 'exhausted'
  | 'violation'
  /** Everything that it looked for was reached. */
  | 'reached'
  /** A CPU uses slots that another one takes for its own: partial order does not fit. */
  | 'foreign-slots'
  | 'states'
  | 'memory'
  | 'depth'
  /** All random walks have been made. */
  | 'walks'
  | 'timeout'
  | 'interrupted';

/** What a search looks like while it runs. */
export interface SearchProgress {
  readonly states: number;
  readonly transitions: number;
  readonly depth: number;
  /** States that wait to be expanded. */
  readonly queue: number;
  readonly bytes: number;
}

/** What a search needs beside its space. */
export interface SearchOptions {
  readonly bounds: Pick<Bounds, 'timeoutMs'>;
  /** Stop at the first violation (at the nearest, where distances are kept); otherwise when `enough` says so. */
  readonly enough: (violations: ReadonlyMap<number, Violation>) => boolean;
  /** Asked now and then, and at the end: why to stop here. */
  readonly until?: () => SearchEnd | undefined;
  readonly order: 'bfs' | 'dfs';
  readonly onProgress?: (progress: SearchProgress) => void;
  readonly signal?: AbortSignal;
  /** Expands a large bucket with others' help; undefined when there is nobody. */
  readonly helpers?: Helpers;
}

/** Expands the states of a bucket in several threads. */
export interface Helpers {
  /** Buckets with fewer states are not worth it. */
  readonly worthwhile: number;
  expandAll(entries: Int32Array, bucket: number, stop: () => boolean, tick: () => void): Promise<Stop>;
}

/** A slice of work between two looks at the clock. */
const SLICE_STATES = 64;
const SLICE_MS = 40;

/** Searches until nothing is left, enough is found, or a bound is hit. */
export class Search {
  private readonly buckets = new Map<number, Frontier>();
  private readonly deadline: number;
  private queued = 0;

  constructor(
    private readonly space: Space,
    private readonly options: SearchOptions,
  ) {
    this.deadline = performance.now() + options.bounds.timeoutMs;
  }

  /** Runs the search. */
  async run(): Promise<SearchEnd> {
    const { space } = this;
    const stop = space.start();
    if (stop !== 'none') return stop;
    if (this.options.order === 'dfs') return this.depthFirst();
    this.collect();
    return this.breadthFirst();
  }

  private get end(): SearchEnd {
    const ended = this.options.until?.();
    if (ended) return ended;
    if (this.options.enough(this.space.violations)) return 'violation';
    return this.space.depthHit ? 'depth' : 'exhausted';
  }

  /** Bucket by bucket, nearest first. A violation ends it once no nearer one can be left. */
  private async breadthFirst(): Promise<SearchEnd> {
    for (;;) {
      const bucket = this.nearestBucket();
      if (bucket === undefined || this.isBehindViolations(bucket)) return this.end;
      const frontier = this.buckets.get(bucket) as Frontier;
      this.buckets.delete(bucket);
      this.queued -= frontier.length;
      const end = await this.expandBucket(frontier.entries, bucket);
      if (end !== undefined) return end;
    }
  }

  private nearestBucket(): number | undefined {
    let nearest: number | undefined;
    for (const bucket of this.buckets.keys()) if (nearest === undefined || bucket < nearest) nearest = bucket;
    return nearest;
  }

  private isBehindViolations(bucket: number): boolean {
    const { violations } = this.space;
    if (!this.options.enough(violations)) return false;
    const farthest = Math.max(...[...violations.values()].map(({ distance }) => this.space.bucketOf(distance)));
    return bucket >= farthest;
  }

  private async expandBucket(entries: Int32Array, bucket: number): Promise<SearchEnd | undefined> {
    const { helpers } = this.options;
    let done = 0;
    const count = entries.length / (1 + this.space.frontierKeyWords);
    while (done < count) {
      const ended = this.hasToStop();
      if (ended) return ended;
      let stop: Stop;
      if (helpers && count - done >= helpers.worthwhile) {
        stop = await helpers.expandAll(
          entries,
          bucket,
          () => this.hasToStop() !== undefined,
          () => this.report(),
        );
        if (stop === 'none') done = count; // or time is up, which is seen next
      } else {
        stop = this.expandSlice(entries, bucket, done, count);
        done = this.expanded;
        if (this.sinceYield() > SLICE_MS) await this.yieldNow();
      }
      this.collect();
      if (stop === 'grow') this.grow();
      else if (stop !== 'none') return stop;
    }
    return this.hasToStop();
  }

  private expanded = 0;

  private expandSlice(entries: Int32Array, bucket: number, from: number, count: number): Stop {
    let entry = from;
    const end = Math.min(count, from + SLICE_STATES);
    const stop = this.space.expandAll(
      entries,
      bucket,
      () => (entry < end ? entry++ : -1),
      () => false,
    );
    this.expanded = entry;
    return stop;
  }

  /** The state that was reached last is expanded first. */
  private async depthFirst(): Promise<SearchEnd> {
    const stack = new Frontier(this.space.frontierKeyWords);
    this.moveTo(stack);
    while (stack.length > 0) {
      const ended = this.hasToStop();
      if (ended) return ended;
      const entry = stack.pop();
      let taken = false;
      const stop = this.space.expandAll(
        entry,
        0,
        () => (taken ? -1 : ((taken = true), 0)),
        () => false,
      );
      this.moveTo(stack);
      this.queued = stack.length;
      if (this.options.enough(this.space.violations)) return 'violation';
      if (stop === 'grow') this.grow();
      else if (stop !== 'none') return stop;
      if (this.sinceYield() > SLICE_MS) await this.yieldNow();
    }
    return this.end;
  }

  private moveTo(stack: Frontier): void {
    for (const frontier of this.space.reachedBuckets.values()) stack.append(frontier.entries);
    this.space.reachedBuckets.clear();
  }

  private collect(): void {
    for (const [bucket, frontier] of this.space.reachedBuckets) {
      this.queued += frontier.length;
      const known = this.buckets.get(bucket);
      if (known) known.append(frontier.entries);
      else this.buckets.set(bucket, frontier);
    }
    this.space.reachedBuckets.clear();
  }

  private grow(): void {
    const { states, parts, memory } = this.space;
    if (states.isCrowded) memory.states.index = states.grow();
    if (parts.isCrowded) memory.parts.index = parts.grow();
  }

  // --- time ------------------------------------------------------------------------------------------------------

  private yielded = performance.now();

  private sinceYield(): number {
    return performance.now() - this.yielded;
  }

  private async yieldNow(): Promise<void> {
    this.report();
    await setImmediate();
    this.yielded = performance.now();
  }

  private hasToStop(): SearchEnd | undefined {
    if (this.options.signal?.aborted) return 'interrupted';
    return performance.now() > this.deadline ? 'timeout' : this.options.until?.();
  }

  private report(): void {
    const { states, parts, transitions, depth } = this.space;
    this.options.onProgress?.({
      states: states.size,
      transitions,
      depth,
      queue: this.queued,
      bytes: states.bytes + parts.bytes,
    });
  }
}
