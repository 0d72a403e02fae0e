import type { BasePolicy } from '@fpulab/core';
import { embeddedFpu } from '../embedded-fpu';
import { XFEATURES_4_8 } from '../xfeatures';

/**
 * Eager FPU switching: a task's registers are loaded whenever it is switched in; CR0.TS stays clear.
 *
 * Linux 4.6 to 4.9, the default there. 4.10 to 5.1 decide the same in switch_fpu_finish() and have no counter.
 */
export function eager(): BasePolicy {
  return embeddedFpu({
    id: 'eager',
    title: 'eager FPU switching, Linux 4.6 to 4.9',
    source: 'Linux 4.8.15 asm/fpu/internal.h, kernel/fpu/core.c',
    eager: true,
    clear: 'drop-and-init',
    xfeatures: XFEATURES_4_8,
    xsaves: true,
  });
}
