import { PKRU, step, when, type Kernel, type PatchEdit } from '@fpulab/core';
import type { Bug } from './bug';

const WRPKRU = { instruction: 'pkru' } as const;
const setsPke = (k: Kernel): boolean => k.setsPke(k.guestOf(k.task));

/** The step, but only for a guest that sets CR4.PKE. */
const onlyWithPke = (routine: string, name: string, run: (k: Kernel) => void): PatchEdit => ({
  edit: 'replace',
  routine,
  step: name,
  nodes: [when(setsPke, [step(`CR4.PKE: ${name}`, run, WRPKRU)])],
});

const slotOf = (k: Kernel, whose: 'pkru' | 'host_pkru') => k.slotNamed(`vcpu->arch.${whose}`);
const write = (whose: 'pkru' | 'host_pkru') => (k: Kernel) => k.writeRegister(PKRU, k.read(slotOf(k, whose), k.task));

/** XSAVE and XRSTOR get at PKRU without CR4.PKE. */
export const F12: Bug = {
  id: 'F12',
  name: 'kvm-pkru-cr4pke',
  title: 'a guest without CR4.PKE reads its host’s PKRU, and leaves its own behind',
  year: 2020,
  kernels: 'up to 5.6, from a kernel between 4.12.4 and 4.14.74 on',
  source: '37486135d3a7 "KVM: x86: Fix pkru save/restore when guest CR4.PKE=0, move it to x86.c"',
  property: 'leak',
  story:
    'KVM switches PKRU around guest mode if the guest sets CR4.PKE, for without that bit no access of the guest obeys PKRU, and RDPKRU and WRPKRU ' +
    'raise #UD. But XCR0 alone lets XSAVE read the register and XRSTOR write it. A guest with PKRU in its XCR0 and CR4.PKE clear reads what the ' +
    'thread of the host has there. What it writes stays in the register when it leaves guest mode, and the host accesses user memory with it. The fix asks for ' +
    'either way to the register.',
  scenario: 'kvm-pkru-without-pke',
  platform: 'bare-metal',
  buggy: {
    preset: 'linux-5.10',
    patches: [
      {
        id: 'kvm-pkru-cr4pke',
        title: 'PKRU of host and guest is switched only if the guest sets CR4.PKE',
        source: 'before 37486135d3a7, as vmx_vcpu_run() does it in 4.14.74 and 5.2.1',
        edits: [
          onlyWithPke('hook:kvm-enter-guest', 'write_pkru(vcpu->arch.pkru)', write('pkru')),
          onlyWithPke('hook:kvm-exit-guest', 'vcpu->arch.pkru = rdpkru()', (k) =>
            k.write(slotOf(k, 'pkru'), k.task, k.readRegister(PKRU)),
          ),
          onlyWithPke('hook:kvm-exit-guest', 'write_pkru(vcpu->arch.host_pkru)', write('host_pkru')),
        ],
      },
    ],
  },
  fixes: [{ by: '37486135d3a7', preset: 'linux-5.10' }],
};
