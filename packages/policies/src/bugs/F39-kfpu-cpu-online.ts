import { group, step, when, type Kernel, type Patch } from '@fpulab/core';
import type { Bug } from './bug';

/** The checksum of a microcode image, on the CPU that comes up: before its FPU is initialised. */
const SHA256_OF_MICROCODE: Patch = {
  id: 'sha256-of-microcode',
  title:
    'the microcode loader of a CPU that comes up computes a SHA-256 with SIMD instructions, where irq_fpu_usable() lets it',
  source: 'the merge window of 6.16, by the description of 2297554f01df',
  edits: [
    {
      edit: 'prepend',
      routine: 'hook:cpu-init',
      nodes: [
        group('load_ucode_ap', [
          step('irq_fpu_usable', (k) => k.call('irq_fpu_usable')),
          when(
            (k) => k.local(0) !== 0,
            [
              step('kernel_fpu_begin', (k) => k.call('kernel_fpu_begin')),
              step('sha256_blocks', () => {}, { instruction: 'sse' }),
              step('kernel_fpu_end', (k) => k.call('kernel_fpu_end')),
            ],
          ),
        ]),
      ],
    },
  ],
};

const setInKernelFpu = (value: 0 | 1) => (k: Kernel) => k.write(k.slotNamed('in_kernel_fpu'), k.cpu, value);

/** `kernel_fpu_allowed` is what `in_kernel_fpu` was, the other way round, and false while a CPU is down. */
const KERNEL_FPU_ALLOWED: Patch = {
  id: 'kernel-fpu-allowed',
  title: 'no kernel FPU sections on a CPU from when it goes down until its FPU is initialised again',
  source: '2297554f01df "x86/fpu: Fix irq_fpu_usable() to return false during CPU onlining"',
  edits: [
    {
      edit: 'prepend',
      routine: 'hook:native-cpu-up',
      nodes: [step('kernel_fpu_allowed = false', setInKernelFpu(1))],
    },
    { edit: 'append', routine: 'hook:cpu-init', nodes: [step('kernel_fpu_allowed = true', setInKernelFpu(0))] },
  ],
};

/** A CPU between INIT and the initialisation of its FPU. */
export const F39: Bug = {
  id: 'F39',
  name: 'kfpu-cpu-online',
  title: 'a CPU that comes up computes with SIMD instructions before its FPU is initialised',
  year: 2025,
  kernels: 'the merge window of 6.16',
  source: '2297554f01df "x86/fpu: Fix irq_fpu_usable() to return false during CPU onlining"',
  property: 'unexpected-fault',
  story:
    'A CPU is taken down and brought up again. INIT has cleared its CR4: SSE instructions raise #UD until fpu__init_cpu() sets OSFXSR. Before ' +
    'that the microcode loader checks its image, and SHA-256 has just got a SIMD implementation. irq_fpu_usable() asks whether a kernel FPU ' +
    'section is interrupted, and whether this is a hardirq; it is neither, so the loader may, it thinks. The first ' +
    'SSE instruction is the end of the CPU: LDMXCSR in kernel_fpu_begin() itself, which is not modelled, so that here SHA-256 begins. The fix has one flag say both, that a section runs and that the FPU is not ready.',
  scenario: 'cpu-hotplug',
  platform: 'bare-metal',
  buggy: { preset: 'linux-6.12', patches: [SHA256_OF_MICROCODE] },
  fixes: [
    {
      by: 'the flag kernel_fpu_allowed, 2297554f01df',
      preset: 'linux-6.12',
      patches: [SHA256_OF_MICROCODE, KERNEL_FPU_ALLOWED],
    },
  ],
};
