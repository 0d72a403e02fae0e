/** A worker thread: explores the cells that it is handed. */
import { exploreCell, type CellControl, type CellResult } from './explore-cell';
import type { CellPlan } from './plan';

/** A cell, and the shared memory through which it is watched and stopped. */
export interface CellTask {
  readonly cell: CellPlan;
  readonly control: CellControl;
}

/** Explores a cell. Undefined when it was told to stop. */
export default function work({ cell, control }: CellTask): Promise<CellResult | undefined> {
  return exploreCell(cell, control);
}
