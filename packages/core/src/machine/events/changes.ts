/** What the `apply` functions of several events do. */
import { CALLED } from '../frames';
import { FRAME_PAGES, HEADER, LIFECYCLE, LOCALS, type MachineState } from '../state';
import { ALL_COMPONENTS, SSE } from '../../x86/components';
import { INIT, serialOf, taskOfPrincipal, writerOf } from '../values';

/** The CPU runs nothing any more, and what it ran is dead. */
export function stopCpu(s: MachineState, cpu: number, task: number): void {
  bury(s, task);
  s.words[s.at.current + cpu] = -1;
}

/** A dead task switches to nobody any more: whom it had picked may run elsewhere. */
export function bury(s: MachineState, task: number): void {
  s.words[s.at.lifecycle + task] = LIFECYCLE.dead;
  for (let other = 0; other < s.at.tasks; other++) {
    if (s.words[s.at.pickedBy + other] === task) s.words[s.at.pickedBy + other] = -1;
  }
}

/** From here on the architectural FPU state of a task is INIT, and its older values are none of its business. */
export function forgetState(s: MachineState, task: number): void {
  const n = s.at.components;
  s.words.fill(INIT, s.at.architectural + task * n, s.at.architectural + (task + 1) * n);
  s.words[s.at.execed + task] = ALL_COMPONENTS;
  if (s.at.resume < 0) return;
  s.words[s.at.resume + task] = -1;
  s.words[s.at.signalPending + task] = 0;
  forgetFrame(s, task);
}

/** Nobody will return through the task's signal frame. */
export function forgetFrame(s: MachineState, task: number): void {
  const n = s.at.components;
  const frame = s.at.firstFpstate.sigframe + task;
  const fsave = s.at.firstFpstate.fsave < 0 ? frame : s.at.firstFpstate.fsave + task;
  s.words.fill(INIT, s.at.interrupted + task * n, s.at.interrupted + (task + 1) * n);
  s.words.fill(INIT, s.at.image + frame * n, s.at.image + (frame + 1) * n);
  s.words.fill(INIT, s.at.image + fsave * n, s.at.image + (fsave + 1) * n);
  s.words[s.at.xstateBv + frame] = 0;
  s.words[s.at.header + frame] = HEADER.valid;
  s.words[s.at.framePages + task] = FRAME_PAGES.unknown;
  s.words[s.at.returning + task] = 0;
}

/** A task has a new value, which was announced before: the next one of its own is another. */
export function countValue(s: MachineState, value: number): void {
  const task = taskOfPrincipal(writerOf(value));
  if (task >= 0) s.words[s.at.serial + task] = serialOf(value);
}

/** Word index of the top frame's pc. */
export function topFrame(s: MachineState, task: number): number {
  return s.at.framePc + task * s.at.stackDepth + s.words[s.at.depth + task] - 1;
}

/** Puts a zeroed frame on the task's stack. */
export function pushFrame(s: MachineState, task: number, pc: number, status: number): void {
  const depth = s.words[s.at.depth + task]++;
  const frame = task * s.at.stackDepth + depth;
  s.words[s.at.framePc + frame] = pc;
  s.words[s.at.frameStatus + frame] = status;
}

/** Pops the top frame and zeroes it. Masks that a called routine changed stay changed in its caller. */
export function popFrame(s: MachineState, task: number): void {
  const depth = --s.words[s.at.depth + task];
  const frame = task * s.at.stackDepth + depth;
  const status = s.words[s.at.frameStatus + frame];
  if (status & CALLED) {
    const below = s.at.frameStatus + frame - 1;
    s.words[below] = (status & ~CALLED) | (s.words[below] & CALLED);
  }
  s.words[s.at.framePc + frame] = 0;
  s.words[s.at.frameStatus + frame] = 0;
  s.words.fill(0, s.at.frameLocal + frame * LOCALS, s.at.frameLocal + (frame + 1) * LOCALS);
}

/** Calls back with the index and the mask of every modelled component in an XCR0-style bitmap. */
export function eachComponent(s: MachineState, xfeatures: number, visit: (index: number, bit: number) => void): void {
  const bits = s.at.componentBits;
  for (let index = 0; index < bits.length; index++) {
    const bit = 1 << bits[index];
    if (xfeatures & bit) visit(index, bit);
  }
}

/** Index of the slot in which XRSTORS looks for a component: the first behind the header where the image holds that one alone. */
export function slotOf(s: MachineState, fpstate: number, index: number): number {
  const isAlone = s.at.alone >= 0 && s.words[s.at.alone + fpstate] !== 0;
  return isAlone ? firstExtended(s) : index;
}

/** Index of the component that lies right behind the XSAVE header in images that hold all. */
export function firstExtended({ at }: MachineState): number {
  return at.componentBits.findIndex((bit) => bit > SSE);
}
