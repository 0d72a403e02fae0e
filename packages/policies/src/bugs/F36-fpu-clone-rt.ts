import { step, type Patch } from '@fpulab/core';
import type { Bug } from './bug';

/** What PREEMPT_RT makes of siglock. */
const RT_SIGLOCK: Patch = {
  id: 'rt-siglock',
  title: 'PREEMPT_RT: siglock, under which fork() inherits permissions, is a lock that sleeps',
  source: 'Linux 6.1.176 fpu_inherit_perms(), with CONFIG_PREEMPT_RT',
  edits: [
    {
      edit: 'insert-before',
      routine: 'fpu_clone',
      step: 'fpu_inherit_perms',
      nodes: [step('spin_lock_irq(siglock)', (k) => k.sleep())],
    },
  ],
};

/** A lock inside a lock. */
export const F36: Bug = {
  id: 'F36',
  name: 'fpu-clone-rt',
  title: 'fork() takes a lock that sleeps inside fpregs_lock()',
  year: 2022,
  kernels: '5.16 to 6.0, PREEMPT_RT',
  source: '36b038791e1e "x86/fpu: Drop fpregs lock before inheriting FPU permissions"',
  property: 'atomic-sleep',
  story:
    'A process may use AMX when it has asked for it, and its children may, too: fork() copies the permission under siglock. fpu_clone() did ' +
    "so behind the parent's registers, before it released fpregs_lock(). With PREEMPT_RT a spinlock is a lock that sleeps, and " +
    'fpregs_lock() turns preemption off: whoever has to wait for siglock there sleeps in atomic context. There is nothing to ' +
    'protect, for the child does not run yet, and permissions are not in registers. The fix unlocks first. Kernels without PREEMPT_RT do ' +
    'not sleep there.',
  scenario: 'amx-life',
  platform: 'bare-metal',
  buggy: {
    preset: 'linux-6.1',
    patches: [
      RT_SIGLOCK,
      {
        id: 'fpu-clone-rt',
        title: 'fpu_clone() inherits permissions before fpregs_unlock()',
        source: 'before 36b038791e1e',
        edits: ['spin_lock_irq(siglock)', 'fpu_inherit_perms'].map((moved) => ({
          edit: 'move-before',
          routine: 'fpu_clone',
          step: moved,
          anchor: 'fpregs_unlock',
        })),
      },
    ],
  },
  fixes: [{ by: '36b038791e1e', preset: 'linux-6.1', patches: [RT_SIGLOCK] }],
};
