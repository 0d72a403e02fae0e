/**
 * CPU model files, `*.cpu.json`: from a file to a model and back.
 *
 * What they look like is told by `cpu-model-schema.ts`, which is loaded when somebody has a file to check: zod takes longer
 * to load than many a run.
 */
import type { CpuModel } from './cpu-model';
import type * as Schema from './cpu-model-schema';
import type { CpuModelFile } from './cpu-model-schema';

/** The `schema` of every CPU model file. It changes when an old reader would misread a new file, or the other way round. */
export const CPU_MODEL_SCHEMA = 'fpulab/cpu@1';

// eslint-disable-next-line @typescript-eslint/no-require-imports -- see above
const schema = () => require('./cpu-model-schema') as typeof Schema;

/** The form of a CPU model file, and that its parts agree. For files within files: event logs hold a model, too. */
export declare const cpuModelSchema: typeof Schema.cpuModelSchema;
Object.defineProperty(exports, 'cpuModelSchema', { enumerable: true, get: () => schema().cpuModelSchema });

/**
 * The CPU model of a `*.cpu.json` file.
 *
 * @param json what JSON.parse returned
 * @param where what errors call it: the file's path, or the model's id
 * @throws FpuError FPU102 naming `where`, the place within the file, what was expected and what was found
 */
export function parseCpuModel(json: unknown, where = 'CPU model'): CpuModel {
  return modelOf(schema().checkedFile(json, where));
}

/** The file form of a model: what `parseCpuModel` makes the same model of. */
export function cpuModelFile(model: CpuModel): CpuModelFile {
  return {
    schema: CPU_MODEL_SCHEMA,
    ...model,
    mxcsrMask: hex(model.mxcsrMask),
    xcr0: hex(model.xcr0),
    xss: hex(model.xss),
    cpuid: Object.fromEntries(
      Object.entries(model.cpuid).map(([leaf, [a, b, c, d]]) => [leaf, [hex(a), hex(b), hex(c), hex(d)] as const]),
    ),
  };
}

/** The model that a checked file describes. */
export function modelOf({ schema: _, ...file }: CpuModelFile): CpuModel {
  return {
    ...file,
    mxcsrMask: Number(file.mxcsrMask),
    xcr0: Number(file.xcr0),
    xss: Number(file.xss),
    cpuid: Object.fromEntries(
      Object.entries(file.cpuid).map(([leaf, [a, b, c, d]]) => [
        leaf,
        [Number(a), Number(b), Number(c), Number(d)] as const,
      ]),
    ),
  };
}

function hex(value: number): string {
  return `0x${(value >>> 0).toString(16)}`;
}
