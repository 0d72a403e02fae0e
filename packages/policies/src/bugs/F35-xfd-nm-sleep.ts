import type { Bug } from './bug';

/** #NM comes through an interrupt gate. */
export const F35: Bug = {
  id: 'F35',
  name: 'xfd-nm-sleep',
  title: 'the first use of AMX allocates with interrupts off',
  year: 2021,
  kernels: 'none: found in review',
  source:
    '"[PATCH v10 13/28] x86/fpu/xstate: Use feature disable (XFD) to protect dynamic user state", 25 August 2021; review by T. Gleixner, 1 October 2021',
  property: 'atomic-sleep',
  story:
    'The first tile instruction of a task raises #NM, for IA32_XFD disables tiles. Version 10 of the series calls realloc_xstate_buffer(), and so ' +
    'vzalloc(), from the handler as it is entered: with interrupts off, where nothing may sleep. "This has to be fully preemptible ' +
    'context, otherwise you could not invoke vzalloc() which can sleep", answers the review, and an atomic allocation is no way out. ' +
    'Merged was: read IA32_XFD_ERR and clear it, then enable interrupts, allocate, and swap the images under fpregs_lock().',
  scenario: 'amx',
  platform: 'bare-metal',
  buggy: {
    preset: 'linux-6.1',
    patches: [
      {
        id: 'xfd-nm-sleep',
        title: 'the #NM handler allocates with interrupts off',
        source: '[PATCH v10 13/28], 25 August 2021',
        edits: [
          { edit: 'remove', routine: 'exc_device_not_available', step: 'local_irq_enable' },
          { edit: 'remove', routine: 'exc_device_not_available', step: 'local_irq_disable' },
        ],
      },
    ],
  },
  fixes: [{ by: 'Linux 5.16', preset: 'linux-6.1' }],
};
