/** Shared virtual addressing: the PASID of a process; and kernel code that gives a task one component, in a register or in its image. */
import { defineEvent } from '../event-type';
import { HEADER } from '../state';
import { INIT } from '../values';
import { countValue, firstExtended } from './changes';

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
    countValue(s, value);
  },
  { fpu: true },
);

/** Kernel code starts to update a component of a task's state: until that is done, it may be in no place that counts. */
export const UpdateBegun = defineEvent(
  'update.begun',
  { task: 'task', component: 'component' },
  (s, task, component) => {
    s.words[s.at.updating + task] |= 1 << component;
  },
  { fpu: true },
);

/** The update is done: from now on `value` is what the task has. */
export const UpdateFinished = defineEvent(
  'update.finished',
  { task: 'task', component: 'component', value: 'value' },
  (s, task, component, value) => {
    s.words[s.at.updating + task] &= ~(1 << component);
    s.words[s.at.architectural + task * s.at.components + s.at.indexOfBit[component]] = value;
    s.words[s.at.execed + task] &= ~(1 << component);
    countValue(s, value);
  },
  { fpu: true },
);

/** A register was read (RDMSR, RDPKRU) and its value written to the slot of its component; XSTATE_BV stays. */
export const RegisterStored = defineEvent(
  'fpstate.register-stored',
  { cpu: 'cpu', fpstate: 'fpstate', component: 'component' },
  (s, cpu, fpstate, component) => {
    const n = s.at.components;
    const index = s.at.indexOfBit[component];
    s.words[s.at.image + fpstate * n + index] = s.words[s.at.fpregs + cpu * n + index];
  },
  { fpu: true },
);

/** Kernel code changed a part of what it found in the slot of a component: `base`, of which the rest stays. */
export const FpstateChanged = defineEvent(
  'fpstate.changed',
  { cpu: 'cpu', task: 'task', fpstate: 'fpstate', component: 'component', base: 'value', value: 'value' },
  (s, _cpu, _task, fpstate, component, _base, value) => {
    s.words[s.at.image + fpstate * s.at.components + s.at.indexOfBit[component]] = value;
  },
  { fpu: true },
);

/**
 * XSAVES with one component in its instruction mask. XCOMP_BV names that one, XSTATE_BV at most that one, and it lies right behind the header,
 * where images of all components have another one (Intel SDM Vol. 1 "Operation of XSAVES" (13.11), "Extended Region of an XSAVE
 * Area" (13.4.3)).
 */
export const FpregsSavedAlone = defineEvent(
  'fpregs.saved-alone',
  { cpu: 'cpu', fpstate: 'fpstate', component: 'component', bytes: 'number', instruction: 'instruction' },
  (s, cpu, fpstate, component) => {
    const n = s.at.components;
    const value = s.words[s.at.fpregs + cpu * n + s.at.indexOfBit[component]];
    if (value !== INIT) s.words[s.at.image + fpstate * n + firstExtended(s)] = value;
    s.words[s.at.xstateBv + fpstate] = value === INIT ? 0 : 1 << component;
    s.words[s.at.header + fpstate] = HEADER.valid;
    s.words[s.at.alone + fpstate] = 1 << component;
  },
  { fpu: true },
);
