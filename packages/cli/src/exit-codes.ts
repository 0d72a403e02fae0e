import type { FpuErrorCode } from '@fpulab/core';

/** Exit codes of the command. */
export const EXIT = {
  ok: 0,
  violation: 1,
  usage: 2,
  inconclusive: 3,
  diverged: 4,
  badData: 65,
  noInput: 66,
  bug: 70,
  io: 74,
  interrupted: 130,
} as const;

/** The exit code of a user's mistake. */
export function exitCodeOf(code: FpuErrorCode): number {
  switch (code) {
    case 'FPU302':
      return EXIT.diverged;
    case 'FPU102':
    case 'FPU104':
    case 'FPU401':
    case 'FPU402':
    case 'FPU403':
    case 'FPU404':
    case 'FPU405':
    case 'FPU406':
    case 'FPU407':
    case 'FPU601':
    case 'FPU602':
      return EXIT.badData;
    case 'FPU502':
      return EXIT.noInput;
    case 'FPU503':
      return EXIT.io;
    default:
      return EXIT.usage;
  }
}
