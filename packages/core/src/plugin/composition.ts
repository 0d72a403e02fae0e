import 'reflect-metadata';
import { inject, injectable, multiInject, optional } from 'inversify';
import { FpuError } from '../error';
import { ABIS } from '../kernel/abi';
import type { OwnedRoutine } from '../kernel/code';
import type { GuestOperation } from '../kernel/guest';
import { HOTPLUG_SYSCALLS, runningCr4 } from '../kernel/hotplug';
import { PKEY_SYSCALLS } from '../kernel/pkeys';
import { NOTHING, OPTIONAL_HOOKS, POLICY_HOOKS, type PolicyHook } from '../kernel/hooks';
import { programNeeds, simpleOperations, type SyscallName } from '../kernel/program';
import { applyPatch, type Patch, type Routine } from '../kernel/routine';
import type { FieldDeclaration } from '../machine/layout';
import type { Scenario, TaskSpec } from '../scenario/scenario';
import {
  ALL_COMPONENTS,
  AVX,
  OPMASK,
  PASID,
  PKRU,
  SSE,
  SUPERVISOR_COMPONENTS,
  TILEDATA,
  USER_COMPONENTS,
  X87,
  componentName,
  xfeaturesName,
  type Feature,
} from '../x86/components';
import { componentsOf, hasFeature, withoutFeatures, type CpuModel } from '../x86/cpu-model';
import { FEATURE_OF_CLASS, type InstructionClass } from '../x86/faults';
import { resolveHooks, type HookAnswers } from './hook-edits';
import type { BasePolicy, DynamicState, ModifierPolicy, Platform, Plugin, Policy } from './plugin';
import { PLATFORM, POLICY, SETTINGS } from './tokens';

/** The parts of a composition that are not plugins. */
export interface Settings {
  readonly cpu: CpuModel;
  readonly cpus: number;
  readonly scenario: Scenario;
  readonly patches: readonly Patch[];
}

/** The component that the kernel must have enabled for instructions of a class. */
const COMPONENT_OF: Readonly<Partial<Record<InstructionClass, number>>> = {
  avx: AVX,
  avx512: OPMASK,
  opmask: OPMASK,
  amx: TILEDATA,
  pkru: PKRU,
  enqcmd: PASID,
};

/** Asked only where a 32-bit program gets signals: elsewhere the code that answers them is left out. */
const IA32_HOOKS: readonly PolicyHook[] = ['signal-save-ia32', 'signal-restore-ia32'];
/** Asked only where a task gets protection keys. */
const PKEY_HOOKS: readonly PolicyHook[] = ['pkey-access'];

/** What tasks can do for which a policy must own hooks that others may leave out. */
const SURFACES: readonly {
  readonly does: (task: TaskSpec) => boolean;
  readonly what: string;
  readonly hooks: readonly PolicyHook[];
}[] = [
  {
    does: ({ handler }) => handler !== undefined,
    what: 'has a signal handler',
    hooks: ['signal-save', 'signal-clear', 'signal-restore'],
  },
  {
    does: ({ handler, abi }) => handler !== undefined && abi === 'ia32',
    what: 'is a 32-bit program with a signal handler',
    hooks: IA32_HOOKS,
  },
  { does: (task) => calls(task, 'ptrace'), what: 'traces another task', hooks: ['ptrace-read', 'ptrace-write'] },
  { does: (task) => calls(task, 'abort'), what: 'leaves a core dump', hooks: ['core-dump'] },
  { does: (task) => calls(task, 'kvm_run'), what: 'runs a guest', hooks: ['kvm-enter-guest'] },
  { does: changesPkru, what: 'gets protection keys', hooks: PKEY_HOOKS },
  {
    does: (task) => asksHostFor(task, 'emulate'),
    what: 'has its host execute an instruction of SSE',
    hooks: ['kvm-get-fpu'],
  },
  { does: setsXcr0, what: 'executes XSETBV', hooks: ['kvm-guest-xsetbv'] },
  { does: takesCpusDown, what: 'takes CPUs down', hooks: ['native-cpu-up', 'cpu-init'] },
];

function changesPkru(task: TaskSpec): boolean {
  return PKEY_SYSCALLS.some((name) => calls(task, name));
}

function setsXcr0(task: TaskSpec): boolean {
  return asksHostFor(task, 'xsetbv');
}

function asksHostFor({ program }: TaskSpec, name: GuestOperation['name']): boolean {
  return simpleOperations(program).some((one) => one.kind === 'guest' && one.name === name);
}

function takesCpusDown(task: TaskSpec): boolean {
  return HOTPLUG_SYSCALLS.some((name) => calls(task, name));
}

