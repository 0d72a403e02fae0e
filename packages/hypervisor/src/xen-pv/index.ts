/**
 * Lazy Xen under a paravirtual guest: xen/arch/x86/traps.c of Xen 4.4, and the guest's side of it in Linux
 * arch/x86/xen/enlighten.c.
 *
 * For a vCPU that runs, CR0.TS of the processor is (TS as the guest set it) OR (its registers are not loaded yet).
 */
import {
  CR0_EM,
  CR0_TS,
  CR0_BOOT,
  cr0AfterLmsw,
  group,
  routine,
  slot,
  when,
  withTs,
  type Feature,
  type Hypervisor,
  type Patch,
  type Platform,
} from '@fpulab/core';
import { anotherVcpuRuns, loadIfNotDirtied, saveIfDirtied, xenStep } from '../vcpu';

/** Variants of Xen that differ for a guest's FPU code. */
export interface XenPvOptions {
  /**
   * What LMSW in a guest kernel does. `#GP`: as read in Xen 4.4 to 4.22, where the privileged-operation filter lets
   * nothing through of that opcode but XSETBV and RDTSCP. `emulated`: as a write of TS, like CLTS and MOV to CR0.
   */
  readonly lmsw?: '#GP' | 'emulated';
}

/** fpu_taskswitch: __HYPERVISOR_fpu_taskswitch in xen/include/public/xen.h. */
const HYPERCALL_FPU_TASKSWITCH = 5;

/**
 * Leaf 7 of pv_cpuid() passes none of the first three. A PV kernel does not run at CPL 0, where alone XSAVES works:
 * cpufeatureset.h of later versions marks it as not for PV guests.
 */
const HIDDEN_FEATURES: readonly Feature[] = ['mpx', 'avx512f', 'pku', 'xsaves', 'xfd', 'amx', 'enqcmd'];

const QUEUED = { nothing: 0, clear: 1, set: 2 } as const;

/** The Xen routine that receives every #NM. */
const XEN_NM_ROUTINE = 'xen.do_device_not_available';

