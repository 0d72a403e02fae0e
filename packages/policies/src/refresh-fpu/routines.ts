/** Who calls the straw man's functions: the scheduler, the return to user code, the kernel's own FPU use, fork, execve, signals. */
import {
  CONTEXT,
  NOBODY,
  bhOffDepth,
  contextOf,
  group,
  inHardirq,
  routine,
  step,
  unless,
  when,
  type Kernel,
  type Routine,
  type RoutineNode,
  type Slot,
} from '@fpulab/core';
import { andThen, readFsaveHeader, sanitize, saveFsaveHeader } from '../ia32-frame';
import { ATTEMPT, sanitizeRestored, userAccess, went } from '../user-frame';
import type { Transitions } from './transitions';

/** Bottom halves off; hardirqs that hit this may not use the FPU (`irq_fpu_usable`). */
const lock = (why = ''): RoutineNode => step(`fpregs_lock${why}`, (k) => k.localBhDisable());
const unlock = (why = ''): RoutineNode => step(`fpregs_unlock${why}`, (k) => k.localBhEnable());

/** Schedule-out, schedule-in, and the handler of the flag. */
export function switchRoutines(t: Transitions): readonly Routine[] {
  return [
    routine('switch_fpu_prepare', [unless((k) => k.isKernelThread(k.task), [t.copyToMemory])]),
    routine('switch_fpu_finish', [t.setRefresh(' on schedule-in')]),
    routine('refresh_fpu', [
      when(t.mustRefresh, [step('clear TIF_REFRESH_FPU', (k) => k.write(t.refresh, k.task, 0)), t.moveToCpu]),
    ]),
  ];
}

/** kernel_fpu_begin() moves the current task's state to memory, and whoever else's state the registers held is not in them any more. */
export function kernelFpuRoutines(t: Transitions, inKernelFpu: Slot): readonly Routine[] {
  return [
    routine('kernel_fpu_begin', [
      step('preempt_disable', (k) => k.preemptDisable()),
      step('in_kernel_fpu = true', (k) => k.write(inKernelFpu, k.cpu, 1)),
      unless((k) => k.isKernelThread(k.task), [t.moveToMemory]),
      t.invalidateThisCpu(' for the kernel'),
    ]),
    routine('kernel_fpu_end', [
      step('in_kernel_fpu = false', (k) => k.write(inKernelFpu, k.cpu, 0)),
      step('preempt_enable', (k) => k.preemptEnable()),
    ]),
    routine('irq_fpu_usable', [
      step('irq_fpu_usable', (k) => {
        const isBusy = k.read(inKernelFpu, k.cpu) !== 0 || contextOf(k.status) === CONTEXT.nmi;
        k.answer(!isBusy && (!inHardirq(k.status) || bhOffDepth(k.status) === 0));
      }),
    ]),
  ];
}

/** A fresh state: what there was need not be saved. CPU state is invalid before memory is written, and memory valid after. */
const clear = (t: Transitions): readonly RoutineNode[] => [
  lock(' to clear'),
  t.invalidateCpuState(' any more'),
  step('memory is INIT', (k) => k.initFpstate(k.fpstateOf(k.task))),
  step('memory is valid again', (k) => k.write(t.memoryValid, k.task, 1)),
  t.setRefresh(' after clearing'),
  unlock(' after clearing'),
];

/** fork(), execve(), and the end of a task. */
export function lifeRoutines(t: Transitions): readonly Routine[] {
  return [
    routine('fpu__copy', [
      lock(),
      t.copyToMemory,
      step('memcpy(dst, src)', (k) => k.copyFpstate({ from: k.fpstateOf(k.task), to: k.fpstateOf(k.child) })),
      unlock(),
      step('child: in memory alone', (k) => {
        k.write(t.memoryValid, k.child, 1);
        k.write(t.lastCpu, k.child, NOBODY);
      }),
    ]),
    routine('fpu__clear', clear(t)),
    routine('fpu__drop', [lock(), t.invalidateCpuState(' of a dead task'), unlock()]),
  ];
}

const isOk = went(ATTEMPT.ok);
const own = (k: Kernel): number => k.fpstateOf(k.task);

/** Signal frames are copies of memory: copy_to_memory() before it is read, move_to_memory() before it is written. */
export function signalRoutines(t: Transitions): readonly Routine[] {
  const save = [lock(), t.copyToMemory, unlock(), userAccess('__copy_to_user', (k) => k.copyToUser(own(k)))];
  const restore = (copied: readonly RoutineNode[], sanitized: RoutineNode): readonly RoutineNode[] => [
    lock(),
    t.moveToMemory,
    unlock(),
    group('write memory', [
      ...copied,
      when(isOk, [sanitized], [step('memory is INIT after a fault', (k) => k.initFpstate(own(k)))]),
    ]),
    orRefuse,
  ];
  const copyFrame = userAccess('__copy_from_user', (k) => k.copyFromUser(own(k)));
  return [
    routine('copy_fpstate_to_sigframe', [...save, orRefuse]),
    routine('handle_signal', clear(t)),
    routine(
      'fpu__restore_sig',
      restore(
        [copyFrame],
        step('sanitize_restored_xstate', (k) => sanitizeRestored(k, own(k))),
      ),
    ),
    routine('copy_fpstate_to_sigframe, ia32_fxstate', [
      ...save,
      andThen('the XSAVE image is there', saveFsaveHeader(own)),
      orRefuse,
    ]),
    routine(
      'fpu__restore_sig, ia32_fxstate',
      restore([copyFrame, andThen('the XSAVE image is there', readFsaveHeader)], sanitize(own)),
    ),
  ];
}

const orRefuse = unless(isOk, [step('return -1', (k) => k.refuse())]);
