/**
 * IA32_PASID of Linux 6.1, cell by cell of the table of kernel generations by hooks (generation F).
 *
 * Each `it` is a cell "hook, case": what it starts from, and everything that it changes.
 */
import { enqcmd, fork, program, sse, syscall } from '@fpulab/core';
import { given, type PolicySpec, type Situation } from '@fpulab/core/testing';
import { bareMetal } from '@fpulab/hypervisor';
import { loadFpuDeferral, pasid } from '../../src';
import { nap } from '../support';

const spec = (situation: Omit<Situation, 'policies' | 'platform'>): PolicySpec =>
  given({
    cpu: 'sapphire-rapids',
    xfeatures: 0b11 | (1 << 10), // x87, SSE, PASID
    ...situation,
    policies: [loadFpuDeferral({ era: 'linux-6.1' }), pasid()],
    platform: bareMetal(),
  });

const bind = syscall('sva_bind');

describe('pasid, linux-6.1: #GP', () => {
  it('of a bound process: the register gets its PASID, the image does not; interrupts are off all the while', () => {
    const run = spec({ tasks: { A: program(bind, enqcmd()) } });
    run.until('A: #GP');
    expect(run.observe()).toMatchObject({ masks: 'exception irqs-off', fpregs: 'INIT', 'A.TIF_NEED_FPU_LOAD': 0 });
    const cell = spec({ tasks: { A: program(bind, enqcmd()) } }).when('trap-gp', { task: 'A' });
    expect(cell.changes).toEqual({ fpregs: 'INIT -> pasid=PASID:1', 'A.pasid_activated': '0 -> 1' });
    expect(cell.moments.slice(0, 4).map((moment) => moment.replace(/^.*\//, ''))).toEqual([
      'pasid = current->mm->pasid',
      'wrmsrl(MSR_IA32_PASID)',
      'current->pasid_activated = 1',
      'return true',
    ]);
    run.until('A: enqcmd'); // the instruction starts again, and the task has its command sent
    run.finish();
    expect(run.architecturalViolations).toEqual([]);
  });

  it('of a process that is not bound: nothing changes, and the task gets SIGSEGV', () => {
    const run = spec({ tasks: { A: program(enqcmd()) } });
    const cell = run.when('trap-gp', { task: 'A' });
    expect(cell.changes).toEqual({});
    run.until('A: general_protection/force_sig(SIGSEGV)');
    run.until('A: do_exit/exit_thread');
  });

  it('SIGSEGV goes to a handler where there is one', () => {
    const run = spec({ tasks: { A: program(sse.write(), enqcmd()) }, handlers: { A: program(bind) } });
    run.until('A: sva_bind');
    run.until('A: #GP');
    run.until('A: wrmsrl(MSR_IA32_PASID)');
    run.until('A: enqcmd');
    run.finish();
    expect(run.architecturalViolations).toEqual([]);
  });

  it('a second one is not helped: the register was filled before, so something else is wrong', () => {
    const run = spec({ tasks: { A: program(bind, enqcmd(), syscall('execve'), bind, enqcmd()) } });
    const cell = run.when('trap-gp', { task: 'A', nth: 2 });
    expect(cell.before).toMatchObject({ fpregs: 'INIT', 'A.pasid_activated': 1 });
    expect(cell.changes).toEqual({});
    run.until('A: force_sig(SIGSEGV)');
    expect(run.architecturalViolations).toEqual(['stale-msr: A, pasid=INIT']);
  });
});

describe('pasid, linux-6.1: switch, exit to user', () => {
  const two = () =>
    spec({
      tasks: { A: program(bind, enqcmd(), nap, enqcmd()), B: program(sse.write(), bind, enqcmd(), nap) },
      pick: ['A', 'B', 'A'],
    });

  it('switch-out: XSAVES stores the PASID with everything else', () => {
    const cell = two().when('switch-out', { task: 'A' });
    expect(cell.changes).toEqual({ 'A.image': 'INIT -> pasid=PASID:1' });
  });

  it('exit to user of a task without: XRSTORS puts the register into INIT state', () => {
    const run = two();
    run.until('B: kernel_execve/exit_to_user');
    expect(run.observe()).toMatchObject({ fpregs: 'pasid=PASID:1' });
    run.until('B: restore_fpregs_from_fpstate');
    expect(run.observe()).toMatchObject({ fpregs: 'INIT' });
  });

  it('each process gets the lowest number that is free, and a task finds its own again without a trap', () => {
    const run = two();
    run.until('B: enqcmd');
    expect(run.observe()).toMatchObject({ fpregs: 'sse=B:1 pasid=PASID:2' });
    run.until('A: enqcmd');
    expect(run.observe()).toMatchObject({ fpregs: 'pasid=PASID:1' });
    expect(run.moments.filter((moment) => moment === 'A: #GP')).toHaveLength(1);
    run.finish();
    expect(run.architecturalViolations).toEqual([]);
  });
});

describe('pasid, linux-6.1: fork, exec', () => {
  it('the child has no PASID, in its image or by its flag; the parent keeps both', () => {
    const run = spec({
      tasks: { A: program(bind, sse.write(), enqcmd(), fork('C'), enqcmd()), C: program(sse.read()) },
      unborn: ['C'],
    });
    const cell = run.when('fork', { task: 'A' });
    expect(cell.before).toMatchObject({ fpregs: 'sse=A:1 pasid=PASID:1', 'A.pasid_activated': 1 });
    expect(cell.after).toMatchObject({ fpregs: 'sse=A:1 pasid=PASID:1', 'C.pasid_activated': 0 });
    run.until('C: sse.read');
    expect(run.observe()).toMatchObject({ fpregs: 'sse=A:1' });
    run.finish();
    expect(run.architecturalViolations).toEqual([]);
  });

  it('a thread that is there from the start begins with execve(), too, and its process keeps its PASID', () => {
    const run = spec({
      tasks: { A: program(bind, enqcmd()), T: program(enqcmd()) },
      threadsOf: { T: 'A' },
      pick: ['A', 'T'],
    });
    run.until('T: wrmsrl(MSR_IA32_PASID)');
    expect(run.observe()).toMatchObject({ fpregs: 'pasid=PASID:1' });
    run.until('T: enqcmd');
    run.finish();
    expect(run.architecturalViolations).toEqual([]);
  });

  it('execve(): the image is INIT and will be loaded; pasid_activated stays', () => {
    const run = spec({ tasks: { A: program(bind, enqcmd(), syscall('execve')) } });
    const cell = run.when('exec', { task: 'A', nth: 2 });
    expect(cell.changes).toEqual({ 'A.TIF_NEED_FPU_LOAD': '0 -> 1', 'A.last_cpu': 'cpu0 -> none' });
    expect(cell.after).toMatchObject({ 'A.pasid_activated': 1 });
    run.until('A: restore_fpregs_from_fpstate');
    expect(run.observe()).toMatchObject({ fpregs: 'INIT' });
  });
});
