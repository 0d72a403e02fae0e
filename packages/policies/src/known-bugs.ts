/** What is known of the bugs that presets have: where they show, and the same kernels without them. */
import { ALTSTACK_CHECKED } from './altstack-checked';
import { FNSAVE_RELOADS, bugOf } from './bugs';
import { NATIVE_CPU_UP_OWNER, PKRU_SUSPEND, XEN_CPU_UP_OWNER, XFD_RESUME_COPY } from './cpu-up-fixes';
import { RESTORE_BH_OFF, RESTORE_IRQS_OFF } from './eager';
import { WRITE_PKRU_LOCKED } from './eager-pkru';
import { PREEMPT_SAFE_UNLAZY } from './lazy-cr0-ts';
import { ACTIVATED_ENDS_AT_EXEC } from './pasid';

/** A bug that some preset has. */
export interface KnownBug {
  /** As in `Preset.bugs`. */
  readonly id: string;
  readonly title: string;
  /** Who found it, or what mended it. */
  readonly source: string;
  /** True where it follows from the kernel's source, and no report of it is known. */
  readonly derived: boolean;
  /** Scenarios of the catalogue in which some of its kernels violate something by it, or any of them. */
  readonly scenarios: readonly string[] | 'any';
  /** It takes an interrupt. */
  readonly byInterrupt: boolean;
}

/** A kernel without the bugs that its preset has. */
export interface Mended {
  readonly preset: string;
  /** Patches on it, by id. */
  readonly patches: readonly string[];
}

type Own = Omit<KnownBug, 'derived' | 'byInterrupt'> & Partial<KnownBug>;

const known = (bug: Own): KnownBug => ({ derived: false, byInterrupt: false, ...bug });

/** One of the museum. */
const ofMuseum = (id: string, own: Partial<KnownBug> & Pick<KnownBug, 'scenarios'>): KnownBug => {
  const { title, source } = bugOf(id);
  return known({ id, title, source, ...own });
};

/** Scenarios in which frames fault. */
const FRAMES = [
  ...['signals', 'frame-fails', 'signal-fault', 'sigreturn-fault', 'signal-irq'],
  ...['ia32-frames', 'x32-frames', 'frame-unmapped', 'altstack', 'avx-signal'],
];

/** Scenarios in which a thread that runs a guest is switched out. */
const KVM = ['kvm-run', 'kvm-emulation', 'kvm-migration', 'kvm-cr3', 'kvm-xcr0', 'kvm-pkru', 'kvm-pkru-changed'];

