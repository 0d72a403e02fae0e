/**
 * Linux 3.7 to 4.1, read in 4.1.27: the image is allocated, has_fpu says who uses the registers. One code base with two modes, lazy and
 * eager: arch/x86/include/asm/fpu-internal.h, arch/x86/kernel/i387.c, xsave.c, traps.c, process.c.
 *
 * Not modelled: pending x87 exceptions (FNCLEX, last_cpu = ~0 after them), prefetch, the irq_ts_save() users.
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
  type Routine,
  type RoutineNode,
  type Slot,
} from '@fpulab/core';
import { cpuUp } from './cpu-up';
import { fpuCounter, unusedFpuCounter } from './fpu-counter';
import { andThen, fxsave, readFsaveHeader, sanitize, saveFsaveHeader } from './ia32-frame';
import { REGSET_HOOKS, allocatedRegsets } from './regset';
import { ATTEMPT, frameHeader, inFrame, notInFrame, userAccess, went } from './user-frame';

/** What differs between the two modes. */
export interface AllocatedFpuOptions {
  readonly id: 'lazy-cr0-ts' | 'eager';
  readonly title: string;
  readonly source: string;
  /** use_eager_fpu() */
  readonly eager: boolean;
  /** Components that it enables in XCR0. */
  readonly xfeatures: number;
}

/** Moves registers where #NM may come in between: whoever was preempted has lost them, and the handler loads them again. */
const LOADS = { instruction: 'xsave', nmExpected: true } as const;

/** Slots, and the kernel functions that several routines call. */
interface Parts {
  readonly eager: boolean;
  readonly hasFpu: Slot;
  readonly usedMath: Slot;
  readonly lastCpu: Slot;
  readonly counter: Slot;
  readonly owner: Slot;
  readonly inKernelFpu: Slot;
  readonly preload: Slot;
  readonly has: (k: Kernel) => boolean;
  readonly used: (k: Kernel) => boolean;
  readonly clts: readonly RoutineNode[];
  readonly stts: readonly RoutineNode[];
  readonly setHasFpu: (k: Kernel, task: number) => void;
  /** Local 0: 1 if the registers are still there. */
  readonly saveInitFpu: RoutineNode;
  /** restore_fpu_checking(), and fpu_reset_state() where XRSTOR raises #GP. */
  readonly restore: RoutineNode;
  /** Local 0: 1 if the allocation failed. */
  readonly initFpu: RoutineNode;
  readonly userFpuBegin: RoutineNode;
  /** fpu_reset_state(): lazy forgets the state, eager loads INIT. */
  readonly resetState: RoutineNode;
  readonly dropFpu: RoutineNode;
}

const allocationFailed = (k: Kernel): boolean => k.local(0) !== 0;

/** The policy of Linux 3.7 to 4.1, lazy or eager. */
export function allocatedFpu(options: AllocatedFpuOptions): BasePolicy {
  const { id, title, source, eager, xfeatures } = options;
  const parts = makeParts(eager);
  const { hasFpu, usedMath, lastCpu, counter, owner, inKernelFpu, preload } = parts;
  const up = cpuUp('fpu_init', { owner, fninit: false, lazy: !eager });
  return {
    kind: 'base',
    id,
    title,
    source,
    // Eager __save_fpu() has no FNSAVE.
    requires: eager ? ['fpu', 'fxsr'] : ['fpu'],
    fpstate: 'allocated',
    xfeatures,
    slots: [hasFpu, usedMath, lastCpu, counter, owner, inKernelFpu, preload],
    roles: { owner, active: hasFpu, used: usedMath },
    routines: [
      ...switchRoutines(parts),
      ...trapRoutines(parts),
      ...kernelFpuRoutines(parts),
      ...lifeRoutines(parts),
      ...signalRoutines(parts),
      ...ia32SignalRoutines(parts),
      ...allocatedRegsets({ usedMath, lastCpu, unlazy: unlazyFpu(parts), header: 'reserved' }),
      ...up.routines,
      ...(eager ? [routine('fpu_init', [step('clts at boot', (k) => k.writeCr0(k.readCr0() & ~CR0_TS))])] : []),
    ],
    hooks: {
      'switch-out': 'switch_fpu_prepare',
      'switch-in': 'switch_fpu_finish',
      'trap-nm': eager ? 'do_device_not_available' : 'math_state_restore',
      'irq-fpu-usable': 'irq_fpu_usable',
      'kernel-fpu-begin': 'kernel_fpu_begin',
      'kernel-fpu-end': 'kernel_fpu_end',
      fork: 'arch_dup_task_struct',
      exec: 'flush_thread',
      exit: 'exit_thread',
      'signal-save': 'save_xstate_sig',
      'signal-clear': 'handle_signal',
      'signal-restore': '__restore_xstate_sig',
      'signal-save-ia32': 'save_xstate_sig, ia32_fxstate',
      'signal-restore-ia32': '__restore_xstate_sig, ia32_fxstate',
      ...REGSET_HOOKS,
      ...(eager ? { 'cpu-up': 'fpu_init' } : {}),
      ...up.hooks,
    },
  };
}

