import { FpuError } from '../error';
import { scriptDriver, type ChoiceDriver, type ChoiceRequest, type Schedule } from '../kernel/choices';
import type { Abi } from '../kernel/abi';
import type { TaskKind } from '../kernel/kernel-thread';
import type { Operation } from '../kernel/program';
import type { Patch } from '../kernel/routine';
import type { MachineEvent } from '../machine/event-type';
import { statusName } from '../machine/frames';
import type { Field } from '../machine/layout';
import { HEADER } from '../machine/state';
import { DEFAULT_PKRU, INIT, PRINCIPAL, serialOf, taskOfPrincipal, writerOf } from '../machine/values';
import { ORACLES } from '../oracle/oracles';
import { compose } from '../plugin/compose';
import type { Machine } from '../plugin/machine';
import type { PolicyHook } from '../kernel/hooks';
import type { Platform, Policy, ReadSlot } from '../plugin/plugin';
import type { Interference } from '../kernel/interference';
import type { TaskSpec } from '../scenario/scenario';
import { componentName, xfeaturesName } from '../x86/components';
import { CR0_TS } from '../x86/control-registers';
import type { CpuModel } from '../x86/cpu-model';
import { vectorName } from '../x86/faults';

/** A composition and the programs that bring it into a state. Nothing here writes the state itself. */
export interface Situation {
  readonly platform: Platform;
  readonly policies: readonly Policy[];
  readonly patches?: readonly Patch[];
  readonly tasks: Readonly<Record<string, readonly Operation[]>>;
  /** Signal handlers of tasks that have one; `syscall('raise')` sends a signal. */
  readonly handlers?: Readonly<Record<string, readonly Operation[]>>;
  /** Tasks that only fork() brings to life. */
  readonly unborn?: readonly string[];
  /** Tasks that never run user code. */
  readonly kinds?: Readonly<Record<string, TaskKind>>;
  /** Tasks that are threads of another one's process: which. */
  readonly threadsOf?: Readonly<Record<string, string>>;
  /** What the programs of tasks are compiled for, where it is not x86-64. */
  readonly abis?: Readonly<Record<string, Abi>>;
  /** Wanted scheduling decisions, in order; then round robin. */
  readonly pick?: Schedule['pick'];
  /** How allocations end, in order; then they succeed. */
  readonly alloc?: Schedule['alloc'];
  /** What accesses to signal frames find, in order; then the pages are there. */
  readonly page?: Schedule['page'];
  /** What a faulting XRSTOR had loaded, in order; then nothing. */
  readonly fault?: Schedule['fault'];
  /** What `inject` may do. */
  readonly interference?: Interference;
  /** The kernel enables no other components. */
  readonly xfeatures?: number;
  readonly cpu?: string | CpuModel;
  readonly cpus?: number;
}

/**
 * The machine as plain data: real TS, fpregs, masks, every slot by name. Slots of a task are `A.has_fpu`, its image is
 * `A.image`, its signal frame `A.frame`, KVM's images `A.guest_fpu` and `A.user_fpu`; what exists per CPU has a prefix `cpu1.` only if there are several.
 */
export type Observation = Readonly<Record<string, number | string>>;

/** What a hook's answer did: the state when the kernel asked, the state when the answer was complete. */
export interface Cell {
  readonly before: Observation;
  readonly after: Observation;
  /** Everything that differs: `{ 'A.has_fpu': '1 -> 0' }`. What is not listed stayed as it was. */
  readonly changes: Readonly<Record<string, string>>;
  /** Steps and traps on the way. */
  readonly moments: readonly string[];
}

const STEPS_MAX = 20_000;

/** Given a situation, when something happens, observe. */
export function given(situation: Situation): PolicySpec {
  return new PolicySpec(situation);
}

/**
 * Drives a machine to named moments and looks at it there.
 *
 * A moment is one atomic step: `A: schedule/__switch_to/switch_fpu_prepare` for kernel and hypervisor code,
 * `A: sse.write` for user code, `A: #NM` when an instruction trapped instead, `cpu0:vcpu` for interference.
 */
export class PolicySpec {
  readonly machine: Machine;
  /** Every moment so far. */
  readonly moments: string[] = [];
  /** Every violation so far: `leak: B, sse=X:1`. */
  readonly violations: string[] = [];
  private readonly driver: SpecDriver;
  private readonly plugins: readonly string[];
  private moment = '';
  private hook: { name: string; task: number; entered: boolean } | undefined;
  private watch: { task: number; depth: number; ended: boolean; after?: Observation } | undefined;

