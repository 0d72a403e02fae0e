/**
 * Linux 2.6.32, 64-bit, as released: arch/x86/include/asm/i387.h, arch/x86/kernel/i387.c, xsave.c, traps.c, process.c,
 * process_64.c.
 *
 * TS_USEDFPU, in thread_info, and CR0.TS belong together and change one after the other. Where preemption is on between them,
 * the next task runs with TS clear: see `PREEMPT_SAFE_SIGFRAME` and `PREEMPT_SAFE_UNLAZY`.
 *
 * Not modelled: pending x87 exceptions (FNCLEX), prefetch, what 32-bit kernels do otherwise.
 */
import {
  CONTEXT,
  CR0_TS,
  HEADER,
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
  type Patch,
  type RoutineNode,
} from '@fpulab/core';
import { cpuUp } from '../cpu-up';
import { fpuCounter } from '../fpu-counter';
import { andThen, readFsaveHeader, sanitize, saveFsaveHeader } from '../ia32-frame';
import { REGSET_HOOKS, allocatedRegsets } from '../regset';
import { ATTEMPT, frameHeader, inFrame, notInFrame, userAccess, went } from '../user-frame';
import { XFEATURES_3_6 } from '../xfeatures';

/** The #NM handler does not ask where the exception came from: it loads the registers, and the instruction starts again. */
const MAY_TRAP = { instruction: 'xsave', nmExpected: true } as const;

const own = (k: Kernel): number => k.fpstateOf(k.task);

