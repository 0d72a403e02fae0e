/**
 * The event vocabulary of the core. State changes in these `apply` functions and nowhere else.
 *
 * Names start from the kernel's own tracepoints where there is one (arch/x86/include/asm/trace/fpu.h).
 */
import { defineEvent, defineHook } from './event-type';
import { CALLED } from './frames';
import { FRAME_PAGES, HEADER, LIFECYCLE, LOCALS, ORACLE_SLOTS, type MachineState } from './state';
import { ALL_COMPONENTS } from '../x86/components';
import { INIT, PRINCIPAL, serialOf, taskOfPrincipal, writerOf } from './values';

// --- choices and steps -----------------------------------------------------------------------------------------

/** A driver answered a choice. `kind` indexes CHOICE_KINDS; `enabled` digests the alternatives. */
export const ChoiceMade = defineEvent(
  'choice.made',
  { kind: 'number', taken: 'number', index: 'number', count: 'number', enabled: 'digest' },
  () => {},
  { local: true },
);

/** `next` value that pops the frame. */
export const RETURN = -1;

/** Kernel or hypervisor code took one step: from `at` to `next`, or out of its frame. */
export const KernelStepped = defineEvent(
  'kernel.stepped',
  { cpu: 'cpu', task: 'task', at: 'pc', next: 'pc' },
  (s, _cpu, task, _at, next) => {
    if (next === RETURN) popFrame(s, task);
    else s.words[topFrame(s, task)] = next;
  },
  { local: true },
);

/** A step faulted before it had any effect. The conditions before it have been answered: it starts again, they do not. */
export const KernelReached = defineEvent(
  'kernel.reached',
  { cpu: 'cpu', task: 'task', at: 'pc' },
  (s, _cpu, task, at) => {
    s.words[topFrame(s, task)] = at;
  },
  { local: true },
);

/** User code completed one operation of its program. `at` and `next` index the task's program. */
export const UserStepped = defineEvent(
  'user.stepped',
  { cpu: 'cpu', task: 'task', at: 'number', next: 'number' },
  (s, _cpu, task, _at, next) => {
    s.words[topFrame(s, task)] = next;
  },
);

/** A kernel thread began the next operation of its program. `at` and `next` index it. */
export const KernelThreadStepped = defineEvent(
  'kthread.stepped',
  { cpu: 'cpu', task: 'task', at: 'number', next: 'number' },
  (s, _cpu, task, _at, next) => {
    s.words[s.at.frameLocal + task * s.at.stackDepth * LOCALS + 1] = next;
  },
);

// --- contexts, frames, masks -----------------------------------------------------------------------------------

/** A context was entered: a system call, an exception, an interrupt, the hypervisor. */
export const ContextEntered = defineEvent(
  'context.entered',
  { cpu: 'cpu', task: 'task', at: 'pc', status: 'mask' },
  (s, _cpu, task, at, status) => pushFrame(s, task, at, status),
  { local: true },
);

/** A plugin reacted to a hook, or kernel code called a routine. The masks are the caller's. */
export const RoutineEntered = defineEvent(
  'routine.entered',
  { cpu: 'cpu', task: 'task', at: 'pc' },
  (s, _cpu, task, at) => {
    const status = s.words[topFrame(s, task) - s.at.framePc + s.at.frameStatus];
    pushFrame(s, task, at, status | CALLED);
  },
  { local: true },
);

/** Interrupts, bottom halves or preemption were switched off or on: the new status word of the top frame. */
export const MasksChanged = defineEvent(
  'masks.changed',
  { cpu: 'cpu', task: 'task', status: 'mask' },
  (s, _cpu, task, status) => {
    s.words[topFrame(s, task) - s.at.framePc + s.at.frameStatus] = status;
  },
  { local: true },
);

/** A local of a frame got a value. `frame` counts from the bottom of the task's stack. */
export const LocalWritten = defineEvent(
  'local.written',
  { cpu: 'cpu', task: 'task', frame: 'number', index: 'number', value: 'number' },
  (s, _cpu, task, frame, index, value) => {
    s.words[s.at.frameLocal + (task * s.at.stackDepth + frame) * LOCALS + index] = value;
  },
  { local: true },
);

