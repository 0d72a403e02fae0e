/** Whether a task that goes round in a loop of its kernel will ever leave it. */
import { PART, type Footprint } from '../machine/footprint';
import { CONTEXT, contextOf } from '../machine/frames';
import type { CoreOffsets } from '../machine/state';
import type { EventStream } from '../machine/stream';

/** A machine like the one that is watched, on which the future is tried: nobody hears of it. */
export interface Shadow {
  readonly words: Int32Array;
  /** What its steps have looked at and changed since it was cleared. */
  readonly footprint: Footprint;
  /** One step of a CPU, if it can take one; whatever it asks has the first answer: nothing disturbs it. */
  step(cpu: number): boolean;
  /** The end of the loop from which the last step went back to its head, if it did. */
  lap(): Loop | undefined;
}

/** The code of a loop in a routine lies from `target` to `pc`. */
export interface Loop {
  readonly pc: number;
  readonly target: number;
}

/** Longer than any lap of a loop that makes progress. */
const STEPS_MAX = 1000;

/** Looks ahead: a lap after which everything is as it was is followed by another one. */
export class LoopWatch {
  private readonly at: CoreOffsets;
  private readonly words: Int32Array;
  /** Made when the first lap is looked into. */
  private shadow: Shadow | undefined;

  constructor(
    private readonly stream: EventStream,
    private readonly makeShadow: () => Shadow,
    /** False for kernel threads, which are in the kernel for ever. */
    private readonly runsUserCode: (task: number) => boolean,
  ) {
    ({ at: this.at, words: this.words } = stream.state);
  }

  /**
   * After a step of a CPU that began a lap: whether the next lap leads back to here, if this CPU goes on, no interrupt comes, memory is there and
   * allocations succeed. A lap in which user code or a guest runs is none of the kernel's, and one that looks at what other CPUs change waits for them.
   */
  isEndless(cpu: number, loop: Loop): boolean {
    const { at, words } = this;
    const task = words[at.current + cpu];
    if (task < 0 || !this.runsUserCode(task)) return false;
    const depth = words[at.depth + task];
    if (!this.isIn(words, task, depth, loop)) return false;
    this.stream.footprint?.readEverything(); // whatever the lap looks at
    const shadow = (this.shadow ??= this.makeShadow());
    shadow.words.set(words);
    shadow.footprint.clear();
    for (let steps = 0; steps < STEPS_MAX; steps++) {
      if (!shadow.step(cpu) || shadow.words[at.current + cpu] !== task) return false;
      if (!this.isIn(shadow.words, task, depth, loop)) return false;
      if (shadow.lap()?.pc === loop.pc && shadow.words[at.depth + task] === depth) {
        return shadow.words.every((word, index) => word === words[index]) && this.isAbout(cpu, task, shadow.footprint);
      }
    }
    return false;
  }

  /** Whether all that was looked at is a CPU's and its current task's own, or there is no other CPU. */
  private isAbout(cpu: number, task: number, { trail, everything }: Footprint): boolean {
    const { at } = this;
    const own = [PART.cpu(at, cpu), PART.cpuFpu(at, cpu), PART.task(at, task), PART.taskFpu(at, task)];
    return at.cpus === 1 || (!everything && trail.every((part) => part < 0 || own.includes(part)));
  }

  /** Whether the frame at this depth of a task's stack is in the loop, and kernel code is on top. */
  private isIn(words: Int32Array, task: number, depth: number, { pc, target }: Loop): boolean {
    const { at } = this;
    const top = words[at.depth + task];
    if (top < depth) return false;
    const bottom = task * at.stackDepth - 1;
    const context = contextOf(words[at.frameStatus + bottom + top]);
    const address = words[at.framePc + bottom + depth];
    return context !== CONTEXT.user && context !== CONTEXT.guest && target <= address && address <= pc;
  }
}
