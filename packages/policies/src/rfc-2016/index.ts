/** The RFC of October 2016: FPU registers are loaded on the return to user code, on top of eager Linux 4.8. */
import { CR0_TS, routine, step, type BasePolicy } from '@fpulab/core';
import { cpuUp } from '../cpu-up';
import { embeddedRegsets } from '../embedded-regset';
import { REGSET_HOOKS } from '../regset';
import { XFEATURES_4_8 } from '../xfeatures';
import { XSAVE, rfcContext } from './context';
import { lifeRoutines } from './life';
import { signalRoutines } from './signal';
import { kernelFpuRoutines, returnRoutines, switchRoutines } from './switch';

/** R. van Riel's series as its cover letter and the thread describe it, and what it needs beside that. */
export function rfc2016(): BasePolicy {
  const context = rfcContext();
  const { active, used, lastCpu, loadFpu, cachedFlags, owner, inKernelFpu, activate, saveIfActive } = context;
  const up = cpuUp('fpu__init_cpu', { owner, fninit: true, lazy: false });
  return {
    kind: 'base',
    id: 'rfc-2016',
    title: 'TIF_LOAD_FPU: registers are loaded on the return to user code, RFC of October 2016 on eager 4.8',
    source:
      'R. van Riel, "[PATCH RFC 0/5] x86,fpu: make FPU context switching much lazier", 1 October 2016, and the thread on its 2/5; Linux 4.8.15',
    requires: ['fpu'],
    fpstate: 'embedded',
    xfeatures: XFEATURES_4_8,
    xsaves: true,
    slots: [active, used, lastCpu, loadFpu, cachedFlags, owner, inKernelFpu],
    roles: { owner, active, used },
    routines: [
      ...switchRoutines(context),
      ...returnRoutines(context),
      ...kernelFpuRoutines(context),
      ...lifeRoutines(context),
      ...signalRoutines(context),
      ...embeddedRegsets({ active, used, lastCpu, save: saveIfActive }),
      routine('fpu__restore', [
        activate,
        step('copy_kernel_to_fpregs', (k) => void k.restore(k.fpstateOf(k.task)), XSAVE),
      ]),
      ...up.routines,
      routine('fpu__init_cpu', [step('clts at boot', (k) => k.writeCr0(k.readCr0() & ~CR0_TS))]),
    ],
    hooks: {
      'switch-out': 'switch_fpu_prepare',
      'switch-in': 'switch_fpu_finish',
      'trap-nm': 'fpu__restore',
      'exit-to-user-prepare': 'prepare_exit_to_usermode',
      'exit-to-user': 'after exit_to_usermode_loop',
      'irq-fpu-usable': 'irq_fpu_usable',
      'kernel-fpu-begin': 'kernel_fpu_begin',
      'kernel-fpu-end': 'kernel_fpu_end',
      fork: 'fpu__copy',
      exec: 'fpu__clear',
      exit: 'exit_thread',
      'signal-save': 'copy_fpstate_to_sigframe',
      'signal-clear': 'handle_signal',
      'signal-restore': 'fpu__restore_sig',
      'signal-save-ia32': 'copy_fpstate_to_sigframe, ia32_fxstate',
      'signal-restore-ia32': '__fpu__restore_sig, ia32_fxstate',
      ...REGSET_HOOKS,
      'cpu-up': 'fpu__init_cpu',
      ...up.hooks,
    },
  };
}
