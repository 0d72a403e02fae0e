import { CONTEXT, contextOf, isCalled, type MachineEvent, type MachineState } from '@fpulab/core';

const CALLED = 1 << 5;

/** One frame as the event stream tells of it. */
interface Frame {
  at: number;
  status: number;
}

/** The stacks of all tasks, rebuilt from events alone: a second, independent account of what `apply` keeps. */
export class Stacks {
  private readonly stacks = new Map<number, Frame[]>();

  /** Frames of a task, the bottom one first. */
  of(task: number): readonly Frame[] {
    return this.stacks.get(task) ?? [];
  }

  /** Status of the running frame. */
  top(task: number): number {
    return this.of(task).at(-1)?.status ?? CONTEXT.user;
  }

  /** Contexts on the stack, without the routines that they called. */
  contexts(task: number): readonly number[] {
    return this.of(task)
      .filter(({ status }) => !isCalled(status))
      .map(({ status }) => contextOf(status));
  }

  /** Follows one event. */
  follow({ type, data }: MachineEvent): void {
    const stack = this.stacks.get(data.task) ?? [];
    const top = stack.at(-1);
    switch (type) {
      case 'task.created':
        this.stacks.set(data.task, [
          ...(data.user >= 0 ? [{ at: data.user, status: data.userStatus }] : []),
          { at: data.at, status: data.status },
        ]);
        break;
      case 'guest.created':
        this.stacks.set(data.task, [{ at: 0, status: CONTEXT.user }]);
        break;
      case 'guest.exited':
        this.pop(stack);
        break;
      case 'guest.entered':
      case 'context.entered':
        stack.push({ at: data.at, status: data.status });
        break;
      case 'routine.entered':
        stack.push({ at: data.at, status: (top?.status ?? 0) | CALLED });
        break;
      case 'masks.changed':
        if (top) top.status = data.status;
        break;
      case 'user.stepped':
        if (top) top.at = data.next;
        break;
      case 'kernel.stepped':
        if (!top) break;
        if (data.next >= 0) top.at = data.next;
        else this.pop(stack);
        break;
    }
  }

  private pop(stack: Frame[]): void {
    const returned = stack.pop();
    const below = stack.at(-1);
    if (!returned || !below || !isCalled(returned.status)) return;
    below.status = (returned.status & ~CALLED) | (below.status & CALLED);
  }

  /** The same stacks as a state has them. */
  static inState({ words, at }: MachineState, task: number): readonly Frame[] {
    return Array.from({ length: words[at.depth + task] }, (_, frame) => ({
      at: words[at.framePc + task * at.stackDepth + frame],
      status: words[at.frameStatus + task * at.stackDepth + frame],
    }));
  }
}
