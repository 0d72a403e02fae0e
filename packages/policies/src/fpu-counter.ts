import { slot, type Slot } from '@fpulab/core';

/**
 * How many consecutive time slices a task used the FPU in; with more than five it is preloaded. An unsigned char: it
 * wraps, so that a task that stopped using the FPU is noticed. Linux 3.6 switch_fpu_prepare().
 */
export function fpuCounter(name: string): Slot {
  return slot.taskCounter(name, { threshold: 5, modulus: MODULUS });
}

/** The same where nobody asks for it: eager kernels count on, but preload every task. */
export function unusedFpuCounter(name: string): Slot {
  return slot.taskCounter(name, { threshold: MODULUS - 1, modulus: MODULUS });
}

const MODULUS = 256;
