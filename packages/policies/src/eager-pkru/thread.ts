/**
 * Linux 5.14 and later: PKRU has a place of its own in the task, which is valid while the task does not run; while it
 * runs, the register is.
 */
import { DEFAULT_PKRU, FPSTATE_KINDS, PKRU, group, hasComponent, slot, step, when, type Kernel } from '@fpulab/core';
import { isBadHeader } from '../regset';
import { WRPKRU, type Form } from './form';
import { writePkru } from './pkey-access';

/** What a tracer has just written to the image of its target; local 1 says which image: setRoutine() of load-fpu-deferral. */
const writtenByTracer = (k: Kernel): number => k.readFpstate(k.fpstateOf(k.target, FPSTATE_KINDS[k.local(1)]), PKRU);

/** pkru_write_default() */
const writeDefault = (name: string) => step(name, (k) => k.writeRegister(PKRU, DEFAULT_PKRU), WRPKRU);

/**
 * x86_pkru_load(), copy_thread(), pkru_flush_thread(), setup_pku(), and copy_xstate_to_uabi_buf() and copy_uabi_to_xstate() for tracers. A
 * core dump is shown the task's place as well, although its register is what it has.
 */
export function threadForm(): Form {
  const pkru = slot.taskValue('thread.pkru', PKRU, DEFAULT_PKRU);
  return {
    title: 'PKRU is switched by RDPKRU and WRPKRU, apart from XSAVE, Linux 5.14 and later',
    source:
      'Linux 6.1.176 kernel/process_64.c x86_pkru_load(), kernel/process.c copy_thread(), pkru_flush_thread(), kernel/cpu/common.c setup_pku(), ' +
      'kernel/fpu/xstate.c copy_uabi_to_xstate()',
    slots: [pkru],
    edits: [
      {
        edit: 'append',
        routine: 'hook:switch-out',
        nodes: [
          group('x86_pkru_load', [
            step('prev->pkru = rdpkru()', (k) => k.write(pkru, k.task, k.readRegister(PKRU)), WRPKRU),
            step('wrpkru(next->pkru)', (k) => k.writeRegister(PKRU, k.read(pkru, k.next)), WRPKRU),
          ]),
        ],
      },
      {
        edit: 'append',
        routine: 'hook:ptrace-write',
        nodes: [
          when(
            (k) => hasComponent(k.regset, PKRU) && !isBadHeader(k),
            [
              step('*pkru = xpkru->pkru', (k) => k.write(pkru, k.target, writtenByTracer(k))),
              step('return 0', () => {}),
            ],
          ),
        ],
      },
      {
        edit: 'append',
        routine: 'hook:ptrace-read',
        nodes: [
          when(
            (k) => hasComponent(k.regset, PKRU),
            [step('pkru.pkru = tsk->thread.pkru', (k) => k.showValue(PKRU, k.read(pkru, k.target)))],
          ),
        ],
      },
      {
        edit: 'append',
        routine: 'hook:fork',
        nodes: [
          group('PKRU in copy_thread', [
            when(
              (k) => k.isKernelThread(k.child),
              [step('p->thread.pkru = pkru_get_init_value()', (k) => k.write(pkru, k.child, DEFAULT_PKRU))],
              [step('p->thread.pkru = read_pkru()', (k) => k.write(pkru, k.child, k.readRegister(PKRU)), WRPKRU)],
            ),
          ]),
        ],
      },
      {
        edit: 'append',
        routine: 'hook:exec',
        nodes: [group('pkru_flush_thread', [writeDefault('pkru_write_default at execve')])],
      },
      {
        edit: 'append',
        routine: 'hook:cpu-up',
        nodes: [group('setup_pku', [writeDefault('pkru_write_default at boot')])],
      },
      {
        edit: 'append',
        routine: 'hook:cpu-init',
        nodes: [group('setup_pku of a CPU that comes up', [writeDefault('pkru_write_default')])],
      },
      { edit: 'append', routine: 'hook:pkey-access', nodes: [writePkru.thread] },
    ],
  };
}
