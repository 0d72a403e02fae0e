/**
 * Linux 3.6 on Xen PV: what clts() and stts() do within a context switch is queued and takes effect at
 * arch_end_context_switch(); elsewhere it is a hypercall of its own.
 */
import { CR0_TS, loop, program, sse, syscall } from '@fpulab/core';
import { given, type Observation } from '@fpulab/core/testing';
import { lazyCr0Ts } from '@fpulab/policies';
import { xenPv } from '../../src';
import { deschedule, hypervisorSteps, pvState } from '../guest';

const QUEUED = { nothing: 0, clear: 1, set: 2 };
const nap = syscall('nanosleep');
const slices = (count: number) => program(loop(count, sse.update(), nap));
const spec = (tasks: Parameters<typeof given>[0]['tasks']) =>
  given({ platform: xenPv(), policies: [lazyCr0Ts({ era: 'linux-3.6' })], tasks, interference: { vcpu: true } });
const cacheTs = (seen: Observation): number => (Number(seen.xen_cr0_value) & CR0_TS ? 1 : 0);

describe('xen-pv, linux-3.6: stts() at switch-out', () => {
  it('is queued: the cache has TS at once, vTS and rTS only after the flush', () => {
    const run = spec({ A: slices(1), B: slices(1) });
    run.until('A: sse.update');
    expect(run.until('A: enter lazy CPU mode')).toMatchObject({
      lazy_cpu_mode: 1,
      queued_fpu_taskswitch: QUEUED.nothing,
    });
    const cell = run.when('switch-out', { task: 'A' });
    expect(cell.before).toMatchObject({ TS: 0, guest_ts: 0 });
    expect(cell.changes).toMatchObject({ queued_fpu_taskswitch: '0 -> 2', 'A.image': 'INIT -> sse=A:1' });
    expect(cell.after).toMatchObject({ TS: 0, guest_ts: 0 });
    expect(cacheTs(cell.after)).toBe(1);
    const flushed = run.until('A: xen_mc_flush');
    expect(flushed).toMatchObject({ TS: 1, guest_ts: 1, lazy_cpu_mode: 0, queued_fpu_taskswitch: QUEUED.nothing });
    expect(flushed.current).toBe('A');
  });
});

describe('xen-pv, linux-3.6: clts() for a preload', () => {
  it('is queued: the restore comes after the flush and finds TS clear', () => {
    const run = spec({ X: slices(7), B: program(loop(8, nap)) });
    run.until('X: sse.update', { nth: 6 });
    const cell = run.when('switch-out', { task: 'B' });
    expect(cell.before).toMatchObject({ TS: 1, guest_ts: 1 });
    expect(cell.after).toMatchObject({ TS: 1, guest_ts: 1, queued_fpu_taskswitch: QUEUED.clear, 'X.has_fpu': 1 });
    expect(run.until('B: xen_mc_flush')).toMatchObject({ TS: 0, guest_ts: 0, queued_fpu_taskswitch: QUEUED.nothing });
    run.until('X: sse.update');
    expect(run.architecturalViolations).toEqual([]);
  });

  it('without loaded registers rTS stays 1 after the flush, and the restore traps silently to Xen', () => {
    const pick = [...Array.from({ length: 12 }, (_, turn) => (turn % 2 === 0 ? 'X' : 'B')), 'A', 'B', 'X'];
    const run = given({
      platform: xenPv(),
      policies: [lazyCr0Ts({ era: 'linux-3.6' })],
      tasks: { X: slices(7), A: slices(1), B: program(loop(9, nap)) },
      interference: { vcpu: true },
      pick,
    });
    run.until('A: sse.update');
    run.until('B: finish_task_switch');
    deschedule(run);
    expect(run.until('B: xen_mc_flush')).toMatchObject({ preload: 1, TS: 1, guest_ts: 0, fpu_dirtied: 0 });
    const from = run.moments.length;
    expect(run.until('X: restore_fpu_checking')).toMatchObject({ TS: 0, fpregs: 'sse=X:6' });
    const silent = ['clts', 'load vCPU image', 'fpu_dirtied = 1', 'return to guest'];
    expect(hypervisorSteps(run, from)).toEqual(silent);
    expect(run.architecturalViolations).toEqual([]);
  });
});

