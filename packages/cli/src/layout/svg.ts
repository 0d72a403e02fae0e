/**
 * The map of an area as one SVG file, to scale: no script, light and dark.
 *
 * The left bar is the whole area. Where one component takes more than half of it, a second bar shows the rest at its own
 * scale, so that 8 bytes of PKRU can be seen beside 8192 of TILEDATA. Labels are a list, tied to the slices by lines.
 */
import { escapeXml as escape, svgText as text } from '../svg-text';
import type { AreaRow } from './area-map';
import { hex, type AreaRequest } from './area-request';
import { titleOf } from './table';

/** All distances in user units, which are pixels at scale 1. */
const TOP = 84;
const ROW = 26;
const MARGIN = 24;
const BAR_WIDTH = 64;
const FIRST_BAR = 72;
const SECOND_BAR = 280;
/** Between a bar and its labels. */
const LEADER = 96;
const BAR_HEIGHT_MIN = 420;
/** A character, on average and generously. */
const GLYPH = 7.2;

/** A bar: part of the area, drawn from `top` down. */
interface Bar {
  readonly x: number;
  readonly top: number;
  readonly height: number;
  /** Byte after the last one that it shows; the first is 0. */
  readonly end: number;
}

/** Slices have the colour of their component: 20 of them, told apart in light and dark. */
const COLOURS = [
  ...['#4e79a7', '#86b0d8', '#f28e2b', '#b6992d', '#d9c05a', '#59a14f', '#8cc47f', '#499894', '#9d7660', '#e15759'],
  ...['#d37295', '#b07aa1', '#d4a6c8', '#79706e', '#6b8fc9', '#c08552', '#a3a380', '#ffab5e', '#7464b4', '#2f9fbf'],
];

/** The SVG document. */
export function svgOf(request: AreaRequest, rows: readonly AreaRow[]): string {
  const title = titleOf(request);
  const big = dominant(rows, request.layout.totalBytes);
  const listHeight = rows.length * ROW;
  const height = Math.max(BAR_HEIGHT_MIN, listHeight);
  const whole: Bar = { x: FIRST_BAR, top: TOP, height, end: request.layout.totalBytes };
  const rest: Bar | undefined = big && { x: SECOND_BAR, top: TOP, height: height - ROW - 10, end: big.offset };
  const labelled = rest ?? whole;
  const labels = labelled.x + BAR_WIDTH + LEADER;
  const widest = (lines: readonly string[]): number => Math.ceil(Math.max(...lines.map((line) => line.length)) * GLYPH);
  const width = MARGIN + Math.max(labels + COLUMN.text + widest(rows.map((row) => row.text)), MARGIN + widest([title]));
  const total = TOP + height + 56;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${total}" role="img" aria-labelledby="title">`,
    `<title id="title">${escape(title)}</title>`,
    STYLE,
    `<rect class="page" width="${width}" height="${total}"/>`,
    ...heading(request),
    ...(rest ? [zoom(whole, rest)] : []),
    ...bar(whole, rows, 'whole area'),
    ...(rest ? bar(rest, rows, `first ${rest.end} bytes`) : []),
    ...columnHeads(labels),
    ...rows.flatMap((row, index) =>
      label(row, { bar: row === big ? whole : labelled, x: labels, y: rowY(index, rows, height) }),
    ),
    totalLine(request, labels, TOP + height + 30),
    '</svg>',
    '',
  ].join('\n');
}

/** The last component, when it takes more than half of the area. */
function dominant(rows: readonly AreaRow[], totalBytes: number): AreaRow | undefined {
  const last = rows.at(-1);
  return last !== undefined && last.size > totalBytes / 2 ? last : undefined;
}

const STYLE = `<style>
text { font: 13px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; fill: #1f2328; }
.number { font-family: ui-monospace, "SFMono-Regular", Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: 12px; }
.end { text-anchor: end; }
.middle { text-anchor: middle; }
.title { font-size: 17px; font-weight: 600; }
.name { font-weight: 600; }
.quiet { fill: #59636e; font-size: 12px; }
.page { fill: #ffffff; }
.frame { fill: none; stroke: #59636e; }
.header { fill: #8c959f; }
.gap { fill: #eef1f4; }
.zoom { fill: #59636e; fill-opacity: 0.1; }
.tick { stroke: #8c959f; }
.leader { fill: none; stroke: #8c959f; }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3; }
.quiet { fill: #9198a1; }
.page { fill: #0d1117; }
.frame { stroke: #9198a1; }
.header { fill: #6e7681; }
.gap { fill: #21262d; }
.zoom { fill: #9198a1; fill-opacity: 0.15; }
.tick, .leader { stroke: #6e7681; }
}
</style>`;

function heading({ model, form, layout }: AreaRequest): readonly string[] {
  return [
    text(MARGIN, 32, 'title', `${model.id}: XSAVE area, ${form} form, ${layout.totalBytes} bytes`),
    text(MARGIN, 54, 'quiet', `${model.title}; mask ${hex(layout.mask)}`),
  ];
}

// --- bars ----------------------------------------------------------------------------------------------------------

