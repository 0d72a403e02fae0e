/** Bugs of kernels that load registers on the return to user code. */
import { bugOf } from '../../src';
import { expectInOrder, found } from '../explored';
import { broken, expectVerified } from './museum';

it.each([
  ['F01', 1408],
  ['F03', 29582],
  ['F04', 2349],
  ['F05', 356],
  ['F20', 897],
])('%s is verified with its fix', expectVerified);

describe('F01: owner-ctx-cached', () => {
  it('the frame faults, B computes while the page comes in, the kept owner names A: the frame gets B’s registers', async () => {
    const { oracle, choices, steps, story } = await broken('F01');
    expect([oracle, choices, steps]).toEqual(['leak', 15, 135]);
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
    const { oracle, choices, steps, story } = await broken('F03');
    expect([oracle, choices, steps]).toEqual(['leak', 37, 103]);
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
    const { oracle, choices, steps, story } = await broken('F04');
    expect([oracle, choices, steps]).toEqual(['leak', 32, 79]);
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
    const { oracle, choices, steps, story } = await broken('F05');
    expect([oracle, choices, steps]).toEqual(['lost-update', 49, 91]);
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

describe('F20: sigreturn-fault-loop', () => {
  it('XRSTOR faults behind what the frame says, and the kernel faults in what is there: for ever', async () => {
    const { oracle, choices, steps, story } = await broken('F20');
    expect([oracle, choices, steps]).toEqual(['livelock', 9, 63]);
    expectInOrder(
      story,
      'A: frame.short',
      'A: rt_sigreturn',
      'A: xrstor_from_user_sigframe',
      'A: fault_in_readable(xstate_size)',
      'A: fpregs_lock',
    );
  });

  it('is found where everything can be interrupted, too', async () => {
    const { buggy, scenario } = bugOf('F20');
    const question = { ...buggy, scenario: `${scenario}.irqs.nest-1`, oracles: ['livelock'] as const };
    expect((await found(question)).oracle).toBe('livelock');
  });
});