describe('xen-pv, linux-3.6: nothing to change at a switch', () => {
  it('queues nothing and calls nothing', () => {
    const run = spec({ A: program(nap, nap), B: program(nap, nap) });
    run.when('switch-out', { task: 'A' });
    const before = run.observe();
    expect(before.queued_fpu_taskswitch).toBe(QUEUED.nothing);
    expect(pvState(run.until('A: xen_mc_flush'))).toBe(pvState(before));
  });
});

describe('xen-pv, linux-3.6: clts() and stts() outside of a switch', () => {
  it('take effect at once: kernel_fpu_begin() and kernel_fpu_end()', () => {
    const run = spec({ A: program(sse.write(), nap, syscall('kernel_fpu')), B: program(nap, nap) });
    const begin = run.when('kernel-fpu-begin', { task: 'A' });
    expect(begin.changes).toMatchObject({ TS: '1 -> 0', guest_ts: '1 -> 0' });
    const end = run.when('kernel-fpu-end', { task: 'A' });
    expect(end.changes).toMatchObject({ TS: '0 -> 1', guest_ts: '0 -> 1' });
  });

  it('#NM: the clts() of the handler is a hypercall that changes nothing', () => {
    const run = spec({ A: program(sse.write()) });
    expect(run.until('A: set PF_USED_MATH')).toMatchObject({ TS: 0, guest_ts: 0 });
    const before = run.until('A: local_irq_disable');
    expect(run.until('A: clts')).toEqual(before);
  });
});

describe('xen-pv: the stale CR0 cache', () => {
  const interrupted = (era: 'linux-3.6' | 'linux-4.2') => {
    const run = given({
      platform: xenPv(),
      policies: [lazyCr0Ts({ era })],
      tasks: { A: program(syscall('kernel_fpu')) },
      interference: { hardirq: true },
    });
    const inside = run.until('A: compute');
    run.inject('hardirq');
    return { run, inside };
  };

  it('linux-3.6: an interrupt in a kernel FPU section takes the FPU too, and the section continues with TS set', () => {
    const { run, inside } = interrupted('linux-3.6');
    expect(inside).toMatchObject({ TS: 0, guest_ts: 0, 'A.has_fpu': 0 });
    expect(cacheTs(inside)).toBe(1);
    run.until('A: iret');
    expect(run.observe()).toMatchObject({ TS: 1, guest_ts: 1 });
    run.finish();
    expect(run.violations).toContain('kernel-fpu-clobber: A, sse=INIT');
    expect(run.violations).toContain('unexpected-fault: A');
  });

  it('linux-4.2: in_kernel_fpu answers before CR0 is asked', () => {
    const { run, inside } = interrupted('linux-4.2');
    expect(inside).toMatchObject({ TS: 0, in_kernel_fpu: 1 });
    expect(cacheTs(inside)).toBe(1);
    run.finish();
    expect(run.architecturalViolations).toEqual([]);
  });

  it('linux-4.8, eagerfpu=off: an interrupt within user_fpu_begin() of execve() leaves TS set for an active task', () => {
    const run = given({
      platform: xenPv(),
      policies: [lazyCr0Ts({ era: 'linux-4.8' })],
      tasks: { A: program(syscall('execve')) },
      interference: { hardirq: true },
    });
    run.until('A: clts');
    run.inject('hardirq');
    run.until('A: do_IRQ/iret');
    expect(run.until('A: fpregs_active = 1, owner = current')).toMatchObject({
      TS: 1,
      guest_ts: 1,
      'A.fpregs_active': 1,
    });
  });
});
