import { FpuError } from '../error';
import { COMPONENTS, type Feature } from './components';

/** What a processor can do, as far as FPU state goes. */
export interface CpuModel {
  readonly id: string;
  readonly title: string;
  readonly features: readonly Feature[];
}

const FXSR: readonly Feature[] = ['fpu', 'mmx', 'fxsr', 'sse'];

/** The built-in processors. */
export const CPU_MODELS: readonly CpuModel[] = [
  { id: 'pentium-mmx', title: 'Pentium MMX: x87 and MMX, FNSAVE only', features: ['fpu', 'mmx'] },
  { id: 'nehalem', title: 'Nehalem: FXSAVE, no XSAVE', features: FXSR },
  {
    id: 'sandybridge',
    title: 'Sandy Bridge with XSAVEOPT hidden (noxsaveopt): XSAVE, AVX',
    features: [...FXSR, 'xsave', 'avx'],
  },
  { id: 'haswell', title: 'Haswell: XSAVE, XSAVEOPT, AVX', features: [...FXSR, 'xsave', 'xsaveopt', 'avx'] },
];

/**
 * The built-in processor with this id.
 *
 * @throws FpuError FPU101 when there is none
 */
export function cpuModel(id: string): CpuModel {
  const found = CPU_MODELS.find((model) => model.id === id);
  if (found) return found;
  const known = CPU_MODELS.map((model) => model.id);
  throw new FpuError('FPU101', `no CPU model '${id}'; known: ${known.join(', ')}`, { id, known });
}

/** Components that exist on a CPU, as bits in ascending order. */
export function componentBits(model: CpuModel): readonly number[] {
  return COMPONENTS.filter((component) => model.features.includes(component.feature)).map((component) => component.bit);
}

/** How a kernel saves FPU state on this CPU. Linux 3.6 fpu_save_init(): XSAVE, else FXSAVE, else FNSAVE. */
export type SaveFormat = 'fnsave' | 'fxsave' | 'xsave';

/** Mnemonics of the instructions that move all registers; events carry the index. */
export const MOVE_INSTRUCTIONS = ['FNSAVE', 'FRSTOR', 'FXSAVE', 'FXRSTOR', 'XSAVE', 'XRSTOR'] as const;

/** Indices of a format's two instructions in MOVE_INSTRUCTIONS. */
export const INSTRUCTIONS_OF: Readonly<Record<SaveFormat, { readonly save: number; readonly restore: number }>> = {
  fnsave: { save: 0, restore: 1 },
  fxsave: { save: 2, restore: 3 },
  xsave: { save: 4, restore: 5 },
};

/** The best save instruction that the CPU has. */
export function saveFormat(model: CpuModel): SaveFormat {
  if (model.features.includes('xsave')) return 'xsave';
  return model.features.includes('fxsr') ? 'fxsave' : 'fnsave';
}

/**
 * Bytes that the save instruction writes, in the standard format.
 *
 * @see Intel SDM Vol. 1 "XSAVE Area" (13.4): 512 legacy, 64 header, AVX at 576 with 256 bytes; FNSAVE 108
 */
export function saveAreaBytes(model: CpuModel): number {
  switch (saveFormat(model)) {
    case 'fnsave':
      return 108;
    case 'fxsave':
      return 512;
    case 'xsave':
      return model.features.includes('avx') ? 832 : 576;
  }
}
