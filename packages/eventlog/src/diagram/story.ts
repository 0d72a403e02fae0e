/** Turns the events of a run into lanes: one per context, in time order, each with a few telling lines. */
import {
  CHOICE_KINDS,
  CONTEXT,
  CONTEXT_NAMES,
  CR0_TS,
  INIT,
  NOBODY,
  ORACLES,
  PAGE,
  applyEvent,
  componentName,
  contextOf,
  eventType,
  isCalled,
  readField,
  vectorName,
  xfeaturesName,
  type Field,
  type MachineEvent,
  type MachineState,
  type OracleId,
} from '@fpulab/core';
import { valueName } from '../names';
import { CallPath, isFunction } from './call-path';

/** What a diagram has to know of a run beside its events. */
export interface DiagramContext {
  /** The state before the first event; the story folds its own copy. */
  readonly state: MachineState;
  readonly tasks: readonly string[];
  /** Text of each task's operations. */
  readonly programs: readonly (readonly string[])[];
  /** Label of each kernel step by address. */
  readonly steps: readonly string[];
  /** Fields by role, as `<plugin>.<slot>`; absent where the composition has none. */
  readonly roles: DiagramRoles;
  /** Oracles that decide the verdict. */
  readonly oracles: readonly OracleId[];
}

/** Names of the fields that the picture shows by role. */
export interface DiagramRoles {
  readonly owner?: string;
  readonly active?: string;
  readonly used?: string;
  readonly guestTs?: string;
}

/** A line of a lane. */
export interface StoryLine {
  readonly text: string;
  readonly indent: number;
  /** True where something happened that must never happen. */
  readonly violation: boolean;
}

/** One context between two changes of context. A task's user code and its system calls share a lane. */
export interface Lane {
  readonly cpu: number;
  readonly task: string;
  /** `task`, `#NM`, `Xen`, `hardirq`, ... */
  readonly context: string;
  /** `seq` of its first event. */
  readonly from: number;
  readonly lines: readonly StoryLine[];
  /** Readings along the top: where they change within the lane, both values. */
  readonly realTs: string;
  readonly guestTs: string;
  readonly registers: string;
  readonly owner: string;
  readonly violation: boolean;
  /** The same readings up to the last violation in the lane, with what they were in between. */
  readonly untilViolation?: Readings;
}

/** What stands along the top of a lane. */
export interface Readings {
  readonly realTs: string;
  readonly guestTs: string;
  readonly registers: string;
  readonly owner: string;
}

/** All lanes of a run that have something to tell. */
export function tellStory(events: readonly MachineEvent[], context: DiagramContext): readonly Lane[] {
  const teller = new Teller(context, violatedComponent(events, context));
  for (const event of events) teller.tell(event);
  return teller.finish();
}

/** A lane under construction. */
interface OpenLane {
  readonly key: string;
  readonly cpu: number;
  readonly task: number;
  readonly context: string;
  readonly from: number;
  readonly lines: StoryLine[];
  readonly before: Readings;
  /** After each event. */
  readonly seen: Readings[];
  /** How many of them there were at the last violation. */
  seenAtViolation: number;
  path: readonly string[];
}

/** More values than these, one after the other, are too wide for a lane. */
const READINGS_MAX = 3;

/** Contexts of the kernel's exception entries, by routine. */
const EXCEPTIONS: Readonly<Record<string, string>> = {
  device_not_available: '#NM',
  general_protection: '#GP',
  invalid_op: '#UD',
  retint_resched: 'preempted',
};

/** By PAGE: what an access to user memory found. */
const PAGE_WORDS = ['there', 'missing', 'has to wait', 'gone'];

const OPENS_LANE: ReadonlySet<string> = new Set(['kernel.stepped', 'user.stepped', 'trap.raised', 'oracle.violated']);

/** `has_fpu` of `lazy-cr0-ts.has_fpu`. */
function shortName(field: Field | undefined): string {
  return field?.name.split('.').pop() ?? '';
}

/** Index of the component of the first violation that concerns one. */
function violatedComponent(events: readonly MachineEvent[], { state, oracles }: DiagramContext): number | undefined {
  const first = events.find(
    ({ type, data }) => type === 'oracle.violated' && data.component >= 0 && oracles.includes(ORACLES[data.oracle]),
  );
  return first && state.at.indexOfBit[first.data.component];
}

