/**
 * A larger fpstate as T. Gleixner sketched it on 1 October 2021, in answer to "[PATCH v10 09/28] x86/fpu/xstate: Introduce helpers to manage the
 * XSTATE buffer dynamically": patches on what was merged.
 */
import { FPSTATE_KINDS, NOBODY, group, step, unless, when, type Kernel, type Patch } from '@fpulab/core';
import { mustLoadByName } from '../load-fpu-deferral/context';
import { DYNAMIC_XFEATURES, LARGER_FPSTATE } from './state';
import { xfdUpdateStateByName } from './xfd';

const SOURCE =
  'T. Gleixner, 1 October 2021, in answer to "[PATCH v10 09/28] x86/fpu/xstate: Introduce helpers to manage the XSTATE buffer dynamically"';

const LARGER = FPSTATE_KINDS[LARGER_FPSTATE];

/**
 * The first use: where the registers are not valid, the old image is copied, and nothing is loaded.
 *
 * The sketch says nothing of IA32_XFD. With the merged rule, that it is written when registers are loaded, it may not be written here
 * while they are another task's, and they have to be loaded even if they were still current's: hence `last_cpu = -1`.
 */
export const SWAP_FPSTATE: Patch = {
  id: 'swap-fpstate',
  title: 'the #NM handler copies the old image to the larger one where the registers are not valid, and loads nothing',
  source: SOURCE,
  edits: [
    {
      edit: 'replace',
      routine: 'hook:trap-nm',
      step: 'fpregs_restore_userregs',
      nodes: [
        step('copy_state', (k) => k.copyFpstate({ from: k.fpstateOf(k.task), to: k.fpstateOf(k.task, LARGER) })),
        step('last_cpu = -1', (k) => k.write(k.slotNamed('last_cpu'), k.task, NOBODY)),
      ],
    },
    {
      edit: 'replace',
      routine: 'hook:trap-nm',
      step: 'xfd_update_state',
      nodes: [unless(mustLoadByName, [xfdUpdateStateByName])],
    },
  ],
};

/**
 * PTRACE_SETREGSET of an image with tiles for a target that has no room for them. v10 calls realloc_xstate_buffer() for the target, which is stopped
 * and whose registers are in no CPU; the answer swaps without copying ("if (tsk != current) // PTRACE"), for the tracer's image replaces
 * all: until it does, the target's state is in no image of its own.
 */
export const PTRACE_REALLOC: Patch = {
  id: 'ptrace-realloc',
  title: "a tracer's image with tiles makes room for them in its target",
  source: SOURCE,
  edits: [
    {
      edit: 'replace',
      routine: 'hook:ptrace-write',
      step: 'hdr->xfeatures & ~fpstate->user_xfeatures',
      nodes: [
        group('realloc_xstate_buffer(target)', [
          step('vzalloc for the target', (k) => k.setLocal(0, k.allocationMaySleep() ? 0 : 1)),
          when(
            (k) => k.local(0) !== 0,
            [step('return -ENOMEM, as if the image were refused', () => {})],
            [step('swap_fpstate', swapTargets)],
          ),
        ]),
      ],
    },
  ],
};

function swapTargets(k: Kernel): void {
  const xfd = k.slotNamed('fpstate->xfd');
  const larger = k.fpstateOf(k.target, LARGER);
  k.allocate(larger);
  k.initFpstate(larger);
  k.write(k.slotNamed('fpstate'), k.target, LARGER_FPSTATE);
  k.write(xfd, k.target, k.read(xfd, k.target) & ~DYNAMIC_XFEATURES);
}
