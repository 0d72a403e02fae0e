/** What was argued about, each point as a patch that the explorer judges. */
import { step, unless, when, type Kernel, type Patch, type RoutineNode } from '@fpulab/core';
import { inFrame, notInFrame, userAccess, userFeatures, went, ATTEMPT } from '../user-frame';

const XSAVE = { instruction: 'xsave' } as const;
const THREAD =
  'the LKML thread on the RFC\'s patch 2/5, "delay FPU register loading until switch to userspace", October 2016';

const isActive = (k: Kernel): boolean => k.read(k.slotNamed('fpregs_active'), k.task) !== 0;

/** 4.8 user_fpu_begin() */
const userFpuBegin: readonly RoutineNode[] = [
  step('user_fpu_begin: preempt_disable', (k) => k.preemptDisable()),
  unless(isActive, [
    step('user_fpu_begin: fpregs_activate', (k) => {
      k.write(k.slotNamed('fpregs_active'), k.task, 1);
      k.write(k.slotNamed('fpu_fpregs_owner_ctx'), k.cpu, k.task);
    }),
  ]),
  step('user_fpu_begin: preempt_enable', (k) => k.preemptEnable()),
];

/** 4.8 fpu__activate_curr() */
const activateCurr: RoutineNode = unless(
  (k) => k.read(k.slotNamed('fpstate_active'), k.task) !== 0,
  [
    step('fpu__activate_curr: fpstate_init', (k) => k.initFpstate(k.fpstateOf(k.task))),
    step('fpu__activate_curr: fpstate_active = 1', (k) => k.write(k.slotNamed('fpstate_active'), k.task, 1)),
  ],
);

/** The flag as it was before the loop, in which the task may have been switched. */
export const CACHED_FLAGS: Patch = {
  id: 'cached-flags',
  title: 'TIF_LOAD_FPU is tested in the cached_flags that were read before exit_to_usermode_loop()',
  source: `proposed and withdrawn in ${THREAD}`,
  edits: [
    {
      edit: 'replace',
      routine: 'after exit_to_usermode_loop',
      step: 'test_thread_flag(TIF_LOAD_FPU)',
      nodes: [step('cached_flags & _TIF_LOAD_FPU', (k) => k.setLocal(0, k.read(k.slotNamed('cached_flags'), k.task)))],
    },
  ],
};

/** 4.8 makes the new task the owner when it is switched in: its registers are there a moment later. */
export const OWNER_AT_SWITCH: Patch = {
  id: 'rfc-owner-at-switch',
  title: 'the new task becomes the owner when it is switched in, as in 4.8, where its registers are loaded with it',
  source: 'Linux 4.8.15 switch_fpu_prepare()',
  edits: [
    {
      edit: 'insert-after',
      routine: 'switch_fpu_finish',
      step: 'set TIF_LOAD_FPU',
      nodes: [step('owner = new', (k) => k.write(k.slotNamed('fpu_fpregs_owner_ctx'), k.cpu, k.task))],
    },
  ],
};

/** "Something has to fix up owner_ctx so that the previous thread doesn't think its CPU state is still valid": whoever changes the registers. */
export const OWNER_LEFT_BY_KERNEL: Patch = {
  id: 'rfc-owner-left-by-kernel',
  title: 'kernel_fpu_begin() puts the registers away as switch_fpu_prepare() does, which leaves the owner',
  source: `the case that A. Lutomirski warns of in ${THREAD}`,
  edits: [
    {
      edit: 'replace',
      routine: 'kernel_fpu_begin',
      step: 'fpregs_deactivate',
      nodes: [
        step('last_cpu = cpu, fpregs_active = 0', (k) => {
          k.write(k.slotNamed('last_cpu'), k.task, k.cpu);
          k.write(k.slotNamed('fpregs_active'), k.task, 0);
        }),
      ],
    },
  ],
};

/** The signal code of 4.8 moves registers, and finds them loaded there. */
export const SIGNALS_AS_IN_4_8: Patch = {
  id: 'rfc-signals-4.8',
  title: "copy_fpstate_to_sigframe() and fpu__restore_sig() as in 4.8, on registers that may be anybody's",
  source:
    'the cover letter: patches 1 to 3 should not work, "due to missing signal path code"; Linux 4.8.15 kernel/fpu/signal.c',
  edits: [
    {
      edit: 'replace',
      routine: 'copy_fpstate_to_sigframe',
      step: 'save',
      nodes: [
        when(
          isActive,
          [userAccess('copy_fpregs_to_sigframe', (k) => k.saveToUser(userFeatures(k)), XSAVE)],
          [userAccess('__copy_to_user', (k) => k.copyToUser(k.fpstateOf(k.task)))],
        ),
      ],
    },
    {
      edit: 'replace',
      routine: 'fpu__restore_sig',
      step: 'restore',
      nodes: [
        activateCurr,
        ...userFpuBegin,
        when(
          (k) => notInFrame(k) !== 0,
          [step('copy_kernel_to_xregs(init_fpstate)', (k) => k.initFpregs(notInFrame(k)), XSAVE)],
        ),
        userAccess('copy_user_to_xregs', (k) => k.restoreFromUser(inFrame(k)), XSAVE),
        unless(went(ATTEMPT.ok), [step('fpu__clear', (k) => k.call('fpu__clear'))]),
      ],
    },
  ],
};

/** execve() and a handler's start load INIT at once. */
export const CLEAR_AS_IN_4_8: Patch = {
  id: 'rfc-clear-4.8',
  title: "fpu__clear() as in 4.8: it loads INIT, in registers that may be anybody's by then",
  source: 'Linux 4.8.15 fpu__clear()',
  edits: [
    {
      edit: 'replace',
      routine: 'fpu__clear',
      step: 'fpstate is fresh',
      nodes: [activateCurr, ...userFpuBegin, step('copy_init_fpstate_to_fpregs', (k) => k.initFpregs(), XSAVE)],
    },
  ],
};

/** fork() saves the registers to the child. */
export const FORK_AS_IN_4_8: Patch = {
  id: 'rfc-fork-4.8',
  title: 'fpu__copy() as in 4.8: the registers go to the child, whoever they are of',
  source: 'Linux 4.8.15 fpu__copy()',
  edits: [
    {
      edit: 'replace',
      routine: 'fpu__copy',
      step: 'fpregs_active?',
      nodes: [step("registers are taken for the task's", (k) => k.setLocal(0, 1))],
    },
  ],
};

/** kernel_fpu_end() does not put registers back any more. */
export const IRQ_IN_FORK: Patch = {
  id: 'rfc-irq-in-fork',
  title: 'fpu__copy() lets interrupts use the FPU between its question and its XSAVE',
  source: 'hypothetical; harmless as long as kernel_fpu_end() loads what kernel_fpu_begin() saved, as in 4.8',
  edits: [
    { edit: 'remove', routine: 'fpu__copy', step: 'kernel_fpu_disable' },
    { edit: 'remove', routine: 'fpu__copy', step: 'kernel_fpu_enable' },
  ],
};

/** All of them. */
export const RFC_PATCHES: readonly Patch[] = [
  CACHED_FLAGS,
  OWNER_AT_SWITCH,
  OWNER_LEFT_BY_KERNEL,
  SIGNALS_AS_IN_4_8,
  CLEAR_AS_IN_4_8,
  FORK_AS_IN_4_8,
  IRQ_IN_FORK,
];
