import { KVM_UNDER_KERNEL_FPU } from '../kvm/under-kernel-fpu';
import { KVM_XCR0_PUT } from '../kvm-xcr0';
import type { Bug } from './bug';

/** What a flag says is in the CPU, and what is. */
export const F23: Bug = {
  id: 'F23',
  name: 'kvm-guest-xcr0',
  title: 'a task saves and loads its registers under the XCR0 of a guest that has executed XSETBV',
  year: 2013,
  kernels: 'those before 42bdf991f4ca; read in 3.6',
  source: '42bdf991f4ca "KVM: x86: fix maintenance of guest/host xcr0 state"',
  property: 'lost-update',
  story:
    'While a guest’s registers are in place its XCR0 is in the CPU, and guest_xcr0_loaded says so. A guest that boots executes XSETBV, which makes it leave guest ' +
    'mode. KVM notes the new value and clears guest_xcr0_loaded, so that it is loaded at the next entry; but the CPU still has the old one, in which only x87 is enabled. ' +
    'The thread is preempted before that entry. kvm_put_guest_xcr0() finds nothing to put, and the next task runs under the guest’s XCR0: XSAVE leaves ' +
    'out its SSE registers, and XRSTOR of an image that has some raises #GP. The fix puts the host’s XCR0 when XSETBV is emulated.',
  scenario: 'kvm-xcr0',
  platform: 'bare-metal',
  // 3.6 without what else it does to the registers of a thread that runs a guest.
  buggy: { preset: 'linux-3.6', patches: [KVM_UNDER_KERNEL_FPU] },
  fixes: [{ by: '42bdf991f4ca', preset: 'linux-3.6', patches: [KVM_UNDER_KERNEL_FPU, KVM_XCR0_PUT] }],
};
