/** Scenarios about AMX tiles, which Linux enables per task: the first use traps, and the kernel asks for permission and memory. */
import { amx, either, fork, program, sse, syscall } from '../kernel/program';
import { ptrace } from '../kernel/trace-request';
import { INIT } from '../machine/values';
import { SSE, TILECFG, TILEDATA, X87 } from '../x86/components';
import type { Scenario, Sometimes } from './scenario';
import { USED_BY_ALL, cameBack } from './sometimes';

type Own = Pick<Scenario, 'id' | 'title' | 'tasks' | 'interference' | 'sometimes'> & Partial<Scenario>;

/** The processor of all of them. Fewer components make smaller states: the others take no part here. */
const ON = {
  cpu: 'sapphire-rapids',
  xfeatures: [X87, SSE, TILECFG, TILEDATA].reduce((mask, bit) => mask | (1 << bit), 0),
} as const;

const ask = syscall('req_xcomp_perm');

const hasTiles = (name: string): Sometimes => ({
  id: `${name}-read-tiles`,
  text: `${name} read tiles`,
  tasks: [name],
  test: (event, [task]) =>
    event.type === 'fpregs.read' && event.data.task === task && event.data.component === TILEDATA,
});

const TILES_SHOWN: Sometimes = {
  id: 'tiles-shown',
  text: 'the tracer was shown tiles',
  tasks: [],
  test: ({ type, data }) => type === 'fpstate.shown' && data.component === TILEDATA && data.value !== INIT,
};

const diesInNm = (name: string, why: string): Sometimes => ({
  id: `${name}-died-in-nm`,
  text: `${name} was killed because ${why}`,
  tasks: [name],
  test: (event, [task], where) =>
    event.type === 'task.exiting' && event.data.task === task && where.isInside(task, 'device_not_available'),
});

/** The allocation in #NM sleeps, and B owns the registers when A goes on; or it fails, and A has lost nothing but its life. */
const firstUse: Own = {
  ...ON,
  id: 'amx',
  title: 'A asks for AMX tiles and uses them, B uses them without asking; the allocation sleeps or fails',
  tasks: [
    { name: 'A', program: program(ask, amx.configure(), amx.write(), amx.read(), amx.release()) },
    { name: 'B', program: program(sse.write(), sse.read(), amx.configure(), amx.write()) },
  ],
  interference: { preempt: 'full', idle: true, allocation: { sleep: true, fail: true } },
  sometimes: [
    hasTiles('A'),
    diesInNm('A', 'there was no memory for its tiles'),
    ...USED_BY_ALL(['B']),
    diesInNm('B', 'it had not asked for tiles'),
  ],
};

/** What fork() inherits (the permission, the configuration) and what not (the tiles); what execve() takes away. */
const life: Own = {
  ...ON,
  id: 'amx-life',
  title: 'a task with tiles forks, the child uses tiles of its own, the parent replaces its program',
  tasks: [
    {
      name: 'parent',
      program: program(ask, amx.configure(), amx.write(), fork('child'), amx.read(), syscall('execve')),
    },
    { name: 'child', program: program(amx.read(), amx.write(), amx.read()), unborn: true },
  ],
  interference: { preempt: 'full', allocation: { sleep: true } },
  sometimes: ['parent', 'child'].map(hasTiles),
};

/** One frame with tiles and one without, while the other task owns the registers. */
const signals: Own = {
  ...ON,
  id: 'amx-signal',
  title: "A's handler interrupts its work with tiles, B has none and takes a signal too",
  tasks: [
    {
      name: 'A',
      program: program(ask, amx.configure(), amx.write(), syscall('raise'), amx.read()),
      handler: program(amx.configure()),
    },
    { name: 'B', program: program(sse.write(), syscall('raise'), sse.read()), handler: program() },
  ],
  interference: { preempt: 'full' },
  sometimes: [hasTiles('A'), ...['A', 'B'].map(cameBack)],
};

const migration: Own = {
  ...ON,
  id: 'amx-migration',
  title: 'a task with tiles and one without move between two CPUs',
  tasks: [
    { name: 'A', program: program(ask, amx.configure(), amx.write(), amx.read()) },
    { name: 'B', program: program(sse.write(), sse.read()) },
  ],
  interference: { preempt: 'user', migration: true },
  sometimes: [hasTiles('A'), ...USED_BY_ALL(['B'])],
  cpus: 2,
};

/** The permission is the process's; an alternate stack of one thread that is too small stands against it. */
const threads: Own = {
  ...ON,
  id: 'amx-threads',
  title: 'A asks for AMX tiles, its thread T uses them, unless T has installed a small alternate stack before',
  tasks: [
    { name: 'A', program: program(fork('T'), ask, amx.configure(), amx.write(), amx.read()) },
    {
      name: 'T',
      threadOf: 'A',
      unborn: true,
      program: program(either(syscall('sigaltstack'), syscall('getpid')), amx.configure(), amx.write(), amx.read()),
    },
  ],
  interference: { preempt: 'user', allocation: { sleep: true } },
  sometimes: [
    ...['A', 'T'].map(hasTiles),
    diesInNm('A', 'the stack of T left no room for tiles'),
    diesInNm('T', 'A had not asked yet'),
  ],
};

/** A tracer can read and write tiles, where the target has some; it cannot give them to one that has none. */
const traced: Own = {
  ...ON,
  id: 'ptrace-tiles',
  title: 'D reads and writes registers of A, which has AMX tiles, and writes an image with tiles for C, which has none',
  tasks: [
    { name: 'A', program: program(ask, amx.configure(), amx.write(), syscall('ptrace_stop'), amx.read()) },
    { name: 'C', program: program(sse.write(), syscall('ptrace_stop'), sse.read()) },
    {
      name: 'D',
      program: program(
        either(ptrace('A', 'read'), ptrace('A', 'write-dynamic'), ptrace('A', 'write', 'fpregs')),
        ptrace('C', 'write-dynamic'),
        ptrace('A', 'cont'),
        ptrace('C', 'cont'),
      ),
    },
  ],
  interference: { migration: true, allocation: { sleep: true, fail: true } },
  sometimes: [hasTiles('A'), ...USED_BY_ALL(['C']), TILES_SHOWN],
};

/** What they are, for the catalogue to complete. */
export const TILES: readonly Own[] = [firstUse, life, signals, migration, threads, traced];
