/** Eager switching in the shape of Linux 4.14. docs/write-a-policy.md comes to this from a policy that does nothing. */
import { CR0_TS, HEADER, NOTHING, SSE, X87, routine, slot, step, when, whileHolds } from '@fpulab/core';
import type { BasePolicy, Kernel, RoutineNode } from '@fpulab/core';

/** Marks steps that execute an FPU instruction: with CR0.TS set it raises #NM before it has any effect. */
const fpu = { instruction: 'xsave' } as const;

/** My policy, for one machine. */
export default function myPolicy(): BasePolicy {
  const save = step('copy_fpregs_to_fpstate', (k) => k.save(k.fpstateOf(k.task)), fpu);
  const load = step('copy_kernel_to_fpregs', (k) => k.restore(k.fpstateOf(k.task)), fpu);
  const init = step('copy_init_fpstate_to_fpregs', (k) => k.initFpregs(), fpu);
  const inKernelFpu = slot.cpu('in_kernel_fpu', 'flag');

  return {
    kind: 'base',
    id: 'my-policy',
    title: 'saves and loads at every switch',
    source: 'after Linux 4.14.74 asm/fpu/internal.h, kernel/fpu/core.c, kernel/fpu/signal.c',
    requires: ['fxsr'], // FNSAVE leaves INIT in the registers: another story
    fpstate: 'embedded', // the image is part of the task, as in Linux 4.2 and later
    slots: [inKernelFpu],
    roles: {},
    routines: [
      routine('fpu__init_cpu', [step('clear CR0.TS', (k) => k.writeCr0(k.readCr0() & ~CR0_TS))]),
      routine('switch_fpu_finish', [load]),
      routine('switch_fpu_prepare', [save]),
      routine('fpu__copy', [step('copy_fpregs_to_fpstate(dst)', (k) => k.save(k.fpstateOf(k.child)), fpu)]),
      routine('fpu__clear', [init]),
      routine('kernel_fpu_begin', [
        step('preempt_disable', (k) => k.preemptDisable()),
        step('kernel_fpu_disable', (k) => k.write(inKernelFpu, k.cpu, 1)),
        save,
      ]),
      routine('kernel_fpu_end', [
        load,
        step('kernel_fpu_enable', (k) => k.write(inKernelFpu, k.cpu, 0)),
        step('preempt_enable', (k) => k.preemptEnable()),
      ]),
      routine('irq_fpu_usable', [step('!in_kernel_fpu', (k) => k.answer(k.read(inKernelFpu, k.cpu) === 0))]),
      routine('copy_fpstate_to_sigframe', [
        userAccess('copy_fpregs_to_sigframe', (k) => (k.saveToUser() ? DONE : FAULTED)),
        when(is(FAILED), [step('return -1', (k) => k.refuse())]),
      ]),
      routine('fpu__restore_sig', [
        step('INIT for what the frame lacks', (k) => k.initFpregs(k.xfeatures & ~inFrame(k)), fpu),
        userAccess('copy_user_to_xregs', (k) => HOW[k.restoreFromUser(inFrame(k))]),
        when(is(FAILED), [init, step('return -1', (k) => k.refuse())]),
      ]),
    ],
    hooks: {
      'cpu-up': 'fpu__init_cpu',
      'switch-out': 'switch_fpu_prepare',
      'switch-in': 'switch_fpu_finish',
      fork: 'fpu__copy',
      exec: 'fpu__clear',
      exit: NOTHING,
      'kernel-fpu-begin': 'kernel_fpu_begin',
      'kernel-fpu-end': 'kernel_fpu_end',
      'irq-fpu-usable': 'irq_fpu_usable',
      'trap-nm': NOTHING,
      'signal-save': 'copy_fpstate_to_sigframe',
      'signal-clear': 'fpu__clear',
      'signal-restore': 'fpu__restore_sig',
    },
  };
}

/** How an access to the signal frame went, in local 0 of the routine. A fresh local is 0. */
const [RETRY, DONE, FAULTED, FAILED] = [0, 1, 2, 3];
const HOW = { ok: DONE, 'page-fault': FAULTED, 'general-protection': FAILED };
const is = (how: number) => (k: Kernel) => k.local(0) === how;

/** Where a page is missing it is brought in, others run meanwhile, and the instruction starts again. */
function userAccess(name: string, run: (k: Kernel) => number): RoutineNode {
  return whileHolds(is(RETRY), [
    step(name, (k) => k.setLocal(0, run(k)), fpu),
    when(is(FAULTED), [step('do_page_fault', (k) => k.setLocal(0, k.faultIn() ? RETRY : FAILED))]),
  ]);
}

/** What the frame holds: x87 and SSE alone where its magic numbers are gone (FP_XSTATE_MAGIC1). */
function inFrame(k: Kernel): number {
  const isLegacy = k.headerOf(k.fpstateOf(k.task, 'sigframe')) === HEADER.fxOnly;
  return isLegacy ? (1 << X87) | (1 << SSE) : k.xfeatures;
}
