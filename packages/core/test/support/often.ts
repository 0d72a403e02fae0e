/** How often something random is tried: in `npm test`, and in `npm run test:long`. */
export const often = (usually: number, long: number): number =>
  process.env.FPULAB_LONG === undefined ? usually : long;