function calls({ program, handler = [] }: TaskSpec, name: SyscallName): boolean {
  return simpleOperations([...program, ...handler]).some((one) => one.kind === 'syscall' && one.name === name);
}

const LEGACY = (1 << X87) | (1 << SSE);

/**
 * A checked set of plugins: one base policy, its modifiers, one platform, patches applied.
 *
 * Refuses what cannot run, with an error that names both sides.
 */
@injectable()
export class Composition {
  readonly base: BasePolicy;
  /** Those that have something to do here: with components of this machine, and such as this processor can enable per task. */
  readonly modifiers: readonly ModifierPolicy[];
  readonly platform: Platform;
  /** The processor as the kernel sees it: without what the platform hides. */
  readonly guestCpu: CpuModel;
  /** Components that the kernel enables and saves, as a bitmap. */
  readonly xfeatures: number;
  /** How the kernel enables components per task, if it does. */
  readonly dynamicState: DynamicState | undefined;
  /** Those of `xfeatures` that it enables per task. */
  readonly dynamicXfeatures: number;
  /** Routines of all plugins, after modifiers and patches; those that no task can bring the kernel into are left out. */
  readonly routines: readonly OwnedRoutine[];
  /** What answers each hook of a policy, after modifiers and patches, where some task can bring the kernel there. */
  readonly hooks: HookAnswers;
  /** The same, whatever tasks do. */
  readonly whole: { readonly routines: readonly OwnedRoutine[]; readonly hooks: HookAnswers };

  constructor(
    @multiInject(POLICY) @optional() policies: readonly Policy[] = [],
    @multiInject(PLATFORM) @optional() platforms: readonly Platform[] = [],
    @inject(SETTINGS) readonly settings: Settings,
  ) {
    this.base = theBasePolicy(policies);
    this.platform = thePlatform(platforms);
    this.refuseBadXfeatures();
    this.guestCpu = withoutFeatures(settings.cpu, this.platform.hides ?? []);
    const byBase = this.present & (this.base.xfeatures ?? USER_COMPONENTS);
    this.modifiers = policies.filter(
      (policy): policy is ModifierPolicy =>
        policy.kind === 'modifier' &&
        (policy.onlyWith === undefined || (policy.onlyWith & this.enabledBy(policy, byBase)) !== 0) &&
        (policy.onlyWithGuests !== true || this.runsGuests) &&
        (policy.onlyWithXsetbv !== true || this.guestsSetXcr0) &&
        (policy.dynamicState === undefined || this.canEnable(policy.dynamicState) !== 0),
    );
    this.refuseDuplicateIds();
    this.dynamicState = this.theDynamicState();
    const byModifiers = this.modifiers.reduce((mask, { xfeatures = 0 }) => mask | xfeatures, 0);
    this.xfeatures = byBase | (this.present & byModifiers);
    this.dynamicXfeatures = this.dynamicState ? this.canEnable(this.dynamicState) : 0;
    this.refuseMissingFeatures();
    this.whole = this.patched();
    this.routines = this.whole.routines;
    this.hooks = this.whole.hooks;
    this.refuseUnknownHooks();
    this.refuseUnownedHooks();
    this.refuseUnknownSurfaces();
    this.refuseNestedGuests();
    this.refuseDynamicGuests();
    this.refuseUnknownAbis();
    const unasked = [...(this.getsIa32Frames ? [] : IA32_HOOKS), ...(this.setsPkeys ? [] : PKEY_HOOKS)];
    const asked = without(this.whole, unasked);
    this.routines = asked.routines;
    this.hooks = asked.hooks;
  }

  /** True when some task gets protection keys, on a processor that has some. */
  get setsPkeys(): boolean {
    return (this.xfeatures & (1 << PKRU)) !== 0 && this.settings.scenario.tasks.some(changesPkru);
  }

  /** True when a 32-bit program gets signals. Without FXSAVE its frames are what FNSAVE writes, as all are. */
  get getsIa32Frames(): boolean {
    const { tasks } = this.settings.scenario;
    return (
      hasFeature(this.guestCpu, 'fxsr') && tasks.some(({ handler, abi }) => handler !== undefined && abi === 'ia32')
    );
  }

  /** All plugins, base policy first. */
  get plugins(): readonly Plugin[] {
    return [this.base, ...this.modifiers, this.platform];
  }

  /** `lazy-cr0-ts on xen-pv + guest-fix`, for people. */
  get title(): string {
    const { patches } = this.settings;
    const patched = patches.length === 0 ? '' : ` + ${patches.map((patch) => patch.id).join(' + ')}`;
    return `${[this.base, ...this.modifiers].map((plugin) => plugin.id).join(' + ')} on ${this.platform.id}${patched}`;
  }

