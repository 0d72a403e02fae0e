/**
 * Ways to give the running task another value in one component, from code that may be preempted: begin_update_one_xsave_feature() and
 * finish_update_one_xsave_feature() of the thread of September 2021, and what was there before and came after.
 */
import {
  NOBODY,
  PASID,
  group,
  hasComponent,
  step,
  unless,
  when,
  type Condition,
  type Kernel,
  type RoutineNode,
} from '@fpulab/core';
import { WRMSR } from './trap-gp';

/** Marks steps that execute an XSAVE-family instruction. */
const XSAVE = { instruction: 'xsave' } as const;

/** What begin_update_one_xsave_feature() and finish_update_one_xsave_feature() leave open. */
export interface UpdateHelper {
  /**
   * How the old state gets from live registers into the image: RDMSR and a store; XSAVES of that component, as the pseudo-code has it; XSAVES of
   * all; not at all, for `full`.
   */
  readonly old: 'rdmsr' | 'xsaves-one' | 'xsaves-all' | 'left';
  /** When the bit of XSTATE_BV is set. */
  readonly xstateBv: 'begin' | 'finish';
  /** What happens to live registers: XRSTORS of the component at once, or all are left to the return to user code. */
  readonly load: 'xrstors' | 'deferred';
  /** Where the image says INIT, INIT is written to the slot. */
  readonly writesInit: boolean;
  /** `last_cpu = -1` where registers are to be loaded later: they may be valid, and loading them left out. */
  readonly invalidates: boolean;
  /** What the caller does with the address: writes all of the state, or changes a part. */
  readonly caller: 'replaces' | 'changes';
}

/**
 * `msr-or-image`: WRMSR where registers are live, the image where they are not, as update_pasid() of Linux 5.10 does, but under fpregs_lock().
 * `lock-and-load`: registers are loaded if they are not live, then WRMSR, as fpregs_lock_and_load() of Linux 6.6 and later has it.
 */
export type UpdateWay = 'msr-or-image' | 'lock-and-load' | UpdateHelper;

const NEED_LOAD = 'TIF_NEED_FPU_LOAD';
const mustLoad: Condition = (k) => k.read(k.slotNamed(NEED_LOAD), k.task) !== 0;
const image = (k: Kernel): number => k.fpstateOf(k.task);
const isInUse: Condition = (k) => hasComponent(k.xstateBv(image(k)), PASID);

/** Whoever runs with live registers from here on, their image is not used. Local 0: what the task is to have. */
export function updatePasid(way: UpdateWay): readonly RoutineNode[] {
  switch (way) {
    case 'msr-or-image':
      return [
        lock,
        when(mustLoad, [setXstateBv, step('ppasid_state->pasid = pasid', writeSlot), invalidate()], [writeMsr]),
        unlock,
      ];
    case 'lock-and-load':
      return [
        lock,
        when(mustLoad, [step('fpregs_restore_userregs', (k) => k.call('switch_fpu_return'))]),
        writeMsr,
        unlock,
      ];
    default:
      return [begin(way), caller(way), finish(way)];
  }
}

const lock = step('fpregs_lock', (k) => {
  k.localBhDisable();
  k.beginUpdate(PASID);
});
/** What was given is the task's when others may look. */
const unlock = step('fpregs_unlock', (k) => {
  k.finishUpdate(PASID, k.local(0));
  k.localBhEnable();
});
const setXstateBv = step('XSTATE_BV |= xfeature', (k) =>
  k.writeXstateBv(image(k), k.xstateBv(image(k)) | (1 << PASID)),
);
const invalidate = (why = ''): RoutineNode =>
  step(`__fpu_invalidate_fpregs_state${why}`, (k) => k.write(k.slotNamed('last_cpu'), k.task, NOBODY));
const writeMsr = step('wrmsrl(MSR_IA32_PASID)', (k) => k.writeRegister(PASID, k.local(0)), WRMSR);
const writeSlot = (k: Kernel): void => k.writeFpstate(image(k), PASID, k.local(0));

const SAVES: Readonly<Record<UpdateHelper['old'], readonly RoutineNode[]>> = {
  rdmsr: [step('*addr = rdmsrl(MSR_IA32_PASID)', (k) => k.storeRegister(image(k), PASID), WRMSR)],
  'xsaves-one': [step('xsaves(xstate, 1 << xfeature)', (k) => k.saveAlone(image(k), PASID), XSAVE)],
  'xsaves-all': [step('save_fpregs_to_fpstate', (k) => void k.save(image(k)), XSAVE)],
  left: [],
};

/** With interrupts on and preemption off: nothing else uses the registers until the end. */
function begin({ old, xstateBv, writesInit }: UpdateHelper): RoutineNode {
  const writeInit = (when: string): readonly RoutineNode[] =>
    writesInit
      ? [unless(isInUse, [step(`*addr = init state (${when})`, (k) => k.writeFpstate(image(k), PASID, 0))])]
      : [];
  // After RDMSR the slot is right whatever a stale XSTATE_BV says.
  const live = [...SAVES[old], ...(old.startsWith('xsaves') ? writeInit('registers are live') : [])];
  return group('begin_update_one_xsave_feature', [
    lock,
    when(mustLoad, writeInit('in memory'), live),
    ...(xstateBv === 'begin' ? [setXstateBv] : []),
  ]);
}

function caller({ caller: does }: UpdateHelper): RoutineNode {
  return does === 'replaces'
    ? step('*addr = pasid', writeSlot)
    : step('*addr: a part changes', (k) => k.changeFpstate(image(k), PASID, k.local(0)));
}

function finish({ xstateBv, load, invalidates }: UpdateHelper): RoutineNode {
  const later = (why = ''): readonly RoutineNode[] => (invalidates ? [invalidate(why)] : []);
  const now: Readonly<Record<UpdateHelper['load'], readonly RoutineNode[]>> = {
    xrstors: [step('xrstors(xstate, 1 << xfeature)', (k) => void k.restore(image(k), 1 << PASID), XSAVE)],
    deferred: [step('set TIF_NEED_FPU_LOAD', (k) => k.write(k.slotNamed(NEED_LOAD), k.task, 1)), ...later(' with it')],
  };
  return group('finish_update_one_xsave_feature', [
    ...(xstateBv === 'finish' ? [setXstateBv] : []),
    when(mustLoad, later(), now[load]),
    unlock,
  ]);
}

/** What the kernel does where a thread binds: from then on that thread does not trap. */
export function bindFillsRegister(way: UpdateWay): RoutineNode {
  return group('the binding thread gets its PASID', [
    step('pasid = current->mm->pasid', (k) => k.setLocal(0, k.mmPasid)),
    ...updatePasid(way),
    step('current->pasid_activated = 1', (k) => k.write(k.slotNamed('pasid_activated'), k.task, 1)),
  ]);
}