/** The stack of a task was exhausted by nested contexts: a double fault. The CPU stops. */
export const StackOverflowed = defineEvent('kernel.stack-overflowed', { cpu: 'cpu', task: 'task' }, stopCpu, {
  unpicks: true,
});

/** The kernel tried to kill an idle task. The CPU stops. */
export const KernelPanicked = defineEvent('kernel.panicked', { cpu: 'cpu', task: 'task' }, stopCpu, {
  unpicks: true,
});

/** Kernel code reached a point where it may sleep (might_sleep()). */
export const MightSleepReached = defineEvent(
  'kernel.might-sleep',
  { cpu: 'cpu', task: 'task', status: 'mask' },
  () => {},
  { local: true },
);

// --- tasks -----------------------------------------------------------------------------------------------------

/** A task was set up: at boot, or by fork. `at` is where its kernel stack starts, `user` where its program does (-1: none). */
export const TaskCreated = defineEvent(
  'task.created',
  { task: 'task', at: 'pc', status: 'mask', user: 'number', userStatus: 'mask' },
  (s, task, at, status, user, userStatus) => {
    s.words[s.at.lifecycle + task] = LIFECYCLE.alive;
    s.words[s.at.depth + task] = 0;
    if (user >= 0) pushFrame(s, task, user, userStatus);
    pushFrame(s, task, at, status);
  },
);

/** At boot, a CPU's idle task is its current one. */
export const CpuBooted = defineEvent('cpu.booted', { cpu: 'cpu', task: 'task' }, (s, cpu, task) => {
  s.words[s.at.current + cpu] = task;
  s.words[s.at.lastRan + task] = cpu;
});

/** The task went to sleep; whatever it waits for may happen at any time. */
export const TaskSlept = defineEvent('task.slept', { cpu: 'cpu', task: 'task' }, (s, _cpu, task) => {
  s.words[s.at.sleeping + task] = 1;
});

/** The scheduler decided who runs next: reserved for the switch of the task that runs now, until it has happened. */
export const TaskPicked = defineEvent('task.picked', { cpu: 'cpu', task: 'task' }, (s, cpu, task) => {
  const prev = s.words[s.at.current + cpu];
  if (prev !== task) s.words[s.at.pickedBy + task] = prev;
  s.words[s.at.sleeping + task] = 0;
});

/** The CPU changed stacks: `next` is current now. Linux: current_task in __switch_to(). */
export const TaskSwitched = defineEvent(
  'task.switched',
  { cpu: 'cpu', prev: 'task', next: 'task' },
  (s, cpu, _prev, next) => {
    s.words[s.at.current + cpu] = next;
    s.words[s.at.pickedBy + next] = -1;
    s.words[s.at.lastRan + next] = cpu;
  },
);

/**
 * The child has its own architectural FPU state: a copy of its parent's, but INIT in dynamic components. Linux 6.1 fpu_clone()
 * takes those "to be defined as caller-saved".
 */
export const TaskForked = defineEvent(
  'task.forked',
  { cpu: 'cpu', parent: 'task', child: 'task' },
  (s, _cpu, parent, child) => {
    const n = s.at.components;
    s.words.copyWithin(
      s.at.architectural + child * n,
      s.at.architectural + parent * n,
      s.at.architectural + (parent + 1) * n,
    );
    eachComponent(s, s.at.dynamicXfeatures, (index) => {
      s.words[s.at.architectural + child * n + index] = INIT;
    });
    s.words[s.at.execed + child] = s.words[s.at.execed + parent];
  },
  { fpu: true },
);

/** A kernel thread borrowed the address space of a user task (1), or gave it back (0). Linux: kthread_use_mm(). */
export const MmBorrowed = defineEvent(
  'mm.borrowed',
  { cpu: 'cpu', task: 'task', borrowed: 'number' },
  (s, _cpu, task, borrowed) => {
    s.words[s.at.borrowedMm + task] = borrowed;
  },
);

/** execve() replaced the program: its architectural FPU state is INIT from here on. */
export const TaskExeced = defineEvent(
  'task.execed',
  { cpu: 'cpu', task: 'task' },
  (s, _cpu, task) => forgetState(s, task),
  { fpu: 'too' },
);

/**
 * The ABI gives a component of a task a value: XRSTOR of INIT by the task itself, the PKRU of a new program, what a tracer wrote.
 * Only what the task ought to see changes.
 */
