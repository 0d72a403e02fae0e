import 'reflect-metadata';
import { frameFits } from '../kernel/altstack';
import { Container, ContainerModule } from 'inversify';
import { FpuError } from '../error';
import * as events from '../machine/events';
import type { EventType } from '../machine/event-type';
import { Footprint } from '../machine/footprint';
import { CONTEXT } from '../machine/frames';
import { FPSTATE_KINDS, createState, type FpstateKind } from '../machine/state';
import { EventStream } from '../machine/stream';
import { ACTION, ACTION_BITS, firstDriver, scriptDriver, type ChoiceDriver } from '../kernel/choices';
import { NOTHING, type PlatformHook, type PolicyHook } from '../kernel/hooks';
import { LoopWatch, type Shadow } from '../oracle/livelock';
import { OracleMonitor } from '../oracle/monitor';
import { ORACLES, type OracleId } from '../oracle/oracles';
import { Engine, type EngineTask } from '../kernel/engine';
import { refuseBadKind } from '../kernel/kernel-thread';
import { guestsOf, refuseBadGuests } from '../kernel/guest';
import { compileTask, simpleOperations } from '../kernel/program';
import type { Patch } from '../kernel/routine';
import type { Scenario, TaskSpec } from '../scenario/scenario';
import { PKRU, USER_COMPONENTS, bitsOf } from '../x86/components';
import { cpuModel, type CpuModel } from '../x86/cpu-model';
import { Composition, type Settings } from './composition';
import { Machine } from './machine';
import { NOBODY, type Slot } from '../kernel/kernel';
import type { Platform, Policy } from './plugin';
import { PLATFORM, POLICY, SETTINGS } from './tokens';

/** What a machine is composed of. */
export interface ComposeOptions {
  /** Id of a CPU model, or a model; the scenario's when left out. */
  readonly cpu?: string | CpuModel;
  /** Number of CPUs; the scenario's when left out. */
  readonly cpus?: number;
  readonly platform: Platform;
  readonly policies: readonly Policy[];
  readonly patches?: readonly Patch[];
  readonly scenario: Scenario;
  /** Who answers choices; the scenario's schedule when left out. */
  readonly choices?: ChoiceDriver;
  /** Oracles that watch; all when left out, none when false. */
  readonly oracles?: false | readonly OracleId[];
  /**
   * `abstract`: whether a counter passes its threshold is a choice each time it is counted. Has every run that exact
   * counters have, and more; for proofs.
   */
  readonly counters?: 'exact' | 'abstract';
}

/** CPUs that a machine can have. */
export const CPUS_MAX = 8;
/** Tasks that a scenario can have. */
export const TASKS_MAX = 64;
/** Frames per task. Deep enough for user code, a system call, three interrupts and the hypervisor, each with its calls. */
const STACK_DEPTH = 16;

const POLICY_HOOK_EVENTS: Readonly<Record<PolicyHook, EventType>> = {
  'switch-out': events.SwitchOut,
  'switch-in': events.SwitchIn,
  'trap-nm': events.TrapNm,
  'trap-gp': events.TrapGp,
  'irq-fpu-usable': events.IrqFpuUsable,
  'kernel-fpu-begin': events.KernelFpuBegin,
  'kernel-fpu-end': events.KernelFpuEnd,
  fork: events.Fork,
  exec: events.Exec,
  exit: events.Exit,
  'exit-to-user-prepare': events.ExitToUserPrepare,
  'exit-to-user': events.ExitToUser,
  'signal-save': events.SignalSave,
  'signal-clear': events.SignalClear,
  'signal-restore': events.SignalRestore,
  'ptrace-read': events.PtraceRead,
  'ptrace-write': events.PtraceWrite,
  'core-dump': events.CoreDump,
  'cpu-up': events.CpuUp,
  'kernel-fpu-section': events.KernelFpuSection,
  'use-mm': events.UseMm,
  'unuse-mm': events.UnuseMm,
  idle: events.IdleEntered,
  'request-xcomp-perm': events.XcompPermRequested,
  'signal-save-ia32': events.SignalSaveIa32,
  'signal-restore-ia32': events.SignalRestoreIa32,
  sigaltstack: events.SigaltstackInstalled,
  'sva-bound': events.SvaBound,
  'kvm-vcpu-load': events.KvmVcpuLoad,
  'kvm-vcpu-put': events.KvmVcpuPut,
  'kvm-run-begin': events.KvmRunBegin,
  'kvm-run-end': events.KvmRunEnd,
  'kvm-requests': events.KvmRequests,
  'kvm-prepare-guest': events.KvmPrepareGuest,
  'kvm-requests-pending': events.KvmRequestsPending,
  'kvm-enter-guest': events.KvmEnterGuest,
  'kvm-exit-guest': events.KvmExitGuest,
  'kvm-get-fpu': events.KvmGetFpu,
  'kvm-put-fpu': events.KvmPutFpu,
  'kvm-guest-nm': events.KvmGuestNm,
  'kvm-guest-cr3': events.KvmGuestCr3,
  'kvm-guest-xsetbv': events.KvmGuestXsetbv,
  'call-function': events.CallFunction,
  'native-cpu-up': events.NativeCpuUp,
  'cpu-init': events.CpuInit,
  'cpu-suspend': events.CpuSuspending,
  'cpu-resume': events.CpuResumed,
  'pkey-access': events.PkeyAccess,
};

