/** From the flags of `fpulab layout` to an area. */
import {
  FpuError,
  areaLayout,
  bitsOfMask,
  componentName,
  hasCompactedForm,
  type AreaForm,
  type AreaLayout,
  type CpuModel,
} from '@fpulab/core';

/** Why a bit of `--mask` has no place in the area. */
export type IgnoredReason = 'not-enumerated' | 'supervisor-in-standard-form';

/** A bit of `--mask` that has no place in the area. */
export interface IgnoredBit {
  readonly bit: number;
  readonly name: string;
  readonly reason: IgnoredReason;
}

/** The area that was asked for. */
export interface AreaRequest {
  readonly model: CpuModel;
  readonly form: AreaForm;
  /** `--mask`, or all components of the processor. */
  readonly requested: bigint;
  readonly layout: AreaLayout;
  readonly ignored: readonly IgnoredBit[];
}

/**
 * The area of a processor that `--mask` and `--compacted` describe.
 *
 * Like the processor, which saves the requested components that XCR0 or IA32_XSS has (RFBM), it leaves the others out.
 *
 * @throws FpuError FPU204 when the processor has no XSAVE, or no compacted form
 */
export function areaOf(model: CpuModel, mask: bigint | undefined, form: AreaForm): AreaRequest {
  requireForm(model, form);
  const all = form === 'standard' ? model.xcr0 : model.xcr0 | model.xss;
  const requested = mask ?? BigInt(all);
  const layout = areaLayout(model, Number(requested & BigInt(all)), form);
  const ignored = bitsOfMask(requested & ~BigInt(all)).map((bit) => ignoredBit(model, bit));
  return { model, form, requested, layout, ignored };
}

function requireForm(model: CpuModel, form: AreaForm): void {
  const { id, features } = model;
  if (!features.includes('xsave')) {
    const instead = features.includes('fxsr') ? '512 bytes with FXSAVE' : '108 bytes with FNSAVE';
    throw new FpuError('FPU204', `${id} has no XSAVE: it saves ${instead}`, {
      cpu: id,
      hint: "processors with XSAVE: fpulab list cpus, from 'sandybridge' on",
    });
  }
  if (form === 'compacted' && !hasCompactedForm(model)) {
    throw new FpuError('FPU204', `${id} has neither XSAVEC nor XSAVES, and so no compacted form`, {
      cpu: id,
      hint: 'leave --compacted out, or name a newer processor',
    });
  }
}

function ignoredBit({ xss }: CpuModel, bit: number): IgnoredBit {
  const supervisor = bit < 32 && (xss & (1 << bit)) !== 0;
  const name = bit < 32 ? componentName(bit) : `xfeature${bit}`;
  return { bit, name, reason: supervisor ? 'supervisor-in-standard-form' : 'not-enumerated' };
}

/** `0x2e7` */
export function hex(mask: bigint | number): string {
  return `0x${mask.toString(16)}`;
}
