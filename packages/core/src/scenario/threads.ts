/** Scenarios of processes with several threads: what one of them does concerns the others. */
import { fork, munmapFrame, program, sse, syscall } from '../kernel/program';
import type { Scenario } from './scenario';
import { USED_BY_ALL, cameBack, diesIn } from './sometimes';

type Own = Pick<Scenario, 'id' | 'title' | 'tasks' | 'interference' | 'sometimes'> & Partial<Scenario>;

/** How a fault in the middle of sigreturn comes about: the memory is another thread's, too. */
const frameUnmapped: Own = {
  id: 'frame-unmapped',
  title: 'A starts a thread that unmaps the memory of its signal frame, while A is in its handler or returns from it',
  tasks: [
    {
      name: 'A',
      program: program(sse.write(), fork('T'), syscall('raise'), sse.read()),
      handler: program(sse.update()),
    },
    { name: 'T', program: program(sse.write(), munmapFrame('A'), sse.read()), threadOf: 'A', unborn: true },
  ],
  interference: { preempt: 'full' },
  sometimes: [
    ...USED_BY_ALL(['A', 'T']),
    cameBack('A'),
    diesIn('A', 'sys_rt_sigreturn', 'another thread had unmapped its frame'),
  ],
};

/** The thread is killed wherever it is: its registers may be live, on another CPU or on this one, in memory, or just being loaded. */
const execThreads: Own = {
  id: 'exec-threads',
  title:
    'A starts a thread that computes, and replaces the program, which ends the thread; another process computes, too',
  tasks: [
    {
      name: 'A',
      program: program(
        sse.write(),
        fork('T'),
        syscall('sched_yield'),
        syscall('execve'),
        sse.read(),
        sse.write(),
        sse.read(),
      ),
    },
    {
      name: 'T',
      program: program(sse.read(), sse.write(), syscall('getpid'), sse.read()),
      threadOf: 'A',
      unborn: true,
    },
    { name: 'B', program: program(sse.write(), sse.read()) },
  ],
  interference: { preempt: 'user', allocation: { sleep: true } },
  sometimes: [
    ...USED_BY_ALL(['A', 'T', 'B']),
    {
      id: 'A-waited',
      text: 'A waited in execve() until T was dead',
      tasks: ['A'],
      test: ({ type, data }, [A]) => type === 'exec.woken' && data.target === A,
    },
  ],
};

/** All of them. */
export const THREADS: readonly Own[] = [frameUnmapped, execThreads];