  constructor(situation: Situation) {
    const tasks: readonly TaskSpec[] = Object.entries(situation.tasks).map(([name, program]) => ({
      name,
      program,
      handler: situation.handlers?.[name],
      unborn: situation.unborn?.includes(name) ?? false,
      kind: situation.kinds?.[name],
      abi: situation.abis?.[name],
      threadOf: situation.threadsOf?.[name],
    }));
    const { pick = [], alloc = [], page = [], fault = [] } = situation;
    this.driver = new SpecDriver({ pick, alloc, page, fault });
    this.machine = compose({
      platform: situation.platform,
      policies: situation.policies,
      patches: situation.patches ?? [],
      choices: this.driver,
      scenario: {
        id: 'spec',
        title: 'a test',
        tasks,
        interference: { allocation: { sleep: true, fail: true }, ...situation.interference },
        oracles: [],
        xfeatures: situation.xfeatures,
        schedule: {},
        sometimes: [],
        cpu: 'sandybridge',
        cpus: 1,
        stepsMax: STEPS_MAX,
      },
      ...(situation.cpu === undefined ? {} : { cpu: situation.cpu }),
      ...(situation.cpus === undefined ? {} : { cpus: situation.cpus }),
    });
    this.plugins = this.machine.composition.plugins.map((plugin) => plugin.id);
    this.machine.events$.subscribe((event) => this.note(event));
    this.machine.boot();
  }

  /** Violations so far without `speculative-exposure`, which every lazy policy has by nature. */
  get architecturalViolations(): readonly string[] {
    return this.violations.filter((violation) => !violation.startsWith('speculative-exposure'));
  }

  /** Runs until the kernel has asked the policy `hook` for `task` the `nth` time from here, and until the answer is complete. */
  when(hook: PolicyHook, options: { readonly task: string; readonly nth?: number }): Cell {
    const before = this.untilAsked(hook, options);
    const task = this.task(options.task);
    const from = this.moments.length;
    const { at, words } = this.machine.state;
    if (!this.hook?.entered) return { before, after: before, changes: {}, moments: [] };
    this.watch = { task, depth: words[at.depth + task], ended: false };
    while (this.watch.after === undefined) this.stepOrFail(`the answer to '${hook}' is complete`);
    const { after, ended } = this.watch;
    this.watch = undefined;
    return {
      before,
      after,
      changes: changes(before, after),
      moments: this.moments.slice(from, ended ? undefined : -1),
    };
  }

  /** Runs until the kernel has asked; the policy's first step is still to come. */
  untilAsked(hook: PolicyHook, { task, nth = 1 }: { readonly task: string; readonly nth?: number }): Observation {
    const wanted = this.task(task);
    for (let times = 0; times < nth;) {
      this.stepOrFail(`the kernel asks '${hook}' for ${task}`);
      if (this.hook?.name === `hook.${hook}` && this.hook.task === wanted) times++;
    }
    return this.observe();
  }

  /** Runs until a moment: all of its name, or the end of it behind a slash. `until('A: kmem_cache_alloc')`. */
  until(moment: string, { nth = 1 }: { readonly nth?: number } = {}): Observation {
    for (let times = 0; times < nth;) {
      this.stepOrFail(moment);
      if (matches(this.moment, moment)) times++;
    }
    return this.observe();
  }

  /** One step. False when nothing can run any more. */
  step(): boolean {
    this.moment = '';
    this.hook = undefined;
    const alive = this.machine.step();
    if (this.moment !== '') this.moments.push(this.moment);
    this.endWatch();
    return alive;
  }

  /** The answer is complete, unless its last step has called another routine. */
  private endWatch(): void {
    const { watch } = this;
    if (!watch?.ended) return;
    const { at, words } = this.machine.state;
    if (words[at.depth + watch.task] >= watch.depth) watch.ended = false;
    else watch.after ??= this.observe();
  }

  /** Lets something intervene now: `preempt`, `hardirq`, `softirq`, `vcpu`. */
  inject(action: string, cpu = 0): Observation {
    const wanted = `cpu${cpu}:${action}`;
    this.driver.inject = wanted;
    this.step();
    if (this.driver.inject !== undefined) {
      throw new FpuError('FPU301', `'${wanted}' cannot happen here; nothing can but carrying on`, { wanted });
    }
    this.moments.push(wanted);
    return this.observe();
  }

  /** Which CPU goes on from here. */
  onCpu(cpu: number): this {
    this.driver.cpu = cpu;
    return this;
  }

