/**
 * Linux 3.6, cell by cell of the table of kernel generations by hooks (generation A2).
 *
 * Each `it` is a cell "hook, case". `before` states what the cell starts from, `changes` everything that it changes:
 * what `changes` does not name (registers, images, TS, owner, flags) stayed as it was.
 */
import { fork, loop, program, sse, syscall, x87 } from '@fpulab/core';
import { lazyCr0Ts } from '../../src';
import { alternate, countRestores, irqFpuUsableNow, nap, noFpu, onBareMetal, slice, slices } from '../support';

const linux36 = () => lazyCr0Ts({ era: 'linux-3.6' });
const spec = (situation: Parameters<typeof onBareMetal>[1]) => onBareMetal(linux36(), situation);

/** X has used six slices in turn with B, which never uses the FPU: X is preloaded from now on, and still the owner. */
const preloaded = (after: Parameters<typeof spec>[0]['tasks'] = {}, pick: readonly string[] = []) =>
  spec({ tasks: { X: program(slices(8)), B: noFpu, ...after }, pick: [...alternate('X', 'B', 6), ...pick] });

describe('lazy-cr0-ts, linux-3.6: boot', () => {
  it('starts with TS set, nobody as owner, no image, INIT registers', () => {
    expect(spec({ tasks: { A: noFpu } }).observe()).toMatchObject({
      TS: 1,
      fpregs: 'INIT',
      fpu_owner_task: 'nobody',
      'A.image': 'none',
      'A.has_fpu': 0,
      'A.PF_USED_MATH': 0,
      'A.last_cpu': 'none',
      'A.fpu_counter': 0,
    });
  });
});

