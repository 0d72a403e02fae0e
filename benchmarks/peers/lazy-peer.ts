/**
 * The model of `lazy-fpu.pml` on fpulab's machine, so that both can be searched side by side: lazy switching of Linux
 * before 4.2 without preloading, `fpu_counter`, `last_cpu` and an owner. What is a transition there is a step here.
 *
 * What differs: tasks start in execve() and end in exit(); yielding, switching and the hypervisor take several steps,
 * and where interrupts are on these can be preempted; `leak` reports what can be read, not only what is.
 */
import {
  NOTHING,
  SSE,
  USED_BY_ALL,
  X87,
  either,
  forever,
  inInterrupt,
  loop,
  mmx,
  program,
  routine,
  slot,
  step,
  syscall,
  unless,
  when,
  type BasePolicy,
  type Kernel,
  type Patch,
  type Scenario,
} from '@fpulab/core';

/** Marks steps that execute FXSAVE or FXRSTOR. */
const fpu = { instruction: 'fxsave' } as const;

/**
 * Lazy switching and nothing else: what was used since it was switched to is saved, #NM restores.
 *
 * Only switching and #NM are in the model; the other hooks are here so that the policy can run any scenario.
 */
export function lazyPeer(): BasePolicy {
  const usedFpu = slot.task('TS_USEDFPU', 'flag');
  const usedMath = slot.task('PF_USED_MATH', 'flag');

  const hasUsedFpu = (k: Kernel): boolean => k.read(usedFpu, k.task) !== 0;
  const hasUsedMath = (k: Kernel): boolean => k.read(usedMath, k.task) !== 0;
  const save = (k: Kernel): void => {
    k.save(k.fpstateOf(k.task));
    k.write(usedFpu, k.task, 0);
  };
  const unlazy = when(hasUsedFpu, [
    step(
      'save, clear TS_USEDFPU, stts',
      (k) => {
        save(k);
        k.stts();
      },
      fpu,
    ),
  ]);
  const alloc = step('kmem_cache_alloc', (k) => k.setLocal(0, k.allocationMaySleep() ? 0 : 1));
  const failed = (k: Kernel): boolean => k.local(0) !== 0;

  return {
    kind: 'base',
    id: 'lazy-peer',
    title: 'lazy FPU switching with CR0.TS, reduced to the model that other model checkers are given',
    source: 'benchmarks/peers/lazy-fpu.pml, after Linux before 4.2: __switch_to(), math_state_restore()',
    requires: ['fxsr'], // FNSAVE would leave INIT in the registers
    fpstate: 'allocated',
    xfeatures: (1 << X87) | (1 << SSE),
    slots: [usedFpu, usedMath],
    roles: { active: usedFpu, used: usedMath },
    routines: [
      routine('__unlazy_fpu', [unlazy]),
      routine('math_state_restore', [
        unless(hasUsedMath, [
          step('local_irq_enable', (k) => k.localIrqEnable()),
          alloc,
          when(
            failed,
            [step('do_group_exit(SIGKILL)', (k) => k.killCurrent())],
            [
              step('init the image, set PF_USED_MATH', (k) => {
                k.allocate(k.fpstateOf(k.task));
                k.initFpstate(k.fpstateOf(k.task));
                k.write(usedMath, k.task, 1);
              }),
            ],
          ),
          step('local_irq_disable', (k) => k.localIrqDisable()),
        ]),
        step('clts', (k) => k.clts()),
        step(
          'restore, set TS_USEDFPU',
          (k) => {
            k.restore(k.fpstateOf(k.task));
            k.write(usedFpu, k.task, 1);
          },
          fpu,
        ),
      ]),
      routine('irq_fpu_usable', [step('not in interrupts', (k) => k.answer(!inInterrupt(k.status)))]),
      routine('kernel_fpu_begin', [
        step('preempt_disable', (k) => k.preemptDisable()),
        when(hasUsedFpu, [step('save, clear TS_USEDFPU', save, fpu)], [step('clts', (k) => k.clts())]),
      ]),
      routine('kernel_fpu_end', [step('stts', (k) => k.stts()), step('preempt_enable', (k) => k.preemptEnable())]),
      routine('arch_dup_task_struct', [
        unlazy,
        when(hasUsedMath, [
          alloc,
          when(
            failed,
            [step('return -ENOMEM', (k) => k.refuse())],
            [
              step('copy the image', (k) => {
                k.allocate(k.fpstateOf(k.child));
                k.copyFpstate({ from: k.fpstateOf(k.task), to: k.fpstateOf(k.child) });
                k.write(usedMath, k.child, 1);
              }),
            ],
          ),
        ]),
      ]),
      routine('flush_thread', [
        when(hasUsedMath, [
          step('clear TS_USEDFPU and PF_USED_MATH, stts, free the image', (k) => {
            k.write(usedFpu, k.task, 0);
            k.write(usedMath, k.task, 0);
            k.stts();
            k.free(k.fpstateOf(k.task));
          }),
        ]),
      ]),
    ],
    hooks: {
      'switch-out': '__unlazy_fpu',
      'switch-in': NOTHING,
      'trap-nm': 'math_state_restore',
      'irq-fpu-usable': 'irq_fpu_usable',
      'kernel-fpu-begin': 'kernel_fpu_begin',
      'kernel-fpu-end': 'kernel_fpu_end',
      fork: 'arch_dup_task_struct',
      exec: 'flush_thread',
      exit: NOTHING, // a task that has finished is saved when it is switched out, and keeps its image
    },
  };
}

