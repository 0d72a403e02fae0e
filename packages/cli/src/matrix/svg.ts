/**
 * A matrix as one SVG file: no script, light and dark. Verdicts differ by sign as well as by colour; what a cell has to
 * say is its tooltip.
 */
import { escapeXml, svgText as text } from '../svg-text';
import { CELL_VERDICTS, type CellVerdict } from './explore-cell';
import { cellAt, rowsOf, type MatrixResult } from './result';
import type { Cell } from './run-cells';
import {
  VERDICT_NAMES,
  columnHead,
  detailOf,
  hasMore,
  lettersIn,
  repeatOf,
  summaryOf,
  titleOf,
  wordsOf,
} from './words';

/** All distances in user units, which are pixels at scale 1. */
const MARGIN = 24;
const TOP = 122;
const ROW = 34;
const CELL_HEIGHT = 28;
const CELL_GAP = 8;
const CELL_WIDTH_MIN = 84;
/** Between the rows of two presets. */
const PRESET_GAP = 12;
/** A character, on average and generously. */
const GLYPH = 7.6;
const LEGEND_LINE = 24;
const SWATCH = { width: 30, height: 20 };

const TITLE = 'FPU switching of kernels on platforms';

/** Signs as drawn; the words are in the legend. */
const SIGNS: Readonly<Record<CellVerdict, string>> = {
  verified: '✓',
  violation: '✗',
  inconclusive: '?',
  'cannot-run': '–',
};

