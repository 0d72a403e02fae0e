/**
 * XCR0 of guests: kvm_load_guest_xcr0(), kvm_put_guest_xcr0(), __kvm_set_xcr() of arch/x86/kvm/x86.c. In 3.6 the guest's is in the CPU as long as
 * its FPU registers are, with interrupts on; in 4.1.27, 4.8.15 and 4.14.3 around guest mode with interrupts off, as 5.2.1 has it in vmx_vcpu_run() and
 * 5.10.13 in kvm_load_guest_xsave_state().
 *
 * Guests have set CR4.OSXSAVE when they begin. Whether guest and host have the same XCR0 is not asked: XSETBV of the same value changes nothing.
 */
import {
  X87,
  slot,
  step,
  when,
  type ModifierPolicy,
  type Patch,
  type PatchEdit,
  type RoutineNode,
  type Slot,
} from '@fpulab/core';

/** Where the guest's XCR0 is loaded and put. */
export type Xcr0Form = 'with-registers' | 'around-guest-mode';

const SOURCES: Readonly<Record<Xcr0Form, string>> = {
  'with-registers': 'Linux 3.6 arch/x86/kvm/x86.c',
  'around-guest-mode': 'Linux 4.1.27 and later arch/x86/kvm/x86.c, vmx.c',
};

/** fx_init(): "Ensure guest xcr0 is valid for loading". */
const INITIAL = 1 << X87;

/** XCR0 of guests, as a modifier beside that of KVM, which comes first. */
export function kvmXcr0({ form }: { readonly form: Xcr0Form }): ModifierPolicy {
  const guestXcr0 = slot.task('vcpu->arch.xcr0', 'bits', INITIAL);
  const loaded = slot.task('guest_xcr0_loaded', 'flag');
  return {
    kind: 'modifier',
    id: 'kvm-xcr0',
    title: 'guests of KVM have an XCR0 of their own',
    source: SOURCES[form],
    onlyWithXsetbv: true,
    slots: form === 'with-registers' ? [guestXcr0, loaded] : [guestXcr0],
    routines: [],
    edits: form === 'with-registers' ? withRegisters(guestXcr0, loaded) : aroundGuestMode(guestXcr0),
  };
}

const loadGuests = (guestXcr0: Slot): RoutineNode =>
  step('xsetbv(vcpu->arch.xcr0)', (k) => k.writeXcr0(k.read(guestXcr0, k.task)));
const loadHosts = (name: string): RoutineNode => step(name, (k) => k.writeXcr0(k.xfeatures));
const setXcr = (guestXcr0: Slot): RoutineNode =>
  step('__kvm_set_xcr: vcpu->arch.xcr0 = xcr0', (k) => k.write(guestXcr0, k.task, k.xfeatures));

function aroundGuestMode(guestXcr0: Slot): readonly PatchEdit[] {
  return [
    // Behind whatever loads registers: XRSTOR of an image that has more than the guest's XCR0 raises #GP.
    { edit: 'append', routine: 'hook:kvm-enter-guest', nodes: [loadGuests(guestXcr0)] },
    { edit: 'append', routine: 'hook:kvm-exit-guest', nodes: [loadHosts('xsetbv(host_xcr0)')] },
    { edit: 'append', routine: 'hook:kvm-guest-xsetbv', nodes: [setXcr(guestXcr0)] },
  ];
}

/** kvm_put_guest_xcr0(): what it does it does for what `guest_xcr0_loaded` says, not for what the CPU has. */
const putGuestXcr0 = (of: Slot | 'guest_xcr0_loaded'): RoutineNode =>
  when(
    (k) => k.read(typeof of === 'string' ? k.slotNamed(of) : of, k.task) !== 0,
    [
      loadHosts('kvm_put_guest_xcr0: xsetbv(host_xcr0)'),
      step('guest_xcr0_loaded = 0', (k) => k.write(typeof of === 'string' ? k.slotNamed(of) : of, k.task, 0)),
    ],
  );

function withRegisters(guestXcr0: Slot, loaded: Slot): readonly PatchEdit[] {
  return [
    {
      edit: 'append',
      routine: 'hook:kvm-prepare-guest',
      nodes: [
        when(
          (k) => k.read(loaded, k.task) === 0,
          [loadGuests(guestXcr0), step('guest_xcr0_loaded = 1', (k) => k.write(loaded, k.task, 1))],
        ),
      ],
    },
    ...['hook:kvm-prepare-guest', 'hook:kvm-get-fpu'].map((routine): PatchEdit => ({
      edit: 'insert-before',
      routine,
      step: 'guest_fpu_loaded = 1',
      nodes: [putGuestXcr0(loaded)],
    })),
    {
      edit: 'insert-before',
      routine: 'hook:kvm-vcpu-put',
      step: 'kvm_put_guest_fpu',
      nodes: [putGuestXcr0(loaded)],
    },
    {
      edit: 'append',
      routine: 'hook:kvm-guest-xsetbv',
      nodes: [
        setXcr(guestXcr0),
        step('guest_xcr0_loaded = 0, so that it is loaded', (k) => k.write(loaded, k.task, 0)),
      ],
    },
  ];
}

/** The fix of F23 on 3.6. */
export const KVM_XCR0_PUT: Patch = {
  id: 'kvm-xcr0-put',
  title: 'XSETBV of a guest puts its XCR0, instead of forgetting that it is in the CPU',
  source: '42bdf991f4ca "KVM: x86: fix maintenance of guest/host xcr0 state", on the code of 3.6',
  onlyWithXsetbv: true,
  edits: [
    {
      edit: 'replace',
      routine: 'hook:kvm-guest-xsetbv',
      step: 'guest_xcr0_loaded = 0, so that it is loaded',
      nodes: [putGuestXcr0('guest_xcr0_loaded')],
    },
  ],
};