/** Every bug that a preset lists, once. */
export const KNOWN_BUGS: readonly KnownBug[] = [
  ofMuseum('F01', { scenarios: [...FRAMES, 'signals-preempted'] }),
  ofMuseum('F03', { scenarios: FRAMES }),
  ofMuseum('F05', { scenarios: 'any', byInterrupt: true }),
  ofMuseum('F07', { scenarios: ['protection-keys', 'pkru-switch', 'kernel-fpu-pkru'] }),
  ofMuseum('F12', { scenarios: ['kvm-pkru-without-pke'] }),
  ofMuseum('F23', { scenarios: ['kvm-xcr0'] }),
  ofMuseum('F32', { scenarios: ['ptrace-headers', 'ptrace-refused'] }),
  ofMuseum('F42', { scenarios: ['signals', 'signals-preempted', 'sigreturn-fault', 'ia32-preempted'] }),
  ofMuseum('F44', { scenarios: ['xen-pv-leak'] }),
  ofMuseum('F45', { scenarios: ['x87-only'] }),
  ofMuseum('F49', { scenarios: FRAMES }),
  known({
    id: PREEMPT_SAFE_UNLAZY.id,
    title: 'preempted between TS_USEDFPU and CR0.TS in unlazy_fpu() and clear_fpu()',
    source: PREEMPT_SAFE_UNLAZY.source,
    scenarios: [
      'core-dump',
      'fork-exec-exit',
      'exec-migration',
      'preemption',
      'interrupts',
      'signals',
      'sigreturn-fault',
      'ia32-preempted',
    ],
  }),
  known({
    id: '43be46e89698',
    title: "a tracer's image that is refused costs the target all it had",
    source: '43be46e89698 "x86/fpu: Sanitize xstateregs_set()", 5.14',
    scenarios: ['ptrace-refused'],
  }),
  known({
    id: ACTIVATED_ENDS_AT_EXEC.id,
    title: 'execve() takes the PASID away and leaves pasid_activated set: the first ENQCMD of the new program is fatal',
    source: 'Linux 6.1.176 fpu_flush_thread(), try_fixup_enqcmd_gp()',
    derived: true,
    scenarios: ['enqcmd-exec'],
  }),
  known({
    id: RESTORE_BH_OFF.id,
    title: 'a context switch between `initialized = 1` and the restore of a 32-bit frame saves old registers over it',
    source: RESTORE_BH_OFF.source,
    scenarios: ['ia32-preempted', 'ia32-frames'],
  }),
  known({
    id: RESTORE_IRQS_OFF.id,
    title: 'a kernel FPU section of a hardirq at the same place does so, too, whether bottom halves are off or not',
    source: 'Linux 4.14.74 __fpu__restore_sig(), __kernel_fpu_begin()',
    derived: true,
    scenarios: ['ia32-preempted', 'ia32-frames', 'ia32-irq'],
    byInterrupt: true,
  }),
  known({
    id: '2beb4a53fc3f',
    title: 'a signal frame that does not fit the alternate stack is written below it',
    source: '2beb4a53fc3f, 5.14; before, get_sigframe() looks only where the handler interrupts one on the same stack',
    scenarios: ['altstack'],
  }),
  known({
    id: '38cfd5e3df9c',
    title: "KVM loads the guest's image with the PKRU of the host that it was saved with",
    source: '38cfd5e3df9c "KVM, pkeys: do not use PKRU value in vcpu->arch.guest_fpu.state"; not in 4.12.4, in 4.14.74',
    scenarios: ['kvm-pkru-changed'],
  }),
  known({
    id: 'ec269475cba7',
    title: "KVM_RUN keeps the user's registers where a context switch puts the guest's",
    source: 'ec269475cba7, which reverts 240c35a3783a "kvm: x86: Use task structs fpu field for user"',
    scenarios: KVM,
  }),
  known({
    id: '2620fe268e80',
    title: "KVM takes what a kernel FPU section left in the registers for the guest's",
    source: '2620fe268e80, the message; read in 5.2.1',
    scenarios: KVM,
  }),
  known({
    id: 'kvm-load-guest-nm',
    title:
      "KVM loads the guest's registers under CR0.TS: #NM gives the thread its own, and the next switch saves the guest's as the thread's",
    source:
      'Linux 3.6 kvm_load_guest_fpu(); 3.7: "x86, kvm: use kernel_fpu_begin/end() in kvm_load/put_guest_fpu()", b1a74bf82123',
    scenarios: KVM,
  }),
  known({
    id: 'pkru-of-kernel-threads',
    title: 'kernel threads access borrowed memory under the PKRU that the last user task has left',
    source:
      'Linux 4.8.15 and 4.14.74 __switch_to(): nobody sets PKRU for a kernel thread; 5.2 does, in switch_fpu_finish()',
    derived: true,
    scenarios: ['protection-keys'],
  }),
  known({
    id: 'pkru-deferred',
    title: "the kernel accesses a task's memory before the task's PKRU is loaded",
    source:
      'LKML, October 2016, in the thread of the RFC: no way to be compatible with PKRU without switching to eager-switched PKRU',
    scenarios: ['protection-keys', 'kernel-fpu-pkru', 'io-worker', 'pkru-switch', 'pkru-deferred'],
  }),
  known({
    id: NATIVE_CPU_UP_OWNER.id,
    title: 'after suspend a task is told that the registers of a secondary CPU, which lost their power, are its own',
    source: 'Linux 3.6 native_cpu_up(); mended between 3.6 and 4.1.27, which resets the owner there',
    scenarios: ['suspend'],
  }),
  known({
    id: XEN_CPU_UP_OWNER.id,
    title: 'a vCPU of Xen PV that comes up again executes FNINIT, and its owner is told that the registers are its own',
    source:
      'cpu_bringup() of Linux 4.8.15 arch/x86/xen/smp.c, and of 4.14.74 to 6.12.19 smp_pv.c; fpu__init_cpu_generic()',
    derived: true,
    scenarios: ['cpu-hotplug'],
  }),
  known({
    id: PKRU_SUSPEND.id,
    title: 'suspend loses the PKRU of the task that asked for it',
    source:
      'Linux 6.1.176 and 6.12.19 arch/x86/power/cpu.c, which knows nothing of PKRU, and images without it since 5.14',
    derived: true,
    scenarios: ['suspend-pkru'],
  }),
  known({
    id: XFD_RESUME_COPY.id,
    title: 'fpu__resume_cpu() writes IA32_XFD and not its copy',
    source: 'Linux 6.1.176 and 6.12.19 arch/x86/kernel/fpu/xstate.c fpu__resume_cpu()',
    derived: true,
    scenarios: ['suspend-amx'],
  }),
  known({
    id: WRITE_PKRU_LOCKED.id,
    title: 'pkey_alloc() of a task that is preempted, or has PKRU 0, is undone by the return to user code',
    source: 'Linux 5.2.1 and 5.10.13 arch/x86/include/asm/pgtable.h write_pkru(), get_xsave_addr()',
    derived: true,
    scenarios: ['pkey-update'],
  }),
];

