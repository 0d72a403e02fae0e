/**
 * Linux 4.14 to 5.1: lazy switching is gone from the code. arch/x86/include/asm/fpu/internal.h, arch/x86/kernel/fpu/core.c, signal.c,
 * traps.c, all of 4.14.74. 4.10 to 4.13 keep fpregs_active beside fpstate_active, which 4.14 has made one flag, `initialized`.
 */
import {
  CONTEXT,
  CR0_TS,
  DEFAULT_PKRU,
  HEADER,
  NOBODY,
  PKRU,
  contextOf,
  group,
  hasComponent,
  inInterrupt,
  routine,
  slot,
  step,
  unless,
  when,
  type BasePolicy,
  type Kernel,
  type Patch,
  type RoutineNode,
} from '@fpulab/core';
import { cpuUp } from '../cpu-up';
import { andThen, fxsave, readFsaveHeader, sanitize, saveFsaveHeader } from '../ia32-frame';
import { REGSET_HOOKS, copyout, isBadHeader, targetImage } from '../regset';
import {
  ATTEMPT,
  copyValidated,
  frameHeader,
  inFrame,
  notInFrame,
  userAccess,
  userFeatures,
  went,
} from '../user-frame';
import { XFEATURES_4_8 } from '../xfeatures';

const XSAVE = { instruction: 'xsave' } as const;
const own = (k: Kernel): number => k.fpstateOf(k.task);

