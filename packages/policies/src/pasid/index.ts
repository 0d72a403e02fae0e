/** IA32_PASID is filled when a thread first needs it: ENQCMD raises #GP, and its handler writes the PASID of the process. */
import { PASID, slot, type ModifierPolicy } from '@fpulab/core';
import { childWithoutPasid } from './life';
import { fixupEnqcmd } from './trap-gp';

/**
 * Demand population of IA32_PASID, Linux 5.18 and later, on top of `load-fpu-deferral`. PASID is a supervisor component: XSAVES and XRSTORS
 * switch it with all the others.
 */
export function pasid(): ModifierPolicy {
  const activated = slot.task('pasid_activated', 'flag');
  return {
    kind: 'modifier',
    id: 'pasid',
    title: 'IA32_PASID is filled in the #GP of ENQCMD, Linux 5.18 and later',
    source:
      'Linux 6.1.176 kernel/traps.c try_fixup_enqcmd_gp(), kernel/fpu/core.c fpu_clone(), kernel/fork.c dup_task_struct()',
    onlyWith: 1 << PASID,
    xfeatures: 1 << PASID,
    pasidActivated: activated,
    slots: [activated],
    routines: [],
    edits: [
      { edit: 'append', routine: 'hook:trap-gp', nodes: [fixupEnqcmd(activated)] },
      { edit: 'append', routine: 'hook:fork', nodes: [childWithoutPasid(activated)] },
    ],
  };
}

export { ACTIVATED_ENDS_AT_EXEC } from './life';
