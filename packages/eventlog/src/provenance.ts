/** Whose value is where, and how it came there. */
import { INIT, PASID, SSE, SUPERVISOR_COMPONENTS, taskOfPrincipal, writerOf, type MachineEvent } from '@fpulab/core';
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

/** Follows values through a run, event by event. */
export interface Provenance {
  /** `seq` of the last event that changed a register or an image; -1 before the first. */
  readonly lastMove: number;
  /** Takes the next event into account. */
  observe(event: MachineEvent): void;
  /** What is at a place now. */
  at(place: Place): Origin;
  /** The value of a component that a task wrote last, or got from its parent: where it was made. */
  latestOf(task: number, component: number): Origin;
}

/** What of a header says where images lie. */
export type ProvenanceHeader = Pick<
  LogHeader,
  'componentBits' | 'dynamicXfeatures' | 'fpstateKinds' | 'sizes' | 'updated'
>;

/** A `Provenance` at the start of a run, where everything is INIT. */
export function trackProvenance(header: ProvenanceHeader): Provenance {
  return new Tracker(header);
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
  const tracker = trackProvenance(header);
  for (const event of events) {
    if (event.seq > step) break;
    tracker.observe(event);
  }
  const origin = tracker.at(place);
  const { tasks } = header;
  return { ...origin, name: valueName(origin.value, tasks), writer: writerName(writerOf(origin.value), tasks) };
}

/** One event of a chain, and the one before it. Chains share their beginnings. */
interface Link {
  readonly seq: number;
  readonly value: number;
  readonly from: Link | undefined;
}

/** The registers of a CPU, an image, or what a task wrote last: a link per component bit. */
type Links = (Link | undefined)[];

class Tracker implements Provenance {
  lastMove = -1;
  private readonly fpregs: Links[] = [];
  private readonly fpstate: Links[] = [];
  private readonly latest: Links[] = [];
  /** What tasks had when their signal handlers were entered. */
  private readonly interrupted: Links[] = [];
  /** XSTATE_BV by image, and IA32_XFD by CPU. */
  private readonly xstateBv: number[] = [];
  /** Images that hold one component alone, in the place of the first behind the header. */
  private readonly alone = new Set<number>();
  private readonly xfd: number[] = [];
  private readonly firstFrame: number;
  private readonly firstFsave: number;

  constructor(private readonly header: ProvenanceHeader) {
    this.firstFrame = header.fpstateKinds.indexOf('sigframe') * header.sizes.task;
    this.firstFsave = header.fpstateKinds.indexOf('fsave') * header.sizes.task;
  }

  observe(event: MachineEvent): void {
    const effect = EFFECTS[event.type];
    if (effect === undefined) return;
    effect(this, event.data, event.seq);
    if (event.type.startsWith('fp')) this.lastMove = event.seq;
  }

  at(place: Place): Origin {
    return originOf(this[place.in][place.index]?.[place.component]);
  }

  latestOf(task: number, component: number): Origin {
    return originOf(this.latest[task]?.[component]);
  }

  links(where: Place['in'] | 'latest' | 'interrupted', index: number): Links {
    return (this[where][index] ??= []);
  }

  /** A task's own value in the registers is its latest from then on. */
  write(cpu: number, component: number, link: Link): void {
    this.links('fpregs', cpu)[component] = link;
    const task = taskOfPrincipal(writerOf(link.value));
    if (task >= 0) this.links('latest', task)[component] = link;
  }

  initialise(target: Links, seq: number, xfeatures: number): void {
    for (const bit of this.components(xfeatures)) target[bit] = { seq, value: INIT, from: undefined };
  }

  /** XSAVE: components that XFD disables are stored as INIT. */
  save({ cpu, fpstate, xfeatures }: MachineEvent['data'], seq: number): void {
    const [source, target] = [this.links('fpregs', cpu), this.links('fpstate', fpstate)];
    const disabled = this.xfd[cpu] ?? 0;
    const left = this.components(xfeatures & (SUPERVISOR_COMPONENTS | (this.header.updated ?? 0))).filter(
      (bit) => (source[bit]?.value ?? INIT) === INIT,
    );
    this.store(source, target, seq, xfeatures & ~disabled & ~maskOf(left));
    this.initialise(target, seq, xfeatures & disabled);
    this.alone.delete(fpstate);
    const inUse = this.components(xfeatures).filter(
      (bit) => (target[bit]?.value ?? INIT) !== INIT && !left.includes(bit),
    );
    this.xstateBv[fpstate] = ((this.xstateBv[fpstate] ?? 0) & ~xfeatures) | maskOf(inUse);
  }

