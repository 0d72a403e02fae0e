/**
 * PKRU of host and guest: kvm_load_guest_xsave_state(), kvm_load_host_xsave_state(), arch/x86/kvm/x86.c of 5.10.13, 6.1.176 and 6.12.19. Before
 * 5.7 (37486135d3a7) the same in vmx_vcpu_run(): in 4.14.74 and 5.2.1 only if the guest sets CR4.PKE, in 4.8.15 and 4.12.4 always.
 */
import {
  INIT,
  KERNEL_FPU_SECTION,
  PKRU,
  group,
  hasComponent,
  slot,
  step,
  when,
  type Kernel,
  type PatchEdit,
  type RoutineNode,
  type Slot,
} from '@fpulab/core';

/** Marks steps that execute RDPKRU or WRPKRU. */
const WRPKRU = { instruction: 'pkru' } as const;

/** What differs between kernels. */
export interface PkruForm {
  /** XCR0 of guests has PKRU wherever there is one, so that asking for XCR0 or CR4.PKE says yes. */
  readonly asks: 'cr4-pke' | 'xcr0';
  readonly underKernelFpu: boolean;
}

/** Slots and edits of a modifier. */
export interface KvmPart {
  readonly slots: readonly Slot[];
  readonly edits: readonly PatchEdit[];
}

/**
 * The switch around guest mode, interrupts off; the host's value is sampled whenever the vCPU is loaded on a CPU.
 *
 * @param form `cr4-pke`: only if the guest sets CR4.PKE, in vmx_vcpu_run() (F12); `underKernelFpu`: between __kernel_fpu_begin() and
 *   __kernel_fpu_end(), as before 4.15
 */
export function pkruSwitch({ asks, underKernelFpu }: PkruForm): KvmPart {
  const reaches = (k: Kernel): boolean => asks === 'xcr0' || k.setsPke(k.guestOf(k.task));
  const inSection = (nodes: readonly RoutineNode[]): readonly RoutineNode[] =>
    underKernelFpu ? [group(KERNEL_FPU_SECTION, nodes)] : nodes;
  const guestPkru = slot.taskValue('vcpu->arch.pkru', PKRU, INIT);
  const hostPkru = slot.taskValue('vcpu->arch.host_pkru', PKRU, INIT);
  const hasPku = (k: Kernel): boolean => hasComponent(k.xfeatures, PKRU);
  const differ = (k: Kernel): boolean => k.read(guestPkru, k.task) !== k.read(hostPkru, k.task);
  return {
    slots: [guestPkru, hostPkru],
    edits: [
      {
        edit: 'append',
        routine: 'hook:kvm-vcpu-load',
        nodes: [
          when(hasPku, [
            step('host_pkru = read_pkru()', (k) => k.write(hostPkru, k.task, k.readRegister(PKRU)), WRPKRU),
          ]),
        ],
      },
      {
        edit: 'append',
        routine: 'hook:kvm-enter-guest',
        nodes: [
          group('kvm_load_guest_xsave_state', [
            when(
              (k) => hasPku(k) && reaches(k) && differ(k),
              inSection([
                step('write_pkru(vcpu->arch.pkru)', (k) => k.writeRegister(PKRU, k.read(guestPkru, k.task)), WRPKRU),
              ]),
            ),
          ]),
        ],
      },
      {
        edit: 'append',
        routine: 'hook:kvm-exit-guest',
        nodes: [
          group('kvm_load_host_xsave_state', [
            when(
              (k) => hasPku(k) && reaches(k),
              inSection([
                step('vcpu->arch.pkru = rdpkru()', (k) => k.write(guestPkru, k.task, k.readRegister(PKRU)), WRPKRU),
                when(differ, [
                  step(
                    'write_pkru(vcpu->arch.host_pkru)',
                    (k) => k.writeRegister(PKRU, k.read(hostPkru, k.task)),
                    WRPKRU,
                  ),
                ]),
              ]),
            ),
          ]),
        ],
      },
    ],
  };
}
