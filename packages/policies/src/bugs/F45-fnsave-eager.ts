import { step, type Patch } from '@fpulab/core';
import type { Bug } from './bug';

/** The fix: eager tasks get their registers back at once. */
export const FNSAVE_RELOADS: Patch = {
  id: 'fnsave-reloads',
  title: 'fork() and fpu__save() of eager kernels load the registers again after FNSAVE',
  source: '5ed73f40735c "x86/fpu: Fix FNSAVE usage in eagerfpu mode"',
  edits: ['fpu__copy', 'xstateregs_get'].map((routine) => ({
    edit: 'replace',
    routine,
    step: 'fpregs_deactivate',
    nodes: [step('copy_fpstate_to_fpregs', (k) => k.restore(k.fpstateOf(k.task)), { instruction: 'xsave' })],
  })),
};

/** FNSAVE leaves nothing behind, and nobody will trap. docs/write-a-patch.md puts it into 4.8. */
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
  buggy: { preset: 'linux-4.2-eager' },
  fixes: [{ by: '5ed73f40735c', preset: 'linux-4.2-eager', patches: [FNSAVE_RELOADS] }],
};