const PLATFORM_HOOK_EVENTS: Readonly<Record<PlatformHook, EventType>> = {
  'nm-raised': events.NmRaised,
  'context-switch-start': events.ContextSwitchStart,
  'context-switch-end': events.ContextSwitchEnd,
  halt: events.Halted,
  'vcpu-preempted': events.VcpuPreempted,
  suspend: events.Suspended,
};

/** Hooks at which the guest kernel runs code of its own for the platform; at the others the hypervisor takes over. */
const PARAVIRTUAL: ReadonlySet<string> = new Set<PlatformHook>(['context-switch-start', 'context-switch-end']);

/**
 * Builds a machine from plugins.
 *
 * Policies and platform are objects of their own for every machine: their slots are bound to places in its state.
 *
 * @throws FpuError FPU101, FPU201 to FPU209: what does not fit, and both sides of it
 */
export function compose(options: ComposeOptions): Machine {
  const composition = compositionOf(options);
  const tasks = engineTasks(composition);
  const driver = options.choices ?? scriptDriver(composition.settings.scenario.schedule);
  const engine = engineOf(composition, tasks, driver, options.counters);
  const { stream } = engine;
  bindSlots(composition, (name) => stream.state.layout.field(name).base);
  const oracles = options.oracles ?? ORACLES;
  if (oracles !== false) {
    watchOracles(composition, engine, oracles, () => shadowOf(composition, tasks, options.counters));
  }
  react(composition, engine);
  return new Machine(
    composition,
    stream,
    engine,
    tasks.map((task) => task.name),
    tasks.map((task) => task.code.map((operation) => operation.text)),
    tasks,
  );
}

/** The state of a machine, its stream, and what takes its steps. */
function engineOf(
  composition: Composition,
  tasks: readonly EngineTask[],
  driver: ChoiceDriver,
  counters: ComposeOptions['counters'],
): Engine {
  const { settings } = composition;
  const { cpus, scenario } = settings;
  const signals = scenario.tasks.some(({ handler }) => handler !== undefined);
  const kinds = fpstateKinds(composition, signals);
  const state = createState(
    {
      sizes: { machine: 1, cpu: cpus, task: tasks.length, fpstate: kinds.length * tasks.length + cpus },
      componentBits: bitsOf(composition.xfeatures),
      stackDepth: STACK_DEPTH,
      fpstateEmbedded: composition.base.fpstate === 'embedded',
      fpstateKinds: kinds,
      signals,
      borrowedMm: tasks.some(({ code }) => code.some((one) => one.kind === 'kernel' && one.name === 'use_mm')),
      ptrace: tasks.some(({ code }) => code.some((one) => one.kind === 'syscall' && one.name.startsWith('ptrace'))),
      dynamicXfeatures: composition.dynamicXfeatures,
      deThreads: composition.endsThreads,
      updated: composition.setsPkeys ? 1 << PKRU : 0,
      ...(composition.takesCpusDown ? { hotplug: composition.runningFpu } : {}),
      ...(composition.guestsSetXcr0 ? { controls: composition.runningFpu } : {}),
    },
    composition.slotFields(),
  );
  return new Engine(
    {
      stream: new EventStream(state),
      model: composition.guestCpu,
      host: settings.cpu,
      xsaves: composition.base.xsaves ?? false,
      xsaveopt: composition.base.xsaveopt ?? true,
      restrictivePkru: composition.plugins.some((plugin) => 'newPkru' in plugin && plugin.newPkru === 'restrictive'),
      checksAltstack: composition.checksAltstack,
      tasks,
      routines: composition.routines,
      slots: composition.plugins.flatMap(({ slots }) => slots),
      interference: settings.scenario.interference,
      abstractCounters: counters === 'abstract',
      platform: composition.platform,
      answers: (hook) => reactionTo(composition, hook) !== undefined,
    },
    driver,
  );
}

