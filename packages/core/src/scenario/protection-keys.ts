/** Scenarios in which the kernel accesses user memory, under protection keys: processors with PKRU. */
import { kthread } from '../kernel/kernel-thread';
import { fork, loop, pkru, program, sse, syscall } from '../kernel/program';
import { ptrace } from '../kernel/trace-request';
import { ORACLES } from '../oracle/oracles';
import { AVX, PKRU, SSE, X87 } from '../x86/components';
import type { Scenario, Sometimes } from './scenario';
import { USED_BY_ALL } from './sometimes';

type Own = Pick<Scenario, 'id' | 'title' | 'tasks' | 'interference' | 'sometimes'> & Partial<Scenario>;

/** A processor with protection keys and few other components. */
const PKU = {
  cpu: 'zen3',
  oracles: ORACLES.filter((id) => id !== 'speculative-exposure'),
} as const;

const accessedUserMemory = (name: string): Sometimes => ({
  id: `${name}-accessed-user-memory`,
  text: `${name} accessed user memory`,
  tasks: [name],
  test: (event, [task]) => event.type === 'user-memory.accessed' && event.data.task === task,
});

/** The kernel works for tasks with different keys open, for one that puts PKRU into its init state, and for itself. */
const protectionKeys: Own = {
  id: 'protection-keys',
  title:
    'two tasks with PKRU values of their own call the kernel, which accesses their memory, as a kernel thread does that borrows it',
  tasks: [
    {
      name: 'A',
      program: program(pkru.write(), syscall('read'), pkru.initialise(), syscall('read'), pkru.read()),
    },
    { name: 'B', program: program(pkru.write(), syscall('sched_yield'), syscall('write'), pkru.read()) },
    {
      name: 'kworker',
      kind: 'kthread',
      program: program(
        kthread.useMm('A'),
        kthread.copyToUser(),
        kthread.sleep(),
        kthread.copyFromUser(),
        kthread.unuseMm(),
      ),
    },
  ],
  interference: { preempt: 'user', userFaults: true, allocation: { sleep: true } },
  sometimes: [...USED_BY_ALL(['A', 'B']), ...['A', 'B', 'kworker'].map(accessedUserMemory)],
  ...PKU,
};

/** The kernel thread leaves user memory alone: what goes wrong is wrong for the task. */
const pkruSwitch: Own = {
  id: 'pkru-switch',
  title: 'a task with a PKRU of its own is in the kernel when a kernel thread runs, and goes on there',
  tasks: [
    { name: 'A', program: program(pkru.write(), syscall('read'), pkru.initialise(), syscall('write'), pkru.read()) },
    {
      name: 'kworker',
      kind: 'kthread',
      program: program(kthread.kernelFpu(), kthread.schedule(), kthread.kernelFpu()),
    },
  ],
  interference: { preempt: 'full', userFaults: true, allocation: { sleep: true } },
  sometimes: [...USED_BY_ALL(['A']), accessedUserMemory('A')],
  ...PKU,
};

/** Two user tasks alone: the kernel accesses memory for one, switches, and goes on. */
const pkruDeferred: Own = {
  id: 'pkru-deferred',
  title:
    'the kernel accesses the memory of a task that was switched out in a system call; the other task has another PKRU',
  tasks: [
    { name: 'A', program: program(pkru.write(), syscall('read'), pkru.read()) },
    { name: 'B', program: program(pkru.write(), syscall('sched_yield'), pkru.read()) },
  ],
  interference: { preempt: 'full', userFaults: true, allocation: { sleep: true } },
  sometimes: [...USED_BY_ALL(['A', 'B']), accessedUserMemory('A')],
  ...PKU,
};

/** kernel_fpu_begin(); something(); kernel_fpu_end(); copy_from_user(): D. Hansen in the thread of June 2018. */
const kernelFpuPkru: Own = {
  id: 'kernel-fpu-pkru',
  title: 'the kernel uses the FPU for a task, then reads its memory, before the task is back in user code',
  tasks: [
    {
      name: 'A',
      program: program(pkru.write(), sse.write(), syscall('kernel_fpu_copy'), pkru.read(), sse.read()),
    },
    { name: 'B', program: program(pkru.write(), syscall('sched_yield'), pkru.read()) },
  ],
  interference: { preempt: 'full', userFaults: true, allocation: { sleep: true } },
  sometimes: [...USED_BY_ALL(['A', 'B']), accessedUserMemory('A')],
  ...PKU,
};

