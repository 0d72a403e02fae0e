/** Bugs of kernels that load a task's registers whenever it is switched in: Linux 3.7 to 5.1. */
import { expectInOrder } from '../explored';
import { broken, expectVerified } from './museum';

it.each([['F45', 16820]])('%s is verified with its fix', expectVerified);

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
