/**
 * Dynamically enabled features of Linux 6.1, cell by cell of the table of kernel generations by hooks (generation F).
 *
 * Each `it` is a cell "hook, case": what it starts from, and everything that it changes.
 */
import { amx, fork, program, sse, syscall, type Operation } from '@fpulab/core';
import { given, type PolicySpec, type Situation } from '@fpulab/core/testing';
import { bareMetal } from '@fpulab/hypervisor';
import { dynamicXstate, loadFpuDeferral } from '../../src';
import { nap, noFpu } from '../support';

function spec(situation: Omit<Situation, 'policies' | 'platform'>): PolicySpec {
  const base = loadFpuDeferral({ era: 'linux-6.1' });
  return given({
    cpu: 'sapphire-rapids',
    xfeatures: 0b11 | (0b11 << 17), // x87, SSE, TILECFG, TILEDATA
    ...situation,
    policies: [base, dynamicXstate(base)],
    platform: bareMetal(),
  });
}

const ask = syscall('req_xcomp_perm');
const useTiles: readonly Operation[] = [ask, amx.configure(), amx.write()];
const TILEDATA = 1 << 18;

describe('dynamic-xstate, linux-6.1: CPU up, exec', () => {
  it('a CPU comes up with tiles disabled, in the MSR and in its copy', () => {
    const run = spec({ tasks: { A: noFpu } });
    expect(run.observe()).toMatchObject({ XFD: 'none', xfd_state: 0, 'A.larger-image': 'none' });
    run.until('idle0: xfd_state = init_fpstate.xfd');
    expect(run.observe()).toMatchObject({ XFD: 'tiledata', xfd_state: TILEDATA });
  });

  it('a new program has the default fpstate, tiles disabled, no permission', () => {
    const cell = spec({ tasks: { A: noFpu } }).when('exec', { task: 'A' });
    expect(cell.changes).toEqual({ 'A.fpstate->xfd': `0 -> ${TILEDATA}` });
    expect(cell.after).toMatchObject({ 'A.fpstate': 0, 'A.perm': 0, 'A.TIF_NEED_FPU_LOAD': 1 });
  });

  it('execve() of a task with tiles: the pointer goes back to the default fpstate, which is INIT; the larger one is not freed', () => {
    const cell = spec({ tasks: { A: program(...useTiles, syscall('execve'), amx.configure(), amx.write()) } }).when(
      'exec',
      { task: 'A', nth: 2 },
    );
    expect(cell.before).toMatchObject({ XFD: 'none', 'A.fpstate': 1, 'A.perm': 1, fpregs: /tilecfg=A:1 tiledata=A:2/ });
    expect(cell.changes).toEqual({
      'A.fpstate': '1 -> 0',
      'A.fpstate->xfd': `0 -> ${TILEDATA}`,
      'A.perm': '1 -> 0',
      'A.TIF_NEED_FPU_LOAD': '0 -> 1',
      'A.last_cpu': 'cpu0 -> none',
    });
  });
});

describe('dynamic-xstate, linux-6.1: ARCH_REQ_XCOMP_PERM and sigaltstack()', () => {
  it('the permission is given', () => {
    const run = spec({ tasks: { A: program(ask, syscall('sigaltstack')) } });
    run.until('A: sys_req_xcomp_perm/sysret');
    expect(run.observe()).toMatchObject({ 'A.perm': 1, 'A.fpstate': 0, XFD: 'tiledata' });
    run.until('A: return -ENOMEM');
    expect(run.observe()).toMatchObject({ 'A.perm': 1, 'A.small_altstack': 0 });
  });

  it('an alternate stack that is too small for tiles stands against it: ENOSPC', () => {
    const run = spec({ tasks: { A: program(syscall('sigaltstack'), ask) } });
    run.until('A: return -ENOSPC');
    expect(run.finish()).toMatchObject({ 'A.perm': 0, 'A.small_altstack': 1 });
  });
});

