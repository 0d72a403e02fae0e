/** The first use of a disabled component: handle_xfd_event() in kernel/traps.c, fpstate_realloc() in kernel/fpu/xstate.c. */
import { CONTEXT, contextOf, group, step, when, type Condition, type Kernel, type RoutineNode } from '@fpulab/core';
import { DYNAMIC_XFEATURES, LARGER_FPSTATE, type DynamicSlots } from './state';
import { groupPerm } from './permission';
import { xfdUpdateState } from './xfd';

/** What xfd_enable_feature() returns, in local 0. Local 1 is `xfd_err`: not 0 once the event is dealt with. */
const RESULT = { ok: 0, EPERM: 1, EFAULT: 2 } as const;

const result =
  (wanted: number): Condition =>
  (k) =>
    k.local(0) === wanted;

/** Interrupts are off until XFD_ERR has been read and cleared: whatever comes in between could trap, too. */
export function handleXfdEvent(slots: DynamicSlots): RoutineNode {
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
              when(result(RESULT.ok), [fpstateRealloc(slots)]),
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
 * A larger fpstate for current, swapped in under fpregs_lock(). The new image is empty, so the registers are made current's first, if they are not.
 * The old image is freed if it was allocated: with one dynamic feature it never is.
 */
function fpstateRealloc(slots: DynamicSlots): RoutineNode {
  const { current, needLoad, xfd } = slots;
  return group('fpstate_realloc', [
    step('vzalloc', vzalloc),
    when(result(RESULT.ok), [
      step('fpregs_lock', (k) => k.localBhDisable()),
      when(
        (k) => k.read(needLoad, k.task) !== 0,
        [step('fpregs_restore_userregs', (k) => k.call('switch_fpu_return'))],
      ),
      step('fpu->fpstate = newfps', (k) => {
        k.write(current, k.task, LARGER_FPSTATE);
        k.write(xfd, k.task, k.read(xfd, k.task) & ~DYNAMIC_XFEATURES);
      }),
      xfdUpdateState(slots),
      step('fpregs_unlock', (k) => k.localBhEnable()),
    ]),
  ]);
}

function vzalloc(k: Kernel): void {
  const isThere = k.allocationMaySleep();
  if (!isThere) return k.setLocal(0, RESULT.EFAULT);
  const fpstate = k.fpstateOf(k.task, 'dynamic');
  k.allocate(fpstate);
  k.initFpstate(fpstate);
}
