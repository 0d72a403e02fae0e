/**
 * CPUs that come up again: native_cpu_up() in arch/x86/kernel/smpboot.c, fpu_init() and fpu__init_cpu() on the CPU itself.
 *
 * A CPU goes through INIT, which leaves its FPU registers alone; only suspend takes them from it. FNINIT is part of the initialisation since
 * 4.2. mxcsr_feature_mask_init() of 3.6 and earlier leaves TS set.
 */
import { CR0_TS, NOBODY, NOTHING, X87, routine, step, type Routine, type RoutineNode, type Slot } from '@fpulab/core';

/** What a policy answers when a CPU comes up again. */
export interface CpuUp {
  readonly routines: readonly Routine[];
  readonly hooks: { readonly 'native-cpu-up': string; readonly 'cpu-init': string };
}

/**
 * @param name fpu_init() or fpu__init_cpu(), by the kernel
 * @param options.owner what native_cpu_up() resets; left out for kernels that reset nothing or have no owner (before 3.8)
 * @param options.fninit since 4.2
 * @param options.lazy TS is set in the end
 * @param options.disowns the owner is reset before FNINIT, too: who changes the registers of a CPU invalidates it
 */
export function cpuUp(
  name: string,
  {
    owner,
    fninit,
    lazy,
    disowns = false,
  }: { readonly owner?: Slot; readonly fninit: boolean; readonly lazy: boolean; readonly disowns?: boolean },
): CpuUp {
  const again = `${name}, again`;
  const init: readonly RoutineNode[] = [
    step('clear TS and EM', (k) => k.writeCr0(k.readCr0() & ~CR0_TS)),
    ...(owner && disowns ? [disownCpu(owner)] : []),
    ...(fninit ? [step('fninit', (k) => k.initFpregs(1 << X87), { instruction: 'x87' })] : []),
    ...(lazy ? [step('stts', (k) => k.stts())] : []),
  ];
  const native = owner && [routine('native_cpu_up', [disownCpu(owner)])];
  return {
    routines: [routine(again, init), ...(native ?? [])],
    hooks: { 'native-cpu-up': native ? 'native_cpu_up' : NOTHING, 'cpu-init': again },
  };
}

/** "the FPU context is blank, nobody can own it". */
export const disownCpu = (owner: Slot): RoutineNode =>
  step('owner of the CPU that comes up = NULL', (k) => k.write(owner, k.cpu, NOBODY));
