/**
 * Ways to give the running task another value in one component, from code that may be preempted: begin_update_one_xsave_feature() and
 * finish_update_one_xsave_feature() of the thread of September 2021, and what was there before and came after.
 */
import {
  DEFAULT_PKRU,
  INIT,
  NOBODY,
  group,
  hasComponent,
  step,
  unless,
  when,
  type Condition,
  type Kernel,
  type RoutineNode,
  type StepAction,
} from '@fpulab/core';
import type { UpdateClient } from './clients';

/** Marks steps that execute an XSAVE-family instruction. */
const XSAVE = { instruction: 'xsave' } as const;

/** What begin_update_one_xsave_feature() and finish_update_one_xsave_feature() leave open. */
export interface UpdateHelper {
  /**
   * How the old state gets from live registers into the image: RDMSR or RDPKRU and a store; XSAVES of that component, as the pseudo-code has it; XSAVES
   * of all; not at all, for `full`.
   */
  readonly old: 'read' | 'xsaves-one' | 'xsaves-all' | 'left';
  /** When the bit of XSTATE_BV is set. */
  readonly xstateBv: 'begin' | 'finish';
  /** What happens to live registers: XRSTORS of the component at once, or all are left to the return to user code. */
  readonly load: 'xrstors' | 'deferred';
  /**
   * What is written to the slot where the image says INIT: the processor's INIT state; `init_pkru_value`, with which Linux starts programs and which
   * is not that; nothing.
   */
  readonly init: 'processor' | 'kernel' | 'left';
  /** `last_cpu = -1` where registers are to be loaded later: they may be valid, and loading them left out. */
  readonly invalidates: boolean;
  /** Where registers are to be loaded later, the one of the component is written at once. */
  readonly writesRegister: boolean;
  /** What the caller does with the address: writes all of the state, or changes a part. */
  readonly caller: 'replaces' | 'changes';
}

/**
 * `register-or-image`: the register where it is live, the image where it is not, as update_pasid() of Linux 5.10 does, but under fpregs_lock(). A
 * register that the kernel relies on is written in any case.
 * `lock-and-load`: registers are loaded if they are not live, then the one is written, as fpregs_lock_and_load() of Linux 6.6 and later has it.
 */
export type UpdateWay = 'register-or-image' | 'lock-and-load' | UpdateHelper;

const NEED_LOAD = 'TIF_NEED_FPU_LOAD';
const mustLoad: Condition = (k) => k.read(k.slotNamed(NEED_LOAD), k.task) !== 0;
const image = (k: Kernel): number => k.fpstateOf(k.task);

const invalidate = (why = ''): RoutineNode =>
  step(`__fpu_invalidate_fpregs_state${why}`, (k) => k.write(k.slotNamed('last_cpu'), k.task, NOBODY));

/** Whoever runs with live registers from here on, their image is not used. */
export function updateFeature(client: UpdateClient, way: UpdateWay): readonly RoutineNode[] {
  const steps = stepsOf(client);
  const { lock, unlock, setXstateBv, writeSlot, read, write } = steps;
  switch (way) {
    case 'register-or-image': {
      const toImage = [setXstateBv, step(`${client.slot} = ${client.value}`, writeSlot)];
      return client.isEager
        ? [lock, read, when(mustLoad, toImage), write, unlock]
        : [lock, when(mustLoad, [...toImage, invalidate()], [write]), unlock];
    }
    case 'lock-and-load':
      return [
        lock,
        when(mustLoad, [step('fpregs_restore_userregs', (k) => k.call('switch_fpu_return'))]),
        ...(client.isEager ? [read] : []),
        write,
        unlock,
      ];
    default:
      return [begin(client, steps, way), caller(client, steps, way), finish(client, steps, way)];
  }
}

/** Steps that ways share. */
interface UpdateSteps {
  readonly lock: RoutineNode;
  readonly unlock: RoutineNode;
  readonly setXstateBv: RoutineNode;
  /** Reads the register, of which a part is to change. */
  readonly read: RoutineNode;
  readonly write: RoutineNode;
  readonly writeSlot: StepAction;
}

