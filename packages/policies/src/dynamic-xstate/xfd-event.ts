/** The first use of a disabled component: handle_xfd_event() in kernel/traps.c, fpstate_realloc() in kernel/fpu/xstate.c. */
import {
  CONTEXT,
  NOBODY,
  contextOf,
  group,
  step,
  when,
  type Condition,
  type Kernel,
  type RoutineNode,
} from '@fpulab/core';
import { DYNAMIC_XFEATURES, LARGER_FPSTATE, type DynamicSlots } from './state';
import { groupPerm } from './permission';
import { xfdUpdateState } from './xfd';

/**
 * How the larger fpstate takes the place of the old one. `merged`: fpstate_realloc() of Linux 5.16 and later. `sketched`: T. Gleixner in
 * answer to "[PATCH v10 09/28] x86/fpu/xstate: Introduce helpers to manage the XSTATE buffer dynamically", 1 October 2021.
 */
export type ReallocForm = 'merged' | 'sketched';

/** What xfd_enable_feature() returns, in local 0. Local 1 is `xfd_err`: not 0 once the event is dealt with. */
const RESULT = { ok: 0, EPERM: 1, EFAULT: 2 } as const;

const result =
  (wanted: number): Condition =>
  (k) =>
    k.local(0) === wanted;

/** Interrupts are off until XFD_ERR has been read and cleared: whatever comes in between could trap, too. */
export function handleXfdEvent(slots: DynamicSlots, form: ReallocForm): RoutineNode {
  return group('handle_xfd_event', [
    step('rdmsrl(MSR_IA32_XFD_ERR)', (k) => k.setLocal(1, k.xfd.readErr())),
    when(
      (k) => k.local(1) !== 0,
      [
        step('wrmsrl(MSR_IA32_XFD_ERR, 0)', (k) => k.xfd.writeErr(0)),
        when(
          (k) => contextOf(k.interrupted) === CONTEXT.user,
          [
            step('local_irq_enable', (k) => k.localIrqEnable()),
            group('xfd_enable_feature', [
              step('xstate_get_group_perm', (k) => k.setLocal(0, groupPerm(k, slots) === 0 ? RESULT.EPERM : RESULT.ok)),
              when(result(RESULT.ok), [fpstateRealloc(slots, form)]),
            ]),
            when(result(RESULT.EPERM), [step('force_sig_fault(SIGILL)', (k) => k.forceSignal())]),
            when(result(RESULT.EFAULT), [step('force_sig(SIGSEGV)', (k) => k.forceSignal())]),
            step('local_irq_disable', (k) => k.localIrqDisable()),
          ],
          [step('WARN_ON(!user_mode(regs))', (k) => k.setLocal(1, 0))],
        ),
      ],
    ),
  ]);
}

/**
 * A larger fpstate for current, swapped in under fpregs_lock(). The new image is empty. `merged` therefore makes the registers
 * current's first, if they are not; `sketched` copies the old image. The sketch says nothing of IA32_XFD. With the merged rule, that
 * it is written when registers are loaded, it may not be written here while they are another task's, and they have to be loaded
 * even if they were still current's: hence `last_cpu = -1`. The old image is freed if it was allocated: with one dynamic
 * feature it never is.
 */
function fpstateRealloc(slots: DynamicSlots, form: ReallocForm): RoutineNode {
  const { current, needLoad, lastCpu, xfd } = slots;
  const mustLoad: Condition = (k) => k.read(needLoad, k.task) !== 0;
  const swap = step('fpu->fpstate = newfps', (k) => {
    k.write(current, k.task, LARGER_FPSTATE);
    k.write(xfd, k.task, k.read(xfd, k.task) & ~DYNAMIC_XFEATURES);
  });
  const body: Readonly<Record<ReallocForm, readonly RoutineNode[]>> = {
    merged: [
      when(mustLoad, [step('fpregs_restore_userregs', (k) => k.call('switch_fpu_return'))]),
      swap,
      xfdUpdateState(slots),
    ],
    sketched: [
      when(mustLoad, [step('copy_state', copyState), step('last_cpu = -1', (k) => k.write(lastCpu, k.task, NOBODY))]),
      swap,
      when((k) => !mustLoad(k), [xfdUpdateState(slots)]),
    ],
  };
  return group('fpstate_realloc', [
    step('vzalloc', vzalloc),
    when(result(RESULT.ok), [
      step('fpregs_lock', (k) => k.localBhDisable()),
      ...body[form],
      step('fpregs_unlock', (k) => k.localBhEnable()),
    ]),
  ]);
}

function copyState(k: Kernel): void {
  k.copyFpstate({ from: k.fpstateOf(k.task), to: k.fpstateOf(k.task, 'dynamic') });
}

function vzalloc(k: Kernel): void {
  const isThere = k.allocationMaySleep();
  if (!isThere) return k.setLocal(0, RESULT.EFAULT);
  const fpstate = k.fpstateOf(k.task, 'dynamic');
  k.allocate(fpstate);
  k.initFpstate(fpstate);
}
