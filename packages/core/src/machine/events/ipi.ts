/** A CPU asks others to run a function: inter-processor interrupts. */
import { defineEvent } from '../event-type';

/** `cpu` asked `target` to run the function. Linux: smp_call_function_many(). */
export const FunctionCalled = defineEvent('ipi.sent', { cpu: 'cpu', target: 'cpu' }, (s, _cpu, target) => {
  s.words[s.at.ipi + target] = 1;
});

/** The CPU has run it; whoever waits may go on. Linux: csd_unlock(). */
export const FunctionRun = defineEvent('ipi.done', { cpu: 'cpu' }, (s, cpu) => {
  s.words[s.at.ipi + cpu] = 0;
});