  /** XSAVES of one component. */
  saveAlone({ cpu, fpstate, component }: MachineEvent['data'], seq: number): void {
    const from = this.links('fpregs', cpu)[component];
    const isInUse = from !== undefined && from.value !== INIT;
    if (isInUse) this.links('fpstate', fpstate)[this.firstExtended] = { seq, value: from.value, from };
    this.xstateBv[fpstate] = isInUse ? 1 << component : 0;
    this.alone.add(fpstate);
  }

  private get firstExtended(): number {
    return this.header.componentBits.find((bit) => bit > SSE) ?? SSE;
  }

  /** XRSTOR: components whose bit of XSTATE_BV is clear go to INIT. */
  restore({ cpu, fpstate, xfeatures }: MachineEvent['data'], seq: number): void {
    const inUse = this.xstateBv[fpstate] ?? 0;
    const target = this.links('fpregs', cpu);
    const source = this.links('fpstate', fpstate);
    if (this.alone.has(fpstate)) {
      const from = source[this.firstExtended];
      for (const bit of this.components(xfeatures & inUse)) target[bit] = { seq, value: from?.value ?? INIT, from };
    } else this.store(source, target, seq, xfeatures & inUse);
    for (const bit of this.components(xfeatures & ~inUse)) {
      const from = source[bit]?.value === INIT ? source[bit] : undefined; // what made the image INIT; old bytes made nothing
      target[bit] = { seq, value: INIT, from };
    }
  }

  initialiseImage(fpstate: number, seq: number): void {
    this.initialise(this.links('fpstate', fpstate), seq, ALL);
    this.alone.delete(fpstate);
    this.xstateBv[fpstate] = 0;
  }

  copy({ from, to }: MachineEvent['data'], seq: number): void {
    this.store(this.links('fpstate', from), this.links('fpstate', to), seq, ALL);
    this.xstateBv[to] = this.xstateBv[from] ?? 0;
    if (this.alone.has(from)) this.alone.add(to);
    else this.alone.delete(to);
  }

  /** What a tracer writes is what its target has from then on. */
  trace({ target, fpstate, component, value }: MachineEvent['data'], seq: number): void {
    const link: Link = { seq, value, from: undefined };
    this.links('fpstate', fpstate)[component] = link;
    this.links('latest', target)[component] = link;
    this.xstateBv[fpstate] = (this.xstateBv[fpstate] ?? 0) | (1 << component);
  }

  setXstateBv(fpstate: number, xfeatures: number): void {
    this.xstateBv[fpstate] = xfeatures;
  }

  setXfd(cpu: number, value: number): void {
    this.xfd[cpu] = value;
  }

  /** A value that exists already came from somewhere that holds it now. */
  again(component: number, value: number, seq: number): Link {
    const places = [this.fpregs, this.fpstate, this.latest, this.interrupted].flat();
    const from = places.map((links) => links?.[component]).find((link) => link?.value === value);
    return { seq, value, from };
  }

  /** Values go from one place to another. */
  store(source: Links, target: Links, seq: number, xfeatures: number): void {
    for (const bit of this.components(xfeatures)) {
      const from = source[bit];
      target[bit] = { seq, value: from?.value ?? INIT, from };
    }
  }

  completeFrame({ task, initialised }: MachineEvent['data']): void {
    const latest = this.links('latest', task);
    this.interrupted[task] = [...latest];
    for (const bit of this.components(initialised)) latest[bit] = undefined;
  }

  returnThroughFrame({ task, restored, initialised }: MachineEvent['data']): void {
    const [latest, interrupted] = [this.links('latest', task), this.links('interrupted', task)];
    for (const bit of this.components(restored | initialised)) {
      latest[bit] = restored & (1 << bit) ? interrupted[bit] : undefined;
    }
    this.interrupted[task] = [];
  }

  forgetFrame(task: number): void {
    if (this.firstFrame < 0) return;
    this.interrupted[task] = [];
    this.fpstate[this.firstFrame + task] = [];
    this.xstateBv[this.firstFrame + task] = 0;
    if (this.firstFsave >= 0) this.fpstate[this.firstFsave + task] = [];
  }

  /** What a program writes to the FSAVE header of its frame, it has when it returns. */
  writeFsaveHeader({ task, component, value }: MachineEvent['data'], seq: number): void {
    const link: Link = { seq, value, from: undefined };
    this.links('fpstate', this.firstFsave + task)[component] = link;
    this.links('interrupted', task)[component] = link;
  }

