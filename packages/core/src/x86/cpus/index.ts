/** The built-in CPU models, by id: Intel by age, AMD by age, then those behind captured test vectors. */
import type { CpuModelFile } from '../cpu-model-schema';

/** Ids of the files. */
export const CPU_IDS: readonly string[] = [
  'pentium-mmx',
  'pentium-iii',
  'nehalem',
  'sandybridge',
  'sandybridge-xsaveopt',
  'haswell',
  'broadwell',
  'skylake-x',
  'sapphire-rapids',
  'zen2',
  'zen3',
  'zen4',
  'zen4-guest',
  'bochs-sapphire-rapids',
  'bochs-ryzen',
  'qemu-max',
];

/** The file of one of them, read when it is asked for: a run needs one. It states everything; the tests check it. */
export function builtInCpu(id: string): CpuModelFile {
  // eslint-disable-next-line @typescript-eslint/no-require-imports -- known only at run time
  return require(`./${id}.cpu.json`) as CpuModelFile;
}
