/** What policies and platforms are: the public interfaces that ours and a user's are written against. */
import type { Abi } from '../kernel/abi';
import type { PlatformHook, PolicyHook } from '../kernel/hooks';
import type { Hypervisor, MachinePlatform, Slot } from '../kernel/kernel';
import type { Patch, Routine } from '../kernel/routine';
import type { FpstateKind } from '../machine/state';
import type { Feature } from '../x86/components';

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
  /** Where its code writes or compares a CPU's number itself (CPU 0, say); left out when it never does. */
  readonly namesCpus?: 'in-fork' | 'anywhere';
  /** Images that tasks have for it, beside their own. */
  readonly fpstates?: readonly Extract<FpstateKind, 'guest' | 'user'>[];
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
  /**
   * Components that this kernel enables in XCR0 and IA32_XSS where the processor has them, as a bitmap; all user
   * components when left out. x87 and SSE are always among them.
   */
  readonly xfeatures?: number;
  /** The PKRU of a new program: INIT (zero, all access) or the kernel's restrictive default; INIT when left out. */
  readonly newPkru?: 'init' | 'restrictive';
  /** It saves with XSAVES where the processor has it: its images are compacted then. */
  readonly xsaves?: boolean;
  /** False for a kernel from before XSAVEOPT: it saves with XSAVE even where the processor has better. */
  readonly xsaveopt?: boolean;
  /** It sends SIGSEGV to a task whose signal frame does not fit the alternate stack, instead of writing below it: Linux 5.14 and later. */
  readonly checksAltstack?: boolean;
  /** Programs that this kernel can run; all when left out. */
  readonly abis?: readonly Abi[];
  /** Slots that tools show by role. */
  readonly roles: PolicyRoles;
  /** Left out where the code claims for a moment what is not so yet, with interrupts or preemption off. */
  readonly belief?: Belief;
}

/**
 * What a policy takes for valid of a task's FPU context, asked of its slots: state 1, 2a or 2b in the words of the 2016 thread. After every step
 * the oracle `validity` compares it with what registers and memory hold: it may claim less than is true, and never more.
 */
export interface Belief {
  /** The CPU whose registers hold the task's latest state; NOBODY for none. */
  registersOn(read: ReadSlot, task: number): number;
  /** True when the task's image holds its latest state. */
  inMemory(read: ReadSlot, task: number): boolean;
}

/** Reads a slot of a CPU, of a task, or of the machine. */
export type ReadSlot = (slot: Slot, instance: number) => number;

/**
 * What the core has to know of a kernel that enables components per task, Linux 5.16 and later: it gives a task that uses
 * them a larger image, the kind `dynamic`, and has IA32_XFD disable them for the others.
 */
export interface DynamicState {
  /** The components. On a processor that cannot disable them (XFD) they are not enabled at all. */
  readonly xfeatures: number;
  /** Per task: which image is its own now, as an index into FPSTATE_KINDS. Linux: fpu->fpstate. */
  readonly current: Slot;
  /** Per task: what IA32_XFD has to be while its user code runs. Linux: fpstate->xfd. */
  readonly xfd: Slot;
  /** Per CPU: what the kernel believes IA32_XFD to be. Linux: xfd_state. */
  readonly cachedXfd: Slot;
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

/** A policy that adds steps to a base policy's routines, at named anchors or around its answers to hooks. */
export interface ModifierPolicy extends Plugin {
  readonly kind: 'modifier';
  /** Components, as a bitmap: on a machine that has none of them there is nothing for it to do, and it is left out. */
  readonly onlyWith?: number;
  /** It is about guests of KVM, and left out where nobody runs one. */
  readonly onlyWithGuests?: boolean;
  /** It is about XCR0 of guests, and left out where none executes XSETBV. */
  readonly onlyWithXsetbv?: boolean;
  /** Components that it enables beside those of the base policy, as a bitmap. */
  readonly xfeatures?: number;
  readonly dynamicState?: DynamicState;
  /** Per task: the kernel believes that IA32_PASID is filled, and does not fill it again. */
  readonly pasidActivated?: Slot;
  readonly edits: Patch['edits'];
}

/** A base policy or a modifier. */
export type Policy = BasePolicy | ModifierPolicy;

/** What a hypervisor does to a guest, or bare metal's absence of one. */
export interface Platform extends Plugin, MachinePlatform {
  readonly kind: 'platform';
  /** CPU features that guests do not get. */
  readonly hides?: readonly Feature[];
  /** It keeps the processor's virtualisation to itself: what it runs can run no guests of KVM. */
  readonly hidesVmx?: true;
  /** The routine that reacts to each hook; a function decides at run time, undefined leaves it to the hardware. */
  readonly hooks: Readonly<Partial<Record<PlatformHook, string | ((k: Hypervisor) => string | undefined)>>>;
  /** Slots that tools show. */
  readonly roles: { readonly guestTs?: Slot; readonly dirtied?: Slot; readonly cr0Cache?: Slot };
  /** True when the guest's kernel receives a trap before its user code gets at FPU registers. */
  trapsUserFpu(k: Hypervisor): boolean;
  /** True when the guest's registers are in the processor; false when the hypervisor has them in its image of the vCPU. */
  registersLive(k: Hypervisor): boolean;
}
