import { NOBODY, step } from '@fpulab/core';
import type { Bug } from './bug';

/** fpregs_deactivate() of an eager kernel: CR0.TS stays clear. */
const deactivate = step('fpregs_deactivate', (k) => {
  k.write(k.slotNamed('fpregs_active'), k.task, 0);
  k.write(k.slotNamed('fpu_fpregs_owner_ctx'), k.cpu, NOBODY);
});

/** FNSAVE leaves nothing behind, and nobody will trap. docs/write-a-patch.md walks through it. */
export const F45: Bug = {
  id: 'F45',
  name: 'fnsave-eager',
  title: 'fork() costs the parent its registers on a processor without FXSAVE',
  year: 2016,
  kernels: '4.2 to 4.5, eager, no FXSAVE',
  source: '5ed73f40735c "x86/fpu: Fix FNSAVE usage in eagerfpu mode"',
  property: 'lost-update',
  story:
    'FNSAVE stores the registers and resets them. A lazy kernel does not mind: it notes that the task has no registers, sets CR0.TS, and ' +
    "they are loaded when the task traps. Eager mode came to the same code. fork() saves the parent's registers to the child's image, sees " +
    "that they are gone, copies the image to the parent's, and notes that the parent has no registers. But CR0.TS is always clear in " +
    'eager mode, and nobody traps: the parent goes on with what FNSAVE left. Since the fix an eager kernel loads the image again at ' +
    'once, in fork() and in fpu__save(). One task, no interrupt; it takes a processor without FXSAVE.',
  scenario: 'x87-only',
  platform: 'bare-metal',
  buggy: {
    preset: 'linux-4.8',
    patches: [
      {
        id: 'fnsave-eager',
        title: 'fork() and fpu__save() leave an eager task without registers after FNSAVE',
        source: 'before 5ed73f40735c',
        edits: ['fpu__copy', 'xstateregs_get'].map((routine) => ({
          edit: 'replace',
          routine,
          step: 'copy_fpstate_to_fpregs',
          nodes: [deactivate],
        })),
      },
    ],
  },
  fixes: [{ by: '5ed73f40735c', preset: 'linux-4.8' }],
};