/** Lazy Xen (before XSA-267, or later with eager-fpu off) and a paravirtual guest. */
export function xenPv({ lmsw = '#GP' }: XenPvOptions = {}): Platform {
  const guestTs = slot.cpu('guest_ts', 'flag', 1);
  const dirtied = slot.cpu('fpu_dirtied', 'flag', 0);
  const cache = slot.cpu('xen_cr0_value', 'bits', CR0_BOOT);
  const batching = slot.cpu('lazy_cpu_mode', 'flag', 0);
  const queued = slot.cpu('queued_fpu_taskswitch', 'number', QUEUED.nothing);
  const bounce = slot.cpu('trap_bounce', 'flag', 0);

  const setTs = (k: Hypervisor, ts: boolean): void => k.setRealCr0(withTs(k.realCr0, ts));

  /** do_fpu_taskswitch(): clearing makes the processor's TS 0 only if the registers are loaded; else #NM loads them. */
  const fpuTaskswitch = (k: Hypervisor, set: boolean): void => {
    k.write(guestTs, k.cpu, set ? 1 : 0);
    if (set) setTs(k, true);
    else if (k.read(dirtied, k.cpu)) setTs(k, false);
  };

  const hypercall = (k: Hypervisor, set: boolean): void => {
    k.recordHypercall(HYPERCALL_FPU_TASKSWITCH, set ? 1 : 0);
    fpuTaskswitch(k, set);
  };

  /** xen_mc_issue(PARAVIRT_LAZY_CPU): at once, or at the end of the batch. */
  const issue = (k: Hypervisor, set: boolean): void => {
    if (k.read(batching, k.cpu)) k.write(queued, k.cpu, set ? QUEUED.set : QUEUED.clear);
    else hypercall(k, set);
  };

  const movFrom = (k: Hypervisor): number => withTs(k.realCr0, k.read(guestTs, k.cpu));

  /** Emulated MOV to CR0: only TS may change. */
  const movTo = (k: Hypervisor, value: number): void => {
    if (withTs(value ^ k.realCr0, false) !== 0) k.deliverGp();
    else fpuTaskswitch(k, (value & CR0_TS) !== 0);
  };

  return {
    kind: 'platform',
    id: lmsw === '#GP' ? 'xen-pv' : 'xen-pv-lmsw',
    title: lmsw === '#GP' ? 'Xen PV, lazy hypervisor' : 'Xen PV, lazy hypervisor, as if it emulated LMSW',
    source: 'Xen 4.4 traps.c do_device_not_available(), do_fpu_taskswitch(), i387.c; Linux 3.6 xen/enlighten.c',
    hides: HIDDEN_FEATURES,
    hidesVmx: true,
    // xen_cpu_up(), xen_play_dead(): VCPUOP_up lets the vCPU go on where VCPUOP_down took it from its CPU, with all that it held.
    paravirtualCpus: true,
    slots: [guestTs, dirtied, cache, batching, queued, bounce],
    routines: [
      routine(XEN_NM_ROUTINE, [
        group('vcpu_restore_fpu_lazy', [xenStep('clts', (k) => setTs(k, false)), loadIfNotDirtied(dirtied)]),
        when(
          (k) => k.read(guestTs, k.cpu) !== 0,
          [
            xenStep('bounce #NM to the guest', (k) => k.write(bounce, k.cpu, 1)),
            xenStep('clear guest TS', (k) => k.write(guestTs, k.cpu, 0)),
          ],
        ),
        xenStep('return to guest', (k) => {
          if (!k.read(bounce, k.cpu)) return;
          k.write(bounce, k.cpu, 0);
          k.deliverNm();
        }),
      ]),
      routine('xen.context_switch', [
        saveIfDirtied(dirtied, [xenStep('clts', (k) => setTs(k, false))]),
        xenStep('stts', (k) => setTs(k, true)),
        anotherVcpuRuns,
        xenStep('vCPU runs again', () => {}),
      ]),
      routine('paravirt_start_context_switch', [xenStep('enter lazy CPU mode', (k) => k.write(batching, k.cpu, 1))]),
      routine('xen_end_context_switch', [
        xenStep('xen_mc_flush', (k) => {
          const what = k.read(queued, k.cpu);
          k.write(batching, k.cpu, 0);
          if (what === QUEUED.nothing) return;
          k.write(queued, k.cpu, QUEUED.nothing);
          hypercall(k, what === QUEUED.set);
        }),
      ]),
    ],
    hooks: {
      'nm-raised': XEN_NM_ROUTINE,
      halt: 'xen.context_switch',
      'vcpu-preempted': 'xen.context_switch',
      // Suspend of a dom0: vCPUs are saved before the power goes (xen/arch/x86/acpi/power.c), and loaded again when they use the FPU.
      suspend: 'xen.context_switch',
      'context-switch-start': 'paravirt_start_context_switch',
      'context-switch-end': 'xen_end_context_switch',
    },
    roles: { guestTs, dirtied, cr0Cache: cache },
    cr0: {
      pv: {
        /** xen_read_cr0(): once read, the cache answers; xen_clts() never brings it up to date. */
        read: (k) => {
          const cached = k.read(cache, k.cpu);
          if (cached !== 0) return cached;
          const value = movFrom(k);
          k.write(cache, k.cpu, value);
          return value;
        },
        write: (k, value) => {
          k.write(cache, k.cpu, value);
          issue(k, (value & CR0_TS) !== 0);
        },
        clts: (k) => issue(k, false),
      },
      insn: {
        movFrom,
        movTo,
        clts: (k) => fpuTaskswitch(k, false),
        lmsw: (k, value) => (lmsw === '#GP' ? k.deliverGp() : movTo(k, cr0AfterLmsw(movFrom(k), value))),
        // Not privileged, not intercepted: the processor's own bits.
        smsw: (k) => k.realCr0 & 0xffff,
      },
    },
    // With TS set, #NM goes to Xen; the guest hears of it only if it set TS itself.
    trapsUserFpu: (k) => (k.realCr0 & CR0_EM) !== 0 || ((k.realCr0 & CR0_TS) !== 0 && k.read(guestTs, k.cpu) !== 0),
    registersLive: (k) => k.read(dirtied, k.cpu) !== 0,
  };
}

const tsSetAgain = (condition: string) =>
  xenStep(`set real TS again ${condition}`, (k) => k.setRealCr0(withTs(k.realCr0, true)));

/** Hypothetical hypervisor fix: the guest's handler is entered with the processor's TS set, the guest's clear. */
export const REAL_TS_ONLY: Patch = {
  id: 'real-ts-only',
  title: "Xen sets the processor's TS again before it enters the guest's #NM handler, but drops the guest's",
  source: 'hypothetical',
  edits: [
    { edit: 'insert-after', routine: XEN_NM_ROUTINE, step: 'clear guest TS', nodes: [tsSetAgain('(real-ts-only)')] },
  ],
};

/** Hypothetical hypervisor fix: the handler is entered with both TS bits set, as on bare metal. Breaks the PV ABI. */
export const KEEP_BOTH: Patch = {
  id: 'keep-both',
  title: "Xen enters the guest's #NM handler with both TS bits set, as hardware does",
  source:
    'hypothetical; our reading of the subject "x86/fpu: CR0.TS should be set before trap into PV guest\'s #NM exception handler", xen-devel 2013-11-06',
  edits: [{ edit: 'replace', routine: XEN_NM_ROUTINE, step: 'clear guest TS', nodes: [tsSetAgain('(keep-both)')] }],
};
