/**
 * A fatal signal: the task's own state goes to a core file before it ends.
 *
 * Linux 3.6 to 6.1 fs/coredump.c do_coredump(), fs/binfmt_elf.c fill_thread_core_info(), which asks every register set's get(). One
 * question for NT_X86_XSTATE stands for all of them. Other threads, which are stopped then, are not modelled.
 */
import * as events from '../machine/events';
import { at, exitPath, type ExitServices } from './exit-to-user';
import { routine, type Routine } from './routine';
import { traceCode } from './trace-request';

/** abort(): SIGABRT without a handler. Local 0 is the task itself, as it is its tracer's target, local 1 the register set. */
export function abortRoutine(services: ExitServices): Routine {
  const whole = traceCode({ request: 'read', regset: 'xstate' });
  return routine(
    'sys_abort',
    [
      at('do_coredump', (k) => {
        k.setTaskLocal(0, k.task);
        k.setLocal(1, whole);
        k.emit(events.CoreDump, k.cpu, k.task);
      }),
      at('do_group_exit', (k) => k.killCurrent()),
      ...exitPath(services, 'sysret'),
    ],
    { locals: ['task', 'number'] },
  );
}
