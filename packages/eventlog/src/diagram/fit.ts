/** Chooses which lanes a picture shows and where their lines stand. */
import type { Lane } from './story';

/** Limits of the picture, in characters. */
export interface PictureSize {
  readonly columns: number;
  readonly rows: number;
}

/** A lane with its place. */
export interface PlacedLane {
  readonly lane: Lane;
  readonly width: number;
  /** First row of its lines, from 0. */
  readonly top: number;
  readonly rows: readonly PlacedRow[];
}

/** One printed row of a lane. */
export interface PlacedRow {
  readonly text: string;
  readonly violation: boolean;
}

/** What is shown, and how many lanes before and behind are not. */
export interface FittedPicture {
  readonly lanes: readonly PlacedLane[];
  readonly before: number;
  readonly behind: number;
  readonly rows: number;
}

/** Lane text is wrapped at the widest of these at which the whole story fits. */
const LANE_WIDTHS = [20, 18, 16, 15, 14, 13, 12, 11, 10] as const;
/** Where the story does not fit at any width. */
const LANE_WIDTH_USUAL = 13;
const LANE_WIDTH_MIN = 6;
/** A violation so many contexts later is another story. */
const STORY_LANES = 8;
/** Contexts of a clean run that are shown at the least. */
const CLEAN_LANES = 8;
const INDENT_MAX = 2;
/** Of the rows of a lane that is too long and ends badly, so many show its end. */
const END_SHARE = 2 / 3;
/** At this width and below, indentation costs more than it tells. */
const NARROW = 12;

/** Name of a lane in the head of the picture. */
export function laneName(lane: Lane): string {
  if (lane.context === 'Xen') return 'Xen';
  return lane.context === 'task' ? `task ${lane.task}` : `${lane.context} of ${lane.task}`;
}

/** Readings of a lane, top to bottom. */
function laneReadings(lane: Lane): readonly string[] {
  return [lane.realTs, lane.guestTs, lane.registers, lane.owner];
}

/**
 * Fits lanes into a picture: from the interesting one on, as many as there is room for; each starts lower than the
 * one before, so that time runs to the right and down.
 *
 * @param size room for the lanes alone
 */
export function fitLanes(lanes: readonly Lane[], size: PictureSize): FittedPicture {
  const first = firstLane(lanes);
  const widthOf = (limit: number, from: number, to: number): number =>
    lanes.slice(from, to + 1).reduce((columns, lane) => columns + wrapLane(lane, limit).width + 1, 0);
  const widest = (from: number, to: number): number | undefined =>
    LANE_WIDTHS.find((limit) => widthOf(limit, from, to) <= size.columns);
  const whole = widest(0, lanes.length - 1);
  const limit =
    whole ??
    lastLanes(lanes, first)
      .map((last) => widest(first, last))
      .find(Boolean) ??
    LANE_WIDTH_USUAL;
  const from = whole === undefined ? first : 0;
  let to = from;
  while (to < lanes.length && widthOf(limit, from, to) <= size.columns) to++;
  const sized = lanes.map((whole, index) => {
    const lane = index === to - 1 ? untilViolation(whole) : whole;
    return { lane, ...wrapLane(lane, limit) };
  });
  const shown = sized.slice(from, to);
  const tops = staircase(
    shown.map((lane) => Math.min(lane.rows.length, size.rows)),
    size.rows,
  );
  const placed = shown.map((lane, index) => ({ ...lane, top: tops[index], rows: cut(lane.rows, size.rows) }));
  const rows = Math.max(0, ...placed.map((lane) => lane.top + lane.rows.length));
  return { lanes: placed, before: from, behind: lanes.length - to, rows };
}

/** Where the story starts: with the task whose handler sleeps, or the one that ran before the first violation. */
function firstLane(lanes: readonly Lane[]): number {
  const sleeps = lanes.findIndex(
    (lane) => lane.context === '#NM' && lane.lines.some((line) => line.text.endsWith('sleeps')),
  );
  const violation = lanes.findIndex((lane) => lane.violation);
  const leadsThere = violation < 0 || (sleeps < violation && violation - sleeps < STORY_LANES);
  const focus = sleeps >= 0 && leadsThere ? sleeps : violation;
  if (focus < 0) return 0;
  const { task } = lanes[Math.max(0, sleeps === focus ? focus : focus - 1)];
  let from = focus;
  while (from > 0 && !(lanes[from].task === task && lanes[from].context === 'task')) from--;
  return from;
}

/** Where it may end, the best first: with the last violation, the first one, or some contexts on. */
function lastLanes(lanes: readonly Lane[], first: number): readonly number[] {
  const violations = lanes.flatMap((lane, index) => (lane.violation && index >= first ? [index] : []));
  if (violations.length > 0) return [violations[violations.length - 1], violations[0]];
  return [Math.min(lanes.length - 1, first + CLEAN_LANES)];
}

/** The last lane of a story that ends badly ends there. */
function untilViolation(lane: Lane): Lane {
  const last = lane.lines.map((line) => line.violation).lastIndexOf(true);
  return last < 0 ? lane : { ...lane, ...lane.untilViolation, lines: lane.lines.slice(0, last + 1) };
}

function wrapLane(lane: Lane, limit: number): { width: number; rows: readonly PlacedRow[] } {
  const rows = lane.lines.flatMap((line) =>
    wrap(line.text, line.indent, limit).map((text) => ({ text, violation: line.violation })),
  );
  const texts = [...rows.map((row) => row.text), laneName(lane), ...laneReadings(lane)];
  return { width: Math.max(LANE_WIDTH_MIN, ...texts.map((text) => text.length)), rows };
}

/** Wraps behind blanks and underscores; what follows is indented one more. */
function wrap(text: string, indent: number, limit: number): readonly string[] {
  const narrow = limit <= NARROW;
  const margin = ' '.repeat(Math.min(indent, narrow ? 1 : INDENT_MAX));
  const rows: string[] = [];
  let row = margin;
  for (const part of text.match(/[^ _]+[ _]*|[ _]+/g) ?? []) {
    if (row.trim() !== '' && (row + part).trimEnd().length > limit) {
      rows.push(row.trimEnd());
      row = narrow ? margin : `${margin} `;
    }
    row += part;
  }
  return [...rows, row.trimEnd()];
}

/** Top row of each lane: below the one before if there is room, else as much lower as fits. */
function staircase(heights: readonly number[], rows: number): readonly number[] {
  let sum = 0;
  const ideal = heights.map((height) => (sum += height) - height);
  const scales = heights.map((height, index) => (ideal[index] === 0 ? 1 : (rows - height) / ideal[index]));
  const scale = Math.max(0, Math.min(1, ...scales));
  return ideal.map((top) => Math.floor(top * scale));
}

function cut(rows: readonly PlacedRow[], limit: number): readonly PlacedRow[] {
  if (rows.length <= limit) return rows;
  const end = rows.at(-1)?.violation === true ? Math.floor(limit * END_SHARE) : 0;
  const left = rows.slice(limit - 1 - end, rows.length - end);
  const gap = { text: '...', violation: left.some((row) => row.violation) };
  return [...rows.slice(0, limit - 1 - end), gap, ...rows.slice(rows.length - end)];
}
