/** The value of `--cpu` and its like: a built-in processor or a file. */
import { readFileSync } from 'node:fs';
import { FpuError, cpuModel, parseCpuModel, type CpuModel } from '@fpulab/core';

/**
 * The processor that an argument names: `sapphire-rapids`, or `./mine.cpu.json`.
 *
 * @throws FpuError FPU101 for an unknown id, FPU502 for a missing file, FPU102 for one that is no CPU model
 */
export function loadCpu(idOrPath: string): CpuModel {
  return isPath(idOrPath) ? parseCpuModel(readJson(idOrPath), idOrPath) : cpuModel(idOrPath);
}

function isPath(argument: string): boolean {
  return argument.endsWith('.json') || argument.includes('/');
}

function readJson(file: string): unknown {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    const missing = (cause as NodeJS.ErrnoException).code === 'ENOENT';
    if (missing) throw new FpuError('FPU502', `no CPU model file '${file}'`, { file }, { cause });
    throw new FpuError('FPU503', `cannot read '${file}': ${(cause as Error).message}`, { file }, { cause });
  }
  try {
    return JSON.parse(text);
  } catch (cause) {
    const reason = (cause as Error).message;
    throw new FpuError('FPU102', `${file}: expected JSON, found something else: ${reason}`, { file }, { cause });
  }
}