describe('lazy-cr0-ts, linux-3.6: switch-out', () => {
  it('has_fpu, no preload: saves, last_cpu = cpu, has_fpu = 0, stts; registers and owner are left', () => {
    const cell = spec({ tasks: { A: program(...slice), B: noFpu } }).when('switch-out', { task: 'A' });
    expect(cell.before).toMatchObject({ TS: 0, fpregs: 'sse=A:1', fpu_owner_task: 'A', 'A.fpu_counter': 1 });
    expect(cell.changes).toEqual({
      TS: '0 -> 1',
      'A.image': 'INIT -> sse=A:1',
      'A.has_fpu': '1 -> 0',
      'A.last_cpu': 'none -> cpu0',
    });
  });

  it('no has_fpu, no preload: fpu_counter = 0, last_cpu = ~0; TS is not touched, registers and owner are left', () => {
    const cell = spec({ tasks: { A: program(...slice, nap), B: noFpu } }).when('switch-out', { task: 'A', nth: 2 });
    expect(cell.before).toMatchObject({ TS: 1, fpregs: 'sse=A:1', fpu_owner_task: 'A', 'A.has_fpu': 0 });
    expect(cell.changes).toEqual({ 'A.fpu_counter': '1 -> 0', 'A.last_cpu': 'cpu0 -> none' });
    expect(cell.after).toMatchObject({ TS: 1, fpu_owner_task: 'A' });
  });

  it('has_fpu, preload: saves, new task: fpu_counter++, has_fpu = 1, owner; TS stays 0', () => {
    const run = spec({ tasks: { A: program(slices(7)), B: program(slices(7)) }, pick: alternate('A', 'B', 7) });
    const cell = run.when('switch-out', { task: 'B', nth: 6 });
    expect(cell.before).toMatchObject({ TS: 0, fpu_owner_task: 'B', 'A.fpu_counter': 6, 'A.has_fpu': 0 });
    expect(cell.changes).toEqual({
      preload: '0 -> 1',
      'B.image': 'sse=B:5 -> sse=B:6',
      'B.has_fpu': '1 -> 0',
      'A.fpu_counter': '6 -> 7',
      'A.has_fpu': '0 -> 1',
      fpu_owner_task: 'B -> A',
    });
    expect(cell.after).toMatchObject({ TS: 0, fpregs: 'sse=B:6', 'B.last_cpu': 'cpu0' });
  });

  it('no has_fpu, preload, somebody else is owner: counts, clts, new task: has_fpu = 1, owner; restore is to come', () => {
    const run = preloaded({ A: program(...slice) }, ['A', 'B', 'X']);
    run.until('A: sse.update');
    const cell = run.when('switch-out', { task: 'B' });
    expect(cell.before).toMatchObject({ TS: 1, fpregs: 'sse=A:1', fpu_owner_task: 'A', 'X.fpu_counter': 6 });
    expect(cell.changes).toEqual({
      preload: '0 -> 1',
      'X.fpu_counter': '6 -> 7',
      TS: '1 -> 0',
      'X.has_fpu': '0 -> 1',
      fpu_owner_task: 'A -> X',
    });
  });

  it('no has_fpu, preload, owner == new and last_cpu == cpu: the same, but the restore is dropped', () => {
    const run = preloaded();
    const restores = countRestores(run);
    run.until('X: sse.update', { nth: 6 });
    restores.done = 0;
    const cell = run.when('switch-out', { task: 'B' });
    expect(cell.before).toMatchObject({ TS: 1, fpregs: 'sse=X:6', fpu_owner_task: 'X', 'X.last_cpu': 'cpu0' });
    expect(cell.changes).toEqual({ 'X.fpu_counter': '6 -> 7', TS: '1 -> 0', 'X.has_fpu': '0 -> 1' });
    run.until('X: sse.update');
    expect(restores).toEqual({ skipped: 1, done: 0 });
    expect(run.violations).not.toContain('lost-update: X, sse=X:6');
  });

  it('no has_fpu, preload, owner == new but last_cpu is another CPU: the restore is done', () => {
    const run = spec({
      tasks: { X: program(slices(8)), B: noFpu },
      pick: ['X'],
      interference: { migration: true },
      cpus: 2,
    });
    run.until('X: sse.update', { nth: 6 });
    run.until('B: finish_task_switch');
    // CPU 1 takes X for one slice while B runs on CPU 0, whose registers still hold what X had before.
    run.onCpu(1).until('X: sse.update');
    run.until('idle1: finish_task_switch');
    const cell = run.onCpu(0).when('switch-out', { task: 'B' });
    expect(cell.before).toMatchObject({
      'cpu0.fpregs': 'sse=X:6',
      'cpu0.fpu_owner_task': 'X',
      'X.last_cpu': 'cpu1',
      'X.image': 'sse=X:7',
    });
    expect(cell.changes).toEqual({
      'cpu0.preload': '0 -> 1',
      'cpu0.TS': '1 -> 0',
      'X.fpu_counter': '7 -> 8',
      'X.has_fpu': '0 -> 1',
    });
    expect(run.when('switch-in', { task: 'X' }).changes).toEqual({
      'cpu0.preload': '1 -> 0',
      'cpu0.fpregs': 'sse=X:6 -> sse=X:7',
    });
  });

  it('FNSAVE hosts: the registers are gone, so last_cpu = ~0', () => {
    const run = spec({ tasks: { A: program(x87.write(), nap), B: noFpu }, cpu: 'pentium-mmx' });
    const cell = run.when('switch-out', { task: 'A' });
    expect(cell.changes).toEqual({
      TS: '0 -> 1',
      fpregs: 'x87=A:1 -> INIT',
      'A.image': 'INIT -> x87=A:1',
      'A.has_fpu': '1 -> 0',
    });
    expect(cell.after['A.last_cpu']).toBe('none');
  });
});