class Teller {
  private readonly state: MachineState;
  private readonly lanes: Lane[] = [];
  private readonly owner: Field | undefined;
  private readonly active: Field | undefined;
  private readonly used: Field | undefined;
  private readonly guestTs: Field | undefined;
  private readonly deciding: ReadonlySet<number>;
  private open: OpenLane | undefined;
  private last: OpenLane | undefined;
  private tsTouched = false;
  private slept = false;
  private operation = '';
  private readonly calls = new CallPath();
  /** The component that the readings show: the one that is violated first, else the first that is not INIT. */
  private readonly component: number | undefined;

  constructor(
    private readonly context: DiagramContext,
    component: number | undefined,
  ) {
    this.component = component;
    const { layout, at, words } = context.state;
    this.state = { layout, at, words: words.slice() };
    const field = (name: string | undefined): Field | undefined => (name === undefined ? undefined : layout.find(name));
    this.owner = field(context.roles.owner);
    this.active = field(context.roles.active);
    this.used = field(context.roles.used);
    this.guestTs = field(context.roles.guestTs);
    this.deciding = new Set(context.oracles.map((id) => ORACLES.indexOf(id)));
  }

  tell(event: MachineEvent): void {
    const { cpu } = event.data;
    if (OPENS_LANE.has(event.type)) this.enterLane(event);
    this.followCalls(event);
    const before = this.changed(event);
    const type = eventType(event.type);
    if (type) applyEvent(this.state, type, event.data);
    if (!this.open || (cpu !== undefined && cpu !== this.open.cpu)) return;
    this.open.seen.push(this.readings(this.open.cpu));
    this.describe(event, before);
  }

  finish(): readonly Lane[] {
    this.close();
    return this.lanes;
  }

  // --- lanes -----------------------------------------------------------------------------------------------------

  /** Opens a new lane when the CPU, the task or its context is another one than before. */
  private enterLane(event: MachineEvent): void {
    const { cpu } = event.data;
    const { words, at } = this.state;
    const task = words[at.current + cpu];
    if (task < 0) return;
    const depth = words[at.depth + task];
    let frame = depth - 1;
    while (frame > 0 && isCalled(words[at.frameStatus + task * at.stackDepth + frame])) frame--;
    const status = words[at.frameStatus + task * at.stackDepth + frame];
    const context = this.contextName(words[at.framePc + task * at.stackDepth + frame], contextOf(status));
    const key = `${cpu}/${task}/${context === 'task' ? 0 : frame}/${context}`;
    if (this.open?.key === key) return;
    this.close();
    if (this.resume(key)) return;
    this.open = {
      key,
      cpu,
      task,
      context,
      from: event.seq,
      lines: [],
      before: this.readings(cpu),
      seen: [],
      seenAtViolation: 0,
      path: [],
    };
  }

  private contextName(pc: number, context: number): string {
    switch (context) {
      case CONTEXT.hypervisor:
        return 'Xen';
      case CONTEXT.user:
      case CONTEXT.syscall:
      case CONTEXT.kthread:
        return 'task';
      case CONTEXT.exception:
        return EXCEPTIONS[this.context.steps[pc]?.split(/[/@]/)[0]] ?? 'exception';
      default:
        return CONTEXT_NAMES[context];
    }
  }

  /** Goes on with the last lane when what came between told nothing. */
  private resume(key: string): boolean {
    if (this.last?.key !== key) return false;
    this.open = this.last;
    this.lanes.pop();
    this.last = undefined;
    return true;
  }

  private close(): void {
    const lane = this.open;
    this.open = undefined;
    if (!lane || lane.lines.length === 0) return;
    this.last = lane;
    const after = this.readings(lane.cpu);
    const both = (name: keyof Readings): string =>
      lane.before[name] === after[name] ? after[name] : `${lane.before[name]}>${after[name]}`;
    this.lanes.push({
      cpu: lane.cpu,
      task: this.context.tasks[lane.task],
      context: lane.context,
      from: lane.from,
      lines: lane.lines,
      realTs: both('realTs'),
      guestTs: both('guestTs'),
      registers: both('registers'),
      owner: both('owner'),
      violation: lane.lines.some((line) => line.violation),
      ...(lane.seenAtViolation > 0 ? { untilViolation: this.untilViolation(lane) } : {}),
    });
  }

  private untilViolation({ before, seen, seenAtViolation }: OpenLane): Readings {
    const all = [before, ...seen.slice(0, seenAtViolation)];
    const changes = (name: keyof Readings): string => {
      const values = all.map((readings) => readings[name]).filter((value, at, list) => value !== list[at - 1]);
      return (values.length <= READINGS_MAX ? values : [values[0], '..', values[values.length - 1]]).join('>');
    };
    return {
      realTs: changes('realTs'),
      guestTs: changes('guestTs'),
      registers: changes('registers'),
      owner: changes('owner'),
    };
  }

