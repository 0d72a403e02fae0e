import {
  scenarioOf,
  step,
  type BasePolicy,
  type OracleId,
  type Patch,
  type Platform,
  type Scenario,
} from '@fpulab/core';
import { bareMetal, xenPv } from '@fpulab/hypervisor';
import { eager, lazyCr0Ts } from '../src';
import {
  ALONE_AND_MOVED,
  CHILD_MOVED,
  KERNEL_SECTIONS_PREEMPTED,
  PRELOADED_AND_INTERRUPTED,
  PRELOADED_AND_MOVED,
} from './runs';
import { removing, slotOf } from './support';

/** A policy that was broken on purpose, and who has to find it. */
export interface Mutant {
  readonly name: string;
  readonly policy: () => BasePolicy;
  readonly platform?: () => Platform;
  readonly patches: (policy: BasePolicy) => readonly Patch[];
  readonly scenario: Scenario;
  readonly oracle: OracleId;
}

const linux36 = () => lazyCr0Ts({ era: 'linux-3.6' });
const linux42 = () => lazyCr0Ts({ era: 'linux-4.2' });
const linux48Lazy = () => lazyCr0Ts({ era: 'linux-4.8' });

const moving = (id: string, routine: string, name: string, anchor: string): Patch => ({
  id,
  title: id,
  source: 'hypothetical',
  edits: [{ edit: 'move-before', routine, step: name, anchor }],
});

/** The skip test of lazy restore looks at the owner alone. */
const ownerAlone =
  (routine: string, name: string, owner: string) =>
  (policy: BasePolicy): readonly Patch[] => {
    const ownerSlot = slotOf(policy, owner);
    const preload = slotOf(policy, 'preload');
    const node = step(`${name} without last_cpu`, (k) => {
      if (k.read(ownerSlot, k.cpu) !== k.next) return;
      k.write(preload, k.cpu, 0);
      k.skipRestore(k.next);
    });
    const edits = [{ edit: 'replace', routine, step: name, nodes: [node] }] as const;
    return [{ id: 'owner-alone', title: 'last_cpu is not compared', source: 'hypothetical', edits }];
  };

const preemption = scenarioOf('preemption');
const interrupts = scenarioOf('interrupts');
const lifecycle = scenarioOf('fork-exec-exit');

