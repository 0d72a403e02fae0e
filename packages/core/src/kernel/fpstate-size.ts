/**
 * How large Linux makes its XSAVE buffers: the same arithmetic, version by version.
 *
 * `xstateCalculateSize` and `linuxFpuConfig` follow arch/x86/kernel/fpu/xstate.c: xstate_calculate_size(),
 * fpu__init_system_xstate() and init_xstate_size(). `calculateXstateBufSizeFromMask` follows the function of that name
 * in version 10 of the AMX series (August 2021), which was not merged in this shape.
 *
 * What a kernel configuration or the command line takes away (CONFIG_*, `clearcpuid=`, `nopku`, ENQCMD, which Linux 5.13
 * to 5.17 forced off) is not modelled: these are the sizes of a kernel that keeps every feature its masks name.
 */
import {
  APX,
  AVX,
  BNDCSR,
  BNDREGS,
  CET_S,
  CET_U,
  COMPONENTS,
  HI16_ZMM,
  LBR,
  OPMASK,
  PASID,
  PKRU,
  SSE,
  TILECFG,
  TILEDATA,
  X87,
  ZMM_HI256,
  bitsOf,
} from '../x86/components';
import type { ComponentEnumeration, CpuModel } from '../x86/cpu-model';
import { EXTENDED_OFFSET, LEGACY_BYTES, type AreaForm } from '../x86/layout';
import { FREGS_STATE_BYTES } from './signal-frame';

/** A span of Linux versions that size buffers in one way. */
export interface LinuxXstateEra {
  /** First version. */
  readonly since: string;
  /** XFEATURE_MASK_USER_SUPPORTED. */
  readonly userSupported: number;
  /** XFEATURE_MASK_SUPERVISOR_SUPPORTED. */
  readonly supervisorSupported: number;
  /** XFEATURE_MASK_GUEST_SUPERVISOR: only guest FPUs have them by default. */
  readonly guestSupervisor: number;
  /** The kernel's own buffers are compacted with XSAVES only, or (X86_FEATURE_XCOMPACTED) with XSAVEC too. */
  readonly compactedWith: 'xsaves' | 'xsavec';
  /** What comes last in a standard buffer: the highest-numbered feature, or (xfeature_uncompact_order) the highest offset. */
  readonly lastBy: 'number' | 'offset';
  /** What changed. */
  readonly change: string;
}

/** sizeof(struct xregs_state): legacy region and header; the extended area is a flexible array. */
const XREGS_STATE_BYTES = EXTENDED_OFFSET;
/** sizeof(struct fxregs_state). */
const FXREGS_STATE_BYTES = LEGACY_BYTES;

const maskOf = (...bits: readonly number[]): number => bits.reduce((mask, bit) => mask | (1 << bit), 0);

/** XFEATURE_MASK_USER_DYNAMIC: in a buffer only after the task asked for it with ARCH_REQ_XCOMP_PERM and used it. */
export const LINUX_DYNAMIC_XFEATURES = maskOf(TILEDATA);

/** XFEATURE_MASK_INDEPENDENT: enabled in IA32_XSS, but saved into buffers of their own (perf), never into the fpstate. */
const LINUX_INDEPENDENT_XFEATURES = maskOf(LBR);

const USER_5_16 = maskOf(X87, SSE, AVX, BNDREGS, BNDCSR, OPMASK, ZMM_HI256, HI16_ZMM, PKRU, TILECFG, TILEDATA);

/** Linux versions by how they size buffers, oldest first. */
export const LINUX_XSTATE_ERAS: readonly LinuxXstateEra[] = [
  {
    since: '5.16',
    userSupported: USER_5_16,
    supervisorSupported: maskOf(PASID),
    guestSupervisor: 0,
    compactedWith: 'xsaves',
    lastBy: 'number',
    change: 'AMX: default and maximum size differ; xstate_calculate_size()',
  },
  {
    since: '5.19',
    userSupported: USER_5_16,
    supervisorSupported: maskOf(PASID),
    guestSupervisor: 0,
    compactedWith: 'xsavec',
    lastBy: 'number',
    change: 'XSAVEC is enough for compacted kernel buffers (X86_FEATURE_XCOMPACTED)',
  },
  {
    since: '6.6',
    userSupported: USER_5_16,
    supervisorSupported: maskOf(PASID, CET_U),
    guestSupervisor: 0,
    compactedWith: 'xsavec',
    lastBy: 'number',
    change: 'user shadow stacks: CET_U',
  },
  {
    since: '6.16',
    userSupported: USER_5_16 | maskOf(APX),
    supervisorSupported: maskOf(PASID, CET_U),
    guestSupervisor: 0,
    compactedWith: 'xsavec',
    lastBy: 'offset',
    change: 'APX, whose standard offset is below those of lower-numbered features: xfeature_uncompact_order[]',
  },
  {
    since: '6.17',
    userSupported: USER_5_16 | maskOf(APX),
    supervisorSupported: maskOf(PASID, CET_U, CET_S),
    guestSupervisor: maskOf(CET_S),
    compactedWith: 'xsavec',
    lastBy: 'offset',
    change: 'CET_S for guests: guest_default_cfg',
  },
];