  private readings(cpu: number): Readings {
    const { words, at } = this.state;
    const owner = this.owner ? readField(this.state, this.owner, cpu) : NOBODY;
    return {
      realTs: words[at.cr0 + cpu] & CR0_TS ? '1' : '0',
      guestTs: this.guestTs ? String(readField(this.state, this.guestTs, cpu)) : '',
      registers: this.name(words[at.fpregs + cpu * at.components + this.shownComponent(cpu)]),
      owner: owner === NOBODY ? '-' : this.context.tasks[owner],
    };
  }

  /** The picture has room for one component. */
  private shownComponent(cpu: number): number {
    if (this.component !== undefined) return this.component;
    const { words, at } = this.state;
    for (let index = 0; index < at.components; index++)
      if (words[at.fpregs + cpu * at.components + index] !== 0) return index;
    return 0;
  }

  // --- lines -----------------------------------------------------------------------------------------------------

  /** What the event overwrites, for events that only tell something when it is different. */
  private changed(event: MachineEvent): number {
    const { words, at } = this.state;
    if (event.type === 'cr0.written') return words[at.cr0 + event.data.cpu];
    return event.type === 'slot.written' ? words[event.data.slot] : 0;
  }

  private describe(event: MachineEvent, before: number): void {
    const { data } = event;
    switch (event.type) {
      case 'user.stepped':
        this.operation = this.context.programs[data.task]?.[data.at] ?? 'user code';
        if (this.operation === 'either') return; // which way the program goes shows in what it does next
        if (this.operation === 'enqcmd') return; // it shows in what it reads
        if (!this.operation.includes('.')) this.line(`syscall ${this.operation}`);
        else if (!/\.(read|write|update)$/.test(this.operation)) this.line(this.operation);
        return;
      case 'choice.made':
        if (CHOICE_KINDS[data.kind] === 'page' && data.taken !== PAGE.there)
          this.effect(`memory: ${PAGE_WORDS[data.taken]}`);
        return;
      case 'kthread.stepped':
        this.line(this.context.programs[data.task]?.[data.at] ?? 'kernel code');
        return;
      case 'user-memory.accessed':
        this.effect(`user memory, PKRU ${valueName(data.pkru, this.context.tasks)}`);
        return;
      case 'kernel.pkru-changed':
        this.effect('PKRU changes in a kernel FPU section');
        return;
      case 'trap.raised':
        return this.line(
          data.user
            ? `${this.pendingOperation(data.task)}: ${vectorName(data.vector)}`
            : `${vectorName(data.vector)} in the kernel`,
        );
      case 'task.slept':
        this.slept = true;
        return this.effect(
          isFunction(this.calls.step) && this.calls.step !== 'sleep' ? `${this.calls.step} sleeps` : 'sleeps',
        );
      case 'task.picked':
        this.tsTouched = false;
        return;
      case 'task.switched':
        return this.describeSwitch(data.prev, data.next);
      case 'masks.changed':
        if (this.calls.step.startsWith('local_irq_')) this.effect(this.calls.step);
        return;
      case 'cr0.written':
        this.tsTouched = true;
        if ((before ^ data.value) & CR0_TS)
          this.effect(`${this.guestTs ? 'real ' : ''}TS=${data.value & CR0_TS ? 1 : 0}`);
        return;
      case 'xfd.written':
        return this.effect(`XFD=${xfeaturesName(data.value)}`);
      case 'fpregs.given':
        return this.effect(`${componentName(data.component)}=${this.name(data.value)}`);
      case 'update.finished':
        return this.effect(`${componentName(data.component)} is to be ${this.name(data.value)}`);
      case 'ipi.sent':
        return this.effect(`interrupts CPU ${data.target}`);
      case 'mm.pasid-written':
        return this.effect(data.value === INIT ? 'mm gives its PASID back' : `mm has ${this.name(data.value)}`);
      case 'cpu.leaving':
        return this.effect(`CPU ${data.target} is to go down`);
      case 'cpu.kicked':
        return this.effect(`CPU ${data.target} is to come up`);
      case 'cpu.power-lost':
        return this.effect(`CPU ${data.cpu} loses its power`);
      case 'slot.written':
        return this.describeSlot(data.slot, before, data.value);
      case 'fpregs.saved':
        return this.effect(`save ${this.readings(data.cpu).registers}`);
      case 'fpregs.restored':
        return this.effect(`load ${this.readings(data.cpu).registers}`);
      case 'task.stopped':
        return this.effect('stops for its tracer');
      case 'task.continued':
        return this.effect(`lets ${this.context.tasks[data.target]} go on`);
      case 'fpstate.traced':
        if (this.isShown(data)) this.effect(`image of ${this.context.tasks[data.target]}: ${this.name(data.value)}`);
        return;
      case 'fpstate.shown':
        if (this.isShown(data)) this.effect(`shows ${this.name(data.value)}`);
        return;
      case 'fpregs.read':
        return this.line(`${this.operation}: ${this.name(data.value)}`);
      case 'fpregs.written':
        if (event.by === 'user' || event.by === 'guest') this.line(`${this.operation}: ${this.name(data.value)}`);
        return;
      case 'oracle.violated':
        if (this.deciding.has(data.oracle)) this.describeViolation(event);
        return;
    }
  }