/** A machine of the same parts in the same state, to which nothing happens by itself, and of which nobody hears. */
function shadowOf(
  composition: Composition,
  tasks: readonly EngineTask[],
  counters: ComposeOptions['counters'],
): Shadow {
  const engine = engineOf(composition, tasks, firstDriver(), counters);
  const { stream } = engine;
  const footprint = new Footprint(stream.state);
  engine.choices.recording = false;
  react(composition, engine);
  return {
    words: stream.state.words,
    footprint,
    lap: () => engine.lap,
    step: (cpu) => {
      const { alternatives } = engine.choices;
      const goOn = (cpu << ACTION_BITS) | ACTION.continue;
      if (!alternatives.subarray(0, engine.enabledActions()).includes(goOn)) return false;
      alternatives[0] = goOn;
      stream.footprint = footprint;
      engine.stepAmong(1);
      stream.footprint = undefined;
      return true;
    },
  };
}

/** The images that tasks of this machine can have. */
function fpstateKinds(
  { dynamicXfeatures, plugins, getsIa32Frames }: Composition,
  signals: boolean,
): readonly FpstateKind[] {
  return FPSTATE_KINDS.filter((kind) => {
    switch (kind) {
      case 'task':
        return true;
      case 'sigframe':
        return signals;
      case 'fsave':
        return getsIa32Frames;
      case 'dynamic':
        return dynamicXfeatures !== 0;
      case 'guest':
      case 'user':
        return plugins.some(({ fpstates }) => fpstates?.includes(kind));
    }
  });
}

/**
 * Checks that parts fit, without building a machine of them. Every plugin is a module of an InversifyJS container, bound
 * unnamed under one multi-inject token.
 *
 * @throws FpuError FPU201 to FPU209: what does not fit, and both sides of it
 */
export function compositionOf(options: ComposeOptions): Composition {
  const { scenario } = options;
  const cpus = options.cpus ?? scenario.cpus;
  if (!Number.isInteger(cpus) || cpus < 1 || cpus > CPUS_MAX) {
    throw new FpuError('FPU208', `a machine has 1 to ${CPUS_MAX} CPUs, found ${cpus}`, { cpus });
  }
  const cpu = options.cpu ?? scenario.cpu;
  const settings: Settings = {
    cpu: typeof cpu === 'string' ? cpuModel(cpu) : cpu,
    cpus,
    scenario,
    patches: options.patches ?? [],
  };
  const container = new Container();
  container.bind<Settings>(SETTINGS).toConstantValue(settings);
  container.load(
    ...options.policies.map((policy) => pluginModule(POLICY, policy)),
    pluginModule(PLATFORM, options.platform),
  );
  container.bind(Composition).toSelf();
  return container.get(Composition);
}

function pluginModule(token: symbol, plugin: Policy | Platform): ContainerModule {
  return new ContainerModule((bind) => {
    bind(token).toConstantValue(plugin);
  });
}

function engineTasks(composition: Composition): readonly EngineTask[] {
  const { scenario, cpus } = composition.settings;
  refuseBadTasks(scenario);
  refuseBadGuests(scenario.tasks);
  const users = scenario.tasks.map((task) => {
    const { name, program, handler: operations, unborn = false, kind = 'user' } = task;
    const { code, handler } = compileTask(program, operations);
    refuseBadKind(task);
    for (const operation of code) {
      if ('child' in operation) refuseUnknownChild(scenario, name, operation.child);
      if (operation.kind !== 'syscall') continue;
      refuseBadTarget(scenario, name, operation.trace?.target);
      refuseBadUnmapping(scenario, task, operation.unmaps);
    }
    const guest = scenario.tasks.findIndex((other) => other.name === guestsOf(task)[0]);
    const setsPke = kind === 'guest' && (task.guest?.cr4Pke ?? true);
    const { abi = 'x86-64' } = task;
    const overflows = overflowsAltstack(composition, task);
    const process = processOf(scenario, task);
    return { name, code, handler, unborn, kind, abi, overflows, process, idle: false, guest, setsPke };
  });
  const idle = Array.from({ length: cpus }, (_, cpu) => ({
    name: `idle${cpu}`,
    code: [],
    handler: -1,
    unborn: false,
    kind: 'kthread' as const,
    process: users.length + cpu,
    abi: 'x86-64' as const,
    overflows: false,
    idle: true,
    guest: NOBODY,
    setsPke: false,
  }));
  return [...users, ...idle];
}

