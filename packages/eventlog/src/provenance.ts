/** Whose value is where, and how it came there. */
import { INIT, taskOfPrincipal, writerOf, type MachineEvent } from '@fpulab/core';
import type { LogHeader } from './format';
import { valueName, writerName } from './names';

/** One component in a CPU's registers or in a memory image. */
export interface Place {
  readonly in: 'fpregs' | 'fpstate';
  /** CPU of the registers; number of the image: task `t` has image `t`, the hypervisor keeps those behind the tasks'. */
  readonly index: number;
  /** Bit of the component. */
  readonly component: number;
}

/** A value and how it came to where it is. */
export interface Origin {
  /** Id of the value. */
  readonly value: number;
  /**
   * `seq` of every event that made or moved it, oldest first: written or initialised, then saved, copied, restored
   * and so on. Empty for what was there from the start.
   */
  readonly chain: readonly number[];
}

/** An `Origin` with names for people. */
export interface NamedOrigin extends Origin {
  /** `X#1`, `INIT`, `kernel#2`. */
  readonly name: string;
  /** Name of the task, `kernel`, `other guest`, or `nobody`. */
  readonly writer: string;
}

/** One event of a chain, and the one before it. Chains share their beginnings. */
interface Link {
  readonly seq: number;
  readonly value: number;
  readonly from: Link | undefined;
}

/** What a place, or a task's latest value of a component, goes back to; by component within instance. */
class Links {
  private readonly links: (Link | undefined)[] = [];

  constructor(private readonly components: number) {}

  get(index: number, component: number): Link | undefined {
    return this.links[index * this.components + component];
  }

  set(index: number, component: number, link: Link | undefined): void {
    this.links[index * this.components + component] = link;
  }
}

const COMPONENT_BITS = 32;

/** Follows values through a run, event by event. */
export class ProvenanceTracker {
  private readonly places: Readonly<Record<Place['in'], Links>> = {
    fpregs: new Links(COMPONENT_BITS),
    fpstate: new Links(COMPONENT_BITS),
  };
  private readonly latest = new Links(COMPONENT_BITS);
  private lastMoveSeq = -1;

  constructor(private readonly header: Pick<LogHeader, 'componentBits'>) {}

  /** `seq` of the last event that changed a register or an image; -1 before the first. */
  get lastMove(): number {
    return this.lastMoveSeq;
  }

  /** Takes the next event into account. */
  observe(event: MachineEvent): void {
    MOVES[event.type]?.(this, event);
  }

  /** What is at a place now. */
  at({ in: where, index, component }: Place): Origin {
    return originOf(this.places[where].get(index, component));
  }

  /** The value that a task wrote last, or got from its parent; where it was made. */
  latestOf(task: number, component: number): Origin {
    return originOf(this.latest.get(task, component));
  }

  /** A new value at a place. A task's own value in registers is its latest from then on. */
  make(where: Place['in'], index: number, components: readonly number[], { seq, value }: { seq: number; value: number }): void {
    const link = { seq, value, from: undefined };
    for (const component of components) {
      this.places[where].set(index, component, link);
      const task = taskOfPrincipal(writerOf(value));
      if (task >= 0) this.latest.set(task, component, link);
    }
    this.lastMoveSeq = seq;
  }

  /** Values go from place to place. */
  move(seq: number, from: Omit<Place, 'component'>, to: Omit<Place, 'component'>, components: readonly number[]): void {
    for (const component of components) {
      const source = this.places[from.in].get(from.index, component);
      const value = source?.value ?? INIT;
      this.places[to.in].set(to.index, component, { seq, value, from: source });
    }
    this.lastMoveSeq = seq;
  }

  /** A task's latest values are another's, or nobody's. */
  inherit(task: number, parent: number | undefined): void {
    for (const component of this.header.componentBits) {
      this.latest.set(task, component, parent === undefined ? undefined : this.latest.get(parent, component));
    }
  }

  /** Components of an XCR0-style bitmap; all when left out. */
  componentsOf(xfeatures = -1): readonly number[] {
    return this.header.componentBits.filter((bit) => xfeatures & (1 << bit));
  }
}

/** What each event does to values. The other events do nothing. */
const MOVES: Readonly<Record<string, (tracker: ProvenanceTracker, event: MachineEvent) => void>> = {
  'fpregs.written': (t, { seq, data }) =>
    t.make('fpregs', data.cpu, [data.component], { seq, value: data.value }),
  'fpregs.initialised': (t, { seq, data }) =>
    t.make('fpregs', data.cpu, t.componentsOf(data.xfeatures), { seq, value: INIT }),
  'fpstate.initialised': (t, { seq, data }) => t.make('fpstate', data.fpstate, t.componentsOf(), { seq, value: INIT }),
  'fpregs.saved': (t, { seq, data }) =>
    t.move(seq, { in: 'fpregs', index: data.cpu }, { in: 'fpstate', index: data.fpstate }, t.componentsOf(data.xfeatures)),
  'fpregs.restored': (t, { seq, data }) =>
    t.move(seq, { in: 'fpstate', index: data.fpstate }, { in: 'fpregs', index: data.cpu }, t.componentsOf(data.xfeatures)),
  'fpstate.copied': (t, { seq, data }) =>
    t.move(seq, { in: 'fpstate', index: data.from }, { in: 'fpstate', index: data.to }, t.componentsOf()),
  'task.forked': (t, { data }) => t.inherit(data.child, data.parent),
  'task.execed': (t, { data }) => t.inherit(data.task, undefined),
  'task.exiting': (t, { data }) => t.inherit(data.task, undefined),
};

function originOf(link: Link | undefined): Origin {
  const chain: number[] = [];
  for (let at = link; at; at = at.from) chain.push(at.seq);
  return { value: link?.value ?? INIT, chain: chain.reverse() };
}

/**
 * Whose value is at a place after event `step`, and how it came there.
 *
 * @param step `seq` of an event; -1 for the state before the first
 */
export function valueAt(
  { header, events }: { readonly header: LogHeader; readonly events: readonly MachineEvent[] },
  place: Place,
  step: number,
): NamedOrigin {
  const tracker = new ProvenanceTracker(header);
  for (const event of events) {
    if (event.seq > step) break;
    tracker.observe(event);
  }
  const origin = tracker.at(place);
  return {
    ...origin,
    name: valueName(origin.value, header.tasks),
    writer: writerName(writerOf(origin.value), header.tasks),
  };
}