export const ArchitecturalSet = defineEvent(
  'architectural.set',
  { task: 'task', component: 'component', value: 'value' },
  (s, task, component, value) => {
    s.words[s.at.architectural + task * s.at.components + s.at.indexOfBit[component]] = value;
    s.words[s.at.execed + task] &= ~(1 << component);
  },
  { fpu: true },
);

/** The task dies: nobody needs its FPU state any more. */
export const TaskExiting = defineEvent(
  'task.exiting',
  { cpu: 'cpu', task: 'task' },
  (s, _cpu, task) => forgetState(s, task),
  { fpu: 'too' },
);

/** The task is dead and will not run again. */
export const TaskExited = defineEvent('task.exited', { cpu: 'cpu', task: 'task' }, (s, _cpu, task) => bury(s, task), {
  unpicks: true,
});

// --- processor -------------------------------------------------------------------------------------------------

/** CR0 as the processor obeys it got a new value. */
export const Cr0Written = defineEvent(
  'cr0.written',
  { cpu: 'cpu', value: 'mask' },
  (s, cpu, value) => {
    s.words[s.at.cr0 + cpu] = value;
  },
  { local: true },
);

/** The processor raised an exception. `user` is 1 when it interrupted user code; else `at` is the kernel's step. */
export const TrapRaised = defineEvent(
  'trap.raised',
  { cpu: 'cpu', task: 'task', vector: 'number', user: 'number', at: 'pc' },
  () => {},
  { local: true },
);

/** The guest kernel asked its hypervisor for something. `number` is the hypercall's in the Xen interface. */
export const HypercallMade = defineEvent(
  'hypercall.made',
  { cpu: 'cpu', task: 'task', number: 'number', argument: 'number' },
  () => {},
  { local: true },
);

/** A component of the fpregs got a new value. For a task this is its latest architectural value. */
export const FpregsWritten = defineEvent(
  'fpregs.written',
  { cpu: 'cpu', component: 'component', value: 'value' },
  (s, cpu, component, value) => {
    const n = s.at.components;
    const index = s.at.indexOfBit[component];
    s.words[s.at.fpregs + cpu * n + index] = value;
    const task = taskOfPrincipal(writerOf(value));
    if (task >= 0) {
      s.words[s.at.architectural + task * n + index] = value;
      s.words[s.at.execed + task] &= ~(1 << component);
      s.words[s.at.serial + task] = serialOf(value);
    } else if (writerOf(value) === PRINCIPAL.kernel) s.words[s.at.kernelSerial] = serialOf(value);
  },
  { fpu: true },
);

/** The kernel put a value that exists already into a component of the fpregs: WRPKRU, WRMSR, XRSTOR of one component. */
export const FpregsLoaded = defineEvent(
  'fpregs.loaded',
  { cpu: 'cpu', component: 'component', value: 'value' },
  (s, cpu, component, value) => {
    s.words[s.at.fpregs + cpu * s.at.components + s.at.indexOfBit[component]] = value;
  },
  { fpu: true },
);

/** User code read a component of the fpregs. */
export const FpregsRead = defineEvent(
  'fpregs.read',
  { cpu: 'cpu', task: 'task', component: 'component', value: 'value' },
  () => {},
  { fpu: true },
);

/** A kernel FPU section looked at its registers: `expected` is what it had written. */
export const KernelFpregsChecked = defineEvent(
  'kernel.fpregs-checked',
  { cpu: 'cpu', task: 'task', component: 'component', value: 'value', expected: 'value' },
  () => {},
  { fpu: true },
);

/** Components of the fpregs went to their INIT state (FNINIT, XRSTOR of INIT). `xfeatures` is an XCR0-style bitmap. */
export const FpregsInitialised = defineEvent(
  'fpregs.initialised',
  { cpu: 'cpu', xfeatures: 'mask' },
  (s, cpu, xfeatures) => {
    eachComponent(s, xfeatures, (index) => {
      s.words[s.at.fpregs + cpu * s.at.components + index] = INIT;
    });
  },
  { fpu: true },
);

/**
 * User code put components into INIT state (TILERELEASE, XRSTOR without them): from here on that is what it ought to see. One event,
 * because no moment lies between the two.
 */
