/** Slots of plugins, verdicts of oracles. */
import { defineEvent } from '../event-type';
import { ORACLE_SLOTS } from '../state';

/** A policy or platform wrote one of its slots. `slot` is the word in the packed state; logs name it. */
export const SlotWritten = defineEvent(
  'slot.written',
  { slot: 'slot', value: 'number' },
  (s, slot, value) => {
    s.words[slot] = value;
  },
  { local: true },
);

/** The validity of a task's FPU context changed: see VALIDITY. */
export const ValidityChanged = defineEvent(
  'validity.changed',
  { task: 'task', from: 'number', to: 'number' },
  (s, task, _from, to) => {
    s.words[s.at.validity + task] = to;
  },
  { fpu: true },
);

/**
 * Something happened that must never happen. `oracle` indexes ORACLES; `reader` is the task that is harmed or that
 * sees too much. Each (oracle, component, task) is reported once per run.
 */
export const OracleViolated = defineEvent(
  'oracle.violated',
  { oracle: 'number', cpu: 'cpu', reader: 'task', component: 'component', value: 'value', expected: 'value' },
  (s, oracle, _cpu, reader, component) => {
    s.words[s.at.reported + reader * ORACLE_SLOTS + oracle] |= reportedBit(component);
  },
);

/** The bit of a component in a task's `reported` word. Component -1 stands for "no component". */
export function reportedBit(component: number): number {
  return 1 << (component + 1);
}
