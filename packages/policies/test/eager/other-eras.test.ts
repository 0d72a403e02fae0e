/** Eager kernels of other eras: what rows of the table do not say. */
import { fork, program, x87 } from '@fpulab/core';
import { KERNELS } from '../cells';
import { nap, onBareMetal } from '../support';

describe('linux-4.1 eager: #NM', () => {
  it('is a BUG: nobody sets TS', () => {
    const policy = KERNELS['linux-4.1 eager']();
    expect(policy.routines.find(({ name }) => name === 'do_device_not_available')?.body).toMatchObject([
      { name: 'BUG_ON(use_eager_fpu())' },
    ]);
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
