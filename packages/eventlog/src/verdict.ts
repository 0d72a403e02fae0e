import { ORACLES, type MachineEvent } from '@fpulab/core';
import type { LogHeader, LogOutcome, LogVerdict } from './format';

/** Counts the violations of the oracles that decide a verdict. */
export class VerdictCounter {
  /** Violations so far. */
  violations = 0;
  private readonly deciding: ReadonlySet<number>;

  constructor({ oracles }: Pick<LogHeader, 'oracles'>) {
    this.deciding = new Set(oracles.map((id) => ORACLES.indexOf(id)));
  }

  /** Looks at the next event. */
  observe(event: MachineEvent): void {
    if (event.type === 'oracle.violated' && this.deciding.has(event.data.oracle)) this.violations++;
  }

  /** What the oracles say of a run that ended like this. A run that was cut short is not clean. */
  verdict(outcome: LogOutcome): LogVerdict {
    if (this.violations > 0) return 'violation';
    return outcome === 'finished' || outcome === 'step-limit' ? 'clean' : null;
  }
}
