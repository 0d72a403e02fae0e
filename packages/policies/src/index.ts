/** @packageDocumentation FPU switching policies and the kernels that are made of them. */
import type { Patch } from '@fpulab/core';
import { BUG_PATCHES } from './bugs';
import { CPU_UP_FIXES } from './cpu-up-fixes';
import { ALTSTACK_CHECKED } from './altstack-checked';
import { PTRACE_REALLOC, SWAP_FPSTATE } from './dynamic-xstate';
import { RESTORE_BH_OFF, RESTORE_IRQS_OFF } from './eager';
import { PKRU_AT_SWITCH, SOMETHING_WRITES_PKRU, WRITE_PKRU_LOCKED } from './eager-pkru';
import { CLASSIC_GUEST, FRAME_FIRST, GUEST_FIX, PREEMPT_SAFE_SIGFRAME, PREEMPT_SAFE_UNLAZY } from './lazy-cr0-ts';
import { FSAVE_HEADER_STALE } from './load-fpu-deferral';
import { ACTIVATED_ENDS_AT_EXEC } from './pasid';
import { UPDATE_PATCHES } from './update-feature';
import { REFUSED_IMAGE_KEEPS, XCOMP_BV_CLEARED } from './regset';
import { REFRESH_PATCHES } from './refresh-fpu/patches';
import { KVM_PATCHES } from './kvm/patches';
import { RFC_PATCHES } from './rfc-2016/patches';

export {
  lazyCr0Ts,
  GUEST_FIX,
  CLASSIC_GUEST,
  PREEMPT_SAFE_SIGFRAME,
  PREEMPT_SAFE_UNLAZY,
  type LazyEra,
} from './lazy-cr0-ts';
export { NATIVE_CPU_UP_OWNER, PKRU_SUSPEND, XEN_CPU_UP_OWNER, XFD_RESUME_COPY } from './cpu-up-fixes';
export { ALTSTACK_CHECKED } from './altstack-checked';
export { RESTORE_BH_OFF, RESTORE_IRQS_OFF, eager, type EagerEra } from './eager';
export { kvm, type KvmEra } from './kvm';
export { KVM_PATCHES } from './kvm/patches';
export { dynamicXstate, PTRACE_REALLOC, SWAP_FPSTATE } from './dynamic-xstate';
export { pasid, ACTIVATED_ENDS_AT_EXEC } from './pasid';
export {
  UPDATE_PATCHES,
  UPDATE_WAYS,
  type ClientId,
  type NamedWay,
  type UpdateHelper,
  type UpdateWay,
} from './update-feature';
export { FSAVE_HEADER_STALE, loadFpuDeferral, type DeferralEra } from './load-fpu-deferral';
export { eagerPkru, SOMETHING_WRITES_PKRU, WRITE_PKRU_LOCKED, type EagerPkruForm } from './eager-pkru';
export { BUGS, FPRESTORE_FIXUP, bugOf, type Bug, type Fix, type Side } from './bugs';
export { REFUSED_IMAGE_KEEPS, XCOMP_BV_CLEARED } from './regset';
export { refreshFpu } from './refresh-fpu';
export { REFRESH_PATCHES } from './refresh-fpu/patches';
export { rfc2016 } from './rfc-2016';
export { RFC_PATCHES } from './rfc-2016/patches';
export { KNOWN_BUGS, MENDED, showsIn, type KnownBug, type Mended } from './known-bugs';
export { PRESETS, presetOf, type Preset, type PresetBug, type PresetPart } from './presets';

/** Patches on policies. */
export const POLICY_PATCHES: readonly Patch[] = [
  GUEST_FIX,
  CLASSIC_GUEST,
  PREEMPT_SAFE_SIGFRAME,
  PREEMPT_SAFE_UNLAZY,
  REFUSED_IMAGE_KEEPS,
  XCOMP_BV_CLEARED,
  ...FRAME_FIRST,
  ...PKRU_AT_SWITCH,
  SOMETHING_WRITES_PKRU,
  WRITE_PKRU_LOCKED,
  ACTIVATED_ENDS_AT_EXEC,
  ALTSTACK_CHECKED,
  RESTORE_BH_OFF,
  RESTORE_IRQS_OFF,
  FSAVE_HEADER_STALE,
  SWAP_FPSTATE,
  PTRACE_REALLOC,
  ...CPU_UP_FIXES,
  ...BUG_PATCHES,
  ...KVM_PATCHES,
  ...RFC_PATCHES,
  ...REFRESH_PATCHES,
  ...UPDATE_PATCHES,
];
