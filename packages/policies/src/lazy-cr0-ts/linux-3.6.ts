/**
 * Linux 3.6: arch/x86/include/asm/fpu-internal.h, arch/x86/kernel/i387.c, traps.c,
 * process.c.
 *
 * Not modelled: pending x87 exceptions (FNCLEX, last_cpu = ~0 after them), prefetch.
 */
import {
  CONTEXT,
  CR0_TS,
  HEADER,
  NOBODY,
  NOTHING,
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
import { cpuUp } from '../cpu-up';
import { fpuCounter } from '../fpu-counter';
import { andThen, readFsaveHeader, sanitize, saveFsaveHeader } from '../ia32-frame';
import { REGSET_HOOKS, allocatedRegsets } from '../regset';
import { ATTEMPT, frameHeader, inFrame, notInFrame, userAccess, went } from '../user-frame';
import { XFEATURES_3_6 } from '../xfeatures';

/** Loads registers where #NM may come in between: whoever was preempted has lost them, and the handler loads them again. */
const LOADS = { instruction: 'xsave', nmExpected: true } as const;

const own = (k: Kernel): number => k.fpstateOf(k.task);

/** The lazy policy of Linux 3.6. */
export function linux36(): BasePolicy {
  const hasFpu = slot.task('has_fpu', 'flag');
  const usedMath = slot.task('PF_USED_MATH', 'flag');
  const lastCpu = slot.task('last_cpu', 'cpu', NOBODY);
  const counter = fpuCounter('fpu_counter');
  const owner = slot.cpu('fpu_owner_task', 'task', NOBODY);
  /** fpu_switch_t.preload: a local of __switch_to(), which runs on two stacks. */
  const preload = slot.cpu('preload', 'flag');

  const has = (k: Kernel): boolean => k.read(hasFpu, k.task) !== 0;
  const used = (k: Kernel): boolean => k.read(usedMath, k.task) !== 0;
  const preloads = (k: Kernel): boolean => k.read(preload, k.cpu) !== 0;

  const setHasFpu = (k: Kernel, task: number): void => {
    k.write(hasFpu, task, 1);
    k.write(owner, k.cpu, task);
  };
  const clearHasFpu = (k: Kernel): void => {
    k.write(hasFpu, k.task, 0);
    k.write(owner, k.cpu, NOBODY);
  };
  const stts = (name = 'stts'): RoutineNode => step(name, (k) => k.stts());

  /** restore_fpu_checking(): XRSTOR can raise #GP, and what was in the registers is then still there. */
  const restoreOr = (failing: string) =>
    step(
      'restore_fpu_checking',
      (k) => {
        if (!k.restore(k.fpstateOf(k.task))) k.call(failing);
      },
      { instruction: 'xsave' },
    );
  const threadFpuEnd = routine('__thread_fpu_end', [step('has_fpu = 0, owner = NULL', clearHasFpu), stts()]);
  const paranoidRestore = routine('restore failed', [
    step('__thread_fpu_end', (k) => k.call('__thread_fpu_end')),
    step('force_sig(SIGSEGV)', (k) => k.killCurrent()),
  ]);

  const saveInitFpu = step('__save_init_fpu', (k) => k.setLocal(0, k.save(k.fpstateOf(k.task)) ? 1 : 0), {
    instruction: 'xsave',
  });

  const switchFpuPrepare = routine('switch_fpu_prepare', [
    step('preload = used_math(new) && fpu_counter > 5', (k) => {
      const wanted = k.read(usedMath, k.next) !== 0 && k.isAbove(counter, k.next);
      k.write(preload, k.cpu, wanted ? 1 : 0);
    }),
    when(
      has,
      [
        saveInitFpu,
        step('last_cpu = cpu', (k) => k.write(lastCpu, k.task, k.local(0) ? k.cpu : NOBODY)),
        step('has_fpu = 0, owner stays', (k) => k.write(hasFpu, k.task, 0)),
        when(
          preloads,
          [
            step('new->fpu_counter++', (k) => k.count(counter, k.next)),
            step('__thread_set_has_fpu(new)', (k) => setHasFpu(k, k.next)),
          ],
          [stts()],
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
            step('clts', (k) => k.clts()),
            step('new: has_fpu = 1, owner = new', (k) => setHasFpu(k, k.next)),
          ]),
        ]),
      ],
    ),
  ]);

  const switchFpuFinish = routine('switch_fpu_finish', [
    when(preloads, [restoreOr('__thread_fpu_end'), step('preload done', (k) => k.write(preload, k.cpu, 0))]),
  ]);

  const failed = (k: Kernel): boolean => k.local(0) !== 0;

  /** kmem_cache_alloc(GFP_KERNEL): may sleep, may fail. */
  const fpuAlloc = group('fpu_alloc', [
    unless(
      (k) => k.isAllocated(k.fpstateOf(k.task)),
      [
        step('kmem_cache_alloc', (k) => k.setLocal(0, k.allocationMaySleep() ? 0 : 1)),
        unless(failed, [step('fpu->state = new memory', (k) => k.allocate(k.fpstateOf(k.task)))]),
      ],
    ),
  ]);

  const mathStateRestore = routine('math_state_restore', [
    unless(used, [
      step('local_irq_enable', (k) => k.localIrqEnable()),
      group('init_fpu', [
        fpuAlloc,
        unless(failed, [
          step('fpu_finit', (k) => k.initFpstate(k.fpstateOf(k.task))),
          step('set PF_USED_MATH', (k) => k.write(usedMath, k.task, 1)),
        ]),
      ]),
      when(failed, [step('do_group_exit(SIGKILL)', (k) => k.killCurrent())]),
      step('local_irq_disable', (k) => k.localIrqDisable()),
    ]),
    group('__thread_fpu_begin', [
      step('clts', (k) => k.clts()),
      step('has_fpu = 1, owner = current', (k) => setHasFpu(k, k.task)),
    ]),
    restoreOr('restore failed'),
    step('fpu_counter++', (k) => k.count(counter, k.task)),
  ]);

  const saveAndGiveUp: readonly RoutineNode[] = [saveInitFpu, step('has_fpu = 0, owner = NULL', clearHasFpu)];

  const kernelFpuBegin = routine('kernel_fpu_begin', [
    step('preempt_disable', (k) => k.preemptDisable()),
    when(has, saveAndGiveUp, [
      step('owner = NULL', (k) => k.write(owner, k.cpu, NOBODY)),
      step('clts', (k) => k.clts()),
    ]),
  ]);

  const kernelFpuEnd = routine('kernel_fpu_end', [stts(), step('preempt_enable', (k) => k.preemptEnable())]);

  const irqFpuUsable = routine('irq_fpu_usable', [
    step('irq_fpu_usable', (k) => {
      const interruptedUserMode = contextOf(k.interrupted) === CONTEXT.user;
      const interruptedIdleFpu = !has(k) && (k.readCr0() & CR0_TS) !== 0;
      k.answer(!inInterrupt(k.status) || interruptedUserMode || interruptedIdleFpu);
    }),
  ]);

  const unlazyFpu = (name: string): RoutineNode =>
    group(name, [
      step('preempt_disable', (k) => k.preemptDisable()),
      when(has, [...saveAndGiveUp, stts()], [step('fpu_counter = 0', (k) => k.write(counter, k.task, 0))]),
      step('preempt_enable', (k) => k.preemptEnable()),
    ]);

  const fork = routine('arch_dup_task_struct', [
    unlazyFpu('unlazy_fpu(src)'),
    step('*dst = *src', (k) => {
      k.write(usedMath, k.child, k.read(usedMath, k.task));
      k.write(lastCpu, k.child, k.read(lastCpu, k.task));
      k.write(hasFpu, k.child, 0);
    }),
    when(
      (k) => k.isAllocated(k.fpstateOf(k.task)),
      [
        // Zeroes last_cpu too: CPU 0. Harmless, for every switch-out writes it before fpu_counter can reach 6.
        step('memset(&dst->thread.fpu, 0)', (k) => k.write(lastCpu, k.child, 0)),
        step('kmem_cache_alloc(dst)', (k) => k.setLocal(0, k.allocationMaySleep() ? 0 : 1)),
        when(
          (k) => k.local(0) === 0,
          [
            step('fpu_copy', (k) => {
              k.allocate(k.fpstateOf(k.child));
              k.copyFpstate({ from: k.fpstateOf(k.task), to: k.fpstateOf(k.child) });
            }),
          ],
          [step('return -ENOMEM', (k) => k.refuse())],
        ),
      ],
    ),
    step('child->fpu_counter = 0', (k) => k.write(counter, k.child, 0)),
  ]);

  const clearFpu = (prefix: string): RoutineNode =>
    group(`${prefix}clear_fpu`, [
      step(`${prefix}preempt_disable`, (k) => k.preemptDisable()),
      when(has, [
        step(`${prefix}fwait`, () => {}, { instruction: 'wait' }),
        step(`${prefix}has_fpu = 0, owner = NULL`, clearHasFpu),
        stts(`${prefix}stts`),
      ]),
      step(`${prefix}preempt_enable`, (k) => k.preemptEnable()),
    ]);
  const clearUsedMath = (prefix: string): RoutineNode =>
    step(`${prefix}clear_used_math`, (k) => k.write(usedMath, k.task, 0));
  /** clear_fpu() and clear_used_math() in restore_i387_xstate(). */
  const forgetFpu = (prefix: string): readonly RoutineNode[] => [clearFpu(prefix), clearUsedMath(prefix)];

  /** clear_fpu() and clear_used_math(): exec and exit forget the state; the registers keep it. */
  const dropFpu = (prefix: string): readonly RoutineNode[] => [
    step(`${prefix}: fpu_counter = 0`, (k) => k.write(counter, k.task, 0)),
    group('clear_fpu', [
      step('preempt_disable', (k) => k.preemptDisable()),
      when(has, [
        step('fwait', () => {}, { instruction: 'wait' }),
        step('has_fpu = 0, owner = NULL', clearHasFpu),
        stts(),
      ]),
      step('preempt_enable', (k) => k.preemptEnable()),
    ]),
    step('clear_used_math', (k) => k.write(usedMath, k.task, 0)),
    when((k) => k.isAllocated(k.fpstateOf(k.task)), [step('free_thread_xstate', (k) => k.free(k.fpstateOf(k.task)))]),
  ];

  const saveSig = routine('save_i387_xstate', [
    when(
      used,
      [
        when(
          has,
          [
            userAccess('xsave_user', (k) => k.saveToUser(), { instruction: 'xsave', nmExpected: true }),
            when(went(ATTEMPT.ok), [
              group('user_fpu_end', [
                step('preempt_disable', (k) => k.preemptDisable()),
                step('has_fpu = 0, owner = NULL', clearHasFpu),
                stts(),
                step('preempt_enable', (k) => k.preemptEnable()),
              ]),
            ]),
          ],
          [userAccess('__copy_to_user', (k) => k.copyToUser(k.fpstateOf(k.task)))],
        ),
        when(
          went(ATTEMPT.ok),
          [step('clear_used_math', (k) => k.write(usedMath, k.task, 0))],
          [step('return an error', (k) => k.refuse())],
        ),
      ],
      [step('no fpstate in the frame', (k) => k.leaveOutOfFrame())],
    ),
  ]);

  const initFpu = group('init_fpu', [
    fpuAlloc,
    unless(failed, [
      step('fpu_finit', (k) => k.initFpstate(own(k))),
      step('set PF_USED_MATH', (k) => k.write(usedMath, k.task, 1)),
    ]),
  ]);

  const restoreSig = routine('restore_i387_xstate', [
    when(
      (k) => frameHeader(k) === HEADER.absent,
      [when(used, forgetFpu('clear: '))],
      [
        unless(used, [initFpu]),
        when(
          failed,
          [step('return -ENOMEM', (k) => k.refuse())],
          [
            group('user_fpu_begin', [
              step('preempt_disable', (k) => k.preemptDisable()),
              unless(has, [
                step('clts', (k) => k.clts()),
                step('has_fpu = 1, owner = current', (k) => setHasFpu(k, k.task)),
              ]),
              step('preempt_enable', (k) => k.preemptEnable()),
            ]),
            userAccess('xrestore_user', (k) => k.restoreFromUser(inFrame(k)), LOADS),
            when(
              went(ATTEMPT.ok),
              [
                when(
                  (k) => notInFrame(k) !== 0,
                  [step('xrstor_state(init_xstate_buf)', (k) => k.initFpregs(notInFrame(k)), LOADS)],
                ),
              ],
              [...forgetFpu('error: '), step('return the error', (k) => k.refuse())],
            ),
          ],
        ),
      ],
    ),
  ]);

  const saveSigIa32 = routine('save_i387_xstate_ia32', [
    when(
      used,
      [
        clearUsedMath(''),
        unlazyFpu('unlazy_fpu'),
        step('convert_from_fxsr', (k) => k.setLocal(0, ATTEMPT.retry)),
        saveFsaveHeader(own),
        andThen(
          'the FSAVE header is there',
          userAccess('__copy_to_user', (k) => k.copyToUser(own(k))),
        ),
        unless(went(ATTEMPT.ok), [step('return an error', (k) => k.refuse())]),
      ],
      [step('no fpstate in the frame', (k) => k.leaveOutOfFrame())],
    ),
  ]);

  /** No switch loads the image while it is written: whoever is switched out without registers has fpu_counter 0 then. */
  const restoreSigIa32 = routine('restore_i387_xstate_ia32', [
    clearFpu(''),
    when(
      (k) => frameHeader(k) === HEADER.absent,
      [when(used, [clearUsedMath('')])],
      [
        unless(used, [initFpu]),
        when(
          failed,
          [step('return -ENOMEM', (k) => k.refuse())],
          [
            userAccess('__copy_from_user', (k) => k.copyFromUser(own(k))),
            andThen('the FXSAVE image is there', readFsaveHeader),
            when(went(ATTEMPT.ok), [sanitize(own)], [step('return the error', (k) => k.refuse())]),
            step('set_used_math', (k) => k.write(usedMath, k.task, 1)),
          ],
        ),
      ],
    ),
  ]);

  // Nobody resets the owner: 3.7 or 3.8 does.
  const up = cpuUp('fpu_init', { fninit: false, lazy: true });

  return {
    kind: 'base',
    id: 'lazy-cr0-ts',
    title: 'lazy FPU switching with CR0.TS, Linux 3.6',
    source:
      'Linux 3.6 fpu-internal.h switch_fpu_prepare(), switch_fpu_finish(); traps.c math_state_restore(); i387.c, xsave.h',
    requires: ['fpu'],
    fpstate: 'allocated',
    namesCpus: 'in-fork', // the child's last_cpu is 0
    xfeatures: XFEATURES_3_6,
    slots: [hasFpu, usedMath, lastCpu, counter, owner, preload],
    roles: { owner, active: hasFpu, used: usedMath },
    routines: [
      switchFpuPrepare,
      switchFpuFinish,
      mathStateRestore,
      kernelFpuBegin,
      kernelFpuEnd,
      irqFpuUsable,
      fork,
      routine('flush_thread', dropFpu('exec')),
      routine('exit_thread', dropFpu('exit')),
      saveSig,
      restoreSig,
      saveSigIa32,
      restoreSigIa32,
      threadFpuEnd,
      paranoidRestore,
      ...up.routines,
      ...allocatedRegsets({ usedMath, lastCpu, unlazy: unlazyFpu('unlazy_fpu'), header: 'reserved1' }),
    ],
    hooks: {
      'switch-out': 'switch_fpu_prepare',
      'switch-in': 'switch_fpu_finish',
      'trap-nm': 'math_state_restore',
      'irq-fpu-usable': 'irq_fpu_usable',
      'kernel-fpu-begin': 'kernel_fpu_begin',
      'kernel-fpu-end': 'kernel_fpu_end',
      fork: 'arch_dup_task_struct',
      exec: 'flush_thread',
      exit: 'exit_thread',
      'signal-save': 'save_i387_xstate',
      'signal-clear': NOTHING, // save_i387_xstate() has cleared PF_USED_MATH
      'signal-restore': 'restore_i387_xstate',
      'signal-save-ia32': 'save_i387_xstate_ia32',
      'signal-restore-ia32': 'restore_i387_xstate_ia32',
      ...REGSET_HOOKS,
      ...up.hooks,
    },
  };
}
