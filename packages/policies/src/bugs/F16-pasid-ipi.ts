import { INIT, NOBODY, PASID, group, step, when, whileHolds, type Kernel, type RoutineNode } from '@fpulab/core';
import { mustLoadByName } from '../load-fpu-deferral/context';
import type { Bug } from './bug';

const image = (k: Kernel): number => k.fpstateOf(k.task);

/** update_pasid() of 5.10.13, called where current's registers may be live or not. An mm without a PASID is as good as INIT. */
const updatePasid: RoutineNode = group('update_pasid', [
  step('pasid = READ_ONCE(current->mm->pasid)', (k) => k.setLocal(0, k.mmPasid)),
  when(
    (k) => k.local(0) !== INIT,
    [
      when(
        (k) => !mustLoadByName(k),
        [
          step('wrmsrl(MSR_IA32_PASID)', (k) => k.giveRegister(PASID, k.local(0)), {
            instruction: 'privileged',
          }),
        ],
        [
          step('xfeatures |= XFEATURE_MASK_PASID', (k) => {
            k.beginUpdate(PASID);
            k.writeXstateBv(image(k), k.xstateBv(image(k)) | (1 << PASID));
          }),
          // PASIDs are told apart by their numbers, so that the slot may be compared.
          when(
            (k) => k.readFpstate(image(k), PASID) !== k.local(0),
            [
              step('__fpu_invalidate_fpregs_state', (k) => k.write(k.slotNamed('last_cpu'), k.task, NOBODY)),
              step('ppasid_state->pasid = pasid_state', (k) => k.writeFpstate(image(k), PASID, k.local(0))),
            ],
          ),
          step('current has its PASID', (k) => k.finishUpdate(PASID, k.local(0))),
        ],
      ),
    ],
  ),
  step('return', () => {}), // the last step of a routine has no locals any more
]);

/** An interrupt edits the state of the task that it hits. */
export const F16: Bug = {
  id: 'F16',
  name: 'pasid-ipi',
  title: 'an interrupt gives a task its PASID while the task loads its registers',
  year: 2021,
  kernels: '5.10 to 5.13-rc, never enabled',
  source: '9bfecd058339 "x86/cpufeatures: Force disable X86_FEATURE_ENQCMD and remove update_pasid()"',
  property: 'stale-msr',
  story:
    'A process gets a PASID, and all CPUs that run its threads get an interrupt, whose handler gives it to whichever thread it finds: in the ' +
    'register if TIF_NEED_FPU_LOAD is clear, else in the image. On the other CPU a thread is about to set up a signal frame. Its flag is set, so it ' +
    'loads its registers first: fpregs_lock() keeps softirqs and other tasks away, but no interrupt. The registers are loaded, without a ' +
    'PASID; the interrupt comes, finds the flag still set, writes the PASID to the image and last_cpu = -1; the thread goes on, ' +
    'writes last_cpu, clears the flag, and returns to user code with registers that count as its own, and no PASID in them. Only the task ' +
    'itself may edit its state, under fpregs_lock(): 5.18 has it fill the register when ENQCMD traps.',
  scenario: 'enqcmd-signal-smp',
  platform: 'bare-metal',
  buggy: {
    preset: 'linux-6.1',
    patches: [
      {
        id: 'pasid-ipi',
        title: 'PASIDs are given by an inter-processor interrupt and at context switches, not when ENQCMD traps',
        source:
          'Linux 5.10.13 kernel/fpu/xstate.c update_pasid(), asm/fpu/internal.h, drivers/iommu/intel/svm.c load_pasid()',
        edits: [
          {
            edit: 'append',
            routine: 'hook:sva-bound',
            nodes: [
              step('on_each_cpu_mask(mm_cpumask(mm), _load_pasid)', (k) => k.callOthers()),
              step('local_irq_disable', (k) => k.localIrqDisable()),
              updatePasid,
              step('local_irq_enable', (k) => k.localIrqEnable()),
              whileHolds((k) => k.othersAreCalled, [step('csd_lock_wait', () => {})]),
            ],
          },
          { edit: 'append', routine: 'hook:call-function', nodes: [updatePasid] },
          { edit: 'append', routine: 'hook:switch-in', nodes: [updatePasid] },
          { edit: 'remove', routine: 'trap-gp', step: 'try_fixup_enqcmd_gp' },
        ],
      },
    ],
  },
  fixes: [{ by: 'demand population in 5.18', preset: 'linux-6.1' }],
};