export const FpregsReleased = defineEvent(
  'fpregs.released',
  { cpu: 'cpu', task: 'task', xfeatures: 'mask' },
  (s, cpu, task, xfeatures) => {
    const n = s.at.components;
    eachComponent(s, xfeatures, (index, bit) => {
      s.words[s.at.fpregs + cpu * n + index] = INIT;
      s.words[s.at.architectural + task * n + index] = INIT;
      s.words[s.at.execed + task] &= ~bit;
    });
  },
  { fpu: true },
);

/** The fpregs were written to an image (XSAVE, FXSAVE, FNSAVE). Linux: save_fpregs_to_fpstate(). */
export const FpregsSaved = defineEvent(
  'fpregs.saved',
  { cpu: 'cpu', fpstate: 'fpstate', xfeatures: 'mask', bytes: 'number', instruction: 'instruction' },
  (s, cpu, fpstate, xfeatures) => {
    const n = s.at.components;
    const disabled = s.at.xfd < 0 ? 0 : s.words[s.at.xfd + cpu];
    let inUse = s.words[s.at.xstateBv + fpstate] & ~xfeatures;
    eachComponent(s, xfeatures, (index, bit) => {
      const value = disabled & bit ? INIT : s.words[s.at.fpregs + cpu * n + index];
      s.words[s.at.image + fpstate * n + index] = value;
      if (value !== INIT) inUse |= bit;
    });
    s.words[s.at.xstateBv + fpstate] = inUse;
    s.words[s.at.header + fpstate] = HEADER.valid;
  },
  { fpu: true },
);

/** The fpregs were loaded from an image (XRSTOR, FXRSTOR, FRSTOR). Linux: restore_fpregs_from_fpstate(). */
export const FpregsRestored = defineEvent(
  'fpregs.restored',
  { cpu: 'cpu', fpstate: 'fpstate', xfeatures: 'mask', bytes: 'number', instruction: 'instruction' },
  (s, cpu, fpstate, xfeatures) => {
    const n = s.at.components;
    const inUse = s.words[s.at.xstateBv + fpstate];
    eachComponent(s, xfeatures, (index, bit) => {
      s.words[s.at.fpregs + cpu * n + index] = inUse & bit ? s.words[s.at.image + fpstate * n + index] : INIT;
    });
  },
  { fpu: true },
);

/** A restore was left out because the registers were believed to be valid already. */
export const RestoreSkipped = defineEvent('fpregs.restore-skipped', { cpu: 'cpu', task: 'task' }, () => {}, {
  local: true,
});

/**
 * The kernel accessed user memory: under the PKRU that was in the register, where `expected` is the task's; a kernel thread's is the kernel's
 * default.
 */
export const UserMemoryAccessed = defineEvent(
  'user-memory.accessed',
  { cpu: 'cpu', task: 'task', pkru: 'value', expected: 'value' },
  () => {},
);

/** Something changed PKRU inside a kernel FPU section. `at` is the step that did it: a debug watch. */
export const KernelPkruChanged = defineEvent(
  'kernel.pkru-changed',
  { cpu: 'cpu', task: 'task', at: 'pc', from: 'value', to: 'value' },
  () => {},
);

// --- signals ---------------------------------------------------------------------------------------------------

/** A signal for which the task has a handler is pending. Linux: TIF_SIGPENDING. */
export const SignalSent = defineEvent('signal.sent', { task: 'task' }, (s, task) => {
  s.words[s.at.signalPending + task] = 1;
});

/** The kernel took the pending signal. Linux: get_signal(). */
export const SignalTaken = defineEvent('signal.taken', { cpu: 'cpu', task: 'task' }, (s, _cpu, task) => {
  s.words[s.at.signalPending + task] = 0;
});

/** The kernel chose a place for the signal frame on the user's stack. Nothing is there yet, if pages are there at all. */
export const FramePlaced = defineEvent(
  'signal.frame-placed',
  { cpu: 'cpu', task: 'task' },
  (s, _cpu, task) => {
    forgetFrame(s, task);
  },
  { fpu: true },
);

/** What is known of the pages of a task's signal frame: one of FRAME_PAGES. */
export const FramePagesChanged = defineEvent(
  'signal.frame-pages',
  { task: 'task', pages: 'number' },
  (s, task, pages) => {
    s.words[s.at.framePages + task] = pages;
  },
  { fpu: true },
);

/**
 * The signal frame is complete: what it holds is the task's state when it returns, and the handler starts with INIT by the ABI. Components outside
 * of `initialised` stay.
 */
