/** Tasks come, run, sleep and go. */
import { defineEvent } from '../event-type';
import { PASID } from '../../x86/components';
import { LIFECYCLE } from '../state';
import { INIT } from '../values';
import { bury, forgetState, pushFrame, eachComponent } from './changes';

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
 * The child has its own architectural FPU state: a copy of its parent's, but INIT in dynamic components and in PASID. Linux 6.1
 * fpu_clone() takes the former "to be defined as caller-saved", and "children never inherit PASID state".
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
    eachComponent(s, s.at.dynamicXfeatures | (1 << PASID), (index) => {
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
