/**
 * Functions that one CPU has others run: an interrupt comes there as soon as interrupts are on, whatever else is masked.
 *
 * Linux 5.10 kernel/smp.c smp_call_function_many(), on_each_cpu_mask(); arch/x86/kernel/smp.c sysvec_call_function().
 */
import * as events from '../machine/events';
import type { EventStream } from '../machine/stream';
import { at, hookStep } from './exit-to-user';
import { routine, type Routine, type RoutineNode } from './routine';

/** The routine that an inter-processor interrupt enters. */
export const CALL_FUNCTION_ROUTINE = 'sysvec_call_function';

/** The interrupt handler; `exit` is the end of an interrupt. */
export function callFunctionRoutine(exit: readonly RoutineNode[]): Routine {
  return routine(CALL_FUNCTION_ROUTINE, [
    hookStep('the function that was asked for', events.CallFunction),
    at('csd_unlock', (k) => k.finishCall()),
    ...exit,
  ]);
}

/** Asks every other CPU on which one of these tasks runs. */
export function callOthers(stream: EventStream, cpu: number, tasks: readonly number[]): void {
  const { at } = stream.state;
  stream.touchedShared = true;
  for (let other = 0; other < at.cpus; other++) {
    if (other !== cpu && tasks.includes(look(stream, at.current + other)))
      stream.emit(events.FunctionCalled, cpu, other);
  }
}

/** True while some other CPU has not run its function yet. */
export function othersAreCalled(stream: EventStream, cpu: number): boolean {
  const { at } = stream.state;
  stream.touchedShared = true;
  return Array.from({ length: at.cpus }, (_, other) => other).some(
    (other) => other !== cpu && look(stream, at.ipi + other) !== 0,
  );
}

/** A word that the footprint has to know of. */
function look({ footprint, state }: EventStream, word: number): number {
  footprint?.readWord(word);
  return state.words[word];
}