describe('dynamic-xstate, linux-6.1: #NM', () => {
  it('configuring tiles raises none, using them does: XFD_ERR says why', () => {
    const run = spec({ tasks: { A: program(...useTiles) } });
    run.until('A: amx.configure');
    expect(run.observe()).toMatchObject({ XFD_ERR: 'none', XFD: 'tiledata' });
    run.until('A: #NM');
    expect(run.observe()).toMatchObject({ XFD_ERR: 'tiledata', masks: 'exception irqs-off' });
  });

  it('TIF clear: a larger fpstate, XFD cleared in fpstate, MSR and copy; registers stay; XFD_ERR is 0 before interrupts are on', () => {
    const run = spec({ tasks: { A: program(...useTiles) } });
    const cell = run.when('trap-nm', { task: 'A' });
    expect(cell.before).toMatchObject({ fpregs: expect.stringContaining('tilecfg=A:1'), 'A.larger-image': 'none' });
    expect(cell.changes).toEqual({
      XFD: 'tiledata -> none',
      XFD_ERR: 'tiledata -> none',
      xfd_state: `${TILEDATA} -> 0`,
      'A.fpstate': '0 -> 1',
      'A.fpstate->xfd': `${TILEDATA} -> 0`,
      'A.larger-image': 'none -> INIT',
    });
    const steps = cell.moments.map((moment) => moment.replace(/^.*\//, ''));
    expect(steps.slice(0, 12)).toEqual([
      'read_cr0',
      'rdmsrl(MSR_IA32_XFD_ERR)',
      'wrmsrl(MSR_IA32_XFD_ERR, 0)',
      'local_irq_enable',
      'xstate_get_group_perm',
      'vzalloc',
      'fpregs_lock',
      'fpu->fpstate = newfps',
      'wrmsrl(MSR_IA32_XFD)',
      'xfd_state = xfd',
      'fpregs_unlock',
      'local_irq_disable',
    ]);
  });

  it('the allocation sleeps, B owns the registers: they are loaded from the old image before the pointer moves', () => {
    const run = spec({
      tasks: { A: program(sse.write(), ...useTiles, sse.read()), B: program(sse.write(), nap) },
      pick: ['A', 'B', 'A'],
      alloc: ['sleep'],
    });
    run.until('A: vzalloc');
    run.until('A: fpregs_lock', { nth: 1 });
    expect(run.observe()).toMatchObject({ fpregs: expect.stringContaining('sse=B:1'), 'A.TIF_NEED_FPU_LOAD': 1 });
    run.until('A: fpu->fpstate = newfps');
    expect(run.observe()).toMatchObject({
      fpregs: expect.stringContaining('sse=A:1 '),
      fpu_fpregs_owner_ctx: 'A',
      'A.TIF_NEED_FPU_LOAD': 0,
      'A.fpstate': 1,
      XFD: 'tiledata',
    });
    run.finish();
    expect(run.architecturalViolations).toEqual([]);
  });

  it('no permission: SIGILL, and the default fpstate stays', () => {
    const run = spec({ tasks: { A: program(amx.configure(), amx.write()) } });
    run.until('A: force_sig_fault(SIGILL)');
    run.until('A: do_exit/exit_thread');
    expect(run.observe()).toMatchObject({ 'A.fpstate': 0, 'A.larger-image': 'none', XFD: 'tiledata', XFD_ERR: 'none' });
  });

  it('no memory: SIGSEGV; a handler finds the state as it was', () => {
    const run = spec({
      tasks: { A: program(sse.write(), ...useTiles, amx.read()) },
      handlers: { A: program() },
      alloc: ['fail', 'ok'],
    });
    run.until('A: force_sig(SIGSEGV)');
    run.until('A: rt_sigreturn');
    run.until('A: amx.read');
    expect(run.observe()).toMatchObject({ fpregs: expect.stringContaining('tiledata=A:3'), 'A.fpstate': 1 });
    expect(run.architecturalViolations).toEqual([]);
  });

  it('tile instructions without a configuration are #UD, disabled or not', () => {
    const run = spec({ tasks: { A: program(ask, amx.write()) } });
    run.until('A: #UD');
    expect(run.observe()).toMatchObject({ XFD_ERR: 'none' });
  });
});

describe('dynamic-xstate, linux-6.1: switch, exit to user', () => {
  const two = () =>
    spec({
      tasks: { A: program(sse.write(), ...useTiles, nap, amx.read()), B: program(sse.write(), nap, sse.read()) },
      pick: ['A', 'B', 'A'],
    });

  it('switch-out: a task with tiles is saved to the larger image, with all its components', () => {
    const cell = two().when('switch-out', { task: 'A' });
    expect(cell.changes).toEqual({
      'A.larger-image': expect.stringMatching(/^INIT -> sse=A:1 .*tilecfg=A:2 tiledata=A:3$/),
    });
    expect(cell.after).toMatchObject({ 'A.image': 'INIT', XFD: 'none' });
  });

  it('exit to user of a task without: XFD first, then the registers, tiles among them', () => {
    const run = two();
    run.until('B: kernel_execve/exit_to_user');
    expect(run.observe()).toMatchObject({ XFD: 'none', fpregs: expect.stringContaining('tiledata=A:3') });
    run.until('B: wrmsrl(MSR_IA32_XFD)');
    expect(run.observe()).toMatchObject({ XFD: 'tiledata', xfd_state: 0 });
    run.until('B: restore_fpregs_from_fpstate');
    expect(run.observe()).toMatchObject({ XFD: 'tiledata', xfd_state: TILEDATA });
    expect(run.observe().fpregs).not.toContain('tile');
  });
});

describe('dynamic-xstate, linux-6.1: fork', () => {
  const forked = () =>
    spec({
      tasks: { A: program(sse.write(), ...useTiles, fork('C'), amx.read()), C: program(amx.read()) },
      unborn: ['C'],
    });

  it('child: default fpstate with default features, tiles disabled, permission and configuration inherited', () => {
    const cell = forked().when('fork', { task: 'A' });
    expect(cell.before).toMatchObject({ 'A.fpstate': 1, 'A.perm': 1, 'C.perm': 0 });
    expect(cell.changes).toEqual({
      'C.fpstate->xfd': `0 -> ${TILEDATA}`,
      'C.perm': '0 -> 1',
      'C.image': expect.stringMatching(/^INIT -> sse=A:1 .*tilecfg=A:2$/),
    });
    expect(cell.after).toMatchObject({ 'C.TIF_NEED_FPU_LOAD': 1, 'C.last_cpu': 'none', 'C.larger-image': 'none' });
  });

  it('the child traps at its first tile instruction and finds INIT; the parent keeps its tiles', () => {
    const run = forked();
    run.until('C: #NM');
    run.until('C: amx.read');
    run.finish();
    expect(run.architecturalViolations).toEqual([]);
  });
});

describe('dynamic-xstate, linux-6.1: exit', () => {
  it('the larger fpstate lives until the last switch has saved to it', () => {
    const run = spec({ tasks: { A: program(...useTiles) } });
    run.until('A: do_exit/schedule, never to return');
    expect(run.observe()).not.toMatchObject({ 'A.larger-image': 'none' });
    run.until('A: fpstate_free');
    expect(run.observe()).toMatchObject({ 'A.larger-image': 'none' });
  });

  it('a task that never had one: nothing to free', () => {
    const run = spec({ tasks: { A: program(ask) } });
    run.finish();
    expect(run.moments.some((moment) => moment.endsWith('fpstate_free'))).toBe(false);
  });
});

describe('dynamic-xstate, linux-6.1: signals', () => {
  it('delivery: tiles are in the frame of a task that has some, and INIT in its handler', () => {
    const run = spec({ tasks: { A: program(...useTiles, syscall('raise'), amx.read()) }, handlers: { A: program() } });
    run.until('A: xsave_to_user_sigframe');
    const { state } = run.machine;
    expect(state.words[state.at.xstateBv + state.at.firstFpstate.sigframe]).toBe(0b11 << 17);
    run.until('A: sysret');
    expect(run.observe().fpregs).not.toContain('tile');
    expect(run.observe()).toMatchObject({ XFD: 'none', 'A.fpstate': 1 });
    run.until('A: amx.read');
    expect(run.observe()).toMatchObject({ fpregs: expect.stringContaining('tiledata=A:2') });
    expect(run.architecturalViolations).toEqual([]);
  });

  it('delivery to a task without tiles, after one with tiles ran: XFD before the registers are declared', () => {
    const run = spec({
      tasks: { A: program(...useTiles, nap, amx.read()), B: program(syscall('raise')) },
      handlers: { B: program() },
      pick: ['B', 'A', 'B'],
      interference: { preempt: 'full' },
    });
    run.until('B: get_sigframe');
    run.inject('preempt');
    run.until('A: amx.write');
    run.until('B: fpregs_lock');
    run.until('B: fpregs_lock to clear');
    expect(run.observe()).toMatchObject({ 'B.TIF_NEED_FPU_LOAD': 0, XFD: 'tiledata' });
  });

  it('sigreturn: XFD first, then the frame, without what the fpstate has no room for', () => {
    const run = spec({ tasks: { B: program(syscall('raise')) }, handlers: { B: program() } });
    const seen: string[] = [];
    run.machine.events$.subscribe(({ type, data }) => {
      if (type === 'fpregs.restored') seen.push(`${data.fpstate}: ${(data.xfeatures & TILEDATA) !== 0}`);
    });
    run.until('B: rt_sigreturn');
    seen.length = 0;
    run.until('B: xrstor_from_user_sigframe');
    expect(seen).toEqual([`${run.machine.state.at.firstFpstate.sigframe}: false`]);
  });
});

describe('dynamic-xstate, linux-6.1: idle, kernel FPU', () => {
  it('tiles in use: TILERELEASE, and the registers are nobody’s', () => {
    const run = spec({ tasks: { A: program(...useTiles, nap, amx.read()) }, pick: ['A', 'idle0'] });
    run.until('A: amx.write');
    const cell = run.when('idle', { task: 'idle0' });
    expect(cell.before).toMatchObject({ fpu_fpregs_owner_ctx: 'A', fpregs: expect.stringContaining('tiledata=A:2') });
    expect(cell.changes).toMatchObject({
      fpu_fpregs_owner_ctx: 'A -> nobody',
      fpregs: expect.not.stringMatching(/-> .*tile/),
    });
  });

  it('no tiles in use: nothing', () => {
    const run = spec({ tasks: { A: program(sse.write(), nap, sse.read()) } });
    run.until('A: sse.write');
    expect(run.when('idle', { task: 'idle0' }).changes).toEqual({});
  });

  it('kernel_fpu_begin: tiles are saved to the larger image', () => {
    const run = spec({ tasks: { A: program(...useTiles, syscall('kernel_fpu'), amx.read()) } });
    const cell = run.when('kernel-fpu-begin', { task: 'A' });
    expect(cell.changes).toMatchObject({
      'A.TIF_NEED_FPU_LOAD': '0 -> 1',
      'A.larger-image': expect.stringContaining('tiledata=A:2'),
      fpu_fpregs_owner_ctx: 'A -> nobody',
    });
    run.finish();
    expect(run.architecturalViolations).toEqual([]);
  });
});