/** XENPV_FIXED: TS is set while the handler may sleep. */
export const GUEST_FIX_PEER: Patch = {
  id: 'guest-fix-peer',
  title: 'stts() before interrupts are enabled, clts() after they are disabled again',
  source: 'GUEST_FIX of @fpulab/policies, for lazy-peer',
  edits: [
    {
      edit: 'insert-before',
      routine: 'math_state_restore',
      step: 'local_irq_enable',
      nodes: [step('stts (guest-fix-peer)', (k) => k.stts())],
    },
    {
      edit: 'insert-after',
      routine: 'math_state_restore',
      step: 'local_irq_disable',
      nodes: [step('clts (guest-fix-peer)', (k) => k.clts())],
    },
  ],
};

/** Names of the tasks. */
const NAMES = ['A', 'B', 'C', 'D', 'E', 'F'];

/**
 * Identical tasks, each of which reads, writes or yields; first uses may sleep.
 *
 * @param tasks 1 to 6
 * @param operations per task; for ever when undefined
 * @param preempt `full`: wherever interrupts are on, every kernel step included (the Promela model's kernel has five such
 *   places per task, ours twenty); `user`: user code, and the kernel where it sleeps, as CONFIG_PREEMPT_VOLUNTARY
 */
export function peerScenario(
  tasks: number,
  operations: number | undefined,
  cpus: number,
  preempt: 'user' | 'full' = 'full',
): Scenario {
  const any = either(mmx.read(), mmx.write(), syscall('sched_yield'));
  const body = program(operations === undefined ? forever(any) : loop(operations, any));
  const names = NAMES.slice(0, tasks);
  if (names.length !== tasks) throw new RangeError(`1 to ${NAMES.length} tasks, found ${tasks}`);
  const often = operations === undefined ? 'for ever' : `${operations} times`;
  return {
    id: `peer-${cpus}-${tasks}-${operations ?? 'any'}`,
    title: `${tasks} tasks on ${cpus} CPUs read, write or yield, ${often}; preemption: ${preempt}`,
    tasks: names.map((name) => ({ name, program: body })),
    interference: { preempt, allocation: { sleep: true }, migration: cpus > 1 },
    oracles: ['leak', 'lost-update'],
    schedule: {},
    sometimes: USED_BY_ALL(names),
    cpu: 'pentium-iii',
    cpus,
    stepsMax: 100_000,
  };
}
