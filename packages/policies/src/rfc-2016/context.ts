/** The state of the RFC's kernel, and the pieces that its functions share: 4.8's asm/fpu/internal.h with TIF_LOAD_FPU. */
import { NOBODY, group, slot, step, when, type Kernel, type RoutineNode, type Slot } from '@fpulab/core';

/** Marks steps that execute an XSAVE-family instruction. */
export const XSAVE = { instruction: 'xsave' } as const;

/** Slots and steps. */
export interface RfcContext {
  readonly active: Slot;
  readonly used: Slot;
  readonly lastCpu: Slot;
  readonly loadFpu: Slot;
  readonly cachedFlags: Slot;
  readonly owner: Slot;
  readonly inKernelFpu: Slot;
  readonly isActive: (k: Kernel) => boolean;
  readonly isUsed: (k: Kernel) => boolean;
  /** kernel_fpu_disable(), kernel_fpu_enable(): no interrupt uses the FPU meanwhile. */
  readonly kernelFpuDisable: (why?: string) => RoutineNode;
  readonly kernelFpuEnable: (why?: string) => RoutineNode;
  /** fpregs_activate(): registers and owner are the task's. */
  readonly activate: RoutineNode;
  /** fpregs_deactivate() */
  readonly deactivate: RoutineNode;
  readonly setLoadFpu: RoutineNode;
  /** fpu__save() of current, if its registers are live; interrupts may not use the FPU between question and XSAVE. Uses local 1. */
  readonly saveIfActive: RoutineNode;
  /** fpu__drop() */
  readonly drop: RoutineNode;
}

/** FNSAVE leaves INIT in the registers: they are loaded again at once. Linux 4.8 fpu__save(), fpu__copy() in eager mode. */
export const saveFpregs = (k: Kernel, fpstate: number): boolean => {
  const intact = k.save(fpstate);
  if (!intact) k.restore(fpstate);
  return intact;
};

/** Fresh slots, and the steps on them. */
export function rfcContext(): RfcContext {
  const active = slot.task('fpregs_active', 'flag');
  const used = slot.task('fpstate_active', 'flag');
  const lastCpu = slot.task('last_cpu', 'cpu', NOBODY);
  const loadFpu = slot.task('TIF_LOAD_FPU', 'flag');
  const cachedFlags = slot.task('cached_flags', 'flag');
  const owner = slot.cpu('fpu_fpregs_owner_ctx', 'task', NOBODY);
  const inKernelFpu = slot.cpu('in_kernel_fpu', 'flag');
  const isActive = (k: Kernel): boolean => k.read(active, k.task) !== 0;
  const deactivate = step('fpregs_deactivate', (k) => {
    k.write(active, k.task, 0);
    k.write(owner, k.cpu, NOBODY);
  });
  const kernelFpuDisable = (why = ''): RoutineNode =>
    step(`kernel_fpu_disable${why}`, (k) => k.write(inKernelFpu, k.cpu, 1));
  const kernelFpuEnable = (why = ''): RoutineNode =>
    step(`kernel_fpu_enable${why}`, (k) => k.write(inKernelFpu, k.cpu, 0));
  return {
    active,
    used,
    lastCpu,
    loadFpu,
    cachedFlags,
    owner,
    inKernelFpu,
    isActive,
    isUsed: (k) => k.read(used, k.task) !== 0,
    kernelFpuDisable,
    kernelFpuEnable,
    activate: step('fpregs_activate', (k) => {
      k.write(active, k.task, 1);
      k.write(owner, k.cpu, k.task);
    }),
    deactivate,
    setLoadFpu: step('set TIF_LOAD_FPU', (k) => k.write(loadFpu, k.task, 1)),
    saveIfActive: group('fpu__save', [
      step('preempt_disable', (k) => k.preemptDisable()),
      kernelFpuDisable(),
      step('fpregs_active?', (k) => k.setLocal(1, isActive(k) ? 1 : 0)),
      when(
        (k) => k.local(1) !== 0,
        [step('copy_fpregs_to_fpstate', (k) => void saveFpregs(k, k.fpstateOf(k.task)), XSAVE)],
      ),
      kernelFpuEnable(),
      step('preempt_enable', (k) => k.preemptEnable()),
    ]),
    drop: group('fpu__drop', [
      step('preempt_disable to drop', (k) => k.preemptDisable()),
      when(isActive, [step('fwait', () => {}, { instruction: 'wait' }), deactivate]),
      step('fpstate_active = 0', (k) => k.write(used, k.task, 0)),
      step('preempt_enable after the drop', (k) => k.preemptEnable()),
    ]),
  };
}
