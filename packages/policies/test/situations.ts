/** The cells: how each is reached, and in which kernels it is one. */
import {
  fork,
  frame,
  kthread,
  program,
  ptrace,
  sse,
  syscall,
  x87,
  type BasePolicy,
  type TraceRequest,
} from '@fpulab/core';
import { changes, type Cell, type PolicySpec, type Situation } from '@fpulab/core/testing';
import type { KernelName } from './cells';
import { KERNELS, withStrayTs } from './cells';
import { nap, noFpu, onBareMetal, slice, slices } from './support';

/** A cell of the table. */
export interface CellOfTable {
  readonly kernels: readonly KernelName[];
  readonly run: (make: () => BasePolicy) => Cell;
  /** Whose state the row tells. */
  readonly task?: string;
}

const ALL = Object.keys(KERNELS) as readonly KernelName[];
/** Registers are loaded at the first #NM. */
export const LAZY = ALL.filter((name) => name === 'linux-2.6.32' || name === 'linux-3.6' || name.endsWith(' lazy'));
/** Registers are loaded by the switch. */
export const EAGER: readonly KernelName[] = ['linux-4.1 eager', 'linux-4.2 eager', 'linux-4.8 eager', 'linux-4.14'];
/** They do not load registers when they switch, but on the way to user code. */
const LATE = ALL.filter((name) => !LAZY.includes(name) && !EAGER.includes(name));
const DEFERRAL = LATE.filter((name) => name.startsWith('linux-'));
/** Their #NM handler knows no reason for #NM but TS that somebody else has set. */
const NO_LAZY_NM: readonly KernelName[] = ['linux-4.14', ...DEFERRAL, 'refresh-fpu'];

type Tasks = Situation['tasks'];
const on = (make: () => BasePolicy, tasks: Tasks, more: Partial<Situation> = {}): PolicySpec =>
  onBareMetal(make(), { tasks, ...more });

/** A slice without FPU use first: an eager kernel's new program starts with the registers. */
const later = (count: number) => program(nap, slices(count));
const child = program(sse.read());
const forked = { unborn: ['child'] };

// --- signals: A takes one, B computes meanwhile ---------------------------------------------------------------------

const A = program(sse.write(), syscall('raise'), sse.read());
const B = program(sse.write(), nap, sse.read());
const signalled = (
  make: () => BasePolicy,
  { spoil = [], ...more }: Partial<Situation> & { readonly spoil?: readonly ReturnType<typeof frame>[] } = {},
): PolicySpec =>
  on(
    make,
    { A, B },
    {
      handlers: { A: program(sse.write(), ...spoil) },
      interference: { preempt: 'full', userFaults: true },
      pick: ['A'],
      ...more,
    },
  );
/** B runs before the kernel goes on with A. */
const preemptedAt = (run: PolicySpec, moment: string): PolicySpec => {
  run.until(moment);
  run.inject('preempt');
  return run;
};

/** The same for a 32-bit program, whose handler may change the FSAVE header of its frame. */
const signalled32 = (make: () => BasePolicy, spoil: readonly ReturnType<typeof frame>[] = []): PolicySpec =>
  on(
    make,
    { A: program(x87.write(), sse.write(), syscall('raise'), x87.read()), B: program(x87.write(), nap) },
    {
      abis: { A: 'ia32' },
      handlers: { A: program(x87.write(), ...spoil) },
      interference: { preempt: 'full', userFaults: true },
      pick: ['A'],
    },
  );

// --- tracers and core dumps -----------------------------------------------------------------------------------------

/** A, which has computed unless `before` says otherwise, is stopped; D asks for its registers. */
const traced = (make: () => BasePolicy, request: TraceRequest, before = [sse.write()]): PolicySpec => {
  // 2.6.32 knows no NT_X86_XSTATE.
  const regset = make().source.startsWith('Linux 2.6.32') ? 'fpregs' : 'xstate';
  const D = program(ptrace('A', request, regset), ptrace('A', 'cont'));
  return on(make, { A: program(...before, syscall('ptrace_stop'), sse.read()), D }, { pick: ['A', 'D'] });
};

/** From the question to the end of the task: who asks a register set through another routine has not answered yet. */
const dumped = (run: PolicySpec): Cell => {
  const before = run.untilAsked('core-dump', { task: 'A' });
  const from = run.moments.length;
  const after = run.until('A: do_group_exit');
  return { before, after, changes: changes(before, after), moments: run.moments.slice(from) };
};

