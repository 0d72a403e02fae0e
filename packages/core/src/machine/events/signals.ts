/** Signals, their frames and their handlers. */
import { defineEvent } from '../event-type';
import { ALL_COMPONENTS } from '../../x86/components';
import { INIT, serialOf } from '../values';
import { forgetFrame, eachComponent } from './changes';

/** A signal for which the task has a handler is pending. Linux: TIF_SIGPENDING. */
export const SignalSent = defineEvent('signal.sent', { task: 'task' }, (s, task) => {
  s.words[s.at.signalPending + task] = 1;
});

/** The kernel took the pending signal. Linux: get_signal(). */
export const SignalTaken = defineEvent('signal.taken', { cpu: 'cpu', task: 'task' }, (s, _cpu, task) => {
  s.words[s.at.signalPending + task] = 0;
});

/** The kernel chose a place for the signal frame on the user's stack. Nothing is there yet, if pages are there at all. */
export const FramePlaced = defineEvent(
  'signal.frame-placed',
  { cpu: 'cpu', task: 'task' },
  (s, _cpu, task) => {
    forgetFrame(s, task);
  },
  { fpu: true },
);

/** The frame does not fit the alternate stack of the handler: it lies below, in whatever memory is there. */
export const FrameOverflowed = defineEvent('signal.frame-overflowed', { cpu: 'cpu', task: 'task' }, () => {});

/** What is known of the pages of a task's signal frame: one of FRAME_PAGES. */
export const FramePagesChanged = defineEvent(
  'signal.frame-pages',
  { task: 'task', pages: 'number' },
  (s, task, pages) => {
    s.words[s.at.framePages + task] = pages;
  },
  { fpu: true },
);

/**
 * The signal frame is complete: what it holds is the task's state when it returns, and the handler starts with INIT by the ABI. Components outside
 * of `initialised` stay.
 */
export const FrameCompleted = defineEvent(
  'signal.frame-completed',
  { cpu: 'cpu', task: 'task', initialised: 'mask' },
  (s, _cpu, task, initialised) => {
    const n = s.at.components;
    eachComponent(s, ALL_COMPONENTS, (index, bit) => {
      const word = s.at.architectural + task * n + index;
      s.words[s.at.interrupted + task * n + index] = s.words[word];
      if (initialised & bit) s.words[word] = INIT;
    });
  },
  { fpu: true },
);

/** The task goes on in its handler, at operation `handler` of its program. */
export const HandlerEntered = defineEvent(
  'signal.handler-entered',
  { cpu: 'cpu', task: 'task', handler: 'number' },
  (s, _cpu, task, handler) => {
    const user = s.at.framePc + task * s.at.stackDepth;
    s.words[s.at.resume + task] = s.words[user];
    s.words[user] = handler;
  },
);

/** A 32-bit program put a new x87 state into the FSAVE header of its frame: it is what the task has when it returns. */
export const FsaveHeaderWritten = defineEvent(
  'signal.fsave-written',
  { task: 'task', component: 'component', value: 'value' },
  (s, task, component, value) => {
    const n = s.at.components;
    const index = s.at.indexOfBit[component];
    s.words[s.at.image + (s.at.firstFpstate.fsave + task) * n + index] = value;
    s.words[s.at.interrupted + task * n + index] = value;
    s.words[s.at.serial + task] = serialOf(value);
  },
  { fpu: true },
);

/** The task asks for what its frame holds: the components of `restored` by the ABI, INIT in those of `initialised`. */
export const FrameReturned = defineEvent(
  'signal.frame-returned',
  { cpu: 'cpu', task: 'task', restored: 'mask', initialised: 'mask' },
  (s, _cpu, task, restored, initialised) => {
    const n = s.at.components;
    eachComponent(s, restored | initialised, (index, bit) => {
      const word = s.at.architectural + task * n + index;
      s.words[word] = restored & bit ? s.words[s.at.interrupted + task * n + index] : INIT;
    });
    s.words.fill(INIT, s.at.interrupted + task * n, s.at.interrupted + (task + 1) * n);
    s.words[s.at.returning + task] = 1;
  },
  { fpu: true },
);

/** The task goes on where its handler had interrupted it. */
export const HandlerLeft = defineEvent(
  'signal.handler-left',
  { cpu: 'cpu', task: 'task' },
  (s, _cpu, task) => {
    s.words[s.at.framePc + task * s.at.stackDepth] = s.words[s.at.resume + task];
    s.words[s.at.resume + task] = -1;
    forgetFrame(s, task);
  },
  { fpu: 'too' },
);
