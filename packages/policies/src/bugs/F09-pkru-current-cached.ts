import type { Bug } from './bug';

/** The right question, asked before the answer is there. */
export const F09: Bug = {
  id: 'F09',
  name: 'pkru-current-cached',
  title: "a task gets a kernel thread's PKRU",
  year: 2022,
  kernels: '5.2 to 5.12',
  source: '"x86/fpu: Correct pkru/xstate inconsistency", for 5.4 and 5.10 only, February 2022',
  property: 'pkru-mismatch',
  story:
    'switch_fpu_finish() asks whether current is a kernel thread, right after __switch_to() has made the new task current. But current is read with an accessor that ' +
    'lets the compiler keep what it read before, and __switch_to() had read it at its beginning: it was the old task then. From a kernel thread to a user task the answer is ' +
    "the kernel thread's, and the user task gets the kernel's default PKRU instead of its own. From one user task to another the answer is right by chance. " +
    'The fix passes the new task instead of asking who is current; 5.13 and later were rewritten that way for other reasons.',
  scenario: 'pkru-switch',
  platform: 'bare-metal',
  buggy: {
    preset: 'linux-5.10',
    patches: [
      {
        id: 'pkru-current-cached',
        title: 'the flags of current are read before current is the new task',
        source: 'as compiled before "x86/fpu: Correct pkru/xstate inconsistency"',
        edits: [
          { edit: 'move-to', routine: 'hook:switch-in', step: 'current->flags & PF_KTHREAD', to: 'hook:switch-out' },
        ],
      },
    ],
  },
  fixes: [{ by: 'the patch for 5.4 and 5.10', preset: 'linux-5.10' }],
};
