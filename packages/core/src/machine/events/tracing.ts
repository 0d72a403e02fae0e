/** Tracers look at stopped tasks, and write into them. */
import { defineEvent } from '../event-type';
import { serialOf } from '../values';

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
