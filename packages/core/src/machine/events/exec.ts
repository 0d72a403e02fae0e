/** execve() in a process of several threads: the others die first. */
import { defineEvent } from '../event-type';
import { EXEC_STATE } from '../state';

/** A thread that replaces the program killed another one of its process, which wakes up if it has stopped for its tracer. Linux: zap_other_threads(). */
export const ThreadKilled = defineEvent(
  'thread.killed',
  { cpu: 'cpu', task: 'task', target: 'task' },
  (s, _cpu, _task, target) => {
    s.words[s.at.execState + target] = EXEC_STATE.killed;
    if (s.at.stopped >= 0) s.words[s.at.stopped + target] = 0;
  },
);

/** The thread that replaces the program sleeps until the others are dead. Linux: de_thread(). */
export const ExecWaited = defineEvent('exec.waited', { cpu: 'cpu', task: 'task' }, (s, _cpu, task) => {
  s.words[s.at.execState + task] = EXEC_STATE.waits;
});

/** The last of them died, and woke it. Linux: __exit_signal(). */
export const ExecWoken = defineEvent(
  'exec.woken',
  { cpu: 'cpu', task: 'task', target: 'task' },
  (s, _cpu, _task, target) => {
    s.words[s.at.execState + target] = EXEC_STATE.none;
  },
);
