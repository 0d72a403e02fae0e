/** Explores one cell of a matrix. */
import { isFpuError, type OracleId } from '@fpulab/core';
import { DEFAULT_BOUNDS, explore, type Exploration, type SearchEnd } from '@fpulab/explorer';
import { planAll, repeatLine } from '../explore-all';
import { exploreOptions, type ExplorePlan } from '../explore/plan';
import type { CellPlan } from './plan';

/** One kind of violation that can happen in a cell. */
export interface CellViolation {
  readonly id: OracleId;
  /** Of its shortest run, or the shortest that was found. */
  readonly choices: number;
  readonly steps: number;
  /** The command that repeats it; null where no string, or none that helps people, can name it. */
  readonly replay: string | null;
}

/** The verdicts of cells. */
export const CELL_VERDICTS = ['verified', 'violation', 'inconclusive', 'cannot-run'] as const;

/** `cannot-run`: the parts do not fit together. */
export type CellVerdict = (typeof CELL_VERDICTS)[number];

/** What came of a cell. */
export interface CellResult {
  readonly verdict: CellVerdict;
  /** Nearest first. */
  readonly violations: readonly CellViolation[];
  /** No other kind of violation can happen. */
  readonly complete: boolean;
  /** Of the largest search. */
  readonly states: number;
  /** Why it is inconclusive or cannot run, or why there may be other violations. */
  readonly reason: string | null;
  readonly durationMs: number;
  /** No clock ended it: the next time will be the same. */
  readonly settled: boolean;
}

/**
 * How the main thread and the one that explores a cell hear of each other: `[0]` states so far, `[1]` not 0: stop.
 */
export type CellControl = Int32Array;

/** Of a timeout, so much is for a search without reductions that lengthen runs: it finds what a proof only suspects. */
const HUNT_SHARE = 0.25;
const MS_PER_SECOND = 1000;
const MEBIBYTES_BASE = 64;
/** Large spaces have been seen to take 40 to 100 bytes per state; this leaves 256. */
const STATES_PER_MEBIBYTE = 4096;

/** Explores a cell. Undefined when it was told to stop. */
export async function exploreCell(cell: CellPlan, control: CellControl): Promise<CellResult | undefined> {
  const began = performance.now();
  try {
    const found = await search(cell, control);
    if (found === undefined) return undefined;
    return { ...resultOf(cell, found), durationMs: Math.round(performance.now() - began) };
  } catch (error) {
    if (!isFpuError(error)) throw error;
    const nothing = { violations: [], complete: false, states: 0, settled: true };
    return { ...nothing, verdict: 'cannot-run', reason: error.message, durationMs: 0 };
  }
}

/** An exploration, and whether no clock had a say in it. */
interface Found {
  readonly plan: ExplorePlan;
  readonly exploration: Exploration;
  readonly settled: boolean;
}

/**
 * All kinds of violations, or a proof that there is none. A proof may take all the time there is and leave none to show
 * that what it suspects can happen; so where time is short, something that can happen is looked for first.
 */
async function search({ request, maxStates, timeout }: CellPlan, control: CellControl): Promise<Found | undefined> {
  const bounds = { maxStates, maxMemory: memoryFor(maxStates) };
  if (timeout === null) return under(control, planAll(request, bounds));
  const exact = { partialOrder: false, abstractCounters: false, deadValues: false };
  const hunt = await under(control, planAll(request, { ...exact, ...bounds, timeout: timeout * HUNT_SHARE }));
  if (hunt === undefined || hunt.exploration.complete) return hunt;
  const rest = timeout - hunt.exploration.durationMs / MS_PER_SECOND;
  const whole = await under(control, planAll(request, { ...bounds, timeout: rest }));
  const huntKnowsMore = whole?.exploration.verdict === 'inconclusive' && hunt.exploration.verdict === 'violation';
  return huntKnowsMore ? { ...hunt, settled: false } : whole;
}

/**
 * MiB. An exploration reserves all the memory that it may use, and cells follow each other more quickly than that is
 * given back; so none gets more than its states can need.
 */
function memoryFor(maxStates: number): number {
  return Math.min(MEBIBYTES_BASE + Math.ceil(maxStates / STATES_PER_MEBIBYTE), DEFAULT_BOUNDS.memoryMax / 2 ** 20);
}

async function under(control: CellControl, plan: ExplorePlan): Promise<Found | undefined> {
  const abort = new AbortController();
  const exploration = await explore({
    ...exploreOptions(plan),
    signal: abort.signal,
    onProgress({ states }) {
      Atomics.store(control, 0, states);
      if (Atomics.load(control, 1) !== 0) abort.abort();
    },
  });
  const { end } = exploration.phases[exploration.phases.length - 1];
  return end === 'interrupted' ? undefined : { plan, exploration, settled: !ended(exploration, 'timeout') };
}

/** Ends of searches that had more to do. */
const STOPPED: ReadonlySet<SearchEnd> = new Set(['states', 'memory', 'depth', 'timeout', 'interrupted']);

function ended({ phases }: Exploration, how: SearchEnd): boolean {
  return phases.some(({ end }) => end === how);
}

function resultOf({ timeout }: CellPlan, { plan, exploration, settled }: Found): Omit<CellResult, 'durationMs'> {
  const { verdict, counterexamples, phases } = exploration;
  const complete = phases.every(({ end }) => !STOPPED.has(end));
  return {
    verdict,
    violations: counterexamples.map((one) => ({
      id: one.oracle,
      choices: one.choices.length,
      steps: one.steps,
      replay: repeatLine(plan, one)?.command ?? null,
    })),
    complete,
    states: Math.max(...phases.map(({ states }) => states)),
    reason: reasonOf(exploration, complete, timeout),
    settled,
  };
}

function reasonOf(exploration: Exploration, complete: boolean, timeout: number | null): string | null {
  if (exploration.verdict === 'violation')
    return complete ? null : 'not all was explored: there may be other violations';
  return ended(exploration, 'timeout') ? `stopped after ${timeout} s` : exploration.reason;
}
