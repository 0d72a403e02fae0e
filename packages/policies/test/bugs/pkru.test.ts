/** Bugs of kernels that switch PKRU eagerly. */
import { expectInOrder } from '../explored';
import { broken, expectVerified } from './museum';

it.each([
  ['F07', 5216],
  ['F08', 28101],
  ['F09', 5216],
  ['F11', 1526],
  ['F12', 25],
])('%s is verified with its fix', expectVerified);

describe('F07: pkru-init', () => {
  it('A’s PKRU is in its init state, a kernel thread runs, A comes back with the default', async () => {
    const { oracle, choices, steps, story } = await broken('F07');
    expect([oracle, choices, steps]).toEqual(['pkru-mismatch', 16, 69]);
    expectInOrder(
      story,
      'A: pkru.initialise',
      'A: save_fpregs_to_fpstate',
      'kworker: __write_pkru(init_pkru_value)',
      'A: __write_pkru(pk ? pk->pkru : init_pkru_value)',
      'A: registers are valid',
      'A: iret',
    );
  });
});

describe('F08: pkru-kthread-mm', () => {
  it('a kernel thread borrows an address space, comes back, and gets the PKRU of its own image', async () => {
    const { oracle, choices, steps, story } = await broken('F08');
    expect([oracle, choices, steps]).toEqual(['pkru-mismatch', 6, 56]);
    expectInOrder(
      story,
      'kworker: tsk->mm = mm',
      'kworker: change stacks and current',
      'kworker: !current->mm',
      'kworker: __write_pkru(pk ? pk->pkru : 0)',
      'kworker: access user memory',
    );
  });
});

describe('F09: pkru-current-cached', () => {
  it('from a kernel thread to A: current is read too early, and A gets the default', async () => {
    const { oracle, choices, steps, story } = await broken('F09');
    expect([oracle, choices, steps]).toEqual(['pkru-mismatch', 9, 60]);
    expectInOrder(
      story,
      'A: pkru.write',
      'kworker: current->flags & PF_KTHREAD',
      'kworker: change stacks and current',
      'A: __write_pkru(init_pkru_value)',
      'A: registers are valid',
      'A: iret',
    );
  });
});

describe('F11: pkru-ptrace', () => {
  it('D’s PKRU goes to A’s image, and A goes on with what thread.pkru has', async () => {
    const { oracle, choices, steps, story } = await broken('F11');
    expect([oracle, choices, steps]).toEqual(['lost-update', 8, 114]);
    expectInOrder(
      story,
      'A: pkru.write',
      'A: ptrace_stop',
      'A: prev->pkru = rdpkru()',
      'D: copy_uabi_to_xstate',
      'D: ptrace_resume',
      'D: wrpkru(next->pkru)',
      'A: pkru.read',
    );
  });
});

describe('F12: kvm-pkru-cr4pke', () => {
  it('a guest without CR4.PKE is entered with PKRU of its host', async () => {
    const { oracle, story } = await broken('F12');
    expect(oracle).toBe('leak');
    expectInOrder(story, 'V: pkru.write', 'V: local_irq_disable', 'V: VM entry');
    expect(story.filter((moment) => moment.includes('write_pkru(vcpu'))).toEqual([]);
  });
});