  /** Runs to the end. */
  finish(): Observation {
    for (let steps = 0; steps < STEPS_MAX; steps++) if (!this.step()) return this.observe();
    throw new FpuError('FPU208', `the programs did not end within ${STEPS_MAX} steps`);
  }

  /** The state now. */
  observe(): Observation {
    const { state } = this.machine;
    const { words, at, layout } = state;
    const seen: Record<string, number | string> = {};
    for (let cpu = 0; cpu < at.cpus; cpu++) {
      const prefix = at.cpus > 1 ? `cpu${cpu}.` : '';
      const task = words[at.current + cpu];
      seen[`${prefix}current`] = this.taskName(task);
      if (at.xfd >= 0) {
        seen[`${prefix}XFD`] = xfeaturesName(words[at.xfd + cpu]);
        seen[`${prefix}XFD_ERR`] = xfeaturesName(words[at.xfdErr + cpu]);
      }
      if (at.xcr0 >= 0) seen[`${prefix}XCR0`] = xfeaturesName(words[at.xcr0 + cpu]);
      seen[`${prefix}TS`] = words[at.cr0 + cpu] & CR0_TS ? 1 : 0;
      seen[`${prefix}fpregs`] = this.registers(at.fpregs + cpu * at.components);
      seen[`${prefix}vcpu.image`] = this.registers(at.image + (at.vcpuFpstates + cpu) * at.components);
      if (task >= 0) {
        const top = task * at.stackDepth + words[at.depth + task] - 1;
        seen[`${prefix}masks`] = statusName(words[at.frameStatus + top]);
      }
    }
    this.machine.taskNames.forEach((name, task) => {
      const allocated = words[at.allocated + task] !== 0;
      const believed = this.believed(task);
      if (believed !== undefined) seen[`${name}.believed`] = believed;
      seen[`${name}.image`] = allocated ? this.registers(at.image + task * at.components) : 'none';
      if (at.firstFpstate.sigframe >= 0) seen[`${name}.frame`] = this.frame(at.firstFpstate.sigframe + task);
      const { guest, user } = at.firstFpstate;
      if (guest >= 0) seen[`${name}.guest_fpu`] = this.registers(at.image + (guest + task) * at.components);
      if (user >= 0) seen[`${name}.user_fpu`] = this.registers(at.image + (user + task) * at.components);
      const fsave = at.firstFpstate.fsave + task;
      if (at.firstFpstate.fsave >= 0) seen[`${name}.fsave`] = this.registers(at.image + fsave * at.components);
      const larger = at.firstFpstate.dynamic + task;
      if (at.firstFpstate.dynamic >= 0) {
        seen[`${name}.larger-image`] = words[at.allocated + larger]
          ? this.registers(at.image + larger * at.components)
          : 'none';
      }
    });
    for (const field of layout.fields) {
      const plugin = this.plugins.find((id) => field.name.startsWith(`${id}.`));
      if (plugin === undefined) continue;
      for (let instance = 0; instance < field.instances; instance++) {
        const key = this.prefixOf(field, instance) + field.name.slice(plugin.length + 1);
        seen[key] = this.slotValue(field, words[field.base + instance]);
      }
    }
    return seen;
  }

  // --- helpers ---------------------------------------------------------------------------------------------------

  /** The state in which the policy believes a task's FPU context to be: 1, 2a, 2b; `nothing` while neither copy is valid. */
  private believed(task: number): string | undefined {
    const { belief } = this.machine.composition.base;
    if (!belief) return undefined;
    const read: ReadSlot = (slot, instance) => this.machine.state.words[slot.base + instance];
    const inRegisters = belief.registersOn(read, task) >= 0;
    if (belief.inMemory(read, task)) return inRegisters ? '2a' : '2b';
    return inRegisters ? '1' : 'nothing';
  }

  private stepOrFail(wanted: string): void {
    if (this.moments.length < STEPS_MAX && this.step()) return;
    const last = this.moments.slice(-8).join('\n  ');
    throw new FpuError('FPU208', `the run ended before: ${wanted}. Last moments:\n  ${last}`, { wanted });
  }

  private note(event: MachineEvent): void {
    const { data } = event;
    switch (event.type) {
      case 'kernel.stepped':
        this.noteKernelStep(data.task, data.at);
        break;
      case 'user.stepped':
      case 'kthread.stepped':
        this.moment = `${this.taskName(data.task)}: ${this.machine.programs[data.task][data.at]}`;
        break;
      case 'trap.raised':
        this.moment ||= `${this.taskName(data.task)}: ${vectorName(data.vector)}`;
        break;
      case 'routine.entered':
        if (this.hook) this.hook.entered = true;
        break;
      case 'oracle.violated': {
        const component = data.component < 0 ? '' : `, ${componentName(data.component)}=${this.value(data.value)}`;
        this.violations.push(`${ORACLES[data.oracle]}: ${this.taskName(data.reader)}${component}`);
        break;
      }
      default:
        if (event.type.startsWith('hook.')) this.hook = { name: event.type, task: data.task, entered: false };
    }
  }

