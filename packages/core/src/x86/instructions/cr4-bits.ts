/** Bits of CR4, and which processors have them. Source: Intel SDM Vol. 3A "Control Registers" (2.5); CPUID in Vol. 2A. */
import { CR4_LA57, CR4_PAE, CR4_PCIDE, CR4_UMIP } from '../control-registers';
import type { Feature } from '../components';
import { cpuidBit, type CpuModel, type CpuidRegister } from '../cpu-model';

/** What offers a bit of CR4: a feature of the model, a CPUID bit, or being a processor with CR4 at all. */
type Offer = 'always' | Feature | readonly [leaf: string, register: CpuidRegister, bit: number];

const CR4_BITS: readonly (readonly [bits: number, offer: Offer])[] = [
  [0b11, ['1.0', 'edx', 1]], // VME, PVI
  [1 << 2, ['1.0', 'edx', 4]], // TSD
  [1 << 3, ['1.0', 'edx', 2]], // DE
  [1 << 4, ['1.0', 'edx', 3]], // PSE
  [CR4_PAE, ['1.0', 'edx', 6]],
  [1 << 6, ['1.0', 'edx', 7]], // MCE
  [1 << 7, ['1.0', 'edx', 13]], // PGE
  [1 << 8, 'always'], // PCE
  [1 << 9, 'fxsr'], // OSFXSR
  [1 << 10, 'sse'], // OSXMMEXCPT
  [CR4_UMIP, ['7.0', 'ecx', 2]],
  [CR4_LA57, ['7.0', 'ecx', 16]],
  [1 << 13, ['1.0', 'ecx', 5]], // VMXE
  [1 << 14, ['1.0', 'ecx', 6]], // SMXE
  [1 << 16, ['7.0', 'ebx', 0]], // FSGSBASE
  [CR4_PCIDE, ['1.0', 'ecx', 17]],
  [1 << 18, 'xsave'], // OSXSAVE
  [1 << 20, ['7.0', 'ebx', 7]], // SMEP
  [1 << 21, ['7.0', 'ebx', 20]], // SMAP
  [1 << 22, 'pku'], // PKE
  [1 << 23, 'cet'], // CET
  [1 << 24, ['7.0', 'ecx', 31]], // PKS
  [1 << 25, 'uintr'], // UINTR
  [1 << 28, ['7.1', 'eax', 26]], // LAM_SUP
];

/** Bits that CR4 may have on a processor. */
export function cr4Supported(model: CpuModel): number {
  return CR4_BITS.reduce((mask, [bits, offer]) => (isOffered(model, offer) ? mask | bits : mask), 0);
}

function isOffered(model: CpuModel, offer: Offer): boolean {
  if (offer === 'always') return true;
  return typeof offer === 'string' ? model.features.includes(offer) : cpuidBit(model, ...offer);
}
