/** Signal frames go through memory, both ways: registers may be somebody else's, and page faults let others run. */
import { NOBODY, group, routine, step, unless, when, type Kernel, type Routine, type RoutineNode } from '@fpulab/core';
import { andThen, readFsaveHeader, sanitize, saveFsaveHeader } from '../ia32-frame';
import { ATTEMPT, sanitizeRestored, userAccess, went } from '../user-frame';
import type { RfcContext } from './context';

/** copy_fpstate_to_sigframe(), fpu__clear() and fpu__restore_sig(). */
export function signalRoutines(context: RfcContext): readonly Routine[] {
  return [
    routine('copy_fpstate_to_sigframe', [group('save', save(context)), orRefuse]),
    routine('handle_signal', [step('fpu__clear for the handler', (k) => k.call('fpu__clear'))]),
    routine('fpu__restore_sig', [group('restore', restore(context, copyFrame, sanitizeImage)), orRefuse]),
    // 32-bit frames: memory is what the FSAVE header is made of, and where it is folded in.
    routine('copy_fpstate_to_sigframe, ia32_fxstate', [
      ...save(context),
      andThen('the XSAVE image is there', saveFsaveHeader(own)),
      orRefuse,
    ]),
    routine('__fpu__restore_sig, ia32_fxstate', [
      ...restore(context, [...copyFrame, andThen('the XSAVE image is there', readFsaveHeader)], sanitize(own)),
      orRefuse,
    ]),
  ];
}

const own = (k: Kernel): number => k.fpstateOf(k.task);
const orRefuse = unless(went(ATTEMPT.ok), [step('return -1', (k) => k.refuse())]);
const copyFrame = [userAccess('__copy_from_user', (k) => k.copyFromUser(own(k)))];
const sanitizeImage = step('sanitize_restored_xstate', (k) => sanitizeRestored(k, own(k)));

const save = ({ saveIfActive }: RfcContext): readonly RoutineNode[] => [
  group('fpu__activate_fpstate_read', [saveIfActive]),
  userAccess('__copy_to_user', (k) => k.copyToUser(own(k))),
];

function restore(
  { used, lastCpu, setLoadFpu, drop }: RfcContext,
  copied: readonly RoutineNode[],
  sanitized: RoutineNode,
): readonly RoutineNode[] {
  return [
    drop,
    ...copied,
    when(went(ATTEMPT.ok), [sanitized], [step('fpstate_init after a fault', (k) => k.initFpstate(own(k)))]),
    step('lazy restore is off: last_cpu = -1', (k) => k.write(lastCpu, k.task, NOBODY)),
    step('fpstate_active = 1', (k) => k.write(used, k.task, 1)),
    setLoadFpu,
  ];
}