export const FrameCompleted = defineEvent(
  'signal.frame-completed',
  { cpu: 'cpu', task: 'task', initialised: 'mask' },
  (s, _cpu, task, initialised) => {
    const n = s.at.components;
    eachComponent(s, ALL_COMPONENTS, (index, bit) => {
      const word = s.at.architectural + task * n + index;
      s.words[s.at.interrupted + task * n + index] = s.words[word];
      if (initialised & bit) s.words[word] = INIT;
    });
  },
  { fpu: true },
);

/** The task goes on in its handler, at operation `handler` of its program. */
export const HandlerEntered = defineEvent(
  'signal.handler-entered',
  { cpu: 'cpu', task: 'task', handler: 'number' },
  (s, _cpu, task, handler) => {
    const user = s.at.framePc + task * s.at.stackDepth;
    s.words[s.at.resume + task] = s.words[user];
    s.words[user] = handler;
  },
);

/** The task asks for what its frame holds: the components of `restored` by the ABI, INIT in those of `initialised`. */
export const FrameReturned = defineEvent(
  'signal.frame-returned',
  { cpu: 'cpu', task: 'task', restored: 'mask', initialised: 'mask' },
  (s, _cpu, task, restored, initialised) => {
    const n = s.at.components;
    eachComponent(s, restored | initialised, (index, bit) => {
      const word = s.at.architectural + task * n + index;
      s.words[word] = restored & bit ? s.words[s.at.interrupted + task * n + index] : INIT;
    });
    s.words.fill(INIT, s.at.interrupted + task * n, s.at.interrupted + (task + 1) * n);
    s.words[s.at.returning + task] = 1;
  },
  { fpu: true },
);

/** The task goes on where its handler had interrupted it. */
export const HandlerLeft = defineEvent(
  'signal.handler-left',
  { cpu: 'cpu', task: 'task' },
  (s, _cpu, task) => {
    s.words[s.at.framePc + task * s.at.stackDepth] = s.words[s.at.resume + task];
    s.words[s.at.resume + task] = -1;
    forgetFrame(s, task);
  },
  { fpu: 'too' },
);

// --- tracers and core dumps ------------------------------------------------------------------------------------

/** The task stopped for its tracer, which alone can wake it. Linux: TASK_TRACED in ptrace_stop(). */
export const TaskStopped = defineEvent('task.stopped', { cpu: 'cpu', task: 'task' }, (s, _cpu, task) => {
  s.words[s.at.stopped + task] = 1;
});

/** A tracer let its target go on. */
export const TaskContinued = defineEvent(
  'task.continued',
  { cpu: 'cpu', task: 'task', target: 'task' },
  (s, _cpu, _task, target) => {
    s.words[s.at.stopped + target] = 0;
  },
);

/** `task` was shown a component of `target`, another task's for a tracer, its own in a core file. */
export const FpstateShown = defineEvent(
  'fpstate.shown',
  { cpu: 'cpu', task: 'task', target: 'task', component: 'component', value: 'value' },
  () => {},
  { fpu: true },
);

/** The tracer that runs on `cpu` put a new value into an image of `target`: from now on it is what that task has. */
export const FpstateTraced = defineEvent(
  'fpstate.traced',
  { cpu: 'cpu', target: 'task', fpstate: 'fpstate', component: 'component', value: 'value' },
  (s, _cpu, target, fpstate, component, value) => {
    const n = s.at.components;
    const index = s.at.indexOfBit[component];
    s.words[s.at.image + fpstate * n + index] = value;
    s.words[s.at.xstateBv + fpstate] |= 1 << component;
    s.words[s.at.architectural + target * n + index] = value;
    s.words[s.at.execed + target] &= ~(1 << component);
    s.words[s.at.serial + target] = serialOf(value);
  },
  { fpu: true },
);

// --- XFD -------------------------------------------------------------------------------------------------------

/** IA32_XFD of a CPU got a value. */
export const XfdWritten = defineEvent(
  'xfd.written',
  { cpu: 'cpu', value: 'mask' },
  (s, cpu, value) => {
    s.words[s.at.xfd + cpu] = value;
  },
  { fpu: true },
);

