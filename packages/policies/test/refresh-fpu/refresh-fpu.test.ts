/** The straw man of October 2016, hook by hook: what changes, and the state in which it believes the task to be. */
import { fork, program, sse, syscall } from '@fpulab/core';
import { refreshFpu } from '../../src';
import { countRestores, irqFpuUsableNow, nap, noFpu, onBareMetal, slice, slices } from '../support';

const spec = (situation: Parameters<typeof onBareMetal>[1]) => onBareMetal(refreshFpu(), situation);
const two = { A: program(slices(2)), B: program(slices(2)) };
const computesInKernel = program(sse.write(), syscall('kernel_fpu'), sse.read());

describe('refresh-fpu: context switch', () => {
  it('switch-out: copy_to_memory, 1 -> 2a', () => {
    const cell = spec({ tasks: { A: program(...slice), B: noFpu } }).when('switch-out', { task: 'A' });
    expect(cell.before).toMatchObject({ fpregs: 'sse=A:1', fpregs_owner: 'A', 'A.last_cpu': 'cpu0' });
    expect(cell.changes).toEqual({
      'A.believed': '1 -> 2a',
      'A.image': 'INIT -> sse=A:1',
      'A.memory_valid': '0 -> 1',
      'A.TIF_REFRESH_FPU': '0 -> 1',
    });
  });

  it('switch-out in 2a or 2b: memory is valid already, only the flag is set', () => {
    const tasks = { A: program(sse.write(), syscall('kernel_fpu')), B: noFpu };
    const run = spec({ tasks, interference: { preempt: 'full' } });
    run.until('A: kernel_fpu_end/preempt_enable');
    run.inject('preempt');
    const cell = run.when('switch-out', { task: 'A' });
    expect(cell.before).toMatchObject({ 'A.believed': '2b', 'A.TIF_REFRESH_FPU': 1 });
    expect(cell.changes).toEqual({});
  });

  it('switch-in: the flag, whatever the state', () => {
    const run = spec({ tasks: two });
    run.until('B: sse.update');
    const cell = run.when('switch-in', { task: 'A' });
    expect(cell.changes).toEqual({});
    expect(cell.after).toMatchObject({ 'A.TIF_REFRESH_FPU': 1, 'A.believed': '2b', fpregs_owner: 'B' });
    const first = spec({ tasks: two }).when('switch-in', { task: 'A' });
    expect(first.changes).toEqual({ 'A.TIF_REFRESH_FPU': '0 -> 1' });
  });
});

describe('refresh-fpu: return to user code', () => {
  it('move_to_cpu, 2b -> 1: loads, takes the registers from their owner, who is in 2b from then on', () => {
    const run = spec({ tasks: two });
    run.until('B: sse.update');
    const cell = run.when('exit-to-user', { task: 'A' });
    expect(cell.before).toMatchObject({ 'A.believed': '2b', 'B.believed': '2a' });
    expect(cell.changes).toEqual({
      'A.believed': '2b -> 1',
      'B.believed': '2a -> 2b',
      'A.TIF_REFRESH_FPU': '1 -> 0',
      'A.memory_valid': '1 -> 0',
      fpregs: 'sse=B:1 -> sse=A:1',
      fpregs_owner: 'B -> A',
    });
  });

  it('move_to_cpu, 2a -> 1: the registers are still there, memory is invalidated', () => {
    const run = spec({ tasks: { A: program(slices(2)) } });
    run.until('A: sse.update');
    const restores = countRestores(run);
    const cell = run.when('exit-to-user', { task: 'A' });
    expect(cell.changes).toEqual({
      'A.believed': '2a -> 1',
      'A.TIF_REFRESH_FPU': '1 -> 0',
      'A.memory_valid': '1 -> 0',
    });
    expect(restores.done).toBe(0);
  });

  it('without the flag the task is in 1 already: nothing', () => {
    const run = spec({ tasks: { A: program(sse.write(), syscall('getpid')) } });
    run.until('A: getpid');
    const cell = run.when('exit-to-user', { task: 'A' });
    expect([cell.before['A.believed'], cell.changes]).toEqual(['1', {}]);
  });

  it('CPU up clears TS, so that #NM does not happen', () => {
    const run = spec({ tasks: two });
    expect(run.when('cpu-up', { task: 'idle0' }).changes).toEqual({ TS: '1 -> 0' });
    run.finish();
    expect(run.violations).toEqual([]);
  });
});