function bar(shown: Bar, rows: readonly AreaRow[], caption: string): readonly string[] {
  const { x, top, height, end } = shown;
  const inside = rows.filter(({ offset }) => offset < end);
  return [
    text(x + BAR_WIDTH / 2, top - 10, 'quiet middle', caption),
    ...inside.map((row) => slice(shown, row)),
    `<rect class="frame" x="${x}" y="${top}" width="${BAR_WIDTH}" height="${height}"/>`,
    ...ticks(shown),
  ];
}

function slice(shown: Bar, { kind, bit, name, offset, size, text: what }: AreaRow): string {
  const y = yOf(shown, offset);
  const height = yOf(shown, Math.min(offset + size, shown.end)) - y;
  const look = bit === undefined ? `class="${kind}"` : `fill="${colourOf(bit)}"`;
  const who = kind === 'gap' ? 'gap' : bit === undefined ? name : `${name} (bit ${bit})`;
  const hover = `${who}: bytes ${offset} to ${offset + size - 1}, ${size} bytes; ${what}`;
  return (
    `<rect ${look} x="${shown.x}" y="${round(y)}" width="${BAR_WIDTH}" height="${round(height)}">` +
    `<title>${escape(hover)}</title></rect>`
  );
}

/** Offsets at the left of a bar: multiples of a power of two, seven at most. */
function ticks(shown: Bar): readonly string[] {
  const step = 2 ** Math.ceil(Math.log2(shown.end / 7));
  const offsets = Array.from({ length: Math.floor(shown.end / step) + 1 }, (_, index) => index * step);
  const room = (step / 2) * (14 / (yOf(shown, step) - shown.top));
  const shownOffsets = [...offsets.filter((offset) => shown.end - offset > room), shown.end];
  return shownOffsets.flatMap((offset) => {
    const y = round(yOf(shown, offset));
    return [
      `<line class="tick" x1="${shown.x - 6}" x2="${shown.x}" y1="${y}" y2="${y}"/>`,
      text(shown.x - 10, y + 4, 'number quiet end', String(offset)),
    ];
  });
}

/** From the part of the first bar to the bar that shows it larger. */
function zoom(whole: Bar, rest: Bar): string {
  const [left, right] = [whole.x + BAR_WIDTH, rest.x];
  const from = round(yOf(whole, rest.end));
  const to = rest.top + rest.height;
  return `<polygon class="zoom" points="${left},${whole.top} ${right},${rest.top} ${right},${to} ${left},${from}"/>`;
}

function yOf({ top, height, end }: Bar, offset: number): number {
  return top + (height * offset) / end;
}

// --- labels --------------------------------------------------------------------------------------------------------

/** Columns of the list, from its left edge. */
const COLUMN = { offset: 60, hex: 122, size: 180, name: 196, text: 294 };

function columnHeads(x: number): readonly string[] {
  const y = TOP - 10;
  return [
    text(x + COLUMN.offset, y, 'quiet end', 'offset'),
    text(x + COLUMN.size, y, 'quiet end', 'size'),
    text(x + COLUMN.name, y, 'quiet', 'component'),
  ];
}

/** The middle of a label: the list is spread over the height of the bars. */
function rowY(index: number, rows: readonly AreaRow[], height: number): number {
  return TOP + ((index + 0.5) * height) / rows.length;
}

function label(
  row: AreaRow,
  { bar: shown, x, y }: { readonly bar: Bar; readonly x: number; readonly y: number },
): readonly string[] {
  const base = round(y + 4);
  return [
    leader(row, shown, { x, y }),
    text(x + COLUMN.offset, base, 'number end', String(row.offset)),
    text(x + COLUMN.hex, base, 'number quiet end', hex(row.offset)),
    text(x + COLUMN.size, base, 'number end', String(row.size)),
    text(x + COLUMN.name, base, row.kind === 'component' ? 'name' : 'quiet', row.kind === 'gap' ? 'gap' : row.name),
    text(x + COLUMN.text, base, 'quiet', row.text),
  ];
}

/** From the middle of a slice to its label, or straight where the label lies beside the slice. */
function leader(
  { offset, size, bit }: AreaRow,
  shown: Bar,
  { x, y }: { readonly x: number; readonly y: number },
): string {
  const [from, to] = [yOf(shown, offset), yOf(shown, offset + size)];
  const start = y > from && y < to ? y : (from + to) / 2;
  const left = shown.x + BAR_WIDTH;
  const bend = x - LEADER;
  const stroke = bit === undefined ? '' : ` style="stroke: ${colourOf(bit)}"`;
  const points = `${left},${round(start)} ${bend + 12},${round(start)} ${bend + LEADER - 12},${round(y)} ${x},${round(y)}`;
  return `<polyline class="leader"${stroke} points="${points}"/>`;
}

function totalLine({ layout }: AreaRequest, x: number, y: number): string {
  return (
    text(x + COLUMN.offset, y, 'number end', String(layout.totalBytes)) + text(x + COLUMN.name, y, 'name', 'total')
  );
}

function colourOf(bit: number): string {
  return COLOURS[bit % COLOURS.length];
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
