/** KVM: what a kernel does with the registers of a thread that runs a guest. */
import type { BasePolicy, ModifierPolicy } from '@fpulab/core';
import type { DeferralEra } from '../load-fpu-deferral';
import { deferralEdits } from './deferral';
import { pkruSwitch } from './pkru';

/** Kernels whose KVM is modelled, as the eras of their policies. */
export type KvmEra = DeferralEra;

const SOURCES: Readonly<Record<KvmEra, string>> = {
  'linux-5.2': 'Linux 5.10.13 arch/x86/kvm/x86.c, emulate.c',
  'linux-5.14': 'Linux 5.10.13 arch/x86/kvm/x86.c with the restore masks of 5.14',
  'linux-6.1': 'Linux 6.1.176 arch/x86/kvm/x86.c, kernel/fpu/core.c fpu_swap_kvm_fpstate()',
  'linux-6.12': 'Linux 6.12.19 arch/x86/kvm/x86.c, fpu.h, kernel/fpu/core.c fpu_swap_kvm_fpstate()',
};

/**
 * The host's side of KVM, as a modifier of the policy of the same kernel. It is left out where no scenario task runs a guest.
 *
 * @param base the policy that it modifies, of the same machine: it reads and writes its slots
 * @throws FpuError FPU203 when the policy is not of that era
 */
export function kvm(base: BasePolicy, { era }: { readonly era: KvmEra }): ModifierPolicy {
  const pkru = pkruSwitch();
  return {
    kind: 'modifier',
    id: 'kvm',
    title: 'threads run guests of KVM',
    source: SOURCES[era],
    onlyWithGuests: true,
    fpstates: era === 'linux-5.2' || era === 'linux-5.14' ? ['guest', 'user'] : ['guest'],
    slots: pkru.slots,
    routines: [],
    edits: [...deferralEdits(base, era), ...pkru.edits],
  };
}
