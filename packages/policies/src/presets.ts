import { FpuError, applyPatch, type BasePolicy, type ModifierPolicy, type Patch } from '@fpulab/core';
import { bugOf } from './bugs';
import { NATIVE_CPU_UP_OWNER, PKRU_SUSPEND, XEN_CPU_UP_OWNER, XFD_RESUME_COPY } from './cpu-up-fixes';
import { dynamicXstate } from './dynamic-xstate';
import { RESTORE_BH_OFF, RESTORE_IRQS_OFF, eager, type EagerEra } from './eager';
import { WRITE_PKRU_LOCKED, eagerPkru } from './eager-pkru';
import { kvm } from './kvm';
import { KVM_BUGS_5_2 } from './kvm/patches';
import { kvmXcr0, type Xcr0Form } from './kvm-xcr0';
import { PREEMPT_SAFE_UNLAZY, lazyCr0Ts, type LazyEra } from './lazy-cr0-ts';
import { loadFpuDeferral, type DeferralEra } from './load-fpu-deferral';
import { ACTIVATED_ENDS_AT_EXEC, pasid } from './pasid';
import { refreshFpu } from './refresh-fpu';
import { rfc2016 } from './rfc-2016';

/** A policy of a preset, and which kernel's form of it. */
export interface PresetPart {
  /** Id of the policy. */
  readonly policy: string;
  /** A kernel, or a form of a modifier. */
  readonly era?: string;
}

/** A bug that the real kernel has, and so has its preset. */
export interface PresetBug {
  /** Its number in the museum, the commit that fixed it, or a name. `KNOWN_BUGS` tells what it is. */
  readonly id: string;
  /** Where it shows, if not everywhere. */
  readonly on?: string;
}

/** A real kernel, as a composition of policies. */
export interface Preset {
  readonly id: string;
  readonly title: string;
  /** What it is made of. */
  readonly parts: readonly PresetPart[];
  /** Patches on them, by id: what the release has and later versions do not. */
  readonly patches: readonly string[];
  /** Known bugs of that kernel that are left in. */
  readonly bugs: readonly PresetBug[];
  /** Bugs of the museum that these kernels had when they were released, and that it does not have: their stable releases fixed them. */
  readonly fixed?: readonly string[];
  /** Fresh policy objects, for one machine. */
  readonly policies: () => readonly [BasePolicy, ...ModifierPolicy[]];
}

type Base = Pick<Preset, 'parts' | 'patches' | 'policies'>;

const xcr0Form = (era: string): Xcr0Form => (era === 'linux-3.6' ? 'with-registers' : 'around-guest-mode');
const XCR0_PART = (era: string): PresetPart => ({ policy: 'kvm-xcr0', era: xcr0Form(era) });

/** 2.6.32 has no XSETBV for guests. */
const lazy = (era: LazyEra): Base => ({
  parts: [{ policy: 'lazy-cr0-ts', era }, { policy: 'kvm', era }, ...(era === 'linux-2.6.32' ? [] : [XCR0_PART(era)])],
  patches: [],
  policies: () => {
    const policy = lazyCr0Ts({ era });
    const xcr0 = era === 'linux-2.6.32' ? [] : [kvmXcr0({ form: xcr0Form(era) })];
    return [policy, kvm(policy, { era }), ...xcr0];
  },
});
const always = (era: EagerEra): Base => ({
  parts: [{ policy: 'eager', era }, { policy: 'kvm', era }, XCR0_PART(era)],
  patches: [],
  policies: () => {
    const policy = eager({ era });
    return [policy, kvm(policy, { era }), kvmXcr0({ form: xcr0Form(era) })];
  },
});
/** PKRU and KVM go with the era; without PKRU, and without guests, their modifiers are left out. */
const deferred = (
  era: DeferralEra,
  bugs: {
    readonly base: readonly string[];
    readonly pkru: readonly string[];
    readonly kvm: readonly Patch[];
  } = NO_BUGS,
): Base => {
  const form = era === 'linux-5.2' ? 'image' : 'thread';
  const base = bugs.base.flatMap(patchesOfBug);
  const pkru = bugs.pkru.flatMap(patchesOfBug);
  return {
    parts: [
      { policy: 'load-fpu-deferral', era },
      { policy: 'eager-pkru', era: form },
      { policy: 'kvm', era },
      XCR0_PART(era),
    ],
    patches: [...base, ...pkru, ...bugs.kvm].map(({ id }) => id),
    policies: () => {
      const policy = patched(loadFpuDeferral({ era }), base);
      return [
        policy,
        extended(eagerPkru({ form }), pkru),
        extended(kvm(policy, { era }), bugs.kvm),
        kvmXcr0({ form: xcr0Form(era) }),
      ];
    },
  };
};

