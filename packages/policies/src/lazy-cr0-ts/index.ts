import type { BasePolicy, Patch } from '@fpulab/core';
import { step } from '@fpulab/core';
import { allocatedFpu } from '../allocated-fpu';
import { embeddedFpu } from '../embedded-fpu';
import { XFEATURES_LAZY } from '../xfeatures';
import { linux2632 } from './linux-2.6.32';
import { linux36 } from './linux-3.6';

export { FRAME_FIRST } from './frame-first';
export { PREEMPT_SAFE_SIGFRAME, PREEMPT_SAFE_UNLAZY } from './linux-2.6.32';

/** Kernels whose lazy code is modelled. `linux-4.8` is that kernel with eagerfpu=off. */
export type LazyEra = 'linux-2.6.32' | 'linux-3.6' | 'linux-4.1' | 'linux-4.2' | 'linux-4.8';

/** Lazy FPU switching with CR0.TS: registers are loaded when a task's first FPU instruction traps. */
export function lazyCr0Ts({ era }: { readonly era: LazyEra }): BasePolicy {
  switch (era) {
    case 'linux-2.6.32':
      return linux2632();
    case 'linux-3.6':
      return linux36();
    case 'linux-4.1':
      return allocatedFpu({
        id: 'lazy-cr0-ts',
        title: 'lazy FPU switching with CR0.TS, Linux 4.1',
        source: 'Linux 4.1.27 asm/fpu-internal.h, kernel/i387.c, xsave.c, traps.c, process.c',
        eager: false,
        xfeatures: XFEATURES_LAZY,
      });
    case 'linux-4.2':
      return embeddedFpu({
        id: 'lazy-cr0-ts',
        title: 'lazy FPU switching with CR0.TS, Linux 4.2 to 4.5',
        source:
          'Linux 4.2.8 and 4.4.11 asm/fpu/internal.h, kernel/fpu/core.c, kernel/traps.c, with eagerfpu=off or no XSAVEOPT',
        eager: false,
        clear: 'drop-or-init',
        xfeatures: XFEATURES_LAZY,
        xsaves: false,
      });
    case 'linux-4.8':
      return embeddedFpu({
        id: 'lazy-cr0-ts',
        title: 'lazy FPU switching with CR0.TS, Linux 4.8 with eagerfpu=off',
        source: 'Linux 4.8.15 asm/fpu/internal.h, kernel/fpu/core.c, with eagerfpu=off',
        eager: false,
        clear: 'drop-and-init',
        xfeatures: XFEATURES_LAZY,
        xsaves: true,
      });
  }
}

/** The guest-side fix: TS is set while the handler may sleep. Two insertions. */
export const GUEST_FIX: Patch = {
  id: 'guest-fix',
  title:
    'stts() before interrupts are enabled, clts() after they are disabled again (the mail asks xen_pv_domain() first)',
  source: 'xen-devel, in the thread "x86/fpu: CR0.TS should be set before trap into PV guest\'s #NM exception handler"',
  edits: [
    {
      edit: 'insert-before',
      routine: 'math_state_restore',
      step: 'local_irq_enable',
      nodes: [step('stts (guest-fix)', (k) => k.stts())],
    },
    {
      edit: 'insert-after',
      routine: 'math_state_restore',
      step: 'local_irq_disable',
      nodes: [step('clts (guest-fix)', (k) => k.clts())],
    },
  ],
};

/** The handler of a classic XenoLinux guest: it relies on the hypervisor having cleared TS. */
export const CLASSIC_GUEST: Patch = {
  id: 'classic-guest',
  title: "the guest's #NM handler does no clts(): Xen has done it",
  source:
    'XenoLinux: in Xen 2.0 its clts() is empty, from 3.0 on its math_state_restore() does not call it; Xen 4.22 still documents that classic Linux depends on it (47d7556925)',
  edits: [{ edit: 'remove', routine: 'math_state_restore', step: 'clts' }],
};
