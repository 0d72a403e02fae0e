import { NOBODY, inInterrupt, step, unless, when, type Kernel } from '@fpulab/core';
import type { Bug } from './bug';

/** Interrupts of 32-bit kernels run on stacks of their own, with a thread_info whose status has no TS_USEDFPU. */
const onIrqStack = (k: Kernel): boolean => inInterrupt(k.status);

const save = step('__save_init_fpu', (k) => void k.save(k.fpstateOf(k.task)), { instruction: 'xsave' });
const giveUp = step('has_fpu = 0, owner = NULL', (k) => {
  k.write(k.slotNamed('has_fpu'), k.task, 0);
  k.write(k.slotNamed('fpu_owner_task'), k.cpu, NOBODY);
});

/** The flag that says who uses the registers is looked for on the wrong stack. */
export const F26: Bug = {
  id: 'F26',
  name: 'i386-irqstack',
  title: 'an interrupt overlooks that the registers are in use',
  year: 2012,
  kernels: 'up to 3.2, 32-bit',
  source: 'f94edacf9985 "i387: move TS_USEDFPU flag from thread_info to task_struct"',
  property: 'lost-update',
  story:
    'Whether the registers are those of the current task is a flag in its thread_info, and a 32-bit kernel finds thread_info at the bottom ' +
    'of the stack that it runs on. Interrupts have stacks of their own there, each with a thread_info, and nobody copies that flag to it. A ' +
    'task computes. An interrupt decrypts a packet with AES-NI: kernel_fpu_begin() looks for the flag, finds it clear, and saves nothing; ' +
    'kernel_fpu_end() sets CR0.TS. The task traps, and is given what its image has: an older state, or none. Wireless networks showed it. ' +
    'Since the fix the flag is in task_struct, which is the same on every stack.',
  scenario: 'interrupts.any-1.nest-1',
  platform: 'bare-metal',
  buggy: {
    preset: 'linux-3.6',
    patches: [
      {
        id: 'i386-irqstack',
        title: 'kernel_fpu_begin() of an interrupt does not see the flag of the task that it interrupted',
        source: 'before f94edacf9985, on 32-bit',
        edits: [
          {
            edit: 'replace',
            routine: 'kernel_fpu_begin',
            step: '__save_init_fpu',
            nodes: [when(onIrqStack, [step('clts, the flag is clear on this stack', (k) => k.clts())], [save])],
          },
          {
            edit: 'replace',
            routine: 'kernel_fpu_begin',
            step: 'has_fpu = 0, owner = NULL',
            nodes: [unless(onIrqStack, [giveUp])],
          },
        ],
      },
    ],
  },
  fixes: [{ by: 'f94edacf9985', preset: 'linux-3.6' }],
};
