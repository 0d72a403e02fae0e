/** The fix of F49 on the kernels that are modelled with it. */
import type { Patch, PatchEdit } from '@fpulab/core';

/** Moves steps of save_i387_xstate() behind the frame: the state is given up when the whole of it is on the user's stack. */
const frameFirst = (kernel: string, steps: readonly string[]): Patch => ({
  id: `frame-first-${kernel}`,
  title: 'the FPU state is given up when the whole signal frame is written, not when its FPU part is',
  source: '66463db4fc56 "x86, fpu: shift drop_init_fpu() from save_xstate_sig() to handle_signal()"',
  edits: [
    ...steps.map((step): PatchEdit => ({
      edit: 'move-to',
      routine: 'save_i387_xstate',
      step,
      to: 'hook:signal-clear',
    })),
    // What has been moved is for frames of 32-bit programs too.
    { edit: 'remove', routine: 'save_i387_xstate_ia32', step: 'clear_used_math' },
  ],
});

/** For 2.6.32, on top of PREEMPT_SAFE_SIGFRAME, and for 3.6. */
export const FRAME_FIRST: readonly Patch[] = [
  frameFirst('2.6.32', [
    'preempt_disable (user_fpu_end)',
    'TS_USEDFPU = 0',
    'stts',
    'preempt_enable (user_fpu_end)',
    'clear_used_math',
  ]),
  frameFirst('3.6', ['user_fpu_end', 'clear_used_math']),
];
