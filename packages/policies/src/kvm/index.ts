/** KVM: what a kernel does with the registers of a thread that runs a guest. */
import type { BasePolicy, ModifierPolicy } from '@fpulab/core';
import type { EagerEra } from '../eager';
import type { LazyEra } from '../lazy-cr0-ts';
import type { DeferralEra } from '../load-fpu-deferral';
import { deferralEdits } from './deferral';
import { lazyPart } from './lazy';
import { linux2632Part } from './linux-2.6.32';
import { notifierPart } from './notifiers';
import { pkruSwitch, type KvmPart } from './pkru';

/** Kernels whose KVM is modelled, as the eras of their policies. */
export type KvmEra = DeferralEra | EagerEra | LazyEra;

/** What KVM of one kernel does on one base policy. */
interface Form {
  readonly source: string;
  readonly parts: readonly KvmPart[];
  /** It has an image for what the thread had. */
  readonly hasUserImage: boolean;
}

const LAZY_SOURCES: Readonly<Record<LazyEra, string>> = {
  'linux-2.6.32': 'Linux 2.6.32.2 arch/x86/kvm/x86.c, vmx.c',
  'linux-3.6': 'Linux 3.6 arch/x86/kvm/x86.c, vmx.c',
  'linux-4.1': 'Linux 4.1.27 arch/x86/kvm/x86.c, vmx.c, kernel/i387.c __kernel_fpu_begin(), __kernel_fpu_end()',
  'linux-4.2': 'Linux 4.1.27 arch/x86/kvm/x86.c, vmx.c, with __kernel_fpu_begin(), __kernel_fpu_end() of 4.8.15',
  'linux-4.8': 'Linux 4.8.15 arch/x86/kvm/x86.c, vmx.c, kernel/fpu/core.c, with eagerfpu=off',
};

const SOURCES: Readonly<Record<DeferralEra | EagerEra, string>> = {
  'linux-4.1': 'Linux 4.1.27 arch/x86/kvm/x86.c, kernel/i387.c __kernel_fpu_begin(), __kernel_fpu_end()',
  'linux-4.2': 'Linux 4.1.27 arch/x86/kvm/x86.c, with __kernel_fpu_begin(), __kernel_fpu_end() of 4.8.15',
  'linux-4.8': 'Linux 4.8.15 arch/x86/kvm/x86.c, vmx.c, kernel/fpu/core.c',
  'linux-4.14': 'Linux 4.14.74 arch/x86/kvm/x86.c, vmx.c, with kernel/fpu/core.c',
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
  const { source, parts, hasUserImage } =
    base.id === 'lazy-cr0-ts' ? lazyForm(base, era as LazyEra) : otherForm(base, era as EagerEra | DeferralEra);
  return {
    kind: 'modifier',
    id: 'kvm',
    title: 'threads run guests of KVM',
    source,
    onlyWithGuests: true,
    fpstates: hasUserImage ? ['guest', 'user'] : ['guest'],
    slots: parts.flatMap(({ slots }) => slots),
    routines: [],
    edits: parts.flatMap(({ edits }) => edits),
  };
}

/** Lazy kernels enable no PKRU. */
function lazyForm(base: BasePolicy, era: LazyEra): Form {
  const source = LAZY_SOURCES[era];
  if (era === 'linux-2.6.32') return { source, parts: [linux2632Part(base)], hasUserImage: true };
  return { source, parts: [lazyPart(base, era)], hasUserImage: false };
}

function otherForm(base: BasePolicy, era: EagerEra | DeferralEra): Form {
  const source = SOURCES[era];
  if (era === 'linux-4.1' || era === 'linux-4.2' || era === 'linux-4.8' || era === 'linux-4.14') {
    const asks = era === 'linux-4.14' ? 'cr4-pke' : 'xcr0';
    return {
      source,
      parts: [notifierPart(base, era), pkruSwitch({ asks, underKernelFpu: true })],
      hasUserImage: false,
    };
  }
  return {
    source,
    parts: [{ slots: [], edits: deferralEdits(base, era) }, pkruSwitch({ asks: 'xcr0', underKernelFpu: false })],
    hasUserImage: era === 'linux-5.2' || era === 'linux-5.14',
  };
}
