/** The museum for a terminal: a table, then each bug with its story, its run and its fixes. */
import type { Paint } from '@fpulab/eventlog';
import type { CompositionRequest } from '../explore/compose-request';
import { counted, grouped, seconds } from '../explore/numbers';
import { stepLines } from '../explore/steps';
import { describeViolation, diagramOf, runTitle } from '../report';
import type { MuseumResult } from './document';
import { isFound, isVerified, type Exhibit, type ExploredBug, type ExploredFix } from './exhibit';

/** Of a paragraph. */
const WIDTH = 100;
const GAP = '  ';

/** The table, then what there is to tell of every bug. */
export function museumText(result: MuseumResult, diagrams: boolean, paint: Paint): string {
  return [
    ...table(result.exhibits, paint),
    '',
    paint.title(summaryOf(result)),
    ...result.exhibits.flatMap((exhibit) => ['', '', ...sectionOf(exhibit, diagrams, paint)]),
  ].join('\n');
}

// --- the table -----------------------------------------------------------------------------------------------------

const HEAD = ['id', 'name', 'year', 'kernels', 'breaks', 'found in', 'fix verified'] as const;

function table(exhibits: readonly Exhibit[], paint: Paint): readonly string[] {
  const rows = exhibits.map((exhibit) => rowOf(exhibit));
  const widths = HEAD.map((head, column) => Math.max(head.length, ...rows.map((row) => row[column].length)));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) => cell.padEnd(widths[column]))
      .join(GAP)
      .trimEnd();
  return [paint.head(line(HEAD)), ...rows.map(line)];
}

function rowOf(exhibit: Exhibit): readonly string[] {
  const { id, name, year, kernels, property } = exhibit.bug;
  return [id, name, String(year), kernels, property, foundText(exhibit), fixesText(exhibit)];
}

function foundText({ buggy }: Exhibit): string {
  if (!buggy) return '?';
  return buggy.run ? counted(buggy.run.steps.length, 'step') : 'not found';
}

function fixesText({ bug, fixes }: Exhibit): string {
  const known = fixes.map(({ exploration: { verdict, states } }) => (verdict === 'verified' ? grouped(states) : 'NOT'));
  const missing = bug.fixes.slice(fixes.length).map(() => '?');
  return `${[...known, ...missing].join(' + ')} states`;
}

/** `15 bugs: all found, every fix verified; 15 s`, or which are not. */
function summaryOf({ exhibits, interrupted, durationMs }: MuseumResult): string {
  const idsOf = (some: readonly Exhibit[]): string => some.map(({ bug }) => bug.id).join(', ');
  const lost = exhibits.filter((exhibit) => isFound(exhibit) === false);
  const open = exhibits.filter((exhibit) => isVerified(exhibit) === false);
  const unknown = exhibits.filter((exhibit) => isFound(exhibit) === null || isVerified(exhibit) === null);
  const parts = [
    ...(lost.length > 0 ? [`not found: ${idsOf(lost)}`] : []),
    ...(open.length > 0 ? [`fix not verified: ${idsOf(open)}`] : []),
    ...(unknown.length > 0 ? [`interrupted: ${idsOf(unknown)}`] : []),
  ];
  const isAll = parts.length === 0 && !interrupted;
  const verdict = isAll ? 'all found, every fix verified' : parts.join('; ') || 'the others were not explored';
  return `${counted(exhibits.length, 'bug')}: ${verdict}; ${seconds(durationMs)}`;
}

// --- a bug ---------------------------------------------------------------------------------------------------------

function sectionOf({ bug, buggy, fixes }: Exhibit, diagrams: boolean, paint: Paint): readonly string[] {
  const { id, name, title, year, cve, kernels, source, story } = bug;
  return [
    paint.title(`${id} ${name}: ${title}`),
    `${[String(year), ...(cve === undefined ? [] : [cve])].join(', ')}; kernels: ${kernels}`,
    ...wrapped(source),
    '',
    ...wrapped(story),
    ...(buggy ? ['', ...buggyLines(buggy, diagrams, paint)] : []),
    ...(fixes.length > 0 ? [''] : []),
    ...fixes.flatMap((fix) => fixLines(fix, paint)),
  ];
}

function buggyLines(
  { run, plan, exploration, replay }: ExploredBug,
  diagrams: boolean,
  paint: Paint,
): readonly string[] {
  const title = runTitle(plan.header);
  if (!run) return [paint.violation(`NOT FOUND in ${title}`)];
  const { violations } = run.report;
  const [{ choices, steps }] = exploration.counterexamples;
  return [
    paint.violation(`! ${describeViolation(run.violation)}`),
    `  ${title}`,
    `  ${counted(choices.length, 'choice')}, ${counted(steps, 'step')}: no run has fewer choices, and none of those with as many has fewer steps`,
    ...(diagrams ? ['', diagramOf(run.collector, { title, violations }, paint), ''] : []),
    ...stepLines(run).map((line) => `  ${line}`),
    ...(replay ? [paint.dim(`  replay: ${replay.command}`)] : []),
  ];
}

function fixLines({ fix, plan, exploration }: ExploredFix, paint: Paint): readonly string[] {
  const { verdict, states, reason, counterexamples } = exploration;
  const isCured = verdict === 'verified';
  const why = counterexamples.map(({ oracle }) => oracle).join(', ') || (reason ?? '');
  const cures = fix.cures ? ` for ${fix.cures.join(', ')}` : '';
  const said = isCured ? `verified${cures}, ${counted(states, 'state')}` : `NOT VERIFIED: ${verdict}, ${why}`;
  return [
    `${isCured ? paint.tsClear('ok') : paint.violation('!')} ${fix.by}: ${said}`,
    `  ${runTitle(plan.header)}`,
    paint.dim(`  again: ${exploreCommand(plan.request)}`),
  ];
}

/** The command that explores the same. */
function exploreCommand({ scenario, policies, platform, patches, cpu, oracles }: CompositionRequest): string {
  return [
    `fpulab explore ${scenario} --policy ${policies.join(',')}`,
    ...(platform === 'bare-metal' ? [] : [`--platform ${platform}`]),
    ...(patches.length === 0 ? [] : [`--patch ${patches.join(',')}`]),
    ...(cpu === null ? [] : [`--cpu ${cpu}`]),
    ...(oracles === null ? [] : [`--oracle ${oracles.join(',')}`]),
  ].join(' ');
}

function wrapped(text: string): readonly string[] {
  const lines: string[] = [''];
  for (const word of text.split(' ')) {
    const line = lines[lines.length - 1];
    if (line === '') lines[lines.length - 1] = word;
    else if (line.length + 1 + word.length <= WIDTH) lines[lines.length - 1] = `${line} ${word}`;
    else lines.push(word);
  }
  return lines;
}