const NO_BUGS = { base: [], pkru: [], kvm: [] };

/** The patches that put a bug of the museum back. */
const patchesOfBug = (id: string): readonly Patch[] => bugOf(id).buggy.patches ?? [];

/** A policy with patches applied. */
function patched(policy: BasePolicy, patches: readonly Patch[]): BasePolicy {
  return { ...policy, routines: patches.reduce(applyPatch, policy.routines) };
}

/** A modifier with what patches do after it. */
function extended(modifier: ModifierPolicy, patches: readonly Patch[]): ModifierPolicy {
  return { ...modifier, edits: [...modifier.edits, ...patches.flatMap(({ edits }) => edits)] };
}

/** Bugs of Linux 5.2 that later releases fixed, by the policy whose code has them. */
const BUGS_5_2 = {
  base: ['F01', 'F03', 'F05'],
  pkru: ['F07'],
  kvm: [...patchesOfBug('F12'), ...KVM_BUGS_5_2],
};

/** What 5.16 on enables per task, and 5.18 on by demand, where the processor has it. */
const withDynamicXstate = (era: DeferralEra): Base => {
  const plain = deferred(era);
  return {
    ...plain,
    parts: [...plain.parts, { policy: 'dynamic-xstate' }, { policy: 'pasid' }],
    policies: () => {
      const [base, ...modifiers] = plain.policies();
      return [base, ...modifiers, dynamicXstate(base), pasid()];
    },
  };
};

/** Allocation in #NM under a hypervisor that has cleared TS. */
const F44: PresetBug = { id: 'F44', on: 'xen-pv' };
/** execve() forgets `pasid_activated`: the fix is hypothetical. */
const ACTIVATED: PresetBug = { id: ACTIVATED_ENDS_AT_EXEC.id, on: 'processors with ENQCMD' };
/** FNSAVE leaves a task without registers that nobody will load. */
const F45: PresetBug = { id: 'F45', on: 'processors without FXSAVE' };
/** A register set's image that is refused costs the target of a tracer what it had: REFUSED_IMAGE_KEEPS is the fix. */
const WIPED: PresetBug = { id: '43be46e89698' };

/** Nobody sets PKRU for kernel threads; derived, PKRU_AT_SWITCH is a fix. */
const KTHREAD_PKRU: PresetBug = { id: 'pkru-of-kernel-threads' };
/** FNINIT on a vCPU whose owner stays. */
const PV_CPU_UP: PresetBug = { id: XEN_CPU_UP_OWNER.id, on: 'xen-pv' };
/** Suspend loses PKRU; and IA32_XFD's copy goes stale there. */
const PKRU_LOST: PresetBug = { id: PKRU_SUSPEND.id };
const XFD_STALE: PresetBug = { id: XFD_RESUME_COPY.id };

/** write_pkru() leaves an image alone that the return to user code loads. */
const WRITE_PKRU: PresetBug = { id: WRITE_PKRU_LOCKED.id, on: 'processors with protection keys' };

