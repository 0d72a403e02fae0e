/** Shared virtual addressing: the PASID of a process, and what the kernel makes of it in a task's registers. */
import { defineEvent } from '../event-type';

/** A process got a PASID, or gave it back (INIT). `leader` stands for its mm. Linux: mm_pasid_set(), mm_pasid_drop(). */
export const MmPasidWritten = defineEvent(
  'mm.pasid-written',
  { cpu: 'cpu', leader: 'task', value: 'value' },
  (s, _cpu, leader, value) => {
    s.words[s.at.mmPasid + leader] = value;
  },
);

/**
 * The kernel put a value into a register of the task that runs: from now on it is what that task has. One event, because no moment lies
 * between the two. `fpregs.loaded` brings back what a task had already.
 */
export const FpregsGiven = defineEvent(
  'fpregs.given',
  { cpu: 'cpu', task: 'task', component: 'component', value: 'value' },
  (s, cpu, task, component, value) => {
    const n = s.at.components;
    const index = s.at.indexOfBit[component];
    s.words[s.at.fpregs + cpu * n + index] = value;
    s.words[s.at.architectural + task * n + index] = value;
    s.words[s.at.execed + task] &= ~(1 << component);
  },
  { fpu: true },
);