  private noteKernelStep(task: number, pc: number): void {
    const isStep = this.machine.stepPath(pc).length > 0;
    if (isStep) this.moment = `${this.taskName(task)}: ${this.machine.stepLabels[pc]}`;
    const { watch } = this;
    const { at, words } = this.machine.state;
    if (!watch || watch.task !== task || words[at.depth + task] >= watch.depth) return;
    // A routine's last step returns before it acts; a bare return comes before the next step acts.
    if (isStep) watch.ended = true;
    else watch.after ??= this.observe();
  }

  private prefixOf(field: Field, instance: number): string {
    if (field.space === 'task') return `${this.taskName(instance)}.`;
    return field.space === 'cpu' && this.machine.state.at.cpus > 1 ? `cpu${instance}.` : '';
  }

  private slotValue(field: Field, word: number): number | string {
    if (field.kind === 'task') return this.taskName(word);
    if (field.kind === 'value') return this.value(word);
    if (field.kind === 'cpu') return word < 0 ? 'none' : `cpu${word}`;
    return word;
  }

  private frame(fpstate: number): string {
    const { words, at } = this.machine.state;
    const isAbsent = words[at.header + fpstate] === HEADER.absent;
    return isAbsent ? 'no FPU state' : this.registers(at.image + fpstate * at.components);
  }

  private registers(base: number): string {
    const { words, at } = this.machine.state;
    const parts = at.componentBits.flatMap((bit, index) => {
      const value = words[base + index];
      return value === INIT ? [] : [`${componentName(bit)}=${this.value(value)}`];
    });
    return parts.length === 0 ? 'INIT' : parts.join(' ');
  }

  private value(value: number): string {
    if (value === INIT) return 'INIT';
    const writer = writerOf(value);
    const task = taskOfPrincipal(writer);
    const name = task >= 0 ? this.taskName(task) : writer === PRINCIPAL.kernel ? 'kernel' : 'other-guest';
    if (value === DEFAULT_PKRU) return 'default';
    if (writer === PRINCIPAL.pasid) return `PASID:${serialOf(value)}`;
    return `${name}:${serialOf(value)}`;
  }

  private task(name: string): number {
    const task = this.machine.taskNames.indexOf(name);
    if (task >= 0) return task;
    throw new FpuError('FPU208', `no task '${name}'; known: ${this.machine.taskNames.join(', ')}`, { task: name });
  }

  private taskName(task: number): string {
    return this.machine.taskNames[task] ?? 'nobody';
  }
}

/** What differs between two observations. */
export function changes(before: Observation, after: Observation): Readonly<Record<string, string>> {
  const differing = Object.keys(after).filter((key) => before[key] !== after[key]);
  return Object.fromEntries(differing.map((key) => [key, `${before[key]} -> ${after[key]}`]));
}

function matches(moment: string, wanted: string): boolean {
  if (moment === wanted) return true;
  const [who, what] = wanted.split(': ');
  return moment.startsWith(`${who}: `) && moment.endsWith(`/${what}`);
}

/** Carries on, on one CPU, unless something is to intervene; other choices come from lists. */
class SpecDriver implements ChoiceDriver {
  inject: string | undefined;
  cpu = 0;
  private readonly script: ChoiceDriver;

  constructor(schedule: Schedule) {
    this.script = scriptDriver(schedule);
  }

  choose(request: ChoiceRequest): number {
    const names = Array.from({ length: request.count }, (_, index) => request.name(request.alternatives[index]));
    const isNext = names[0].startsWith('cpu') && names[0].includes(':');
    if (!isNext) return this.script.choose(request);
    const wanted = this.inject ?? `cpu${this.cpu}:continue`;
    const index = names.indexOf(wanted);
    if (index < 0 && this.inject !== undefined) {
      throw new FpuError('FPU301', `'${wanted}' cannot happen here; enabled: ${names.join(', ')}`, { wanted, names });
    }
    this.inject = undefined;
    return Math.max(index, 0);
  }

  getPosition(): number {
    return this.script.getPosition();
  }

  setPosition(position: number): void {
    this.script.setPosition(position);
  }
}
