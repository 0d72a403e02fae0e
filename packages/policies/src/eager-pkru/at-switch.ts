/** What 5.2 did for PKRU, on kernels that load all registers at the switch. */
import { DEFAULT_PKRU, INIT, PKRU, hasComponent, step, when, type Kernel, type Patch } from '@fpulab/core';
import { WRPKRU } from './form';

/** What the new task's image has: it was saved when the task was switched out. */
const inImage = (k: Kernel): number => {
  const fpstate = k.fpstateOf(k.task);
  return hasComponent(k.xstateBv(fpstate), PKRU) ? k.readFpstate(fpstate, PKRU) : INIT;
};

/**
 * Kernel threads get a PKRU of their own, and so does the user task behind them, whose registers may count as loaded.
 *
 * @param own what kernel threads get
 */
const atSwitch = (kernel: string, own: number): Patch => ({
  id: `pkru-at-switch-${kernel}`,
  title: `__switch_to() writes PKRU, for kernel threads ${own === INIT ? '0' : 'init_pkru_value'} (Linux ${kernel})`,
  source: 'hypothetical: switch_fpu_finish() of Linux 5.2 on an eager kernel',
  edits: [
    {
      edit: 'append',
      routine: 'hook:switch-in',
      nodes: [
        when(
          (k) => hasComponent(k.xfeatures, PKRU),
          [
            when(
              (k) => k.isKernelThread(k.task),
              [step("__write_pkru(the kernel's own)", (k) => k.writeRegister(PKRU, own), WRPKRU)],
              [step("__write_pkru(the task's)", (k) => k.writeRegister(PKRU, inImage(k)), WRPKRU)],
            ),
          ],
        ),
      ],
    },
  ],
});

/** For 4.6 to 4.8, which have no init_pkru_value, and for 4.9 to 5.1. */
export const PKRU_AT_SWITCH: readonly Patch[] = [atSwitch('4.8', INIT), atSwitch('4.14', DEFAULT_PKRU)];
