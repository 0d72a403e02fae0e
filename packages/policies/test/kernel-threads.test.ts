/**
 * The rows "kthread runs" and "kthread_use_mm" of the table of kernel generations by hooks, generation by generation: kernel threads
 * run on whatever is in the registers.
 */
import { kthread, program, sse, syscall } from '@fpulab/core';
import { eager, lazyCr0Ts, loadFpuDeferral } from '../src';
import { judged } from './explored';
import { onBareMetal } from './support';

/** A has used the FPU and is about to be switched out for K, which borrows its address space and lets it run again. */
const beforeK = (policy: Parameters<typeof onBareMetal>[0]) => {
  const run = onBareMetal(policy, {
    tasks: {
      A: program(sse.write(), syscall('sched_yield'), sse.read()),
      K: program(kthread.useMm('A'), kthread.schedule(), kthread.unuseMm()),
    },
    kinds: { K: 'kthread' },
    pick: ['A', 'K', 'A', 'K'],
  });
  run.until('A: sched_yield');
  return run;
};

describe.each(['linux-2.6.32', 'linux-3.6', 'linux-4.1', 'linux-4.2', 'linux-4.8'] as const)(
  'lazy-cr0-ts, %s',
  (era) => {
    const policy = () => lazyCr0Ts({ era });

    it('kthread runs: the previous user’s registers remain, TS is set and stays set, the owner stays', () => {
      const run = beforeK(policy());
      const cell = run.when('switch-in', { task: 'K' });
      expect(cell.before).toMatchObject({ TS: 1, fpregs: 'sse=A:1' });
      expect(cell.changes).toEqual({});
    });

    it('kthread runs: never saved', () => {
      const run = beforeK(policy());
      run.until('K: tsk->mm = mm');
      const { before, after } = run.when('switch-out', { task: 'K' });
      for (const seen of [before, after])
        expect(seen).toMatchObject({ TS: 1, fpregs: 'sse=A:1', 'A.image': 'sse=A:1' });
      expect([before['K.image'], after['K.image']]).toEqual([before['K.image'], before['K.image']]);
      expect(String(after['K.image'])).toMatch(/^(none|INIT)$/);
    });

    it('kthread_use_mm: no effect on the FPU', () => {
      const run = beforeK(policy());
      const before = run.until('K: kthread_use_mm/local_irq_disable');
      const after = run.until('K: kthread_use_mm/local_irq_enable');
      expect({ ...after, masks: before.masks }).toEqual(before);
    });
  },
);

describe.each(['linux-4.1', 'linux-4.2', 'linux-4.8', 'linux-4.14'] as const)('eager, %s', (era) => {
  it('kthread runs: the previous values remain, it is neither loaded nor saved, the owner stays', () => {
    const run = beforeK(eager({ era }));
    const into = run.when('switch-in', { task: 'K' });
    expect(into.before).toMatchObject({ TS: 0, fpregs: 'sse=A:1' });
    expect(into.changes).toEqual({});
    run.until('K: tsk->mm = mm');
    const { before, after } = run.when('switch-out', { task: 'K' });
    for (const seen of [before, after]) expect(seen).toMatchObject({ TS: 0, fpregs: 'sse=A:1', 'A.image': 'sse=A:1' });
    expect(after['K.image']).toBe(before['K.image']);
  });
});

describe.each(['linux-5.2', 'linux-5.14', 'linux-6.1', 'linux-6.12'] as const)('load-fpu-deferral, %s', (era) => {
  it('kthread runs: TIF_NEED_FPU_LOAD is set and never consumed, nothing is saved, the owner stays', () => {
    const run = beforeK(loadFpuDeferral({ era }));
    const into = run.when('switch-in', { task: 'K' });
    expect(into.before).toMatchObject({ fpregs: 'sse=A:1', fpu_fpregs_owner_ctx: 'A', 'K.TIF_NEED_FPU_LOAD': 1 });
    expect(into.changes).toEqual({});
    run.until('K: tsk->mm = mm');
    expect(run.when('switch-out', { task: 'K' }).changes).toEqual({});
  });

  it('the user task behind it goes on without a reload', () => {
    const run = beforeK(loadFpuDeferral({ era }));
    run.until('K: tsk->mm = mm');
    const cell = run.when('exit-to-user', { task: 'A' });
    expect(cell.changes).toEqual({ 'A.TIF_NEED_FPU_LOAD': '1 -> 0' });
    expect(cell.moments[0]).toContain('registers are valid');
  });

  it('kernel_fpu_begin in a kernel thread: saves nothing, but nobody owns the registers any more', () => {
    const run = onBareMetal(loadFpuDeferral({ era }), {
      tasks: { A: program(sse.write(), syscall('sched_yield'), sse.read()), K: program(kthread.kernelFpu()) },
      kinds: { K: 'kthread' },
      pick: ['A', 'K'],
    });
    expect(run.when('kernel-fpu-begin', { task: 'K' }).changes).toEqual({
      masks: 'kthread -> kthread preempt-off',
      in_kernel_fpu: '0 -> 1',
      fpu_fpregs_owner_ctx: 'A -> nobody',
    });
  });
});

describe('kernel-threads', () => {
  it.each([
    ['linux-4.8', 9443],
    ['linux-6.1', 49068],
  ])('%s: verified', async (preset, states) => {
    const result = await judged({ preset, scenario: 'kernel-threads' });
    expect([result.verdict, result.complete, result.states]).toEqual(['verified', true, states]);
  });
});
