/** Scenarios of tracers and core dumps: somebody else looks at what a task has, or gives it something else. */
import { either, loop, mmx, program, sse, syscall } from '../kernel/program';
import { ptrace } from '../kernel/trace-request';
import type { MachineEvent } from '../machine/event-type';
import type { Scenario, Sometimes } from './scenario';
import { USED_BY_ALL } from './sometimes';

/** What is peculiar to each of these scenarios. */
export type TracingScenario = Pick<Scenario, 'id' | 'title' | 'tasks' | 'interference' | 'sometimes'>;

const stop = syscall('ptrace_stop');
const turn = syscall('sched_yield');

const happens = (id: string, text: string, type: MachineEvent['type']): Sometimes => ({
  id,
  text,
  tasks: [],
  test: (event) => event.type === type,
});
const STOPPED = happens('target-stopped', 'the target stopped for its tracer', 'task.stopped');
const SHOWN = happens('registers-shown', 'the tracer was shown registers', 'fpstate.shown');
const WRITTEN = happens('registers-written', 'the tracer wrote registers', 'fpstate.traced');

/** Computes beside the two others. */
const bystander = { name: 'B', program: program(sse.write(), sse.read()) };

/** The target computes, stops, and looks at what it has then. */
const ptraced: TracingScenario = {
  id: 'ptrace',
  title: 'D reads and writes registers of A, which is stopped, B computes',
  tasks: [
    { name: 'A', program: program(sse.write(), stop, sse.read()) },
    bystander,
    {
      name: 'D',
      program: program(
        either(ptrace('A', 'read', 'fpregs'), ptrace('A', 'write', 'xfpregs'), ptrace('A', 'write')),
        ptrace('A', 'read'),
        ptrace('A', 'cont'),
      ),
    },
  ],
  interference: { migration: true, allocation: { sleep: true } },
  sometimes: [...USED_BY_ALL(['A', 'B']), STOPPED, SHOWN, WRITTEN],
};

/** Six slices in turn with its tracer, which never computes: where registers are lazy, the seventh begins with those that are there. */
const preloaded: TracingScenario = {
  id: 'ptrace-preloaded',
  title: 'A has computed in many slices in turn with D, which writes its registers while it is stopped',
  tasks: [
    { name: 'A', program: program(loop(6, sse.update(), turn), sse.update(), stop, sse.read()) },
    { name: 'D', program: program(loop(6, turn), ptrace('A', 'write', 'fpregs'), ptrace('A', 'cont')) },
  ],
  interference: { idle: true, allocation: { sleep: true } },
  sometimes: [...USED_BY_ALL(['A']), STOPPED, WRITTEN],
};

const badImages = {
  name: 'D',
  program: program(
    either(ptrace('A', 'write-xcomp-bv'), ptrace('A', 'write-reserved'), ptrace('A', 'write-truncated')),
    ptrace('A', 'cont'),
  ),
};

/** As ptrace07 of the Linux Test Project does it. */
const headers: TracingScenario = {
  id: 'ptrace-headers',
  title: 'D gives A, which has nothing of its own in its registers, images with bad headers; B computes',
  tasks: [{ name: 'A', program: program(stop, sse.read(), mmx.read()) }, bystander, badImages],
  interference: { migration: true, allocation: { sleep: true } },
  sometimes: [...USED_BY_ALL(['A', 'B']), STOPPED],
};

const refused: TracingScenario = {
  id: 'ptrace-refused',
  title: 'D gives A, which has computed, images with bad headers; B computes',
  tasks: [{ name: 'A', program: program(sse.write(), stop, sse.read()) }, bystander, badImages],
  interference: { migration: true, allocation: { sleep: true } },
  sometimes: [...USED_BY_ALL(['A', 'B']), STOPPED],
};

/** The dump is made while the task may be preempted, and another one computes. */
const dumped: TracingScenario = {
  id: 'core-dump',
  title: 'A computes and ends with a core dump, which is preempted anywhere; B computes',
  tasks: [
    { name: 'A', program: program(sse.write(), syscall('abort')) },
    { name: 'B', program: program(sse.write(), sse.read()) },
  ],
  interference: { preempt: 'full', migration: true },
  sometimes: [...USED_BY_ALL(['B']), SHOWN],
};

/** All of them. */
export const TRACING: readonly TracingScenario[] = [ptraced, preloaded, headers, refused, dumped];
