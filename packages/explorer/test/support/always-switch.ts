/** A policy that is no Linux: eager switching in forty lines, with a mark for user tasks in a slot. */
import { CONTEXT, NOTHING, contextOf, routine, slot, step, when, type BasePolicy, type Kernel } from '@fpulab/core';

/** Marks steps that execute an FPU instruction: it may raise #NM before they have any effect. */
const fpu = { instruction: 'xsave' } as const;

/** Saves and loads every user task's registers at every switch, and around kernel FPU sections. */
export default function alwaysSwitch(): BasePolicy {
  const user = slot.task('is_user', 'flag'); // all state is in slots, so snapshots are whole
  const isUser = (k: Kernel): boolean => k.read(user, k.task) !== 0;
  const save = step('save', (k) => void k.save(k.fpstateOf(k.task)), fpu);
  const load = step('load', (k) => k.restore(k.fpstateOf(k.task)), fpu);
  return {
    kind: 'base',
    id: 'always-switch',
    title: 'save and load at every switch',
    source: 'a test',
    requires: ['fxsr'], // FNSAVE would leave INIT in the registers
    fpstate: 'embedded',
    slots: [user],
    roles: { active: user },
    routines: [
      routine('boot', [step('clts', (k) => k.clts())]),
      routine('out', [when(isUser, [save])]),
      routine('in', [when(isUser, [load])]),
      routine('usable', [step('process context only', (k) => k.answer(contextOf(k.status) === CONTEXT.syscall))]),
      routine('begin', [step('preempt_disable', (k) => k.preemptDisable()), when(isUser, [save])]),
      routine('end', [when(isUser, [load]), step('preempt_enable', (k) => k.preemptEnable())]),
      routine('copy', [
        step('preempt_disable', (k) => k.preemptDisable()),
        step('save to the child', (k) => void k.save(k.fpstateOf(k.child)), fpu),
        step('the child is a user task', (k) => k.write(user, k.child, 1)),
        step('preempt_enable', (k) => k.preemptEnable()),
      ]),
      // Marked first: a switch between the two steps then saves and loads, and INIT still comes last.
      routine('reset', [
        step('a user task from here on', (k) => k.write(user, k.task, 1)),
        step('INIT', (k) => k.initFpregs(), fpu),
      ]),
      routine('die', [step('forget', (k) => k.write(user, k.task, 0))]),
    ],
    // prettier-ignore
    hooks: {
      'cpu-up': 'boot', 'switch-out': 'out', 'switch-in': 'in', 'trap-nm': NOTHING, 'irq-fpu-usable': 'usable',
      'kernel-fpu-begin': 'begin', 'kernel-fpu-end': 'end', fork: 'copy', exec: 'reset', exit: 'die',
    },
  };
}
