/**
 * Linux 4.2 to 4.9, lazy, cell by cell of the table of kernel generations by hooks (BL; C1 with eagerfpu=off). The
 * two differ in what execve() does.
 *
 * `changes` names everything that a cell changes: what it does not name stayed as it was.
 */
import { fork, program, sse, syscall, x87 } from '@fpulab/core';
import { lazyCr0Ts, type LazyEra } from '../../src';
import { alternate, countRestores, irqFpuUsableNow, nap, noFpu, onBareMetal, slice, slices } from '../support';

describe.each<LazyEra>(['linux-4.2', 'linux-4.8'])('lazy-cr0-ts, %s', (era) => {
  const spec = (situation: Parameters<typeof onBareMetal>[1]) => onBareMetal(lazyCr0Ts({ era }), situation);
  /** A slice without FPU use first: execve() of 4.8 leaves a new program with the registers. */
  const later = (count: number) => program(nap, slices(count));
  /** 4.8: execve() has activated a new program's state; 4.2: its first use does. */
  const activeFromStart = era === 'linux-4.8';

  describe('switch-out', () => {
    it('active, no preload: saves, last_cpu = cpu, fpregs_active = 0, stts; registers and owner are left', () => {
      const cell = spec({ tasks: { A: later(1), B: noFpu }, pick: ['A'] }).when('switch-out', { task: 'A', nth: 2 });
      expect(cell.before).toMatchObject({ TS: 0, fpregs: 'sse=A:1', fpu_fpregs_owner_ctx: 'A', 'A.fpregs_active': 1 });
      expect(cell.changes).toEqual({
        TS: '0 -> 1',
        'A.image': 'INIT -> sse=A:1',
        'A.fpregs_active': '1 -> 0',
        // 4.8: its first slice was one with registers too, without using them.
        ...(activeFromStart ? {} : { 'A.last_cpu': 'none -> cpu0' }),
      });
      expect(cell.after['A.last_cpu']).toBe('cpu0');
    });

    it('not active, no preload: counter = 0, last_cpu = -1; TS is not touched, owner is left', () => {
      const run = spec({ tasks: { A: program(nap, ...slice, nap), B: noFpu }, pick: ['B', 'A'] });
      run.until('A: sse.update');
      const cell = run.when('switch-out', { task: 'A', nth: 2 });
      expect(cell.before).toMatchObject({ TS: 1, fpregs: 'sse=A:1' });
      expect(cell.changes).toEqual({ 'A.counter': '1 -> 0', 'A.last_cpu': 'cpu0 -> none' });
    });

    it('active, preload: saves, new task: counter++, fpregs_active = 1, owner; TS stays 0', () => {
      const run = spec({ tasks: { A: later(7), B: later(7) }, pick: ['A'] });
      run.until('B: sse.update', { nth: 6 });
      const cell = run.when('switch-out', { task: 'B' });
      expect(cell.before).toMatchObject({ TS: 0, fpu_fpregs_owner_ctx: 'B', 'A.counter': 6 });
      expect(cell.changes).toEqual({
        preload: '0 -> 1',
        'B.image': 'sse=B:5 -> sse=B:6',
        'B.fpregs_active': '1 -> 0',
        'A.counter': '6 -> 7',
        'A.fpregs_active': '0 -> 1',
        fpu_fpregs_owner_ctx: 'B -> A',
      });
    });

    it('not active, preload, somebody else is owner: counts, clts, activates the new task; restore is to come', () => {
      const run = spec({
        tasks: { X: later(8), B: noFpu, A: program(nap, ...slice) },
        pick: ['A', 'B', ...alternate('X', 'B', 7), 'A', 'B', 'X'],
      });
      run.until('A: sse.update');
      const cell = run.when('switch-out', { task: 'B' });
      expect(cell.before).toMatchObject({ TS: 1, fpregs: 'sse=A:1', fpu_fpregs_owner_ctx: 'A', 'X.counter': 6 });
      expect(cell.changes).toEqual({
        preload: '0 -> 1',
        'X.counter': '6 -> 7',
        TS: '1 -> 0',
        'X.fpregs_active': '0 -> 1',
        fpu_fpregs_owner_ctx: 'A -> X',
      });
      expect(run.when('switch-in', { task: 'X' }).changes).toEqual({
        preload: '1 -> 0',
        fpregs: 'sse=A:1 -> sse=X:6',
      });
    });

    it('not active, preload, owner == new and last_cpu == cpu: the same, but the restore is dropped', () => {
      const run = spec({ tasks: { X: later(8), B: noFpu } });
      run.until('X: sse.update', { nth: 6 });
      const restores = countRestores(run);
      const cell = run.when('switch-out', { task: 'B' });
      expect(cell.before).toMatchObject({ fpregs: 'sse=X:6', fpu_fpregs_owner_ctx: 'X', 'X.last_cpu': 'cpu0' });
      expect(cell.changes).toEqual({ 'X.counter': '6 -> 7', TS: '1 -> 0', 'X.fpregs_active': '0 -> 1' });
      run.until('X: sse.update');
      expect(restores).toEqual({ skipped: 1, done: 0 });
    });

    it('FNSAVE hosts: the registers are gone, so last_cpu = -1', () => {
      const run = spec({
        tasks: { A: program(nap, x87.write(), nap), B: noFpu },
        cpu: 'pentium-mmx',
        pick: ['B', 'A'],
      });
      run.until('A: x87.write');
      const cell = run.when('switch-out', { task: 'A' });
      expect(cell.changes).toMatchObject({ fpregs: 'x87=A:1 -> INIT', 'A.image': 'INIT -> x87=A:1' });
      expect(cell.after['A.last_cpu']).toBe('none');
    });
  });

  describe('switch-in', () => {
    it('no preload: nothing', () => {
      const run = spec({ tasks: { A: later(2), B: later(2) } });
      run.until('A: sse.update');
      const cell = run.when('switch-in', { task: 'B' });
      expect(cell.before).toMatchObject({ TS: 1, fpregs: 'sse=A:1' });
      expect(cell.changes).toEqual({});
    });

    it('preload: restores', () => {
      const run = spec({ tasks: { A: later(7), B: later(7) }, pick: ['A'] });
      run.until('B: sse.update', { nth: 6 });
      const cell = run.when('switch-in', { task: 'A' });
      expect(cell.changes).toEqual({ preload: '1 -> 0', fpregs: 'sse=B:6 -> sse=A:6' });
    });
  });

  describe('counter', () => {
    it('preloads after six used slices, not after five', () => {
      const run = spec({ tasks: { A: later(7), B: later(7) }, pick: ['A'] });
      run.until('B: sse.update', { nth: 5 });
      expect(run.when('switch-out', { task: 'B' }).after).toMatchObject({ preload: 0, TS: 1, 'A.counter': 5 });
      expect(run.when('switch-out', { task: 'B' }).after).toMatchObject({ preload: 1, TS: 0, 'A.counter': 7 });
    });

    it('is 8 bits wide: the 256th load makes it 0, and preloading pauses', () => {
      const run = spec({ tasks: { X: later(258), B: noFpu } });
      run.until('X: sse.update', { nth: 255 });
      expect(run.when('switch-out', { task: 'B' }).changes).toMatchObject({ 'X.counter': '255 -> 0', TS: '1 -> 0' });
      run.until('X: sse.update');
      expect(run.when('switch-out', { task: 'B' }).changes).toEqual({});
    });
  });

  describe('#NM', () => {
    it('later use: in_kernel_fpu around clts, fpregs_active = 1, owner, load, counter++; IRQs off all the way', () => {
      const run = spec({ tasks: { A: later(2), B: later(1) } });
      run.until('B: sse.update');
      const cell = run.when('trap-nm', { task: 'A' });
      expect(cell.before).toMatchObject({ TS: 1, fpregs: 'sse=B:1', fpu_fpregs_owner_ctx: 'B', 'A.counter': 1 });
      expect(cell.changes).toEqual({
        TS: '1 -> 0',
        fpregs: 'sse=B:1 -> sse=A:1',
        'A.fpregs_active': '0 -> 1',
        'A.counter': '1 -> 2',
        fpu_fpregs_owner_ctx: 'B -> A',
      });
      expect(cell.moments.map((moment) => moment.replace('A: fpu__restore/', ''))).toEqual([
        'kernel_fpu_disable',
        'fpregs_activate/clts',
        'fpregs_activate/fpregs_active = 1, owner = current',
        'copy_fpstate_to_fpregs',
        'counter++',
        'kernel_fpu_enable',
      ]);
    });

    if (era === 'linux-4.2')
      it('first use: initialises the embedded image first; nothing is allocated, IRQs stay off', () => {
        const run = spec({ tasks: { A: program(sse.write()) }, interference: { hardirq: true, preempt: 'full' } });
        const cell = run.when('trap-nm', { task: 'A' });
        expect(cell.changes).toEqual({
          TS: '1 -> 0',
          'A.fpstate_active': '0 -> 1',
          'A.fpregs_active': '0 -> 1',
          'A.counter': '0 -> 1',
          fpu_fpregs_owner_ctx: 'nobody -> A',
        });
        expect(cell.moments.slice(0, 2)).toEqual([
          'A: fpu__restore/fpu__activate_curr/fpstate_init',
          'A: fpu__restore/fpu__activate_curr/fpstate_active = 1',
        ]);
        expect(cell.moments.join()).not.toMatch(/irq|alloc/);
      });
  });

  describe('kernel_fpu_begin, kernel_fpu_end', () => {
    it('begin, active: in_kernel_fpu = 1, saves; fpregs_active, owner and TS stay', () => {
      const run = spec({ tasks: { A: program(sse.write(), syscall('kernel_fpu')) } });
      const cell = run.when('kernel-fpu-begin', { task: 'A' });
      expect(cell.before).toMatchObject({ TS: 0, fpu_fpregs_owner_ctx: 'A', 'A.fpregs_active': 1 });
      expect(cell.changes).toEqual({
        masks: 'syscall -> syscall preempt-off',
        in_kernel_fpu: '0 -> 1',
        'A.image': 'INIT -> sse=A:1',
      });
    });

    it('end, active: restores, in_kernel_fpu = 0; TS stays 0', () => {
      const run = spec({ tasks: { A: program(sse.write(), syscall('kernel_fpu')) } });
      const cell = run.when('kernel-fpu-end', { task: 'A' });
      expect(cell.before).toMatchObject({ TS: 0, fpregs: 'sse=kernel:1' });
      expect(cell.changes).toEqual({
        masks: 'syscall preempt-off -> syscall',
        fpregs: 'sse=kernel:1 -> sse=A:1',
        in_kernel_fpu: '1 -> 0',
      });
    });

    it('begin, not active: in_kernel_fpu = 1, owner = NULL, clts; nothing is saved', () => {
      const run = spec({ tasks: { A: later(1), B: program(nap, syscall('kernel_fpu')) } });
      const cell = run.when('kernel-fpu-begin', { task: 'B' });
      expect(cell.before).toMatchObject({ TS: 1, fpu_fpregs_owner_ctx: 'A', fpregs: 'sse=A:1' });
      expect(cell.changes).toEqual({
        masks: 'syscall -> syscall preempt-off',
        in_kernel_fpu: '0 -> 1',
        TS: '1 -> 0',
        fpu_fpregs_owner_ctx: 'A -> nobody',
      });
    });

    it('end, not active: stts, in_kernel_fpu = 0; garbage stays', () => {
      const run = spec({ tasks: { A: later(1), B: program(nap, syscall('kernel_fpu')) } });
      const cell = run.when('kernel-fpu-end', { task: 'B' });
      expect(cell.changes).toEqual({
        masks: 'syscall preempt-off -> syscall',
        in_kernel_fpu: '1 -> 0',
        TS: '0 -> 1',
      });
      expect(cell.after.fpregs).toBe('sse=kernel:1');
    });
  });

  describe('irq_fpu_usable', () => {
    const interference = { hardirq: true, softirq: true };
    const A = program(
      sse.write(),
      syscall('getpid'),
      syscall('kernel_fpu'),
      nap,
      syscall('getpid'),
      syscall('kernel_fpu'),
    );

    it.each(['hardirq', 'softirq'] as const)('yes: a %s interrupted user mode, even when active', (kind) => {
      const run = spec({ tasks: { A, B: noFpu }, interference });
      expect(run.until('A: sse.write')).toMatchObject({ 'A.fpregs_active': 1, masks: 'user' });
      expect(irqFpuUsableNow(run, kind)).toBe(true);
    });

    it('no: it interrupted the kernel of an active task', () => {
      const run = spec({ tasks: { A, B: noFpu }, interference });
      expect(run.until('A: getpid')).toMatchObject({ 'A.fpregs_active': 1, masks: 'syscall' });
      expect(irqFpuUsableNow(run)).toBe(false);
    });

    it('yes: it interrupted the kernel of a task that is not active, TS is set', () => {
      const run = spec({ tasks: { A, B: noFpu }, interference });
      expect(run.until('A: getpid', { nth: 2 })).toMatchObject({ 'A.fpregs_active': 0, TS: 1, masks: 'syscall' });
      expect(irqFpuUsableNow(run)).toBe(true);
    });

    it.each([
      ['active', 1],
      ['not active', 2],
    ])('no: it interrupted a kernel FPU section of a task that is %s', (_, nth) => {
      const run = spec({ tasks: { A, B: noFpu }, interference });
      expect(run.until('A: compute', { nth })).toMatchObject({ in_kernel_fpu: 1, TS: 0 });
      expect(irqFpuUsableNow(run)).toBe(false);
    });
  });

  describe('fork', () => {
    const unborn = ['child'];
    const child = program(sse.read());

    it('parent with registers: XSAVE straight to the child; the parent keeps registers, owner, flags, TS', () => {
      const run = spec({ tasks: { A: program(sse.write(), fork('child')), child }, unborn });
      const cell = run.when('fork', { task: 'A' });
      expect(cell.before).toMatchObject({ TS: 0, 'A.fpregs_active': 1, 'A.image': 'INIT' });
      expect(cell.changes).toEqual({ 'child.fpstate_active': '0 -> 1', 'child.image': 'INIT -> sse=A:1' });
      expect(cell.after).toMatchObject({ 'child.fpregs_active': 0, 'child.counter': 0, 'child.last_cpu': 'none' });
    });

    it('parent without registers: XSAVE takes #NM in the kernel, which loads the parent first', () => {
      const run = spec({ tasks: { A: program(nap, ...slice, fork('child')), B: later(1), child }, unborn });
      run.until('B: sse.update');
      const cell = run.when('fork', { task: 'A' });
      expect(cell.before).toMatchObject({ TS: 1, fpregs: 'sse=B:1', 'A.fpregs_active': 0, 'A.counter': 1 });
      expect(cell.changes).toEqual({
        'child.fpstate_active': '0 -> 1',
        'child.image': 'INIT -> sse=A:1',
        TS: '1 -> 0',
        fpregs: 'sse=B:1 -> sse=A:1',
        'A.fpregs_active': '0 -> 1',
        'A.counter': '1 -> 2',
        fpu_fpregs_owner_ctx: 'B -> A',
      });
      const trap = cell.moments.indexOf('A: #NM');
      expect(cell.moments[trap + 1]).toBe('A: device_not_available/do_device_not_available');
      expect(cell.moments.indexOf('A: fpu__copy/copy_fpregs_to_fpstate(dst)')).toBeGreaterThan(trap);
      expect(run.violations.join()).not.toContain('unexpected-fault');
    });

    it('FNSAVE hosts: the parent gets its image from the child and is deactivated', () => {
      const tasks = { A: program(x87.write(), fork('child')), child: program(x87.read()) };
      const cell = spec({ tasks, unborn, cpu: 'pentium-mmx' }).when('fork', { task: 'A' });
      expect(cell.changes).toEqual({
        'child.fpstate_active': '0 -> 1',
        'child.image': 'INIT -> x87=A:1',
        fpregs: 'x87=A:1 -> INIT',
        'A.image': 'INIT -> x87=A:1',
        'A.fpregs_active': '1 -> 0',
        fpu_fpregs_owner_ctx: 'A -> nobody',
        TS: '0 -> 1',
      });
    });

    if (era === 'linux-4.2')
      it('parent that never used the FPU: nothing is saved', () => {
        const run = spec({ tasks: { A: program(fork('child')), child }, unborn });
        const cell = run.when('fork', { task: 'A' });
        expect(cell.changes).toEqual({});
        expect(cell.moments.join()).not.toContain('copy_fpregs_to_fpstate');
      });
  });

  describe('exec', () => {
    const tasks = { A: program(sse.write(), syscall('execve')), B: noFpu };

    if (!activeFromStart) {
      it('active: drops: counter = 0, fpregs_active = 0, owner = NULL, stts, fpstate_active = 0; no INIT load', () => {
        const run = spec({ tasks });
        run.until('A: sse.write');
        const cell = run.when('exec', { task: 'A' });
        expect(cell.before).toMatchObject({ TS: 0, fpregs: 'sse=A:1' });
        expect(cell.changes).toEqual({
          'A.counter': '1 -> 0',
          'A.fpregs_active': '1 -> 0',
          fpu_fpregs_owner_ctx: 'A -> nobody',
          TS: '0 -> 1',
          'A.fpstate_active': '1 -> 0',
        });
      });

      it('not active: counter = 0, fpstate_active = 0; TS and owner are left', () => {
        const run = spec({ tasks: { A: program(...slice, syscall('execve')), B: noFpu } });
        run.until('A: nanosleep');
        const cell = run.when('exec', { task: 'A' });
        expect(cell.before).toMatchObject({ TS: 1, fpu_fpregs_owner_ctx: 'A' });
        expect(cell.changes).toEqual({ 'A.counter': '1 -> 0', 'A.fpstate_active': '1 -> 0' });
      });
    } else {
      it('active: drops, initialises the image, activates again and loads INIT: TS is 0 in the end', () => {
        const run = spec({ tasks: { A: program(nap, ...slice, sse.update(), syscall('execve')), B: noFpu } });
        run.until('A: sse.update', { nth: 2 });
        const cell = run.when('exec', { task: 'A' });
        expect(cell.before).toMatchObject({ TS: 0, fpregs: 'sse=A:2', 'A.image': 'sse=A:1', 'A.fpregs_active': 1 });
        expect(cell.changes).toEqual({
          'A.counter': '2 -> 0',
          'A.image': 'sse=A:1 -> INIT',
          fpregs: 'sse=A:2 -> INIT',
        });
        expect(cell.moments.map((moment) => moment.replace('A: fpu__clear/', ''))).toEqual([
          'fpu__drop/preempt_disable for drop',
          'fpu__drop/counter = 0',
          'fpu__drop/fwait',
          'fpu__drop/fpregs_deactivate/fpregs_active = 0, owner = NULL',
          'fpu__drop/fpregs_deactivate/stts',
          'fpu__drop/fpstate_active = 0',
          'fpu__drop/preempt_enable after drop',
          'fpu__activate_curr/fpstate_init',
          'fpu__activate_curr/fpstate_active = 1',
          'user_fpu_begin/preempt_disable for activation',
          'user_fpu_begin/fpregs_activate/clts',
          'user_fpu_begin/fpregs_activate/fpregs_active = 1, owner = current',
          'user_fpu_begin/preempt_enable after activation',
          'copy_init_fpstate_to_fpregs',
        ]);
      });

      it('not active: the same, and TS is cleared: the new program has the FPU at once', () => {
        const run = spec({ tasks: { A: program(...slice, syscall('execve')), B: noFpu } });
        run.until('A: nanosleep');
        const cell = run.when('exec', { task: 'A' });
        expect(cell.changes).toEqual({
          'A.image': 'sse=A:1 -> INIT',
          'A.fpregs_active': '0 -> 1',
          TS: '1 -> 0',
          fpu_fpregs_owner_ctx: 'B -> A',
        });
        expect(cell.after).toMatchObject({ fpregs: 'INIT', 'A.fpstate_active': 1 });
      });

      it('preempted between activation and INIT load: the load takes #NM in the kernel, and INIT is loaded', () => {
        const run = spec({
          tasks: { A: program(syscall('execve'), sse.read()), B: noFpu },
          interference: { preempt: 'full' },
        });
        run.until('A: execve');
        expect(run.until('A: preempt_enable after activation')).toMatchObject({ TS: 0, 'A.fpregs_active': 1 });
        run.inject('preempt');
        expect(run.until('A: copy_init_fpstate_to_fpregs')).toMatchObject({ TS: 0, fpregs: 'INIT', 'A.counter': 1 });
        expect(run.moments).toContain('A: #NM');
        expect(run.violations).toEqual([]);
      });

      it('activation itself cannot be preempted: TS = 0 without fpregs_active would leave TS 0 for the next task', () => {
        const run = spec({ tasks: { A: program(syscall('execve')), B: noFpu }, interference: { preempt: 'full' } });
        run.until('A: execve');
        expect(run.until('A: clts').masks).toBe('syscall preempt-off');
        expect(() => run.inject('preempt')).toThrow('cannot happen here');
      });
    }
  });

  describe('exit', () => {
    it('active: counter = 0, fpregs_active = 0, owner = NULL, stts, fpstate_active = 0; registers are left', () => {
      const run = spec({ tasks: { A: program(nap, sse.write()), B: noFpu } });
      run.until('A: sse.write');
      expect(run.when('exit', { task: 'A' }).changes).toEqual({
        'A.counter': '1 -> 0',
        'A.fpregs_active': '1 -> 0',
        fpu_fpregs_owner_ctx: 'A -> nobody',
        TS: '0 -> 1',
        'A.fpstate_active': '1 -> 0',
      });
    });

    it('not active: TS and owner are left', () => {
      const run = spec({ tasks: { A: later(1), B: noFpu } });
      const cell = run.when('exit', { task: 'A' });
      expect(cell.before).toMatchObject({ TS: 1, fpregs: 'sse=A:1', fpu_fpregs_owner_ctx: 'A' });
      expect(cell.changes).toEqual({ 'A.counter': '1 -> 0', 'A.fpstate_active': '1 -> 0' });
    });
  });
});