describe('lazy-cr0-ts, linux-3.6: switch-in', () => {
  it('no preload: nothing; the first FPU instruction will trap', () => {
    const run = spec({ tasks: { A: program(...slice), B: program(...slice) } });
    run.until('A: sse.update');
    const cell = run.when('switch-in', { task: 'B' });
    expect(cell.before).toMatchObject({ TS: 1, fpregs: 'sse=A:1' });
    expect(cell.changes).toEqual({});
  });

  it('preload: restores', () => {
    const run = spec({ tasks: { A: program(slices(7)), B: program(slices(7)) }, pick: alternate('A', 'B', 7) });
    run.until('B: sse.update', { nth: 6 });
    const cell = run.when('switch-in', { task: 'A' });
    expect(cell.before).toMatchObject({ TS: 0, 'A.has_fpu': 1, fpu_owner_task: 'A', 'A.image': 'sse=A:6' });
    expect(cell.changes).toEqual({ preload: '1 -> 0', fpregs: 'sse=B:6 -> sse=A:6' });
  });
});

describe('lazy-cr0-ts, linux-3.6: fpu_counter', () => {
  it('preloads after six used slices, not after five', () => {
    const run = spec({ tasks: { A: program(slices(7)), B: program(slices(7)) }, pick: alternate('A', 'B', 7) });
    const fifth = run.when('switch-out', { task: 'B', nth: 5 });
    expect(fifth.before['A.fpu_counter']).toBe(5);
    expect(fifth.after).toMatchObject({ preload: 0, TS: 1 });
    const sixth = run.when('switch-out', { task: 'B' });
    expect(sixth.before['A.fpu_counter']).toBe(6);
    expect(sixth.after).toMatchObject({ preload: 1, TS: 0 });
  });

  it('starts again when a slice does not use the FPU', () => {
    const run = spec({ tasks: { X: program(slices(3), nap, slices(3), nap), B: noFpu } });
    expect(run.when('switch-out', { task: 'X', nth: 4 }).changes).toMatchObject({ 'X.fpu_counter': '3 -> 0' });
    run.until('X: sse.update', { nth: 3 });
    expect(run.observe()['X.fpu_counter']).toBe(3);
  });

  it('is 8 bits wide: the 256th load makes it 0, and preloading pauses', () => {
    const run = spec({ tasks: { X: program(slices(258)), B: noFpu } });
    run.until('X: sse.update', { nth: 255 });
    expect(run.observe()['X.fpu_counter']).toBe(255);
    expect(run.when('switch-out', { task: 'B' }).changes).toMatchObject({ 'X.fpu_counter': '255 -> 0', TS: '1 -> 0' });
    run.until('X: sse.update');
    expect(run.when('switch-out', { task: 'B' }).changes).toEqual({});
    expect(run.when('trap-nm', { task: 'X' }).changes).toMatchObject({ 'X.fpu_counter': '0 -> 1' });
  });
});

