/**
 * What programs are compiled for, and which signal frames they get because of that.
 *
 * x32 programs get the FPU part of a 64-bit frame within a frame of their own (Linux 3.4 and later). 32-bit ones get an FSAVE header in front
 * of it, and sigreturn takes their x87 state from there, whatever the rest says. Linux 6.1 arch/x86/kernel/fpu/signal.c
 * copy_fpstate_to_sigframe(), __fpu_restore_sig(); ia32/ia32_signal.c.
 */
import type { EventType } from '../machine/event-type';
import * as events from '../machine/events';
import { hasFeature, type CpuModel } from '../x86/cpu-model';
import { when, type RoutineNode } from './routine';

/** What a program can be compiled for. */
export const ABIS = ['x86-64', 'x32', 'ia32'] as const;

/** One of ABIS. */
export type Abi = (typeof ABIS)[number];

/** What the kernel does about the frames of an ABI. */
export interface AbiFrame {
  readonly abi: Abi;
  /** The function that sets one up. */
  readonly setup: string;
  /** What tells its steps from those of the others. */
  readonly suffix: string;
  /** The hooks at which the policy moves FPU state. */
  readonly save: EventType;
  readonly restore: EventType;
}

/** Whose frames programs of an ABI get: without FXSAVE there is no FSAVE header in front, and all are alike. */
export const frameAbi = (abi: Abi, model: CpuModel): Abi => (hasFeature(model, 'fxsr') ? abi : 'x86-64');

const FRAMES: readonly AbiFrame[] = [
  {
    abi: 'x86-64',
    setup: 'setup_rt_frame',
    suffix: '',
    save: events.SignalSave,
    restore: events.SignalRestore,
  },
  {
    abi: 'x32',
    setup: 'x32_setup_rt_frame',
    suffix: ', x32',
    save: events.SignalSave,
    restore: events.SignalRestore,
  },
  {
    abi: 'ia32',
    setup: 'ia32_setup_rt_frame',
    suffix: ', ia32',
    save: events.SignalSaveIa32,
    restore: events.SignalRestoreIa32,
  },
];

/**
 * What `make` gives for the ABI of the current task.
 *
 * @param abis per task; those that get no signals do not matter
 */
export function byAbi(
  abis: readonly (Abi | undefined)[],
  make: (frame: AbiFrame) => readonly RoutineNode[],
): readonly RoutineNode[] {
  const [first, ...others] = FRAMES.filter(({ abi }) => abis.includes(abi));
  return others.reduce(
    (otherwise, frame) => [when((k) => abis[k.task] === frame.abi, make(frame), otherwise)],
    make(first),
  );
}