/** The eager policy of Linux 4.14. */
export function linux414(): BasePolicy {
  const initialized = slot.task('initialized', 'flag');
  const lastCpu = slot.task('last_cpu', 'cpu', NOBODY);
  const owner = slot.cpu('fpu_fpregs_owner_ctx', 'task', NOBODY);
  const inKernelFpu = slot.cpu('in_kernel_fpu', 'flag');

  const isInitialized = (k: Kernel): boolean => k.read(initialized, k.task) !== 0;
  const isValid = (k: Kernel): boolean => k.read(owner, k.cpu) === k.task && k.read(lastCpu, k.task) === k.cpu;
  const activate = (name: string): RoutineNode => step(name, (k) => k.write(owner, k.cpu, k.task));
  const save = step('copy_fpregs_to_fpstate', (k) => k.setLocal(0, k.save(k.fpstateOf(k.task)) ? 1 : 0), XSAVE);
  /** Where XRSTOR raises #GP, ex_handler_fprestore() loads INIT. */
  const restore = step(
    'copy_kernel_to_fpregs',
    (k) => {
      if (!k.restore(k.fpstateOf(k.task))) k.initFpregs();
    },
    XSAVE,
  );
  const initialize = group('fpu__initialize', [
    unless(isInitialized, [
      step('fpstate_init', (k) => k.initFpstate(k.fpstateOf(k.task))),
      step('initialized = 1', (k) => k.write(initialized, k.task, 1)),
    ]),
  ]);
  const drop = group('fpu__drop', [
    step('preempt_disable for drop', (k) => k.preemptDisable()),
    when(isInitialized, [
      step('fwait', () => {}, { instruction: 'wait' }),
      step('fpregs_deactivate: owner = NULL', (k) => k.write(owner, k.cpu, NOBODY)),
    ]),
    step('initialized = 0', (k) => k.write(initialized, k.task, 0)),
    step('preempt_enable after drop', (k) => k.preemptEnable()),
  ]);

  const targetIsInitialized = (k: Kernel): boolean => k.read(initialized, k.target) !== 0;
  const initTarget = group('fpstate_init of the target', [
    step('fpstate_init', (k) => k.initFpstate(targetImage(k))),
    step('initialized = 1', (k) => k.write(initialized, k.target, 1)),
  ]);
  const fpuSave = group('fpu__save', [
    step('preempt_disable', (k) => k.preemptDisable()),
    when(isInitialized, [save, unless((k) => k.local(0) !== 0, [restore])]),
    step('preempt_enable', (k) => k.preemptEnable()),
  ]);
  const regsets = [
    routine('xstateregs_get', [
      group('fpu__prepare_read', [
        when((k) => k.target === k.task, [fpuSave], [unless(targetIsInitialized, [initTarget])]),
      ]),
      copyout,
    ]),
    // A standard image is copied first and checked then, and what is refused is wiped: nobody can tell, for the target is stopped.
    routine('xstateregs_set', [
      group('fpu__prepare_write', [
        when(targetIsInitialized, [step('last_cpu = -1', (k) => k.write(lastCpu, k.target, NOBODY))], [initTarget]),
      ]),
      step('validate_xstate_header', (k) => k.setLocal(0, isBadHeader(k) ? 1 : 0)),
      when(
        (k) => k.local(0) !== 0,
        [step('fpstate_init on failure', (k) => k.initFpstate(targetImage(k))), step('return -EINVAL', () => {})],
        [step('copy_user_to_xstate', (k) => k.takeFromTracer(targetImage(k)))],
      ),
    ]),
    routine('fill_thread_core_info', [when(isInitialized, [step('regset->get', (k) => k.call('xstateregs_get'))])]),
  ];

  const up = cpuUp('fpu__init_cpu', { owner, fninit: true, lazy: false });

  return {
    kind: 'base',
    id: 'eager',
    title: 'eager FPU switching, Linux 4.14 to 5.1',
    source: 'Linux 4.14.74 asm/fpu/internal.h, kernel/fpu/core.c, signal.c, kernel/traps.c',
    requires: ['fpu'],
    fpstate: 'embedded',
    xfeatures: XFEATURES_4_8,
    xsaves: true,
    newPkru: 'restrictive',
    slots: [initialized, lastCpu, owner, inKernelFpu],
    roles: { owner, active: initialized, used: initialized },
    routines: [
      routine('switch_fpu_prepare', [
        when(
          isInitialized,
          [save, step('last_cpu = cpu, owner stays', (k) => k.write(lastCpu, k.task, k.local(0) ? k.cpu : NOBODY))],
          [step('last_cpu = -1', (k) => k.write(lastCpu, k.task, NOBODY))],
        ),
      ]),
      routine('switch_fpu_finish', [
        when(isInitialized, [
          when(isValid, [step('registers are valid', (k) => k.skipRestore(k.task))], [restore]),
          activate('fpregs_activate: owner = new'),
        ]),
      ]),
      routine('do_device_not_available', [
        when(
          (k) => (k.readCr0() & CR0_TS) !== 0,
          [step('WARN, clear CR0.TS', (k) => k.writeCr0(k.readCr0() & ~CR0_TS))],
          [step('die("unexpected #NM exception")', (k) => k.killCurrent())],
        ),
      ]),
      routine('kernel_fpu_begin', [
        step('preempt_disable', (k) => k.preemptDisable()),
        step('kernel_fpu_disable', (k) => k.write(inKernelFpu, k.cpu, 1)),
        when(
          isInitialized,
          [step('copy_fpregs_to_fpstate', (k) => void k.save(k.fpstateOf(k.task)), XSAVE)],
          [step('owner = NULL', (k) => k.write(owner, k.cpu, NOBODY))],
        ),
      ]),
      routine('kernel_fpu_end', [
        when(isInitialized, [restore]),
        step('kernel_fpu_enable', (k) => k.write(inKernelFpu, k.cpu, 0)),
        step('preempt_enable', (k) => k.preemptEnable()),
      ]),
      routine('irq_fpu_usable', [
        step('irq_fpu_usable', (k) => {
          const interruptedUserMode = contextOf(k.interrupted) === CONTEXT.user;
          k.answer(!inInterrupt(k.status) || interruptedUserMode || k.read(inKernelFpu, k.cpu) === 0);
        }),
      ]),
      // Preemption stays on: harmless but for FNSAVE, see the README.
      routine('fpu__copy', [
        step('arch_dup_task_struct: *dst = *src', (k) => {
          k.write(initialized, k.child, k.read(initialized, k.task));
          k.copyFpstate({ from: k.fpstateOf(k.task), to: k.fpstateOf(k.child) });
        }),
        step('child: last_cpu = -1', (k) => k.write(lastCpu, k.child, NOBODY)),
        when(isInitialized, [
          step('copy_fpregs_to_fpstate(dst)', (k) => k.setLocal(0, k.save(k.fpstateOf(k.child)) ? 1 : 0), XSAVE),
          unless(
            (k) => k.local(0) !== 0,
            [
              step('memcpy(src, dst)', (k) => k.copyFpstate({ from: k.fpstateOf(k.child), to: k.fpstateOf(k.task) })),
              restore,
            ],
          ),
        ]),
      ]),
      routine('fpu__clear', [
        drop,
        step('preempt_disable', (k) => k.preemptDisable()),
        initialize,
        activate('user_fpu_begin: owner = current'),
        step('copy_init_fpstate_to_fpregs', (k) => k.initFpregs(), XSAVE),
        when(
          (k) => hasComponent(k.xfeatures, PKRU),
          [step('copy_init_pkru_to_fpregs', (k) => k.writeRegister(PKRU, DEFAULT_PKRU), { instruction: 'pkru' })],
        ),
        step('preempt_enable', (k) => k.preemptEnable()),
      ]),
      routine('exit_thread', [drop]),
      routine('copy_fpstate_to_sigframe', [
        userAccess('copy_fpregs_to_sigframe', (k) => k.saveToUser(userFeatures(k)), XSAVE),
        unless(went(ATTEMPT.ok), [step('return -1', (k) => k.refuse())]),
      ]),
      routine('handle_signal', [when(isInitialized, [step('fpu__clear', (k) => k.call('fpu__clear'))])]),
      routine('fpu__restore_sig', [
        when(
          (k) => frameHeader(k) === HEADER.absent,
          [step('fpu__clear, for there is no frame', (k) => k.call('fpu__clear'))],
          [
            initialize,
            activate('user_fpu_begin: owner = current'),
            when(
              (k) => notInFrame(k) !== 0,
              [step('copy_kernel_to_xregs(init_fpstate)', (k) => k.initFpregs(notInFrame(k)), XSAVE)],
            ),
            userAccess('copy_user_to_xregs', (k) => k.restoreFromUser(inFrame(k)), XSAVE),
            unless(went(ATTEMPT.ok), [
              step('fpu__clear', (k) => k.call('fpu__clear')),
              step('return -1', (k) => k.refuse()),
            ]),
          ],
        ),
      ]),
      routine('copy_fpstate_to_sigframe, ia32_fxstate', [
        userAccess('copy_fpregs_to_sigframe', (k) => k.saveToUser(userFeatures(k)), XSAVE),
        when(went(ATTEMPT.ok), [fxsave('copy_fxregs_to_kernel', own)]),
        andThen('the XSAVE image is there', saveFsaveHeader(own)),
        unless(went(ATTEMPT.ok), [step('return -1', (k) => k.refuse())]),
      ]),
      // Between `initialized = 1` and kernel_fpu_disable() a switch or an interrupt saves over the new image: RESTORE_IRQS_OFF.
      routine('__fpu__restore_sig, ia32_fxstate', [
        when(
          (k) => frameHeader(k) === HEADER.absent,
          [step('fpu__clear, for there is no frame', (k) => k.call('fpu__clear'))],
          [
            initialize,
            drop,
            userAccess('copy_user_to_xstate', (k) => copyValidated(k, own(k), userFeatures(k))),
            andThen('the XSAVE image is there', readFsaveHeader),
            when(went(ATTEMPT.ok), [sanitize(own)], [step('fpstate_init after a fault', (k) => k.initFpstate(own(k)))]),
            step('initialized = 1 again', (k) => k.write(initialized, k.task, 1)),
            step('preempt_disable', (k) => k.preemptDisable()),
            group('fpu__restore', [
              step('kernel_fpu_disable', (k) => k.write(inKernelFpu, k.cpu, 1)),
              activate('fpregs_activate: owner = current'),
              restore,
              step('kernel_fpu_enable', (k) => k.write(inKernelFpu, k.cpu, 0)),
            ]),
            step('preempt_enable', (k) => k.preemptEnable()),
            unless(went(ATTEMPT.ok), [step('return -1', (k) => k.refuse())]),
          ],
        ),
      ]),
      ...regsets,
      ...up.routines,
      routine('fpu__init_cpu', [step('clear CR0.TS', (k) => k.writeCr0(k.readCr0() & ~CR0_TS))]),
    ],
    hooks: {
      'switch-out': 'switch_fpu_prepare',
      'switch-in': 'switch_fpu_finish',
      'trap-nm': 'do_device_not_available',
      'irq-fpu-usable': 'irq_fpu_usable',
      'kernel-fpu-begin': 'kernel_fpu_begin',
      'kernel-fpu-end': 'kernel_fpu_end',
      fork: 'fpu__copy',
      exec: 'fpu__clear',
      exit: 'exit_thread',
      'signal-save': 'copy_fpstate_to_sigframe',
      'signal-clear': 'handle_signal',
      'signal-restore': 'fpu__restore_sig',
      'signal-save-ia32': 'copy_fpstate_to_sigframe, ia32_fxstate',
      'signal-restore-ia32': '__fpu__restore_sig, ia32_fxstate',
      ...REGSET_HOOKS,
      'cpu-up': 'fpu__init_cpu',
      ...up.hooks,
    },
  };
}