/** The newest era. */
export const LINUX_XSTATE_LATEST: LinuxXstateEra = LINUX_XSTATE_ERAS[LINUX_XSTATE_ERAS.length - 1];

/**
 * Linux's size of a buffer for `xfeatures`.
 *
 * Linux 5.16 and 5.17 add up feature by feature; 5.18 and later take offset and size of the last one. The results are
 * the same. In the standard form supervisor features are left out: no caller asks for them there. Linux never asks for
 * an empty mask; here it gives the smallest area.
 *
 * @param xfeatures bitmap in XCR0 | IA32_XSS layout; bits that the CPU does not enumerate count nothing
 * @returns bytes; 576 when no extended feature is set
 * @see Linux xstate_calculate_size() (5.16, 5.18, 6.16)
 */
export function xstateCalculateSize(
  model: CpuModel,
  xfeatures: number,
  { form, era = LINUX_XSTATE_LATEST }: { readonly form: AreaForm; readonly era?: LinuxXstateEra },
): number {
  const features = extendedFeatures(model, xfeatures);
  return form === 'compacted' ? compactedSize(features) : standardSize(features, era);
}

/** FIRST_EXTENDED_XFEATURE and up, by number. */
function extendedFeatures(model: CpuModel, xfeatures: number): readonly ComponentEnumeration[] {
  return model.components.filter(({ bit }) => xfeatures & (1 << bit)).sort((a, b) => a.bit - b.bit);
}

function compactedSize(features: readonly ComponentEnumeration[]): number {
  return features.reduce((end, { size, align64 }) => (align64 ? align(end, 64) : end) + size, XREGS_STATE_BYTES);
}

function standardSize(features: readonly ComponentEnumeration[], { lastBy }: LinuxXstateEra): number {
  const user = features.filter(({ supervisor }) => !supervisor);
  const ordered = lastBy === 'number' ? user : [...user].sort((a, b) => a.offset - b.offset);
  const last = ordered.at(-1);
  return last === undefined ? XREGS_STATE_BYTES : last.offset + last.size;
}

function align(bytes: number, multiple: number): number {
  return Math.ceil(bytes / multiple) * multiple;
}

// --- fpu_kernel_cfg, fpu_user_cfg, guest_default_cfg ---------------------------------------------------------------

/** struct fpu_state_config. */
export interface FpuStateConfig {
  readonly maxFeatures: number;
  readonly defaultFeatures: number;
  readonly maxSize: number;
  readonly defaultSize: number;
}

/** What fpu__init_system_xstate() leaves behind. */
export interface LinuxFpuConfig {
  readonly era: LinuxXstateEra;
  /** The form of the kernel's buffers. User buffers (signal frames, ptrace) are always standard. */
  readonly kernelForm: AreaForm | 'fxsave' | 'fsave';
  /** fpu_kernel_cfg. */
  readonly kernel: FpuStateConfig;
  /** fpu_user_cfg. */
  readonly user: FpuStateConfig;
  /** guest_default_cfg (6.17); before it, guests have the kernel's defaults. */
  readonly guest: { readonly features: number; readonly size: number };
  /** Features with buffers of their own. */
  readonly independentFeatures: number;
}

/**
 * The buffer sizes that Linux computes at boot: a new task's fpstate has `kernel.defaultSize`, one that may use AMX grows
 * to `kernel.maxSize`; a signal frame and ptrace have the standard sizes of `user`.
 *
 * @see Linux fpu__init_system_xstate(), init_xstate_size(), fpu__init_system_xstate_size_legacy() (5.16 and later)
 */
export function linuxFpuConfig(model: CpuModel, era: LinuxXstateEra = LINUX_XSTATE_LATEST): LinuxFpuConfig {
  if (!usesXsave(model)) return legacyConfig(model, era);
  const kernelMax = maxFeatures(model, era);
  const userMax = kernelMax & era.userSupported;
  const kernelDefault = kernelMax & ~LINUX_DYNAMIC_XFEATURES & ~era.guestSupervisor;
  const userDefault = userMax & ~LINUX_DYNAMIC_XFEATURES;
  const kernelForm = isCompacted(model, era) ? 'compacted' : 'standard';
  const guest = kernelDefault | (kernelMax & era.guestSupervisor);
  const kernelSize = (xfeatures: number): number => xstateCalculateSize(model, xfeatures, { form: kernelForm, era });
  const userSize = (xfeatures: number): number => xstateCalculateSize(model, xfeatures, { form: 'standard', era });
  return {
    era,
    kernelForm,
    kernel: {
      maxFeatures: kernelMax,
      defaultFeatures: kernelDefault,
      maxSize: kernelSize(kernelMax),
      defaultSize: kernelSize(kernelDefault),
    },
    user: {
      maxFeatures: userMax,
      defaultFeatures: userDefault,
      maxSize: userSize(userMax),
      defaultSize: userSize(userDefault),
    },
    guest: { features: guest, size: kernelSize(guest) },
    independentFeatures: hasXsaves(model) ? model.xss & LINUX_INDEPENDENT_XFEATURES : 0,
  };
}

