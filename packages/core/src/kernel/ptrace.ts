/**
 * Stopped tasks and their tracers.
 *
 * Linux 3.6 to 6.1 kernel/ptrace.c ptrace_check_attach(), ptrace_regset(), ptrace_resume(); kernel/signal.c ptrace_stop(). The
 * tracer waits there until its target has left its CPU (wait_task_inactive()); here such a request came too early and fails as one does
 * whose target runs. Both orders are tried anyway.
 *
 * PTRACE_SETREGSET with a length that is no multiple of the register set's 8 bytes fails with -EINVAL in ptrace_regset(): the policy
 * is not asked. What is too short otherwise gets -EFAULT from xstateregs_set() since 4.8 and is not modelled.
 */
import * as events from '../machine/events';
import type { EventType } from '../machine/event-type';
import { at, exitPath, type ExitServices } from './exit-to-user';
import { routine, when, type Condition, type Routine, type RoutineNode } from './routine';
import { requestOf } from './trace-request';
import type { Cpu } from './cpu';

/** What these routines need of the machine around them. */
export interface TraceServices extends ExitServices {
  /** Per task: who traces it; -1 for nobody. */
  readonly tracers: readonly number[];
}

/** Who is traced is in local 0, the request (traceCode()) in local 1. */
const REQUEST_LOCALS = { locals: ['task', 'number'] } as const;

const isReady: Condition = (k) => (k as Cpu).targetIsStopped && (k as Cpu).regsetExists;
const wants =
  (...requests: readonly string[]): Condition =>
  (k) =>
    requests.includes(requestOf(k.local(1)));

/** A step at which the kernel asks its policy for registers of `target`. */
const regsetHook = (name: string, type: EventType): RoutineNode =>
  at(name, (k) => k.emit(type, k.cpu, k.task, k.target));

/** The system calls of tracers, and the place where their targets wait for them. */
export function traceRoutines(services: TraceServices): readonly Routine[] {
  const isTraced: Condition = (k) => (k as Cpu).isAlive(services.tracers[k.task]);
  return [
    routine('sys_ptrace_stop', [
      when(isTraced, [at('ptrace_stop', (k) => k.stopForTracer())]),
      ...exitPath(services, 'sysret'),
    ]),
    routine(
      'sys_ptrace',
      [
        when(isReady, [
          when(
            wants('cont'),
            [at('ptrace_resume', (k) => k.emit(events.TaskContinued, k.cpu, k.task, k.target))],
            [
              when(
                wants('read'),
                [regsetHook('copy_regset_to_user', events.PtraceRead)],
                [
                  when(wants('write', 'write-reserved', 'write-xcomp-bv', 'write-dynamic'), [
                    regsetHook('copy_regset_from_user', events.PtraceWrite),
                  ]),
                ],
              ),
            ],
          ),
        ]),
        ...exitPath(services, 'sysret'),
      ],
      REQUEST_LOCALS,
    ),
  ];
}

/** A tracer that ends lets its targets go on: exit_ptrace(). */
export function exitPtrace({ tracers }: TraceServices): readonly RoutineNode[] {
  const traces: Condition = (k) => tracers.includes(k.task);
  const letGo = (k: Cpu): void => {
    tracers.forEach((tracer, target) => {
      if (tracer === k.task && k.isStopped(target)) k.emit(events.TaskContinued, k.cpu, k.task, target);
    });
  };
  return tracers.some((tracer) => tracer >= 0) ? [when(traces, [at('exit_ptrace', letGo)])] : [];
}
