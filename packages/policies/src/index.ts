/** @packageDocumentation FPU switching policies and the kernels that are made of them. */
import type { Patch } from '@fpulab/core';
import { BUGS } from './bugs';
import { CLASSIC_GUEST, GUEST_FIX, PREEMPT_SAFE_SIGFRAME, PREEMPT_SAFE_UNLAZY } from './lazy-cr0-ts';

export {
  lazyCr0Ts,
  GUEST_FIX,
  CLASSIC_GUEST,
  PREEMPT_SAFE_SIGFRAME,
  PREEMPT_SAFE_UNLAZY,
  type LazyEra,
} from './lazy-cr0-ts';
export { eager, type EagerEra } from './eager';
export { loadFpuDeferral, type DeferralEra } from './load-fpu-deferral';
export { BUGS, type Bug } from './bugs';
export { PRESETS, presetOf, type Preset, type PresetBug, type PresetPart } from './presets';

/** Patches on policies. */
export const POLICY_PATCHES: readonly Patch[] = [
  GUEST_FIX,
  CLASSIC_GUEST,
  PREEMPT_SAFE_SIGFRAME,
  PREEMPT_SAFE_UNLAZY,
  ...BUGS.map(({ patch }) => patch),
];
