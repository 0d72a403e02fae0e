/**
 * PKRU, cell by cell of the table of kernel generations by hooks: generation D (5.2 to 5.13) keeps it in the XSAVE image, E and F
 * (5.14 on) in thread.pkru. What `changes` does not name stayed as it was.
 */
import { fork, kthread, pkru, program, sse, syscall, type TaskKind } from '@fpulab/core';
import { given, type Situation } from '@fpulab/core/testing';
import { bareMetal } from '@fpulab/hypervisor';
import { eagerPkru, loadFpuDeferral, type DeferralEra } from '../../src';

type Make = (situation: Omit<Situation, 'policies' | 'platform'>) => ReturnType<typeof given>;

const spec =
  (era: DeferralEra): Make =>
  (situation) =>
    given({
      cpu: 'zen3',
      ...situation,
      platform: bareMetal(),
      policies: [loadFpuDeferral({ era }), eagerPkru({ form: era === 'linux-5.2' ? 'image' : 'thread' })],
    });

const A = program(pkru.write(), sse.write(), syscall('sched_yield'), pkru.read());
const B = program(pkru.write(), syscall('sched_yield'), pkru.read());
const SSE_AND_PKRU = 'sse=A:2 pkru=A:1';

/** A has been switched out with a PKRU of its own, B is about to be. */
const twoTasks = (make: Make, first = A): ReturnType<typeof given> => {
  const run = make({ tasks: { A: first, B }, pick: ['A', 'B', 'A'] });
  run.until('B: sched_yield');
  return run;
};

/** A is about to be switched out for the kernel thread K, which borrows its address space and lets A run again. */
const withKthread = (make: Make): ReturnType<typeof given> => {
  const K = program(kthread.useMm('A'), kthread.schedule(), kthread.unuseMm());
  const run = make({ tasks: { A, K }, kinds: { K: 'kthread' }, pick: ['A', 'K', 'A', 'K'] });
  run.until('A: sched_yield');
  return run;
};

const INITIALISED = program(pkru.write(), sse.write(), pkru.initialise(), syscall('sched_yield'), pkru.read());

/** A forks C. */
const forking = (make: Make, kind: TaskKind): ReturnType<typeof given> =>
  make({
    tasks: { A: [pkru.write(), sse.write(), fork('C')], C: kind === 'user' ? [pkru.read()] : [kthread.schedule()] },
    kinds: { C: kind },
    unborn: ['C'],
  });

/** A asks for a protection key; B may run before it gets one. */
const asking = (make: Make, alloc: 'ok' | 'sleep'): ReturnType<typeof given> => {
  const asks = program(pkru.write(), sse.write(), syscall('pkey_alloc'), pkru.read());
  const run = make({
    tasks: { A: asks, B },
    pick: ['A', 'B', 'A'],
    alloc: [alloc],
    interference: { allocation: { sleep: true } },
  });
  run.until('A: pkey_alloc');
  return run;
};

const EXEC = program(pkru.write(), sse.write(), syscall('execve'), pkru.read());

