/**
 * What kernels lack when CPUs come up again, or the machine wakes from suspend: each a patch that adds it. But for the first, which 4.1 has,
 * they are derived from the sources; no report of what they cure is known to us.
 */
import { NOBODY, PKRU, hasComponent, step, when, type Condition, type Kernel, type Patch } from '@fpulab/core';
import { WRPKRU } from './eager-pkru/form';

const disown = (name: string) => (k: Kernel) => k.write(k.slotNamed(name), k.cpu, NOBODY);

/** 3.6: after suspend the registers of secondary CPUs are INIT, and their owners may still be told to take them for their own. */
export const NATIVE_CPU_UP_OWNER: Patch = {
  id: 'native-cpu-up-owner',
  title: 'native_cpu_up() of 3.6 resets the owner of the CPU that it brings up',
  source: 'Linux 4.1.27 native_cpu_up(): "the FPU context is blank, nobody can own it"',
  edits: [
    {
      edit: 'append',
      routine: 'hook:native-cpu-up',
      nodes: [step('owner of the CPU that comes up = NULL', disown('fpu_owner_task'))],
    },
  ],
};

/** Xen keeps the registers of a vCPU that is down, and xen_cpu_up() the owner; but cpu_bringup() executes FNINIT since 4.2. */
export const XEN_CPU_UP_OWNER: Patch = {
  id: 'xen-cpu-up-owner',
  title: 'a vCPU that comes up again under Xen PV forgets its owner, as native_cpu_up() has it',
  source:
    'hypothetical; derived from cpu_bringup() in arch/x86/xen/smp.c of 4.8.15, smp_pv.c of 4.14.74, 5.2.1, 5.10.13, 6.1.176 and 6.12.19',
  edits: [
    {
      edit: 'prepend',
      routine: 'hook:cpu-init',
      nodes: [step('owner of the vCPU that comes up = NULL', disown('fpu_fpregs_owner_ctx'))],
    },
  ],
};

/** IA32_XFD is that of the task that had the machine suspended, its copy is that of whoever ran there before. */
export const XFD_RESUME_COPY: Patch = {
  id: 'xfd-resume-copy',
  title: 'fpu__resume_cpu() writes the copy of IA32_XFD, too: xfd_set_state()',
  source: 'hypothetical; derived from fpu__resume_cpu() of 6.1.176 and 6.12.19',
  edits: [
    {
      edit: 'append',
      routine: 'hook:cpu-resume',
      nodes: [
        when(
          (k) => k.dynamicXfeatures !== 0,
          [step('xfd_state = IA32_XFD', (k) => k.write(k.slotNamed('xfd_state'), k.cpu, k.xfd.read()))],
        ),
      ],
    },
  ],
};

const hasPkru: Condition = (k) => hasComponent(k.xfeatures, PKRU);
const threadPkru = (k: Kernel) => k.slotNamed('thread.pkru');

/** PKRU is in no image since 5.14, and no code of suspend keeps it. */
export const PKRU_SUSPEND: Patch = {
  id: 'pkru-suspend',
  title: 'PKRU of the task that has the machine suspended is kept and loaded again',
  source: 'hypothetical; derived from arch/x86/power/cpu.c of 6.1.176 and 6.12.19',
  edits: [
    {
      edit: 'append',
      routine: 'hook:cpu-suspend',
      nodes: [
        when(hasPkru, [
          step('current->thread.pkru = rdpkru()', (k) => k.write(threadPkru(k), k.task, k.readRegister(PKRU)), WRPKRU),
        ]),
      ],
    },
    {
      edit: 'append',
      routine: 'hook:cpu-resume',
      nodes: [
        when(hasPkru, [
          step('wrpkru(current->thread.pkru)', (k) => k.writeRegister(PKRU, k.read(threadPkru(k), k.task)), WRPKRU),
        ]),
      ],
    },
  ],
};

/** All of them. */
export const CPU_UP_FIXES: readonly Patch[] = [NATIVE_CPU_UP_OWNER, XEN_CPU_UP_OWNER, XFD_RESUME_COPY, PKRU_SUSPEND];
