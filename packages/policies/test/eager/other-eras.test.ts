/** Eager kernels of other eras: what rows of the table do not say. */
import { fork, program, sse, syscall, x87 } from '@fpulab/core';
import { KERNELS, withStrayTs } from '../cells';
import { nap, onBareMetal, slices } from '../support';

describe.each(['linux-4.1 eager', 'linux-4.2 eager'] as const)('%s: #NM', (kernel) => {
  const policy = KERNELS[kernel]();

  it('is a BUG: nobody sets TS', () => {
    expect(policy.hooks['trap-nm']).toBe('do_device_not_available');
    expect(policy.routines.find(({ name }) => name === 'do_device_not_available')?.body).toMatchObject([
      { name: 'BUG_ON(use_eager_fpu())' },
    ]);
  });

  it('ends who used the FPU, should somebody set TS', () => {
    const run = onBareMetal(withStrayTs(KERNELS[kernel]()), { tasks: { A: program(sse.write(), sse.read()) } });
    run.finish();
    expect(run.moments).toContainEqual(expect.stringContaining('A: do_device_not_available/BUG_ON'));
    expect(run.moments).not.toContain('A: sse.read');
  });
});

describe('linux-4.2 eager: exec', () => {
  const situation = { tasks: { A: program(slices(2), sse.write(), syscall('execve'), nap, sse.read()) } };

  it('loads INIT and leaves image, counter, owner and flags alone: the next save is INIT', () => {
    const run = onBareMetal(KERNELS['linux-4.2 eager'](), situation);
    run.until('A: sse.write');
    const cell = run.when('exec', { task: 'A' });
    expect(cell.before).toMatchObject({ 'A.image': 'sse=A:2', fpregs: 'sse=A:3' });
    expect(cell.changes).toEqual({ fpregs: 'sse=A:3 -> INIT' });
    expect(run.when('switch-out', { task: 'A' }).changes).toMatchObject({ 'A.image': 'sse=A:2 -> INIT' });
    run.finish();
    expect(run.architecturalViolations).toEqual([]);
  });

  it('of a kernel thread: image initialised, active, owner', () => {
    const run = onBareMetal(KERNELS['linux-4.2 eager'](), { tasks: { A: program(sse.write()) } });
    expect(run.when('exec', { task: 'A' }).changes).toEqual({
      'A.fpstate_active': '0 -> 1',
      'A.fpregs_active': '0 -> 1',
      fpu_fpregs_owner_ctx: 'nobody -> A',
    });
  });
});

describe('linux-4.2 eager: fork on a processor that has nothing but FNSAVE', () => {
  it('the parent has its state in its image alone, and no TS: nobody loads it (F45)', () => {
    const tasks = { A: program(x87.write(), fork('child'), x87.read()), child: program(x87.read()) };
    const run = onBareMetal(KERNELS['linux-4.2 eager'](), { tasks, unborn: ['child'], cpu: 'pentium-mmx' });
    const cell = run.when('fork', { task: 'A' });
    expect(cell.changes).toEqual({
      'child.fpstate_active': '0 -> 1',
      'child.image': 'INIT -> x87=A:1',
      'A.image': 'INIT -> x87=A:1',
      'A.fpregs_active': '1 -> 0',
      fpregs: 'x87=A:1 -> INIT',
      fpu_fpregs_owner_ctx: 'A -> nobody',
    });
    expect(cell.after.TS).toBe(0);
  });
});

describe('linux-4.14: fork on a processor that has nothing but FNSAVE', () => {
  const preemptedAt = (moment: string): readonly string[] => {
    const run = onBareMetal(KERNELS['linux-4.14'](), {
      tasks: { A: program(x87.write(), fork('child'), x87.read()), B: program(nap), child: program() },
      unborn: ['child'],
      cpu: 'pentium-mmx',
      interference: { preempt: 'full' },
    });
    run.until(moment);
    run.inject('preempt');
    run.finish();
    return run.architecturalViolations;
  };

  it('preempted after FNSAVE: the child has the state, and the parent gets it back', () => {
    expect(preemptedAt('A: copy_fpregs_to_fpstate(dst)')).toEqual([]);
  });

  it('preempted after memcpy(): INIT is saved over the parent’s image, and its state is lost', () => {
    expect(preemptedAt('A: memcpy(src, dst)')).toEqual(expect.arrayContaining(['lost-update: A, x87=INIT']));
  });
});
