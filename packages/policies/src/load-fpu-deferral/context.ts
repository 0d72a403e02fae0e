/**
 * Whose state the fpregs hold, and whether it has to be loaded: arch/x86/kernel/fpu/context.h, and what 5.2 to 5.13 have of
 * it in asm/fpu/internal.h.
 */
import {
  FPSTATE_KINDS,
  NOBODY,
  PKRU,
  SUPERVISOR_COMPONENTS,
  group,
  slot,
  step,
  unless,
  type FpstateKind,
  type Kernel,
  type RoutineNode,
  type Slot,
} from '@fpulab/core';
import type { DeferralEra } from '.';

/** The state of the policy, and the steps from which its routines are made. */
export interface FpuContext {
  readonly era: DeferralEra;
  readonly needLoad: Slot;
  readonly lastCpu: Slot;
  readonly owner: Slot;
  readonly inKernelFpu: Slot;
  /** Which image a task uses, as an index into FPSTATE_KINDS: the pointer `fpu->fpstate` of 5.16 and later. Modifiers move it. */
  readonly current: Slot | undefined;
  /** `fpu->fpstate` of a task, the current one when none is named. */
  readonly fpstate: (k: Kernel, task?: number) => number;
  /** Which of its images that is: an index into FPSTATE_KINDS. */
  readonly kindOf: (k: Kernel, task: number) => number;
  /** `fpstate->xfeatures`: components for which the image of a task has room. */
  readonly features: (k: Kernel, task?: number) => number;
  /** test_thread_flag(TIF_NEED_FPU_LOAD) */
  readonly mustLoad: (k: Kernel) => boolean;
  /** Components that fpregs_restore_userregs() loads. From 5.14 on PKRU is not among them. */
  readonly restored: (k: Kernel) => number;
  /** fpregs_restore_userregs(), before 5.14 __fpregs_load_activate(). Called with fpregs_lock() held, or interrupts off. */
  readonly restoreUserregs: RoutineNode;
  /** fpregs_mark_activate(): the registers hold what current wants. */
  readonly markActivate: RoutineNode;
}

/** Marks steps that execute an XSAVE-family instruction. */
export const XSAVE = { instruction: 'xsave' } as const;

/** Bottom halves off, and with them preemption: no other context uses the registers until fpregs_unlock(). */
export const fpregsLock = (why = ''): RoutineNode => step(`fpregs_lock${why}`, (k) => k.localBhDisable());
export const fpregsUnlock = (why = ''): RoutineNode => step(`fpregs_unlock${why}`, (k) => k.localBhEnable());

/** Supervisor components of this kernel. */
export const supervisorFeatures = (k: Kernel): number => k.xfeatures & SUPERVISOR_COMPONENTS;

/**
 * XRSTOR of an image. If its header makes it raise #GP, the fix-up loads INIT instead of going on with what somebody else left:
 * ex_handler_fprestore(), d5c8028b4788.
 */
export const restoreOrReset = (k: Kernel, fpstate: number, xfeatures: number): void => {
  if (!k.restore(fpstate, xfeatures)) k.initFpregs(xfeatures);
};

/** FNSAVE leaves INIT in the registers: they are loaded again at once. Linux 5.2 fpu__save(), 6.1 save_fpregs_to_fpstate(). */
export const saveFpregs = (k: Kernel, fpstate: number, xfeatures: number): void => {
  if (!k.save(fpstate, xfeatures)) k.restore(fpstate);
};

/** What the eras have in common. */
export function fpuContext(era: DeferralEra): FpuContext {
  const needLoad = slot.task('TIF_NEED_FPU_LOAD', 'flag', 1);
  const lastCpu = slot.task('last_cpu', 'cpu', NOBODY);
  const owner = slot.cpu('fpu_fpregs_owner_ctx', 'task', NOBODY);
  const inKernelFpu = slot.cpu('in_kernel_fpu', 'flag');
  const current = era === 'linux-5.2' || era === 'linux-5.14' ? undefined : slot.task('fpstate', 'number');

  const kindOf = (k: Kernel, task: number): number => (current === undefined ? 0 : k.read(current, task));
  const kind = (k: Kernel, task: number): FpstateKind => FPSTATE_KINDS[kindOf(k, task)];
  const fpstate = (k: Kernel, task = k.task): number => k.fpstateOf(task, kind(k, task));
  const features = (k: Kernel, task = k.task): number =>
    kind(k, task) === 'dynamic' ? k.xfeatures : k.xfeatures & ~k.dynamicXfeatures;

  const isValid = (k: Kernel): boolean => k.read(owner, k.cpu) === k.task && k.read(lastCpu, k.task) === k.cpu;
  const restored = (k: Kernel): number => (era === 'linux-5.2' ? k.xfeatures : k.xfeatures & ~(1 << PKRU));
  const clearFlag = step('clear TIF_NEED_FPU_LOAD', (k) => k.write(needLoad, k.task, 0));
  const activate = (prefix: string): readonly RoutineNode[] => [
    step(`${prefix}owner = current`, (k) => k.write(owner, k.cpu, k.task)),
    step(`${prefix}last_cpu = cpu`, (k) => k.write(lastCpu, k.task, k.cpu)),
  ];
  return {
    era,
    needLoad,
    lastCpu,
    owner,
    inKernelFpu,
    current,
    fpstate,
    kindOf,
    features,
    mustLoad: (k) => k.read(needLoad, k.task) !== 0,
    restored,
    restoreUserregs: group('fpregs_restore_userregs', [
      {
        ...unless(isValid, [
          step('restore_fpregs_from_fpstate', (k) => restoreOrReset(k, fpstate(k), restored(k)), XSAVE),
          ...activate(''),
        ]),
        otherwise: [step('registers are valid', (k) => k.skipRestore(k.task))],
      },
      clearFlag,
    ]),
    markActivate: group('fpregs_mark_activate', [
      ...activate('mark: '),
      step('mark: clear TIF_NEED_FPU_LOAD', (k) => k.write(needLoad, k.task, 0)),
    ]),
  };
}

/** As `FpuContext.mustLoad`, by the name of the flag: for patches and modifiers. */
export const mustLoadByName = (k: Kernel): boolean => k.read(k.slotNamed('TIF_NEED_FPU_LOAD'), k.task) !== 0;