describe('lazy-cr0-ts, linux-3.6: #NM', () => {
  it('first use: IRQs on, allocates, finit, PF_USED_MATH, IRQs off, clts, has_fpu = 1, owner, loads, counts', () => {
    const cell = spec({ tasks: { A: program(sse.write()) } }).when('trap-nm', { task: 'A' });
    expect(cell.before).toMatchObject({ TS: 1, 'A.PF_USED_MATH': 0, masks: 'exception irqs-off' });
    expect(cell.changes).toEqual({
      TS: '1 -> 0',
      'A.image': 'none -> INIT',
      'A.PF_USED_MATH': '0 -> 1',
      'A.has_fpu': '0 -> 1',
      'A.fpu_counter': '0 -> 1',
      fpu_owner_task: 'nobody -> A',
    });
    expect(cell.moments.map((moment) => moment.replace('A: math_state_restore/', ''))).toEqual([
      'local_irq_enable',
      'init_fpu/fpu_alloc/kmem_cache_alloc',
      'init_fpu/fpu_alloc/fpu->state = new memory',
      'init_fpu/fpu_finit',
      'init_fpu/set PF_USED_MATH',
      'local_irq_disable',
      '__thread_fpu_begin/clts',
      '__thread_fpu_begin/has_fpu = 1, owner = current',
      'restore_fpu_checking',
      'fpu_counter++',
    ]);
  });

  it("first use loads INIT over the previous owner's registers", () => {
    const run = spec({ tasks: { A: program(...slice), B: program(sse.write()) } });
    run.until('A: sse.update');
    expect(run.when('trap-nm', { task: 'B' }).changes).toMatchObject({
      fpregs: 'sse=A:1 -> INIT',
      fpu_owner_task: 'A -> B',
    });
  });

  it('later use: clts, has_fpu = 1, owner, loads, counts; no allocation, IRQs stay off', () => {
    const run = spec({ tasks: { A: program(slices(2)), B: program(...slice) }, pick: ['A', 'B', 'A'] });
    run.until('B: sse.update');
    const cell = run.when('trap-nm', { task: 'A' });
    expect(cell.before).toMatchObject({ TS: 1, fpregs: 'sse=B:1', 'A.PF_USED_MATH': 1, fpu_owner_task: 'B' });
    expect(cell.changes).toEqual({
      TS: '1 -> 0',
      fpregs: 'sse=B:1 -> sse=A:1',
      'A.has_fpu': '0 -> 1',
      'A.fpu_counter': '1 -> 2',
      fpu_owner_task: 'B -> A',
    });
    expect(cell.moments.join()).not.toMatch(/irq|alloc/);
  });

  it('the allocation sleeps: IRQs on, TS still set, nothing changed; others run and trap; then it goes on', () => {
    const run = spec({
      tasks: { A: program(sse.write(), nap), B: program(sse.write(), nap) },
      alloc: ['sleep', 'ok'],
      pick: ['A', 'B', 'A'],
    });
    const asked = run.untilAsked('trap-nm', { task: 'A' });
    const asleep = run.until('A: kmem_cache_alloc');
    expect(asleep).toEqual({ ...asked, masks: 'exception' });
    expect(run.when('switch-out', { task: 'A' }).changes).toEqual({});
    expect(run.when('trap-nm', { task: 'B' }).changes).toMatchObject({ TS: '1 -> 0', 'B.has_fpu': '0 -> 1' });
    expect(run.until('A: fpu_counter++')).toMatchObject({ TS: 0, fpregs: 'INIT', fpu_owner_task: 'A', 'A.has_fpu': 1 });
    run.finish();
    expect(run.architecturalViolations).toEqual([]);
  });

  it('the allocation fails: the task is killed, before it got any state; TS and owner are left', () => {
    const run = spec({ tasks: { A: program(...slice), B: program(sse.write(), nap) }, alloc: ['ok', 'fail'] });
    const asked = run.untilAsked('trap-nm', { task: 'B' });
    const dead = run.until('B: schedule, never to return');
    expect(run.moments).toContain('B: math_state_restore/do_group_exit(SIGKILL)');
    expect(run.moments).not.toContain('B: sse.write');
    expect({ ...dead, masks: 0 }).toEqual({ ...asked, masks: 0 });
    run.finish();
  });
});

describe('lazy-cr0-ts, linux-3.6: kernel_fpu_begin, kernel_fpu_end', () => {
  it('begin with has_fpu: saves, has_fpu = 0, owner = NULL; TS is 0 already; last_cpu and fpu_counter are left', () => {
    const run = spec({ tasks: { A: program(sse.write(), syscall('kernel_fpu')) } });
    const cell = run.when('kernel-fpu-begin', { task: 'A' });
    expect(cell.before).toMatchObject({ TS: 0, fpu_owner_task: 'A' });
    expect(cell.changes).toEqual({
      masks: 'syscall -> syscall preempt-off',
      'A.image': 'INIT -> sse=A:1',
      'A.has_fpu': '1 -> 0',
      fpu_owner_task: 'A -> nobody',
    });
  });

  it('begin without has_fpu: owner = NULL, clts; nothing is saved', () => {
    const run = spec({ tasks: { A: program(...slice), B: program(syscall('kernel_fpu')) } });
    const cell = run.when('kernel-fpu-begin', { task: 'B' });
    expect(cell.before).toMatchObject({ TS: 1, fpu_owner_task: 'A', fpregs: 'sse=A:1' });
    expect(cell.changes).toEqual({
      masks: 'syscall -> syscall preempt-off',
      TS: '1 -> 0',
      fpu_owner_task: 'A -> nobody',
    });
  });

  it.each([
    ['with has_fpu before', [sse.write()]],
    ['without has_fpu before', []],
  ])('end, %s: stts, preempt_enable; garbage stays in the registers, nothing is restored', (_, before) => {
    const run = spec({ tasks: { A: program(...before, syscall('kernel_fpu'), sse.read()) } });
    const cell = run.when('kernel-fpu-end', { task: 'A' });
    expect(cell.before).toMatchObject({ TS: 0, fpregs: 'sse=kernel:1', 'A.has_fpu': 0, fpu_owner_task: 'nobody' });
    expect(cell.changes).toEqual({ TS: '0 -> 1', masks: 'syscall preempt-off -> syscall' });
    expect(run.when('trap-nm', { task: 'A' }).after.fpregs).toBe(before.length > 0 ? 'sse=A:1' : 'INIT');
  });
});

