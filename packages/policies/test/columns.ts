/** The columns of the table of kernel generations by hooks: the hooks of each, and which kernels have a cell there. */
import type { PolicyHook } from '@fpulab/core';
import { KERNELS, type KernelName, type Row } from './cells';
import { KVM_KERNELS, KVM_SITUATIONS } from './kvm/situations';
import { NATIVE_CPU_UP_ROWS, SUSPEND_ROWS, XEN_CPU_UP_ROWS } from './rows/hotplug';
import { KVM_ROWS } from './rows/kvm';
import { EAGER, LAZY, SITUATIONS } from './situations';

/** One of them. */
export interface Column {
  readonly hooks: readonly PolicyHook[];
  /** Kernels with cells. */
  readonly kernels: readonly KernelName[];
  /** Kernels that leave these hooks alone. */
  readonly unanswered: readonly KernelName[];
  /** Kernels without a cell, and why. */
  readonly none: Readonly<Partial<Record<KernelName, string>>>;
}

const ALL = Object.keys(KERNELS) as readonly KernelName[];

/** Cells among the situations whose names begin so. */
const situations = (
  name: string,
  hooks: readonly PolicyHook[],
  { unanswered = [], none = {} }: Partial<Pick<Column, 'unanswered' | 'none'>> = {},
): Column => ({
  hooks,
  kernels: Object.entries(SITUATIONS).flatMap(([situation, { kernels }]) =>
    situation.startsWith(name) ? kernels : [],
  ),
  unanswered,
  none,
});

/** Cells that are rows of hotplug/cells.test.ts. */
const rows = (hooks: readonly PolicyHook[], cells: readonly Row[]): Column => ({
  hooks,
  kernels: cells.flatMap(([names]) => names.split(', ') as KernelName[]),
  unanswered: [],
  none: {},
});

/** KVM's table has presets; a kernel is that whose policy the preset has. */
const kernelsOf = (preset: string): readonly KernelName[] => {
  const [{ title }] = KVM_KERNELS[preset]();
  return ALL.filter((kernel) => KERNELS[kernel]().title === title);
};

/** Cells among the rows of kvm/table.test.ts that are answers to these hooks. */
const kvm = (hooks: readonly PolicyHook[], none: Column['none'] = {}): Column => ({
  hooks,
  kernels: Object.entries(KVM_SITUATIONS)
    .filter(([, { hook }]) => hooks.includes(hook))
    .flatMap(([name]) => KVM_ROWS[name].flatMap(([names]) => names.split(', ').flatMap(kernelsOf))),
  unanswered: [],
  none: { 'rfc-2016': 'its KVM part is not modelled', 'refresh-fpu': 'the mail says nothing of KVM', ...none },
});

/** All of them, by name. */
export const COLUMNS: Readonly<Record<string, Column>> = {
  'switch-out': situations('switch-out', ['switch-out']),
  'switch-in': situations('switch-in', ['switch-in']),
  '#NM': situations('#NM', ['trap-nm'], {
    none: {
      'linux-4.1 eager': 'a BUG: eager/other-eras.test.ts',
      'linux-4.2 eager': 'a BUG: eager/other-eras.test.ts',
      'linux-4.8 eager': 'never happens: eager/eager.test.ts',
      'rfc-2016': 'never happens: rfc-2016.test.ts',
    },
  }),
  'exit to user': situations('exit to user', ['exit-to-user-prepare', 'exit-to-user'], {
    unanswered: [...LAZY, ...EAGER],
  }),
  kernel_fpu_begin: situations('kernel_fpu_begin', ['kernel-fpu-begin']),
  kernel_fpu_end: situations('kernel_fpu_end', ['kernel-fpu-end']),
  fork: situations('fork', ['fork']),
  exec: situations('exec', ['exec']),
  exit: situations('exit,', ['exit']),
  'signal delivery': situations('signal delivery', ['signal-save', 'signal-clear']),
  sigreturn: situations('sigreturn', ['signal-restore']),
  'ia32 signal delivery': situations('ia32 signal delivery', ['signal-save-ia32']),
  'ia32 sigreturn': situations('ia32 sigreturn', ['signal-restore-ia32']),
  'ptrace read': situations('ptrace read', ['ptrace-read']),
  'ptrace write': situations('ptrace write', ['ptrace-write']),
  'core dump': situations('core dump', ['core-dump']),
  'kthread runs': situations('kthread runs', []),
  // PKRU and tiles are dealt with by modifiers, which have tests of their own.
  kthread_use_mm: situations('kthread_use_mm', ['use-mm', 'unuse-mm'], { unanswered: ALL }),
  idle: situations('idle', ['idle'], { unanswered: ALL }),
  'CPU up': situations('CPU up', ['cpu-up'], { unanswered: LAZY }),
  'CPU up again, native': rows(['native-cpu-up', 'cpu-init'], NATIVE_CPU_UP_ROWS),
  'CPU up again, Xen PV': rows(['cpu-init'], XEN_CPU_UP_ROWS),
  suspend: rows(['cpu-suspend', 'cpu-resume'], SUSPEND_ROWS),
  'KVM_RUN enter': kvm(['kvm-run-begin', 'kvm-prepare-guest']),
  'VM entry': kvm(['kvm-enter-guest']),
  'VM exit': kvm(['kvm-exit-guest']),
  'KVM_RUN leave': kvm(['kvm-vcpu-put', 'kvm-run-end']),
  'XSETBV of the guest': kvm(['kvm-guest-xsetbv'], { 'linux-2.6.32': 'guests have no XSAVE' }),
  'KVM emulates': kvm(['kvm-get-fpu', 'kvm-put-fpu'], { 'linux-2.6.32': 'emulates no SSE instruction' }),
};

/** Hooks without a column, and where they are tested. */
export const NO_COLUMN: Readonly<Partial<Record<PolicyHook, string>>> = {
  'irq-fpu-usable': 'irq-fpu-usable.test.ts and those of each policy: an answer, no change',
  'kernel-fpu-section': 'eager-pkru, for what runs in the section',
  'pkey-access': 'eager-pkru',
  'trap-gp': 'pasid',
  'sva-bound': 'pasid',
  'call-function': 'pasid',

  'request-xcomp-perm': 'dynamic-xstate',
  sigaltstack: 'dynamic-xstate',
  'kvm-vcpu-load': 'kvm: samples PKRU',
  'kvm-requests': 'kvm/table.test.ts: lazy kernels alone',
  'kvm-requests-pending': 'kvm/table.test.ts: lazy kernels alone',
  'kvm-guest-nm': 'kvm/table.test.ts: lazy kernels alone',
  'kvm-guest-cr3': 'kvm/table.test.ts: lazy kernels alone',
};
