import type { Bug } from './bug';

/** PKRU has moved out, and its letters still go to the old address. */
export const F11: Bug = {
  id: 'F11',
  name: 'pkru-ptrace',
  title: 'what a tracer writes to PKRU is lost',
  year: 2022,
  kernels: '5.14 to 6.1',
  source: '4a804c4f8356 "x86/fpu: Allow PKRU to be (once again) written by ptrace."',
  property: 'lost-update',
  story:
    'A tracer stops a task and writes its XSTATE register set, PKRU among the rest. Since 5.14 PKRU is no longer loaded from the XSAVE image: ' +
    "it lies in thread.pkru, from where a context switch writes it to the register, and XRSTOR leaves it out. But the tracer's values are " +
    'copied to the image, all of them, and thread.pkru stays as it was. The call succeeds, and the task goes on with the keys that it had. The ' +
    'fix hands the value on to where PKRU is kept: in the task for ptrace and sigreturn, in the vCPU for KVM. When something ' +
    'moves, everybody who writes to its old place is a bug.',
  scenario: 'ptrace-pkru',
  platform: 'bare-metal',
  buggy: {
    preset: 'linux-6.1',
    patches: [
      {
        id: 'pkru-ptrace',
        title: 'copy_uabi_to_xstate() writes PKRU to the image alone',
        source: 'before 4a804c4f8356',
        edits: [{ edit: 'remove', routine: 'xstateregs_set', step: '*pkru = xpkru->pkru' }],
      },
    ],
  },
  fixes: [{ by: '4a804c4f8356', preset: 'linux-6.1' }],
};