describe('eager-pkru in the image, linux-5.2 (D)', () => {
  const make = spec('linux-5.2');

  it('switch-out(old), user task: PKRU goes to the image with the rest; the register is left', () => {
    const run = make({ tasks: { A, B }, pick: ['A', 'B', 'A'] });
    run.until('A: sched_yield');
    const cell = run.when('switch-out', { task: 'A' });
    expect(cell.before).toMatchObject({ fpregs: SSE_AND_PKRU, 'A.TIF_NEED_FPU_LOAD': 0, fpu_fpregs_owner_ctx: 'A' });
    expect(cell.changes).toEqual({ 'A.image': `INIT -> ${SSE_AND_PKRU}` });
  });

  it('switch-in(new), user task: TIF is set, and of the image PKRU alone is loaded now', () => {
    const cell = twoTasks(make).when('switch-in', { task: 'A' });
    expect(cell.before).toMatchObject({ fpregs: 'pkru=B:1', 'A.image': SSE_AND_PKRU, fpu_fpregs_owner_ctx: 'B' });
    expect(cell.changes).toEqual({ fpregs: 'pkru=B:1 -> pkru=A:1', 'A.TIF_NEED_FPU_LOAD': '0 -> 1' });
  });

  it('switch-in(new), XSTATE_BV[PKRU] is clear: 0, the init value of hardware (510b80a6a0f1)', () => {
    const cell = twoTasks(make, INITIALISED).when('switch-in', { task: 'A' });
    expect(cell.before).toMatchObject({ fpregs: 'pkru=B:1', 'A.image': 'sse=A:2' });
    expect(cell.changes).toEqual({ fpregs: 'pkru=B:1 -> INIT', 'A.TIF_NEED_FPU_LOAD': '0 -> 1' });
  });

  it("kthread runs: the kernel's default is written, the rest of the registers and the owner stay", () => {
    const cell = withKthread(make).when('switch-in', { task: 'K' });
    expect(cell.before).toMatchObject({ fpregs: SSE_AND_PKRU, 'K.TIF_NEED_FPU_LOAD': 1, fpu_fpregs_owner_ctx: 'A' });
    expect(cell.changes).toEqual({ fpregs: `${SSE_AND_PKRU} -> sse=A:2 pkru=default` });
  });

  it('kthread runs: nothing is saved when it is switched out, with a borrowed address space or without', () => {
    const run = withKthread(make);
    run.until('K: tsk->mm = mm');
    const cell = run.when('switch-out', { task: 'K' });
    expect(cell.before).toMatchObject({ fpregs: 'sse=A:2 pkru=default', 'K.image': 'INIT' });
    expect(cell.changes).toEqual({});
  });

  it('kthread_use_mm: no effect on the registers; PKRU is the default before and after', () => {
    const run = withKthread(make);
    const before = run.until('K: kthread_use_mm/local_irq_disable');
    const after = run.until('K: kthread_use_mm/local_irq_enable');
    expect([before.fpregs, after.fpregs]).toEqual(['sse=A:2 pkru=default', 'sse=A:2 pkru=default']);
  });

  it('exit to user behind a kernel thread: the registers are valid, for PKRU has been loaded already', () => {
    const run = withKthread(make);
    run.until('K: tsk->mm = mm');
    const cell = run.when('exit-to-user', { task: 'A' });
    expect(cell.before).toMatchObject({ fpregs: SSE_AND_PKRU, fpu_fpregs_owner_ctx: 'A', 'A.last_cpu': 'cpu0' });
    expect(cell.changes).toEqual({ 'A.TIF_NEED_FPU_LOAD': '1 -> 0' });
    expect(cell.moments[0]).toContain('registers are valid');
  });

  it.each(['user', 'kthread', 'io-worker'] as const)('fork of a %s task: the image has it all, PKRU too', (kind) => {
    const cell = forking(make, kind).when('fork', { task: 'A' });
    expect(cell.changes).toEqual({ 'C.image': `INIT -> ${SSE_AND_PKRU}` });
  });

  it('exec: INIT is loaded, then the default PKRU', () => {
    const run = make({ tasks: { A: EXEC } });
    run.until('A: execve');
    const cell = run.when('exec', { task: 'A' });
    expect(cell.changes).toEqual({ fpregs: `${SSE_AND_PKRU} -> pkru=default` });
    expect(cell.after).toMatchObject({ 'A.TIF_NEED_FPU_LOAD': 0, fpu_fpregs_owner_ctx: 'A' });
  });

  it('CPU up: PKRU is left as reset leaves it', () => {
    expect(make({ tasks: { A } }).when('cpu-up', { task: 'idle0' }).changes).toEqual({ TS: '1 -> 0' });
  });

  it('pkey-access, registers live: the register, and the image only if XSTATE_BV has PKRU', () => {
    const cell = asking(make, 'ok').when('pkey-access', { task: 'A' });
    expect(cell.before).toMatchObject({ fpregs: SSE_AND_PKRU, 'A.image': 'INIT', 'A.TIF_NEED_FPU_LOAD': 0 });
    expect(cell.changes).toEqual({ fpregs: `${SSE_AND_PKRU} -> sse=A:2 pkru=A:3` });
  });

  it('pkey-access, TIF set: the register and the image, which will be loaded', () => {
    const cell = asking(make, 'sleep').when('pkey-access', { task: 'A' });
    expect(cell.before).toMatchObject({ fpregs: 'pkru=A:1', 'A.image': SSE_AND_PKRU, 'A.TIF_NEED_FPU_LOAD': 1 });
    expect(cell.changes).toEqual({ fpregs: 'pkru=A:1 -> pkru=A:3', 'A.image': `${SSE_AND_PKRU} -> sse=A:2 pkru=A:3` });
  });
});