/** IA32_XFD_ERR of a CPU got a value: by #NM, or by the kernel. */
export const XfdErrWritten = defineEvent(
  'xfd.err-written',
  { cpu: 'cpu', value: 'mask' },
  (s, cpu, value) => {
    s.words[s.at.xfdErr + cpu] = value;
  },
  { fpu: true },
);

// --- images ----------------------------------------------------------------------------------------------------

/** Memory for an image was allocated. Its contents are whatever was there. */
export const FpstateAllocated = defineEvent(
  'fpstate.allocated',
  { fpstate: 'fpstate' },
  (s, fpstate) => {
    s.words[s.at.allocated + fpstate] = 1;
  },
  { fpu: true },
);

/** An image was freed. */
export const FpstateFreed = defineEvent(
  'fpstate.freed',
  { fpstate: 'fpstate' },
  (s, fpstate) => {
    s.words[s.at.allocated + fpstate] = 0;
  },
  { fpu: true },
);

/** An image was filled with the INIT state (fpu_finit(), fpstate_init()). */
export const FpstateInitialised = defineEvent(
  'fpstate.initialised',
  { fpstate: 'fpstate' },
  (s, fpstate) => {
    const n = s.at.components;
    s.words.fill(INIT, s.at.image + fpstate * n, s.at.image + (fpstate + 1) * n);
    s.words[s.at.xstateBv + fpstate] = 0;
    s.words[s.at.header + fpstate] = HEADER.valid;
  },
  { fpu: true },
);

/** An image was copied from memory to memory. */
export const FpstateCopied = defineEvent(
  'fpstate.copied',
  { from: 'fpstate', to: 'fpstate' },
  (s, from, to) => {
    const n = s.at.components;
    s.words.copyWithin(s.at.image + to * n, s.at.image + from * n, s.at.image + (from + 1) * n);
    s.words[s.at.xstateBv + to] = s.words[s.at.xstateBv + from];
    s.words[s.at.header + to] = s.words[s.at.header + from];
  },
  { fpu: true },
);

/** The slot of a component in an image got a value. Whether XRSTOR loads it is another question: XSTATE_BV. */
export const FpstateWritten = defineEvent(
  'fpstate.written',
  { fpstate: 'fpstate', component: 'component', value: 'value' },
  (s, fpstate, component, value) => {
    s.words[s.at.image + fpstate * s.at.components + s.at.indexOfBit[component]] = value;
  },
  { fpu: true },
);

/** XSTATE_BV of an image changed: components whose bit is 0 are INIT, whatever their slots hold. */
export const XstateBvWritten = defineEvent(
  'fpstate.xstate-bv-written',
  { fpstate: 'fpstate', xfeatures: 'mask' },
  (s, fpstate, xfeatures) => {
    s.words[s.at.xstateBv + fpstate] = xfeatures;
  },
  { fpu: true },
);

/** Somebody wrote the header of an image: its magic is gone, or reserved bits are set. See HEADER. */
export const HeaderWritten = defineEvent(
  'fpstate.header-written',
  { fpstate: 'fpstate', header: 'number' },
  (s, fpstate, header) => {
    s.words[s.at.header + fpstate] = header;
  },
  { fpu: true },
);

// --- plugins and oracles ---------------------------------------------------------------------------------------

/** A policy or platform wrote one of its slots. `slot` is the word in the packed state; logs name it. */
export const SlotWritten = defineEvent(
  'slot.written',
  { slot: 'slot', value: 'number' },
  (s, slot, value) => {
    s.words[slot] = value;
  },
  { local: true },
);

/** The validity of a task's FPU context changed: see VALIDITY. */
export const ValidityChanged = defineEvent(
  'validity.changed',
  { task: 'task', from: 'number', to: 'number' },
  (s, task, _from, to) => {
    s.words[s.at.validity + task] = to;
  },
  { fpu: true },
);

/**
 * Something happened that must never happen. `oracle` indexes ORACLES; `reader` is the task that is harmed or that
 * sees too much. Each (oracle, component, task) is reported once per run.
 */
export const OracleViolated = defineEvent(
  'oracle.violated',
  { oracle: 'number', cpu: 'cpu', reader: 'task', component: 'component', value: 'value', expected: 'value' },
  (s, oracle, _cpu, reader, component) => {
    s.words[s.at.reported + reader * ORACLE_SLOTS + oracle] |= reportedBit(component);
  },
);

