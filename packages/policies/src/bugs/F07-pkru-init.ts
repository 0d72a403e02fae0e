import { DEFAULT_PKRU, PKRU, hasComponent, step } from '@fpulab/core';
import type { Bug } from './bug';

const writePkru = step(
  '__write_pkru(pk ? pk->pkru : init_pkru_value)',
  (k) => {
    const fpstate = k.fpstateOf(k.task);
    const isInUse = hasComponent(k.xstateBv(fpstate), PKRU);
    k.writeRegister(PKRU, isInUse ? k.readFpstate(fpstate, PKRU) : DEFAULT_PKRU);
  },
  { instruction: 'pkru' },
);

/** Two init values: the hardware's is 0, the kernel's denies all keys but the first. */
export const F07: Bug = {
  id: 'F07',
  name: 'pkru-init',
  title: 'PKRU in its init state comes back as the default',
  year: 2021,
  kernels: '5.2 to 5.12',
  source: '510b80a6a0f1 "x86/pkru: Write hardware init value to PKRU when xstate is init"',
  property: 'pkru-mismatch',
  story:
    'A task puts PKRU into its init state by XRSTOR: all keys are open then, for the init value of hardware is 0. When it is switched out, ' +
    'XSAVE clears the bit of PKRU in XSTATE_BV instead of storing a 0. When it comes back, switch_fpu_finish() looks PKRU up in ' +
    'the image, finds no such component, and writes what it had in hand: init_pkru_value, with which a program starts and which denies access to every ' +
    'key but the first. Still in the kernel, copy_to_user() to a page of another key fails. And if the rest of the registers is still valid, ' +
    'nothing is restored on the way back, and the task runs on with keys closed that it had opened. A component that is missing in an image means ' +
    'what XRSTOR would load for it, and nothing else.',
  scenario: 'pkru-switch',
  platform: 'bare-metal',
  buggy: {
    preset: 'linux-5.10',
    patches: [
      {
        id: 'pkru-init',
        title: "an image without PKRU means the kernel's default instead of hardware's init value",
        source: 'before 510b80a6a0f1, as in 5.10.13',
        edits: [
          { edit: 'replace', routine: 'hook:switch-in', step: '__write_pkru(pk ? pk->pkru : 0)', nodes: [writePkru] },
        ],
      },
    ],
  },
  fixes: [{ by: '510b80a6a0f1', preset: 'linux-5.10' }],
};
