/**
 * Linux 4.2 to 4.9: the image is part of the task, fpregs_active says who uses the registers. One code base with two
 * modes, lazy and eager, as in arch/x86/include/asm/fpu/internal.h and arch/x86/kernel/fpu/core.c.
 *
 * A failing XRSTOR is noticed by WARN_ON_FPU() alone: the registers stay as they were, and the task goes on with them. That no image has a
 * header that fails is up to xstateregs_set(): 814fb7bb7db5 is in (read in 4.4.174 and 4.9.185), d5c8028b4788 is not.
 *
 * Not modelled: the irq_ts_save() users.
 */
import {
  CONTEXT,
  CR0_TS,
  HEADER,
  NOBODY,
  contextOf,
  group,
  inInterrupt,
  routine,
  slot,
  step,
  unless,
  when,
  type BasePolicy,
  type Kernel,
  type RoutineNode,
} from '@fpulab/core';
import { cpuUp } from './cpu-up';
import { embeddedRegsets } from './embedded-regset';
import { fpuCounter, unusedFpuCounter } from './fpu-counter';
import { andThen, fxsave, readFsaveHeader, sanitize, saveFsaveHeader } from './ia32-frame';
import { REGSET_HOOKS } from './regset';
import { ATTEMPT, frameHeader, inFrame, notInFrame, userAccess, userFeatures, went } from './user-frame';

/** What differs between the kernels and boot options of this code base. */
export interface EmbeddedFpuOptions {
  readonly id: 'lazy-cr0-ts' | 'eager';
  readonly title: string;
  readonly source: string;
  /** use_eager_fpu() */
  readonly eager: boolean;
  /**
   * fpu__clear() at execve(). `drop-or-init`: lazy drops, eager loads INIT and leaves the image (4.2 on; last read in
   * 4.6.2; its eager half also in Ubuntu's 4.4, which has no lazy one).
   * `drop-and-init`: drops, initialises the image, activates and loads INIT in both modes (read in
   * 4.8.15 and 4.10.17).
   */
  readonly clear: 'drop-or-init' | 'drop-and-init';
  /**
   * Eager mode as it was up to 4.5: do_device_not_available() begins with BUG_ON(use_eager_fpu()), and fork() and fpu__save() leave a task without
   * registers after FNSAVE, for want of 5ed73f40735c.
   */
  readonly eagerBefore46?: boolean;
  /** Components that it enables in XCR0. */
  readonly xfeatures: number;
  /**
   * Whether it uses XSAVES where there is one, and so compacted images. 4.2.8, 4.4.11 and 4.6.2 clear
   * X86_FEATURE_XSAVES in fpu__init_system_xstate_size_legacy(); 4.8.15 does not. None sets a bit of IA32_XSS.
   */
  readonly xsaves: boolean;
}

/** Moves registers where #NM may come in between: whoever was preempted has lost them, and the handler loads them again. */
const LOADS = { instruction: 'xsave', nmExpected: true } as const;

