/** Bugs of kernels that switch PKRU eagerly. */
import { expectInOrder } from '../explored';
import { broken, bugOf, fixed } from './museum';

jest.setTimeout(60_000);

describe.each(['F07', 'F08', 'F09'])('%s', (id) => {
  it('is verified with the fix', async () => {
    const { verdict, complete, sometimes } = await fixed(bugOf(id));
    expect([verdict, complete]).toEqual(['verified', true]);
    expect(sometimes.filter(({ reached }) => !reached)).toEqual([]);
  });
});

describe('F07: pkru-init', () => {
  it('A’s PKRU is in its init state, a kernel thread runs, A comes back with the default', async () => {
    const { oracle, story } = await broken(bugOf('F07'));
    expect(oracle).toBe('pkru-mismatch');
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
    const { oracle, story } = await broken(bugOf('F08'));
    expect(oracle).toBe('pkru-mismatch');
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
    const { oracle, story } = await broken(bugOf('F09'));
    expect(oracle).toBe('pkru-mismatch');
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