  /** True when some task takes CPUs down, or suspends the machine. */
  get takesCpusDown(): boolean {
    return this.settings.scenario.tasks.some(takesCpusDown);
  }

  /** True when some guest of KVM sets its XCR0. */
  get guestsSetXcr0(): boolean {
    return hasFeature(this.guestCpu, 'xsave') && this.settings.scenario.tasks.some(setsXcr0);
  }

  /** True when some task calls execve() in a process of several threads. */
  get endsThreads(): boolean {
    const { tasks } = this.settings.scenario;
    return tasks.some((task) => calls(task, 'execve') && tasks.some(({ threadOf }) => threadOf === task.name));
  }

  /** CR4, and XCR0 with IA32_XSS, while a CPU runs. */
  get runningFpu(): { readonly cr4: number; readonly xfeatures: number } {
    return { cr4: runningCr4(this.guestCpu), xfeatures: this.xfeatures };
  }

  /** True when no code tells CPUs apart by their numbers, so that states which differ only in those are alike. */
  get cpusAreInterchangeable(): boolean {
    const forks = this.settings.scenario.tasks.some((task) => task.unborn);
    return this.plugins.every(({ namesCpus }) => namesCpus === undefined || (namesCpus === 'in-fork' && !forks));
  }

  /** Declarations of the plugins' slots, as fields `<plugin>.<slot>`. */
  slotFields(): readonly FieldDeclaration[] {
    return this.plugins.flatMap((plugin) =>
      plugin.slots.map((slot) => ({
        name: `${plugin.id}.${slot.name}`,
        space: slot.space,
        kind: slot.kind,
        width: 1,
        initial: slot.initial,
        component: slot.component,
      })),
    );
  }

  /** Fields that tools show by role, as `<plugin>.<slot>`. */
  roleFields(): Readonly<Partial<Record<'owner' | 'active' | 'used' | 'guestTs' | 'dirtied' | 'cr0Cache', string>>> {
    const named = (plugin: Plugin, roles: Readonly<Record<string, { readonly name: string } | undefined>>) =>
      Object.entries(roles).flatMap(([role, slot]) => (slot ? [[role, `${plugin.id}.${slot.name}`]] : []));
    return Object.fromEntries([
      ...named(this.base, { ...this.base.roles }),
      ...named(this.platform, { ...this.platform.roles }),
    ]);
  }

  /** The kernel sends SIGSEGV to a task whose signal frame does not fit the alternate stack. */
  get checksAltstack(): boolean {
    return [this.base, ...this.settings.patches].some(({ checksAltstack = false }) => checksAltstack);
  }

  private patched(): { readonly routines: readonly OwnedRoutine[]; readonly hooks: HookAnswers } {
    const owners = new Map<string, string>();
    for (const plugin of this.plugins) for (const routine of plugin.routines) owners.set(routine.name, plugin.id);
    let routines: readonly Routine[] = this.plugins.flatMap((plugin) => plugin.routines);
    let { hooks }: { hooks: HookAnswers } = this.base;
    const change = ({ id, edits }: Pick<Patch, 'id' | 'edits'>, owner: string, context: string): void => {
      const resolved = resolveHooks(edits, hooks);
      for (const { name } of resolved.added) owners.set(name, owner);
      routines = applyTo([...routines, ...resolved.added], { id, edits: resolved.edits }, context);
      hooks = resolved.hooks;
    };
    for (const modifier of this.modifiers) {
      change(modifier, modifier.id, `the modifier '${modifier.id}' does not fit the policy '${this.base.id}'`);
    }
    for (const patch of this.settings.patches) {
      if (patch.onlyWithGuests === true && !this.runsGuests) continue;
      if (patch.onlyWithXsetbv === true && !this.guestsSetXcr0) continue;
      change(patch, 'patch', `the patch '${patch.id}' does not fit ${this.base.id} on ${this.platform.id}`);
    }
    const owned = routines.map((routine) => ({ owner: owners.get(routine.name) ?? 'patch', routine }));
    return { routines: owned, hooks };
  }

  /** A hook that nobody ever asks is a slip of the pen, and would be ignored. */
  private refuseUnknownHooks(): void {
    const known: readonly string[] = POLICY_HOOKS;
    const unknown = Object.keys(this.base.hooks).find((hook) => !known.includes(hook));
    if (unknown === undefined) return;
    throw new FpuError(
      'FPU209',
      `'${this.base.id}' answers '${unknown}', which is no hook of a policy; hooks: ${known.join(', ')}`,
      { hook: unknown, policy: this.base.id, known },
    );
  }

