/** A matrix as a table for a terminal, with what there is to say about its cells below. */
import type { Paint } from '@fpulab/eventlog';
import { seconds } from '../explore/numbers';
import { cellAt, rowsOf, type MatrixResult } from './result';
import type { Cell } from './run-cells';
import type { CellVerdict } from './explore-cell';
import { SIGNS, columnHead, detailOf, hasMore, lettersIn, repeatOf, summaryOf, titleOf, wordsOf } from './words';

const WIDTH = 132;
const GAP = '  ';
/** What stands where no cell is known. */
const UNKNOWN = '.';

/** The table, its legend, and a line that repeats every cell that was not verified. */
export function matrixText(result: MatrixResult, paint: Paint): string {
  return [
    ...tables(result, paint),
    '',
    ...legend(result).map(paint.dim),
    ...details(result, 'violation', 'violations; the run of the nearest one:', paint),
    ...details(result, 'inconclusive', 'inconclusive; to go on, raise the bound:', paint),
    ...details(result, 'cannot-run', 'cannot run:', paint),
    '',
    paint.title(`${summaryOf(result)}; ${seconds(result.durationMs)}${cachedText(result)}`),
  ].join('\n');
}

/** A column: what stands in it, and how wide it is. */
interface Column {
  readonly head: readonly [string, string];
  readonly cells: readonly (Cell | undefined)[];
  readonly width: number;
}

/** As many columns beside each other as there is room for, then the others. */
function tables(result: MatrixResult, paint: Paint): readonly string[] {
  const rows = rowsOf(result);
  const [presetWidth, platformWidth] = [
    Math.max(...rows.map(({ preset }) => preset.length)),
    Math.max(...rows.map(({ platform }) => platform.length)),
  ];
  const labels = rows.map(
    ({ preset, platform }, row) =>
      (row > 0 && rows[row - 1].preset === preset ? '' : preset).padEnd(presetWidth) +
      GAP +
      platform.padEnd(platformWidth),
  );
  const blank = ' '.repeat(labels[0].length);
  return blocksOf(columnsOf(result), WIDTH - blank.length).flatMap((columns, block) => [
    ...(block > 0 ? [''] : []),
    ...headLines(blank, columns).map(paint.head),
    ...labels.map((label, row) =>
      lineOf(
        label,
        columns.map(({ cells, width }) => painted(cells[row], width, paint)),
      ),
    ),
  ]);
}

/** One line, or two where a scenario is a variant. */
function headLines(blank: string, columns: readonly Column[]): readonly string[] {
  const lines = [0, 1].map((line) =>
    lineOf(
      blank,
      columns.map(({ head, width }) => head[line].padEnd(width)),
    ),
  );
  return lines.filter((line) => line !== '');
}

function columnsOf(result: MatrixResult): readonly Column[] {
  return result.plan.scenarios.map((scenario) => {
    const head = columnHead(scenario);
    const cells = rowsOf(result).map((row) => cellAt(result, row, scenario));
    return {
      head,
      cells,
      width: Math.max(...head.map(({ length }) => length), ...cells.map((cell) => cellText(cell).length)),
    };
  });
}

function blocksOf(columns: readonly Column[], room: number): readonly (readonly Column[])[] {
  const blocks: Column[][] = [];
  let left = -1;
  for (const column of columns) {
    const needed = GAP.length + column.width;
    if (needed > left) {
      blocks.push([]);
      left = room;
    }
    blocks[blocks.length - 1].push(column);
    left -= needed;
  }
  return blocks;
}

function lineOf(label: string, cells: readonly string[]): string {
  return [label, ...cells].join(GAP).trimEnd();
}

function cellText(cell: Cell | undefined): string {
  return cell ? `${SIGNS[cell.verdict]} ${detailOf(cell)}`.trimEnd() : UNKNOWN;
}

function painted(cell: Cell | undefined, width: number, paint: Paint): string {
  const text = cellText(cell).padEnd(width);
  switch (cell?.verdict) {
    case 'verified':
      return paint.tsClear(text);
    case 'violation':
      return paint.violation(text);
    case 'inconclusive':
      return paint.tsSet(text);
    default:
      return paint.dim(text);
  }
}

function legend(result: MatrixResult): readonly string[] {
  const has = (verdict: CellVerdict): boolean => result.cells.some((cell) => cell.verdict === verdict);
  const signs = [
    ...(has('verified') ? [`${SIGNS.verified} n: verified, n states`] : []),
    ...(has('violation')
      ? [`${SIGNS.violation} letters: violations${hasMore(result) ? ' (+: there may be others)' : ''}`]
      : []),
    ...(has('inconclusive') ? [`${SIGNS.inconclusive} n: inconclusive after n states`] : []),
    ...(has('cannot-run') ? [`${SIGNS['cannot-run']}: cannot run`] : []),
    ...(result.interrupted ? [`${UNKNOWN}: not explored`] : []),
  ];
  const letters = lettersIn(result);
  const verified = result.cells.find(({ verdict }) => verdict === 'verified');
  return [
    signs.join('; '),
    ...(letters === '' ? [] : [letters]),
    ...(verified ? [`a verified cell again: ${verified.plan.command}`] : []),
  ];
}

function details(result: MatrixResult, verdict: CellVerdict, heading: string, paint: Paint): readonly string[] {
  const cells = result.cells.filter((cell) => cell.verdict === verdict);
  if (cells.length === 0) return [];
  return [
    '',
    paint.head(heading),
    ...cells.flatMap((cell) => [
      `  ${titleOf(cell)}: ${wordsOf(cell)}`,
      ...(verdict === 'cannot-run' ? [] : [paint.dim(`    ${repeatOf(cell)}`)]),
    ]),
  ];
}

function cachedText({ cells }: MatrixResult): string {
  const cached = cells.filter((cell) => cell.cached).length;
  return cached === 0 ? '' : `, ${cached} kept from before`;
}