function stepsOf({ component, read, write, instruction, asked }: UpdateClient): UpdateSteps {
  return {
    lock: step('fpregs_lock', (k) => {
      k.localBhDisable();
      k.beginUpdate(component);
    }),
    // What was given is the task's when others may look.
    unlock: step('fpregs_unlock', (k) => {
      k.finishUpdate(component, asked(k));
      k.localBhEnable();
    }),
    setXstateBv: step('XSTATE_BV |= xfeature', (k) =>
      k.writeXstateBv(image(k), k.xstateBv(image(k)) | (1 << component)),
    ),
    read: step(`old = ${read}`, (k) => k.readToChange(component), { instruction }),
    write: step(write, (k) => k.writeRegister(component, asked(k)), { instruction }),
    writeSlot: (k) => k.writeFpstate(image(k), component, asked(k)),
  };
}

function saves({ component, read, instruction }: UpdateClient, old: UpdateHelper['old']): readonly RoutineNode[] {
  switch (old) {
    case 'read':
      return [step(`*addr = ${read}`, (k) => k.storeRegister(image(k), component), { instruction })];
    case 'xsaves-one':
      return [step('xsaves(xstate, 1 << xfeature)', (k) => k.saveAlone(image(k), component), XSAVE)];
    case 'xsaves-all':
      return [step('save_fpregs_to_fpstate', (k) => void k.save(image(k)), XSAVE)];
    case 'left':
      return [];
  }
}

/** With interrupts on and preemption off: nothing else uses the registers until the end. */
function begin(client: UpdateClient, { lock, setXstateBv }: UpdateSteps, way: UpdateHelper): RoutineNode {
  const { old, xstateBv, init } = way;
  const { component } = client;
  const isInUse: Condition = (k) => hasComponent(k.xstateBv(image(k)), component);
  const writeInit = (when: string): readonly RoutineNode[] => {
    if (init === 'left') return [];
    const [name, value] = init === 'kernel' ? ['init_pkru_value', DEFAULT_PKRU] : ['init state', INIT];
    return [unless(isInUse, [step(`*addr = ${name} (${when})`, (k) => k.writeFpstate(image(k), component, value))])];
  };
  // After RDMSR the slot is right whatever a stale XSTATE_BV says.
  const live = [...saves(client, old), ...(old.startsWith('xsaves') ? writeInit('registers are live') : [])];
  return group('begin_update_one_xsave_feature', [
    lock,
    when(mustLoad, writeInit('in memory'), live),
    ...(xstateBv === 'begin' ? [setXstateBv] : []),
  ]);
}

function caller({ component, value, asked }: UpdateClient, steps: UpdateSteps, way: UpdateHelper): RoutineNode {
  return way.caller === 'replaces'
    ? step(`*addr = ${value}`, steps.writeSlot)
    : step('*addr: a part changes', (k) => k.changeFpstate(image(k), component, asked(k)));
}

function finish(client: UpdateClient, { unlock, setXstateBv }: UpdateSteps, way: UpdateHelper): RoutineNode {
  const { xstateBv, load, invalidates, writesRegister } = way;
  const { component, write, instruction, asked } = client;
  const later = (why = ''): readonly RoutineNode[] => [
    ...(invalidates ? [invalidate(why)] : []),
    ...(writesRegister ? [step(`${write}${why}`, (k) => k.writeRegister(component, asked(k)), { instruction })] : []),
  ];
  const now: Readonly<Record<UpdateHelper['load'], readonly RoutineNode[]>> = {
    xrstors: [step('xrstors(xstate, 1 << xfeature)', (k) => void k.restore(image(k), 1 << component), XSAVE)],
    deferred: [step('set TIF_NEED_FPU_LOAD', (k) => k.write(k.slotNamed(NEED_LOAD), k.task, 1)), ...later(' with it')],
  };
  return group('finish_update_one_xsave_feature', [
    ...(xstateBv === 'finish' ? [setXstateBv] : []),
    when(mustLoad, later(), now[load]),
    unlock,
  ]);
}
