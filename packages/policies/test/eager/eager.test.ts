/**
 * Linux 4.6 to 4.9 eager, cell by cell of the table of kernel generations by hooks (C1).
 *
 * `changes` names everything that a cell changes: what it does not name stayed as it was. TS is 0 from boot on.
 */
import { fork, program, sse, syscall, x87 } from '@fpulab/core';
import { eager } from '../../src';
import { countRestores, irqFpuUsableNow, nap, onBareMetal, slice, slices } from '../support';

const spec = (situation: Parameters<typeof onBareMetal>[1]) => onBareMetal(eager(), situation);

describe('eager: CPU up', () => {
  it('clears TS, which boot leaves set', () => {
    const cell = spec({ tasks: { A: program(...slice) } }).when('cpu-up', { task: 'idle0' });
    expect(cell.changes).toEqual({ TS: '1 -> 0' });
  });
});

describe('eager: switch-out', () => {
  it('active, to another user task: saves, last_cpu = cpu, fpregs_active = 0; the new task is preloaded and owner', () => {
    const run = spec({ tasks: { A: program(slices(2)), B: program(slices(2)) } });
    run.until('B: sse.update');
    const cell = run.when('switch-out', { task: 'B' });
    expect(cell.before).toMatchObject({ TS: 0, fpregs: 'sse=B:1', fpu_fpregs_owner_ctx: 'B' });
    expect(cell.changes).toEqual({
      preload: '0 -> 1',
      'B.image': 'INIT -> sse=B:1',
      'B.fpregs_active': '1 -> 0',
      'B.last_cpu': 'none -> cpu0',
      'A.counter': '0 -> 1',
      'A.fpregs_active': '0 -> 1',
      fpu_fpregs_owner_ctx: 'B -> A',
    });
  });

  it('active, to the idle task: saves; owner and registers are left', () => {
    const cell = spec({ tasks: { A: program(...slice) } }).when('switch-out', { task: 'A' });
    expect(cell.changes).toEqual({
      'A.image': 'INIT -> sse=A:1',
      'A.fpregs_active': '1 -> 0',
      'A.last_cpu': 'none -> cpu0',
    });
    expect(cell.after).toMatchObject({ TS: 0, fpregs: 'sse=A:1', fpu_fpregs_owner_ctx: 'A' });
  });

  it('idle task to the owner on its last CPU: the restore is dropped', () => {
    const run = spec({ tasks: { A: program(slices(2)) } });
    run.until('A: sse.update');
    const restores = countRestores(run);
    const cell = run.when('switch-out', { task: 'idle0' });
    expect(cell.changes).toEqual({ 'A.counter': '0 -> 1', 'A.fpregs_active': '0 -> 1' });
    run.until('A: sse.update');
    expect(restores).toEqual({ skipped: 1, done: 0 });
  });

  it('idle task to a task that is not owner: preload, owner; the restore is to come', () => {
    const run = spec({
      tasks: { A: program(slices(2)), B: program(slices(2)) },
      interference: { idle: true },
      pick: ['A', 'B', 'idle0', 'A'],
    });
    run.until('B: sse.update');
    const cell = run.when('switch-out', { task: 'idle0' });
    expect(cell.changes).toEqual({
      preload: '0 -> 1',
      'A.counter': '0 -> 1',
      'A.fpregs_active': '0 -> 1',
      fpu_fpregs_owner_ctx: 'B -> A',
    });
    expect(run.when('switch-in', { task: 'A' }).changes).toEqual({
      preload: '1 -> 0',
      fpregs: 'sse=B:1 -> sse=A:1',
    });
  });

  it('idle task to the owner whose last CPU is another one: the restore is done', () => {
    const run = spec({ tasks: { A: program(slices(3)) }, interference: { migration: true }, cpus: 2 });
    run.until('A: sse.update');
    run.until('idle0: finish_task_switch');
    run.onCpu(1).until('A: sse.update');
    run.until('idle1: finish_task_switch');
    const cell = run.onCpu(0).when('switch-out', { task: 'idle0' });
    expect(cell.before).toMatchObject({
      'cpu0.fpregs': 'sse=A:1',
      'cpu0.fpu_fpregs_owner_ctx': 'A',
      'A.last_cpu': 'cpu1',
    });
    expect(run.when('switch-in', { task: 'A' }).changes).toEqual({
      'cpu0.preload': '1 -> 0',
      'cpu0.fpregs': 'sse=A:1 -> sse=A:2',
    });
  });

  it('FNSAVE hosts: the registers are gone, so last_cpu = -1', () => {
    const run = spec({ tasks: { A: program(x87.write(), nap) }, cpu: 'pentium-mmx' });
    const cell = run.when('switch-out', { task: 'A' });
    expect(cell.changes).toMatchObject({ fpregs: 'x87=A:1 -> INIT', 'A.image': 'INIT -> x87=A:1' });
    expect(cell.after['A.last_cpu']).toBe('none');
  });
});

