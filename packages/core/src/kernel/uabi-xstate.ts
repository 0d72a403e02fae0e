/**
 * What Linux shows of a task's extended state to user space, and what it takes back: conversions between the kernel's buffer
 * (compacted, or standard on processors with neither XSAVES nor XSAVEC) and the user's image, which is always standard.
 *
 * Follows arch/x86/kernel/fpu/xstate.c of Linux 6.3 to 6.15. No input is written to.
 */
import { AVX, CET_S, CET_U, LBR, PASID, PKRU, PT, SSE, X87, bitsOf } from '../x86/components';
import type { CpuModel } from '../x86/cpu-model';
import { maskOf } from '../x86/image/image';
import { MXCSR_OFFSET, STACK_OFFSET, XMM_OFFSET } from '../x86/image/legacy';
import { EXTENDED_OFFSET, HEADER_OFFSET, areaLayout, type AreaLayout } from '../x86/layout';
import { LINUX_XSTATE_LATEST, linuxFpuConfig, type LinuxXstateEra } from './fpstate-size';
import { refusal, type Refusal } from './uabi-refusal';
import {
  SW_RESERVED,
  changeXstateBv,
  componentBytes,
  hasInvalidMxcsr,
  headerOf,
  initialLegacyRegion,
  kernelLayout,
  placeOf,
  viewOf,
} from './xstate-buffer';

/** A task as the conversions see it. */
export interface UabiContext {
  readonly model: CpuModel;
  /** `fpstate->user_xfeatures`: what user space may see and set. It has TILEDATA once the task has used AMX. */
  readonly userXfeatures: number;
  /** `fpu_user_cfg.max_features`: what ptrace announces in bytes 464 to 471, the same for every task. */
  readonly userMaxFeatures: number;
}

/**
 * The context of a Linux task: the default user features, and those dynamic ones for which its fpstate has grown.
 *
 * @param acquired TILEDATA, or none
 */
export function uabiContext(
  model: CpuModel,
  { acquired = 0, era = LINUX_XSTATE_LATEST }: { readonly acquired?: number; readonly era?: LinuxXstateEra } = {},
): UabiContext {
  const { maxFeatures, defaultFeatures } = linuxFpuConfig(model, era).user;
  return { model, userXfeatures: defaultFeatures | (acquired & maxFeatures), userMaxFeatures: maxFeatures };
}

/** enum xstate_copy_mode. */
export type UabiCopyMode = 'fp' | 'fx' | 'xsave';

/** What is to be shown, and in how many bytes. */
export interface UabiRequest {
  /** `fp`: x87 alone; `fx`: x87 and SSE, as FXSAVE has them; `xsave`: the whole standard image. */
  readonly mode: UabiCopyMode;
  /** PKRU of the task (`thread.pkru`) or of the vCPU. The one in the kernel's buffer may be out of date. */
  readonly pkru: number;
  /** Size of the image. What is left behind the data is zero, what does not fit is cut off. */
  readonly bytes: number;
  /** Mode `xsave`, Linux 6.6 and later (18164f66e6c5, also in 6.1.y): restricts the features further. KVM passes what the guest may have. */
  readonly xfeatures?: number;
}

const FPSSE = (1 << X87) | (1 << SSE);
const SSE_OR_AVX = (1 << SSE) | (1 << AVX);
/** Components in whose presence MXCSR is checked. */
const WITH_MXCSR = FPSSE | SSE_OR_AVX;
/** MXCSR and MXCSR_MASK end here. */
const MXCSR_END = MXCSR_OFFSET + 8;
/** XFEATURE_MASK_SUPERVISOR_ALL: supported, independent and unsupported ones. */
const SUPERVISOR_ALL = BigInt([PT, PASID, CET_U, CET_S, LBR].reduce((mask, bit) => mask | (1 << bit), 0));

/**
 * The image that user space gets. What the kernel's buffer does not mark in XSTATE_BV is INIT: x87, MXCSR and XMM as in
 * `init_fpstate`, everything else zero. No stale byte of the buffer is shown.
 *
 * MXCSR comes from the buffer only if SSE or AVX is shown; in mode `fp` it is always INIT. A standard buffer can hold
 * another MXCSR with neither bit marked (Intel SDM Vol. 1 "Operation of XSAVE", 13.7): it is not shown.
 *
 * @param kernel the bytes of struct xregs_state
 * @throws FpuError FPU103 when the buffer is too small or has no place for a component that it marks
 * @see Linux __copy_xstate_to_uabi_buf() (6.3 to 6.15; before b15888840207 unmarked components came from init_fpstate)
 */
export function copyXstateToUabiBuf(kernel: Uint8Array, context: UabiContext, request: UabiRequest): Uint8Array {
  const { model, userXfeatures } = context;
  const xfeatures = shown(maskOf(headerOf(kernel).xstateBv), userXfeatures, request);
  const from = kernelLayout(kernel, model, xfeatures);
  const to = areaLayout(model, userXfeatures, 'standard');
  const image = new Uint8Array(Math.max(to.totalBytes, request.bytes));
  image.set(legacyRegion(kernel, model, xfeatures));
  if (request.mode === 'xsave') {
    viewOf(image).setBigUint64(SW_RESERVED.offset, BigInt(context.userMaxFeatures), true);
    viewOf(image).setBigUint64(HEADER_OFFSET, BigInt(xfeatures), true);
    for (const bit of bitsOf(xfeatures & ~FPSSE)) {
      const bytes = bit === PKRU ? pkruBytes(request.pkru) : componentBytes(kernel, from, bit);
      image.set(bytes, placeOf(to, bit).offset);
    }
  }
  return image.slice(0, request.bytes);
}