/** The SVG document. */
export function matrixSvg(result: MatrixResult): string {
  const frame = frameOf(result);
  const { width, height } = frame;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-labelledby="title">`,
    `<title id="title">${escapeXml(`${TITLE}. ${summaryOf(result)}`)}</title>`,
    STYLE,
    `<rect class="page" width="${width}" height="${height}"/>`,
    text(MARGIN, 34, 'title', TITLE),
    text(MARGIN, 56, 'quiet', summaryOf(result)),
    ...heads(result, frame),
    ...rows(result, frame),
    ...legend(result, frame),
    '</svg>',
    '',
  ].join('\n');
}

const STYLE = `<style>
text { font: 13px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; fill: #1f2328; }
.title { font-size: 17px; font-weight: 600; }
.name { font-weight: 600; }
.quiet { fill: #59636e; font-size: 12px; }
.middle { text-anchor: middle; }
.page { fill: #ffffff; }
rect.verified { fill: #d5f2dc; stroke: #4ac26b; }
rect.violation { fill: #ffd9d4; stroke: #cf222e; stroke-width: 1.5; }
rect.inconclusive { fill: #fff3c4; stroke: #bf8700; stroke-dasharray: 5 3; }
rect.cannot-run { fill: #eaeef2; stroke: #8c959f; stroke-dasharray: 1 3; }
rect.unknown { fill: none; stroke: #d1d9e0; }
text.verified { fill: #0f5323; }
text.violation { fill: #82071e; font-weight: 700; }
text.inconclusive { fill: #633c01; }
text.cannot-run { fill: #59636e; }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3; }
.quiet { fill: #9198a1; }
.page { fill: #0d1117; }
rect.verified { fill: #12321d; stroke: #2ea043; }
rect.violation { fill: #4c1218; stroke: #f85149; }
rect.inconclusive { fill: #3a2d04; stroke: #d29922; }
rect.cannot-run { fill: #21262d; stroke: #6e7681; }
rect.unknown { stroke: #30363d; }
text.verified { fill: #7ee787; }
text.violation { fill: #ffb3ab; }
text.inconclusive { fill: #f2cc60; }
text.cannot-run { fill: #9198a1; }
}
</style>`;

/** Where everything lies. */
interface Frame {
  readonly width: number;
  readonly height: number;
  readonly platformX: number;
  readonly columns: readonly { readonly x: number; readonly width: number }[];
  /** Top of each row. */
  readonly rowY: readonly number[];
  readonly legendY: number;
}

function frameOf(result: MatrixResult): Frame {
  const { presets, platforms, scenarios } = result.plan;
  const widest = (lines: readonly string[]): number =>
    Math.ceil(Math.max(...lines.map(({ length }) => length)) * GLYPH);
  const platformX = MARGIN + widest(presets) + CELL_GAP;
  let x = platformX + widest(platforms) + CELL_GAP * 2;
  const columns = scenarios.map((scenario) => {
    const details = result.cells.filter(({ plan }) => plan.scenario === scenario).map(detailOf);
    const width = Math.max(
      CELL_WIDTH_MIN,
      widest([...columnHead(scenario), ...details.map((detail) => `✗ ${detail} `)]),
    );
    const column = { x, width };
    x += width + CELL_GAP;
    return column;
  });
  const rowY = rowsOf(result).map((_, row) => TOP + row * ROW + Math.floor(row / platforms.length) * PRESET_GAP);
  const legendY = rowY[rowY.length - 1] + ROW + 28;
  const lines = legendLines(result);
  const needed = Math.max(widest([TITLE, summaryOf(result), ...lines]), legendWidth(result));
  return {
    width: Math.max(x - CELL_GAP, MARGIN + needed) + MARGIN,
    height: legendY + (lines.length + 1) * LEGEND_LINE + 8,
    platformX,
    columns,
    rowY,
    legendY,
  };
}

function heads({ plan }: MatrixResult, { columns }: Frame): readonly string[] {
  return plan.scenarios.flatMap((scenario, column) => {
    const { x, width } = columns[column];
    const [base, variant] = columnHead(scenario);
    const middle = x + width / 2;
    return [
      text(middle, TOP - 30, 'name middle', base),
      text(middle, TOP - 13, 'quiet middle', variant || 'own programs'),
    ];
  });
}

function rows(result: MatrixResult, { columns, rowY, platformX }: Frame): readonly string[] {
  const { platforms, scenarios } = result.plan;
  return rowsOf(result).flatMap((row, index) => {
    const y = rowY[index];
    const base = y + CELL_HEIGHT / 2 + 5;
    return [
      ...(index % platforms.length === 0 ? [text(MARGIN, base, 'name', row.preset)] : []),
      text(platformX, base, 'platform', row.platform),
      ...scenarios.map((scenario, column) => box(cellAt(result, row, scenario), { ...columns[column], y })),
    ];
  });
}

function box(cell: Cell | undefined, at: { readonly x: number; readonly y: number; readonly width: number }): string {
  const rect = (look: string): string =>
    `<rect class="${look}" x="${at.x}" y="${at.y}" width="${at.width}" height="${CELL_HEIGHT}" rx="4"/>`;
  if (!cell) return `<g><title>not explored</title>${rect('unknown')}</g>`;
  const { verdict } = cell;
  const words = [wordsOf(cell), repeatOf(cell)].filter((part) => part !== '').join('\n');
  const label = `${SIGNS[verdict]} ${detailOf(cell)}`.trimEnd();
  return [
    `<g><title>${escapeXml(`${titleOf(cell)}: ${VERDICT_NAMES[verdict]}\n${words}`)}</title>`,
    rect(verdict),
    `${text(at.x + at.width / 2, at.y + CELL_HEIGHT / 2 + 5, `${verdict} middle`, label)}</g>`,
  ].join('');
}

// --- legend --------------------------------------------------------------------------------------------------------

const MEANINGS: Readonly<Record<CellVerdict, string>> = {
  verified: 'verified, with so many states',
  violation: 'violation, of these kinds',
  inconclusive: 'inconclusive after so many states',
  'cannot-run': 'cannot run',
};

function legend(result: MatrixResult, { legendY }: Frame): readonly string[] {
  let x = MARGIN;
  const swatches = occurring(result).map((verdict) => {
    const drawn = [
      `<rect class="${verdict}" x="${x}" y="${legendY - 15}" width="${SWATCH.width}" height="${SWATCH.height}" rx="4"/>`,
      text(x + SWATCH.width / 2, legendY, `${verdict} middle`, SIGNS[verdict]),
      text(x + SWATCH.width + 8, legendY, 'meaning', MEANINGS[verdict]),
    ].join('');
    x += swatchWidth(verdict);
    return drawn;
  });
  const lines = legendLines(result).map((line, index) =>
    text(MARGIN, legendY + (index + 1) * LEGEND_LINE, 'quiet', line),
  );
  return [...swatches, ...lines];
}

function legendLines(result: MatrixResult): readonly string[] {
  const letters = lettersIn(result);
  const more = hasMore(result) ? '; +: there may be others' : '';
  const variants = result.plan.scenarios.some((scenario) => scenario.includes('.any-'));
  return [
    ...(letters === '' ? [] : [`${letters}${more}`]),
    ...(variants ? ["any-n: n identical tasks that do any of the scenario's operations, in any order, for ever"] : []),
    ...(result.plan.scenarios.some((scenario) => scenario.includes('.nest-'))
      ? ['nest-n: at most n interrupts nested']
      : []),
  ];
}

function occurring({ cells }: MatrixResult): readonly CellVerdict[] {
  return CELL_VERDICTS.filter((verdict) => cells.some((cell) => cell.verdict === verdict));
}

function swatchWidth(verdict: CellVerdict): number {
  return SWATCH.width + 8 + Math.ceil(MEANINGS[verdict].length * GLYPH) + 16;
}

function legendWidth(result: MatrixResult): number {
  return occurring(result).reduce((sum, verdict) => sum + swatchWidth(verdict), 0);
}