/** Whether a bug can show in a scenario of the catalogue, by id. */
export function showsIn({ scenarios }: KnownBug, scenario: string): boolean {
  return scenarios === 'any' || scenarios.includes(scenario);
}

const REFUSED = 'refused-image-keeps';
const PV_CPU_UP = XEN_CPU_UP_OWNER.id;
const ALTSTACK = ALTSTACK_CHECKED.id;
const SUSPEND = [PV_CPU_UP, PKRU_SUSPEND.id];

/** By preset. Those that are not named have no bugs that are known. */
export const MENDED: Readonly<Record<string, Mended>> = {
  'linux-2.6.32': {
    preset: 'linux-2.6.32',
    patches: ['guest-fix', 'preempt-safe-sigframe', 'preempt-safe-unlazy', 'frame-first-2.6.32'],
  },
  'linux-3.6': {
    preset: 'linux-3.6',
    patches: ['guest-fix', 'frame-first-3.6', NATIVE_CPU_UP_OWNER.id, 'kvm-under-kernel-fpu', 'kvm-xcr0-put'],
  },
  'linux-4.1': { preset: 'linux-4.1', patches: ['guest-fix', ALTSTACK] },
  'linux-4.1-eager': { preset: 'linux-4.1-eager', patches: ['xcomp-bv-cleared', ALTSTACK] },
  'linux-4.2': { preset: 'linux-4.2', patches: [REFUSED, PV_CPU_UP, ALTSTACK] },
  'linux-4.2-eager': { preset: 'linux-4.2-eager', patches: [REFUSED, PV_CPU_UP, ALTSTACK, FNSAVE_RELOADS.id] },
  'linux-4.8': {
    preset: 'linux-4.8',
    patches: [REFUSED, 'pkru-at-switch-4.8', 'kvm-host-pkru-kept', PV_CPU_UP, ALTSTACK],
  },
  'linux-4.14': {
    preset: 'linux-4.14',
    patches: [REFUSED, 'pkru-at-switch-4.14', RESTORE_IRQS_OFF.id, 'kvm-pkru-by-xcr0', PV_CPU_UP, ALTSTACK],
  },
  'linux-5.2': { preset: 'linux-5.10', patches: [REFUSED, PV_CPU_UP, ALTSTACK, WRITE_PKRU_LOCKED.id] },
  'linux-5.10': { preset: 'linux-5.10', patches: [REFUSED, PV_CPU_UP, ALTSTACK, WRITE_PKRU_LOCKED.id] },
  'linux-5.15': { preset: 'linux-5.15', patches: SUSPEND },
  'linux-6.1': { preset: 'linux-6.1', patches: [ACTIVATED_ENDS_AT_EXEC.id, ...SUSPEND, XFD_RESUME_COPY.id] },
  'linux-6.12': { preset: 'linux-6.12', patches: [ACTIVATED_ENDS_AT_EXEC.id, ...SUSPEND, XFD_RESUME_COPY.id] },
  'rfc-2016': { preset: 'rfc-2016-eager-pkru', patches: [REFUSED, PV_CPU_UP, ALTSTACK] },
  'rfc-2016-eager-pkru': { preset: 'rfc-2016-eager-pkru', patches: [REFUSED, PV_CPU_UP, ALTSTACK] },
  'refresh-fpu': { preset: 'refresh-fpu', patches: [ALTSTACK] },
};
