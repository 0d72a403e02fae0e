/**
 * __kernel_fpu_begin() and __kernel_fpu_end(), between which KVM before 4.15 has the guest's registers in place: kernel/i387.c of 4.1.27,
 * kernel/fpu/core.c of 4.8.15 and 4.14.74.
 */
import { NOBODY, group, step, when, type BasePolicy, type Condition, type RoutineNode } from '@fpulab/core';
import { slotOf } from './slot-of';

const XSAVE = { instruction: 'xsave' } as const;

/** Names of the slots by which a kernel knows that a task uses its registers, and whose they are. */
export interface FpuSlots {
  readonly active: string;
  readonly owner: string;
}

/** The two functions, and whether the current task uses its registers. */
export interface KernelFpu {
  readonly begin: RoutineNode;
  readonly end: RoutineNode;
  readonly isActive: Condition;
}

/** On top of a base policy. `lazy`: CR0.TS is set while no task's registers are there. */
export function kernelFpu(base: BasePolicy, slots: FpuSlots, { lazy }: { readonly lazy: boolean }): KernelFpu {
  const active = slotOf(base, slots.active);
  const owner = slotOf(base, slots.owner);
  const inKernelFpu = slotOf(base, 'in_kernel_fpu');
  const isActive: Condition = (k) => k.read(active, k.task) !== 0;
  const lazyOnly = (node: RoutineNode): readonly RoutineNode[] => (lazy ? [node] : []);
  return {
    isActive,
    begin: group('__kernel_fpu_begin', [
      step('in_kernel_fpu = true', (k) => k.write(inKernelFpu, k.cpu, 1)),
      when(
        isActive,
        [step('save user registers', (k) => void k.save(k.fpstateOf(k.task)), XSAVE)],
        [
          step('owner = NULL', (k) => k.write(owner, k.cpu, NOBODY)),
          ...lazyOnly(step('__kernel_fpu_begin: clts', (k) => k.clts())),
        ],
      ),
    ]),
    end: group('__kernel_fpu_end', [
      when(
        isActive,
        [step('load user registers', (k) => void k.restore(k.fpstateOf(k.task)), XSAVE)],
        lazyOnly(step('__kernel_fpu_end: stts', (k) => k.stts())),
      ),
      step('in_kernel_fpu = false', (k) => k.write(inKernelFpu, k.cpu, 0)),
    ]),
  };
}
