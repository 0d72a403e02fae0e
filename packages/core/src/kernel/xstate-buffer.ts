/**
 * Finding one's way in the bytes of an XSAVE area, the kernel's (`struct xregs_state`) or the user's.
 *
 * Where components lie comes from the processor model and, in a compacted area, from its own XCOMP_BV.
 */
import { FpuError } from '../error';
import { componentName } from '../x86/components';
import type { CpuModel } from '../x86/cpu-model';
import { maskOf } from '../x86/image/image';
import { MXCSR_OFFSET, XMM_OFFSET } from '../x86/image/legacy';
import {
  COMPACTED_BIT,
  EXTENDED_OFFSET,
  HEADER_OFFSET,
  areaLayout,
  type AreaLayout,
  type Placement,
} from '../x86/layout';
import { MXCSR_INIT } from '../x86/processor-state';
import { X87_INIT } from '../x86/x87-state';
import { readHeader, type XsaveHeader } from '../x86/xsave-rules';

/** `sw_reserved` of struct fxregs_state: struct _fpx_sw_bytes in signal frames, xstate_fx_sw_bytes in ptrace. */
export const SW_RESERVED = { offset: 464, bytes: 48 } as const;

/**
 * The layout of a kernel buffer. XCOMP_BV[63] says that it is compacted, as Linux makes it where XSAVES or XSAVEC exist.
 *
 * @param needed components for which the buffer has to have a place
 * @throws FpuError FPU103 when the buffer is too small, or compacted without a place for one of `needed`
 * @see Linux xfeature_get_offset() and __raw_xsave_addr() (6.3 to 6.15): by the XCOMP_BV of the buffer
 */
export function kernelLayout(kernel: Uint8Array, model: CpuModel, needed: number): AreaLayout {
  const { xcompBv } = headerOf(kernel);
  const layout =
    xcompBv & COMPACTED_BIT ? areaLayout(model, maskOf(xcompBv), 'compacted') : areaLayout(model, needed, 'standard');
  if (kernel.length < layout.totalBytes) throw tooSmall(layout.totalBytes, kernel.length);
  return layout;
}

/** The header of an area. */
export function headerOf(area: Uint8Array): XsaveHeader {
  if (area.length < EXTENDED_OFFSET) throw tooSmall(EXTENDED_OFFSET, area.length);
  return readHeader(area.subarray(HEADER_OFFSET, EXTENDED_OFFSET));
}

/** The place of a component. x87 is bytes 0 to 159, MXCSR at 24 to 31 included: Linux `xstate_sizes[XFEATURE_FP]`. */
export function placeOf(layout: AreaLayout, bit: number): Placement {
  const place = layout.components.find((candidate) => candidate.bit === bit);
  if (!place) {
    const name = componentName(bit);
    throw new FpuError('FPU103', `the ${layout.form} area has no place for ${name}`, {
      component: name,
      hint: 'XCOMP_BV of a kernel buffer has every component that the task may have',
    });
  }
  return place;
}

/** The bytes of a component: a view, not a copy. */
export function componentBytes(area: Uint8Array, layout: AreaLayout, bit: number): Uint8Array {
  const { offset, size } = placeOf(layout, bit);
  return area.subarray(offset, offset + size);
}

/** Replaces XSTATE_BV of an area, in place. */
export function changeXstateBv(area: Uint8Array, change: (before: bigint) => bigint): void {
  viewOf(area).setBigUint64(HEADER_OFFSET, change(headerOf(area).xstateBv), true);
}

/** True when an image has a bit in MXCSR that the processor lacks: Linux `mxcsr & ~mxcsr_feature_mask`. */
export function hasInvalidMxcsr(image: Uint8Array, { mxcsrMask }: CpuModel): boolean {
  return (viewOf(image).getUint32(MXCSR_OFFSET, true) & ~mxcsrMask) !== 0;
}

/**
 * Bytes 0 to 415 of `init_fpstate`: what FXSAVE stores in the initial configuration.
 *
 * @see Linux setup_init_fpu_buf() (6.3 to 6.15): FXSAVE after everything has been initialised
 */
export function initialLegacyRegion(model: CpuModel): Uint8Array {
  const region = new Uint8Array(XMM_OFFSET + 256);
  const view = viewOf(region);
  view.setUint16(0, X87_INIT.fcw, true);
  view.setUint32(MXCSR_OFFSET, MXCSR_INIT, true);
  view.setUint32(MXCSR_OFFSET + 4, model.mxcsrMask, true);
  return region;
}

/** A DataView of the same bytes. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function tooSmall(needed: number, found: number): FpuError {
  return new FpuError('FPU103', `the area has ${found} bytes, it needs ${needed}`, {
    needed,
    found,
    hint: 'the kernel allocates fpu_kernel_cfg.default_size, or max_size for a task that has used AMX',
  });
}
