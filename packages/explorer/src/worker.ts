/** A worker thread: composes the machine of the search and expands what it is handed. */
import { workerData } from 'node:worker_threads';
import { compose } from '@fpulab/core';
import type { Compose, ComposeModule } from './explore';
import { Space, type SpaceMemory, type SpaceOptions, type Stop, type Violation } from './space';

/** What a worker is started with. */
export interface WorkerSetup {
  readonly compose: ComposeModule;
  readonly counters: 'exact' | 'abstract';
  readonly options: SpaceOptions;
  readonly memory: SpaceMemory;
}

/** A bucket to expand, together with the other workers. */
export interface Task {
  /** Entries of the frontier, in shared memory. */
  readonly entries: Int32Array;
  /** [0] the next entry, [1] 1 when everybody is to stop. */
  readonly control: Int32Array;
  readonly bucket: number;
  /** The tables' indices: they may have grown. */
  readonly stateIndex: SharedArrayBuffer;
  readonly partIndex: SharedArrayBuffer;
}

/** What a worker did of it. */
export interface TaskResult {
  readonly stop: Stop;
  readonly reached: readonly (readonly [bucket: number, entries: Int32Array])[];
  readonly violations: readonly Violation[];
  readonly transitions: number;
  readonly depth: number;
  readonly depthHit: boolean;
  readonly touchedForeign: boolean;
}

let space: Space | undefined;

/**
 * Expands entries until none is left, or something has to be done that only the main thread may do. Without a task, gets
 * ready for one.
 */
export default function work(task: Task | undefined): TaskResult | undefined {
  space ??= makeSpace();
  if (task === undefined) return undefined;
  const { entries, control, bucket } = task;
  space.states.adopt(task.stateIndex);
  space.parts.adopt(task.partIndex);
  const count = entries.length / (1 + space.frontierKeyWords);
  const stop = space.expandAll(
    entries,
    bucket,
    () => {
      const entry = Atomics.add(control, 0, 1);
      return entry < count ? entry : -1;
    },
    () => Atomics.load(control, 1) !== 0,
  );
  const result: TaskResult = {
    stop,
    reached: [...space.reachedBuckets].map(([reached, frontier]) => [reached, frontier.entries.slice()]),
    violations: [...space.violations.values()],
    transitions: space.transitions,
    depth: space.depth,
    depthHit: space.depthHit,
    touchedForeign: space.touchedForeign,
  };
  space.reachedBuckets.clear();
  space.violations.clear();
  space.transitions = 0;
  return result;
}

function makeSpace(): Space {
  const [, setup] = workerData as [unknown, WorkerSetup];
  // eslint-disable-next-line @typescript-eslint/no-require-imports -- known only at run time: the user's composition
  const { composeRequest } = require(setup.compose.module) as {
    composeRequest(request: unknown): ReturnType<Compose>;
  };
  const machine = compose({
    ...composeRequest(setup.compose.request),
    oracles: setup.options.oracles,
    counters: setup.counters,
  });
  machine.boot();
  return new Space(machine, setup.options, setup.memory);
}
