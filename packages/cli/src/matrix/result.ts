/** A matrix, explored. */
import type { MatrixPlan } from './plan';
import type { Cell } from './run-cells';

/** What there is to report. */
export interface MatrixResult {
  readonly plan: MatrixPlan;
  /** Those that are known, in the order of the plan. */
  readonly cells: readonly Cell[];
  /** Somebody pressed Ctrl-C: cells may be missing. */
  readonly interrupted: boolean;
  readonly durationMs: number;
}

/** The cell of a row and a column; undefined when it was not explored. */
export function cellAt(
  { cells }: MatrixResult,
  row: { readonly preset: string; readonly platform: string },
  scenario: string,
): Cell | undefined {
  return cells.find(
    ({ plan }) => plan.preset === row.preset && plan.platform === row.platform && plan.scenario === scenario,
  );
}

/** Every preset on every platform. */
export function rowsOf({ plan }: MatrixResult): readonly { readonly preset: string; readonly platform: string }[] {
  return plan.presets.flatMap((preset) => plan.platforms.map((platform) => ({ preset, platform })));
}
