/** Contexts that are entered, routines that are called, masks and locals of their frames. */
import { defineEvent } from '../event-type';
import { CALLED } from '../frames';
import { LOCALS } from '../state';
import { topFrame, pushFrame, stopCpu } from './changes';

/** A context was entered: a system call, an exception, an interrupt, the hypervisor. */
export const ContextEntered = defineEvent(
  'context.entered',
  { cpu: 'cpu', task: 'task', at: 'pc', status: 'mask' },
  (s, _cpu, task, at, status) => pushFrame(s, task, at, status),
  { local: true },
);

/** A plugin reacted to a hook, or kernel code called a routine. The masks are the caller's. */
export const RoutineEntered = defineEvent(
  'routine.entered',
  { cpu: 'cpu', task: 'task', at: 'pc' },
  (s, _cpu, task, at) => {
    const status = s.words[topFrame(s, task) - s.at.framePc + s.at.frameStatus];
    pushFrame(s, task, at, status | CALLED);
  },
  { local: true },
);

/** Interrupts, bottom halves or preemption were switched off or on: the new status word of the top frame. */
export const MasksChanged = defineEvent(
  'masks.changed',
  { cpu: 'cpu', task: 'task', status: 'mask' },
  (s, _cpu, task, status) => {
    s.words[topFrame(s, task) - s.at.framePc + s.at.frameStatus] = status;
  },
  { local: true },
);

/** A local of a frame got a value. `frame` counts from the bottom of the task's stack. */
export const LocalWritten = defineEvent(
  'local.written',
  { cpu: 'cpu', task: 'task', frame: 'number', index: 'number', value: 'number' },
  (s, _cpu, task, frame, index, value) => {
    s.words[s.at.frameLocal + (task * s.at.stackDepth + frame) * LOCALS + index] = value;
  },
  { local: true },
);

/** The stack of a task was exhausted by nested contexts: a double fault. The CPU stops. */
export const StackOverflowed = defineEvent('kernel.stack-overflowed', { cpu: 'cpu', task: 'task' }, stopCpu, {
  unpicks: true,
});

/** The kernel tried to kill an idle task. The CPU stops. */
export const KernelPanicked = defineEvent('kernel.panicked', { cpu: 'cpu', task: 'task' }, stopCpu, {
  unpicks: true,
});

/** Kernel code reached a point where it may sleep (might_sleep()). */
export const MightSleepReached = defineEvent(
  'kernel.might-sleep',
  { cpu: 'cpu', task: 'task', status: 'mask' },
  () => {},
  { local: true },
);
