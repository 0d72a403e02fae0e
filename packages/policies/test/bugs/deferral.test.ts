/** Bugs of kernels that load registers on the return to user code. */
import { expectInOrder } from '../explored';
import { broken, bugOf, fixed } from './museum';

jest.setTimeout(60_000);

describe.each(['F01', 'F03', 'F04', 'F05'])('%s', (id) => {
  it('is verified with the fix', async () => {
    const { verdict, complete, sometimes } = await fixed(bugOf(id));
    expect([verdict, complete]).toEqual(['verified', true]);
    expect(sometimes.filter(({ reached }) => !reached)).toEqual([]);
  });
});

describe('F01: owner-ctx-cached', () => {
  it('the frame faults, B computes while the page comes in, the kept owner names A: the frame gets B’s registers', async () => {
    const { oracle, story } = await broken(bugOf('F01'));
    expect(oracle).toBe('leak');
    expectInOrder(
      story,
      'A: sse.write',
      'A: o = this_cpu_read_stable(fpu_fpregs_owner_ctx)',
      'A: xsave_to_user_sigframe',
      'A: fault_in_writeable',
      'A: save_fpregs_to_fpstate',
      'B: sse.read',
      'A: set TIF_NEED_FPU_LOAD',
      'A: registers look valid',
      'A: xsave_to_user_sigframe',
      'A: rt_sigreturn',
      'A: xrstor_from_user_sigframe',
      'A: sysret',
    );
  });
});

describe('F03: failed-xrstor-user', () => {
  it('B owns the registers when A’s XRSTOR faults after it has loaded some: B goes on with them', async () => {
    const { oracle, story } = await broken(bugOf('F03'));
    expect(oracle).toBe('leak');
    expectInOrder(
      story,
      'A: sse.write',
      'A: rt_sigreturn',
      'A: retint_resched',
      'B: mark: owner = current',
      'B: save_fpregs_to_fpstate',
      'A: xrstor_from_user_sigframe',
      'A: fpregs_unlock after a fault',
      'A: retint_resched',
      'B: registers are valid',
    );
  });
});

describe('F04: exec-last-cpu', () => {
  it('A moves in execve(), the other CPU is invalidated, A comes back: the new program finds the old registers', async () => {
    const { oracle, story } = await broken(bugOf('F04'));
    expect(oracle).toBe('leak');
    expectInOrder(
      story,
      'A: sse.write',
      'A: execve',
      'A: retint_resched',
      'A: last_cpu = cpu, owner stays',
      'A: image = init_fpstate',
      'A: retint_resched',
      'A: registers are valid',
      'A: sysret',
    );
    expect(story).not.toContain('A: fpu_flush_thread/fpu__drop: owner of this CPU = NULL');
  });
});

describe('F05: irq-in-fpregs-lock', () => {
  it('a hardirq computes between XRSTOR and fpregs_unlock(): A returns to user code with its registers', async () => {
    const { oracle, story } = await broken(bugOf('F05'));
    expect(oracle).toBe('lost-update');
    expectInOrder(
      story,
      'A: rt_sigreturn',
      'A: fpregs_lock',
      'A: xrstor_from_user_sigframe',
      'A: do_IRQ',
      'A: irq_fpu_usable without fpregs_lock()',
      'A: compute',
      'A: iret',
      'A: mark: clear TIF_NEED_FPU_LOAD',
      'A: fpregs_unlock',
      'A: sse.read',
    );
  });
});