describe('eager: switch-in', () => {
  it('preload: restores', () => {
    const run = spec({ tasks: { A: program(slices(2)), B: program(slices(2)) } });
    run.until('B: sse.update');
    expect(run.when('switch-in', { task: 'A' }).changes).toEqual({
      preload: '1 -> 0',
      fpregs: 'sse=B:1 -> sse=A:1',
    });
  });

  it("idle task: nothing; the previous user's registers remain", () => {
    const run = spec({ tasks: { A: program(...slice) } });
    run.until('A: sse.update');
    const cell = run.when('switch-in', { task: 'idle0' });
    expect(cell.changes).toEqual({});
    expect(cell.after.fpregs).toBe('sse=A:1');
  });
});

describe('eager: #NM', () => {
  it('never happens: TS is 0 from boot to end', () => {
    const run = spec({
      tasks: {
        A: program(slices(3), syscall('kernel_fpu'), sse.read()),
        B: program(slices(3), syscall('execve'), sse.read()),
      },
    });
    run.when('cpu-up', { task: 'idle0' });
    const ts: unknown[] = [];
    while (run.step()) ts.push(run.observe().TS);
    expect(new Set(ts)).toEqual(new Set([0]));
    expect(run.moments.join()).not.toContain('#NM');
  });
});

describe('eager: kernel_fpu_begin, kernel_fpu_end', () => {
  it('begin, active: in_kernel_fpu = 1, saves; fpregs_active and owner stay', () => {
    const run = spec({ tasks: { A: program(sse.write(), syscall('kernel_fpu')) } });
    expect(run.when('kernel-fpu-begin', { task: 'A' }).changes).toEqual({
      masks: 'syscall -> syscall preempt-off',
      in_kernel_fpu: '0 -> 1',
      'A.image': 'INIT -> sse=A:1',
    });
  });

  it('end, active: restores, in_kernel_fpu = 0', () => {
    const run = spec({ tasks: { A: program(sse.write(), syscall('kernel_fpu')) } });
    expect(run.when('kernel-fpu-end', { task: 'A' }).changes).toEqual({
      masks: 'syscall preempt-off -> syscall',
      fpregs: 'sse=kernel:1 -> sse=A:1',
      in_kernel_fpu: '1 -> 0',
    });
  });

  it('begin and end in the idle task: owner = NULL, nothing is saved or restored; the owner is restored later', () => {
    const idle = spec({ tasks: { A: program(slices(2)) }, interference: { hardirq: true } });
    idle.until('A: nanosleep');
    idle.until('idle0: finish_task_switch');
    idle.inject('hardirq');
    const begin = idle.when('kernel-fpu-begin', { task: 'idle0' });
    expect(begin.before).toMatchObject({ fpu_fpregs_owner_ctx: 'A', fpregs: 'sse=A:1' });
    expect(begin.changes).toEqual({
      masks: 'hardirq irqs-off -> hardirq irqs-off preempt-off',
      in_kernel_fpu: '0 -> 1',
      fpu_fpregs_owner_ctx: 'A -> nobody',
    });
    const end = idle.when('kernel-fpu-end', { task: 'idle0' });
    expect(end.changes).toEqual({
      masks: 'hardirq irqs-off preempt-off -> hardirq irqs-off',
      in_kernel_fpu: '1 -> 0',
    });
    expect(idle.when('switch-in', { task: 'A' }).changes).toMatchObject({ fpregs: 'sse=kernel:1 -> sse=A:1' });
  });
});

