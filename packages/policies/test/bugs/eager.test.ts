/** Bugs of kernels that load a task's registers whenever it is switched in: Linux 3.7 to 5.1. */
import { itInLong } from '../../../core/test/support/often';
import { expectInOrder } from '../explored';
import { broken, expectVerified } from './museum';

it.each([
  ['F40', 130],
  ['F45', 16820],
])('%s is verified with its fix', expectVerified);
itInLong.each([['F51', 42787]])('%s is verified with its fix', expectVerified);

describe('F40: math-state-restore-irq', () => {
  it('an interrupt believes has_fpu, and saves the registers over the state that sigreturn is about to load', async () => {
    const { oracle, choices, steps, story } = await broken('F40');
    expect([oracle, choices, steps]).toEqual(['lost-update', 54, 88]);
    expectInOrder(
      story,
      'A: x87.write',
      'A: __thread_fpu_begin',
      'A: do_IRQ',
      'A: __save_init_fpu',
      'A: restore_fpu_checking',
      'A: sysret',
      'A: x87.read',
    );
  });
});

describe('F45: fnsave-eager', () => {
  it('fork() takes the parent’s registers, and nobody loads them again', async () => {
    const { oracle, choices, steps, story } = await broken('F45');
    expect([oracle, choices, steps]).toEqual(['lost-update', 4, 33]);
    expectInOrder(
      story,
      'A: x87.write',
      'A: fork(child)',
      'A: copy_fpregs_to_fpstate(dst)',
      'A: memcpy(src, dst)',
      'A: fpregs_active = 0, owner = NULL',
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