/** create_io_thread(): a thread of a user process that never runs user code. */
const ioWorker: Own = {
  id: 'io-worker',
  title: 'a task starts an IO worker, which accesses its memory, and goes on with another PKRU',
  tasks: [
    { name: 'A', program: program(pkru.write(), sse.write(), fork('worker'), pkru.update(), pkru.read(), sse.read()) },
    {
      name: 'worker',
      kind: 'io-worker',
      unborn: true,
      program: program(kthread.copyFromUser(), kthread.kernelFpu(), kthread.copyToUser()),
    },
  ],
  interference: { preempt: 'full', userFaults: true, allocation: { sleep: true } },
  sometimes: [...USED_BY_ALL(['A']), accessedUserMemory('worker')],
  ...PKU,
};

/** Kernel threads between user tasks, on any processor. */
const kernelThreads: Own = {
  id: 'kernel-threads',
  title: 'kernel threads run between two tasks that compute: one uses the FPU, one borrows an address space',
  tasks: [
    {
      name: 'A',
      program: program(sse.write(), syscall('nanosleep'), sse.update(), syscall('sched_yield'), sse.read()),
    },
    { name: 'B', program: program(loop(2, sse.write(), sse.read(), syscall('sched_yield'))) },
    {
      name: 'kworker',
      kind: 'kthread',
      program: program(kthread.kernelFpu(), kthread.schedule(), kthread.kernelFpu()),
    },
    {
      name: 'vhost',
      kind: 'kthread',
      program: program(kthread.useMm('A'), kthread.copyToUser(), kthread.unuseMm()),
    },
  ],
  interference: { preempt: 'user', userFaults: true, allocation: { sleep: true } },
  sometimes: [...USED_BY_ALL(['A', 'B']), accessedUserMemory('vhost')],
};

/** A tracer opens and closes keys of its target. */
const ptracePkru: Own = {
  id: 'ptrace-pkru',
  title: 'D looks at the protection keys of A, which is stopped, and gives it others',
  tasks: [
    { name: 'A', program: program(pkru.write(), syscall('ptrace_stop'), pkru.read(), syscall('read')) },
    {
      name: 'D',
      program: program(ptrace('A', 'read'), ptrace('A', 'write'), ptrace('A', 'cont')),
    },
  ],
  interference: { preempt: 'user', idle: true },
  sometimes: [...USED_BY_ALL(['A']), accessedUserMemory('A')],
  ...PKU,
};

/**
 * A task gets two protection keys, and its PKRU changes with each: the old one is in registers, in memory, or, behind pkru.initialise(), in neither.
 * The slot of its image has then what XSTATE_BV does not cover. Fewer components make smaller states; AVX lies before PKRU in an image.
 */
const pkeyUpdate: Own = {
  id: 'pkey-update',
  title: 'a task asks for protection keys and maps memory that can only be executed; another has a PKRU of its own',
  tasks: [
    {
      name: 'A',
      program: program(
        sse.write(),
        pkru.write(),
        syscall('pkey_alloc'),
        pkru.initialise(),
        syscall('mmap_exec'),
        pkru.read(),
        sse.read(),
      ),
    },
    { name: 'B', program: program(pkru.write(), sse.write(), pkru.read()) },
  ],
  interference: { preempt: 'full', allocation: { sleep: true } },
  xfeatures: [X87, SSE, AVX, PKRU].reduce((mask, bit) => mask | (1 << bit), 0),
  sometimes: [...USED_BY_ALL(['A', 'B']), accessedUserMemory('A')],
  ...PKU,
};

/** What they are, for the catalogue to complete. */
export const PROTECTION_KEYS: readonly Own[] = [
  protectionKeys,
  pkruSwitch,
  pkruDeferred,
  kernelFpuPkru,
  ioWorker,
  kernelThreads,
  ptracePkru,
  pkeyUpdate,
];
