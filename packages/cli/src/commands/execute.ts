import { FpuError, hasLongMode, type CodeMode, type CpuModel } from '@fpulab/core';
import { loadCpu } from '../cpu-argument';
import { documentOf, notModelled, type NotModelled } from '../execute/document';
import { reportLines } from '../execute/report';
import { CODE_BYTES_MAX, setUp } from '../execute/setup';
import { traceOf } from '../execute/trace';
import { EXIT } from '../exit-codes';
import { paintFor, print, printJson, type GlobalOptions } from '../terminal';

/** The flags of `fpulab execute`. */
export interface ExecuteFlags {
  readonly cpu: string;
  readonly mode?: '32' | '64';
  readonly cpl: '0' | '3';
  readonly set?: readonly string[];
  readonly memory?: readonly string[];
}

/** `fpulab execute <hex...>`. A fault is a result like any other; only what the model does not know is bad input. */
export function execute(hex: readonly string[], flags: ExecuteFlags, options: GlobalOptions): number {
  const code = codeOf(hex);
  const model = loadCpu(flags.cpu);
  const mode = codeMode(model, flags.mode);
  const { set = [], memory = [] } = flags;
  const bench = setUp({ model, mode, cpl: flags.cpl === '3' ? 3 : 0, set, memory }, code);
  const before = bench.data.slice();
  const trace = traceOf(bench, code);
  const unknown = notModelled(trace, code);
  if (options.json) printJson(documentOf(bench, trace, code, before));
  else print(reportLines(bench, trace, before, paintFor(options.color)).join('\n'));
  if (unknown) throw notModelledError(unknown);
  return EXIT.ok;
}

/** The mode that was asked for, else the widest that the processor has. */
function codeMode(model: CpuModel, asked: '32' | '64' | undefined): CodeMode {
  const long = hasLongMode(model);
  if (asked === '64' && !long) {
    throw new FpuError('FPU204', `'${model.id}' has no long mode; use --mode 32`, { cpu: model.id });
  }
  return asked === undefined ? (long ? 64 : 32) : asked === '64' ? 64 : 32;
}

/** Hex digits, with or without 0x; spaces between the arguments need not fall between instructions. */
function codeOf(given: readonly string[]): Uint8Array {
  const parts = given.map((part) => part.replace(/^0x/i, ''));
  for (const part of parts) {
    const complaint = !/^[0-9a-f]*$/i.test(part)
      ? 'is not hexadecimal'
      : part.length % 2 !== 0
        ? `has an odd number of digits, ${part.length}`
        : undefined;
    if (complaint) {
      throw new FpuError('FPU501', `'${part}' ${complaint}`, {
        hint: 'machine code is pairs of hex digits: d9e8 480fae27',
      });
    }
  }
  const code = Uint8Array.from(Buffer.from(parts.join(''), 'hex'));
  if (code.length === 0) throw new FpuError('FPU501', 'no machine code was given');
  if (code.length > CODE_BYTES_MAX) {
    throw new FpuError('FPU501', `${code.length} bytes of code were given, ${CODE_BYTES_MAX} are the most`);
  }
  return code;
}

function notModelledError({ offset, bytes, why }: NotModelled): FpuError {
  return new FpuError('FPU104', `stopped at offset ${offset}, ${bytes}: ${why}`, {
    hint: 'state management, moves and logic are modelled; branches, calls and other modes are not',
  });
}
