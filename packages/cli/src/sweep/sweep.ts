/** Explores the cells of the sweep, and judges them. */
import { MENDED } from '@fpulab/policies';
import { CellRun, type Cell, type CellRunOptions } from '../matrix/run-cells';
import { boundOf, planOfCell, type SweepCell } from './cells';
import { bugsIn, judged, type SweepVerdict } from './judge';

/** A cell and its verdict. */
export interface JudgedCell {
  readonly cell: SweepCell;
  readonly verdict: SweepVerdict;
  /** The line that repeats it: its nearest violation, or the exploration that gave the verdict. */
  readonly repeat: string;
}

/** What the sweep found. */
export interface SweepResult {
  readonly cells: readonly JudgedCell[];
  /** Bugs that presets list, and that showed nowhere: `linux-5.2: F03`. */
  readonly missing: readonly string[];
  /** As asked: of an exploration for one CPU and two tasks. */
  readonly maxStates: number;
  readonly explorations: number;
  /** What all explorations took together, also those that were kept from another time. */
  readonly exploringMs: number;
  readonly interrupted: boolean;
}

/** With interrupts there are far more states: so many times more at least, or it is not tried. */
const GROWTH = 5;

/** How the sweep is made. */
export interface SweepOptions extends CellRunOptions {
  readonly maxStates: number;
}

/** A bug that showed nowhere is looked for with so many times the states. */
const HARDER = 50;

/**
 * Four rounds: every cell as it is; with interrupts where that was verified with few states; once more, and harder, where a bug may be that
 * showed nowhere; and without the known bugs where something was violated.
 */
export async function sweep(cells: readonly SweepCell[], options: SweepOptions): Promise<SweepResult> {
  const { maxStates } = options;
  const boundFor = ({ machine }: SweepCell): number => boundOf(machine, maxStates);
  const rounds = new Rounds(options);
  const first = await rounds.explore(cells, (cell) => planOfCell(cell, cell.plain, boundFor(cell)));
  const small = cells.filter((cell) => {
    const { verdict, states } = first.get(cell) ?? {};
    return verdict === 'verified' && cell.withIrqs !== undefined && (states ?? 0) * GROWTH <= boundFor(cell);
  });
  const withIrqs = await rounds.explore(small, (cell) => planOfCell(cell, cell.withIrqs ?? cell.plain, boundFor(cell)));
  const again = await rounds.explore(mayHaveMissed(cells, first, withIrqs), (cell) =>
    planOfCell(cell, cell.plain, boundFor(cell) * HARDER),
  );
  const plain = new Map([...first, ...again]);
  const mended = await rounds.explore(
    cells.filter((cell) => canBeMended(cell, violatedVariant(cell, plain, withIrqs))),
    (cell) => {
      const bound = boundFor(cell) * (again.has(cell) ? HARDER : 1);
      return planOfCell(cell, violatedVariant(cell, plain, withIrqs) ?? cell.plain, bound, MENDED[cell.preset]);
    },
  );
  const result = judgedCells(cells, plain, withIrqs, mended);
  return {
    cells: result,
    missing: rounds.interrupted ? [] : missingIn(result),
    maxStates,
    explorations: rounds.explorations,
    exploringMs: rounds.exploringMs,
    interrupted: rounds.interrupted,
  };
}

/** Which of its two variants violates something. */
function violatedVariant(cell: SweepCell, plain: Outcomes, withIrqs: Outcomes): string | undefined {
  if (violates(plain.get(cell))) return cell.plain;
  return violates(withIrqs.get(cell)) ? cell.withIrqs : undefined;
}

function canBeMended(cell: SweepCell, variant: string | undefined): boolean {
  return variant !== undefined && bugsIn(cell, variant).length > 0 && cell.preset in MENDED;
}

/** The cells that were explored, each with its verdict. */
function judgedCells(
  cells: readonly SweepCell[],
  plain: Outcomes,
  withIrqs: Outcomes,
  mended: Outcomes,
): readonly JudgedCell[] {
  return cells.flatMap((cell) => {
    const one = plain.get(cell);
    if (one === undefined) return [];
    const verdict = judged(cell, { plain: one, withIrqs: withIrqs.get(cell), mended: mended.get(cell) });
    return [{ cell, verdict, repeat: repeatOf(one, withIrqs.get(cell)) }];
  });
}

type Outcomes = ReadonlyMap<SweepCell, Cell>;

/** The cells without a verdict in which a bug may show that showed in no other of its preset. */
function mayHaveMissed(cells: readonly SweepCell[], plain: Outcomes, withIrqs: Outcomes): readonly SweepCell[] {
  const bugsOf = (cell: SweepCell, variant: string): readonly string[] =>
    bugsIn(cell, variant).map((id) => `${cell.preset}: ${id}`);
  const shown = new Set(
    cells.flatMap((cell) => [
      ...(violates(plain.get(cell)) ? bugsOf(cell, cell.plain) : []),
      ...(violates(withIrqs.get(cell)) ? bugsOf(cell, cell.withIrqs ?? cell.plain) : []),
    ]),
  );
  return cells.filter(
    (cell) => plain.get(cell)?.verdict === 'inconclusive' && bugsOf(cell, cell.plain).some((bug) => !shown.has(bug)),
  );
}

/** True when something is to be looked into. */
export function isUnexpected({ cells, missing }: SweepResult): boolean {
  return missing.length > 0 || cells.some(({ verdict }) => verdict.kind === 'unexpected');
}

class Rounds {
  interrupted = false;
  explorations = 0;
  exploringMs = 0;

  constructor(private readonly options: CellRunOptions) {}

  /** The cells that were explored, and what came of each. */
  async explore(cells: readonly SweepCell[], planOf: (cell: SweepCell) => Cell['plan']): Promise<Outcomes> {
    if (this.interrupted) return new Map();
    const plans = new Map(cells.map((cell) => [planOf(cell), cell]));
    const run = new CellRun([...plans.keys()], this.options);
    const done = await run.run();
    this.interrupted = run.interrupted;
    this.explorations += done.filter(({ verdict }) => verdict !== 'cannot-run').length;
    this.exploringMs += done.reduce((sum, { durationMs }) => sum + durationMs, 0);
    return new Map(done.map((one) => [plans.get(one.plan) as SweepCell, one]));
  }
}

const violates = (cell: Cell | undefined): boolean => cell?.verdict === 'violation';

function repeatOf(plain: Cell, withIrqs: Cell | undefined): string {
  const [nearest] = [plain, withIrqs].flatMap((one) => one?.violations ?? []);
  if (nearest?.replay) return nearest.replay;
  return (withIrqs?.verdict === 'verified' ? withIrqs : plain).plan.command;
}

/** Only bugs of cells that were explored are missed. */
function missingIn(cells: readonly JudgedCell[]): readonly string[] {
  const expected = new Set(cells.flatMap(({ cell }) => bugsIn(cell, cell.plain).map((id) => `${cell.preset}: ${id}`)));
  const found = new Set(
    cells.flatMap(({ cell, verdict }) =>
      verdict.kind === 'known' ? verdict.bugs.map((id) => `${cell.preset}: ${id}`) : [],
    ),
  );
  return [...expected].filter((one) => !found.has(one)).sort();
}
