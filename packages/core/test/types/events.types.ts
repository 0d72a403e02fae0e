/** What the types of events, programs and plugins allow; checked by `tsc` alone. */
import {
  compose,
  events,
  isEvent,
  loop,
  slot,
  sse,
  step,
  syscall,
  type BasePolicy,
  type EventType,
  type Machine,
  type MachineEvent,
  type ModifierPolicy,
  type Schedule,
} from '@fpulab/core';

declare const machine: Machine;
declare const anyEvent: MachineEvent;

// on() knows the data of its event type.
machine.on(events.FpregsWritten).subscribe(({ data, seq, by, cause }) => {
  const numbers: readonly number[] = [data.cpu, data.component, data.value, seq, cause];
  const who: string = by;
  // @ts-expect-error: there is no task in fpregs.written
  void data.task;
  // @ts-expect-error: data is read-only
  data.cpu = 1;
  // @ts-expect-error: fields are numbers
  const text: string = data.cpu;
  return [numbers, who, text];
});

// isEvent() narrows.
if (isEvent(anyEvent, events.TaskSwitched)) {
  const both: readonly number[] = [anyEvent.data.prev, anyEvent.data.next];
  // @ts-expect-error: task.switched has prev and next
  void anyEvent.data.task;
  void both;
}

// An event of any type has data by name, as numbers.
const field: number = anyEvent.data.whatever;
// @ts-expect-error: events are read-only
anyEvent.seq = field;

// Event types are told apart by their fields.
const slept: EventType<{ cpu: 'cpu'; task: 'task' }> = events.TaskSlept;
// @ts-expect-error: cr0.written has no task
const notSlept: EventType<{ cpu: 'cpu'; task: 'task' }> = events.Cr0Written;
void [slept, notSlept];

// Fields have kinds; a hook is an event type like any other.
const kind: 'task' = events.SwitchOut.fields.next;
// @ts-expect-error: the kind is 'task'
const wrongKind: 'cpu' = events.SwitchOut.fields.next;
void [kind, wrongKind];

// Programs: fork() has its own constructor, because it names a child.
void loop(2, sse.write(), syscall('getpid'));
// @ts-expect-error: use fork('child')
void syscall('fork');
// @ts-expect-error: no such system call
void syscall('open');

// Schedules list names per kind of choice.
const schedule: Schedule = { pick: ['A'], alloc: ['sleep'] };
// @ts-expect-error: no such kind of choice
const wrongSchedule: Schedule = { pickk: ['A'] };
void [schedule, wrongSchedule];

// Slots belong to a space; images have none.
void slot.task('used', 'flag');
// @ts-expect-error: plugins have no slots per image
void slot.fpstate('used', 'flag');
// @ts-expect-error: no such kind
void slot.cpu('owner', 'owner');

// Steps of policies see the kernel, not the physical CPU under it.
void step('clts', (k) => k.clts());
// @ts-expect-error: the real CR0 is the hypervisor's business
void step('read the real CR0', (k) => void k.realCr0);
// @ts-expect-error: no such instruction class
void step('save', (k) => k.clts(), { instruction: 'xsavec' });

// A policy is a base or a modifier; only a base owns hooks.
declare const base: BasePolicy;
declare const modifier: ModifierPolicy;
declare const rest: Omit<Parameters<typeof compose>[0], 'policies'>;
void compose({ ...rest, policies: [base, modifier] });
// @ts-expect-error: a modifier has no hooks
void modifier.hooks;
// @ts-expect-error: no such hook
const hooks: BasePolicy['hooks'] = { 'switch-over': 'r' };
void hooks;
// @ts-expect-error: a composition needs a platform
void compose({ policies: [base], scenario: rest.scenario });
