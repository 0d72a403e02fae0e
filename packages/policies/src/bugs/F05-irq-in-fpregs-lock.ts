import { CONTEXT, contextOf, inInterrupt, step } from '@fpulab/core';
import type { Bug } from './bug';

const irqFpuUsable = step('irq_fpu_usable without fpregs_lock()', (k) => {
  const isUserBelow = contextOf(k.interrupted) === CONTEXT.user;
  const isIdle = k.read(k.slotNamed('in_kernel_fpu'), k.cpu) === 0;
  k.answer(!inInterrupt(k.status) || isUserBelow || isIdle);
});

/** fpregs_lock() keeps softirqs out, not hardirqs. */
export const F05: Bug = {
  id: 'F05',
  name: 'irq-in-fpregs-lock',
  title: 'a hardirq uses the FPU between fpregs_lock() and fpregs_unlock()',
  year: 2022,
  kernels: '3.7 to 5.18-rc by the tag of the fix',
  source: '59f5ede3bc0f "x86/fpu: Prevent FPU state corruption"',
  property: 'lost-update',
  story:
    'rt_sigreturn() loads the registers from the frame between fpregs_lock() and fpregs_unlock(): bottom halves are off there, interrupts ' +
    'are on. A hardirq arrives after XRSTOR, asks irq_fpu_usable(), and hears yes, for no kernel FPU section is open. ' +
    'kernel_fpu_begin() saves the registers and sets TIF_NEED_FPU_LOAD, or finds it set and saves nothing; the interrupt computes. Then ' +
    'rt_sigreturn() goes on, declares that the registers are those of its task, and clears the flag: it returns to user code with what the interrupt left. Hardly anybody uses the FPU ' +
    'in hardirqs; the random number generator of 5.18-rc did. In the eager kernels before 5.2 no 64-bit frame is lost by it: their ' +
    'kernel_fpu_end() loads what kernel_fpu_begin() has saved.',
  scenario: 'signal-irq',
  platform: 'bare-metal',
  buggy: {
    preset: 'linux-6.1',
    patches: [
      {
        id: 'irq-in-fpregs-lock',
        title: 'irq_fpu_usable() does not ask whether a hardirq hit a region with bottom halves off',
        source: 'before 59f5ede3bc0f, as in 5.10.13',
        edits: [{ edit: 'replace', routine: 'irq_fpu_usable', step: 'irq_fpu_usable', nodes: [irqFpuUsable] }],
      },
    ],
  },
  fixes: [{ by: '59f5ede3bc0f', preset: 'linux-6.1' }],
};
