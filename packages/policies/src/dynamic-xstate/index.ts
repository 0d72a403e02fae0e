/** Components that the kernel enables per task: AMX tiles behind IA32_XFD. */
import {
  NOBODY,
  nodeNames,
  group,
  step,
  when,
  type BasePolicy,
  type ModifierPolicy,
  type RoutineNode,
} from '@fpulab/core';
import { fpstateReset, inheritPermissions, freeDeadTask } from './life';
import { installAltstack, requestPermission } from './permission';
import { DYNAMIC_XFEATURES, XTILE, dynamicSlots, type DynamicSlots } from './state';
import { tracerEdits } from './tracer';
import { handleXfdEvent } from './xfd-event';
import { xfdResume, xfdSetState, xfdUpdateState } from './xfd';

/**
 * Dynamically enabled features of Linux 5.16 and later, on top of `load-fpu-deferral`: IA32_XFD per task, permission, a larger
 * fpstate at the first #NM, and nothing of it for those who never ask.
 *
 * @param base the policy that it modifies, of the same machine: it reads and writes its slots
 * @throws FpuError FPU203 when the policy has no fpstate pointer
 */
export function dynamicXstate(base: BasePolicy): ModifierPolicy {
  const slots = dynamicSlots(base);
  const { xfd, xfdState, permitted, smallAltstack, current } = slots;
  const loads = base.routines.filter(({ body }) => nodeNames(body).includes(LOAD)).map(({ name }) => name);
  return {
    kind: 'modifier',
    id: 'dynamic-xstate',
    title: 'AMX tiles are enabled per task, Linux 5.16 and later',
    source: 'Linux 6.1.176 kernel/fpu/xstate.c, core.c, signal.c, kernel/traps.c handle_xfd_event()',
    xfeatures: XTILE,
    dynamicState: { xfeatures: DYNAMIC_XFEATURES, current, xfd, cachedXfd: xfdState },
    slots: [xfd, xfdState, permitted, smallAltstack],
    routines: [],
    edits: [
      { edit: 'append', routine: 'hook:cpu-up', nodes: [xfdSetState(slots)] },
      { edit: 'append', routine: 'hook:cpu-init', nodes: [xfdSetState(slots)] },
      { edit: 'append', routine: 'hook:cpu-resume', nodes: [xfdResume(slots)] },
      { edit: 'insert-after', routine: 'hook:trap-nm', step: 'read_cr0', nodes: [handleXfdEvent(slots)] },
      // restore_fpregs_from_fpstate() itself calls xfd_update_state().
      ...loads.map((name) => ({
        edit: 'insert-before' as const,
        routine: name,
        step: LOAD,
        nodes: [xfdUpdateState(slots)],
      })),
      {
        edit: 'insert-before',
        routine: 'hook:signal-clear',
        step: 'restore_fpregs_from_init_fpstate',
        nodes: [xfdUpdateState(slots)],
      },
      {
        edit: 'insert-before',
        routine: 'hook:signal-restore',
        step: 'xrstor_from_user_sigframe',
        nodes: [xfdUpdateState(slots)],
      },
      {
        edit: 'insert-before',
        routine: 'hook:signal-restore-ia32',
        step: 'os_xrstor_safe',
        nodes: [xfdUpdateState(slots)],
      },
      { edit: 'prepend', routine: 'hook:fork', nodes: [fpstateReset(slots, 'child')] },
      { edit: 'append', routine: 'hook:fork', nodes: [inheritPermissions(slots)] },
      ...tracerEdits(slots),
      { edit: 'prepend', routine: 'hook:exec', nodes: [fpstateReset(slots, 'current')] },
      { edit: 'append', routine: 'hook:switch-out', nodes: [freeDeadTask(slots)] },
      { edit: 'append', routine: 'hook:idle', nodes: [idleFpregs(slots)] },
      { edit: 'append', routine: 'hook:request-xcomp-perm', nodes: [requestPermission(slots)] },
      { edit: 'append', routine: 'hook:sigaltstack', nodes: [installAltstack(slots)] },
    ],
  };
}

export { PTRACE_REALLOC, SWAP_FPSTATE } from './swap-fpstate';

const LOAD = 'restore_fpregs_from_fpstate';

/** fpu_idle_fpregs(): idle states that need TILEDATA in INIT state get it, and the registers belong to nobody then. */
function idleFpregs({ owner }: DynamicSlots): RoutineNode {
  return group('fpu_idle_fpregs', [
    when(
      (k) => (k.xinuse() & XTILE) !== 0,
      [
        step('tile_release', (k) => k.initFpregs(XTILE), { instruction: 'amx' }),
        step('tiles are gone: owner = NULL', (k) => k.write(owner, k.cpu, NOBODY)),
      ],
    ),
  ]);
}
