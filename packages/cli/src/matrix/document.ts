/** A matrix as one JSON document. */
import type { MatrixResult } from './result';
import { repeatOf } from './words';

/** `fpulab/matrix@1` */
export function matrixDocument({ plan, cells, interrupted, durationMs }: MatrixResult, svg: string | undefined) {
  return {
    schema: 'fpulab/matrix@1',
    presets: plan.presets,
    platforms: plan.platforms,
    scenarios: plan.scenarios,
    cells: cells.map((cell) => ({
      preset: cell.plan.preset,
      platform: cell.plan.platform,
      scenario: cell.plan.scenario,
      verdict: cell.verdict,
      violations: cell.violations,
      complete: cell.complete,
      states: cell.states,
      reason: cell.reason,
      replay: repeatOf(cell),
      command: cell.plan.command,
      durationMs: cell.durationMs,
      cached: cell.cached,
      digest: cell.digest,
    })),
    interrupted,
    svg: svg ?? null,
    durationMs: Math.round(durationMs),
  };
}
