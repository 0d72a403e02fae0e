import { group, step, when, type Kernel } from '@fpulab/core';
import type { Bug } from './bug';

/** What the compiler kept, in local 1: whether the owner was this task when it was read. */
const readOwner = step('o = this_cpu_read_stable(fpu_fpregs_owner_ctx)', (k) => {
  const owner = k.read(k.slotNamed('fpu_fpregs_owner_ctx'), k.cpu);
  k.setLocal(1, owner === k.task ? 1 : 0);
});

const looksValid = (k: Kernel): boolean => k.local(1) !== 0 && k.read(k.slotNamed('last_cpu'), k.task) === k.cpu;

const loadUnlessValidByCache = group('__fpregs_load_activate with o', [
  when(
    looksValid,
    [step('registers look valid', (k) => k.skipRestore(k.task))],
    [
      step('copy_kernel_to_fpregs', (k) => void k.restore(k.fpstateOf(k.task)), { instruction: 'xsave' }),
      step('activate', (k) => k.write(k.slotNamed('fpu_fpregs_owner_ctx'), k.cpu, k.task)),
      step('loaded: last_cpu = cpu', (k) => k.write(k.slotNamed('last_cpu'), k.task, k.cpu)),
    ],
  ),
  step('loaded: clear TIF_NEED_FPU_LOAD', (k) => k.write(k.slotNamed('TIF_NEED_FPU_LOAD'), k.task, 0)),
]);

/** CVE-2019-19602. */
export const F01: Bug = {
  id: 'F01',
  name: 'owner-ctx-cached',
  title: 'registers of another task are written to a signal frame',
  year: 2019,
  cve: 'CVE-2019-19602',
  kernels: '5.2 to 5.4',
  source: '59c4bd853abc "x86/fpu: Don\'t cache access to fpu_fpregs_owner_ctx"',
  property: 'leak',
  story:
    "copy_fpstate_to_sigframe() writes the registers to the user's stack with page faults disabled, and starts again when the page was " +
    'missing. Whose registers they are is read with this_cpu_read_stable(), so that the compiler may read it once, before the loop. The ' +
    'first attempt faults; while the page comes in, another task runs and returns to user code with its own registers. When the second ' +
    'attempt begins, the kept pointer still names the task, and last_cpu fits: the load is skipped, and what goes to the frame is the ' +
    "other task's. The handler's return loads it. Crashes of Go programs, whose runtime preempts by signals, led to it.",
  scenario: 'signal-fault',
  platform: 'bare-metal',
  buggy: {
    preset: 'linux-5.10',
    patches: [
      {
        id: 'owner-ctx-cached',
        title: 'the owner of the registers is read once, before the retry loop of copy_fpstate_to_sigframe()',
        source: 'before 59c4bd853abc',
        edits: [
          { edit: 'insert-before', routine: 'copy_fpstate_to_sigframe', step: 'retry', nodes: [readOwner] },
          {
            edit: 'replace',
            routine: 'copy_fpstate_to_sigframe',
            step: 'fpregs_restore_userregs',
            nodes: [loadUnlessValidByCache],
          },
        ],
      },
    ],
  },
  fixes: [{ by: '59c4bd853abc', preset: 'linux-5.10' }],
};
