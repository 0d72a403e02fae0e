/** Which kernel functions a step runs in, the calling ones first. */

/** Follows calls through routines, per task and frame of its stack. */
export class CallPath {
  /** Name of the step that runs. */
  step = '';
  /** The functions that it runs in, outermost first. */
  path: readonly string[] = [];
  /** Functions that called the routine which runs in a frame. */
  private readonly callers = new Map<string, readonly string[]>();

  /** A kernel step runs in `frame` of a task. */
  noteStep(task: number, frame: number, label: string): void {
    const parts = label.split('/');
    this.step = parts.pop() ?? '';
    const own = parts.filter((part) => !part.startsWith('sys_')).map((part) => part.replace(/^xen\./, ''));
    const callers = this.callers.get(key(task, frame)) ?? [];
    // A step that is named after the function it calls, and the routine that answers: one function.
    this.path = [...callers, ...(callers.at(-1) === own[0] ? own.slice(1) : own)];
  }

  /** The step that runs called a routine, which gets `frame`. Whoever `slept` tells that in a line of its own. */
  noteCall(task: number, frame: number, slept: boolean): void {
    // The head of a lane says already that its #NM handler runs.
    const path = this.path.filter((name) => name !== 'device_not_available');
    const unnamed = slept || this.step === 'do_device_not_available' || !isFunction(this.step);
    this.callers.set(key(task, frame), unnamed ? path : [...path, this.step]);
  }

  /** A context that gets `frame` was not called by anybody. */
  noteContext(task: number, frame: number): void {
    this.callers.delete(key(task, frame));
  }
}

/** True for steps that are called like functions. */
export function isFunction(step: string): boolean {
  return /^[a-z_]+$/.test(step);
}

function key(task: number, frame: number): string {
  return `${task}/${frame}`;
}
