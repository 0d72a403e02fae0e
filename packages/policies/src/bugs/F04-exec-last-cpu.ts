import { NOBODY, step, when } from '@fpulab/core';
import type { Bug } from './bug';

const fpuDrop = when(
  (k) => k.read(k.slotNamed('fpu_fpregs_owner_ctx'), k.cpu) === k.task,
  [
    step('fpu__drop: fwait', () => {}, { instruction: 'wait' }),
    step('fpu__drop: owner of this CPU = NULL', (k) => k.write(k.slotNamed('fpu_fpregs_owner_ctx'), k.cpu, NOBODY)),
  ],
);

/** The CPU is invalidated where the task should be. */
export const F04: Bug = {
  id: 'F04',
  name: 'exec-last-cpu',
  title: 'a program starts with the registers of the one before it',
  year: 2023,
  kernels: '5.14 to 6.4',
  source: '1f69383b203e "x86/fpu: Invalidate FPU state correctly on exec()"',
  property: 'leak',
  story:
    'A task is preempted at the start of execve() and goes on on another CPU; the first still holds its registers and names it as ' +
    'their owner, for nobody used the FPU there. execve() writes INIT to the image and invalidates the registers: those of the CPU that it ' +
    'runs on, where there is nothing to invalidate. TIF_NEED_FPU_LOAD is set, so the next switch saves nothing and leaves last_cpu alone. Back ' +
    'on the first CPU owner and last_cpu fit, the load is skipped, and the new program finds the registers of the old one. Who changes ' +
    'the image of a task has to invalidate the task; who changes the registers of a CPU, the CPU.',
  scenario: 'exec-migration',
  platform: 'bare-metal',
  buggy: {
    preset: 'linux-6.1',
    patches: [
      {
        id: 'exec-last-cpu',
        title: "execve() invalidates this CPU's registers instead of the task's",
        source: 'before 1f69383b203e',
        edits: [{ edit: 'replace', routine: 'fpu_flush_thread', step: 'last_cpu = -1', nodes: [fpuDrop] }],
      },
    ],
  },
  fixes: [{ by: '1f69383b203e', preset: 'linux-6.1' }],
};
