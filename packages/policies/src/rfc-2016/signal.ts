/** Signal frames go through memory, both ways: registers may be somebody else's, and page faults let others run. */
import { HEADER, NOBODY, group, routine, step, unless, when, type Routine } from '@fpulab/core';
import { ATTEMPT, frameHeader, inFrame, userAccess, went } from '../user-frame';
import type { RfcContext } from './context';

/** copy_fpstate_to_sigframe(), fpu__clear() and fpu__restore_sig(). */
export function signalRoutines(context: RfcContext): readonly Routine[] {
  const { used, lastCpu, saveIfActive, setLoadFpu, drop } = context;
  return [
    routine('copy_fpstate_to_sigframe', [
      group('save', [
        group('fpu__activate_fpstate_read', [saveIfActive]),
        userAccess('__copy_to_user', (k) => k.copyToUser(k.fpstateOf(k.task))),
      ]),
      unless(went(ATTEMPT.ok), [step('return -1', (k) => k.refuse())]),
    ]),
    routine('handle_signal', [step('fpu__clear for the handler', (k) => k.call('fpu__clear'))]),
    routine('fpu__restore_sig', [
      group('restore', [
        drop,
        userAccess('__copy_from_user', (k) => k.copyFromUser(k.fpstateOf(k.task))),
        when(
          went(ATTEMPT.ok),
          [
            step('sanitize_restored_xstate', (k) => {
              const own = k.fpstateOf(k.task);
              if (frameHeader(k) === HEADER.fxOnly) k.writeXstateBv(own, k.xstateBv(own) & inFrame(k));
              k.writeHeader(own, HEADER.valid);
            }),
          ],
          [step('fpstate_init after a fault', (k) => k.initFpstate(k.fpstateOf(k.task)))],
        ),
        step('lazy restore is off: last_cpu = -1', (k) => k.write(lastCpu, k.task, NOBODY)),
        step('fpstate_active = 1', (k) => k.write(used, k.task, 1)),
        setLoadFpu,
      ]),
      unless(went(ATTEMPT.ok), [step('return -1', (k) => k.refuse())]),
    ]),
  ];
}
