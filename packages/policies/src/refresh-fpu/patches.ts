/** Points of the thread, each as a patch that the explorer judges. */
import { NOBODY, step, type Patch } from '@fpulab/core';

const THREAD = 'a point of the LKML thread on delayed FPU register loading, October 2016';

/** "What we need after copying ... is a way to invalidate the in-CPU copy": until then the CPU's state counts, and a switch saves it. */
export const WRITE_FIRST: Patch = {
  id: 'refresh-write-first',
  title: 'rt_sigreturn() writes memory first and invalidates the CPU state after it',
  source: `${THREAD}: R. van Riel's order against A. Lutomirski's`,
  edits: [
    {
      edit: 'insert-after',
      routine: 'fpu__restore_sig',
      step: 'write memory',
      nodes: [
        step('no CPU holds it, afterwards', (k) => k.write(k.slotNamed('last_cpu'), k.task, NOBODY)),
        step('memory is valid, afterwards', (k) => k.write(k.slotNamed('memory_valid'), k.task, 1)),
        step('set TIF_REFRESH_FPU, afterwards', (k) => k.write(k.slotNamed('TIF_REFRESH_FPU'), k.task, 1)),
      ],
    },
    { edit: 'remove', routine: 'fpu__restore_sig', step: 'user_fpregs_move_to_memory' },
  ],
};

/** Nobody acts on the CPU state of a stopped task in between: the order alone breaks the contract, and loses nothing. */
export const TRACER_WRITES_FIRST: Patch = {
  id: 'refresh-tracer-writes-first',
  title: 'xstateregs_set() writes memory and invalidates the CPU state after it',
  source: `${THREAD}: "we invalidate the CPU state *before* writing the in-memory state, not after"`,
  edits: [
    { edit: 'remove', routine: 'xstateregs_set', step: "no CPU holds the target's state" },
    {
      edit: 'insert-after',
      routine: 'xstateregs_set',
      step: 'user_regset_copyin',
      nodes: [step("no CPU holds the target's, after", (k) => k.write(k.slotNamed('last_cpu'), k.target, NOBODY))],
    },
  ],
};

/** The way back to user code finds the CPU state valid, and keeps it. */
export const NOT_INVALIDATED: Patch = {
  id: 'refresh-not-invalidated',
  title:
    'rt_sigreturn() writes memory and leaves the CPU state as it was: copy_to_memory() where move_to_memory() is due',
  source: THREAD,
  edits: [{ edit: 'remove', routine: 'fpu__restore_sig', step: "no CPU holds the task's state" }],
};

/** Then the handler does not run after kernel_fpu_begin() in a system call. */
export const NO_FLAG_ON_MOVE: Patch = {
  id: 'refresh-no-flag-on-to-memory',
  title: 'kernel_fpu_begin() moves the state to memory and does not set TIF_REFRESH_FPU',
  source: THREAD,
  edits: [{ edit: 'remove', routine: 'kernel_fpu_begin', step: 'set TIF_REFRESH_FPU' }],
};

/** A reader of memory leaves the task in 2a, where it must not run. */
export const NO_FLAG_ON_COPY: Patch = {
  id: 'refresh-no-flag-on-copy',
  title: 'fork() copies the state to memory and does not set TIF_REFRESH_FPU: the parent runs in state 2a',
  source: THREAD,
  edits: [{ edit: 'remove', routine: 'fpu__copy', step: 'set TIF_REFRESH_FPU' }],
};

/** Whoever was switched out has the flag from to_memory(); a task that runs for the first time has not. */
export const NO_FLAG_ON_SCHEDULE_IN: Patch = {
  id: 'refresh-no-flag-on-schedule-in',
  title: 'the flag is set by to_memory() alone, not on schedule-in',
  source: THREAD,
  edits: [
    {
      edit: 'replace',
      routine: 'switch_fpu_finish',
      step: 'set TIF_REFRESH_FPU on schedule-in',
      nodes: [step('nothing on schedule-in', () => {})],
    },
  ],
};

/** The previous thread, switched out in state 2a, goes on believing that the CPU holds its state. */
export const KERNEL_LEAVES_OWNER: Patch = {
  id: 'refresh-owner-left',
  title: 'kernel_fpu_begin() moves the current task to memory, and does not invalidate whom the registers belong to',
  source: THREAD,
  edits: [{ edit: 'remove', routine: 'kernel_fpu_begin', step: "this CPU holds nobody's state for the kernel" }],
};

/** "How can we distinguish between these two?" The task can write its registers at any time. */
export const HANDLER_COPIES: Patch = {
  id: 'refresh-copy-to-cpu',
  title: 'the handler of the flag copies to the CPU and does not move: user code runs in state 2a',
  source: THREAD,
  edits: [{ edit: 'remove', routine: 'refresh_fpu', step: 'memory is not valid' }],
};

/** All of them. */
export const REFRESH_PATCHES: readonly Patch[] = [
  WRITE_FIRST,
  TRACER_WRITES_FIRST,
  NOT_INVALIDATED,
  NO_FLAG_ON_MOVE,
  NO_FLAG_ON_COPY,
  NO_FLAG_ON_SCHEDULE_IN,
  KERNEL_LEAVES_OWNER,
  HANDLER_COPIES,
];
