/** Historic bugs, each with a kernel that has it and one that does not. */
import { FpuError, type Patch } from '@fpulab/core';
import type { Bug } from './bug';
import { F01 } from './F01-owner-ctx-cached';
import { F03 } from './F03-failed-xrstor-user';
import { F04 } from './F04-exec-last-cpu';
import { F05 } from './F05-irq-in-fpregs-lock';
import { F07 } from './F07-pkru-init';
import { F08 } from './F08-pkru-kthread-mm';
import { F09 } from './F09-pkru-current-cached';
import { F11 } from './F11-pkru-ptrace';
import { F12 } from './F12-kvm-pkru-cr4pke';
import { F14 } from './F14-xfd-signal';
import { F16 } from './F16-pasid-ipi';
import { F20 } from './F20-sigreturn-fault-loop';
import { F23 } from './F23-kvm-guest-xcr0';
import { F25 } from './F25-ptrace-lazy';
import { F26 } from './F26-i386-irqstack';
import { F29 } from './F29-lazyfp';
import { F32 } from './F32-bogus-xcomp-bv';
import { F35 } from './F35-xfd-nm-sleep';
import { F36 } from './F36-fpu-clone-rt';
import { F39 } from './F39-kfpu-cpu-online';
import { F40 } from './F40-math-state-restore-irq';
import { F42 } from './F42-sigframe-usedfpu-nonatomic';
import { F44 } from './F44-xen-pv-nm';
import { F45 } from './F45-fnsave-eager';
import { F49 } from './F49-frame-drop-before-commit';
import { F51 } from './F51-kvm-kernel-fpu-preempt';

export type { Bug, Fix, Side } from './bug';
export { FNSAVE_RELOADS } from './F45-fnsave-eager';
export { FPRESTORE_FIXUP } from './F32-bogus-xcomp-bv';

/** By number. */
export const BUGS: readonly Bug[] = [
  F01,
  F03,
  F04,
  F05,
  F07,
  F08,
  F09,
  F11,
  F12,
  F14,
  F16,
  F20,
  F23,
  F25,
  F26,
  F29,
  F32,
  F35,
  F36,
  F39,
  F40,
  F42,
  F44,
  F45,
  F49,
  F51,
];

/** The patches that put them back, and those that cure them. */
export const BUG_PATCHES: readonly Patch[] = [
  ...new Set(BUGS.flatMap(({ buggy, fixes }) => [buggy, ...fixes].flatMap(({ patches }) => patches ?? []))),
];

/**
 * The bug with this number.
 *
 * @throws FpuError FPU504 when there is none
 */
export function bugOf(id: string): Bug {
  const found = BUGS.find((bug) => bug.id === id);
  if (found) return found;
  const known = BUGS.map((bug) => bug.id);
  throw new FpuError(
    'FPU504',
    `no bug '${id}' in the museum; there: ${known.join(', ')}. Others that presets have: fpulab list bugs`,
    { id, known },
  );
}
