import { isFpuError, type FpuError } from '@fpulab/core';

/** The FpuError that `action` throws; fails the test when it throws something else, or nothing. */
export function fpuErrorOf(action: () => unknown): FpuError {
  try {
    action();
  } catch (error) {
    if (isFpuError(error)) return error;
    throw error;
  }
  throw new Error('expected an FpuError, but nothing was thrown');
}
