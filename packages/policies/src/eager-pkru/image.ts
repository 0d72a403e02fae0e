/** Linux 5.2 to 5.13: switch_fpu_finish() loads PKRU from the new task's XSAVE image. */
import { INIT, PKRU, group, hasComponent, slot, step, when, type Kernel } from '@fpulab/core';
import { WRPKRU, type Form } from './form';
import { writePkru } from './pkey-access';

/** get_xsave_addr(): what the image holds; hardware's init value, 0, where XSTATE_BV says that PKRU is in its init state. */
const inImage = (k: Kernel): number => {
  const fpstate = k.fpstateOf(k.task);
  return hasComponent(k.xstateBv(fpstate), PKRU) ? k.readFpstate(fpstate, PKRU) : INIT;
};

/**
 * As in 5.10.y with its fixes: 510b80a6a0f1 (init value), 12f7764ac612 (PF_KTHREAD), and the flags are the new task's.
 *
 * @param initPkru what kernel threads get
 */
export function imageForm(initPkru: number): Form {
  /** A local of __switch_to(), which runs on two stacks. */
  const isKthread = slot.cpu('is_kthread', 'flag');
  return {
    title: 'PKRU is loaded from the XSAVE image at every switch, Linux 5.2 to 5.13',
    source: 'Linux 5.10.13 asm/fpu/internal.h switch_fpu_finish(), with the fixes that 5.10.y has',
    slots: [isKthread],
    edits: [
      {
        edit: 'append',
        routine: 'hook:switch-in',
        nodes: [
          group('PKRU in switch_fpu_finish', [
            step('current->flags & PF_KTHREAD', (k) => k.write(isKthread, k.cpu, k.isKernelThread(k.task) ? 1 : 0)),
            when(
              (k) => k.read(isKthread, k.cpu) !== 0,
              [step('__write_pkru(init_pkru_value)', (k) => k.writeRegister(PKRU, initPkru), WRPKRU)],
              [step('__write_pkru(pk ? pk->pkru : 0)', (k) => k.writeRegister(PKRU, inImage(k)), WRPKRU)],
            ),
            step('PKRU is switched', (k) => k.write(isKthread, k.cpu, 0)),
          ]),
        ],
      },
      // The RFC of 2016 is on 4.8, which has no pkey_alloc().
      ...(initPkru === INIT
        ? []
        : [{ edit: 'append' as const, routine: 'hook:pkey-access', nodes: [writePkru.image] }]),
    ],
  };
}
