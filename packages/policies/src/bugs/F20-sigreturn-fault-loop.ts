import { step } from '@fpulab/core';
import { ATTEMPT } from '../user-frame';
import type { Bug } from './bug';

/** CVE-2024-26603: the only one here that loses nothing but time. */
export const F20: Bug = {
  id: 'F20',
  name: 'sigreturn-fault-loop',
  title: 'rt_sigreturn() never returns from a frame that says that it is shorter than it is',
  year: 2024,
  cve: 'CVE-2024-26603',
  kernels: 'about 5.16 to the fix of 2024, and 5.15 by back-port',
  source: 'd877550eaf2d "x86/fpu: Stop relying on userspace for info to fault in xsave buffer"',
  property: 'livelock',
  story:
    'A handler writes a small xstate_size into its frame, leaves all the feature bits, and unmaps the last page. rt_sigreturn() executes ' +
    'XRSTOR straight from the frame with page faults disabled. XRSTOR goes by the feature bits and faults on the last page. The kernel faults the ' +
    'frame in, but only as far as xstate_size says, which succeeds: these pages are there. So it tries again, and faults again. The task is in ' +
    'the kernel for ever and no signal gets through to it. The fix faults in as much as XRSTOR can touch for this task.',
  scenario: 'short-frame',
  platform: 'bare-metal',
  buggy: {
    preset: 'linux-6.1',
    patches: [
      {
        id: 'sigreturn-fault-loop',
        title: 'restore_fpregs_from_user() faults the frame in as far as the frame says that it goes',
        source: 'before d877550eaf2d',
        edits: [
          {
            edit: 'replace',
            routine: 'fpu__restore_sig',
            step: 'fault_in_readable',
            nodes: [
              step('fault_in_readable(xstate_size)', (k) =>
                k.setLocal(0, k.faultIn(true) ? ATTEMPT.retry : ATTEMPT.failed),
              ),
            ],
          },
        ],
      },
    ],
  },
  fixes: [{ by: 'd877550eaf2d', preset: 'linux-6.1' }],
};
