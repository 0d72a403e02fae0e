/** Draws lanes as text of at most 132 columns by 42 lines. */
import { fitLanes, laneName, type FittedPicture, type PlacedLane } from './fit';
import type { Lane } from './story';

/** Width and height of a diagram: "the time diagram looks great at 132x42". */
export const DIAGRAM_SIZE = { columns: 132, rows: 42 } as const;

/** How parts of the picture are marked on a terminal. Without colour every part is the text itself. */
export interface Paint {
  title(text: string): string;
  head(text: string): string;
  tsSet(text: string): string;
  tsClear(text: string): string;
  violation(text: string): string;
  dim(text: string): string;
}

const same = (text: string): string => text;

/** Leaves the text as it is. */
export const PLAIN: Paint = { title: same, head: same, tsSet: same, tsClear: same, violation: same, dim: same };

/** What stands around the lanes. */
export interface Caption {
  readonly title: string;
  /** `clean`, or what was violated. */
  readonly verdict: string;
  /** Lines under the picture; violations among them start with `!`. */
  readonly notes: readonly string[];
}

const LABEL_WIDTH = 13;
const NOTES_MAX = 4;

/** The picture, without a newline at its end. */
export function renderDiagram(lanes: readonly Lane[], caption: Caption, paint: Paint = PLAIN): string {
  const notes = caption.notes.slice(0, NOTES_MAX);
  const readings = readingRows(lanes);
  const frame = 1 + 1 + readings.length + 1 + 1 + 1 + 1 + notes.length + 1;
  const picture = fitLanes(lanes, { columns: DIAGRAM_SIZE.columns - LABEL_WIDTH, rows: DIAGRAM_SIZE.rows - frame });
  const rule = paint.dim(
    `${'-'.repeat(LABEL_WIDTH)}${picture.lanes.map((lane) => `+${'-'.repeat(lane.width)}`).join('')}`,
  );
  const rows = Array.from({ length: picture.rows }, (_, row) => bodyRow(picture, row, paint));
  return [
    titleRow(caption, paint),
    rule,
    ...readings.map(({ label, of }) => readingRow(label, picture.lanes, of, paint)),
    rule,
    laneRow(picture.lanes, paint),
    rule,
    ...rows,
    rule,
    ...notes
      .map((note) => clip(note, DIAGRAM_SIZE.columns))
      .map((note) => (note.startsWith('!') ? paint.violation(note) : note)),
    paint.dim(clip(legend(picture), DIAGRAM_SIZE.columns)),
  ].join('\n');
}

interface Reading {
  readonly label: string;
  readonly of: (lane: Lane) => string;
}

function readingRows(lanes: readonly Lane[]): readonly Reading[] {
  const guest = lanes.some((lane) => lane.guestTs !== '');
  const ts: readonly Reading[] = guest
    ? [
        { label: 'CR0.TS real', of: (lane) => lane.realTs },
        { label: 'CR0.TS guest', of: (lane) => lane.guestTs },
      ]
    : [{ label: 'CR0.TS', of: (lane) => lane.realTs }];
  return [
    ...ts,
    { label: 'fpregs hold', of: (lane) => lane.registers },
    { label: 'fpregs owner', of: (lane) => lane.owner },
  ];
}

function titleRow({ title, verdict }: Caption, paint: Paint): string {
  const text = clip(title, DIAGRAM_SIZE.columns - verdict.length - 1);
  const gap = ' '.repeat(DIAGRAM_SIZE.columns - text.length - verdict.length);
  return paint.title(text) + gap + (verdict === 'clean' ? paint.tsClear(verdict) : paint.violation(verdict));
}

function readingRow(label: string, lanes: readonly PlacedLane[], of: (lane: Lane) => string, paint: Paint): string {
  const ts = label.startsWith('CR0');
  const cells = lanes.map(({ lane, width }) => {
    const text = of(lane);
    const cell = `|${text.padEnd(width)}`;
    if (!ts) return cell;
    return text.endsWith('1') ? paint.tsSet(cell) : paint.tsClear(cell);
  });
  return label.padEnd(LABEL_WIDTH) + cells.join('');
}

function laneRow(lanes: readonly PlacedLane[], paint: Paint): string {
  const many = new Set(lanes.map(({ lane }) => lane.cpu)).size > 1;
  const name = (lane: Lane): string => (many ? `${lane.cpu}:${laneName(lane)}` : laneName(lane));
  return (
    'context'.padEnd(LABEL_WIDTH) +
    lanes.map(({ lane, width }) => `|${paint.head(name(lane).slice(0, width).padEnd(width))}`).join('')
  );
}

function bodyRow(picture: FittedPicture, row: number, paint: Paint): string {
  const starting = picture.lanes.find((lane) => lane.top === row);
  const label = starting ? `#${starting.lane.from}` : '';
  const cells = picture.lanes.map((lane) => {
    const line = lane.rows[row - lane.top];
    const text = (line?.text ?? '').padEnd(lane.width);
    return `|${line?.violation ? paint.violation(text) : text}`;
  });
  return paint.dim(label.padEnd(LABEL_WIDTH)) + cells.join('');
}

function legend({ before, behind }: FittedPicture): string {
  const elsewhere = [before > 0 ? `${before} earlier` : '', behind > 0 ? `${behind} later` : ''].filter(
    (text) => text !== '',
  );
  const hidden = elsewhere.length === 0 ? '' : ` Not drawn: ${elsewhere.join(', ')} columns.`;
  return `Time: right, down. X#1: X's first value. 1>0: changes in the column. #n: event n.${hidden}`;
}

function clip(text: string, columns: number): string {
  return text.length <= columns ? text : `${text.slice(0, columns - 3)}...`;
}
