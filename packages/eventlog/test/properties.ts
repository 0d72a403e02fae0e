import fc from 'fast-check';

const DEFAULT_SEED = 0x5eed;

/**
 * Checks a property. fast-check prints seed and path of a failure; `FPULAB_FC_SEED=... FPULAB_FC_PATH=...` runs it
 * again.
 */
export function holds<T extends unknown[]>(property: fc.IProperty<T>, numRuns = 100): void {
  const { FPULAB_FC_SEED: seed, FPULAB_FC_PATH: path } = process.env;
  fc.assert(property, { numRuns, seed: Number(seed ?? DEFAULT_SEED), ...(path !== undefined && { path }) });
}
