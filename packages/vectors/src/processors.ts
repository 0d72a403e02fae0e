/** Which CPU model stands for the processor that a file was captured from. */
import { FpuError, cpuModel, cpuid, type CpuModel } from '@fpulab/core';
import type { VectorFile } from './format';

interface Captured {
  readonly model: string;
  matches(source: VectorFile['source']): boolean;
}

/** Display models of Zen 4 EPYC processors: Genoa and its kin, Bergamo and Siena. */
const ZEN4 = { family: 0x19, models: [0x11, 0xa0] };

const CAPTURED: readonly Captured[] = [
  {
    model: 'zen4-guest',
    matches: ({ kind, vendor, family, model = -1 }) =>
      kind === 'silicon' && vendor === 'AuthenticAMD' && family === ZEN4.family && ZEN4.models.includes(model),
  },
  {
    model: 'bochs-sapphire-rapids',
    matches: ({ emulator, version }) => emulator === 'Bochs' && /sapphire_rapids/.test(version ?? ''),
  },
  { model: 'bochs-ryzen', matches: ({ emulator, version }) => emulator === 'Bochs' && /ryzen/.test(version ?? '') },
  { model: 'qemu-max', matches: ({ emulator, version }) => emulator === 'QEMU TCG' && /-cpu max/.test(version ?? '') },
];

/**
 * The CPU model for a file.
 *
 * @throws FpuError FPU602 when none stands for its processor, or when leaf 0DH of the file is not the model's
 */
export function processorOf(file: VectorFile, name: string): CpuModel {
  const found = CAPTURED.find(({ matches }) => matches(file.source));
  if (!found) {
    const { source } = file;
    const what = [source.emulator, source.version, source.vendor, source.family, source.model].filter(
      (part) => part !== undefined,
    );
    throw new FpuError('FPU602', `${name}: no CPU model behaves like '${what.join(' ')}'`, {
      known: CAPTURED.map(({ model }) => model),
      hint: 'add a model and say in processors.ts which sources it stands for',
    });
  }
  const model = cpuModel(found.model);
  const difference = enumerationDifference(model, file);
  if (difference) throw new FpuError('FPU602', `${name}: ${difference}`, { model: model.id });
  return model;
}

/** Leaf 0DH decides about every offset: it has to be the model's. */
function enumerationDifference(model: CpuModel, { cpuid: leaves, source }: VectorFile): string | undefined {
  const enabled = { cr4: Number(source.cr4 ?? 0), xcr0: Number(source.xcr0), xss: Number(source.xss) };
  for (const line of leaves) {
    const [where, ...registers] = line.split(' ');
    const [leaf, subleaf] = where.split('.').map((digits) => Number.parseInt(digits, 16));
    if (leaf !== 0xd || subleaf < 2) continue;
    const stated = cpuid(model, leaf, subleaf, enabled).map((value) => (value >>> 0).toString(16).padStart(8, '0'));
    const found = registers.map((digits) => digits.padStart(8, '0'));
    if (stated.join(' ') !== found.join(' ')) {
      return `CPUID leaf 0DH, sub-leaf ${subleaf} is ${found.join(' ')}, but the model '${model.id}' has ${stated.join(' ')}`;
    }
  }
  return undefined;
}