/** restore_fpu_checking(): where XRSTOR raises #GP, what was in the registers is still there, and a routine deals with that. */
const restoreOr = (failing: string): RoutineNode =>
  step(
    'restore_fpu_checking',
    (k) => {
      if (!k.restore(k.fpstateOf(k.task))) k.call(failing);
    },
    { instruction: 'xsave' },
  );

/** unlazy_fpu() of current, for a core dump. */
function unlazyFpu({ eager, hasFpu, owner, has, stts, saveInitFpu }: Parts): RoutineNode {
  const giveUp = step('has_fpu = 0, owner = NULL', (k) => {
    k.write(hasFpu, k.task, 0);
    k.write(owner, k.cpu, NOBODY);
  });
  return group('unlazy_fpu', [
    step('preempt_disable', (k) => k.preemptDisable()),
    when(has, eager ? [saveInitFpu] : [saveInitFpu, group('__thread_fpu_end', [giveUp, ...stts])]),
    step('preempt_enable', (k) => k.preemptEnable()),
  ]);
}

function makeParts(eager: boolean): Parts {
  const hasFpu = slot.task('has_fpu', 'flag');
  const usedMath = slot.task('PF_USED_MATH', 'flag');
  const owner = slot.cpu('fpu_owner_task', 'task', NOBODY);
  const has = (k: Kernel): boolean => k.read(hasFpu, k.task) !== 0;
  const lazyOnly = (node: RoutineNode): readonly RoutineNode[] => (eager ? [] : [node]);
  const clts = lazyOnly(step('clts', (k) => k.clts()));
  const stts = lazyOnly(step('stts', (k) => k.stts()));
  const setHasFpu = (k: Kernel, task: number): void => {
    k.write(hasFpu, task, 1);
    k.write(owner, k.cpu, task);
  };
  const clearHasFpu = (k: Kernel): void => {
    k.write(hasFpu, k.task, 0);
    k.write(owner, k.cpu, NOBODY);
  };
  const counter = eager ? unusedFpuCounter('fpu_counter') : fpuCounter('fpu_counter');
  return {
    eager,
    hasFpu,
    usedMath,
    lastCpu: slot.task('last_cpu', 'cpu', NOBODY),
    counter,
    owner,
    inKernelFpu: slot.cpu('in_kernel_fpu', 'flag'),
    preload: slot.cpu('preload', 'flag'),
    has,
    used: (k) => k.read(usedMath, k.task) !== 0,
    clts,
    stts,
    setHasFpu,
    saveInitFpu: step('__save_init_fpu', (k) => k.setLocal(0, k.save(k.fpstateOf(k.task)) ? 1 : 0), {
      instruction: 'xsave',
    }),
    restore: restoreOr('fpu_reset_state'),
    initFpu: group('init_fpu', [
      unless(
        (k) => k.isAllocated(k.fpstateOf(k.task)),
        [
          step('kmem_cache_alloc', (k) => k.setLocal(0, k.allocationMaySleep() ? 0 : 1)),
          unless(allocationFailed, [step('fpu->state = new memory', (k) => k.allocate(k.fpstateOf(k.task)))]),
        ],
      ),
      unless(allocationFailed, [
        step('fpu_finit', (k) => k.initFpstate(k.fpstateOf(k.task))),
        step('set PF_USED_MATH', (k) => k.write(usedMath, k.task, 1)),
      ]),
    ]),
    userFpuBegin: group('user_fpu_begin', [
      step('user_fpu_begin: preempt_disable', (k) => k.preemptDisable()),
      unless(has, [...clts, step('user_fpu_begin: has_fpu = 1, owner = current', (k) => setHasFpu(k, k.task))]),
      step('user_fpu_begin: preempt_enable', (k) => k.preemptEnable()),
    ]),
    resetState: step('fpu_reset_state', (k) => k.call('fpu_reset_state')),
    dropFpu: group('drop_fpu', [
      step('preempt_disable', (k) => k.preemptDisable()),
      step('fpu_counter = 0', (k) => k.write(counter, k.task, 0)),
      when(has, [
        step('fwait', () => {}, { instruction: 'wait' }),
        group('__thread_fpu_end', [step('has_fpu = 0, owner = NULL', clearHasFpu), ...stts]),
      ]),
      step('clear_used_math', (k) => k.write(usedMath, k.task, 0)),
      step('preempt_enable', (k) => k.preemptEnable()),
    ]),
  };
}

