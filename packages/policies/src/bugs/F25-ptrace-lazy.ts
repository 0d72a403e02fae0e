import type { Bug } from './bug';

/** The image was written, and nobody said that the registers are old now. */
export const F25: Bug = {
  id: 'F25',
  name: 'ptrace-lazy',
  title: 'what a tracer wrote is ignored',
  year: 2012,
  kernels: '3.3',
  source: '089f9fba56fa "i387: ptrace breaks the lazy-fpu-restore logic"',
  property: 'lost-update',
  story:
    'A task that computes in slice after slice is preloaded: its registers are loaded when it is switched in, unless they are still there. ' +
    'It stops for its tracer and is saved; its values stay in the registers, the CPU names it as their owner, and its last_cpu names the CPU. The ' +
    "tracer, which does not use the FPU, writes other values into the task's image and lets it go on. Owner and last_cpu fit, so the load " +
    'is skipped, and the task goes on with what it had before. init_fpu(), which every read and write of a register set begins with, has ' +
    'set last_cpu to none ever since.',
  scenario: 'ptrace-preloaded',
  platform: 'bare-metal',
  buggy: {
    preset: 'linux-3.6',
    patches: [
      {
        id: 'ptrace-lazy',
        title: "init_fpu() of a tracer's target leaves last_cpu as it is",
        source: 'before 089f9fba56fa',
        edits: [
          { edit: 'remove', routine: 'xstateregs_get', step: 'last_cpu = ~0' },
          { edit: 'remove', routine: 'xstateregs_set', step: 'last_cpu = ~0' },
        ],
      },
    ],
  },
  fixes: [{ by: '089f9fba56fa', preset: 'linux-3.6' }],
};
