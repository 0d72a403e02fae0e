/** Points at which the kernel asks its policy, and the machine its platform, to act. */

/** Hooks that the kernel skeleton asks of a policy. */
export const POLICY_HOOKS = [
  'switch-out',
  'switch-in',
  'trap-nm',
  'trap-gp',
  'irq-fpu-usable',
  'kernel-fpu-begin',
  'kernel-fpu-end',
  'fork',
  'exec',
  'exit',
  'exit-to-user-prepare',
  'exit-to-user',
  'signal-save',
  'signal-clear',
  'signal-restore',
  'signal-save-ia32',
  'signal-restore-ia32',
  'ptrace-read',
  'ptrace-write',
  'core-dump',
  'cpu-up',
  'kernel-fpu-section',
  'use-mm',
  'unuse-mm',
  'idle',
  'request-xcomp-perm',
  'sigaltstack',
  'sva-bound',
  'kvm-vcpu-load',
  'kvm-vcpu-put',
  'kvm-run-begin',
  'kvm-run-end',
  'kvm-requests',
  'kvm-prepare-guest',
  'kvm-requests-pending',
  'kvm-enter-guest',
  'kvm-exit-guest',
  'kvm-get-fpu',
  'kvm-put-fpu',
  'kvm-guest-nm',
  'kvm-guest-cr3',
  'call-function',
  'native-cpu-up',
  'cpu-init',
  'cpu-suspend',
  'cpu-resume',
  'pkey-access',
] as const;

/** A hook of a policy. */
export type PolicyHook = (typeof POLICY_HOOKS)[number];

/** Hooks that nobody has to own. */
export const OPTIONAL_HOOKS: readonly PolicyHook[] = [
  'trap-gp',
  'exit-to-user-prepare',
  'exit-to-user',
  'signal-save',
  'signal-clear',
  'signal-restore',
  'signal-save-ia32',
  'signal-restore-ia32',
  'ptrace-read',
  'ptrace-write',
  'core-dump',
  'cpu-up',
  'kernel-fpu-section',
  'use-mm',
  'unuse-mm',
  'idle',
  'request-xcomp-perm',
  'sigaltstack',
  'sva-bound',
  'kvm-vcpu-load',
  'kvm-vcpu-put',
  'kvm-run-begin',
  'kvm-run-end',
  'kvm-requests',
  'kvm-prepare-guest',
  'kvm-requests-pending',
  'kvm-enter-guest',
  'kvm-exit-guest',
  'kvm-get-fpu',
  'kvm-put-fpu',
  'kvm-guest-nm',
  'kvm-guest-cr3',
  'call-function',
  'native-cpu-up',
  'cpu-init',
  'cpu-suspend',
  'cpu-resume',
  'pkey-access',
];

/** Hooks that the machine asks of a platform. None has to be owned: hardware does something by itself. */
export const PLATFORM_HOOKS = [
  'nm-raised',
  'context-switch-start',
  'context-switch-end',
  'halt',
  'vcpu-preempted',
  'suspend',
] as const;

/** A hook of a platform. */
export type PlatformHook = (typeof PLATFORM_HOOKS)[number];

/** The answer to a hook that is left alone on purpose. */
export const NOTHING = 'nothing';