/** switch_fpu_prepare() and switch_fpu_finish(). */
function switchRoutines(parts: Parts): readonly Routine[] {
  const { eager, hasFpu, usedMath, lastCpu, counter, owner, preload, has, clts, stts, setHasFpu } = parts;
  const preloads = (k: Kernel): boolean => k.read(preload, k.cpu) !== 0;
  return [
    routine('switch_fpu_prepare', [
      step(eager ? 'preload = used_math(new)' : 'preload = used_math(new) && fpu_counter > 5', (k) => {
        const wanted = k.read(usedMath, k.next) !== 0 && (eager || k.isAbove(counter, k.next));
        k.write(preload, k.cpu, wanted ? 1 : 0);
      }),
      when(
        has,
        [
          parts.saveInitFpu,
          step('last_cpu = cpu', (k) => k.write(lastCpu, k.task, k.local(0) ? k.cpu : NOBODY)),
          step('has_fpu = 0, owner stays', (k) => k.write(hasFpu, k.task, 0)),
          when(
            preloads,
            [
              step('new->fpu_counter++', (k) => k.count(counter, k.next)),
              step('__thread_set_has_fpu(new)', (k) => setHasFpu(k, k.next)),
            ],
            stts,
          ),
        ],
        [
          step('old->fpu_counter = 0', (k) => k.write(counter, k.task, 0)),
          step('last_cpu = ~0', (k) => k.write(lastCpu, k.task, NOBODY)),
          when(preloads, [
            step('count the preload', (k) => k.count(counter, k.next)),
            step('fpu_lazy_restore', (k) => {
              const valid = k.read(owner, k.cpu) === k.next && k.read(lastCpu, k.next) === k.cpu;
              if (!valid) return;
              k.write(preload, k.cpu, 0);
              k.skipRestore(k.next);
            }),
            group('__thread_fpu_begin(new)', [
              ...clts,
              step('new: has_fpu = 1, owner = new', (k) => setHasFpu(k, k.next)),
            ]),
          ]),
        ],
      ),
    ]),
    routine('switch_fpu_finish', [
      when(preloads, [parts.restore, step('preload done', (k) => k.write(preload, k.cpu, 0))]),
    ]),
  ];
}

/** do_device_not_available(): math_state_restore(), or BUG_ON(use_eager_fpu()). */
function trapRoutines({ eager, counter, inKernelFpu, used, clts, setHasFpu, initFpu }: Parts): readonly Routine[] {
  if (eager) return [routine('do_device_not_available', [step('BUG_ON(use_eager_fpu())', (k) => k.killCurrent())])];
  const trap = routine('math_state_restore', [
    unless(used, [
      step('local_irq_enable', (k) => k.localIrqEnable()),
      initFpu,
      when(allocationFailed, [step('do_group_exit(SIGKILL)', (k) => k.killCurrent())]),
      step('local_irq_disable', (k) => k.localIrqDisable()),
    ]),
    step('kernel_fpu_disable', (k) => k.write(inKernelFpu, k.cpu, 1)),
    group('__thread_fpu_begin', [...clts, step('has_fpu = 1, owner = current', (k) => setHasFpu(k, k.task))]),
    restoreOr('restore failed'),
    step('fpu_counter++', (k) => k.count(counter, k.task)),
    step('kernel_fpu_enable', (k) => k.write(inKernelFpu, k.cpu, 0)),
  ]);
  const failing = routine('restore failed', [
    step('fpu_reset_state', (k) => k.call('fpu_reset_state')),
    step('kernel_fpu_enable', (k) => k.write(inKernelFpu, k.cpu, 0)),
    step('force_sig_info(SIGSEGV)', (k) => k.killCurrent()),
  ]);
  return [trap, failing];
}