describe('eager: irq_fpu_usable', () => {
  const interference = { hardirq: true, softirq: true };
  const A = program(sse.write(), syscall('getpid'), syscall('kernel_fpu'));

  it('yes: it interrupted user mode', () => {
    const run = spec({ tasks: { A }, interference });
    run.until('A: sse.write');
    expect(irqFpuUsableNow(run)).toBe(true);
  });

  it('yes: it interrupted the kernel of an active task; begin saves and end restores', () => {
    const run = spec({ tasks: { A }, interference });
    run.until('A: getpid');
    expect(irqFpuUsableNow(run)).toBe(true);
    run.until('A: iret');
    expect(run.observe().fpregs).toBe('sse=A:1');
  });

  it('no: it interrupted a kernel FPU section', () => {
    const run = spec({ tasks: { A }, interference });
    run.until('A: compute');
    expect(irqFpuUsableNow(run)).toBe(false);
  });
});

describe('eager: fork', () => {
  const unborn = ['child'];

  it('parent: keeps everything; child: XSAVE straight to its image, not active, last_cpu = -1', () => {
    const run = spec({ tasks: { A: program(sse.write(), fork('child')), child: program(sse.read()) }, unborn });
    const cell = run.when('fork', { task: 'A' });
    expect(cell.changes).toEqual({ 'child.fpstate_active': '0 -> 1', 'child.image': 'INIT -> sse=A:1' });
    expect(cell.after).toMatchObject({ 'child.fpregs_active': 0, 'child.last_cpu': 'none', 'child.counter': 0 });
  });

  it('FNSAVE hosts: the parent gets its image from the child, and its registers back', () => {
    const tasks = { A: program(x87.write(), fork('child')), child: program(x87.read()) };
    const cell = spec({ tasks, unborn, cpu: 'pentium-mmx' }).when('fork', { task: 'A' });
    expect(cell.changes).toEqual({
      'child.fpstate_active': '0 -> 1',
      'child.image': 'INIT -> x87=A:1',
      'A.image': 'INIT -> x87=A:1',
    });
    expect(cell.after.fpregs).toBe('x87=A:1');
  });
});

describe('eager: exec and exit', () => {
  it('exec: counter = 0, image initialised, INIT loaded; active and owner in the end, as before', () => {
    const run = spec({ tasks: { A: program(slices(2), sse.write(), syscall('execve')) } });
    run.until('A: sse.write');
    const cell = run.when('exec', { task: 'A' });
    expect(cell.before).toMatchObject({ 'A.image': 'sse=A:2', fpregs: 'sse=A:3' });
    expect(cell.changes).toEqual({ 'A.counter': '2 -> 0', 'A.image': 'sse=A:2 -> INIT', fpregs: 'sse=A:3 -> INIT' });
  });

  it('first exec of a kernel thread: image initialised, active, owner', () => {
    const cell = spec({ tasks: { A: program(sse.write()) } }).when('exec', { task: 'A' });
    expect(cell.changes).toEqual({
      'A.fpstate_active': '0 -> 1',
      'A.fpregs_active': '0 -> 1',
      fpu_fpregs_owner_ctx: 'nobody -> A',
    });
  });

  it('exit: fpregs_active = 0, owner = NULL, fpstate_active = 0; registers and TS are left', () => {
    const run = spec({ tasks: { A: program(sse.write()) } });
    const cell = run.when('exit', { task: 'A' });
    expect(cell.changes).toEqual({
      'A.fpregs_active': '1 -> 0',
      fpu_fpregs_owner_ctx: 'A -> nobody',
      'A.fpstate_active': '1 -> 0',
    });
    expect(cell.after).toMatchObject({ TS: 0, fpregs: 'sse=A:1' });
  });
});