describe('refresh-fpu: the kernel’s own use', () => {
  it('kernel_fpu_begin: move_to_memory, 1 -> 2b, before the registers are nobody’s', () => {
    const cell = spec({ tasks: { A: computesInKernel } }).when('kernel-fpu-begin', { task: 'A' });
    expect(cell.changes).toEqual({
      masks: 'syscall -> syscall preempt-off',
      in_kernel_fpu: '0 -> 1',
      'A.believed': '1 -> 2b',
      'A.image': 'INIT -> sse=A:1',
      'A.memory_valid': '0 -> 1',
      'A.last_cpu': 'cpu0 -> none',
      'A.TIF_REFRESH_FPU': '0 -> 1',
      fpregs_owner: 'A -> nobody',
    });
  });

  it('kernel_fpu_end: the registers keep what the kernel left', () => {
    const cell = spec({ tasks: { A: computesInKernel } }).when('kernel-fpu-end', { task: 'A' });
    expect(cell.changes).toEqual({ masks: 'syscall preempt-off -> syscall', in_kernel_fpu: '1 -> 0' });
  });

  it('irq_fpu_usable: no in a kernel FPU section, and no for a hardirq where bottom halves are off', () => {
    const run = spec({ tasks: { A: computesInKernel }, interference: { hardirq: true } });
    run.until('A: sse.write');
    expect(irqFpuUsableNow(run)).toBe(true);
    run.until('A: compute', { nth: 2 });
    expect(irqFpuUsableNow(run)).toBe(false);
    const execs = spec({ tasks: { A: program(sse.write()) }, interference: { hardirq: true } });
    execs.until('A: fpu__clear/fpregs_lock to clear');
    expect(irqFpuUsableNow(execs)).toBe(false);
  });
});

describe('refresh-fpu: fork, exec, exit', () => {
  it('fork: the parent 1 -> 2a, the child in memory alone', () => {
    const tasks = { A: program(sse.write(), fork('child')), child: program(sse.read()) };
    const cell = spec({ tasks, unborn: ['child'] }).when('fork', { task: 'A' });
    expect(cell.changes).toEqual({
      'A.believed': '1 -> 2a',
      'A.image': 'INIT -> sse=A:1',
      'A.memory_valid': '0 -> 1',
      'A.TIF_REFRESH_FPU': '0 -> 1',
      'child.image': 'INIT -> sse=A:1',
    });
    expect(cell.after['child.believed']).toBe('2b');
  });

  it('exec: the CPU state is invalid before memory is written, 1 -> 2b', () => {
    const run = spec({ tasks: { A: program(sse.write(), nap, sse.read(), syscall('execve')) } });
    run.until('A: sse.read');
    const cell = run.when('exec', { task: 'A' });
    expect(cell.changes).toEqual({
      'A.believed': '1 -> 2b',
      'A.image': 'sse=A:1 -> INIT',
      'A.memory_valid': '0 -> 1',
      'A.last_cpu': 'cpu0 -> none',
      'A.TIF_REFRESH_FPU': '0 -> 1',
    });
    const order = cell.moments.map((moment) => moment.replace('A: fpu__clear/', ''));
    expect(order.indexOf("no CPU holds the task's state any more")).toBeLessThan(order.indexOf('memory is INIT'));
  });

  it('exit: no CPU holds its state any more', () => {
    const cell = spec({ tasks: { A: program(sse.write()) } }).when('exit', { task: 'A' });
    expect(cell.changes).toEqual({ 'A.believed': '1 -> nothing', 'A.last_cpu': 'cpu0 -> none' });
  });
});