/** Guests that reach PKRU by XCR0 alone. */
const F12: PresetBug = { id: 'F12', on: 'processors with protection keys, with guests that leave CR4.PKE clear' };
/** "KVM, pkeys: do not use PKRU value in vcpu->arch.guest_fpu.state": it was the host's when it was saved. */
const KVM_PKRU: PresetBug = { id: '38cfd5e3df9c', on: 'processors with protection keys, with guests' };
/** Up to 3.6 the guest's registers are loaded on top of the thread's: KVM_UNDER_KERNEL_FPU is the fix. */
const KVM_NM: PresetBug = { id: 'kvm-load-guest-nm', on: 'threads that run guests' };
/** XSETBV of a guest. */
const F23: PresetBug = { id: 'F23', on: 'threads whose guests execute XSETBV' };
/** What KVM_BUGS_5_2 puts back. */
const KVM_5_2: readonly PresetBug[] = [
  { id: 'ec269475cba7', on: 'threads that run guests' },
  { id: '2620fe268e80', on: 'threads that run guests' },
];

/** What loads the state of a 32-bit frame can be interrupted where the kernel believes that the registers are the task's. */
const FRAME_32: PresetBug = { id: RESTORE_BH_OFF.id, on: 'frames of 32-bit programs' };
const FRAME_32_IRQ: PresetBug = {
  id: RESTORE_IRQS_OFF.id,
  on: 'frames of 32-bit programs, with interrupts that use the FPU',
};

/** A frame that does not fit the alternate stack is written below it. On kernels that know AVX-512. */
const ALTSTACK: PresetBug = { id: '2beb4a53fc3f' };

