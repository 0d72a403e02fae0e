/** IA32_XFD and its copy: kernel/fpu/xstate.h. */
import { group, step, when, type Kernel, type RoutineNode } from '@fpulab/core';
import { DYNAMIC_XFEATURES, type DynamicSlots } from './state';

type XfdSlots = Pick<DynamicSlots, 'xfd' | 'xfdState'>;

/** xfd_update_state(): the MSR is written only where its copy says that it differs. The MSR comes first, then the copy. */
export const xfdUpdateState = ({ xfd, xfdState }: DynamicSlots): RoutineNode => updateState(() => ({ xfd, xfdState }));

/** The same in a patch, which finds the slots of the policy that it is on. */
export const xfdUpdateStateByName: RoutineNode = updateState((k) => ({
  xfd: k.slotNamed('fpstate->xfd'),
  xfdState: k.slotNamed('xfd_state'),
}));

function updateState(slotsOf: (k: Kernel) => XfdSlots): RoutineNode {
  const wanted = (k: Kernel): number => k.read(slotsOf(k).xfd, k.task);
  return group('xfd_update_state', [
    when(
      (k) => k.read(slotsOf(k).xfdState, k.cpu) !== wanted(k),
      [
        step('wrmsrl(MSR_IA32_XFD)', (k) => k.xfd.write(wanted(k))),
        step('xfd_state = xfd', (k) => k.write(slotsOf(k).xfdState, k.cpu, wanted(k))),
      ],
    ),
  ]);
}

/** xfd_set_state(init_fpstate.xfd) in fpu__init_cpu_xstate(): a CPU comes up with everything dynamic disabled. */
export function xfdSetState({ xfdState }: DynamicSlots): RoutineNode {
  return group('xfd_set_state', [
    step('wrmsrl(MSR_IA32_XFD, init_fpstate.xfd)', (k) => k.xfd.write(DYNAMIC_XFEATURES)),
    step('xfd_state = init_fpstate.xfd', (k) => k.write(xfdState, k.cpu, DYNAMIC_XFEATURES)),
  ]);
}

/** The end of fpu__resume_cpu(), which 6.1.176 and 6.12.19 have in this form: the MSR is written, its copy is not. */
export function xfdResume({ xfd }: DynamicSlots): RoutineNode {
  return step('wrmsrl(MSR_IA32_XFD, current->xfd)', (k) => k.xfd.write(k.read(xfd, k.task)));
}
