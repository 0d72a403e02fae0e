/** A matrix as Markdown. */
import { cellAt, rowsOf, type MatrixResult } from './result';
import { repeatOf, summaryOf, titleOf, VERDICT_NAMES, wordsOf } from './words';
import type { Cell } from './run-cells';

/** A table, and a list of the lines that repeat every cell that was not verified. */
export function matrixMarkdown(result: MatrixResult): string {
  const { scenarios } = result.plan;
  const rows = rowsOf(result).map((row) => [
    row.preset,
    row.platform,
    ...scenarios.map((scenario) => cellText(cellAt(result, row, scenario))),
  ]);
  const open = result.cells.filter(({ verdict }) => verdict !== 'verified');
  return [
    lineOf(['preset', 'platform', ...scenarios.map((scenario) => `\`${scenario}\``)]),
    lineOf(['---', '---', ...scenarios.map(() => '---')]),
    ...rows.map(lineOf),
    '',
    `${summaryOf(result)}.`,
    ...(open.length === 0 ? [] : ['', ...open.map(itemOf)]),
  ].join('\n');
}

function lineOf(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`;
}

function cellText(cell: Cell | undefined): string {
  if (!cell) return 'not explored';
  const name = VERDICT_NAMES[cell.verdict];
  return cell.verdict === 'violation' ? `**${name}**: ${wordsOf(cell)}` : name;
}

function itemOf(cell: Cell): string {
  return `- ${titleOf(cell)}: ${wordsOf(cell)}${cell.verdict === 'cannot-run' ? '' : `: \`${repeatOf(cell)}\``}`;
}