/** The kernels that are modelled. */
export const PRESETS: readonly Preset[] = [
  {
    id: 'linux-2.6.32',
    title: 'Linux 2.6.32, 64-bit: lazy, TS_USEDFPU in thread_info, state allocated at first use with interrupts on',
    bugs: [{ id: 'F42' }, { id: PREEMPT_SAFE_UNLAZY.id }, F44, { id: 'F49' }],
    ...lazy('linux-2.6.32'),
  },
  {
    id: 'linux-3.6',
    title: 'Linux 3.6: lazy, state allocated at first use with interrupts on',
    bugs: [F44, { id: 'F49' }, { id: NATIVE_CPU_UP_OWNER.id }, KVM_NM, F23],
    ...lazy('linux-3.6'),
  },
  {
    id: 'linux-4.1',
    title: 'Linux 4.1 without XSAVEOPT and MPX, or with eagerfpu=off: lazy, state allocated at first use',
    bugs: [ALTSTACK, F44],
    ...lazy('linux-4.1'),
  },
  {
    id: 'linux-4.1-eager',
    title: 'Linux 4.1 with XSAVEOPT or MPX, or with eagerfpu=on: eager, state allocated at execve()',
    bugs: [ALTSTACK, { id: 'F32' }],
    ...always('linux-4.1'),
  },
  {
    id: 'linux-4.2',
    title: 'Linux 4.2 to 4.5 without XSAVEOPT, or with eagerfpu=off: lazy, state embedded in the task',
    bugs: [ALTSTACK, WIPED, PV_CPU_UP],
    fixed: ['F32'],
    ...lazy('linux-4.2'),
  },
  {
    id: 'linux-4.2-eager',
    title: 'Linux 4.2 to 4.5 with XSAVEOPT or MPX, or with eagerfpu=on: eager, state embedded in the task',
    bugs: [ALTSTACK, WIPED, PV_CPU_UP, F45],
    fixed: ['F32'],
    ...always('linux-4.2'),
  },
  {
    id: 'linux-4.8',
    title: 'Linux 4.6 to 4.9: eager (execve() as in 4.8.15 and 4.9)',
    bugs: [ALTSTACK, WIPED, KTHREAD_PKRU, PV_CPU_UP, KVM_PKRU],
    fixed: ['F32'],
    ...always('linux-4.8'),
  },
  {
    id: 'linux-4.14',
    title: 'Linux 4.14 to 5.1 (KVM of 4.14): eager, and lazy switching is gone from the code',
    bugs: [ALTSTACK, WIPED, KTHREAD_PKRU, FRAME_32, FRAME_32_IRQ, PV_CPU_UP, F12],
    ...always('linux-4.14'),
  },
  {
    id: 'linux-5.2',
    title: 'Linux 5.2 with most of the bugs of its release: registers are loaded on the return to user code',
    bugs: [
      ALTSTACK,
      ...[...BUGS_5_2.base, ...BUGS_5_2.pkru].map((id) => ({ id })),
      WIPED,
      PV_CPU_UP,
      WRITE_PKRU,
      F12,
      ...KVM_5_2,
    ],
    ...deferred('linux-5.2', BUGS_5_2),
  },
  {
    id: 'linux-5.10',
    title: 'Linux 5.10, with the fixes that 5.2 to 5.13 got: registers are loaded on the return to user code',
    bugs: [ALTSTACK, WIPED, PV_CPU_UP, WRITE_PKRU],
    fixed: ['F01', 'F03', 'F05', 'F07', 'F08', 'F09'],
    ...deferred('linux-5.2'),
  },
  {
    id: 'linux-5.15',
    title: 'Linux 5.14 and 5.15: the same, PKRU apart',
    bugs: [PV_CPU_UP, PKRU_LOST],
    fixed: ['F04', 'F05', 'F11', 'F20'],
    ...deferred('linux-5.14'),
  },
  {
    id: 'linux-6.1',
    title: 'Linux 5.16 to 6.6: the same, fork() loads first; AMX tiles are enabled per task where there are some',
    bugs: [ACTIVATED, PV_CPU_UP, PKRU_LOST, XFD_STALE],
    fixed: ['F04', 'F05', 'F11', 'F14', 'F20', 'F36'],
    ...withDynamicXstate('linux-6.1'),
  },
  {
    id: 'linux-6.12',
    title: 'Linux 6.7 to 6.12: the same, flags are those of the old and the new task by name',
    bugs: [ACTIVATED, PV_CPU_UP, PKRU_LOST, XFD_STALE],
    fixed: ['F14', 'F20'],
    ...withDynamicXstate('linux-6.12'),
  },
  {
    id: 'rfc-2016',
    title: 'the RFC of October 2016 on Linux 4.8: TIF_LOAD_FPU, with what it left open closed',
    bugs: [ALTSTACK, WIPED, { id: 'pkru-deferred' }, PV_CPU_UP],
    parts: [{ policy: 'rfc-2016' }],
    patches: [],
    policies: () => [rfc2016()],
  },
  {
    id: 'rfc-2016-eager-pkru',
    title: 'the same with PKRU switched at once, without which the thread sees no way to be compatible with PKRU',
    bugs: [ALTSTACK, WIPED, PV_CPU_UP],
    parts: [{ policy: 'rfc-2016' }, { policy: 'eager-pkru', era: 'image' }],
    patches: [],
    policies: () => [rfc2016(), eagerPkru({ form: 'image', initPkru: 'all-keys' })],
  },
  {
    id: 'refresh-fpu',
    title: 'the straw man of the same thread: TIF_REFRESH_FPU, states 1, 2a and 2b',
    bugs: [ALTSTACK],
    parts: [{ policy: 'refresh-fpu' }],
    patches: [],
    policies: () => [refreshFpu()],
  },
];

/**
 * The preset with this id.
 *
 * @throws FpuError FPU504 when there is none
 */
export function presetOf(id: string): Preset {
  const found = PRESETS.find((preset) => preset.id === id);
  if (found) return found;
  const known = PRESETS.map((preset) => preset.id);
  throw new FpuError('FPU504', `no preset '${id}'; known: ${known.join(', ')}`, { id, known });
}