/** kernel_fpu_begin(), kernel_fpu_end() and who may call them. */
function kernelFpuRoutines(parts: Parts): readonly Routine[] {
  const { eager, owner, inKernelFpu, has, clts, stts, restore } = parts;
  const interruptedKernelFpuIdle = (k: Kernel): boolean => {
    if (k.read(inKernelFpu, k.cpu)) return false;
    return eager || (!has(k) && (k.readCr0() & CR0_TS) !== 0);
  };
  return [
    routine('kernel_fpu_begin', [
      step('preempt_disable', (k) => k.preemptDisable()),
      step('in_kernel_fpu = true', (k) => k.write(inKernelFpu, k.cpu, 1)),
      when(
        has,
        [step('__save_init_fpu', (k) => void k.save(k.fpstateOf(k.task)), { instruction: 'xsave' })],
        [step('owner = NULL', (k) => k.write(owner, k.cpu, NOBODY)), ...clts],
      ),
    ]),
    routine('kernel_fpu_end', [
      when(has, [restore], stts),
      step('in_kernel_fpu = false', (k) => k.write(inKernelFpu, k.cpu, 0)),
      step('preempt_enable', (k) => k.preemptEnable()),
    ]),
    routine('irq_fpu_usable', [
      step('irq_fpu_usable', (k) => {
        const interruptedUserMode = contextOf(k.interrupted) === CONTEXT.user;
        k.answer(!inInterrupt(k.status) || interruptedUserMode || interruptedKernelFpuIdle(k));
      }),
    ]),
  ];
}

/** fork(), execve(), exit, and fpu_reset_state(). */
function lifeRoutines(parts: Parts): readonly Routine[] {
  const { eager, hasFpu, usedMath, lastCpu, counter, owner, has, used, stts, initFpu, userFpuBegin, dropFpu } = parts;
  const clearHasFpu = (k: Kernel): void => {
    k.write(hasFpu, k.task, 0);
    k.write(owner, k.cpu, NOBODY);
  };
  const restoreInitXstate = step('restore_init_xstate', (k) => k.initFpregs(), { instruction: 'xsave' });
  /** The eager parent's registers go straight to the child; a lazy one gives them up first. */
  const fpuCopy: readonly RoutineNode[] = eager
    ? [step('__save_fpu(dst)', (k) => void k.save(k.fpstateOf(k.child)), { instruction: 'xsave' })]
    : [
        group('unlazy_fpu(src)', [
          step('preempt_disable', (k) => k.preemptDisable()),
          when(has, [
            parts.saveInitFpu,
            group('__thread_fpu_end', [step('has_fpu = 0, owner = NULL', clearHasFpu), ...stts]),
          ]),
          step('preempt_enable', (k) => k.preemptEnable()),
        ]),
        step('memcpy(dst, src)', (k) => k.copyFpstate({ from: k.fpstateOf(k.task), to: k.fpstateOf(k.child) })),
      ];
  return [
    routine('arch_dup_task_struct', [
      step('*dst = *src, but fpu_counter = 0, has_fpu = 0, last_cpu = ~0, no state', (k) => {
        k.write(usedMath, k.child, k.read(usedMath, k.task));
        k.write(counter, k.child, 0);
        k.write(hasFpu, k.child, 0);
        k.write(lastCpu, k.child, NOBODY);
      }),
      when(used, [
        step('kmem_cache_alloc(dst)', (k) => k.setLocal(0, k.allocationMaySleep() ? 0 : 1)),
        when(
          allocationFailed,
          [step('return -ENOMEM', (k) => k.refuse())],
          [step('dst->state = new memory', (k) => k.allocate(k.fpstateOf(k.child))), group('fpu_copy', fpuCopy)],
        ),
      ]),
    ]),
    eager
      ? routine('flush_thread', [
          unless(used, [
            initFpu,
            when(allocationFailed, [step('force_sig(SIGKILL)', (k) => k.killCurrent())]),
            userFpuBegin,
          ]),
          restoreInitXstate,
        ])
      : routine('flush_thread', [
          dropFpu,
          when(
            (k) => k.isAllocated(k.fpstateOf(k.task)),
            [step('free_thread_xstate', (k) => k.free(k.fpstateOf(k.task)))],
          ),
        ]),
    routine('exit_thread', [dropFpu]),
    routine('fpu_reset_state', eager ? [restoreInitXstate] : [dropFpu]),
  ];
}

