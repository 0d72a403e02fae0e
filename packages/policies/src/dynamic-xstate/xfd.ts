/** IA32_XFD and its copy: kernel/fpu/xstate.h. */
import { group, step, when, type RoutineNode } from '@fpulab/core';
import { DYNAMIC_XFEATURES, type DynamicSlots } from './state';

/** xfd_update_state(): the MSR is written only where its copy says that it differs. The MSR comes first, then the copy. */
export function xfdUpdateState({ xfd, xfdState }: DynamicSlots): RoutineNode {
  return group('xfd_update_state', [
    when(
      (k) => k.read(xfdState, k.cpu) !== k.read(xfd, k.task),
      [
        step('wrmsrl(MSR_IA32_XFD)', (k) => k.xfd.write(k.read(xfd, k.task))),
        step('xfd_state = xfd', (k) => k.write(xfdState, k.cpu, k.read(xfd, k.task))),
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
