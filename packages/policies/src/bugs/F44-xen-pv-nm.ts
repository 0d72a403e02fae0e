import { step, unless, when, type Kernel } from '@fpulab/core';
import type { Bug } from './bug';

const isUsed = (k: Kernel): boolean => k.read(k.slotNamed('fpstate_active'), k.task) !== 0;

/** The state is allocated, and the task may sleep for it. */
const allocate = unless(isUsed, [
  step('local_irq_enable', (k) => k.localIrqEnable()),
  step('kmem_cache_alloc', (k) => k.setLocal(0, k.allocationMaySleep() ? 0 : 1)),
  when((k) => k.local(0) !== 0, [step('do_group_exit(SIGKILL)', (k) => k.killCurrent())]),
  step('local_irq_disable', (k) => k.localIrqDisable()),
]);

/** Xen has cleared TS before the guest's handler begins; bare metal has not. */
export const F44: Bug = {
  id: 'F44',
  name: 'xen-pv-nm',
  title: 'a first use of the FPU sleeps with CR0.TS clear',
  year: 2013,
  kernels: 'up to 4.1, Xen PV',
  source:
    'the #NM handlers of Linux before 4.2 (math_state_restore() of 2.6.32, 3.6 and 4.1), and Xen, which clears TS before it injects #NM into a PV guest',
  property: 'leak',
  story:
    'A task uses the FPU for the first time. Xen clears TS, for that is its interface, and passes #NM on. The handler has no state to load: ' +
    'it turns interrupts on and allocates one, and sleeps for it. The scheduler finds a task without the FPU and leaves TS as it is. The ' +
    'next task runs with TS clear: no #NM comes, and it reads what somebody before left in the registers, and its own values go where ' +
    'nobody saves them. On bare metal TS stays set until the handler clears it, and the same code is safe. 4.2 has made the state a part of ' +
    'the task: nothing can be scheduled between #NM and the load. The patch puts the allocation back there.',
  scenario: 'xen-pv-leak',
  platform: 'xen-pv',
  buggy: {
    preset: 'linux-4.2',
    patches: [
      {
        id: 'xen-pv-nm',
        title: 'the #NM handler allocates the state, with interrupts on, before it loads it',
        source: 'before 4.2, as in math_state_restore() of 4.1',
        edits: [{ edit: 'insert-before', routine: 'fpu__restore', step: 'fpu__activate_curr', nodes: [allocate] }],
      },
    ],
  },
  fixes: [{ by: 'Linux 4.2', preset: 'linux-4.2' }],
};
