import { step, type PatchEdit } from '@fpulab/core';
import type { Bug } from './bug';

const begin = (routine: string): PatchEdit => ({
  edit: 'insert-before',
  routine,
  step: '__kernel_fpu_begin',
  nodes: [step('kernel_fpu_begin: preempt_disable', (k) => k.preemptDisable())],
});

/** What begins in one place and ends far away must not switch preemption off. */
export const F51: Bug = {
  id: 'F51',
  name: 'kvm-kernel-fpu-preempt',
  title: 'KVM keeps preemption off as long as the guest’s registers are loaded, and sleeps',
  year: 2012,
  kernels: 'between 3.6 and the fix of 2012',
  source: 'b1a74bf82123 "x86, kvm: fix kvm\'s usage of kernel_fpu_begin/end()"',
  property: 'atomic-sleep',
  story:
    'kvm_load_guest_fpu() begins with kernel_fpu_begin(), which switches preemption off, and kvm_put_guest_fpu() ends with kernel_fpu_end(). ' +
    'Between the two lies all that KVM does while the guest’s registers are loaded: it enters guest mode, handles the exit, enters it again. When the guest ' +
    'halts, its thread sleeps with preemption off. A preempt notifier would have put the registers back. The fix has variants of both that leave ' +
    'preemption alone.',
  scenario: 'kvm-run',
  platform: 'bare-metal',
  buggy: {
    preset: 'linux-4.1-eager',
    patches: [
      {
        id: 'kvm-kernel-fpu-preempt',
        title: 'KVM loads and puts the guest’s registers with kernel_fpu_begin() and kernel_fpu_end() themselves',
        source: 'before b1a74bf82123, on the code of 4.1.27',
        edits: [
          begin('hook:kvm-prepare-guest'),
          begin('hook:kvm-get-fpu'),
          {
            edit: 'insert-after',
            routine: 'hook:kvm-vcpu-put',
            step: '__kernel_fpu_end',
            nodes: [step('kernel_fpu_end: preempt_enable', (k) => k.preemptEnable())],
          },
        ],
      },
    ],
  },
  fixes: [{ by: 'b1a74bf82123', preset: 'linux-4.1-eager' }],
};
