/** The sweep as one JSON document, and as text. */
import { grouped, seconds } from '../explore/numbers';
import type { SweepVerdict } from './judge';
import { isUnexpected, type JudgedCell, type SweepResult } from './sweep';

/** `fpulab/sweep@1` */
export function sweepDocument(result: SweepResult) {
  const { cells, missing, maxStates, explorations, exploringMs, interrupted } = result;
  return {
    schema: 'fpulab/sweep@1',
    verdict: isUnexpected(result) ? 'unexpected' : 'as-expected',
    maxStates,
    cells: cells.map(({ cell: { preset, scenario, machine }, verdict: { kind, ...own }, repeat }) => ({
      preset,
      scenario,
      ...machine,
      outcome: kind,
      ...own,
      repeat,
    })),
    missing,
    explorations,
    exploringMs,
    interrupted,
  };
}

/** The sums, and whatever is unexpected. */
export function sweepText(result: SweepResult): string {
  const { cells, missing, explorations, exploringMs, interrupted } = result;
  const unexpected = cells.filter(({ verdict }) => verdict.kind === 'unexpected');
  return [
    `${isUnexpected(result) ? 'unexpected' : 'as expected'}: ${sumsOf(result)}${interrupted ? '; interrupted' : ''}`,
    ...unexpected.map(unexpectedText),
    ...missing.map((one) => `  ! ${one} shows nowhere`),
    `  ${grouped(explorations)} explorations took ${seconds(exploringMs)}`,
  ].join('\n');
}

/** `60 verified (40 with interrupts), 12 known, 3 inconclusive, ...` */
export function sumsOf({ cells }: SweepResult): string {
  const count = (test: (verdict: SweepVerdict) => boolean): number =>
    cells.filter(({ verdict }) => test(verdict)).length;
  const kind = (wanted: SweepVerdict['kind']): number => count((verdict) => verdict.kind === wanted);
  const unproved = count((verdict) => verdict.kind === 'known' && verdict.mended !== 'verified');
  const withIrqs = count((verdict) => verdict.kind === 'verified' && verdict.interrupts);
  return [
    `${grouped(cells.length)} cells: ${kind('verified')} verified, ${withIrqs} of them with interrupts`,
    `${kind('known')} with known bugs, ${unproved} of them with no verdict on the kernel without them`,
    `${kind('inconclusive')} inconclusive`,
    `${kind('never-happens')} where what the scenario is about does not happen`,
    `${kind('cannot-run')} cannot run`,
    ...(kind('unexpected') > 0 ? [`${kind('unexpected')} unexpected`] : []),
  ].join(', ');
}

function unexpectedText({ cell: { preset, scenario, machine }, verdict, repeat }: JudgedCell): string {
  if (verdict.kind !== 'unexpected') return '';
  const { platform, cpus, tasks } = machine;
  const where = `${preset}, ${scenario}, ${cpus} CPU${cpus === 1 ? '' : 's'}, ${tasks} tasks, ${platform}`;
  return `  ! ${where}: ${verdict.oracles.join(', ')}; ${verdict.problem}\n    ${repeat}`;
}
