import { isFpuError } from '../error';
import { compositionOf, type ComposeOptions } from '../plugin/compose';

/** A hook or a feature that a composition lacks. */
const CANNOT_RUN: readonly string[] = ['FPU202', 'FPU204'];

/** Whether these parts can run together: a scenario or a policy may need what the processor, the platform or the policy lacks. */
export function isSupported(options: ComposeOptions): boolean {
  try {
    compositionOf(options);
    return true;
  } catch (error) {
    if (isFpuError(error) && CANNOT_RUN.includes(error.code)) return false;
    throw error;
  }
}
