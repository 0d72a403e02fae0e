/** Bugs that KVM had between two of the kernels that are modelled, and what mends those that the modelled ones have. */
import { PKRU, hasComponent, step, when, type Kernel, type Patch, type RoutineNode } from '@fpulab/core';
import { KVM_UNDER_KERNEL_FPU } from './under-kernel-fpu';
import { KVM_XCR0_PUT } from '../kvm-xcr0';
import { mustLoadByName } from '../load-fpu-deferral/context';

const XSAVE = { instruction: 'xsave' } as const;

/** Linux 5.2 before the revert: the thread's own image keeps its registers, and is where the guest's go when the thread is preempted. */
export const KVM_USER_IN_THREAD_FPU: Patch = {
  id: 'kvm-user-in-thread-fpu',
  title: 'KVM_RUN keeps the user’s registers in thread.fpu, which the next context switch overwrites with the guest’s',
  source:
    '240c35a3783a "kvm: x86: Use task structs fpu field for user", reverted by ec269475cba7 because "QEMU\'s FPU state" was destroyed',
  edits: [
    {
      edit: 'replace',
      routine: 'hook:kvm-run-begin',
      step: 'kvm_save_current_fpu(user_fpu)',
      nodes: [
        when(
          (k) => !mustLoadByName(k),
          [step('save_fpregs_to_fpstate(thread.fpu)', (k) => void k.save(k.fpstateOf(k.task)), XSAVE)],
        ),
      ],
    },
    {
      edit: 'replace',
      routine: 'hook:kvm-run-end',
      step: 'load user_fpu',
      nodes: [step('load thread.fpu', (k) => void k.restore(k.fpstateOf(k.task)), XSAVE)],
    },
  ],
};

/** Linux 5.2 to 5.5: what an interrupt's kernel FPU section left in the registers is taken for the guest's. */
export const KVM_PUT_IGNORES_FLAG: Patch = {
  id: 'kvm-put-ignores-flag',
  title: 'KVM saves the registers as the guest’s at the end of KVM_RUN without asking for TIF_NEED_FPU_LOAD',
  source:
    '2620fe268e80, whose message tells that kvm_put_guest_fpu() "failed to account for TIF_NEED_FPU_LOAD"; read in 5.2.1',
  edits: [
    {
      edit: 'replace',
      routine: 'hook:kvm-run-end',
      step: 'kvm_save_current_fpu(guest_fpu)',
      nodes: [step('copy_fpregs_to_fpstate(guest_fpu)', (k) => void k.save(k.fpstateOf(k.task, 'guest')), XSAVE)],
    },
  ],
};

const WRPKRU = { instruction: 'pkru' } as const;
const pkruSlot = (k: Kernel, whose: 'pkru' | 'host_pkru') => k.slotNamed(`vcpu->arch.${whose}`);
const write = (name: string, whose: 'pkru' | 'host_pkru'): RoutineNode =>
  step(name, (k) => k.writeRegister(PKRU, k.read(pkruSlot(k, whose), k.task)), WRPKRU);
const reachesByXcr0 = (k: Kernel): boolean => hasComponent(k.xfeatures, PKRU) && !k.setsPke(k.guestOf(k.task));

/** F12 mended where CR4.PKE alone is asked for: what XCR0 lets a guest reach is switched, too. */
const KVM_PKRU_BY_XCR0: Patch = {
  id: 'kvm-pkru-by-xcr0',
  title: 'PKRU of host and guest is switched for guests that leave CR4.PKE clear, too',
  source:
    '37486135d3a7 "KVM: x86: Fix pkru save/restore when guest CR4.PKE=0, move it to x86.c", on the code of 4.14.74',
  edits: [
    {
      edit: 'append',
      routine: 'hook:kvm-enter-guest',
      nodes: [when(reachesByXcr0, [write('by XCR0: write_pkru(vcpu->arch.pkru)', 'pkru')])],
    },
    {
      edit: 'append',
      routine: 'hook:kvm-exit-guest',
      nodes: [
        when(reachesByXcr0, [
          step('by XCR0: rdpkru()', (k) => k.write(pkruSlot(k, 'pkru'), k.task, k.readRegister(PKRU)), WRPKRU),
          write('by XCR0: write_pkru(vcpu->arch.host_pkru)', 'host_pkru'),
        ]),
      ],
    },
  ],
};

/** Up to 4.12 the host's PKRU has to come back after the guest's image was loaded. */
const keepsHostPkru = (hook: 'kvm-prepare-guest' | 'kvm-get-fpu'): Patch['edits'][number] => ({
  edit: 'append',
  routine: `hook:${hook}`,
  nodes: [when((k) => hasComponent(k.xfeatures, PKRU), [write('write_pkru(host_pkru) after the load', 'host_pkru')])],
});

const KVM_HOST_PKRU_KEPT: Patch = {
  id: 'kvm-host-pkru-kept',
  title: 'the host’s PKRU does not come from the guest’s image',
  source:
    '38cfd5e3df9c "KVM, pkeys: do not use PKRU value in vcpu->arch.guest_fpu.state", to the same effect on the code of 4.8.15',
  edits: [keepsHostPkru('kvm-prepare-guest'), keepsHostPkru('kvm-get-fpu')],
};

/** What linux-5.2 has. */
export const KVM_BUGS_5_2: readonly Patch[] = [KVM_USER_IN_THREAD_FPU, KVM_PUT_IGNORES_FLAG];

/** All of them. */
export const KVM_PATCHES: readonly Patch[] = [
  ...KVM_BUGS_5_2,
  KVM_PKRU_BY_XCR0,
  KVM_HOST_PKRU_KEPT,
  KVM_UNDER_KERNEL_FPU,
  KVM_XCR0_PUT,
];
