/** A. Lutomirski's straw man of October 2016: four functions, three states, TIF_REFRESH_FPU. */
import { CR0_TS, PKRU, routine, slot, step, when, type BasePolicy } from '@fpulab/core';
import { cpuUp } from '../cpu-up';
import { XFEATURES_4_8 } from '../xfeatures';
import { REGSET_HOOKS } from '../regset';
import { regsetRoutines } from './regset';
import { kernelFpuRoutines, lifeRoutines, signalRoutines, switchRoutines } from './routines';
import { transitions } from './transitions';

/** Every change of place is one of user_fpregs_{copy,move}_to_{cpu,memory}(). */
export function refreshFpu(): BasePolicy {
  const t = transitions();
  const inKernelFpu = slot.cpu('in_kernel_fpu', 'flag');
  const up = cpuUp('fpu__init_cpu', { owner: t.owner, fninit: true, lazy: false, disowns: true });
  return {
    kind: 'base',
    id: 'refresh-fpu',
    title: 'TIF_REFRESH_FPU: registers and memory in state 1, 2a or 2b, straw man of October 2016',
    source:
      'A. Lutomirski, 3 October 2016, in the LKML thread on "[PATCH RFC 2/5] x86,fpu: delay FPU register loading until switch to userspace"',
    requires: ['fpu'],
    fpstate: 'embedded',
    xfeatures: XFEATURES_4_8 & ~(1 << PKRU),
    xsaves: true,
    slots: [...t.slots, inKernelFpu],
    roles: { owner: t.owner },
    belief: t.belief,
    routines: [
      ...switchRoutines(t),
      ...kernelFpuRoutines(t, inKernelFpu),
      ...lifeRoutines(t),
      ...signalRoutines(t),
      ...regsetRoutines(t),
      routine('do_device_not_available', [
        when(
          (k) => (k.readCr0() & CR0_TS) !== 0,
          [step('WARN, clear CR0.TS', (k) => k.writeCr0(k.readCr0() & ~CR0_TS))],
          [step('die', (k) => k.killCurrent())],
        ),
      ]),
      ...up.routines,
      routine('fpu__init_cpu', [step('clts at boot', (k) => k.writeCr0(k.readCr0() & ~CR0_TS))]),
    ],
    hooks: {
      'switch-out': 'switch_fpu_prepare',
      'switch-in': 'switch_fpu_finish',
      'trap-nm': 'do_device_not_available',
      'exit-to-user': 'refresh_fpu',
      'irq-fpu-usable': 'irq_fpu_usable',
      'kernel-fpu-begin': 'kernel_fpu_begin',
      'kernel-fpu-end': 'kernel_fpu_end',
      fork: 'fpu__copy',
      exec: 'fpu__clear',
      exit: 'fpu__drop',
      'signal-save': 'copy_fpstate_to_sigframe',
      'signal-clear': 'handle_signal',
      'signal-restore': 'fpu__restore_sig',
      'signal-save-ia32': 'copy_fpstate_to_sigframe, ia32_fxstate',
      'signal-restore-ia32': 'fpu__restore_sig, ia32_fxstate',
      'cpu-up': 'fpu__init_cpu',
      ...up.hooks,
      ...REGSET_HOOKS,
      'core-dump': 'xstateregs_get',
    },
  };
}
