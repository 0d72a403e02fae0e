/** How often something random is tried: in `npm test`, and in `npm run test:long`. */
export const often = (usually: number, long: number): number =>
  process.env.FPULAB_LONG === undefined ? usually : long;

/** Cases that `npm run test:long` alone has: proofs of many states, where smaller ones show the same. */
export const inLong = <T>(...cases: readonly T[]): readonly T[] => (process.env.FPULAB_LONG === undefined ? [] : cases);
