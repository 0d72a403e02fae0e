/** What changes PKRU for a task that asked for a protection key: arch_set_user_pkey_access() and write_pkru(). */
import { INIT, PKRU, group, hasComponent, step, when, type Kernel, type Patch, type RoutineNode } from '@fpulab/core';
import { mustLoadByName } from '../load-fpu-deferral/context';
import { WRPKRU } from './form';

/** The name of the function, under which patches find it. */
export const SET_ACCESS = 'arch_set_user_pkey_access';

const image = (k: Kernel): number => k.fpstateOf(k.task);

/** What the register has is changed in part; how it gets to where the task will find it differs. */
const setAccess = (write: readonly RoutineNode[]): RoutineNode =>
  group(SET_ACCESS, [step('old_pkru = read_pkru()', (k) => k.readToChange(PKRU), WRPKRU), ...write]);

/**
 * By where a task has its PKRU. `image`, Linux 5.2 to 5.13 (asm/pgtable.h write_pkru()): into the XSAVE image as well, if that has PKRU, for the return to
 * user code may load it. That is looked up before fpregs_lock(). `thread`, 5.14 and later, and kernels that load all registers at the
 * switch: the register is all there is.
 */
export const writePkru: Readonly<Record<'image' | 'thread', RoutineNode>> = {
  image: setAccess([
    step('pk = get_xsave_addr(PKRU)', (k) => k.setLocal(0, hasComponent(k.xstateBv(image(k)), PKRU) ? 1 : 0)),
    step('fpregs_lock', (k) => {
      k.localBhDisable();
      k.beginUpdate(PKRU);
    }),
    when((k) => k.local(0) !== 0, [step('pk->pkru = pkru', (k) => k.writeFpstate(image(k), PKRU, k.askedPkru))]),
    step('__write_pkru(pkru)', (k) => k.writeRegister(PKRU, k.askedPkru), WRPKRU),
    step('fpregs_unlock', (k) => {
      k.finishUpdate(PKRU, k.askedPkru);
      k.localBhEnable();
    }),
  ]),
  thread: setAccess([step('__write_pkru(pkru)', (k) => k.giveRegister(PKRU, k.askedPkru), WRPKRU)]),
};

/**
 * Derived from 5.10.13 with this model; no report of it was found. XSTATE_BV may come to have PKRU after it was looked at, and it lacks PKRU where that is
 * 0: the image is left alone then, and the return to user code loads the old PKRU from it.
 */
export const WRITE_PKRU_LOCKED: Patch = {
  id: 'write-pkru-locked',
  title: 'write_pkru() holds fpregs_lock() from the start, and an image that is going to be loaded has PKRU',
  source: 'hypothetical',
  edits: [
    {
      edit: 'prepend',
      routine: 'hook:pkey-access',
      nodes: [
        step('fpregs_lock before all', (k) => k.localBhDisable()),
        when(
          (k) => mustLoadByName(k) && !hasComponent(k.xstateBv(image(k)), PKRU),
          [
            step('PKRU of the image = 0', (k) => k.writeFpstate(image(k), PKRU, INIT)),
            step('XSTATE_BV |= XFEATURE_MASK_PKRU', (k) =>
              k.writeXstateBv(image(k), k.xstateBv(image(k)) | (1 << PKRU)),
            ),
          ],
        ),
      ],
    },
    {
      edit: 'append',
      routine: 'hook:pkey-access',
      nodes: [step('fpregs_unlock after all', (k) => k.localBhEnable())],
    },
  ],
};
