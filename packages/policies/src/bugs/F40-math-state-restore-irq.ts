import type { Bug } from './bug';

/** The flag says that the registers are the task's before they are, and an interrupt believes it. */
export const F40: Bug = {
  id: 'F40',
  name: 'math-state-restore-irq',
  title: 'an interrupt saves the registers over a state that is about to be loaded',
  year: 2015,
  kernels: '3.7 to 3.19, eager',
  source: '7575637ab293 "x86, fpu: Fix math_state_restore() race with kernel_fpu_begin()"',
  property: 'lost-update',
  story:
    'A 32-bit program returns from its signal handler. Its state comes out of the frame into the image in memory, for the x87 part has to be put ' +
    "together there, and math_state_restore() loads it. First it sets has_fpu: the registers are the task's, from here on. They hold " +
    'what the handler left. An interrupt comes, and wants to use the FPU; irq_fpu_usable() allows it. kernel_fpu_begin() sees has_fpu and ' +
    "saves the registers, over the image. Then they are loaded from it, and the program goes on with its handler's values. Preemption is off all the " +
    'while, which keeps other tasks away, but no interrupt. Since the fix kernel_fpu_disable() does. Lazy kernels refuse an interrupt where ' +
    'CR0.TS is clear; eager ones have it clear always, and ask whether a kernel FPU section is under way.',
  scenario: 'ia32-irq',
  platform: 'bare-metal',
  buggy: {
    preset: 'linux-4.1-eager',
    patches: [
      {
        id: 'math-state-restore-irq',
        title: 'math_state_restore() lets interrupts use the FPU between has_fpu and the load',
        source: 'before 7575637ab293',
        edits: ['kernel_fpu_disable', 'kernel_fpu_enable'].map((step) => ({
          edit: 'remove' as const,
          routine: '__restore_xstate_sig, ia32_fxstate',
          step,
        })),
      },
    ],
  },
  fixes: [{ by: '7575637ab293', preset: 'linux-4.1-eager' }],
};
