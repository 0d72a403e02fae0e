import type { BasePolicy } from '@fpulab/core';
import { allocatedFpu } from '../allocated-fpu';
import { embeddedFpu } from '../embedded-fpu';
import { XFEATURES_4_1, XFEATURES_4_8 } from '../xfeatures';
import { linux414 } from './linux-4.14';

export { RESTORE_BH_OFF, RESTORE_IRQS_OFF } from './linux-4.14';

/** Kernels whose eager code is modelled. */
export type EagerEra = 'linux-4.1' | 'linux-4.2' | 'linux-4.8' | 'linux-4.14';

/** Eager FPU switching: a task's registers are loaded whenever it is switched in; CR0.TS stays clear. */
export function eager({ era = 'linux-4.8' }: { readonly era?: EagerEra } = {}): BasePolicy {
  switch (era) {
    case 'linux-4.1':
      return allocatedFpu({
        id: 'eager',
        title: 'eager FPU switching, Linux 4.1',
        source: 'Linux 4.1.27 asm/fpu-internal.h, kernel/i387.c, xsave.c, traps.c, process.c',
        eager: true,
        xfeatures: XFEATURES_4_1,
      });
    case 'linux-4.2':
      return embeddedFpu({
        id: 'eager',
        title: 'eager FPU switching, Linux 4.2 to 4.5',
        source:
          'Linux 4.2.8 and 4.4.11 asm/fpu/internal.h, kernel/fpu/core.c, kernel/traps.c, with XSAVEOPT or MPX, or eagerfpu=on',
        eager: true,
        clear: 'drop-or-init',
        eagerBefore46: true,
        xfeatures: XFEATURES_4_1,
        xsaves: false,
      });
    case 'linux-4.8':
      return embeddedFpu({
        id: 'eager',
        title: 'eager FPU switching, Linux 4.6 to 4.9',
        source: 'Linux 4.8.15 asm/fpu/internal.h, kernel/fpu/core.c',
        eager: true,
        clear: 'drop-and-init',
        xfeatures: XFEATURES_4_8,
        xsaves: true,
      });
    case 'linux-4.14':
      return linux414();
  }
}