// --- kernel threads -------------------------------------------------------------------------------------------------

/** A has computed and is about to be switched out for K, which borrows its address space and lets it run again. */
const beforeKthread = (make: () => BasePolicy): PolicySpec => {
  const K = program(kthread.useMm('A'), kthread.schedule(), kthread.unuseMm());
  const A = program(sse.write(), syscall('sched_yield'), sse.read());
  const run = on(make, { A, K }, { kinds: { K: 'kthread' }, pick: ['A', 'K', 'A', 'K'] });
  run.until('A: sched_yield');
  return run;
};

/** All cells that are rows of text. */
export const SITUATIONS: Readonly<Record<string, CellOfTable>> = {
  'CPU up': {
    kernels: [...EAGER, ...LATE],
    run: (make) => on(make, { A: noFpu }).when('cpu-up', { task: 'idle0' }),
    task: 'A',
  },
  'switch-out, registers in use': {
    kernels: ALL,
    run: (make) => {
      const run = on(make, { A: later(1), B: noFpu });
      run.until('A: sse.update');
      return run.when('switch-out', { task: 'A' });
    },
  },
  'switch-out, a slice without FPU use': {
    kernels: ALL,
    run: (make) => {
      const run = on(make, { A: program(nap, ...slice, nap), B: program(...slice, nap) });
      run.until('A: sse.update');
      return run.when('switch-out', { task: 'A', nth: 2 });
    },
  },
  'switch-out of a task that is preempted in the kernel before its registers are loaded again': {
    kernels: LATE,
    run: (make) => {
      const tasks = { A: program(sse.write(), nap), B: program(sse.write(), nap) };
      const run = on(make, tasks, { interference: { preempt: 'full' } });
      run.until('B: sse.write');
      return preemptedAt(run, 'A: finish_task_switch').when('switch-out', { task: 'A' });
    },
  },
  'switch-out to a task that is preloaded': {
    kernels: LAZY,
    run: (make) => {
      const run = on(make, { A: later(7), B: later(7) }, { pick: ['A'] });
      run.until('B: sse.update', { nth: 6 });
      return run.when('switch-out', { task: 'B' });
    },
    task: 'B',
  },
  'switch-out of a task without registers to one that is preloaded and owner': {
    kernels: LAZY,
    run: (make) => {
      const run = on(make, { A: later(8), B: noFpu });
      run.until('A: sse.update', { nth: 6 });
      return run.when('switch-out', { task: 'B' });
    },
  },
  'switch-in, not preloaded': {
    kernels: LAZY,
    run: (make) => {
      const run = on(make, { A: later(2), B: later(2) });
      run.until('A: sse.update');
      return run.when('switch-in', { task: 'B' });
    },
    task: 'B',
  },
  'switch-in, preloaded': {
    kernels: LAZY,
    run: (make) => {
      const run = on(make, { A: later(7), B: later(7) }, { pick: ['A'] });
      run.until('B: sse.update', { nth: 6 });
      return run.when('switch-in', { task: 'A' });
    },
  },
  'switch-in, another task was the owner': {
    kernels: [...EAGER, ...LATE],
    run: (make) => {
      const run = on(make, { A: later(2), B: later(2) });
      run.until('B: sse.update');
      return run.when('switch-in', { task: 'A' });
    },
  },
  'switch-in, the registers are still its own': {
    kernels: [...EAGER, ...LATE],
    run: (make) => {
      const run = on(make, { A: later(2) });
      run.until('A: sse.update');
      return run.when('switch-in', { task: 'A' });
    },
  },
  '#NM, first use': {
    kernels: LAZY,
    run: (make) => {
      const run = on(make, { A: program(sse.write(), nap), B: program(nap, sse.write()) });
      run.until('A: sse.write');
      return run.when('trap-nm', { task: 'B' });
    },
    task: 'B',
  },
  '#NM, later use': {
    kernels: LAZY,
    run: (make) => {
      const run = on(make, { A: later(2), B: later(1) });
      run.until('B: sse.update');
      return run.when('trap-nm', { task: 'A' });
    },
  },
  '#NM, because somebody has set TS': {
    kernels: NO_LAZY_NM,
    run: (make) => on(() => withStrayTs(make()), { A: later(1), B: noFpu }).when('trap-nm', { task: 'A' }),
  },
  "exit to user, registers are another task's": {
    kernels: LATE,
    run: (make) => {
      const run = on(make, { A: later(2), B: later(2) });
      run.until('B: sse.update');
      return run.when('exit-to-user', { task: 'A' });
    },
  },
  'exit to user, registers are still its own': {
    kernels: LATE,
    run: (make) => {
      const run = on(make, { A: later(2) });
      run.until('A: sse.update');
      return run.when('exit-to-user', { task: 'A' });
    },
  },
  'kernel_fpu_begin, registers in use': {
    kernels: ALL,
    run: (make) => on(make, { A: program(sse.write(), syscall('kernel_fpu')) }).when('kernel-fpu-begin', { task: 'A' }),
  },
  'kernel_fpu_begin, registers not its own': {
    kernels: [...LAZY, ...LATE],
    run: (make) => {
      const run = on(
        make,
        { A: program(sse.write(), syscall('kernel_fpu')), B: program(sse.write(), nap) },
        { interference: { preempt: 'full' } },
      );
      return preemptedAt(run, 'A: kernel_fpu').when('kernel-fpu-begin', { task: 'A' });
    },
  },
  'kernel_fpu_end, registers in use': {
    kernels: ALL,
    run: (make) => on(make, { A: program(sse.write(), syscall('kernel_fpu')) }).when('kernel-fpu-end', { task: 'A' }),
  },
  'fork, parent with registers: the parent': {
    kernels: ALL,
    run: (make) => on(make, { A: program(sse.write(), fork('child')), child }, forked).when('fork', { task: 'A' }),
  },
  "fork, parent whose registers are another task's": {
    kernels: [...LAZY, ...LATE],
    run: (make) => {
      const tasks = { A: program(sse.write(), fork('child')), B: program(sse.write(), nap), child };
      const run = on(make, tasks, { ...forked, interference: { preempt: 'full' } });
      return preemptedAt(run, 'A: fork(child)').when('fork', { task: 'A' });
    },
  },
  'exec, registers in use': {
    kernels: ALL,
    run: (make) => {
      const run = on(make, { A: program(sse.write(), syscall('execve')), B: noFpu });
      run.until('A: sse.write');
      return run.when('exec', { task: 'A' });
    },
  },
  'exec, registers not its own': {
    kernels: [...LAZY, ...LATE],
    run: (make) => {
      const tasks = { A: program(sse.write(), syscall('execve')), B: program(sse.write(), nap) };
      const run = on(make, tasks, { interference: { preempt: 'full' } });
      return preemptedAt(run, 'A: execve').when('exec', { task: 'A' });
    },
  },
  'exit, registers in use': {
    kernels: ALL,
    run: (make) => {
      const run = on(make, { A: program(sse.write()), B: noFpu });
      run.until('A: sse.write');
      return run.when('exit', { task: 'A' });
    },
  },
  'signal delivery, registers in use: the frame': {
    kernels: ALL,
    run: (make) => signalled(make).when('signal-save', { task: 'A' }),
  },
  'signal delivery, preempted before: the frame': {
    kernels: ALL,
    run: (make) => preemptedAt(signalled(make), 'A: get_signal').when('signal-save', { task: 'A' }),
  },
  "signal delivery, registers in use: the handler's state": {
    kernels: ALL,
    run: (make) => signalled(make).when('signal-clear', { task: 'A' }),
  },
  'sigreturn, registers in use': {
    kernels: ALL,
    run: (make) => signalled(make).when('signal-restore', { task: 'A' }),
  },
  'sigreturn, preempted before': {
    kernels: ALL,
    run: (make) => preemptedAt(signalled(make), 'A: rt_sigreturn').when('signal-restore', { task: 'A' }),
  },
  'sigreturn, a page of the frame is missing and comes; XRSTOR had loaded SSE': {
    kernels: ALL,
    run: (make) =>
      preemptedAt(
        signalled(make, { page: ['there', 'there', 'missing', 'there'], fault: ['sse'] }),
        'A: rt_sigreturn',
      ).when('signal-restore', { task: 'A' }),
  },
  'sigreturn, forged frame': {
    kernels: ALL,
    run: (make) =>
      preemptedAt(signalled(make, { spoil: [frame('forged')] }), 'A: rt_sigreturn').when('signal-restore', {
        task: 'A',
      }),
  },
  'sigreturn, a frame without FPU state': {
    kernels: ['linux-2.6.32', 'linux-3.6', 'linux-4.1 lazy', 'linux-4.2 lazy'],
    run: (make) =>
      on(
        make,
        { A: program(syscall('raise'), sse.read()), B },
        { handlers: { A: program(sse.write()) }, pick: ['A'] },
      ).when('signal-restore', { task: 'A' }),
  },
  'kernel_fpu_end, registers not its own': {
    kernels: [...LAZY, ...LATE],
    run: (make) => {
      const run = on(
        make,
        { A: program(sse.write(), syscall('kernel_fpu')), B: program(sse.write(), nap) },
        { interference: { preempt: 'full' } },
      );
      return preemptedAt(run, 'A: kernel_fpu').when('kernel-fpu-end', { task: 'A' });
    },
  },
  'exit, registers not its own': {
    kernels: [...LAZY, ...LATE],
    run: (make) => {
      const tasks = { A: program(sse.write(), syscall('exit')), B: program(sse.write(), nap) };
      const run = on(make, tasks, { interference: { preempt: 'full' } });
      return preemptedAt(run, 'A: exit').when('exit', { task: 'A' });
    },
  },
  'ptrace read (stopped)': {
    kernels: ALL,
    run: (make) => traced(make, 'read').when('ptrace-read', { task: 'D' }),
  },
  'ptrace read (stopped), a target that has no FPU state yet': {
    kernels: LAZY,
    run: (make) => traced(make, 'read', []).when('ptrace-read', { task: 'D' }),
  },
  'ptrace write': {
    kernels: ALL,
    run: (make) => traced(make, 'write').when('ptrace-write', { task: 'D' }),
  },
  'ptrace write, of a header that XRSTOR would refuse': {
    kernels: ALL.filter((name) => name !== 'linux-2.6.32'),
    run: (make) => traced(make, 'write-xcomp-bv').when('ptrace-write', { task: 'D' }),
  },
  'core dump (current), registers in use': {
    kernels: ALL,
    run: (make) => dumped(on(make, { A: program(sse.write(), syscall('abort')), B: noFpu }, { pick: ['A'] })),
  },
  'core dump (current), registers not its own': {
    kernels: [...LAZY, ...LATE],
    run: (make) => {
      const tasks = { A: program(sse.write(), syscall('abort')), B: program(sse.write(), nap) };
      return dumped(preemptedAt(on(make, tasks, { interference: { preempt: 'full' } }), 'A: abort'));
    },
  },
  'kthread runs: switch-in': {
    kernels: ALL,
    run: (make) => beforeKthread(make).when('switch-in', { task: 'K' }),
  },
  'kthread runs: switch-out': {
    kernels: ALL,
    run: (make) => {
      const run = beforeKthread(make);
      run.until('K: tsk->mm = mm');
      return run.when('switch-out', { task: 'K' });
    },
    task: 'K',
  },
  'ia32 signal delivery, registers in use: the frame': {
    kernels: ALL,
    run: (make) => signalled32(make).when('signal-save-ia32', { task: 'A' }),
  },
  'ia32 signal delivery, preempted before: the frame': {
    kernels: ALL,
    run: (make) => preemptedAt(signalled32(make), 'A: get_signal').when('signal-save-ia32', { task: 'A' }),
  },
  'ia32 sigreturn, registers in use': {
    kernels: ALL,
    run: (make) => signalled32(make).when('signal-restore-ia32', { task: 'A' }),
  },
  'ia32 sigreturn, preempted before, the handler has changed the FSAVE header': {
    kernels: ALL,
    run: (make) =>
      preemptedAt(signalled32(make, [frame('fsave')]), 'A: rt_sigreturn').when('signal-restore-ia32', { task: 'A' }),
  },
  'ia32 sigreturn, forged frame': {
    kernels: ALL,
    run: (make) =>
      preemptedAt(signalled32(make, [frame('forged')]), 'A: rt_sigreturn').when('signal-restore-ia32', { task: 'A' }),
  },
  'FNSAVE hosts: switch-out': {
    kernels: ALL.filter((name) => name !== 'linux-4.1 eager'),
    run: (make) => {
      const run = on(make, { A: program(nap, x87.write(), nap), B: noFpu }, { cpu: 'pentium-mmx', pick: ['B', 'A'] });
      run.until('A: x87.write');
      return run.when('switch-out', { task: 'A' });
    },
  },
};
