import { step, when } from '@fpulab/core';
import { ATTEMPT, went } from '../user-frame';
import type { Bug } from './bug';

/** The state is given up before the frame that holds it is complete. */
export const F49: Bug = {
  id: 'F49',
  name: 'frame-drop-before-commit',
  title: 'a signal frame that fails costs the task its registers',
  year: 2014,
  kernels: 'seen on 3.17-rc3',
  source:
    '66463db4fc56 "x86, fpu: shift drop_init_fpu() from save_xstate_sig() to handle_signal()", September 2014; LTP signal06',
  property: 'lost-update',
  story:
    'A signal frame is written in two parts: the FPU state first, then siginfo, ucontext and general registers. As soon as the first is on ' +
    "the user's stack the kernel forgets the state, so that the handler will start with a fresh one. Then the second part faults for " +
    'good. The kernel sends SIGSEGV instead and builds a frame for its handler: on another stack, and with what the task has now, which ' +
    'is INIT. Whatever that handler does, the registers that it returns to are not those that the task had. One task, no interrupt, ' +
    'nobody else. The fix drops the state when the whole frame is there.',
  scenario: 'frame-fails',
  platform: 'bare-metal',
  buggy: {
    preset: 'linux-4.1-eager',
    patches: [
      {
        id: 'frame-drop-before-commit',
        title: 'save_xstate_sig() resets the FPU state itself, before the rest of the frame is written',
        source: 'before 66463db4fc56: fpu_reset_state() is called drop_init_fpu() there',
        edits: [
          {
            edit: 'insert-after',
            routine: 'save_xstate_sig',
            step: 'saved to the frame',
            nodes: [when(went(ATTEMPT.ok), [step('drop_init_fpu', (k) => k.call('fpu_reset_state'))])],
          },
          { edit: 'remove', routine: 'handle_signal', step: 'fpu_reset_state' },
        ],
      },
    ],
  },
  fixes: [{ by: '66463db4fc56', preset: 'linux-4.1-eager' }],
};
