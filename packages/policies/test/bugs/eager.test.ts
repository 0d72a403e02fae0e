/** Bugs of kernels that load a task's registers whenever it is switched in: Linux 3.7 to 5.1. */
import { expectInOrder } from '../explored';
import { broken, expectVerified } from './museum';

it.each([
  ['F45', 16820],
  ['F51', 42787],
])('%s is verified with its fix', expectVerified);

describe('F45: fnsave-eager', () => {
  it('fork() takes the parent’s registers, and nobody loads them again', async () => {
    const { oracle, choices, steps, story } = await broken('F45');
    expect([oracle, choices, steps]).toEqual(['lost-update', 4, 37]);
    expectInOrder(
      story,
      'A: x87.write',
      'A: fork(child)',
      'A: copy_fpregs_to_fpstate(dst)',
      'A: memcpy(src, dst)',
      'A: fpregs_deactivate',
      'A: sysret',
      'A: x87.update',
    );
  });
});

describe('F51: kvm-kernel-fpu-preempt', () => {
  it('the guest halts while its registers are loaded', async () => {
    const { oracle, story } = await broken('F51');
    expect(oracle).toBe('atomic-sleep');
    expectInOrder(story, 'V: kernel_fpu_begin: preempt_disable', 'V: VM entry', 'G: guest.hlt', 'V: kvm_vcpu_block');
  });
});
