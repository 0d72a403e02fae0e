/**
 * Lazy Xen under an HVM or PVHVM guest with Intel VMX: xen/arch/x86/hvm/vmx/vmx.c of Xen 4.4.
 *
 * The guest sees a sticky TS of its own in the CR0 read shadow; the processor obeys GUEST_CR0.TS = (guest's TS) OR
 * (registers not loaded). Xen's own #NM exits are consumed inside Xen.
 */
import {
  CR0_BOOT,
  CR0_EM,
  CR0_RESET,
  CR0_TS,
  cr0AfterLmsw,
  group,
  routine,
  slot,
  unless,
  withTs,
  type Condition,
  type Hypervisor,
  type Platform,
  type Routine,
  type Slot,
} from '@fpulab/core';
import { anotherVcpuRuns, loadIfNotDirtied, saveIfDirtied, xenStep } from '../vcpu';

/** Which Xen. */
export interface XenHvmOptions {
  /**
   * `lazy`: before XSA-267, or later with `spec-ctrl=no-eager-fpu`. `eager`: 4.12 to 4.21 with `eager-fpu`, which saves and loads all of a
   * vCPU's components whenever it changes, and never touches the guest's TS.
   */
  readonly fpu?: 'lazy' | 'eager';
}

/** Xen and a guest in hardware virtualisation. */
export function xenHvm({ fpu = 'lazy' }: XenHvmOptions = {}): Platform {
  const eager = fpu === 'eager';
  const shadow = slot.cpu('cr0_read_shadow', 'bits', CR0_BOOT);
  const guestTs = slot.cpu('guest_ts', 'flag', 1);
  const dirtied = slot.cpu('fpu_dirtied', 'flag', eager ? 1 : 0);
  const intercept = slot.cpu('nm_intercept', 'flag', eager ? 0 : 1);

  const setTs = (k: Hypervisor, ts: boolean): void => k.setRealCr0(withTs(k.realCr0, ts));
  const is =
    (s: Slot): Condition =>
    (k) =>
      k.read(s, k.cpu) !== 0;

  /** vmx_update_guest_cr(0): the guest's view first; TS going away loads the registers at once. */
  const updateGuestCr0 = (k: Hypervisor, value: number): void => {
    if (value === k.read(shadow, k.cpu)) return; // no bit differs from the read shadow: no exit
    k.write(shadow, k.cpu, value);
    k.write(guestTs, k.cpu, value & CR0_TS ? 1 : 0);
    if (!(value & CR0_TS) && k.realCr0 & CR0_TS) {
      if (!k.read(dirtied, k.cpu)) {
        k.restoreVcpu();
        k.write(dirtied, k.cpu, 1);
      }
      k.write(intercept, k.cpu, 0);
    }
    k.setRealCr0(value);
  };

  const insn: Platform['cr0']['insn'] = {
    movFrom: (k) => k.read(shadow, k.cpu),
    movTo: updateGuestCr0,
    clts: (k) => updateGuestCr0(k, withTs(k.read(shadow, k.cpu), false)),
    lmsw: (k, value) => updateGuestCr0(k, cr0AfterLmsw(k.read(shadow, k.cpu), value)),
    smsw: (k) => k.read(shadow, k.cpu) & 0xffff,
  };

  return {
    kind: 'platform',
    id: eager ? 'xen-hvm-eager' : 'xen-hvm',
    title: `Xen HVM or PVHVM (VMX), ${fpu} hypervisor`,
    // Guests have protection keys since 4.7. Lazy Xen switches PKRU as a component that is never lazy: XSTATE_NONLAZY is not modelled.
    // ENQCMD is no guest's.
    hides: eager ? ['enqcmd'] : ['pku', 'enqcmd'],
    hidesVmx: true, // nested virtualisation is not modelled
    source: eager
      ? 'Xen 4.12 with fully_eager_fpu: vcpu_save_fpu(), vcpu_restore_fpu_nonlazy(); 488efc29e4'
      : 'Xen 4.4 hvm/vmx/vmx.c vmx_fpu_enter(), vmx_fpu_leave(), vmx_fpu_dirty_intercept(), vmx_update_guest_cr()',
    slots: [shadow, guestTs, dirtied, intercept],
    // hvm_vcpu_reset_state(): the guest's CR0 is that of RESET, and its registers, which INIT leaves in their image, are not loaded: by eager
    // Xen they are, before the vCPU runs.
    reset: (k) => {
      k.write(shadow, k.cpu, CR0_RESET);
      k.write(guestTs, k.cpu, 0);
      if (eager) return k.setRealCr0(CR0_RESET);
      k.write(dirtied, k.cpu, 0);
      k.write(intercept, k.cpu, 1);
      k.setRealCr0(withTs(CR0_RESET, true));
    },
    routines: eager
      ? [eagerSwitch(dirtied)]
      : [
          routine('xen.vmx_fpu_dirty_intercept', [
            group('vmx_fpu_enter', [
              loadIfNotDirtied(dirtied),
              xenStep('stop intercepting #NM', (k) => k.write(intercept, k.cpu, 0)),
            ]),
            unless(is(guestTs), [xenStep('clear GUEST_CR0.TS', (k) => setTs(k, false))]),
            xenStep('resume guest', () => {}),
          ]),
          routine('xen.context_switch', [
            saveIfDirtied(dirtied),
            group('vmx_fpu_leave', [
              unless(is(guestTs), [
                xenStep('set GUEST_CR0.TS', (k) => setTs(k, true)),
                xenStep('intercept #NM', (k) => k.write(intercept, k.cpu, 1)),
              ]),
            ]),
            anotherVcpuRuns,
            xenStep('vCPU runs again', () => {}),
          ]),
        ],
    hooks: {
      // Eager Xen never intercepts #NM.
      ...(eager ? {} : { 'nm-raised': (k) => (k.read(intercept, k.cpu) ? 'xen.vmx_fpu_dirty_intercept' : undefined) }),
      halt: 'xen.context_switch',
      'vcpu-preempted': 'xen.context_switch',
    },
    roles: { guestTs, dirtied },
    cr0: { pv: { read: insn.movFrom, write: insn.movTo, clts: insn.clts }, insn },
    // With TS set, #NM goes to Xen; the guest hears of it only if it set TS itself.
    trapsUserFpu: (k) => (k.realCr0 & CR0_EM) !== 0 || ((k.realCr0 & CR0_TS) !== 0 && k.read(guestTs, k.cpu) !== 0),
    registersLive: (k) => k.read(dirtied, k.cpu) !== 0,
  };
}

/** All that the vCPU has is saved, and loaded again before it runs. */
const eagerSwitch = (dirtied: Slot): Routine =>
  routine('xen.context_switch', [
    saveIfDirtied(dirtied),
    anotherVcpuRuns,
    group('vcpu_restore_fpu_nonlazy', [loadIfNotDirtied(dirtied)]),
    xenStep('vCPU runs again', () => {}),
  ]);
