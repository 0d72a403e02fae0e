/** Scenarios about ENQCMD, which needs the PASID of the process in a register of the thread. */
import { either, enqcmd, fork, program, sse, syscall } from '../kernel/program';
import { AVX, PASID, SSE, X87 } from '../x86/components';
import type { Scenario, Sometimes } from './scenario';
import { USED_BY_ALL, cameBack } from './sometimes';

type Own = Pick<Scenario, 'id' | 'title' | 'tasks' | 'interference' | 'sometimes'> & Partial<Scenario>;

/** The processor of all of them. Fewer components make smaller states: the others take no part here. */
const ON = {
  cpu: 'sapphire-rapids',
  xfeatures: [X87, SSE, PASID].reduce((mask, bit) => mask | (1 << bit), 0),
} as const;

const bind = syscall('sva_bind');

const sentCommand = (name: string): Sometimes => ({
  id: `${name}-sent-a-command`,
  text: `${name} sent a command with its PASID`,
  tasks: [name],
  test: (event, [task]) => event.type === 'fpregs.read' && event.data.task === task && event.data.component === PASID,
});

const diedInGp = (name: string, why: string): Sometimes => ({
  id: `${name}-died-in-gp`,
  text: `${name} was killed because ${why}`,
  tasks: [name],
  test: (event, [task], where) =>
    event.type === 'task.exiting' && event.data.task === task && where.isInside(task, 'general_protection'),
});

/** Two processes, whose PASIDs the same registers hold one after the other; or the second has none. */
const processes: Own = {
  ...ON,
  id: 'enqcmd',
  title:
    'A binds to a device and sends commands to it, B does, or does not bind and sends one; both are preempted anywhere',
  tasks: [
    { name: 'A', program: program(bind, enqcmd(), enqcmd()) },
    { name: 'B', program: program(sse.write(), either(bind, syscall('getpid')), enqcmd(), sse.read()) },
  ],
  interference: { preempt: 'full' },
  sometimes: [...['A', 'B'].map(sentCommand), diedInGp('B', 'its process has no PASID')],
};

/** One thread binds, and the others find out when they trap; before that, they die. */
const threads: Own = {
  ...ON,
  id: 'enqcmd-threads',
  title: 'a process of two threads: one binds to a device, both send commands, another process does neither',
  tasks: [
    { name: 'A', program: program(fork('T'), bind, enqcmd()) },
    { name: 'T', program: program(sse.write(), enqcmd(), enqcmd(), sse.read()), threadOf: 'A', unborn: true },
    { name: 'B', program: program(sse.write(), sse.read()) },
  ],
  interference: { preempt: 'user' },
  sometimes: [...['A', 'T'].map(sentCommand), diedInGp('T', 'its process had no PASID yet'), ...USED_BY_ALL(['B'])],
};

/** The process binds on one CPU while its other thread runs on the other, and both move. */
const smp: Own = {
  ...ON,
  id: 'enqcmd-smp',
  title: 'a process of two threads on two CPUs: one binds to a device, both send commands and move',
  tasks: [
    { name: 'A', program: program(fork('T'), bind, enqcmd()) },
    { name: 'T', program: program(enqcmd(), syscall('sched_yield'), enqcmd()), threadOf: 'A', unborn: true },
  ],
  interference: { migration: true, idle: true },
  sometimes: [...['A', 'T'].map(sentCommand), diedInGp('T', 'its process had no PASID yet')],
  cpus: 2,
};

/** A child process has no PASID, a child thread has its process's, and both start without one in the register. */
const forked: Own = {
  ...ON,
  id: 'enqcmd-fork',
  title: 'a task with a PASID forks a process and starts a thread; each sends a command',
  tasks: [
    { name: 'A', program: program(bind, enqcmd(), fork('child'), fork('T'), enqcmd()) },
    { name: 'child', program: program(sse.read(), bind, enqcmd()), unborn: true },
    { name: 'T', program: program(enqcmd()), threadOf: 'A', unborn: true },
  ],
  interference: { preempt: 'user' },
  sometimes: ['A', 'child', 'T'].map(sentCommand),
};

/** The new program is another process, with another PASID. */
const replaced: Own = {
  ...ON,
  id: 'enqcmd-exec',
  title: 'a task with a PASID replaces its program; the new one binds and sends a command, beside another process',
  tasks: [
    { name: 'A', program: program(bind, enqcmd(), syscall('execve'), bind, enqcmd()) },
    { name: 'B', program: program(sse.write(), bind, enqcmd(), sse.read()) },
  ],
  interference: { preempt: 'user' },
  sometimes: ['A', 'B'].map(sentCommand),
};

/** A frame holds no supervisor state: sigreturn has to leave the PASID where it is. */
const signals: Own = {
  ...ON,
  id: 'enqcmd-signal',
  title: "A's handler sends a command, and A does before and after; B has another PASID; frames fault",
  tasks: [
    {
      name: 'A',
      program: program(bind, enqcmd(), sse.write(), syscall('raise'), enqcmd(), sse.read()),
      handler: program(enqcmd()),
    },
    { name: 'B', program: program(bind, enqcmd(), sse.write(), sse.read()) },
  ],
  interference: { preempt: 'full', userFaults: true, allocation: { sleep: true } },
  sometimes: [...['A', 'B'].map(sentCommand), cameBack('A')],
};

/**
 * Binding twice, preempted anywhere in between: what the binding thread has in its register may be live, in memory, or INIT. The child's image
 * has in its slot what XSTATE_BV does not cover.
 */
const updated: Own = {
  ...ON,
  id: 'enqcmd-update',
  title: 'a task binds to two devices and forks; its child binds, too; both send commands and are preempted anywhere',
  xfeatures: ON.xfeatures | (1 << AVX),
  tasks: [
    { name: 'A', program: program(sse.write(), bind, enqcmd(), fork('child'), bind, enqcmd(), sse.read()) },
    { name: 'child', program: program(bind, enqcmd(), sse.read()), unborn: true },
  ],
  interference: { preempt: 'full', allocation: { sleep: true } },
  sometimes: ['A', 'child'].map(sentCommand),
};

/** The other thread is in the kernel with interrupts on, and its registers are just being loaded, when its process gets a PASID. */
const signalled: Own = {
  ...ON,
  id: 'enqcmd-signal-smp',
  title:
    'a process of two threads on two CPUs: one binds to a device, the other one takes a signal and sends a command',
  tasks: [
    { name: 'A', program: program(fork('T'), bind, enqcmd()) },
    { name: 'T', program: program(enqcmd()), handler: program(), threadOf: 'A', unborn: true },
  ],
  interference: { signals: true },
  sometimes: [...['A', 'T'].map(sentCommand), cameBack('T')],
  cpus: 2,
};

/** What they are, for the catalogue to complete. */
export const SVA: readonly Own[] = [processes, threads, smp, forked, replaced, signals, signalled, updated];