/** The bit of a component in a task's `reported` word. Component -1 stands for "no component". */
export function reportedBit(component: number): number {
  return 1 << (component + 1);
}

// --- hooks -----------------------------------------------------------------------------------------------------

/** `prev` is about to leave the CPU. Linux: switch_fpu_prepare() in __switch_to(). */
export const SwitchOut = defineHook('hook.switch-out', { cpu: 'cpu', task: 'task', next: 'task' });
/** The stack and `current` are the new task's. Linux: switch_fpu_finish() in __switch_to(). */
export const SwitchIn = defineHook('hook.switch-in', { cpu: 'cpu', task: 'task' });
/** The kernel's #NM handler runs. Linux: do_device_not_available(). */
export const TrapNm = defineHook('hook.trap-nm', { cpu: 'cpu', task: 'task' });
/** Kernel code asks whether it may use the FPU here. Linux: irq_fpu_usable(). The answer goes to local 0 of the asking frame. */
export const IrqFpuUsable = defineHook('hook.irq-fpu-usable', { cpu: 'cpu', task: 'task' });
/** A kernel FPU section starts. */
export const KernelFpuBegin = defineHook('hook.kernel-fpu-begin', { cpu: 'cpu', task: 'task' });
/** A kernel FPU section ends. */
export const KernelFpuEnd = defineHook('hook.kernel-fpu-end', { cpu: 'cpu', task: 'task' });
/** `task` forks `child`: its FPU state must be copied. Linux: arch_dup_task_struct(). */
export const Fork = defineHook('hook.fork', { cpu: 'cpu', task: 'task', child: 'task' });
/** execve() drops the old program's FPU state. Linux: flush_thread(). */
export const Exec = defineHook('hook.exec', { cpu: 'cpu', task: 'task' });
/** The task dies. Linux: exit_thread(). */
export const Exit = defineHook('hook.exit', { cpu: 'cpu', task: 'task' });
/** The kernel has switched interrupts off to return to user code and looks what there is to do before that. */
export const ExitToUserPrepare = defineHook('hook.exit-to-user-prepare', { cpu: 'cpu', task: 'task' });
/** The task's state goes to its signal frame; what fails is refused. Linux: copy_fpstate_to_sigframe(), save_xstate_sig(), ... */
export const SignalSave = defineHook('hook.signal-save', { cpu: 'cpu', task: 'task' });
/** The signal frame is complete; the handler starts with a fresh state. Linux: fpu__clear_user_states(), fpu__clear(), ... */
export const SignalClear = defineHook('hook.signal-clear', { cpu: 'cpu', task: 'task' });
/** sigreturn loads the state from the signal frame; what fails is refused. Linux: fpu__restore_sig(), restore_xstate_sig(), ... */
export const SignalRestore = defineHook('hook.signal-restore', { cpu: 'cpu', task: 'task' });
/** A tracer reads registers of a stopped task: get() of a register set. */
export const PtraceRead = defineHook('hook.ptrace-read', { cpu: 'cpu', task: 'task', target: 'task' });
/** A tracer writes registers of a stopped task: set() of a register set. */
export const PtraceWrite = defineHook('hook.ptrace-write', { cpu: 'cpu', task: 'task', target: 'task' });
/** The task's own registers go to a core file. Linux: fill_thread_core_info(). */
export const CoreDump = defineHook('hook.core-dump', { cpu: 'cpu', task: 'task' });
/** The kernel is about to return to user code, interrupts off. */
export const ExitToUser = defineHook('hook.exit-to-user', { cpu: 'cpu', task: 'task' });
/** A CPU comes up: the policy brings TS into the state that it expects. Linux: fpu_init(), fpu__init_cpu(). */
export const CpuUp = defineHook('hook.cpu-up', { cpu: 'cpu', task: 'task' });
/** The idle loop is about to halt the CPU for long, interrupts off. Linux: fpu_idle_fpregs() from the cpuidle driver. */
export const IdleEntered = defineHook('hook.idle', { cpu: 'cpu', task: 'task' });
/** The task asks for permission to use a component. Linux: arch_prctl(ARCH_REQ_XCOMP_PERM), xstate_request_perm(). */
export const XcompPermRequested = defineHook('hook.request-xcomp-perm', { cpu: 'cpu', task: 'task' });
/** The task installs an alternate signal stack, too small for what is enabled per task. Linux: sigaltstack(). */
export const SigaltstackInstalled = defineHook('hook.sigaltstack', { cpu: 'cpu', task: 'task' });

