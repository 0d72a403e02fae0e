/** How a cell is written: in signs where there is little room, in words where there is more. */
import { ORACLES, type OracleId } from '@fpulab/core';
import type { CellVerdict } from './explore-cell';
import type { MatrixResult } from './result';
import type { Cell } from './run-cells';

/** One sign per verdict: no colour is needed to tell them apart. */
export const SIGNS: Readonly<Record<CellVerdict, string>> = {
  verified: 'ok',
  violation: '!',
  inconclusive: '?',
  'cannot-run': '-',
};

/** What a verdict is called. */
export const VERDICT_NAMES: Readonly<Record<CellVerdict, string>> = {
  verified: 'verified',
  violation: 'violation',
  inconclusive: 'inconclusive',
  'cannot-run': 'cannot run',
};

/** One letter per oracle. */
export const LETTERS: Readonly<Record<OracleId, string>> = {
  leak: 'L',
  'lost-update': 'U',
  'kernel-fpu-clobber': 'K',
  'atomic-sleep': 'S',
  'unexpected-fault': 'F',
  'speculative-exposure': 'X',
  validity: 'V',
  'pkru-mismatch': 'P',
  'stale-msr': 'M',
  'image-overrun': 'O',
  livelock: 'C',
};

/** What stands beside the sign: states, or letters of violations, with a + where there may be others. */
export function detailOf({ verdict, states, violations, complete }: Cell): string {
  if (verdict === 'cannot-run') return '';
  if (verdict !== 'violation') return short(states);
  const found = ORACLES.filter((oracle) => violations.some(({ id }) => id === oracle));
  return found.map((oracle) => LETTERS[oracle]).join('') + (complete ? '' : '+');
}

/** `leak, validity`, or why there is no verdict. */
export function wordsOf({ verdict, violations, reason }: Cell): string {
  return verdict === 'violation' ? violations.map(({ id }) => id).join(', ') : (reason ?? '');
}

/** `linux-3.6 on xen-pv: xen-pv-leak.any-3` */
export function titleOf({ plan: { preset, platform, scenario } }: Cell): string {
  return `${preset} on ${platform}: ${scenario}`;
}

/** The line that repeats a cell: the run of its nearest violation, or the exploration. */
export function repeatOf({ violations, plan }: Cell): string {
  return violations.at(0)?.replay ?? plan.command;
}

/** `L leak, V validity`: the letters that occur. */
export function lettersIn({ cells }: MatrixResult): string {
  const found = ORACLES.filter((oracle) => cells.some(({ violations }) => violations.some(({ id }) => id === oracle)));
  return found.map((oracle) => `${LETTERS[oracle]} ${oracle}`).join(', ');
}

/** Whether a cell has violations that may not be all. */
export function hasMore({ cells }: MatrixResult): boolean {
  return cells.some(({ verdict, complete }) => verdict === 'violation' && !complete);
}

/** `96 cells: 60 verified, 20 with violations, ...` */
export function summaryOf({ plan, cells }: MatrixResult): string {
  const count = (verdict: CellVerdict): number => cells.filter((cell) => cell.verdict === verdict).length;
  const unknown = plan.cells.length - cells.length;
  return [
    `${plan.cells.length} cell${plan.cells.length === 1 ? '' : 's'}: ${count('verified')} verified`,
    `${count('violation')} with violations`,
    `${count('inconclusive')} inconclusive`,
    ...(count('cannot-run') > 0 ? [`${count('cannot-run')} cannot run`] : []),
    ...(unknown > 0 ? [`${unknown} not explored`] : []),
  ].join(', ');
}

/** The two lines at the head of a column: the scenario, and which variant of it. */
export function columnHead(scenario: string): readonly [base: string, variant: string] {
  const [, base, variant] = /^(.*?)((?:\.any-\d+)?(?:\.nest-\d+)?)$/s.exec(scenario) as RegExpExecArray;
  return [base, variant];
}

/** `311`, `53k`, `1.2M` */
function short(states: number): string {
  if (states < 10_000) return String(states);
  return states < 1_000_000 ? `${Math.round(states / 1000)}k` : `${(states / 1_000_000).toFixed(1)}M`;
}