const FRAME_32 = '__fpu__restore_sig, ia32_fxstate';

/** The load of a 32-bit frame, with something off from before `initialized = 1` until the registers are there. */
const loadWith = (off: RoutineNode, on: RoutineNode): Patch['edits'] => [
  { edit: 'insert-before', routine: FRAME_32, step: 'initialized = 1 again', nodes: [off] },
  { edit: 'remove', routine: FRAME_32, step: 'preempt_disable' },
  { edit: 'replace', routine: FRAME_32, step: 'preempt_enable', nodes: [on] },
];

/** Neither a switch nor a softirq comes between `initialized = 1` and the registers. */
export const RESTORE_BH_OFF: Patch = {
  id: 'restore-bh-off',
  title: '__fpu__restore_sig() switches bottom halves off while it loads the state of a 32-bit frame',
  source: '68239654acaf "x86/fpu: Disable bottom halves while loading FPU registers", S. A. Siewior, November 2018',
  edits: loadWith(
    step('local_bh_disable', (k) => k.localBhDisable()),
    step('local_bh_enable', (k) => k.localBhEnable()),
  ),
};

/** Nor does a hardirq, which RESTORE_BH_OFF lets in. */
export const RESTORE_IRQS_OFF: Patch = {
  id: 'restore-irqs-off',
  title: '__fpu__restore_sig() switches interrupts off while it loads the state of a 32-bit frame',
  source:
    'hypothetical; derived from __fpu__restore_sig() and __kernel_fpu_begin() of 4.14.74, and what 68239654acaf leaves on',
  edits: loadWith(
    step('local_irq_disable', (k) => k.localIrqDisable()),
    step('local_irq_enable', (k) => k.localIrqEnable()),
  ),
};
