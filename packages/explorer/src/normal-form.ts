/**
 * Version-free values: the reduction that lets programs run for ever.
 *
 * Of a value only two things matter to the oracles: who wrote it, and whose latest architectural value it is. How
 * often its writer had written before does not. So every value is renumbered in place: its writer's latest, the latest
 * of a child that inherited it by fork, or stale. docs/explorer.md argues why no oracle can tell.
 */
import {
  assert,
  ALL_COMPONENTS,
  LOCALS,
  PRINCIPAL,
  contextOf,
  CONTEXT,
  nextSerial,
  serialOf,
  taskOfPrincipal,
  valueId,
  writerOf,
  type MachineState,
  type Probe,
} from '@fpulab/core';

/** Serial of a value that is its writer's latest. */
const LATEST = 1;
/** `INHERITED + t`: not its writer's latest, but what task t has had as its own since a fork. */
const INHERITED = 2;
/** `INTERRUPTED + t`: what task t will have again when it returns from its signal handler. */
const INTERRUPTED = 0x1000;
/** Serial of a value that is nobody's latest. Writers never get that far. */
export const STALE = 0xfffff;
/** What writers count on from: their next value differs from all of the above. */
const FRESH = 0x80000;

/** Stands for all that nobody can read any more: another guest's, so that it is a violation when somebody does. */
const DEAD = valueId(PRINCIPAL.otherGuest, 2);
/** Anybody's values may get other numbers. */
export const ANYBODY = -1;
/** Tasks that have a bit each. */
export const TASKS_TOLD_APART = 30;

/** Renumbers the values of a machine's state in place. */
export class NormalForm {
  /** Word of the first component of every register file and image. */
  private readonly holders: readonly number[];
  /** By component: words of slots that hold a value of it. */
  private readonly slots: readonly (readonly number[])[];
  /** Word of the first component of what every task has, or will have, by the ABI. */
  private readonly rights: readonly number[];
  private readonly renumberedRights: Int32Array;
  /** By address: bit n is set where local n of a frame holds a value. */
  private readonly valueLocals: Uint8Array;
  private readonly kernelUsesFpu: boolean;
  private readonly canFork: boolean;
  private readonly registersLive: (cpu: number) => boolean;
  /** What was the latest when `remember` was called: what tasks have or will have by the ABI, and values of kernel sections. */
  private readonly latest: Int32Array;
  private readonly kernelLatest: number[] = [];

  /** @param forgetsDead whether what a vCPU's image holds is forgotten while its registers are live */
  constructor(
    private readonly state: MachineState,
    probe: Pick<Probe, 'localKinds' | 'canFork' | 'kernelUsesFpu' | 'registersLive'>,
    readonly forgetsDead = false,
  ) {
    const { localKinds, canFork, kernelUsesFpu } = probe;
    this.registersLive = probe.registersLive;
    const { at, layout } = state;
    const fpstates = layout.field('fpstate.image').instances;
    this.holders = [
      ...Array.from({ length: at.cpus }, (_, cpu) => at.fpregs + cpu * at.components),
      ...Array.from({ length: fpstates }, (_, fpstate) => at.image + fpstate * at.components),
    ];
    this.valueLocals = Uint8Array.from(localKinds, ([a, b]) => (a === 'value' ? 1 : 0) | (b === 'value' ? 2 : 0));
    this.kernelUsesFpu = kernelUsesFpu;
    this.canFork = canFork;
    const first = at.interrupted < 0 ? [at.architectural] : [at.architectural, at.interrupted];
    this.rights = first.flatMap((base) => Array.from({ length: at.tasks }, (_, task) => base + task * at.components));
    this.renumberedRights = new Int32Array(this.rights.length);
    this.slots = at.componentBits.map((bit) =>
      layout.fields
        .filter((field) => field.component === bit)
        .flatMap(({ base, instances }) => Array.from({ length: instances }, (_, instance) => base + instance)),
    );
    this.latest = new Int32Array(this.rights.length * at.components);
  }

  /** Renumbers every value. */
  normalise(): void {
    const { words, at } = this.state;
    for (let component = 0; component < at.components; component++) {
      for (let holder = 0; holder < this.holders.length; holder++) {
        const word = this.holders[holder] + component;
        const value = words[word];
        if (value !== 0) words[word] = this.renumbered(value, component);
      }
      for (const word of this.slots[component]) {
        const value = words[word];
        if (value !== 0) words[word] = this.renumbered(value, component);
      }
      this.normaliseRights(component);
    }
    if (this.kernelUsesFpu) {
      this.eachKernelValue((word, name) => {
        assert(
          writerOf(words[word]) === PRINCIPAL.kernel,
          'a local of the kind `value` holds what no kernel FPU section wrote',
        );
        words[word] = valueId(PRINCIPAL.kernel, name);
      });
    }
    this.resetCounts();
  }

  /**
   * Forgets what the image of a vCPU holds. Live registers are saved before their image is read; where they are not, DEAD is
   * seen. While the hypervisor runs, it may have saved them and not yet said so.
   *
   * @returns whether there was something to forget
   */
  forgetDead(cpu: number): boolean {
    if (!this.forgetsDead || this.inHypervisor(cpu) || !this.registersLive(cpu)) return false;
    const { words, at } = this.state;
    const fpstate = at.vcpuFpstates + cpu;
    const image = at.image + fpstate * at.components;
    const isDead = words.subarray(image, image + at.components).every((value) => value === DEAD);
    if (isDead && words[at.xstateBv + fpstate] === ALL_COMPONENTS) return false;
    words.fill(DEAD, image, image + at.components);
    words[at.xstateBv + fpstate] = ALL_COMPONENTS; // whoever loads it shall see
    return true;
  }

