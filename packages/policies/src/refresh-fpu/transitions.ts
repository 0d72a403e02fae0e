/** The straw man's four functions. Each moves the current task between the states 1, 2a and 2b, and says so before it acts on it. */
import {
  NOBODY,
  group,
  slot,
  step,
  unless,
  when,
  type Belief,
  type Kernel,
  type RoutineNode,
  type Slot,
} from '@fpulab/core';

/** Marks steps that execute an XSAVE-family instruction. */
export const XSAVE = { instruction: 'xsave' } as const;

/** What is known of the copies of a task's state, and the transitions. */
export interface Transitions {
  readonly slots: readonly Slot[];
  readonly owner: Slot;
  readonly lastCpu: Slot;
  readonly memoryValid: Slot;
  readonly refresh: Slot;
  readonly belief: Belief;
  readonly mustRefresh: (k: Kernel) => boolean;
  readonly isMemoryValid: (k: Kernel) => boolean;
  /** The registers of this CPU are about to change: they are nobody's from here on. */
  readonly invalidateThisCpu: (why?: string) => RoutineNode;
  /** The memory of the current task is about to change: no CPU holds its state from here on. */
  readonly invalidateCpuState: (why?: string) => RoutineNode;
  readonly setRefresh: (why?: string) => RoutineNode;
  /** 1 or 2a after it. Nobody calls it: eager PKRU leaves it without a user, as the thread says. */
  readonly copyToCpu: RoutineNode;
  /** 1 after it. */
  readonly moveToCpu: RoutineNode;
  /** 2a or 2b after it. */
  readonly copyToMemory: RoutineNode;
  /** 2b after it: memory is writable. */
  readonly moveToMemory: RoutineNode;
}

/** FNSAVE leaves INIT in the registers: they are loaded again at once. */
const save = (k: Kernel): void => {
  const own = k.fpstateOf(k.task);
  if (!k.save(own)) k.restore(own);
};

/** Fresh slots, and the functions on them. */
export function transitions(): Transitions {
  const owner = slot.cpu('fpregs_owner', 'task', NOBODY);
  const lastCpu = slot.task('last_cpu', 'cpu', NOBODY);
  const memoryValid = slot.task('memory_valid', 'flag', 1);
  const refresh = slot.task('TIF_REFRESH_FPU', 'flag');

  const belief: Belief = {
    registersOn(read, task) {
      const cpu = read(lastCpu, task);
      return cpu >= 0 && read(owner, cpu) === task ? cpu : NOBODY;
    },
    inMemory: (read, task) => read(memoryValid, task) !== 0,
  };
  const isCpuValid = (k: Kernel): boolean => k.read(owner, k.cpu) === k.task && k.read(lastCpu, k.task) === k.cpu;
  const isMemoryValid = (k: Kernel): boolean => k.read(memoryValid, k.task) !== 0;

  const invalidateThisCpu = (why = ''): RoutineNode =>
    step(`this CPU holds nobody's state${why}`, (k) => k.write(owner, k.cpu, NOBODY));
  const invalidateCpuState = (why = ''): RoutineNode =>
    step(`no CPU holds the task's state${why}`, (k) => k.write(lastCpu, k.task, NOBODY));
  const setRefresh = (why = ''): RoutineNode => step(`set TIF_REFRESH_FPU${why}`, (k) => k.write(refresh, k.task, 1));

  const copyToCpu = group('user_fpregs_copy_to_cpu', [
    unless(isCpuValid, [
      invalidateThisCpu(),
      step('XRSTOR', (k) => void k.restore(k.fpstateOf(k.task)), XSAVE),
      step('last_cpu = cpu', (k) => k.write(lastCpu, k.task, k.cpu)),
      step("this CPU holds the task's state", (k) => k.write(owner, k.cpu, k.task)),
    ]),
  ]);
  const copyToMemory = group('user_fpregs_copy_to_memory', [
    unless(isMemoryValid, [
      step('XSAVE', save, XSAVE),
      step('memory is valid', (k) => k.write(memoryValid, k.task, 1)),
    ]),
    setRefresh(),
  ]);
  return {
    slots: [owner, lastCpu, memoryValid, refresh],
    owner,
    lastCpu,
    memoryValid,
    refresh,
    belief,
    mustRefresh: (k) => k.read(refresh, k.task) !== 0,
    isMemoryValid,
    invalidateThisCpu,
    invalidateCpuState,
    setRefresh,
    copyToCpu,
    moveToCpu: group('user_fpregs_move_to_cpu', [
      copyToCpu,
      when(isMemoryValid, [step('memory is not valid', (k) => k.write(memoryValid, k.task, 0))]),
    ]),
    copyToMemory,
    moveToMemory: group('user_fpregs_move_to_memory', [copyToMemory, invalidateCpuState()]),
  };
}