describe.each(['linux-5.14', 'linux-6.1', 'linux-6.12'] as const)('eager-pkru in thread.pkru, %s (E, F)', (era) => {
  const make = spec(era);

  it('switch-out(old), user task: saved with the rest, then stashed apart, and the next task’s is written', () => {
    const run = make({ tasks: { A, B }, pick: ['A', 'B', 'A'] });
    run.until('A: sched_yield');
    const cell = run.when('switch-out', { task: 'A' });
    expect(cell.changes).toEqual({
      'A.image': `INIT -> ${SSE_AND_PKRU}`,
      'A.thread.pkru': 'default -> A:1',
      fpregs: `${SSE_AND_PKRU} -> sse=A:2 pkru=default`,
    });
    const [saved, , stashed, written] = cell.moments.map((moment) => moment.split('/').at(-1));
    expect([saved, stashed, written]).toEqual([
      'save_fpregs_to_fpstate',
      'prev->pkru = rdpkru()',
      'wrpkru(next->pkru)',
    ]);
  });

  it('switch-in(new): TIF is set, nothing else; PKRU is there already', () => {
    const cell = twoTasks(make).when('switch-in', { task: 'A' });
    expect(cell.before).toMatchObject({ fpregs: 'pkru=A:1', 'A.thread.pkru': 'A:1', 'B.thread.pkru': 'B:1' });
    expect(cell.changes).toEqual({ 'A.TIF_NEED_FPU_LOAD': '0 -> 1' });
  });

  it('switch-out(old), PKRU in its init state: the register says so, no header is looked at', () => {
    const run = make({ tasks: { A: INITIALISED, B }, pick: ['A', 'B', 'A'] });
    run.until('A: sched_yield');
    const { changes } = run.when('switch-out', { task: 'A' });
    expect(changes).toMatchObject({ 'A.image': 'INIT -> sse=A:2', 'A.thread.pkru': 'default -> INIT' });
  });

  it('exit to user, registers of another task: PKRU is no part of what is loaded', () => {
    const cell = twoTasks(make).when('exit-to-user', { task: 'A' });
    expect(cell.before).toMatchObject({ fpregs: 'pkru=A:1', fpu_fpregs_owner_ctx: 'B' });
    expect(cell.changes).toEqual({
      fpregs: 'pkru=A:1 -> sse=A:2 pkru=A:1',
      'A.TIF_NEED_FPU_LOAD': '1 -> 0',
      fpu_fpregs_owner_ctx: 'B -> A',
    });
  });

  it('kthread runs: its own thread.pkru, the default since its fork; stashed like any other', () => {
    const run = withKthread(make);
    expect(run.when('switch-in', { task: 'K' }).before).toMatchObject({
      fpregs: 'sse=A:2 pkru=default',
      fpu_fpregs_owner_ctx: 'A',
    });
    run.until('K: tsk->mm = mm');
    const cell = run.when('switch-out', { task: 'K' });
    expect(cell.before).toMatchObject({ 'K.thread.pkru': 'default', 'K.image': 'INIT' });
    expect(cell.changes).toEqual({ fpregs: 'sse=A:2 pkru=default -> sse=A:2 pkru=A:1' });
  });

  it('kthread_use_mm: no effect on the registers; PKRU is that of the kernel thread', () => {
    const run = withKthread(make);
    const before = run.until('K: kthread_use_mm/local_irq_disable');
    const after = run.until('K: kthread_use_mm/local_irq_enable');
    expect([before.fpregs, after.fpregs]).toEqual(['sse=A:2 pkru=default', 'sse=A:2 pkru=default']);
  });

  const inherits = era === 'linux-5.14';

  it('fork of a user task: image from the registers, thread.pkru from RDPKRU', () => {
    const { changes } = forking(make, 'user').when('fork', { task: 'A' });
    expect(changes).toEqual({ 'C.image': `INIT -> ${SSE_AND_PKRU}`, 'C.thread.pkru': 'default -> A:1' });
  });

  it(`fork of a kernel thread: the default; the image is ${inherits ? 'copied all the same' : 'INIT'}`, () => {
    const { changes } = forking(make, 'kthread').when('fork', { task: 'A' });
    expect(changes).toEqual(inherits ? { 'C.image': `INIT -> ${SSE_AND_PKRU}` } : {});
  });

  it(`fork of an IO worker: thread.pkru from RDPKRU; the image is ${inherits ? 'copied' : 'INIT'}`, () => {
    const { changes } = forking(make, 'io-worker').when('fork', { task: 'A' });
    expect(changes).toEqual({
      ...(inherits ? { 'C.image': `INIT -> ${SSE_AND_PKRU}` } : {}),
      'C.thread.pkru': 'default -> A:1',
    });
  });

  it('exec: the image is INIT, the registers are left, but for PKRU: pkru_flush_thread()', () => {
    const run = make({ tasks: { A: EXEC } });
    run.until('A: execve');
    expect(run.when('exec', { task: 'A' }).changes).toEqual({
      fpregs: `${SSE_AND_PKRU} -> sse=A:2 pkru=default`,
      'A.TIF_NEED_FPU_LOAD': '0 -> 1',
      'A.last_cpu': 'cpu0 -> none',
    });
  });

  it('CPU up: setup_pku() writes the default', () => {
    expect(make({ tasks: { A } }).when('cpu-up', { task: 'idle0' }).changes).toEqual({
      TS: '1 -> 0',
      fpregs: 'INIT -> pkru=default',
    });
  });

  it.each(['ok', 'sleep'] as const)('pkey-access, allocation %s: the register alone, whatever TIF says', (alloc) => {
    const cell = asking(make, alloc).when('pkey-access', { task: 'A' });
    expect(Object.keys(cell.changes)).toEqual(['fpregs']);
    expect(cell.changes.fpregs).toMatch(/pkru=A:1 -> .*pkru=A:3$/);
  });
});

describe('without PKRU', () => {
  it.each(['linux-5.2', 'linux-6.1'] as const)('%s: there is nothing to do, the modifier is left out', (era) => {
    const run = spec(era)({ tasks: { A: [sse.write()] }, cpu: 'sandybridge' });
    expect(run.machine.composition.title).toBe('load-fpu-deferral on bare-metal');
    expect(Object.keys(run.observe()).filter((name) => /pkru|is_kthread/.test(name))).toEqual([]);
  });
});