function shown(xstateBv: number, userXfeatures: number, { mode, xfeatures = userXfeatures }: UabiRequest): number {
  switch (mode) {
    case 'fp':
      return xstateBv & (1 << X87);
    case 'fx':
      return xstateBv & FPSSE;
    case 'xsave':
      return xstateBv & userXfeatures & xfeatures;
  }
}

/** Bytes 0 to 415: four pieces, each from the buffer or from init_fpstate. */
function legacyRegion(kernel: Uint8Array, model: CpuModel, xfeatures: number): Uint8Array {
  const region = initialLegacyRegion(model);
  const take = (mask: number, start: number, end: number): void => {
    if (xfeatures & mask) region.set(kernel.subarray(start, end), start);
  };
  take(1 << X87, 0, MXCSR_OFFSET);
  take(SSE_OR_AVX, MXCSR_OFFSET, MXCSR_END);
  take(1 << X87, STACK_OFFSET, XMM_OFFSET);
  take(1 << SSE, XMM_OFFSET, region.length);
  return region;
}

/** struct pkru_state: four bytes of PKRU, four of padding. */
function pkruBytes(pkru: number): Uint8Array {
  const bytes = new Uint8Array(8);
  viewOf(bytes).setUint32(0, pkru, true);
  return bytes;
}

/** What a write from user space leaves behind. */
export interface UabiWrite {
  readonly ok: true;
  /** The kernel's buffer after the write. */
  readonly kernel: Uint8Array;
  /** The new PKRU of the task or vCPU; undefined: it keeps the one it has. */
  readonly pkru: number | undefined;
}

/**
 * Takes an image of user space into the kernel's buffer, or refuses it.
 *
 * Supervisor components stay, with their bits in XSTATE_BV. User components that the image does not mark keep their bytes
 * and lose their bit: they are INIT. XCOMP_BV stays.
 *
 * @param image an XSAVE image in standard format; if it is too short, user memory could not be read
 * @param pkruOwner a task gets PKRU 0 from an image that does not mark PKRU, as from XRSTOR; a vCPU keeps its own
 * @throws FpuError FPU103 when the kernel's buffer is too small or has no place for a component that the image marks
 * @see Linux copy_uabi_to_xstate() (6.3 to 6.15); fpu_copy_uabi_to_guest_fpstate() passes no PKRU pointer then
 */
export function copyUabiToXstate(
  kernel: Uint8Array,
  context: UabiContext,
  image: Uint8Array,
  pkruOwner: 'task' | 'vcpu' = 'task',
): UabiWrite | Refusal {
  const refused = validateUserXstateHeader(image, context);
  if (refused) return refused;
  const xfeatures = maskOf(headerOf(image).xstateBv);
  if (xfeatures & WITH_MXCSR && hasInvalidMxcsr(image, context.model)) return refusal('mxcsr-reserved');
  const from = areaLayout(context.model, xfeatures, 'standard');
  if (image.length < from.totalBytes) return refusal('unreadable');

  const to = kernelLayout(kernel, context.model, xfeatures);
  const result = kernel.slice();
  // x87 owns bytes 0 to 159 here and brings MXCSR with it; SSE and AVX need MXCSR without x87 too.
  if (xfeatures & WITH_MXCSR) result.set(image.subarray(MXCSR_OFFSET, MXCSR_END), MXCSR_OFFSET);
  for (const bit of bitsOf(xfeatures)) result.set(componentBytes(image, from, bit), placeOf(to, bit).offset);
  changeXstateBv(result, (before) => (before & SUPERVISOR_ALL) | BigInt(xfeatures));
  return { ok: true, kernel: result, pkru: pkruOf(image, from, xfeatures) ?? (pkruOwner === 'task' ? 0 : undefined) };
}

/**
 * Checks a header that comes from user space: undefined when it is fine.
 *
 * @see Linux validate_user_xstate_header() (6.3 to 6.15)
 */
export function validateUserXstateHeader(image: Uint8Array, { userXfeatures }: UabiContext): Refusal | undefined {
  if (image.length < EXTENDED_OFFSET) return refusal('unreadable');
  const { xstateBv, xcompBv, reservedZero } = headerOf(image);
  if (xstateBv & ~BigInt(userXfeatures)) return refusal('xfeatures-not-allowed');
  if (xcompBv !== 0n) return refusal('xcomp-bv-set');
  return reservedZero ? undefined : refusal('header-reserved');
}

function pkruOf(image: Uint8Array, layout: AreaLayout, xfeatures: number): number | undefined {
  return xfeatures & (1 << PKRU) ? viewOf(image).getUint32(placeOf(layout, PKRU).offset, true) : undefined;
}
