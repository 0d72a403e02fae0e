/** Choices that a driver answered, and steps of kernel and user code. */
import { defineEvent } from '../event-type';
import { LOCALS } from '../state';
import { topFrame, popFrame } from './changes';

/** A driver answered a choice. `kind` indexes CHOICE_KINDS; `enabled` digests the alternatives. */
export const ChoiceMade = defineEvent(
  'choice.made',
  { kind: 'number', taken: 'number', index: 'number', count: 'number', enabled: 'digest' },
  () => {},
  { local: true },
);

/** `next` value that pops the frame. */
export const RETURN = -1;

/** Kernel or hypervisor code took one step: from `at` to `next`, or out of its frame. */
export const KernelStepped = defineEvent(
  'kernel.stepped',
  { cpu: 'cpu', task: 'task', at: 'pc', next: 'pc' },
  (s, _cpu, task, _at, next) => {
    if (next === RETURN) popFrame(s, task);
    else s.words[topFrame(s, task)] = next;
  },
  { local: true },
);

/** A step faulted before it had any effect. The conditions before it have been answered: it starts again, they do not. */
export const KernelReached = defineEvent(
  'kernel.reached',
  { cpu: 'cpu', task: 'task', at: 'pc' },
  (s, _cpu, task, at) => {
    s.words[topFrame(s, task)] = at;
  },
  { local: true },
);

/** User code completed one operation of its program. `at` and `next` index the task's program. */
export const UserStepped = defineEvent(
  'user.stepped',
  { cpu: 'cpu', task: 'task', at: 'number', next: 'number' },
  (s, _cpu, task, _at, next) => {
    s.words[topFrame(s, task)] = next;
  },
);

/** A kernel thread began the next operation of its program. `at` and `next` index it. */
export const KernelThreadStepped = defineEvent(
  'kthread.stepped',
  { cpu: 'cpu', task: 'task', at: 'number', next: 'number' },
  (s, _cpu, task, _at, next) => {
    s.words[s.at.frameLocal + task * s.at.stackDepth * LOCALS + 1] = next;
  },
);