  private refuseUnownedHooks(): void {
    const names = new Set(this.routines.map(({ routine }) => routine.name));
    for (const hook of POLICY_HOOKS) {
      const routine = this.hooks[hook];
      if (routine === undefined && !OPTIONAL_HOOKS.includes(hook)) {
        throw new FpuError(
          'FPU202',
          `the kernel asks its policy at '${hook}', but '${this.base.id}' does not own that hook; name a routine, or '${NOTHING}' to leave it alone`,
          { hook, policy: this.base.id },
        );
      }
      if (routine !== undefined && routine !== NOTHING && !names.has(routine)) {
        throw new FpuError(
          'FPU207',
          `'${this.base.id}' answers '${hook}' with the routine '${routine}', which it does not declare`,
          {
            hook,
            policy: this.base.id,
            routine,
          },
        );
      }
    }
    for (const [hook, routine] of Object.entries(this.platform.hooks)) {
      if (typeof routine !== 'string' || names.has(routine)) continue;
      throw new FpuError(
        'FPU207',
        `'${this.platform.id}' answers '${hook}' with the routine '${routine}', which it does not declare`,
        { hook, platform: this.platform.id, routine },
      );
    }
  }

  /** Components of the processor that the scenario has not switched off. */
  private get present(): number {
    return componentsOf(this.guestCpu) & (this.settings.scenario.xfeatures ?? ALL_COMPONENTS);
  }

  private enabledBy({ xfeatures = 0 }: ModifierPolicy, byBase: number): number {
    return byBase | (this.present & xfeatures);
  }

  /** Linux 6.1 fpu__init_system_xstate(): without XFD dynamic features are not enabled. */
  private canEnable({ xfeatures }: DynamicState): number {
    return this.guestCpu.features.includes('xfd') ? this.present & xfeatures : 0;
  }

  private theDynamicState(): DynamicState | undefined {
    const owners = this.modifiers.filter(({ dynamicState }) => dynamicState !== undefined);
    if (owners.length < 2) return owners.at(0)?.dynamicState;
    const ids = owners.map(({ id }) => id);
    throw new FpuError('FPU201', `'${ids[0]}' and '${ids[1]}' both enable components per task`, { policies: ids });
  }

  /** A task with a signal handler needs a policy that knows signal frames, and so on. */
  private refuseUnknownSurfaces(): void {
    const { scenario } = this.settings;
    for (const { does, what, hooks } of SURFACES) {
      const task = scenario.tasks.find(does);
      const missing = hooks.find((hook) => this.hooks[hook] === undefined);
      if (task === undefined || missing === undefined) continue;
      throw new FpuError(
        'FPU202',
        `task ${task.name} of the scenario '${scenario.id}' ${what}, but '${this.base.id}' does not own '${missing}'`,
        { scenario: scenario.id, policy: this.base.id, hook: missing },
      );
    }
  }

  private get runsGuests(): boolean {
    return this.settings.scenario.tasks.some(({ kind }) => kind === 'guest');
  }

  private refuseNestedGuests(): void {
    const { platform } = this;
    const { id } = this.settings.scenario;
    if (platform.hidesVmx !== true || !this.runsGuests) return;
    throw new FpuError(
      'FPU204',
      `the scenario '${id}' has a guest of KVM, and the platform '${platform.id}' keeps the processor's virtualisation to itself; take another platform`,
      { scenario: id, platform: platform.id },
    );
  }

  /** KVM gives a guest what is enabled per task in a way of its own: KVM_SET_CPUID2, fpu_sync_guest_vmexit_xfd_state(). */
  private refuseDynamicGuests(): void {
    const { cpu, scenario } = this.settings;
    if (this.dynamicXfeatures === 0 || !this.runsGuests) return;
    throw new FpuError(
      'FPU204',
      `the scenario '${scenario.id}' has a guest, and on '${cpu.id}' the kernel enables ${xfeaturesName(this.dynamicXfeatures)} per task, which is not modelled for guests; take another CPU model`,
      { scenario: scenario.id, cpu: cpu.id },
    );
  }

  private refuseUnknownAbis(): void {
    const { scenario } = this.settings;
    const { id, abis = ABIS } = this.base;
    const task = scenario.tasks.find(({ abi }) => abi !== undefined && !abis.includes(abi));
    if (task === undefined) return;
    throw new FpuError(
      'FPU202',
      `task ${task.name} of the scenario '${scenario.id}' is a program for ${task.abi}, but '${id}' knows ${abis.join(' and ')} alone`,
      { scenario: scenario.id, policy: id, abis },
    );
  }

