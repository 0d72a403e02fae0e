/** Loading FPU registers is put off to the return to user code: TIF_NEED_FPU_LOAD. */
import { CR0_TS, NOBODY, routine, step, unless, when, type BasePolicy } from '@fpulab/core';
import { cpuUp } from '../cpu-up';
import { XFEATURES_4_8 } from '../xfeatures';
import { fpuContext } from './context';
import { lifeRoutines } from './life';
import { getRoutine, setRoutine } from './regset';
import { clearRoutine, ia32RestoreRoutine, ia32SaveRoutine, restoreRoutine, saveRoutine } from './signal';
import { kernelFpuRoutines, returnRoutine, switchRoutines } from './switch';

/**
 * Kernels whose code differs: 5.2 to 5.13 load INIT at execve() and keep PKRU in the image; 5.14 and 5.15 reset the image at execve() and
 * switch PKRU apart from it; 5.16 on loads the registers before fork(); 6.7 on names the
 * task whose flags it reads or writes in a switch, where the kernels before say current.
 */
export type DeferralEra = 'linux-5.2' | 'linux-5.14' | 'linux-6.1' | 'linux-6.12';

const TITLES: Readonly<Record<DeferralEra, string>> = {
  'linux-5.2': 'registers are loaded on the return to user code, Linux 5.2 to 5.13',
  'linux-5.14': 'registers are loaded on the return to user code, Linux 5.14 and 5.15',
  'linux-6.1': 'registers are loaded on the return to user code, Linux 5.16 to 6.6',
  'linux-6.12': 'registers are loaded on the return to user code, Linux 6.7 to 6.12',
};

const SOURCES: Readonly<Record<DeferralEra, string>> = {
  'linux-5.2': 'Linux 5.10.13 asm/fpu/internal.h, kernel/fpu/core.c, signal.c, with the fixes that 5.10.y has',
  'linux-5.14': 'Linux 6.1.176 kernel/fpu, with fork() as in 5.10.13',
  'linux-6.1': 'Linux 6.1.176 asm/fpu/sched.h, kernel/fpu/context.h, core.c, signal.c',
  'linux-6.12': 'Linux 6.12.19 asm/fpu/sched.h, kernel/fpu/context.h, core.c, signal.c',
};

export { FSAVE_HEADER_STALE } from './signal';

/** Saves at switch-out, loads on the return to user code unless the registers are still valid. Linux 5.2 and later. */
export function loadFpuDeferral({ era }: { readonly era: DeferralEra }): BasePolicy {
  const context = fpuContext(era);
  const { needLoad, lastCpu, owner, inKernelFpu, current } = context;
  const { fork, exec, exit } = lifeRoutines(context);
  const ia32Restore = ia32RestoreRoutine(context);
  const up = cpuUp('fpu__init_cpu', { owner, fninit: true, lazy: false });
  return {
    kind: 'base',
    id: 'load-fpu-deferral',
    title: TITLES[era],
    source: SOURCES[era],
    requires: ['fpu'],
    fpstate: 'embedded',
    xfeatures: XFEATURES_4_8,
    xsaves: true,
    newPkru: 'restrictive',
    checksAltstack: era !== 'linux-5.2',
    slots: [needLoad, lastCpu, owner, inKernelFpu, ...(current ? [current] : [])],
    roles: { owner },
    routines: [
      ...switchRoutines(context),
      returnRoutine(context),
      ...kernelFpuRoutines(context),
      fork,
      exec,
      exit,
      saveRoutine(context),
      clearRoutine(context),
      restoreRoutine(context),
      ia32SaveRoutine(context),
      ia32Restore,
      getRoutine(context),
      setRoutine(context),
      // Modifiers that know another cause of #NM say in local 1 that they have dealt with it.
      routine('exc_device_not_available', [
        step('read_cr0', (k) => k.setLocal(0, k.readCr0())),
        unless(
          (k) => k.local(1) !== 0,
          [
            when(
              (k) => (k.local(0) & CR0_TS) !== 0,
              [step('WARN, clear CR0.TS', (k) => k.writeCr0(k.local(0) & ~CR0_TS))],
              [step('die("unexpected #NM exception")', (k) => k.killCurrent())],
            ),
          ],
        ),
      ]),
      ...up.routines,
      routine('fpu__init_cpu', [
        step('clear CR0.TS', (k) => k.writeCr0(k.readCr0() & ~CR0_TS)),
        step('owner of this CPU = NULL', (k) => k.write(owner, k.cpu, NOBODY)),
      ]),
    ],
    hooks: {
      'switch-out': 'switch_fpu_prepare',
      'switch-in': 'switch_fpu_finish',
      'trap-nm': 'exc_device_not_available',
      'exit-to-user': 'switch_fpu_return',
      'irq-fpu-usable': 'irq_fpu_usable',
      'kernel-fpu-begin': 'kernel_fpu_begin',
      'kernel-fpu-end': 'kernel_fpu_end',
      'signal-save': 'copy_fpstate_to_sigframe',
      'signal-clear': 'fpu__clear_user_states',
      'signal-restore': 'fpu__restore_sig',
      'signal-save-ia32': 'copy_fpstate_to_sigframe, ia32_fxstate',
      'signal-restore-ia32': ia32Restore.name,
      'ptrace-read': 'xstateregs_get',
      'ptrace-write': 'xstateregs_set',
      'core-dump': 'xstateregs_get',
      fork: fork.name,
      exec: exec.name,
      exit: 'fpu__drop',
      'cpu-up': 'fpu__init_cpu',
      ...up.hooks,
    },
  };
}
