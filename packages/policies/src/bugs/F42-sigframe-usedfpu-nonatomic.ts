import type { Bug } from './bug';

/** The flag and CR0.TS change one after the other, and another task comes in between. */
export const F42: Bug = {
  id: 'F42',
  name: 'sigframe-usedfpu-nonatomic',
  title: 'a task is preempted between its FPU flag and CR0.TS',
  year: 2012,
  kernels: 'up to 3.2, 64-bit',
  source: '15d8791cae75 "i387: fix x86-64 preemption-unsafe user stack save/restore"',
  property: 'leak',
  story:
    'A signal is delivered. The kernel has written the registers to the frame and gives the FPU up in two steps: the flag that says so, ' +
    'then CR0.TS. It is preempted between them. The scheduler looks at the flag, finds nothing to save, and leaves TS alone, for a task ' +
    'without the FPU has it set already. It is clear. The next task uses the FPU, no #NM comes, and it reads what was left in the ' +
    'registers; nobody will save what it computes. The way back has the same hole, the other way round: rt_sigreturn() clears TS, and is ' +
    'preempted before it sets the flag. Since the fix preemption is off while the two change; the accesses to the frame, which may fault, ' +
    'stay preemptible. 2.6.32 is modelled with the hole (era linux-2.6.32); here it is put into 3.6.',
  scenario: 'signals-preempted',
  platform: 'bare-metal',
  buggy: {
    preset: 'linux-3.6',
    patches: [
      {
        id: 'sigframe-usedfpu-nonatomic',
        title: 'user_fpu_begin() and user_fpu_end() leave preemption on',
        source: 'before 15d8791cae75, as in 2.6.32',
        edits: ['save_i387_xstate', 'restore_i387_xstate'].flatMap((routine) => [
          { edit: 'remove', routine, step: 'preempt_disable' } as const,
          { edit: 'remove', routine, step: 'preempt_enable' } as const,
        ]),
      },
    ],
  },
  fixes: [{ by: '15d8791cae75', preset: 'linux-3.6' }],
};