/** Linux gives XSAVE up where x87 or SSE is not enumerated, and (6.16) where APX and MPX both are. */
function usesXsave({ features, xcr0 }: CpuModel): boolean {
  const legacy = maskOf(X87, SSE);
  const conflict = (xcr0 & maskOf(APX)) !== 0 && (xcr0 & maskOf(BNDREGS, BNDCSR)) !== 0;
  return features.includes('xsave') && (xcr0 & legacy) === legacy && !conflict;
}

/** fpu_kernel_cfg.max_features: enumerated, with its CPUID feature, and supported; TILEDATA only with XFD. */
function maxFeatures(model: CpuModel, era: LinuxXstateEra): number {
  const withFeature = COMPONENTS.filter(({ feature }) => model.features.includes(feature));
  const present = (model.xcr0 | model.xss) & maskOf(...withFeature.map(({ bit }) => bit));
  const enabled = model.features.includes('xfd') ? present : present & ~LINUX_DYNAMIC_XFEATURES;
  return enabled & (era.userSupported | (hasXsaves(model) ? era.supervisorSupported : 0));
}

function hasXsaves({ features }: CpuModel): boolean {
  return features.includes('xsaves');
}

function isCompacted(model: CpuModel, era: LinuxXstateEra): boolean {
  return hasXsaves(model) || (era.compactedWith === 'xsavec' && model.features.includes('xsavec'));
}

/** Without XSAVE all sizes are that of struct fxregs_state or struct fregs_state. */
function legacyConfig(model: CpuModel, era: LinuxXstateEra): LinuxFpuConfig {
  const fxsr = model.features.includes('fxsr');
  const size = fxsr ? FXREGS_STATE_BYTES : FREGS_STATE_BYTES;
  const config = { maxFeatures: 0, defaultFeatures: 0, maxSize: size, defaultSize: size };
  return {
    era,
    kernelForm: fxsr ? 'fxsave' : 'fsave',
    kernel: config,
    user: config,
    guest: { features: 0, size },
    independentFeatures: 0,
  };
}

// --- version 10 of the AMX series ----------------------------------------------------------------------------------

/** struct fpu_xstate_buffer_config of the series: the sizes without and with the dynamic user state. */
export interface XstateBufferConfig {
  /** xfeatures_mask_all. */
  readonly mask: number;
  /** xfeatures_mask_user_dynamic. */
  readonly dynamic: number;
  readonly minSize: number;
  readonly maxSize: number;
}

/** The buffer config that version 10 of the series computes at boot: XSAVES decides the form. */
export function xstateBufferConfig(model: CpuModel): XstateBufferConfig {
  const [era] = LINUX_XSTATE_ERAS;
  const mask = usesXsave(model) ? maxFeatures(model, era) : 0;
  const dynamic = mask & LINUX_DYNAMIC_XFEATURES;
  const form = hasXsaves(model) ? 'compacted' : 'standard';
  const size = (xfeatures: number): number => xstateCalculateSize(model, xfeatures, { form, era });
  return { mask, dynamic, minSize: size(mask & ~dynamic), maxSize: size(mask) };
}

/**
 * The buffer size by mask as version 10 of the AMX series has it: 0 for no feature; the minimum for all features but the
 * dynamic ones; the maximum for all; else, in the standard form, offset and size of the highest-numbered feature, and in
 * the compacted form the sum with alignment.
 *
 * @param mask features to be saved in the buffer
 * @see calculate_xstate_buf_size_from_mask(), "[PATCH v10 09/28] x86/fpu/xstate: Introduce helpers to manage the XSTATE
 *   buffer dynamically", linux-kernel, 25 August 2021
 */
export function calculateXstateBufSizeFromMask(model: CpuModel, mask: number): number {
  if (mask === 0) return 0;
  const config = xstateBufferConfig(model);
  if (mask === (config.mask & ~config.dynamic)) return config.minSize;
  if (mask === config.mask) return config.maxSize;
  const nr = bitsOf(mask).at(-1) ?? 0;
  if (nr < AVX) return XREGS_STATE_BYTES;
  const form = hasXsaves(model) ? 'compacted' : 'standard';
  return xstateCalculateSize(model, mask, { form, era: LINUX_XSTATE_ERAS[0] });
}
