/**
 * How deep a CPU idles. Deep states may want registers to be INIT: Linux 6.1 drivers/idle/intel_idle.c, CPUIDLE_FLAG_INIT_XSTATE. In shallow ones
 * they stay as they are, and so may the owner.
 */
import * as events from '../machine/events';
import { CHOICE, IDLE } from './choices';
import { at, hookStep } from './exit-to-user';
import type { PolicyHook } from './hooks';
import { when, type RoutineNode } from './routine';

const DEPTHS = [IDLE.deep, IDLE.shallow] as const;

/** The cpuidle driver, interrupts off. Which state its governor selects is a choice, where some policy cares. */
export function idleStates({ answers }: { answers(hook: PolicyHook): boolean }): readonly RoutineNode[] {
  if (!answers('idle')) return [];
  return [
    at('local_irq_disable for cpuidle', (k) => k.localIrqDisable()),
    at('cpuidle_select', (k) => k.setLocal(0, k.choose(CHOICE.idle, DEPTHS))),
    when((k) => k.local(0) === IDLE.deep, [hookStep('cpuidle_enter', events.IdleEntered)]),
    at('local_irq_enable after cpuidle', (k) => {
      k.setLocal(0, 0);
      k.localIrqEnable();
    }),
  ];
}
