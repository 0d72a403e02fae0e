/** Scenarios about one task, for questions that need no more. */
import { fork, program, sse, syscall } from '../kernel/program';
import type { Scenario } from './scenario';
import { USED_BY_ALL, cameBack } from './sometimes';

type Own = Pick<Scenario, 'id' | 'title' | 'tasks' | 'interference' | 'sometimes'> & Partial<Scenario>;

/** execve() on one CPU while another one still holds the registers of the old program. */
const execMigration: Own = {
  id: 'exec-migration',
  title: 'a task moves between two CPUs before, in and after execve()',
  tasks: [{ name: 'A', program: program(sse.write(), syscall('execve'), sse.read()) }],
  interference: { preempt: 'full', migration: true, idle: 'preempts' },
  sometimes: USED_BY_ALL(['A']),
  cpus: 2,
};

/** While the frame's page comes in, another task runs, and nothing else comes in between. */
const signalFault: Own = {
  id: 'signal-fault',
  title: 'the frame of a signal faults, and another task computes while its page comes in',
  tasks: [
    {
      name: 'A',
      program: program(sse.write(), syscall('raise'), sse.read()),
      handler: program(syscall('getpid')),
    },
    { name: 'B', program: program(sse.write(), syscall('nanosleep'), sse.read()) },
  ],
  interference: { preempt: 'user', userFaults: true, allocation: { sleep: true } },
  sometimes: [cameBack('A'), ...USED_BY_ALL(['B'])],
};

/** The kernel is preempted wherever it can be, on the way to the handler and back. */
const sigreturnFault: Own = {
  id: 'sigreturn-fault',
  title: 'a task returns from its handler through a frame that faults, and is preempted there by one that computes',
  tasks: [
    {
      name: 'A',
      program: program(sse.write(), syscall('raise'), sse.read()),
      handler: program(),
    },
    { name: 'B', program: program(sse.write(), sse.read()) },
  ],
  interference: { preempt: 'full', userFaults: true },
  sometimes: [cameBack('A'), ...USED_BY_ALL(['B'])],
};

/** A system call that does nothing: what happens to registers happens on the way back. */
const exitToUser: Own = {
  id: 'exit-to-user',
  title: 'two tasks compute across system calls, and are rescheduled on the way back to user code',
  tasks: ['A', 'B'].map((name) => ({ name, program: program(sse.write(), syscall('getpid'), sse.read()) })),
  interference: { preempt: 'full' },
  sometimes: USED_BY_ALL(['A', 'B']),
};

/** fork() while interrupts use the FPU: the child must get what its parent had. */
const forkIrq: Own = {
  id: 'fork-irq',
  title: 'a task forks while hardirqs and softirqs use the FPU',
  tasks: [
    { name: 'parent', program: program(sse.write(), fork('child'), sse.read(), sse.write(), sse.read()) },
    { name: 'child', program: program(sse.read()), unborn: true },
  ],
  interference: { hardirq: true, softirq: true, nesting: 1 },
  sometimes: USED_BY_ALL(['parent', 'child']),
};

/** Its handler leaves the registers alone: what the task reads afterwards came through the frame. */
const signalIrq: Own = {
  id: 'signal-irq',
  title: 'a task takes a signal while hardirqs and softirqs use the FPU',
  tasks: [
    {
      name: 'A',
      program: program(sse.write(), syscall('raise'), sse.read(), sse.write(), sse.read()),
      handler: program(syscall('getpid')),
    },
  ],
  interference: { hardirq: true, softirq: true, userFaults: true, nesting: 1 },
  sometimes: [cameBack('A')],
};

/** What they are, for the catalogue to complete. */
export const NARROW: readonly Own[] = [execMigration, exitToUser, forkIrq, signalFault, sigreturnFault, signalIrq];
