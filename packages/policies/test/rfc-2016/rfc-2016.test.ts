/** The RFC of October 2016, hook by hook. `changes` names everything that a cell changes: what it does not name stayed as it was. */
import { fork, program, sse, syscall } from '@fpulab/core';
import { rfc2016 } from '../../src';
import { countRestores, irqFpuUsableNow, nap, noFpu, onBareMetal, slice, slices } from '../support';

const spec = (situation: Parameters<typeof onBareMetal>[1]) => onBareMetal(rfc2016(), situation);
const two = { A: program(slices(2)), B: program(slices(2)) };
const computesInKernel = program(sse.write(), syscall('kernel_fpu'), sse.read());

describe('rfc-2016: context switch', () => {
  it('switch-out, registers live: saves, last_cpu = cpu, fpregs_active = 0; owner is left, nobody is loaded', () => {
    const cell = spec({ tasks: { A: program(...slice), B: noFpu } }).when('switch-out', { task: 'A' });
    expect(cell.before).toMatchObject({ TS: 0, fpregs: 'sse=A:1', fpu_fpregs_owner_ctx: 'A', 'A.fpregs_active': 1 });
    expect(cell.changes).toEqual({
      'A.image': 'INIT -> sse=A:1',
      'A.last_cpu': 'none -> cpu0',
      'A.fpregs_active': '1 -> 0',
    });
  });

  it('switch-out, registers not loaded: nothing is saved, last_cpu = -1', () => {
    const tasks = { A: program(sse.write(), nap, syscall('kernel_fpu'), nap), B: noFpu };
    const run = spec({ tasks, interference: { preempt: 'full' } });
    run.until('A: kernel_fpu_end/preempt_enable');
    run.inject('preempt');
    const cell = run.when('switch-out', { task: 'A' });
    expect(cell.before).toMatchObject({ 'A.fpregs_active': 0, 'A.TIF_LOAD_FPU': 1, 'A.image': 'sse=A:1' });
    expect(cell.changes).toEqual({ 'A.last_cpu': 'cpu0 -> none' });
  });

  it('switch-in: TIF_LOAD_FPU is set, and nothing else', () => {
    const run = spec({ tasks: two });
    run.until('B: sse.update');
    const cell = run.when('switch-in', { task: 'A' });
    expect(cell.before).toMatchObject({ fpregs: 'sse=B:1', fpu_fpregs_owner_ctx: 'B' });
    expect(cell.changes).toEqual({ 'A.TIF_LOAD_FPU': '0 -> 1' });
  });
});

describe('rfc-2016: return to user code', () => {
  it('exit-to-user-prepare: cached_flags have the flag as it is before the loop', () => {
    const run = spec({ tasks: two });
    run.until('B: sse.update');
    expect(run.when('exit-to-user-prepare', { task: 'A' }).changes).toEqual({ 'A.cached_flags': '0 -> 1' });
  });

  it('exit-to-user, registers are somebody else’s: flag cleared, loaded, active, owner', () => {
    const run = spec({ tasks: two });
    run.until('B: sse.update');
    expect(run.when('exit-to-user', { task: 'A' }).changes).toEqual({
      'A.TIF_LOAD_FPU': '1 -> 0',
      'A.cached_flags': '1 -> 0',
      'A.fpregs_active': '0 -> 1',
      fpregs: 'sse=B:1 -> sse=A:1',
      fpu_fpregs_owner_ctx: 'B -> A',
    });
  });

  it('exit-to-user, owner and last_cpu fit: the load is skipped', () => {
    const run = spec({ tasks: { A: program(slices(2)) } });
    run.until('A: sse.update');
    const restores = countRestores(run);
    expect(run.when('exit-to-user', { task: 'A' }).changes).toMatchObject({ 'A.fpregs_active': '0 -> 1' });
    expect(restores).toEqual({ skipped: 1, done: 0 });
  });

  it('exit-to-user, flag clear: nothing', () => {
    const run = spec({ tasks: { A: program(sse.write(), syscall('getpid'), sse.read()) } });
    run.until('A: getpid');
    expect(run.when('exit-to-user', { task: 'A' }).changes).toEqual({});
  });

  it('#NM does not happen: TS is cleared when a CPU comes up, and never set', () => {
    const run = spec({ tasks: { A: program(slices(2)), B: program(slices(3)) } });
    expect(run.when('cpu-up', { task: 'idle0' }).changes).toEqual({ TS: '1 -> 0' });
    run.finish();
    expect(run.moments.filter((moment) => moment.endsWith('#NM'))).toEqual([]);
    expect(run.violations).toEqual([]);
  });
});

