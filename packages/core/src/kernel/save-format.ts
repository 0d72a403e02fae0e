/**
 * How a kernel saves and restores all registers: with which instructions, into how many bytes.
 *
 * It is the kernel's decision, made once at boot from what the processor has.
 */
import { hasFeature, type CpuModel } from '../x86/cpu-model';
import { areaLayout } from '../x86/layout';

/** Named after the save instruction. `xsaves` alone is compacted. */
export type SaveFormat = 'fnsave' | 'fxsave' | 'xsave' | 'xsaveopt' | 'xsaves';

/** Mnemonics of the instructions that move all registers; events carry the index. New ones go to the end. */
export const MOVE_INSTRUCTIONS = [
  'FNSAVE',
  'FRSTOR',
  'FXSAVE',
  'FXRSTOR',
  'XSAVE',
  'XRSTOR',
  'XSAVEOPT',
  'XSAVES',
  'XRSTORS',
] as const;

/** Indices of a format's two instructions in MOVE_INSTRUCTIONS. */
export const INSTRUCTIONS_OF: Readonly<Record<SaveFormat, { readonly save: number; readonly restore: number }>> = {
  fnsave: { save: 0, restore: 1 },
  fxsave: { save: 2, restore: 3 },
  xsave: { save: 4, restore: 5 },
  xsaveopt: { save: 6, restore: 5 },
  xsaves: { save: 7, restore: 8 },
};

/** What a kernel wants to save, and whether it can use XSAVES. */
export interface SaveDemand {
  /** Components, as a bitmap. */
  readonly xfeatures: number;
  /** It uses XSAVES and XRSTORS where the processor has them. */
  readonly xsaves: boolean;
  /** It uses XSAVEOPT where the processor has it; so do all kernels from 2.6.37 on, and when left out. */
  readonly xsaveopt?: boolean;
}

/** Which XSAVE extensions a kernel uses where the processor has them. */
export type SaveInstructions = Pick<SaveDemand, 'xsaves' | 'xsaveopt'>;

/** A decision: two instructions and the size of their area. */
export interface SaveArea {
  readonly format: SaveFormat;
  /** Size of the area. XSAVEOPT and XSAVES may write less of it. */
  readonly bytes: number;
  /** Index in MOVE_INSTRUCTIONS. */
  readonly save: number;
  /** Index in MOVE_INSTRUCTIONS. */
  readonly restore: number;
}

/** Bytes that FNSAVE writes in 32-bit and 64-bit mode. */
const FNSAVE_BYTES = 108;
const FXSAVE_BYTES = 512;

/** How a kernel saves on this processor. */
export function saveArea(model: CpuModel, { xfeatures, xsaves, xsaveopt }: SaveDemand): SaveArea {
  const format = saveFormat(model, { xsaves, xsaveopt });
  return { format, bytes: saveAreaBytes(model, { format, xfeatures }), ...INSTRUCTIONS_OF[format] };
}

/**
 * The best save instruction that the processor has and the kernel uses.
 *
 * @see Linux 3.6 fpu_save_init() and fpu_xsave(): XSAVEOPT, else XSAVE, else FXSAVE, else FNSAVE; 4.8
 *   copy_xregs_to_kernel(): XSAVES before those
 */
export function saveFormat(model: CpuModel, { xsaves, xsaveopt = true }: SaveInstructions): SaveFormat {
  if (xsaves && hasFeature(model, 'xsaves')) return 'xsaves';
  if (xsaveopt && hasFeature(model, 'xsaveopt')) return 'xsaveopt';
  if (hasFeature(model, 'xsave')) return 'xsave';
  return hasFeature(model, 'fxsr') ? 'fxsave' : 'fnsave';
}

/**
 * Bytes of the area: standard format, but compacted with XSAVES.
 *
 * @param xfeatures components that are enabled in XCR0 and IA32_XSS
 * @see Intel SDM Vol. 1 "XSAVE Area" (13.4); FNSAVE: Vol. 1 "x87 FPU State Image" (8.1.10); Linux xstate_size (3.6),
 *   fpu_kernel_xstate_size (4.8)
 */
export function saveAreaBytes(
  model: CpuModel,
  { format, xfeatures }: { readonly format: SaveFormat; readonly xfeatures: number },
): number {
  switch (format) {
    case 'fnsave':
      return FNSAVE_BYTES;
    case 'fxsave':
      return FXSAVE_BYTES;
    case 'xsave':
    case 'xsaveopt':
      return areaLayout(model, xfeatures, 'standard').totalBytes;
    case 'xsaves':
      return areaLayout(model, xfeatures, 'compacted').totalBytes;
  }
}
