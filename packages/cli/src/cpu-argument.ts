/** The value of `--cpu` and its like: a built-in processor or a file. */
import { readFileSync } from 'node:fs';
import { CPU_IDS, FpuError, cpuModel, cpuModelFile, parseCpuModel, type CpuModel } from '@fpulab/core';

/**
 * The processor that an argument names: `sapphire-rapids`, or `./mine.cpu.json`.
 *
 * @throws FpuError FPU101 for an unknown id, FPU502 for a missing file, FPU503 for one that cannot be read, FPU102 for
 *   one that is no CPU model, or that calls another model by a built-in one's id
 */
export function loadCpu(idOrPath: string): CpuModel {
  if (!isCpuFile(idOrPath)) return cpuModel(idOrPath);
  const model = parseCpuModel(readJson(idOrPath), idOrPath);
  if (!CPU_IDS.includes(model.id) || isSame(model, cpuModel(model.id))) return model;
  throw new FpuError('FPU102', `${idOrPath}: id: '${model.id}' is a built-in model, and this one differs from it`, {
    file: idOrPath,
    path: 'id',
    hint: 'replay strings name a CPU model by its id alone; give yours another one',
  });
}

/** True for what names a file of a CPU model, not its id. */
export function isCpuFile(argument: string): boolean {
  return argument.endsWith('.json') || argument.includes('/');
}

function isSame(one: CpuModel, other: CpuModel): boolean {
  return JSON.stringify(cpuModelFile(one)) === JSON.stringify(cpuModelFile(other));
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
