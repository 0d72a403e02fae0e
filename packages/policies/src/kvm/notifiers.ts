/**
 * KVM before f775b13eedee (4.15): the guest's registers are loaded just before guest mode is entered, under __kernel_fpu_begin() but preemptible, and
 * preempt notifiers put them back when the thread is switched out. kvm_load_guest_fpu(), kvm_put_guest_fpu(), emulator_get_fpu() of 4.1.27, 4.8.15
 * and 4.14.74 arch/x86/kvm/x86.c; __kernel_fpu_begin(), __kernel_fpu_end() of their FPU code.
 *
 * With eager switching the guest's FPU is always active; lazy.ts is about the others.
 */
import {
  KERNEL_FPU_SECTION,
  PKRU,
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
import type { EagerEra } from '../eager';
import { kernelFpu, type FpuSlots } from './kernel-fpu';
import type { KvmPart } from './pkru';

const XSAVE = { instruction: 'xsave' } as const;

const SLOTS: Readonly<Record<EagerEra, FpuSlots>> = {
  'linux-4.1': { active: 'has_fpu', owner: 'fpu_owner_task' },
  'linux-4.2': { active: 'fpregs_active', owner: 'fpu_fpregs_owner_ctx' },
  'linux-4.8': { active: 'fpregs_active', owner: 'fpu_fpregs_owner_ctx' },
  'linux-4.14': { active: 'initialized', owner: 'fpu_fpregs_owner_ctx' },
};

/** Up to 4.12 the guest's image is loaded with a PKRU that was the host's when it was saved; 4.14 leaves that out (38cfd5e3df9c). */
const loadedFor = (era: EagerEra) => (k: Kernel) => (era === 'linux-4.14' ? k.xfeatures & ~(1 << PKRU) : k.xfeatures);

/** Loading and putting the guest's registers, and where that is done. */
export function notifierPart(base: BasePolicy, era: EagerEra): KvmPart {
  const loaded = slot.task('guest_fpu_loaded', 'flag');
  const isLoaded: Condition = (k) => k.read(loaded, k.task) !== 0;
  const xfeatures = loadedFor(era);
  const { begin, end } = kernelFpu(base, SLOTS[era], { lazy: false });

  const load: RoutineNode = group('kvm_load_guest_fpu', [
    unless(isLoaded, [
      step('guest_fpu_loaded = 1', (k) => k.write(loaded, k.task, 1)),
      begin,
      group(KERNEL_FPU_SECTION, [
        step('load guest_fpu', (k) => void k.restore(k.fpstateOf(k.task, 'guest'), xfeatures(k)), XSAVE),
      ]),
    ]),
  ]);
  const put: RoutineNode = group('kvm_put_guest_fpu', [
    when(isLoaded, [
      step('guest_fpu_loaded = 0', (k) => k.write(loaded, k.task, 0)),
      step('save guest_fpu', (k) => void k.save(k.fpstateOf(k.task, 'guest')), XSAVE),
      end,
    ]),
  ]);
  return {
    slots: [loaded],
    edits: [
      { edit: 'append', routine: 'hook:kvm-prepare-guest', nodes: [load] },
      { edit: 'append', routine: 'hook:kvm-vcpu-put', nodes: [put] },
      {
        edit: 'append',
        routine: 'hook:kvm-get-fpu',
        nodes: [group('emulator_get_fpu', [step('preempt_disable', (k) => k.preemptDisable()), load])],
      },
      {
        edit: 'append',
        routine: 'hook:kvm-put-fpu',
        nodes: [group('emulator_put_fpu', [step('preempt_enable', (k) => k.preemptEnable())])],
      },
    ],
  };
}