  /** Of the components of an image, the picture has room for one. */
  private isShown({ cpu, component }: MachineEvent['data']): boolean {
    return this.state.at.indexOfBit[component] === this.shownComponent(cpu);
  }

  /** The operation that a task is about to execute. */
  private pendingOperation(task: number): string {
    const { words, at } = this.state;
    return this.context.programs[task]?.[words[at.framePc + task * at.stackDepth]] ?? 'FPU use';
  }

  /** Before the event is applied: a call or a context gets the frame on top of the task's stack. */
  private followCalls({ type, data }: MachineEvent): void {
    const depth = this.state.words[this.state.at.depth + data.task];
    if (type === 'routine.entered') this.calls.noteCall(data.task, depth, this.slept);
    else if (type === 'context.entered' || type === 'guest.entered') this.calls.noteContext(data.task, depth);
    else if (type === 'kernel.stepped') {
      this.slept = false;
      this.calls.noteStep(data.task, depth - 1, this.context.steps[data.at] ?? '');
      if (this.calls.step.startsWith('bounce')) this.effect(this.calls.step);
    }
  }

  private describeSwitch(prev: number, next: number): void {
    const inactive = this.active !== undefined && readField(this.state, this.active, prev) === 0;
    const { tasks } = this.context;
    if (inactive && !this.tsTouched && !tasks[prev].startsWith('idle')) {
      this.effect(`[${shortName(this.active)}(${tasks[prev]})=0: TS kept]`);
    }
    this.effect(`[swap task ${tasks[next]}]`);
  }

  private describeSlot(slot: number, before: number, value: number): void {
    if (before === value) return;
    const inField = (field: Field | undefined): number =>
      field && slot >= field.base && slot < field.base + field.instances ? slot - field.base : -1;
    if (inField(this.guestTs) >= 0) {
      this.tsTouched = true;
      this.effect(`guest TS=${value}`);
    }
    for (const field of [this.active, this.used]) {
      const task = inField(field);
      if (task >= 0) this.effect(`${shortName(field)}(${this.context.tasks[task]})=${value}`);
    }
  }

  private describeViolation(event: MachineEvent): void {
    const { oracle, reader, component, value, expected } = event.data;
    const who = this.context.tasks[reader];
    const id = ORACLES[oracle];
    const text: Partial<Record<OracleId, string>> = {
      leak: `! LEAK: ${who} sees ${this.name(value)}`,
      'lost-update': `! ${who} wrote ${this.name(expected)}`,
      'kernel-fpu-clobber': `! CLOBBERED: ${this.name(expected)}`,
      validity: component < 0 ? `! ${who} wrote what was not loaded` : `! LOST: ${this.name(expected)}`,
    };
    this.line(text[id] ?? `! ${id}`, true);
    if (this.open) this.open.seenAtViolation = this.open.seen.length;
  }

  /** A line under the names of the kernel functions that are running. */
  private effect(text: string): void {
    const lane = this.open;
    if (!lane) return;
    const shared = this.calls.path.findIndex((name, index) => lane.path[index] !== name);
    if (shared >= 0) {
      this.calls.path.slice(shared).forEach((name, index) => this.push(name, shared + index, false));
    }
    lane.path = this.calls.path;
    const named = /^(clts|stts)/.test(this.calls.step) ? `${this.calls.step.split(' ')[0]}: ${text}` : text;
    const guest = lane.lines.at(-1)?.text.replace('guest ', '');
    if (guest !== undefined && guest === named.replace('real ', '') && guest !== named) lane.lines.pop();
    this.push(guest === named.replace('real ', '') ? guest : named, this.calls.path.length, false);
  }

  private line(text: string, violation = false): void {
    this.push(text, 0, violation);
  }

  private push(text: string, indent: number, violation: boolean): void {
    this.open?.lines.push({ text, indent, violation });
  }

  private name(value: number): string {
    return valueName(value, this.context.tasks);
  }
}