  /** The child's latest values are its parent's, but for what is enabled per task. */
  fork(parent: number, child: number): void {
    this.latest[child] = [...this.links('latest', parent)];
    for (const bit of this.components(this.header.dynamicXfeatures | (1 << PASID))) this.latest[child][bit] = undefined;
  }

  /** A value that the task did not have before. */
  give({ cpu, task, component, value }: MachineEvent['data'], seq: number): void {
    const link = { seq, value, from: undefined };
    this.links('fpregs', cpu)[component] = link;
    this.links('latest', task)[component] = link;
  }

  release({ cpu, task, xfeatures }: MachineEvent['data'], seq: number): void {
    this.initialise(this.links('fpregs', cpu), seq, xfeatures);
    this.initialise(this.links('latest', task), seq, xfeatures);
  }

  /** A CPU, or a vCPU with its image, is as RESET leaves it. */
  losePower(cpu: number, seq: number): void {
    const { fpstate, cpu: cpus } = this.header.sizes;
    this.initialise(this.links('fpregs', cpu), seq, ALL);
    this.initialiseImage(fpstate - cpus + cpu, seq);
    this.setXfd(cpu, 0);
  }

  forget(task: number): void {
    this.latest[task] = [];
    this.forgetFrame(task);
  }

  private components(xfeatures: number): readonly number[] {
    return this.header.componentBits.filter((bit) => xfeatures & (1 << bit));
  }
}

const ALL = -1;

const maskOf = (bits: readonly number[]): number => bits.reduce((mask, bit) => mask | (1 << bit), 0);

/** What each event does to values; events that are not here do nothing to them. */
const EFFECTS: Readonly<Record<string, (t: Tracker, data: MachineEvent['data'], seq: number) => void>> = {
  'fpregs.written': (t, { cpu, component, value }, seq) => t.write(cpu, component, { seq, value, from: undefined }),
  'fpregs.initialised': (t, { cpu, xfeatures }, seq) => t.initialise(t.links('fpregs', cpu), seq, xfeatures),
  'fpregs.released': (t, data, seq) => t.release(data, seq),
  'fpregs.loaded': (t, { cpu, component, value }, seq) => {
    t.links('fpregs', cpu)[component] = t.again(component, value, seq);
  },
  'fpregs.given': (t, data, seq) => t.give(data, seq),
  'fpregs.saved-alone': (t, data, seq) => t.saveAlone(data, seq),
  'fpstate.register-stored': (t, { cpu, fpstate, component }, seq) => {
    t.store(t.links('fpregs', cpu), t.links('fpstate', fpstate), seq, 1 << component);
  },
  'fpstate.changed': (t, { fpstate, component, value }, seq) => {
    t.links('fpstate', fpstate)[component] = t.again(component, value, seq);
  },
  'update.finished': (t, { task, component, value }, seq) => {
    t.links('latest', task)[component] = t.again(component, value, seq);
  },
  'fpregs.saved': (t, data, seq) => t.save(data, seq),
  'fpregs.restored': (t, data, seq) => t.restore(data, seq),
  'fpstate.initialised': (t, { fpstate }, seq) => t.initialiseImage(fpstate, seq),
  'fpstate.copied': (t, data, seq) => t.copy(data, seq),
  'fpstate.written': (t, { fpstate, component, value }, seq) => {
    t.links('fpstate', fpstate)[component] = t.again(component, value, seq);
  },
  'fpstate.traced': (t, data, seq) => t.trace(data, seq),
  'fpstate.xstate-bv-written': (t, { fpstate, xfeatures }) => t.setXstateBv(fpstate, xfeatures),
  'xfd.written': (t, { cpu, value }) => t.setXfd(cpu, value),
  'cpu.power-lost': (t, { cpu }, seq) => t.losePower(cpu, seq),
  'architectural.set': (t, { task, component, value }, seq) => {
    t.links('latest', task)[component] = t.again(component, value, seq);
  },
  'signal.frame-placed': (t, { task }) => t.forgetFrame(task),
  'signal.frame-completed': (t, data) => t.completeFrame(data),
  'signal.fsave-written': (t, data, seq) => t.writeFsaveHeader(data, seq),
  'signal.frame-returned': (t, data) => t.returnThroughFrame(data),
  'signal.handler-left': (t, { task }) => t.forgetFrame(task),
  'task.forked': (t, { parent, child }) => t.fork(parent, child),
  'task.execed': (t, { task }) => t.forget(task),
  'task.exiting': (t, { task }) => t.forget(task),
};

function originOf(link: Link | undefined): Origin {
  const chain: number[] = [];
  for (let at = link; at; at = at.from) chain.push(at.seq);
  return { value: link?.value ?? INIT, chain: chain.reverse() };
}
