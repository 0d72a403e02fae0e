import { step, type Patch } from '@fpulab/core';
import type { Bug } from './bug';

const BOGUS_XCOMP_BV: Patch = {
  id: 'bogus-xcomp-bv',
  title: 'xstateregs_set() takes an image whose XCOMP_BV is not 0',
  source: 'before 814fb7bb7db5',
  edits: [{ edit: 'remove', routine: 'xstateregs_set', step: 'xcomp_bv must be 0' }],
};

const restoreOrInit = step(
  'copy_kernel_to_fpregs, or init_fpstate',
  (k) => {
    if (!k.restore(k.fpstateOf(k.task))) k.initFpregs();
  },
  { instruction: 'xsave' },
);

/** The second fix of F32, for kernels that have the first one alone or none: every restore of an image loads INIT where XRSTOR raises #GP. */
export const FPRESTORE_FIXUP: Patch = {
  id: 'fprestore-fixup',
  title: 'ex_handler_fprestore(): where XRSTOR of an image raises #GP, init_fpstate is loaded',
  source: 'd5c8028b4788 "x86/fpu: Reinitialize FPU registers if restoring FPU state fails"',
  edits: ['switch_fpu_finish', 'fpu__restore', 'kernel_fpu_end', 'fpu__copy', 'xstateregs_get'].map((routine) => ({
    edit: 'replace',
    routine,
    step: 'copy_fpstate_to_fpregs',
    nodes: [restoreOrInit],
  })),
};

/** CVE-2017-15537. */
export const F32: Bug = {
  id: 'F32',
  name: 'bogus-xcomp-bv',
  title: 'a forged header makes XRSTOR fail, and nobody looks',
  year: 2017,
  cve: 'CVE-2017-15537',
  kernels: 'up to 4.13.4, XSAVE without XSAVES',
  source:
    '814fb7bb7db5 "x86/fpu: Don\'t let userspace set bogus xcomp_bv" and d5c8028b4788 "x86/fpu: Reinitialize FPU registers if restoring FPU state fails"',
  property: 'leak',
  story:
    'A tracer writes NT_X86_XSTATE of a stopped task. The standard image is copied over the one in the kernel, and of its header XSTATE_BV is ' +
    'masked and the reserved bytes are cleared, but XCOMP_BV, which was carved out of them for XSAVES, is not. Another task computes. When ' +
    'the target is switched in, XRSTOR raises #GP because of XCOMP_BV; since 4.2 nobody looks at what the restore returns. The registers stay as ' +
    'they are, the target counts as their owner, and reads what the other task left in them. The first fix refuses such an image. The second ' +
    'loads INIT where a restore fails: it stops the leak alone, but the target then has nothing of what the tracer gave it.',
  scenario: 'ptrace-headers',
  platform: 'bare-metal',
  buggy: {
    preset: 'linux-4.8',
    patches: [BOGUS_XCOMP_BV],
  },
  fixes: [
    { by: '814fb7bb7db5', preset: 'linux-4.8' },
    // What the tracer wrote is lost.
    { by: 'd5c8028b4788 alone', preset: 'linux-4.8', patches: [BOGUS_XCOMP_BV, FPRESTORE_FIXUP], cures: ['leak'] },
  ],
};