/** The policy of Linux 4.2 to 4.9, lazy or eager. */
export function embeddedFpu(options: EmbeddedFpuOptions): BasePolicy {
  const { id, title, source, eager, clear, eagerBefore46 = false, xfeatures, xsaves } = options;
  const active = slot.task('fpregs_active', 'flag');
  const fpstateActive = slot.task('fpstate_active', 'flag');
  const lastCpu = slot.task('last_cpu', 'cpu', NOBODY);
  const counter = eager ? unusedFpuCounter('counter') : fpuCounter('counter');
  const owner = slot.cpu('fpu_fpregs_owner_ctx', 'task', NOBODY);
  const inKernelFpu = slot.cpu('in_kernel_fpu', 'flag');
  /** fpu_switch_t.preload: a local of __switch_to(), which runs on two stacks. */
  const preload = slot.cpu('preload', 'flag');

  const isActive = (k: Kernel): boolean => k.read(active, k.task) !== 0;
  const preloads = (k: Kernel): boolean => k.read(preload, k.cpu) !== 0;

  const lazyOnly = (node: RoutineNode): readonly RoutineNode[] => (eager ? [] : [node]);
  const clts = lazyOnly(step('clts', (k) => k.clts()));
  const stts = lazyOnly(step('stts', (k) => k.stts()));
  const activate = (k: Kernel, task: number): void => {
    k.write(active, task, 1);
    k.write(owner, k.cpu, task);
  };
  const fpregsActivate = group('fpregs_activate', [
    ...clts,
    step('fpregs_active = 1, owner = current', (k) => activate(k, k.task)),
  ]);
  const fpregsDeactivate = group('fpregs_deactivate', [
    step('fpregs_active = 0, owner = NULL', (k) => {
      k.write(active, k.task, 0);
      k.write(owner, k.cpu, NOBODY);
    }),
    ...stts,
  ]);
  const copyFpregsToFpstate = step(
    'copy_fpregs_to_fpstate',
    (k) => k.setLocal(0, k.save(k.fpstateOf(k.task)) ? 1 : 0),
    { instruction: 'xsave' },
  );
  /** The same where nobody asks whether the registers are gone: they are used by the kernel now. */
  const saveAndForget = step('copy_fpregs_to_fpstate', (k) => void k.save(k.fpstateOf(k.task)), {
    instruction: 'xsave',
  });
  const restore = step('copy_fpstate_to_fpregs', (k) => k.restore(k.fpstateOf(k.task)), { instruction: 'xsave' });
  /** fork() and fpu__save(): FNSAVE has reset the registers. */
  const afterFnsave = eager && !eagerBefore46 ? [restore] : [fpregsDeactivate];
  const fpuActivateCurr = group('fpu__activate_curr', [
    unless(
      (k) => k.read(fpstateActive, k.task) !== 0,
      [
        step('fpstate_init', (k) => k.initFpstate(k.fpstateOf(k.task))),
        step('fpstate_active = 1', (k) => k.write(fpstateActive, k.task, 1)),
      ],
    ),
  ]);

  const switchFpuPrepare = routine('switch_fpu_prepare', [
    step(eager ? 'preload = fpstate_active(new)' : 'preload = fpstate_active(new) && counter > 5', (k) => {
      const wanted = k.read(fpstateActive, k.next) !== 0 && (eager || k.isAbove(counter, k.next));
      k.write(preload, k.cpu, wanted ? 1 : 0);
    }),
    when(
      isActive,
      [
        copyFpregsToFpstate,
        step('last_cpu = cpu', (k) => k.write(lastCpu, k.task, k.local(0) ? k.cpu : NOBODY)),
        step('fpregs_active = 0, owner stays', (k) => k.write(active, k.task, 0)),
        when(
          preloads,
          [
            step('new->counter++', (k) => k.count(counter, k.next)),
            step('__fpregs_activate(new)', (k) => activate(k, k.next)),
          ],
          stts,
        ),
      ],
      [
        step('old->counter = 0', (k) => k.write(counter, k.task, 0)),
        step('last_cpu = -1', (k) => k.write(lastCpu, k.task, NOBODY)),
        when(preloads, [
          step('count the preload', (k) => k.count(counter, k.next)),
          step('fpu_want_lazy_restore', (k) => {
            const valid = k.read(owner, k.cpu) === k.next && k.read(lastCpu, k.next) === k.cpu;
            if (!valid) return;
            k.write(preload, k.cpu, 0);
            k.skipRestore(k.next);
          }),
          group('fpregs_activate(new)', [
            ...clts,
            step('new: fpregs_active = 1, owner = new', (k) => activate(k, k.next)),
          ]),
        ]),
      ],
    ),
  ]);

  const switchFpuFinish = routine('switch_fpu_finish', [
    when(preloads, [restore, step('preload done', (k) => k.write(preload, k.cpu, 0))]),
  ]);

  const fpuRestore = routine('fpu__restore', [
    fpuActivateCurr,
    step('kernel_fpu_disable', (k) => k.write(inKernelFpu, k.cpu, 1)),
    fpregsActivate,
    restore,
    step('counter++', (k) => k.count(counter, k.task)),
    step('kernel_fpu_enable', (k) => k.write(inKernelFpu, k.cpu, 0)),
  ]);

  const eagerBug = eagerBefore46
    ? [routine('do_device_not_available', [step('BUG_ON(use_eager_fpu())', (k) => k.killCurrent())])]
    : [];

  const kernelFpuBegin = routine('kernel_fpu_begin', [
    step('preempt_disable', (k) => k.preemptDisable()),
    step('kernel_fpu_disable', (k) => k.write(inKernelFpu, k.cpu, 1)),
    when(isActive, [saveAndForget], [step('owner = NULL', (k) => k.write(owner, k.cpu, NOBODY)), ...clts]),
  ]);

  const kernelFpuEnd = routine('kernel_fpu_end', [
    when(isActive, [restore], stts),
    step('kernel_fpu_enable', (k) => k.write(inKernelFpu, k.cpu, 0)),
    step('preempt_enable', (k) => k.preemptEnable()),
  ]);

  const irqFpuUsable = routine('irq_fpu_usable', [
    step('irq_fpu_usable', (k) => {
      const interruptedUserMode = contextOf(k.interrupted) === CONTEXT.user;
      k.answer(!inInterrupt(k.status) || interruptedUserMode || interruptedKernelFpuIdle(k));
    }),
  ]);
  const interruptedKernelFpuIdle = (k: Kernel): boolean => {
    if (k.read(inKernelFpu, k.cpu)) return false;
    return eager || (!isActive(k) && (k.readCr0() & CR0_TS) !== 0);
  };

  /** The parent's registers go straight to the child. A lazy parent without registers takes #NM in the kernel, which loads them. */
  const fpuCopy = routine('fpu__copy', [
    step('arch_dup_task_struct: *dst = *src', (k) => {
      k.write(fpstateActive, k.child, k.read(fpstateActive, k.task));
      k.copyFpstate({ from: k.fpstateOf(k.task), to: k.fpstateOf(k.child) });
    }),
    step('child: counter = 0, fpregs_active = 0, last_cpu = -1', (k) => {
      k.write(counter, k.child, 0);
      k.write(active, k.child, 0);
      k.write(lastCpu, k.child, NOBODY);
    }),
    when(
      (k) => k.read(fpstateActive, k.task) !== 0,
      [
        step('preempt_disable', (k) => k.preemptDisable()),
        step('copy_fpregs_to_fpstate(dst)', (k) => k.setLocal(0, k.save(k.fpstateOf(k.child)) ? 1 : 0), {
          instruction: 'xsave',
          nmExpected: true,
        }),
        unless(
          (k) => k.local(0) !== 0,
          [
            step('memcpy(src, dst)', (k) => k.copyFpstate({ from: k.fpstateOf(k.child), to: k.fpstateOf(k.task) })),
            ...afterFnsave,
          ],
        ),
        step('preempt_enable', (k) => k.preemptEnable()),
      ],
    ),
  ]);

  const fpuDrop: readonly RoutineNode[] = [
    group('fpu__drop', [
      step('preempt_disable for drop', (k) => k.preemptDisable()),
      step('counter = 0', (k) => k.write(counter, k.task, 0)),
      when(isActive, [step('fwait', () => {}, { instruction: 'wait' }), fpregsDeactivate]),
      step('fpstate_active = 0', (k) => k.write(fpstateActive, k.task, 0)),
      step('preempt_enable after drop', (k) => k.preemptEnable()),
    ]),
  ];

  const userFpuBegin = group('user_fpu_begin', [
    step('preempt_disable for activation', (k) => k.preemptDisable()),
    unless(isActive, [fpregsActivate]),
    step('preempt_enable after activation', (k) => k.preemptEnable()),
  ]);
  const loadInit = step('copy_init_fpstate_to_fpregs', (k) => k.initFpregs(), {
    instruction: 'xsave',
    nmExpected: true,
  });

  const fpuClear: readonly RoutineNode[] =
    clear === 'drop-and-init'
      ? [...fpuDrop, fpuActivateCurr, userFpuBegin, loadInit]
      : eager
        ? [unless((k) => k.read(fpstateActive, k.task) !== 0, [fpuActivateCurr, userFpuBegin]), loadInit]
        : fpuDrop;

  const isUsed = (k: Kernel): boolean => k.read(fpstateActive, k.task) !== 0;

  /** get_sigframe() leaves no room for a state that the task does not have. */
  const saveSig = routine('copy_fpstate_to_sigframe', [
    when(
      isUsed,
      [
        when(
          (k) => isActive(k) || k.compacted,
          [userAccess('copy_fpregs_to_sigframe', (k) => k.saveToUser(userFeatures(k)), LOADS)],
          [userAccess('__copy_to_user', (k) => k.copyToUser(k.fpstateOf(k.task)))],
        ),
        unless(went(ATTEMPT.ok), [step('return -1', (k) => k.refuse())]),
      ],
      [step('no fpstate in the frame', (k) => k.leaveOutOfFrame())],
    ),
  ]);

  const clearSig = routine('handle_signal', [when(isUsed, [step('fpu__clear', (k) => k.call('fpu__clear'))])]);

  /** INIT first, then what the frame has; preemptible all the time. */
  const restoreSig = routine('fpu__restore_sig', [
    when(
      (k) => frameHeader(k) === HEADER.absent,
      [step('fpu__clear, for there is no frame', (k) => k.call('fpu__clear'))],
      [
        fpuActivateCurr,
        userFpuBegin,
        when(
          (k) => notInFrame(k) !== 0,
          [step('copy_kernel_to_xregs(init_fpstate)', (k) => k.initFpregs(notInFrame(k)), LOADS)],
        ),
        userAccess('copy_user_to_xregs', (k) => k.restoreFromUser(inFrame(k)), LOADS),
        unless(went(ATTEMPT.ok), [
          step('fpu__clear', (k) => k.call('fpu__clear')),
          step('return -1', (k) => k.refuse()),
        ]),
      ],
    ),
  ]);

  const own = (k: Kernel): number => k.fpstateOf(k.task);
  const saveSigIa32 = routine('copy_fpstate_to_sigframe, ia32_fxstate', [
    when(
      isUsed,
      [
        when(
          (k) => isActive(k) || k.compacted,
          [
            userAccess('copy_fpregs_to_sigframe', (k) => k.saveToUser(userFeatures(k)), LOADS),
            when(went(ATTEMPT.ok), [fxsave('copy_fxregs_to_kernel', own, { nmExpected: true })]),
          ],
          [userAccess('__copy_to_user', (k) => k.copyToUser(own(k)))],
        ),
        andThen('the XSAVE image is there', saveFsaveHeader(own)),
        unless(went(ATTEMPT.ok), [step('return -1', (k) => k.refuse())]),
      ],
      [step('no fpstate in the frame', (k) => k.leaveOutOfFrame())],
    ),
  ]);

  /** Through memory: no switch loads or saves it while fpstate_active is 0. */
  const restoreSigIa32 = routine('__fpu__restore_sig, ia32_fxstate', [
    when(
      (k) => frameHeader(k) === HEADER.absent,
      [step('fpu__clear, for there is no frame', (k) => k.call('fpu__clear'))],
      [
        fpuActivateCurr,
        ...fpuDrop,
        userAccess('__copy_from_user', (k) => k.copyFromUser(own(k))),
        andThen('the XSAVE image is there', readFsaveHeader),
        when(went(ATTEMPT.ok), [sanitize(own)], [step('fpstate_init after a fault', (k) => k.initFpstate(own(k)))]),
        step('fpstate_active = 1 again', (k) => k.write(fpstateActive, k.task, 1)),
        ...(eager
          ? [
              step('preempt_disable to load', (k) => k.preemptDisable()),
              step('fpu__restore', (k) => k.call('fpu__restore')),
              step('preempt_enable after it', (k) => k.preemptEnable()),
            ]
          : []),
        unless(went(ATTEMPT.ok), [step('return -1', (k) => k.refuse())]),
      ],
    ),
  ]);

  /** fpu__save(): only current has active registers. FNSAVE destroys them. */
  const fpuSave = group('fpu__save', [
    step('preempt_disable', (k) => k.preemptDisable()),
    when(isActive, [copyFpregsToFpstate, unless((k) => k.local(0) !== 0, afterFnsave)]),
    step('preempt_enable', (k) => k.preemptEnable()),
  ]);

  const up = cpuUp('fpu__init_cpu', { owner, fninit: true, lazy: !eager });

  return {
    kind: 'base',
    id,
    title,
    source,
    requires: ['fpu'],
    fpstate: 'embedded',
    xfeatures,
    xsaves,
    slots: [active, fpstateActive, lastCpu, counter, owner, inKernelFpu, preload],
    roles: { owner, active, used: fpstateActive },
    routines: [
      switchFpuPrepare,
      switchFpuFinish,
      fpuRestore,
      ...eagerBug,
      kernelFpuBegin,
      kernelFpuEnd,
      irqFpuUsable,
      fpuCopy,
      routine('fpu__clear', fpuClear),
      routine('exit_thread', fpuDrop),
      saveSig,
      clearSig,
      restoreSig,
      saveSigIa32,
      restoreSigIa32,
      ...embeddedRegsets({ active, used: fpstateActive, lastCpu, save: fpuSave }),
      ...up.routines,
      ...(eager ? [routine('fpu__init_cpu', [step('clts at boot', (k) => k.writeCr0(k.readCr0() & ~CR0_TS))])] : []),
    ],
    hooks: {
      'switch-out': 'switch_fpu_prepare',
      'switch-in': 'switch_fpu_finish',
      'trap-nm': eagerBefore46 ? 'do_device_not_available' : 'fpu__restore',
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
      ...(eager ? { 'cpu-up': 'fpu__init_cpu' } : {}),
      ...up.hooks,
    },
  };
}
