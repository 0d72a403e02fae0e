/**
 * KVM of Linux 2.6.32: the thread's registers are saved by FXSAVE to an image of KVM, whosever they are. Where CR0.TS is set that raises #NM, whose
 * handler loads the thread's first. arch/x86/kvm/x86.c fx_init(), kvm_load_guest_fpu(), kvm_put_guest_fpu(); vmx.c of 2.6.32.2.
 */
import {
  CR0_TS,
  SSE,
  X87,
  group,
  slot,
  step,
  unless,
  when,
  type BasePolicy,
  type Condition,
  type Kernel,
  type RoutineNode,
} from '@fpulab/core';
import { FPU_ACTIVE, guestTs } from './guest-ts';
import type { KvmPart } from './pkru';
import { slotOf } from './slot-of';

const FXSAVE = { instruction: 'xsave' } as const;
const MAY_TRAP = { ...FXSAVE, nmExpected: true } as const;
const LEGACY = (1 << X87) | (1 << SSE);

/** Loading and putting the guest's registers; MOV to CR3 of a guest, which makes its FPU inactive. */
export function linux2632Part(base: BasePolicy): KvmPart {
  const usedMath = slotOf(base, 'PF_USED_MATH');
  const active = slot.task(FPU_ACTIVE, 'flag', 1);
  const loaded = slot.task('guest_fpu_loaded', 'flag');
  const hostTs = slot.task('HOST_CR0.TS', 'flag');
  const isLoaded: Condition = (k) => k.read(loaded, k.task) !== 0;
  const host = (k: Kernel): number => k.fpstateOf(k.task, 'user');
  const guest = (k: Kernel): number => k.fpstateOf(k.task, 'guest');

  const load = group('kvm_load_guest_fpu', [
    when(
      (k) => k.read(active, k.task) !== 0 && !isLoaded(k),
      [
        step('guest_fpu_loaded = 1', (k) => k.write(loaded, k.task, 1)),
        step('kvm_fx_save(host_fx_image)', (k) => k.fxsave(host(k)), MAY_TRAP),
        step('kvm_fx_restore(guest_fx_image)', (k) => void k.restore(guest(k), LEGACY), FXSAVE),
      ],
    ),
  ]);
  const put = group('kvm_put_guest_fpu', [
    when(isLoaded, [
      step('guest_fpu_loaded = 0', (k) => k.write(loaded, k.task, 0)),
      step('kvm_fx_save(guest_fx_image)', (k) => k.fxsave(guest(k)), FXSAVE),
      step('kvm_fx_restore(host_fx_image)', (k) => void k.restore(host(k), LEGACY), FXSAVE),
    ]),
  ]);
  const readsHostCr0: RoutineNode = step('vmcs_writel(HOST_CR0, read_cr0())', (k) =>
    k.write(hostTs, k.task, (k.readCr0() & CR0_TS) !== 0 ? 1 : 0),
  );
  return {
    slots: [active, loaded, hostTs],
    edits: [
      {
        edit: 'append',
        routine: 'hook:kvm-run-begin',
        // It happens when the vCPU is created. There is no KVM_CREATE_VCPU here, and the thread that creates it runs it.
        nodes: [
          group('fx_init', [
            unless(
              (k) => k.read(usedMath, k.task) !== 0,
              [step('touch the FPU where one may sleep', (k) => k.fxsave(host(k)), MAY_TRAP)],
            ),
          ]),
        ],
      },
      { edit: 'append', routine: 'hook:kvm-prepare-guest', nodes: [load] },
      { edit: 'append', routine: 'hook:kvm-vcpu-put', nodes: [put] },
      ...guestTs(active, (k) => k.read(hostTs, k.task) !== 0, [readsHostCr0]),
      {
        edit: 'append',
        routine: 'hook:kvm-guest-cr3',
        nodes: [step('vmx_set_cr3: fpu_active = 0', (k) => k.write(active, k.task, 0))],
      },
    ],
  };
}
