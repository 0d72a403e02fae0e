import type { Sometimes } from './scenario';

/** Every one of these tasks reads registers at some time. */
export const USED_BY_ALL = (tasks: readonly string[]): readonly Sometimes[] =>
  tasks.map((name) => ({
    id: `${name}-used-the-fpu`,
    text: `${name} used the FPU`,
    tasks: [name],
    test: (event, [task]) => event.type === 'fpregs.read' && event.data.task === task,
  }));

/** A task comes back from its signal handler. */
export const cameBack = (name: string): Sometimes => ({
  id: `${name}-came-back`,
  text: `${name} came back from its handler`,
  tasks: [name],
  test: (event, [task]) => event.type === 'signal.handler-left' && event.data.task === task,
});

/** A task is killed in a system call: sys_rt_sigreturn. */
export const diesIn = (name: string, routine: string, why: string): Sometimes => ({
  id: `${name}-died-in-${routine}`,
  text: `${name} was killed because ${why}`,
  tasks: [name],
  test: (event, [task], where) =>
    event.type === 'task.exiting' && event.data.task === task && where.isInside(task, routine),
});
