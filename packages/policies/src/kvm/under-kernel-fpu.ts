/** What 3.7 made of kvm_load_guest_fpu() and kvm_put_guest_fpu(), on the code of 3.6. */
import { NOBODY, group, step, unless, when, type Kernel, type Patch, type PatchEdit } from '@fpulab/core';
import { loadHostTs } from './guest-ts';

const XSAVE = { instruction: 'xsave' } as const;
const hasFpu = (k: Kernel): boolean => k.read(k.slotNamed('has_fpu'), k.task) !== 0;
const isLoaded = (k: Kernel): boolean => k.read(k.slotNamed('guest_fpu_loaded'), k.task) !== 0;
const freeOwner = (k: Kernel): void => k.write(k.slotNamed('fpu_owner_task'), k.cpu, NOBODY);

/** The registers are the kernel's, TS clear, when the guest's image is loaded. */
const loadsUnderKernelFpu = (routine: string): readonly PatchEdit[] => [
  {
    edit: 'replace',
    routine,
    step: 'unlazy_fpu',
    nodes: [
      group('__kernel_fpu_begin', [
        when(
          hasFpu,
          [
            step('save user registers', (k) => void k.save(k.fpstateOf(k.task)), XSAVE),
            step('__thread_clear_has_fpu', (k) => {
              k.write(k.slotNamed('has_fpu'), k.task, 0);
              freeOwner(k);
            }),
          ],
          [step('owner = NULL', freeOwner), step('__kernel_fpu_begin: clts', (k) => k.clts())],
        ),
      ]),
    ],
  },
  {
    edit: 'replace',
    routine,
    step: 'load guest_fpu',
    nodes: [step('load guest_fpu, TS clear', (k) => void k.restore(k.fpstateOf(k.task, 'guest')), XSAVE)],
  },
];

/** #NM has no part in loading the guest's registers. */
export const KVM_UNDER_KERNEL_FPU: Patch = {
  id: 'kvm-under-kernel-fpu',
  title:
    'KVM has the guest’s registers in place between __kernel_fpu_begin() and __kernel_fpu_end(), and TS is clear meanwhile',
  source:
    '3.7: "x86, kvm: use kernel_fpu_begin/end() in kvm_load/put_guest_fpu()", as b1a74bf82123 left it, on the code of 3.6',
  onlyWithGuests: true,
  edits: [
    ...loadsUnderKernelFpu('hook:kvm-prepare-guest'),
    ...loadsUnderKernelFpu('hook:kvm-get-fpu'),
    {
      edit: 'replace',
      routine: 'hook:kvm-exit-guest',
      step: 'VM exit: CR0.TS of HOST_CR0',
      nodes: [loadHostTs(() => false)],
    },
    { edit: 'remove', routine: 'hook:kvm-vcpu-put', step: '__vmx_load_host_state: clts' },
    {
      edit: 'insert-after',
      routine: 'hook:kvm-vcpu-put',
      step: 'host_state.loaded = 0',
      nodes: [unless((k) => hasFpu(k) || isLoaded(k), [step('__vmx_load_host_state: stts', (k) => k.stts())])],
    },
    {
      edit: 'insert-after',
      routine: 'hook:kvm-vcpu-put',
      step: 'save guest_fpu',
      nodes: [step('__kernel_fpu_end: stts', (k) => k.stts())],
    },
  ],
};