  private refuseDuplicateIds(): void {
    const ids = [...this.plugins, ...this.settings.patches].map((plugin) => plugin.id);
    const twice = ids.find((id, index) => ids.indexOf(id) !== index);
    if (twice !== undefined) throw new FpuError('FPU205', `'${twice}' is there twice`, { id: twice });
  }

  private refuseMissingFeatures(): void {
    const { cpu, scenario } = this.settings;
    const need = (who: string, feature: Feature): void => {
      const hidden = this.platform.hides?.includes(feature) ?? false;
      if (cpu.features.includes(feature) && !hidden) return;
      const side = hidden ? `the platform '${this.platform.id}' hides` : `the CPU model '${cpu.id}' lacks`;
      throw new FpuError('FPU204', `${who} needs '${feature}', which ${side}`, {
        who,
        feature,
        cpu: cpu.id,
        platform: this.platform.id,
      });
    };
    for (const plugin of this.plugins) for (const feature of plugin.requires ?? []) need(`'${plugin.id}'`, feature);
    for (const task of scenario.tasks) {
      for (const instruction of programNeeds(task.program)) {
        const who = `task ${task.name} of the scenario '${scenario.id}'`;
        const feature = FEATURE_OF_CLASS[instruction];
        if (feature !== undefined) need(who, feature);
        this.refuseDisabledComponent(who, COMPONENT_OF[instruction]);
      }
    }
  }

  /** An instruction whose component is not enabled in XCR0 raises #UD, which no program here survives. */
  private refuseDisabledComponent(who: string, bit: number | undefined): void {
    if (bit === undefined || this.xfeatures & (1 << bit)) return;
    const component = componentName(bit);
    throw new FpuError('FPU204', `${who} needs '${component}', which the policy '${this.base.id}' does not enable`, {
      who,
      component,
      policy: this.base.id,
    });
  }

  private refuseBadXfeatures(): void {
    const { id, xfeatures = USER_COMPONENTS, xsaves = false } = this.base;
    const refuse = (problem: string): never => {
      throw new FpuError('FPU209', `the policy '${id}' enables ${xfeaturesName(xfeatures)}, ${problem}`, {
        policy: id,
      });
    };
    if ((xfeatures & LEGACY) !== LEGACY) refuse('but x87 and SSE are always enabled');
    if (xfeatures & SUPERVISOR_COMPONENTS && !xsaves) refuse('of which it cannot save supervisor state without XSAVES');
  }
}

/** Code that nobody would run makes machines larger, and logs longer. */
function without(
  { routines, hooks }: Composition['whole'],
  unasked: readonly PolicyHook[],
): Pick<Composition, 'routines' | 'hooks'> {
  const left = Object.entries(hooks).filter(([hook]) => !unasked.some((each) => each === hook));
  const asked = new Set(left.map(([, answer]) => answer));
  const answers = new Set(unasked.map((hook) => hooks[hook]));
  return {
    routines: routines.filter(({ routine: { name } }) => asked.has(name) || !answers.has(name)),
    hooks: Object.fromEntries(left),
  };
}

function applyTo(
  routines: readonly Routine[],
  change: Pick<Patch, 'id' | 'edits'>,
  context: string,
): readonly Routine[] {
  try {
    return applyPatch(routines, change);
  } catch (error) {
    if (error instanceof FpuError) throw new FpuError(error.code, `${context}: ${error.message}`, error.detail);
    throw error;
  }
}

function theBasePolicy(policies: readonly Policy[]): BasePolicy {
  const bases = policies.filter((policy): policy is BasePolicy => policy.kind === 'base');
  if (bases.length === 1) return bases[0];
  if (bases.length === 0) {
    const given = policies.map((policy) => policy.id);
    throw new FpuError(
      'FPU202',
      `nobody owns the switch hooks: a composition needs one base policy, found ${given.length === 0 ? 'no policy at all' : `only the modifiers ${given.join(', ')}`}`,
      { given },
    );
  }
  const ids = bases.map((policy) => policy.id);
  throw new FpuError(
    'FPU201',
    `'${bases[0].title}' and '${bases[1].title}' both own the switch hooks; a composition has one base policy`,
    { policies: ids },
  );
}

function thePlatform(platforms: readonly Platform[]): Platform {
  if (platforms.length === 1) return platforms[0];
  const ids = platforms.map((platform) => platform.id);
  throw new FpuError(
    platforms.length === 0 ? 'FPU202' : 'FPU201',
    `a composition has one platform, found ${ids.length === 0 ? 'none' : ids.join(' and ')}`,
    { platforms: ids },
  );
}
