/** What Linux keeps about dynamic features: in `struct fpstate`, in `struct fpu` and per CPU. */
import { FPSTATE_KINDS, FpuError, TILECFG, TILEDATA, slot, type BasePolicy, type Slot } from '@fpulab/core';

/** XFEATURE_MASK_USER_DYNAMIC. */
export const DYNAMIC_XFEATURES = 1 << TILEDATA;

/** XFEATURE_MASK_XTILE. */
export const XTILE = (1 << TILECFG) | (1 << TILEDATA);

/** The images of a task, as `fpu->fpstate` names them. */
export const DEFAULT_FPSTATE = FPSTATE_KINDS.indexOf('task');
export const LARGER_FPSTATE = FPSTATE_KINDS.indexOf('dynamic');

/** Slots of the modifier, and those of its base policy that it uses. */
export interface DynamicSlots {
  /** Per task, `fpstate->xfd`: what IA32_XFD has to be when its registers are loaded. */
  readonly xfd: Slot;
  /** Per CPU: what was written to IA32_XFD last. */
  readonly xfdState: Slot;
  /** Per task: `perm.__state_perm` has the dynamic features. */
  readonly permitted: Slot;
  /** Per task: `sas_ss_size` is set, and too small for a frame with dynamic features. */
  readonly smallAltstack: Slot;
  /** Per task: `fpu->fpstate`. The base policy's. */
  readonly current: Slot;
  /** Per task: TIF_NEED_FPU_LOAD. The base policy's. */
  readonly needLoad: Slot;
  /** Per task: last_cpu. The base policy's. */
  readonly lastCpu: Slot;
  /** Per CPU: fpu_fpregs_owner_ctx. The base policy's. */
  readonly owner: Slot;
}

/** Declares the modifier's slots and finds those of its base policy. */
export function dynamicSlots(base: BasePolicy): DynamicSlots {
  return {
    xfd: slot.task('fpstate->xfd', 'bits'),
    xfdState: slot.cpu('xfd_state', 'bits'),
    permitted: slot.task('perm', 'flag'),
    smallAltstack: slot.task('small_altstack', 'flag'),
    current: slotOf(base, 'fpstate'),
    needLoad: slotOf(base, 'TIF_NEED_FPU_LOAD'),
    lastCpu: slotOf(base, 'last_cpu'),
    owner: slotOf(base, 'fpu_fpregs_owner_ctx'),
  };
}

function slotOf({ id, slots }: BasePolicy, name: string): Slot {
  const found = slots.find((candidate) => candidate.name === name);
  if (found) return found;
  const known = slots.map((candidate) => candidate.name);
  throw new FpuError(
    'FPU203',
    `'dynamic-xstate' needs the slot '${name}' of '${id}', which has ${known.join(', ')}: only eras from Linux 5.16 on have it`,
    { policy: id, slot: name, known },
  );
}