/** With what the kernel enables for all tasks; sigaltstack() looks after what it enables per task. */
function overflowsAltstack({ guestCpu: model, xfeatures, dynamicXfeatures }: Composition, task: TaskSpec): boolean {
  const { altstackBytes, abi = 'x86-64' } = task;
  if (altstackBytes === undefined) return false;
  const userXfeatures = xfeatures & USER_COMPONENTS & ~dynamicXfeatures;
  const context = { model, userXfeatures, userMaxFeatures: userXfeatures, ia32: abi === 'ia32' };
  return !frameFits(altstackBytes, abi, context);
}

function refuseBadTasks({ id, tasks }: Scenario): void {
  const names = tasks.map((task) => task.name);
  const refuse = (problem: string): never => {
    throw new FpuError('FPU208', `the scenario '${id}' ${problem}`, { scenario: id, tasks: names });
  };
  if (tasks.length > TASKS_MAX) refuse(`has ${tasks.length} tasks; a machine has at most ${TASKS_MAX}`);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) refuse(`has two tasks called '${twice}'`);
  const idle = names.find((name) => /^idle\d*$/.test(name));
  if (idle !== undefined) refuse(`calls a task '${idle}', which is what idle tasks are called`);
}

/** Number of the task that stands for the process of a task. */
function processOf({ id, tasks }: Scenario, task: TaskSpec): number {
  const leader = tasks.findIndex(({ name }) => name === (task.threadOf ?? task.name));
  const refuse = (problem: string): never => {
    throw new FpuError('FPU208', `task ${task.name} of the scenario '${id}' ${problem}`, { task: task.name });
  };
  const isThread = task.threadOf !== undefined;
  if (isThread && (leader < 0 || tasks[leader].threadOf !== undefined || tasks[leader] === task)) {
    refuse(`is a thread of '${task.threadOf}', which is no task with a process of its own`);
  }
  const { program, handler = [] } = task;
  const execs = simpleOperations([...program, ...handler]).some(
    (one) => one.kind === 'syscall' && one.name === 'execve',
  );
  if (isThread && execs) refuse('is not the first thread of its process, whose identity execve() would give it');
  const others = tasks.filter(({ threadOf }) => threadOf === task.name);
  if (execs && others.some(({ kind = 'user' }) => kind !== 'user'))
    refuse('calls execve() beside threads that never run user code');
  if (execs && [task, ...others].some((each) => others.length > 0 && guestsOf(each).length > 0))
    refuse('calls execve() beside threads that run guests');
  return leader;
}

function refuseUnknownChild(scenario: Scenario, task: string, child: string | undefined): void {
  if (child === undefined || scenario.tasks.some((other) => other.name === child && other.unborn)) return;
  throw new FpuError(
    'FPU208',
    `task ${task} forks '${child}', but the scenario '${scenario.id}' has no unborn task of that name`,
    { child },
  );
}

function refuseBadTarget(scenario: Scenario, task: string, target: string | undefined): void {
  if (target === undefined) return;
  const refuse = (problem: string): never => {
    throw new FpuError('FPU208', `task ${task} of the scenario '${scenario.id}' traces '${target}', ${problem}`, {
      target,
    });
  };
  if (target === task) refuse('which is itself');
  if (scenario.tasks.every(({ name }) => name !== target)) refuse('but there is no task of that name');
  const traces = ({ program, handler = [] }: TaskSpec): boolean =>
    simpleOperations([...program, ...handler]).some((one) => one.kind === 'syscall' && one.trace?.target === target);
  const other = scenario.tasks.find((candidate) => candidate.name !== task && traces(candidate));
  if (other) refuse(`which ${other.name} traces too; a task has one tracer`);
}

