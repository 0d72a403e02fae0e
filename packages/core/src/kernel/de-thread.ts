/**
 * execve() in a process of several threads: the thread that calls it kills the others, and goes on when they are dead.
 *
 * Linux 6.1 fs/exec.c de_thread(), kernel/signal.c zap_other_threads(), kernel/exit.c __exit_signal(). The caller is the first thread of its process:
 * another one would take over its identity. A killed thread dies on its way to user code; one that runs user code is interrupted at once.
 */
import * as events from '../machine/events';
import { EXEC_STATE, LIFECYCLE } from '../machine/state';
import type { EventStream } from '../machine/stream';
import type { Cpu } from './cpu';
import { at } from './exit-to-user';
import { when, type RoutineNode } from './routine';

/** Who calls, and the threads of its process, itself among them. */
export interface ExecingThread {
  readonly cpu: number;
  readonly task: number;
  readonly threads: readonly number[];
}

/** What execve() does before it replaces anything, in machines where somebody has threads that it ends. */
export const deThread: readonly RoutineNode[] = [
  at('zap_other_threads', (k) => k.killOtherThreads()),
  when(
    (k) => (k as Cpu).otherThreadsLive,
    [
      at('de_thread: schedule', (k) => {
        k.emit(events.ExecWaited, k.cpu, k.task);
        k.call('schedule');
      }),
    ],
  ),
];

/** Every other thread that lives. */
export function killOthers(stream: EventStream, thread: ExecingThread): void {
  for (const target of othersAlive(stream, thread)) stream.emit(events.ThreadKilled, thread.cpu, thread.task, target);
}

/** The other threads of a process that live. */
export function othersAlive(stream: EventStream, { task, threads }: ExecingThread): readonly number[] {
  stream.touchedShared = true;
  const { lifecycle } = stream.state.at;
  return threads.filter((other) => other !== task && look(stream, lifecycle + other) === LIFECYCLE.alive);
}

/** True for a thread that another one has killed. */
export function isKilled(stream: EventStream, task: number): boolean {
  const { execState } = stream.state.at;
  if (execState < 0) return false;
  stream.touchedShared = true;
  return look(stream, execState + task) === EXEC_STATE.killed;
}

/** The current task is dead: was it the last one that somebody waits for? */
export function wakeExecing(stream: EventStream, thread: ExecingThread): void {
  const { execState } = stream.state.at;
  if (execState < 0) return;
  const waiting = thread.threads.find((other) => look(stream, execState + other) === EXEC_STATE.waits);
  if (waiting === undefined || othersAlive(stream, { ...thread, task: waiting }).length > 0) return;
  stream.emit(events.ExecWoken, thread.cpu, thread.task, waiting);
}

/** A word that the footprint has to know of. */
function look({ footprint, state }: EventStream, word: number): number {
  footprint?.readWord(word);
  return state.words[word];
}