describe('lazy-cr0-ts, linux-3.6: irq_fpu_usable', () => {
  const interference = { hardirq: true, softirq: true };
  const A = program(sse.write(), syscall('getpid'), nap, syscall('getpid'), syscall('kernel_fpu'));

  it.each(['hardirq', 'softirq'] as const)('yes: a %s interrupted user mode, even with has_fpu', (kind) => {
    const run = spec({ tasks: { A, B: noFpu }, interference });
    expect(run.until('A: sse.write')).toMatchObject({ 'A.has_fpu': 1, masks: 'user' });
    expect(irqFpuUsableNow(run, kind)).toBe(true);
  });

  it('no: it interrupted the kernel of a task with has_fpu', () => {
    const run = spec({ tasks: { A, B: noFpu }, interference });
    expect(run.until('A: getpid')).toMatchObject({ 'A.has_fpu': 1, TS: 0, masks: 'syscall' });
    expect(irqFpuUsableNow(run)).toBe(false);
  });

  it('yes: it interrupted the kernel of a task without has_fpu, TS is set', () => {
    const run = spec({ tasks: { A, B: noFpu }, interference });
    expect(run.until('A: getpid', { nth: 2 })).toMatchObject({ 'A.has_fpu': 0, TS: 1, masks: 'syscall' });
    expect(irqFpuUsableNow(run)).toBe(true);
  });

  it('no: it interrupted a kernel FPU section, where has_fpu and TS are both 0', () => {
    const run = spec({ tasks: { A, B: noFpu }, interference });
    expect(run.until('A: compute')).toMatchObject({ 'A.has_fpu': 0, TS: 0, masks: 'syscall preempt-off' });
    expect(irqFpuUsableNow(run)).toBe(false);
  });

  it('no: a hardirq interrupted a softirq that has the FPU, although that interrupted user mode', () => {
    const run = spec({ tasks: { A, B: noFpu }, interference });
    run.until('A: sse.write');
    expect(irqFpuUsableNow(run, 'softirq')).toBe(true);
    expect(run.until('A: compute')).toMatchObject({ masks: 'softirq preempt-off' });
    expect(irqFpuUsableNow(run)).toBe(false);
  });
});

