/** What came of a cell, against what is known: verified, a bug that history knows, or something that nobody expects. */
import { scenarioOf, type OracleId } from '@fpulab/core';
import { KNOWN_BUGS, presetOf, showsIn, type KnownBug } from '@fpulab/policies';
import type { Cell } from '../matrix/run-cells';
import { isPlatform, type SweepCell } from './cells';

/** What was explored of a cell; the first is there always. */
export interface Explored {
  /** Without interrupts. */
  readonly plain: Cell;
  /** With interrupts, where the first one was small enough. */
  readonly withIrqs?: Cell;
  /** The kernel without its known bugs, where it violates something. */
  readonly mended?: Cell;
}

/** What a cell says. */
export type SweepVerdict =
  | { readonly kind: 'verified'; readonly states: number; readonly interrupts: boolean }
  /** As the bugs say, which are known; without them nothing is violated. */
  | {
      readonly kind: 'known';
      readonly bugs: readonly string[];
      readonly oracles: readonly OracleId[];
      readonly mended: Rest;
    }
  | { readonly kind: 'inconclusive'; readonly reason: string }
  /** Nothing is violated in all states that there are, but what the scenario is about does not happen: one CPU cannot go down. */
  | { readonly kind: 'never-happens'; readonly reason: string }
  | { readonly kind: 'cannot-run'; readonly reason: string }
  | { readonly kind: 'unexpected'; readonly oracles: readonly OracleId[]; readonly problem: string };

/** What the explorer says of a kernel without its known bugs. */
export type Rest = 'verified' | 'inconclusive';

/** Judges one cell. */
export function judged(cell: SweepCell, { plain, withIrqs, mended }: Explored): SweepVerdict {
  if (plain.verdict === 'cannot-run') return { kind: 'cannot-run', reason: plain.reason ?? '' };
  const violated = [plain, withIrqs].find((one) => one?.verdict === 'violation');
  if (violated) return violationOf(cell, violated, mended);
  const hasIrqs = cell.withIrqs === undefined;
  if (withIrqs?.verdict === 'verified') return { kind: 'verified', states: withIrqs.states, interrupts: true };
  if (plain.verdict === 'verified') return { kind: 'verified', states: plain.states, interrupts: hasIrqs };
  return { kind: plain.complete ? 'never-happens' : 'inconclusive', reason: plain.reason ?? '' };
}

function violationOf(cell: SweepCell, violated: Cell, mended: Cell | undefined): SweepVerdict {
  const oracles = violated.violations.map(({ id }) => id);
  const bugs = bugsIn(cell, violated.plan.scenario);
  const unexpected = (problem: string): SweepVerdict => ({ kind: 'unexpected', oracles, problem });
  if (bugs.length === 0) return unexpected('no bug that the preset lists shows in this scenario');
  if (mended === undefined) return unexpected('nobody says how to mend the preset');
  if (mended.verdict === 'violation') {
    const rest = mended.violations.map(({ id }) => id).join(', ');
    return unexpected(`without the bugs ${bugs.join(', ')} it still violates ${rest}: ${mended.plan.command}`);
  }
  if (mended.verdict === 'cannot-run') return unexpected(`the mended kernel cannot run: ${mended.reason}`);
  return { kind: 'known', bugs, oracles, mended: mended.verdict };
}

/**
 * The bugs of the preset that may show in a cell.
 *
 * @param variant of the scenario: what was explored
 */
export function bugsIn({ preset, scenario, machine }: SweepCell, variant: string): readonly string[] {
  const { hardirq = false } = scenarioOf(variant).interference;
  const shows = (bug: KnownBug): boolean => showsIn(bug, scenario) && (hardirq || !bug.byInterrupt);
  return presetOf(preset)
    .bugs.filter(({ on }) => on === undefined || !isPlatform(on) || on === machine.platform)
    .map(({ id }) => id)
    .filter((id) => KNOWN_BUGS.some((bug) => bug.id === id && shows(bug)));
}