/** The lazy policy of Linux 2.6.32. */
export function linux2632(): BasePolicy {
  const usedFpu = slot.task('TS_USEDFPU', 'flag');
  const usedMath = slot.task('PF_USED_MATH', 'flag');
  const counter = fpuCounter('fpu_counter');
  /** preload_fpu: a local of __switch_to(), which runs on two stacks. */
  const preload = slot.cpu('preload_fpu', 'flag');

  const hasFpu = (k: Kernel): boolean => k.read(usedFpu, k.task) !== 0;
  const used = (k: Kernel): boolean => k.read(usedMath, k.task) !== 0;
  const preloads = (k: Kernel): boolean => k.read(preload, k.cpu) !== 0;
  const failed = (k: Kernel): boolean => k.local(0) !== 0;

  const setUsedFpu = (name: string, value: 0 | 1): RoutineNode => step(name, (k) => k.write(usedFpu, k.task, value));
  const stts = (name = 'stts'): RoutineNode => step(name, (k) => k.stts());
  const clearUsedMath = (name = 'clear_used_math'): RoutineNode => step(name, (k) => k.write(usedMath, k.task, 0));

  const saveInitFpu = group('__save_init_fpu', [
    step('xsave', (k) => void k.save(k.fpstateOf(k.task)), MAY_TRAP),
    setUsedFpu('TS_USEDFPU = 0', 0),
  ]);
  const unlazyFpu = group('unlazy_fpu', [
    when(hasFpu, [saveInitFpu, stts()], [step('fpu_counter = 0', (k) => k.write(counter, k.task, 0))]),
  ]);
  /** 64-bit clear_fpu(): preemption is as it was. */
  const clearFpu = (prefix = ''): RoutineNode =>
    group(`${prefix}clear_fpu`, [
      when(hasFpu, [
        step(`${prefix}fwait`, () => {}, { instruction: 'wait', nmExpected: true }),
        setUsedFpu(`${prefix}TS_USEDFPU = 0`, 0),
        stts(`${prefix}stts`),
      ]),
    ]);
  /** "Paranoid restore": stts() and SIGSEGV where it fails. */
  const mathStateRestore = group('__math_state_restore', [
    step(
      'restore_fpu_checking',
      (k) => {
        if (!k.restore(k.fpstateOf(k.task))) k.call('restore failed');
      },
      { instruction: 'xsave' },
    ),
    setUsedFpu('TS_USEDFPU = 1', 1),
    step('fpu_counter++', (k) => k.count(counter, k.task)),
  ]);
  /** Its slab allocation (GFP_KERNEL) may sleep, and may fail. */
  const initFpu = group('init_fpu', [
    unless(
      (k) => k.isAllocated(k.fpstateOf(k.task)),
      [
        step('kmem_cache_alloc', (k) => k.setLocal(0, k.allocationMaySleep() ? 0 : 1)),
        unless(failed, [step('thread.xstate = new memory', (k) => k.allocate(k.fpstateOf(k.task)))]),
      ],
    ),
    unless(failed, [
      step('finit', (k) => k.initFpstate(k.fpstateOf(k.task))),
      step('set PF_USED_MATH', (k) => k.write(usedMath, k.task, 1)),
    ]),
  ]);

  const up = cpuUp('fpu_init', { fninit: false, lazy: true });

  return {
    kind: 'base',
    id: 'lazy-cr0-ts',
    title: 'lazy FPU switching with CR0.TS, Linux 2.6.32',
    source: 'Linux 2.6.32.2 process_64.c __switch_to(); traps.c math_state_restore(); asm/i387.h; xsave.c',
    requires: ['fpu'],
    fpstate: 'allocated',
    xfeatures: XFEATURES_3_6,
    xsaveopt: false,
    slots: [usedFpu, usedMath, counter, preload],
    roles: { active: usedFpu, used: usedMath },
    routines: [
      ...up.routines,
      routine('__switch_to, prev', [
        step('preload_fpu = used_math(next) && fpu_counter > 5', (k) => {
          const wanted = k.read(usedMath, k.next) !== 0 && k.isAbove(counter, k.next);
          k.write(preload, k.cpu, wanted ? 1 : 0);
        }),
        unlazyFpu,
        when(preloads, [step('clts', (k) => k.clts())]),
      ]),
      routine('__switch_to, next', [
        when(preloads, [mathStateRestore, step('preload done', (k) => k.write(preload, k.cpu, 0))]),
      ]),
      routine('math_state_restore', [
        unless(used, [
          step('local_irq_enable', (k) => k.localIrqEnable()),
          initFpu,
          when(failed, [step('do_group_exit(SIGKILL)', (k) => k.killCurrent())]),
          step('local_irq_disable', (k) => k.localIrqDisable()),
        ]),
        step('clts', (k) => k.clts()),
        mathStateRestore,
      ]),
      routine('kernel_fpu_begin', [
        step('preempt_disable', (k) => k.preemptDisable()),
        when(hasFpu, [saveInitFpu], [step('clts', (k) => k.clts())]),
      ]),
      routine('kernel_fpu_end', [stts(), step('preempt_enable', (k) => k.preemptEnable())]),
      routine('irq_fpu_usable', [
        step('irq_fpu_usable', (k) => {
          const interruptedUserMode = contextOf(k.interrupted) === CONTEXT.user;
          k.answer(!inInterrupt(k.status) || interruptedUserMode || (k.readCr0() & CR0_TS) !== 0);
        }),
      ]),
      // prepare_to_copy(), arch_dup_task_struct(), setup_thread_stack(): all that the parent has is copied.
      routine('dup_task_struct', [
        group('prepare_to_copy', [unlazyFpu]),
        step('*dst = *src', (k) => {
          k.write(usedMath, k.child, k.read(usedMath, k.task));
          k.write(counter, k.child, k.read(counter, k.task));
        }),
        when(
          (k) => k.isAllocated(k.fpstateOf(k.task)),
          [
            step('kmem_cache_alloc(dst)', (k) => k.setLocal(0, k.allocationMaySleep() ? 0 : 1)),
            when(
              failed,
              [step('return -ENOMEM', (k) => k.refuse())],
              [
                step('memcpy(dst, src)', (k) => {
                  k.allocate(k.fpstateOf(k.child));
                  k.copyFpstate({ from: k.fpstateOf(k.task), to: k.fpstateOf(k.child) });
                }),
              ],
            ),
          ],
        ),
        step('setup_thread_stack', (k) => k.write(usedFpu, k.child, k.read(usedFpu, k.task))),
      ]),
      routine('restore failed', [stts(), step('force_sig(SIGSEGV)', (k) => k.killCurrent())]),
      ...allocatedRegsets({ usedMath, unlazy: unlazyFpu, header: 'unknown' }),
      routine('flush_thread', [
        step('exec: fpu_counter = 0', (k) => k.write(counter, k.task, 0)),
        clearFpu(),
        clearUsedMath(),
        when(
          (k) => k.isAllocated(k.fpstateOf(k.task)),
          [step('free_thread_xstate', (k) => k.free(k.fpstateOf(k.task)))],
        ),
      ]),
      routine('save_i387_xstate', [
        when(
          used,
          [
            when(
              hasFpu,
              [
                userAccess('xsave_user', (k) => k.saveToUser(), MAY_TRAP),
                when(went(ATTEMPT.ok), [setUsedFpu('TS_USEDFPU = 0', 0), stts()]),
              ],
              [userAccess('__copy_to_user', (k) => k.copyToUser(k.fpstateOf(k.task)))],
            ),
            when(went(ATTEMPT.ok), [clearUsedMath()], [step('return an error', (k) => k.refuse())]),
          ],
          [step('no fpstate in the frame', (k) => k.leaveOutOfFrame())],
        ),
      ]),
      routine('restore_i387_xstate', [
        when(
          (k) => frameHeader(k) === HEADER.absent,
          [when(used, [clearFpu('clear: '), clearUsedMath('clear: clear_used_math')])],
          [
            unless(used, [initFpu]),
            when(
              failed,
              [step('return -ENOMEM', (k) => k.refuse())],
              [
                unless(hasFpu, [step('clts', (k) => k.clts()), setUsedFpu('TS_USEDFPU = 1', 1)]),
                userAccess('xrestore_user', (k) => k.restoreFromUser(inFrame(k)), MAY_TRAP),
                when(
                  went(ATTEMPT.ok),
                  [
                    when(
                      (k) => notInFrame(k) !== 0,
                      [step('xrstor_state(init_xstate_buf)', (k) => k.initFpregs(notInFrame(k)), MAY_TRAP)],
                    ),
                  ],
                  [
                    clearFpu('error: '),
                    clearUsedMath('error: clear_used_math'),
                    step('return the error', (k) => k.refuse()),
                  ],
                ),
              ],
            ),
          ],
        ),
      ]),
      routine('save_i387_xstate_ia32', [
        when(
          used,
          [
            clearUsedMath(),
            unlazyFpu,
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
      ]),
      // No switch loads the image while it is written: whoever is switched out without registers has fpu_counter 0 then.
      routine('restore_i387_xstate_ia32', [
        clearFpu(),
        when(
          (k) => frameHeader(k) === HEADER.absent,
          [when(used, [clearUsedMath()])],
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
      ]),
    ],
    abis: ['x86-64', 'ia32'],
    hooks: {
      'switch-out': '__switch_to, prev',
      'switch-in': '__switch_to, next',
      'trap-nm': 'math_state_restore',
      'irq-fpu-usable': 'irq_fpu_usable',
      'kernel-fpu-begin': 'kernel_fpu_begin',
      'kernel-fpu-end': 'kernel_fpu_end',
      fork: 'dup_task_struct',
      exec: 'flush_thread',
      exit: NOTHING, // the last schedule() saves what nobody will load, and the image goes with the task
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

const preemptDisable = (where: string): RoutineNode => step(`preempt_disable (${where})`, (k) => k.preemptDisable());
const preemptEnable = (where: string): RoutineNode => step(`preempt_enable (${where})`, (k) => k.preemptEnable());

/** TS_USEDFPU and CR0.TS change together while the signal frame is written or read: user_fpu_begin() and user_fpu_end(). */
export const PREEMPT_SAFE_SIGFRAME: Patch = {
  id: 'preempt-safe-sigframe',
  title: 'preemption is off while TS_USEDFPU and CR0.TS change in save_i387_xstate() and restore_i387_xstate()',
  source: '15d8791cae75 "i387: fix x86-64 preemption-unsafe user stack save/restore"',
  edits: [
    {
      edit: 'insert-before',
      routine: 'save_i387_xstate',
      step: 'TS_USEDFPU = 0',
      nodes: [preemptDisable('user_fpu_end')],
    },
    { edit: 'insert-after', routine: 'save_i387_xstate', step: 'stts', nodes: [preemptEnable('user_fpu_end')] },
    { edit: 'insert-before', routine: 'restore_i387_xstate', step: 'clts', nodes: [preemptDisable('user_fpu_begin')] },
    {
      edit: 'insert-after',
      routine: 'restore_i387_xstate',
      step: 'TS_USEDFPU = 1',
      nodes: [preemptEnable('user_fpu_begin')],
    },
  ],
};

/** The same in unlazy_fpu() and clear_fpu(), whose 32-bit versions always did it. */
export const PREEMPT_SAFE_UNLAZY: Patch = {
  id: 'preempt-safe-unlazy',
  title: 'preemption is off in unlazy_fpu() and clear_fpu()',
  source: '"x86-64, fpu: Disable preemption when using TS_USEDFPU"',
  edits: [
    ...['dup_task_struct', 'xstateregs_get', 'xstateregs_set', 'save_i387_xstate_ia32'].flatMap(
      (name): Patch['edits'] => [
        { edit: 'insert-before', routine: name, step: 'unlazy_fpu', nodes: [preemptDisable('unlazy_fpu')] },
        { edit: 'insert-after', routine: name, step: 'unlazy_fpu', nodes: [preemptEnable('unlazy_fpu')] },
      ],
    ),
    ...[
      ['flush_thread', ''],
      ['restore_i387_xstate', 'clear: '],
      ['restore_i387_xstate', 'error: '],
      ['restore_i387_xstate_ia32', ''],
    ].flatMap(([name, prefix]): Patch['edits'] => [
      {
        edit: 'insert-before',
        routine: name,
        step: `${prefix}clear_fpu`,
        nodes: [preemptDisable(`${prefix}clear_fpu`)],
      },
      { edit: 'insert-after', routine: name, step: `${prefix}clear_fpu`, nodes: [preemptEnable(`${prefix}clear_fpu`)] },
    ]),
  ],
};