/** Only a thread of the same process can do that, and only to one that gets signals. */
function refuseBadUnmapping(scenario: Scenario, task: TaskSpec, of: string | undefined): void {
  if (of === undefined) return;
  const other = scenario.tasks.find(({ name }) => name === of);
  const processName = ({ name, threadOf = name }: TaskSpec): string => threadOf;
  if (other?.handler && other !== task && processName(other) === processName(task)) return;
  throw new FpuError(
    'FPU208',
    `task ${task.name} of the scenario '${scenario.id}' unmaps the signal frame of '${of}', which is no other thread of its process with a signal handler`,
    { task: task.name, of },
  );
}

/** Checks all slots before it binds any: a refused composition leaves its plugins as they were. */
function bindSlots(composition: Composition, baseOf: (field: string) => number): void {
  const slots = new Set<Slot>();
  for (const plugin of composition.plugins) {
    for (const slot of plugin.slots) {
      if (slot.base >= 0 || slots.has(slot)) {
        throw new FpuError(
          'FPU206',
          `'${plugin.id}' is part of another machine already; create one plugin object per machine`,
          { plugin: plugin.id },
        );
      }
      slots.add(slot);
    }
  }
  for (const plugin of composition.plugins) {
    for (const slot of plugin.slots) slot.base = baseOf(`${plugin.id}.${slot.name}`);
  }
}

/** The routine, or the decision, with which a plugin reacts to a hook. */
function reactionTo(composition: Composition, hook: PolicyHook | PlatformHook) {
  if (hook in POLICY_HOOK_EVENTS) {
    const routine = composition.hooks[hook as PolicyHook];
    return routine === NOTHING ? undefined : routine;
  }
  return composition.platform.hooks[hook as PlatformHook];
}

/** Oracles look at every step and at the events that concern them. */
function watchOracles(
  { base, platform, modifiers, dynamicXfeatures, dynamicState }: Composition,
  engine: Engine,
  oracles: readonly OracleId[],
  shadow: () => Shadow,
): void {
  const { cpus, code, stream } = engine;
  const activated = modifiers.find(({ pasidActivated }) => pasidActivated !== undefined)?.pasidActivated;
  const runsUserCode = (task: number): boolean => !engine.isKernelThread(task) && !engine.isIoWorker(task);
  const monitor = new OracleMonitor({
    stream,
    trapsUserFpu: (cpu) => platform.trapsUserFpu(cpus[cpu]),
    registersLive: (cpu) => platform.registersLive(cpus[cpu]),
    vcpuFpstate: (cpu) => cpus[cpu].vcpuFpstate,
    nmExpectedAt: (pc) => {
      const instruction = code.instructions[pc];
      return instruction.op === 'step' && instruction.nmExpected;
    },
    runsUserCode,
    pasids: stream.state.at.mmPasid < 0 ? undefined : { processOf: (task) => engine.processOf(task), activated },
    guests: engine.hasGuests
      ? { guestOf: (task) => engine.guestOf(task), setsPke: (guest) => engine.setsPke(guest) }
      : undefined,
    nmEntry: code.entry('device_not_available'),
    oracles,
    belief: base.belief,
    dynamicState: dynamicXfeatures === 0 ? undefined : dynamicState,
  });
  const loops = oracles.includes('livelock') ? new LoopWatch(stream, shadow, runsUserCode) : undefined;
  engine.afterStep = (cpu) => {
    monitor.afterStep(cpu);
    if (engine.lap !== undefined && loops?.isEndless(cpu, engine.lap)) monitor.goesRound(cpu);
  };
}

/** Policies and platform subscribe to their hooks and react by calling routines. */
function react(composition: Composition, engine: Engine): void {
  const { stream } = engine;
  for (const [hook, type] of Object.entries(POLICY_HOOK_EVENTS)) {
    const routine = reactionTo(composition, hook as PolicyHook);
    if (typeof routine !== 'string') continue;
    stream.react(type, ({ data }) => engine.cpus[data.cpu].call(routine));
  }
  for (const [hook, type] of Object.entries(PLATFORM_HOOK_EVENTS)) {
    const reaction = reactionTo(composition, hook as PlatformHook);
    if (reaction === undefined) continue;
    stream.react(type, ({ data }) => {
      const cpu = engine.cpus[data.cpu];
      const routine = typeof reaction === 'function' ? reaction(cpu) : reaction;
      if (routine === undefined) {
        if (type === events.NmRaised) cpu.deliverNm();
      } else if (PARAVIRTUAL.has(hook)) cpu.call(routine);
      else cpu.enter(CONTEXT.hypervisor, routine, true);
    });
  }
}
