/**
 * PKRU of host and guest: kvm_load_guest_xsave_state(), kvm_load_host_xsave_state(), arch/x86/kvm/x86.c of 5.10.13, 6.1.176 and 6.12.19. Before
 * 5.7 (37486135d3a7) the same in vmx_vcpu_run(), and only if the guest sets CR4.PKE.
 */
import {
  INIT,
  PKRU,
  group,
  hasComponent,
  slot,
  step,
  when,
  type Kernel,
  type PatchEdit,
  type Slot,
} from '@fpulab/core';

/** Marks steps that execute RDPKRU or WRPKRU. */
const WRPKRU = { instruction: 'pkru' } as const;

/** Slots and edits of a modifier. */
export interface KvmPart {
  readonly slots: readonly Slot[];
  readonly edits: readonly PatchEdit[];
}

/** The switch around guest mode, interrupts off; the host's value is sampled whenever the vCPU is loaded on a CPU. */
export function pkruSwitch(): KvmPart {
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
              (k) => hasPku(k) && differ(k),
              [step('write_pkru(vcpu->arch.pkru)', (k) => k.writeRegister(PKRU, k.read(guestPkru, k.task)), WRPKRU)],
            ),
          ]),
        ],
      },
      {
        edit: 'append',
        routine: 'hook:kvm-exit-guest',
        nodes: [
          group('kvm_load_host_xsave_state', [
            when(hasPku, [
              step('vcpu->arch.pkru = rdpkru()', (k) => k.write(guestPkru, k.task, k.readRegister(PKRU)), WRPKRU),
              when(differ, [
                step(
                  'write_pkru(vcpu->arch.host_pkru)',
                  (k) => k.writeRegister(PKRU, k.read(hostPkru, k.task)),
                  WRPKRU,
                ),
              ]),
            ]),
          ]),
        ],
      },
    ],
  };
}
