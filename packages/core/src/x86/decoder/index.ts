/** The instruction decoder, loaded when the first instruction is decoded: its tables take longer to build than many a run. */
import type { CodeMode, Instruction } from '../instruction';
import type * as DecodeModule from './decode';
import type * as FormatModule from './format';

let decodeModule: typeof DecodeModule | undefined;
let formatModule: typeof FormatModule | undefined;

/* eslint-disable @typescript-eslint/no-require-imports */
/** See `decode.ts`. */
export function decode(bytes: Uint8Array, offset: number, mode: CodeMode): Instruction {
  decodeModule ??= require('./decode') as typeof DecodeModule;
  return decodeModule.decode(bytes, offset, mode);
}

/** See `format.ts`. */
export function format(instruction: Instruction): string {
  formatModule ??= require('./format') as typeof FormatModule;
  return formatModule.format(instruction);
}