export const MUTANTS: readonly Mutant[] = [
  {
    name: 'linux-3.6: switch-out does not save',
    policy: linux36,
    patches: () => [removing('no-save', 'switch_fpu_prepare', '__save_init_fpu')],
    scenario: preemption,
    oracle: 'lost-update',
  },
  {
    name: 'linux-4.2: switch-out does not save',
    policy: linux42,
    patches: () => [removing('no-save', 'switch_fpu_prepare', 'copy_fpregs_to_fpstate')],
    scenario: preemption,
    oracle: 'lost-update',
  },
  {
    name: 'eager: switch-out does not save',
    policy: eager,
    patches: () => [removing('no-save', 'switch_fpu_prepare', 'copy_fpregs_to_fpstate')],
    scenario: preemption,
    oracle: 'lost-update',
  },
  {
    name: 'linux-3.6: kernel_fpu_begin does not save',
    policy: linux36,
    patches: () => [removing('no-save', 'kernel_fpu_begin', '__save_init_fpu')],
    scenario: interrupts,
    oracle: 'validity',
  },
  {
    name: 'linux-4.2: kernel_fpu_begin does not save',
    policy: linux42,
    patches: () => [removing('no-save', 'kernel_fpu_begin', 'copy_fpregs_to_fpstate')],
    scenario: interrupts,
    oracle: 'validity',
  },
  {
    name: 'linux-4.2: kernel_fpu_end does not restore',
    policy: linux42,
    patches: () => [removing('no-restore', 'kernel_fpu_end', 'copy_fpstate_to_fpregs')],
    scenario: interrupts,
    oracle: 'leak',
  },
  {
    name: 'linux-3.6: switch-out does not set TS',
    policy: linux36,
    patches: () => [removing('no-stts', 'switch_fpu_prepare', 'stts')],
    scenario: preemption,
    oracle: 'leak',
  },
  {
    name: 'linux-3.6: kernel_fpu_end does not set TS',
    policy: linux36,
    patches: () => [removing('no-stts', 'kernel_fpu_end', 'stts')],
    scenario: interrupts,
    oracle: 'leak',
  },
  {
    name: 'linux-3.6: #NM restores before clts',
    policy: linux36,
    patches: () => [moving('restore-first', 'math_state_restore', 'restore_fpu_checking', '__thread_fpu_begin')],
    scenario: preemption,
    oracle: 'unexpected-fault',
  },
  {
    name: 'linux-4.2: #NM restores before clts',
    policy: linux42,
    patches: () => [moving('restore-first', 'fpu__restore', 'copy_fpstate_to_fpregs', 'fpregs_activate')],
    scenario: preemption,
    oracle: 'unexpected-fault',
  },
  {
    name: 'linux-3.6: #NM does not restore',
    policy: linux36,
    patches: () => [removing('no-restore', 'math_state_restore', 'restore_fpu_checking')],
    scenario: preemption,
    oracle: 'leak',
  },
  {
    name: 'linux-3.6: the allocation runs with IRQs off',
    policy: linux36,
    patches: () => [removing('irqs-off', 'math_state_restore', 'local_irq_enable')],
    scenario: preemption,
    oracle: 'atomic-sleep',
  },
  {
    name: 'linux-3.6: IRQs stay on after the allocation',
    policy: linux36,
    patches: () => [removing('irqs-on', 'math_state_restore', 'local_irq_disable')],
    scenario: preemption,
    oracle: 'unexpected-fault',
  },
  {
    name: 'linux-3.6: kernel_fpu_begin does not clear the owner',
    policy: linux36,
    patches: () => [removing('owner-left', 'kernel_fpu_begin', 'owner = NULL')],
    scenario: PRELOADED_AND_INTERRUPTED,
    oracle: 'lost-update',
  },
  {
    name: 'linux-4.2: kernel_fpu_begin does not clear the owner',
    policy: linux42,
    patches: () => [removing('owner-left', 'kernel_fpu_begin', 'owner = NULL')],
    scenario: PRELOADED_AND_INTERRUPTED,
    oracle: 'lost-update',
  },
  {
    name: 'eager: kernel_fpu_begin does not clear the owner',
    policy: eager,
    patches: () => [removing('owner-left', 'kernel_fpu_begin', 'owner = NULL')],
    scenario: { ...PRELOADED_AND_INTERRUPTED, interference: { hardirq: true, idle: true } },
    oracle: 'lost-update',
  },
  {
    name: 'linux-3.6: kernel_fpu_begin leaves preemption on',
    policy: linux36,
    patches: () => [
      removing('preemptible', 'kernel_fpu_begin', 'preempt_disable'),
      removing('preemptible-end', 'kernel_fpu_end', 'preempt_enable'),
    ],
    scenario: KERNEL_SECTIONS_PREEMPTED,
    oracle: 'kernel-fpu-clobber',
  },
  {
    name: 'linux-3.6: lazy restore does not compare last_cpu',
    policy: linux36,
    patches: ownerAlone('switch_fpu_prepare', 'fpu_lazy_restore', 'fpu_owner_task'),
    scenario: PRELOADED_AND_MOVED,
    oracle: 'lost-update',
  },
  {
    name: 'eager: lazy restore does not compare last_cpu',
    policy: eager,
    patches: ownerAlone('switch_fpu_prepare', 'fpu_want_lazy_restore', 'fpu_fpregs_owner_ctx'),
    scenario: ALONE_AND_MOVED,
    oracle: 'lost-update',
  },
  {
    name: 'linux-3.6: switch-out does not write last_cpu, and a child starts with 0',
    policy: linux36,
    patches: () => [removing('last-cpu-not-written', 'switch_fpu_prepare', 'last_cpu = cpu', 'last_cpu = ~0')],
    scenario: CHILD_MOVED,
    oracle: 'lost-update',
  },
  {
    name: 'linux-3.6: fork does not unlazy the parent',
    policy: linux36,
    patches: () => [removing('no-unlazy', 'arch_dup_task_struct', 'unlazy_fpu(src)')],
    scenario: lifecycle,
    oracle: 'lost-update',
  },
  {
    name: 'linux-4.2: fork does not save to the child',
    policy: linux42,
    patches: () => [
      removing('no-child-save', 'fpu__copy', 'copy_fpregs_to_fpstate(dst)', 'memcpy(src, dst)', 'fpregs_deactivate'),
    ],
    scenario: lifecycle,
    oracle: 'lost-update',
  },
  {
    name: 'linux-3.6: exec keeps PF_USED_MATH and the image',
    policy: linux36,
    patches: () => [removing('exec-keeps', 'flush_thread', 'clear_used_math', 'free_thread_xstate')],
    scenario: lifecycle,
    oracle: 'leak',
  },
  {
    name: 'linux-4.2: exec keeps fpstate_active',
    policy: linux42,
    patches: () => [removing('exec-keeps', 'fpu__clear', 'fpstate_active = 0')],
    scenario: lifecycle,
    oracle: 'leak',
  },
  {
    name: 'eager: exec does not load INIT',
    policy: eager,
    patches: () => [removing('exec-keeps', 'fpu__clear', 'copy_init_fpstate_to_fpregs')],
    scenario: lifecycle,
    oracle: 'leak',
  },
  {
    name: 'linux-4.8 with eagerfpu=off: exec activates with preemption on',
    policy: linux48Lazy,
    patches: () => [
      removing('preemptible', 'fpu__clear', 'preempt_disable for activation', 'preempt_enable after activation'),
    ],
    scenario: preemption,
    oracle: 'validity',
  },
  {
    name: 'linux-4.2 on Xen PV: kernel_fpu_begin does not set in_kernel_fpu',
    policy: linux42,
    platform: () => xenPv(),
    patches: () => [removing('no-in-kernel-fpu', 'kernel_fpu_begin', 'kernel_fpu_disable')],
    scenario: interrupts,
    oracle: 'kernel-fpu-clobber',
  },
];

export const platformOfMutant = (mutant: Mutant): (() => Platform) => mutant.platform ?? bareMetal;
