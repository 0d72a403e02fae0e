/** How often something random is tried: in `npm test`, and in `npm run test:long`. */
export const often = (usually: number, long: number): number =>
  process.env.FPULAB_LONG === undefined ? usually : long;

/** Of alternatives that take turns, in `npm test` only the one whose turn it is. */
export function inTurn<T>(all: readonly T[], turn: number): readonly T[] {
  return process.env.FPULAB_LONG !== undefined || all.length === 0 ? all : [all[turn % all.length]];
}

/** Cases that `npm run test:long` alone has: proofs of many states, where smaller ones show the same. */
export const inLong = <T>(...cases: readonly T[]): readonly T[] => (process.env.FPULAB_LONG === undefined ? [] : cases);

/** A test that `npm run test:long` alone runs: its fact is shown by a smaller one, or by a command that the tests run. */
export const itInLong: jest.It = process.env.FPULAB_LONG === undefined ? it.skip : it;
