/** What policies and platforms are: the public interfaces that ours and a user's are written against. */
import type { Hypervisor, Kernel, Slot } from '../kernel/kernel';
import type { Patch, Routine } from '../kernel/routine';
import type { Feature } from '../x86/components';

/** Hooks that the kernel skeleton asks of a policy. */
export const POLICY_HOOKS = [
  'switch-out',
  'switch-in',
  'trap-nm',
  'irq-fpu-usable',
  'kernel-fpu-begin',
  'kernel-fpu-end',
  'fork',
  'exec',
  'exit',
  'exit-to-user',
  'cpu-up',
] as const;

/** A hook of a policy. */
export type PolicyHook = (typeof POLICY_HOOKS)[number];

/** Hooks that nobody has to own. */
export const OPTIONAL_HOOKS: readonly PolicyHook[] = ['exit-to-user', 'cpu-up'];

/** Hooks that the machine asks of a platform. None has to be owned: hardware does something by itself. */
export const PLATFORM_HOOKS = [
  'nm-raised',
  'context-switch-start',
  'context-switch-end',
  'halt',
  'vcpu-preempted',
] as const;

/** A hook of a platform. */
export type PlatformHook = (typeof PLATFORM_HOOKS)[number];

/** The answer to a hook that is left alone on purpose. */
export const NOTHING = 'nothing';

/** What policies and platforms have in common. */
export interface Plugin {
  /** Kebab-case; equals the folder's name. */
  readonly id: string;
  readonly title: string;
  /** What was modelled: kernel or hypervisor version and functions. */
  readonly source: string;
  readonly status?: 'experimental';
  /** CPU features without which it cannot run. */
  readonly requires?: readonly Feature[];
  /** All its state. */
  readonly slots: readonly Slot[];
  /** All its code. */
  readonly routines: readonly Routine[];
}

/** A policy that owns hooks: one per machine. */
export interface BasePolicy extends Plugin {
  readonly kind: 'base';
  /** The routine that answers each hook, or NOTHING. */
  readonly hooks: Readonly<Partial<Record<PolicyHook, string>>>;
  /** Whether a task's image is part of the task, or allocated when it is needed. */
  readonly fpstate: 'embedded' | 'allocated';
  /** Slots that tools show by role. */
  readonly roles: PolicyRoles;
}

/** Which slots mean what every lazy policy has, under its own names. */
export interface PolicyRoles {
  /** Per CPU: the task whose state the fpregs hold. */
  readonly owner?: Slot;
  /** Per task: it uses the FPU now. */
  readonly active?: Slot;
  /** Per task: it has an FPU state. */
  readonly used?: Slot;
}

/** A policy that adds steps to a base policy's routines, at named anchors. */
export interface ModifierPolicy extends Plugin {
  readonly kind: 'modifier';
  readonly edits: Patch['edits'];
}

/** A base policy or a modifier. */
export type Policy = BasePolicy | ModifierPolicy;

/** How a kernel on this platform gets at CR0. `pv` is what its clts() and write_cr0() do; `insn` executes the instruction itself. */
export interface Cr0Access {
  readonly pv: { read(k: Hypervisor): number; write(k: Hypervisor, value: number): void; clts(k: Hypervisor): void };
  readonly insn: {
    movFrom(k: Hypervisor): number;
    movTo(k: Hypervisor, value: number): void;
    clts(k: Hypervisor): void;
    lmsw(k: Hypervisor, value: number): void;
    smsw(k: Hypervisor): number;
  };
}

/** What a hypervisor does to a guest, or bare metal's absence of one. */
export interface Platform extends Plugin {
  readonly kind: 'platform';
  /** CPU features that guests do not get. */
  readonly hides?: readonly Feature[];
  readonly cr0: Cr0Access;
  /** The routine that reacts to each hook; a function decides at run time, undefined leaves it to the hardware. */
  readonly hooks: Readonly<Partial<Record<PlatformHook, string | ((k: Hypervisor) => string | undefined)>>>;
  /** Slots that tools show. */
  readonly roles: { readonly guestTs?: Slot; readonly dirtied?: Slot; readonly cr0Cache?: Slot };
  /** True when the guest's kernel receives a trap before its user code gets at FPU registers. */
  trapsUserFpu(k: Hypervisor): boolean;
  /** True when the guest's registers are in the processor; false when the hypervisor has them in its image of the vCPU. */
  registersLive(k: Hypervisor): boolean;
}

/** What a step of a policy may use. */
export type { Kernel, Hypervisor, Slot };