/** Code inside a kernel FPU section runs, before the section computes. */
export const KernelFpuSection = defineHook('hook.kernel-fpu-section', { cpu: 'cpu', task: 'task' });
/** A kernel thread has borrowed an address space. */
export const UseMm = defineHook('hook.use-mm', { cpu: 'cpu', task: 'task' });
/** A kernel thread has given an address space back. */
export const UnuseMm = defineHook('hook.unuse-mm', { cpu: 'cpu', task: 'task' });

/** #NM was raised: the platform decides who receives it. */
export const NmRaised = defineHook('hook.nm-raised', { cpu: 'cpu', task: 'task' });
/** A context switch begins; paravirtual kernels start to batch. Linux: arch_start_context_switch(). */
export const ContextSwitchStart = defineHook('hook.context-switch-start', { cpu: 'cpu', task: 'task' });
/** What was batched takes effect. Linux: arch_end_context_switch(). */
export const ContextSwitchEnd = defineHook('hook.context-switch-end', { cpu: 'cpu', task: 'task' });
/** The idle loop halts the (virtual) CPU. Linux: safe_halt(). */
export const Halted = defineHook('hook.halt', { cpu: 'cpu', task: 'task' });
/** The hypervisor takes the physical CPU away from the guest for a while. */
export const VcpuPreempted = defineHook('hook.vcpu-preempted', { cpu: 'cpu', task: 'task' });

// --- helpers ---------------------------------------------------------------------------------------------------

/** The CPU runs nothing any more, and what it ran is dead. */
function stopCpu(s: MachineState, cpu: number, task: number): void {
  bury(s, task);
  s.words[s.at.current + cpu] = -1;
}

/** A dead task switches to nobody any more: whom it had picked may run elsewhere. */
function bury(s: MachineState, task: number): void {
  s.words[s.at.lifecycle + task] = LIFECYCLE.dead;
  for (let other = 0; other < s.at.tasks; other++) {
    if (s.words[s.at.pickedBy + other] === task) s.words[s.at.pickedBy + other] = -1;
  }
}

/** From here on the architectural FPU state of a task is INIT, and its older values are none of its business. */
function forgetState(s: MachineState, task: number): void {
  const n = s.at.components;
  s.words.fill(INIT, s.at.architectural + task * n, s.at.architectural + (task + 1) * n);
  s.words[s.at.execed + task] = ALL_COMPONENTS;
  if (s.at.resume < 0) return;
  s.words[s.at.resume + task] = -1;
  s.words[s.at.signalPending + task] = 0;
  forgetFrame(s, task);
}

/** Nobody will return through the task's signal frame. */
function forgetFrame(s: MachineState, task: number): void {
  const n = s.at.components;
  const frame = s.at.firstFpstate.sigframe + task;
  s.words.fill(INIT, s.at.interrupted + task * n, s.at.interrupted + (task + 1) * n);
  s.words.fill(INIT, s.at.image + frame * n, s.at.image + (frame + 1) * n);
  s.words[s.at.xstateBv + frame] = 0;
  s.words[s.at.header + frame] = HEADER.valid;
  s.words[s.at.framePages + task] = FRAME_PAGES.unknown;
  s.words[s.at.returning + task] = 0;
}

/** Word index of the top frame's pc. */
function topFrame(s: MachineState, task: number): number {
  return s.at.framePc + task * s.at.stackDepth + s.words[s.at.depth + task] - 1;
}

function pushFrame(s: MachineState, task: number, pc: number, status: number): void {
  const depth = s.words[s.at.depth + task]++;
  const frame = task * s.at.stackDepth + depth;
  s.words[s.at.framePc + frame] = pc;
  s.words[s.at.frameStatus + frame] = status;
}

/** Pops the top frame and zeroes it. Masks that a called routine changed stay changed in its caller. */
function popFrame(s: MachineState, task: number): void {
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
function eachComponent(s: MachineState, xfeatures: number, visit: (index: number, bit: number) => void): void {
  const bits = s.at.componentBits;
  for (let index = 0; index < bits.length; index++) {
    const bit = 1 << bits[index];
    if (xfeatures & bit) visit(index, bit);
  }
}