  private inHypervisor(cpu: number): boolean {
    const { words, at } = this.state;
    const task = words[at.current + cpu];
    if (task < 0) return false;
    const top = task * at.stackDepth + words[at.depth + task] - 1;
    return contextOf(words[at.frameStatus + top]) === CONTEXT.hypervisor;
  }

  /** The values of this state are renumbered; which ones are the latest is to be compared later. */
  remember(): void {
    const { words, at } = this.state;
    const { latest, kernelLatest } = this;
    for (let right = 0; right < this.rights.length; right++) {
      for (let component = 0; component < at.components; component++) {
        latest[right * at.components + component] = words[this.rights[right] + component];
      }
    }
    kernelLatest.length = 0;
    if (this.kernelUsesFpu) this.eachKernelValue((word) => kernelLatest.push(word, words[word]));
  }

  /**
   * Whose values get other numbers than they had when `remember` was called: those of tasks that have, or will have, another value
   * than then. All others keep theirs.
   *
   * @returns bit n for task n, or ANYBODY
   */
  renumberedWriters(): number {
    const { words, at } = this.state;
    const { latest, rights } = this;
    let writers = 0;
    for (let index = 0; index < latest.length; index++) {
      const right = Math.floor(index / at.components);
      const word = rights[right] + (index % at.components);
      if (latest[index] !== words[word]) writers |= 1 << (right % at.tasks);
    }
    const canTell = !this.canFork && at.tasks <= TASKS_TOLD_APART; // after a fork, others' values may be a task's latest
    if (writers !== 0 && !canTell) return ANYBODY;
    return this.kernelUsesFpu && this.kernelLatestChanged() ? ANYBODY : writers;
  }

  private kernelLatestChanged(): boolean {
    const { kernelLatest } = this;
    let known = 0;
    this.eachKernelValue((word) => {
      const isKnown = kernelLatest[known] === word && kernelLatest[known + 1] === this.state.words[word];
      known = isKnown ? known + 2 : Infinity;
    });
    return known !== kernelLatest.length;
  }

  /** Sets what writers count on from, so that their next values differ from those in the state. */
  resetCounts(): void {
    const { words, at } = this.state;
    for (let task = 0; task < at.tasks; task++) words[at.serial + task] = FRESH;
    words[at.kernelSerial] = FRESH;
  }

  /** The latest values themselves, each by what all of them were before. */
  private normaliseRights(component: number): void {
    const { words } = this.state;
    const { rights, renumberedRights } = this;
    for (let right = 0; right < rights.length; right++) {
      const value = words[rights[right] + component];
      renumberedRights[right] = value === 0 ? 0 : this.renumbered(value, component);
    }
    for (let right = 0; right < rights.length; right++) words[rights[right] + component] = renumberedRights[right];
  }

  private renumbered(value: number, component: number): number {
    const { words, at } = this.state;
    const writer = writerOf(value);
    const task = taskOfPrincipal(writer);
    if (task < 0) return writer === PRINCIPAL.kernel ? this.kernelRenumbered(value) : value;
    const first = at.architectural + component;
    if (words[first + task * at.components] === value) return valueId(writer, LATEST);
    if (this.canFork) {
      for (let heir = 0; heir < at.tasks; heir++) {
        if (words[first + heir * at.components] === value) return valueId(writer, INHERITED + heir);
      }
    }
    if (at.interrupted >= 0) {
      for (let owner = 0; owner < at.tasks; owner++) {
        const interrupted = at.interrupted + owner * at.components + component;
        if (words[interrupted] === value) return valueId(writer, INTERRUPTED + owner);
      }
    }
    // The kernel is about to give it to its writer: `askedPkru`.
    if (serialOf(value) === nextSerial(words[at.serial + task])) return valueId(writer, nextSerial(FRESH));
    return valueId(writer, STALE);
  }

  /** The value of a kernel FPU section matters while the section lives and remembers it: it is named after its frame. */
  private kernelRenumbered(value: number): number {
    let found = STALE;
    this.eachKernelValue((word, name) => {
      if (this.state.words[word] === value) found = name;
    });
    return valueId(PRINCIPAL.kernel, found);
  }

  /** Calls `visit` for every local of a live frame that holds a value: its word, and a name from 1 on. */
  private eachKernelValue(visit: (word: number, name: number) => void): void {
    const { words, at } = this.state;
    for (let task = 0; task < at.tasks; task++) {
      const depth = words[at.depth + task];
      if (depth < 2) continue; // user code alone
      for (let frame = 0; frame < depth; frame++) {
        const index = task * at.stackDepth + frame;
        if (contextOf(words[at.frameStatus + index]) === CONTEXT.user) continue; // its address is one of a program
        const bits = this.valueLocals[words[at.framePc + index]];
        if (bits === 0) continue;
        for (let local = 0; local < LOCALS; local++) {
          const word = at.frameLocal + index * LOCALS + local;
          if (bits & (1 << local) && words[word] !== 0) visit(word, index + 1);
        }
      }
    }
  }
}

/** The frame (task times stack depth, and the frame within) after which a normalised kernel value is named; -1 for others. */
export function kernelValueFrame(value: number): number {
  const serial = serialOf(value);
  return serial === STALE ? -1 : serial - 1;
}