describe('lazy-cr0-ts, linux-3.6: fork', () => {
  const unborn = ['child'];
  const child = program(sse.read());

  it('parent with registers: unlazy: saves, has_fpu = 0, owner = NULL, stts; child: used_math, image, last_cpu = 0', () => {
    const run = spec({ tasks: { A: program(sse.write(), fork('child')), child }, unborn });
    const cell = run.when('fork', { task: 'A' });
    expect(cell.before).toMatchObject({ TS: 0, fpu_owner_task: 'A' });
    expect(cell.changes).toEqual({
      TS: '0 -> 1',
      'A.image': 'INIT -> sse=A:1',
      'A.has_fpu': '1 -> 0',
      fpu_owner_task: 'A -> nobody',
      'child.PF_USED_MATH': '0 -> 1',
      'child.image': 'none -> sse=A:1',
      'child.last_cpu': 'none -> cpu0',
    });
    expect(cell.after).toMatchObject({ 'child.has_fpu': 0, 'child.fpu_counter': 0, fpregs: 'sse=A:1' });
  });

  it('parent without registers: only its fpu_counter = 0; TS and owner are left; child: copy of the image', () => {
    const run = spec({ tasks: { A: program(...slice, fork('child')), B: program(...slice), child }, unborn });
    run.until('B: sse.update');
    const cell = run.when('fork', { task: 'A' });
    expect(cell.before).toMatchObject({ TS: 1, fpregs: 'sse=B:1', fpu_owner_task: 'B', 'A.last_cpu': 'cpu0' });
    expect(cell.changes).toEqual({
      'A.fpu_counter': '1 -> 0',
      'child.PF_USED_MATH': '0 -> 1',
      'child.image': 'none -> sse=A:1',
      'child.last_cpu': 'none -> cpu0',
    });
  });

  it('parent that never used the FPU: no image for the child, which takes over last_cpu', () => {
    const run = spec({ tasks: { A: program(fork('child')), child }, unborn });
    expect(run.when('fork', { task: 'A' }).changes).toEqual({});
  });

  it("child: reads its parent's values with its first #NM, which allocates nothing", () => {
    const run = spec({ tasks: { A: program(sse.write(), fork('child'), nap), child }, unborn });
    const cell = run.when('trap-nm', { task: 'child' });
    expect(cell.after).toMatchObject({ fpregs: 'sse=A:1', fpu_owner_task: 'child', 'child.fpu_counter': 1 });
    expect(cell.moments.join()).not.toContain('alloc');
    run.finish();
    expect(run.violations.filter((violation) => violation.startsWith('lost'))).toEqual([]);
  });
});

describe.each([
  ['exec', 'execve'],
  ['exit', 'exit'],
] as const)('lazy-cr0-ts, linux-3.6: %s', (hook, name) => {
  it('with registers: fpu_counter = 0, has_fpu = 0, owner = NULL, stts, used_math = 0, image freed; registers left', () => {
    const run = spec({ tasks: { A: program(sse.write(), syscall(name)), B: noFpu } });
    run.until('A: sse.write');
    const cell = run.when(hook, { task: 'A' });
    expect(cell.before).toMatchObject({ TS: 0, fpregs: 'sse=A:1' });
    expect(cell.changes).toEqual({
      TS: '0 -> 1',
      'A.fpu_counter': '1 -> 0',
      'A.has_fpu': '1 -> 0',
      'A.PF_USED_MATH': '1 -> 0',
      'A.image': 'INIT -> none',
      fpu_owner_task: 'A -> nobody',
    });
  });

  it('without registers: TS and owner are left', () => {
    const run = spec({ tasks: { A: program(...slice, syscall(name)), B: noFpu } });
    run.until('B: nanosleep');
    const cell = run.when(hook, { task: 'A' });
    expect(cell.before).toMatchObject({ TS: 1, fpu_owner_task: 'A' });
    expect(cell.changes).toEqual({
      'A.fpu_counter': '1 -> 0',
      'A.PF_USED_MATH': '1 -> 0',
      'A.image': 'sse=A:1 -> none',
    });
  });

  it('a task that never used the FPU: nothing', () => {
    const run = spec({ tasks: { A: program(syscall('getpid'), syscall(name)), B: noFpu } });
    run.until('A: getpid');
    expect(run.when(hook, { task: 'A' }).changes).toEqual({});
  });
});

describe('lazy-cr0-ts, linux-3.6: after exec', () => {
  it('the next use is a first use: it allocates again and starts from INIT', () => {
    const run = spec({ tasks: { A: program(sse.write(), syscall('execve'), loop(2, sse.read())) } });
    run.until('A: execve');
    const cell = run.when('trap-nm', { task: 'A' });
    expect(cell.moments.join()).toContain('kmem_cache_alloc');
    expect(cell.after).toMatchObject({ fpregs: 'INIT', 'A.PF_USED_MATH': 1 });
  });
});
