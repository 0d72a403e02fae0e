/**
 * fpulab's explorer beside SPIN, in one sitting: the same kernel, the same property. Figures are medians of five
 * processes, from their start to their end; what takes long runs once. Where SPIN is not installed, its columns stay empty.
 *
 *     npm run bench:peers
 *
 * The models are alike, not equal: see lazy-peer.ts. SPIN's tasks end after K operations, ours never do.
 */
import { spawnSync } from 'node:child_process';
import { NO_REDUCTIONS, type Exploration } from '@fpulab/explorer';
import { buildPeers } from './build';
import type { OneRequest } from './one';
import { runSpin, type PeerConfig, type SpinResult } from './spin';

const RUNS = 5;
/** TLC's rate on this model, in states per second: the faster of two measurements on two cores. */
const TLC_RATE = 174_000;

interface Ours {
  readonly exploration: Exploration;
  /** Wall time of the process. */
  readonly seconds: number;
  /** Most memory that the process had. */
  readonly rssBytes: number;
}

const program = buildPeers();

/** Explores in a process of its own, several times; the run of median length. */
function ours(request: OneRequest, runs = RUNS): Ours {
  const measured = Array.from({ length: runs }, (): Ours => {
    const start = performance.now();
    const { stdout, stderr, status } = spawnSync(process.execPath, [program, JSON.stringify(request)], {
      encoding: 'utf8',
      maxBuffer: 1 << 26,
    });
    const seconds = (performance.now() - start) / 1000;
    if (status !== 0) throw new Error(`the exploration failed: ${stderr}`);
    const { exploration, rssBytes } = JSON.parse(stdout) as Omit<Ours, 'seconds'>;
    return { exploration, rssBytes, seconds };
  }).sort((a, b) => a.seconds - b.seconds);
  return measured[Math.floor(runs / 2)];
}

const measured = new Map<string, SpinResult | undefined>();

/** SPIN on an instance, measured once. What takes it half a minute runs once. */
function spin(config: PeerConfig, merged: boolean, search: 'depth-first' | 'breadth-first'): SpinResult | undefined {
  const key = JSON.stringify([config, merged, search]);
  const runs = config.tasks > 3 && config.operations > 2 ? 1 : RUNS;
  if (!measured.has(key)) measured.set(key, runSpin(config, { merged, search, optimisation: '-O2', runs }));
  return measured.get(key);
}

const seconds = (value: number | undefined): string => (value === undefined ? '-' : value.toFixed(2));
const ratio = (spins: number | undefined, own: number): string =>
  spins === undefined ? '-' : `${(spins / own).toFixed(1)}x`;

function counterexample(): void {
  const found = ours({ variant: 'XENPV', cpus: 1, tasks: 3, preempt: 'full' });
  const [{ oracle, choices, steps }] = found.exploration.counterexamples;
  const peer = spin({ variant: 'XENPV', cpus: 1, tasks: 3, operations: 2 }, false, 'breadth-first');
  console.log(
    `xen-pv-counterexample fpulab-s=${seconds(found.seconds)} ${oracle} choices=${choices.length} steps=${steps}` +
      ` spin-s=${seconds(peer?.seconds.total)} ratio=${ratio(peer?.seconds.total, found.seconds)}`,
  );
}

function proof(tasks: 3 | 4, operations: 2 | 3 | 4, preempt: 'user' | 'full'): void {
  const found = ours({ variant: 'XENPV_FIXED', cpus: 1, tasks, preempt }, preempt === 'full' && tasks > 3 ? 1 : RUNS);
  const peer = spin({ variant: 'XENPV_FIXED', cpus: 1, tasks, operations }, true, 'depth-first');
  console.log(
    `proof tasks=${tasks} preempt=${preempt} fpulab-s=${seconds(found.seconds)} states=${found.exploration.states} unbounded` +
      ` spin-K=${operations} states=${peer?.states ?? '-'} spin-s=${seconds(peer?.seconds.total)}` +
      ` ratio=${ratio(peer?.seconds.total, found.seconds)} spin-run-alone-s=${seconds(peer?.seconds.run)}` +
      ` ratio=${ratio(peer?.seconds.run, found.seconds)}`,
  );
}

function rate(): void {
  const { exploration } = ours({
    variant: 'NATIVE',
    cpus: 1,
    tasks: 3,
    operations: 1,
    preempt: 'full',
    reductions: NO_REDUCTIONS,
  });
  const perSecond = exploration.states / (exploration.durationMs / 1000);
  console.log(
    `all-reductions-off tasks=3 K=1 states=${exploration.states} states/s=${Math.round(perSecond)} tlc-ratio=${(perSecond / TLC_RATE).toFixed(1)}x`,
  );
}

function six(): void {
  const found = ours({ variant: 'NATIVE', cpus: 1, tasks: 6, preempt: 'user' }, 1);
  const two = ours({ variant: 'NATIVE', cpus: 1, tasks: 6, preempt: 'user', jobs: 2 }, 1);
  const { states, verdict } = found.exploration;
  console.log(
    `six-tasks ${verdict} states=${states} fpulab-s=${seconds(found.seconds)} two-jobs-s=${seconds(two.seconds)}` +
      ` speed-up=${(found.seconds / two.seconds).toFixed(2)}x same-states=${two.exploration.states === states}` +
      ` table-bytes/state=${found.exploration.bytesPerState} process-bytes/state=${Math.round(found.rssBytes / states)}`,
  );
}

counterexample();
for (const preempt of ['user', 'full'] as const) {
  for (const operations of [2, 3, 4] as const) proof(3, operations, preempt);
  for (const operations of [2, 3] as const) proof(4, operations, preempt);
}
rate();
six();