describe('rfc-2016: kernel_fpu_begin, kernel_fpu_end', () => {
  it('begin, registers live: saves, fpregs_active = 0, owner = NULL, TIF_LOAD_FPU', () => {
    const cell = spec({ tasks: { A: computesInKernel } }).when('kernel-fpu-begin', { task: 'A' });
    expect(cell.changes).toEqual({
      masks: 'syscall -> syscall preempt-off',
      in_kernel_fpu: '0 -> 1',
      'A.image': 'INIT -> sse=A:1',
      'A.fpregs_active': '1 -> 0',
      'A.TIF_LOAD_FPU': '0 -> 1',
      fpu_fpregs_owner_ctx: 'A -> nobody',
    });
  });

  it('begin, registers put away before: nothing is saved again', () => {
    const run = spec({ tasks: { A: computesInKernel }, interference: { hardirq: true } });
    run.until('A: sse.write');
    run.inject('hardirq');
    run.until('A: compute');
    const restores = countRestores(run);
    run.until('A: kernel_fpu_end/preempt_enable');
    expect(run.observe()).toMatchObject({ 'A.fpregs_active': 0, 'A.TIF_LOAD_FPU': 1, 'A.image': 'sse=A:1' });
    expect(restores).toEqual({ skipped: 0, done: 0 });
  });

  it('end: the registers keep what the kernel left', () => {
    const cell = spec({ tasks: { A: computesInKernel } }).when('kernel-fpu-end', { task: 'A' });
    expect(cell.changes).toEqual({ masks: 'syscall preempt-off -> syscall', in_kernel_fpu: '1 -> 0' });
    expect(cell.after.fpregs).toBe('sse=kernel:1');
  });

  it('irq_fpu_usable: yes where user code was interrupted, no in a kernel FPU section', () => {
    const run = spec({ tasks: { A: computesInKernel }, interference: { hardirq: true } });
    run.until('A: sse.write');
    expect(irqFpuUsableNow(run)).toBe(true);
    run.until('A: compute', { nth: 2 });
    expect(irqFpuUsableNow(run)).toBe(false);
  });
});

describe('rfc-2016: fork, exec, exit', () => {
  const unborn = ['child'];
  const child = program(sse.read());

  it('fork, registers live: XSAVE straight to the child; the parent keeps everything', () => {
    const run = spec({ tasks: { A: program(sse.write(), fork('child')), child }, unborn });
    const cell = run.when('fork', { task: 'A' });
    expect(cell.changes).toEqual({ 'child.fpstate_active': '0 -> 1', 'child.image': 'INIT -> sse=A:1' });
    expect(cell.after).toMatchObject({ fpregs: 'sse=A:1', 'A.fpregs_active': 1, in_kernel_fpu: 0 });
  });

  it('fork, registers put away: the child gets the image', () => {
    const tasks = { A: program(sse.write(), fork('child')), child };
    const run = spec({ tasks, unborn, interference: { hardirq: true } });
    run.until('A: fork(child)');
    run.inject('hardirq');
    const cell = run.when('fork', { task: 'A' });
    expect(cell.before).toMatchObject({ fpregs: 'sse=kernel:1', 'A.fpregs_active': 0, 'A.image': 'sse=A:1' });
    expect(cell.changes).toEqual({ 'child.fpstate_active': '0 -> 1', 'child.image': 'INIT -> sse=A:1' });
  });

  it('exec: dropped, INIT in memory, TIF_LOAD_FPU; the registers stay until the return to user code', () => {
    const run = spec({ tasks: { A: program(sse.write(), nap, sse.read(), syscall('execve')) } });
    run.until('A: sse.read');
    const cell = run.when('exec', { task: 'A' });
    expect(cell.changes).toEqual({
      'A.image': 'sse=A:1 -> INIT',
      'A.fpregs_active': '1 -> 0',
      'A.last_cpu': 'cpu0 -> none',
      'A.TIF_LOAD_FPU': '0 -> 1',
      fpu_fpregs_owner_ctx: 'A -> nobody',
    });
    expect(run.when('exit-to-user', { task: 'A' }).changes).toMatchObject({ fpregs: 'sse=A:1 -> INIT' });
  });

  it('exit: fpregs_active = 0, owner = NULL, fpstate_active = 0; the registers are left', () => {
    const cell = spec({ tasks: { A: program(sse.write()) } }).when('exit', { task: 'A' });
    expect(cell.changes).toEqual({
      'A.fpregs_active': '1 -> 0',
      'A.fpstate_active': '1 -> 0',
      fpu_fpregs_owner_ctx: 'A -> nobody',
    });
  });
});