/** save_xstate_sig(), the end of handle_signal(), __restore_xstate_sig(), without ia32_fxstate. */
function signalRoutines(parts: Parts): readonly Routine[] {
  const { has, used, initFpu, userFpuBegin, resetState } = parts;
  return [
    routine('save_xstate_sig', [
      when(
        used,
        [
          group('saved to the frame', [
            when(
              has,
              [userAccess('xsave_user', (k) => k.saveToUser(), LOADS)],
              [userAccess('__copy_to_user', (k) => k.copyToUser(k.fpstateOf(k.task)))],
            ),
          ]),
          unless(went(ATTEMPT.ok), [step('return -1', (k) => k.refuse())]),
        ],
        [step('no fpstate in the frame', (k) => k.leaveOutOfFrame())],
      ),
    ]),
    routine('handle_signal', [when(used, [resetState])]),
    routine('__restore_xstate_sig', [
      when(
        (k) => frameHeader(k) === HEADER.absent,
        [step('fpu_reset_state, for there is no frame', (k) => k.call('fpu_reset_state'))],
        [
          unless(used, [initFpu]),
          when(
            allocationFailed,
            [step('return -ENOMEM', (k) => k.refuse())],
            [
              userFpuBegin,
              when(
                (k) => notInFrame(k) !== 0,
                [step('xrstor_state(init_xstate_buf)', (k) => k.initFpregs(notInFrame(k)), LOADS)],
              ),
              userAccess('xrestore_user', (k) => k.restoreFromUser(inFrame(k)), LOADS),
              unless(went(ATTEMPT.ok), [resetState, step('return -1', (k) => k.refuse())]),
            ],
          ),
        ],
      ),
    ]),
  ];
}

/** The same for frames of 32-bit programs: the state comes back through memory, and no switch may load or save it meanwhile. */
function ia32SignalRoutines(parts: Parts): readonly Routine[] {
  const { eager, usedMath, counter, inKernelFpu, has, used, initFpu, setHasFpu, resetState, dropFpu } = parts;
  const own = (k: Kernel): number => k.fpstateOf(k.task);
  /** math_state_restore() of an eager kernel. Interrupts are on: they must not take the registers for the task's before they are. */
  const load: readonly RoutineNode[] = [
    step('preempt_disable to load', (k) => k.preemptDisable()),
    step('kernel_fpu_disable', (k) => k.write(inKernelFpu, k.cpu, 1)),
    step('__thread_fpu_begin', (k) => setHasFpu(k, k.task)),
    parts.restore,
    step('fpu_counter++', (k) => k.count(counter, k.task)),
    step('kernel_fpu_enable', (k) => k.write(inKernelFpu, k.cpu, 0)),
    step('preempt_enable after it', (k) => k.preemptEnable()),
  ];
  return [
    routine('save_xstate_sig, ia32_fxstate', [
      when(
        used,
        [
          when(
            has,
            [
              userAccess('xsave_user', (k) => k.saveToUser(), LOADS),
              when(went(ATTEMPT.ok), [fxsave('fpu_fxsave', own, { nmExpected: true })]),
            ],
            [userAccess('__copy_to_user', (k) => k.copyToUser(own(k)))],
          ),
          andThen('the XSAVE image is there', saveFsaveHeader(own)),
          unless(went(ATTEMPT.ok), [step('return -1', (k) => k.refuse())]),
        ],
        [step('no fpstate in the frame', (k) => k.leaveOutOfFrame())],
      ),
    ]),
    routine('__restore_xstate_sig, ia32_fxstate', [
      when(
        (k) => frameHeader(k) === HEADER.absent,
        [resetState],
        [
          unless(used, [initFpu]),
          when(
            allocationFailed,
            [step('return -ENOMEM', (k) => k.refuse())],
            [
              dropFpu,
              userAccess('__copy_from_user', (k) => k.copyFromUser(own(k))),
              andThen('the XSAVE image is there', readFsaveHeader),
              when(went(ATTEMPT.ok), [sanitize(own)], [step('fpu_finit after a fault', (k) => k.initFpstate(own(k)))]),
              step('set_used_math', (k) => k.write(usedMath, k.task, 1)),
              ...(eager ? [group('math_state_restore', load)] : []),
              unless(went(ATTEMPT.ok), [step('return -1', (k) => k.refuse())]),
            ],
          ),
        ],
      ),
    ]),
  ];
}
