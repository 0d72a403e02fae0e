/** Bugs of KVM that are no matter of one way to switch. */
import { itInLong } from '../../../core/test/support/often';
import { expectInOrder } from '../explored';
import { broken, expectVerified } from './museum';

itInLong.each([['F23', 96791]])('%s is verified with its fix', expectVerified);

describe('F23: kvm-guest-xcr0', () => {
  it('a bystander’s registers are saved under the XCR0 of a guest that boots', async () => {
    const { oracle, choices, steps, story } = await broken('F23');
    expect([oracle, choices, steps]).toEqual(['lost-update', 48, 154]);
    expectInOrder(
      story,
      'V: xsetbv(vcpu->arch.xcr0)',
      'G: guest.xsetbv',
      'V: guest_xcr0_loaded = 0, so that it is loaded',
      'V: retint_resched/preempt',
      'B: sse.update',
      'B: __save_init_fpu',
      'V: kvm_put_guest_xcr0: xsetbv(host_xcr0)',
      'B: restore_fpu_checking',
      'B: sse.read',
    );
  });
});
