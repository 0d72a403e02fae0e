import { step } from '@fpulab/core';
import type { Bug } from './bug';

const hasNoMm = step('!current->mm', (k) => k.write(k.slotNamed('is_kthread'), k.cpu, k.hasMm(k.task) ? 0 : 1));

/** Having an address space does not make a user task. */
export const F08: Bug = {
  id: 'F08',
  name: 'pkru-kthread-mm',
  title: 'a kernel thread with a borrowed address space gets PKRU of an empty image',
  year: 2021,
  kernels: '5.2 to 5.12',
  source: '12f7764ac612 "x86/process: Check PF_KTHREAD and not current->mm for kernel threads"',
  property: 'pkru-mismatch',
  story:
    'switch_fpu_finish() takes whoever has an address space for a user task, and looks PKRU up in its XSAVE image. A kernel thread between ' +
    'kthread_use_mm() and kthread_unuse_mm() has one: when it is switched out there and comes back, its PKRU comes from an image that ' +
    'nobody ever saved anything to. It then accesses the memory that it borrowed with all keys open, instead of under the ' +
    "kernel's default. As long as an image without PKRU meant that default (F07), the answer happened to be right; the series that fixed F07 fixed " +
    'this first.',
  scenario: 'protection-keys',
  platform: 'bare-metal',
  buggy: {
    preset: 'linux-5.10',
    patches: [
      {
        id: 'pkru-kthread-mm',
        title: 'a kernel thread is what has no address space',
        source: 'before 12f7764ac612, as in 5.10.13; with 510b80a6a0f1, without which it does not show',
        edits: [{ edit: 'replace', routine: 'hook:switch-in', step: 'current->flags & PF_KTHREAD', nodes: [hasNoMm] }],
      },
    ],
  },
  fixes: [{ by: '12f7764ac612', preset: 'linux-5.10' }],
};
