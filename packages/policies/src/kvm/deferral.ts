/**
 * KVM on kernels with TIF_NEED_FPU_LOAD: while KVM_RUN lasts, the guest's registers are the thread's, and are switched with the thread as all
 * registers are. Linux 5.2 and later.
 */
import {
  FPSTATE_KINDS,
  PKRU,
  group,
  step,
  when,
  type BasePolicy,
  type Kernel,
  type PatchEdit,
  type RoutineNode,
  type Slot,
} from '@fpulab/core';
import type { DeferralEra } from '../load-fpu-deferral';
import { slotOf } from './slot-of';

const XSAVE = { instruction: 'xsave' } as const;

/** The base policy's state, as far as KVM uses it. */
interface Context {
  readonly era: DeferralEra;
  readonly needLoad: Slot;
  readonly owner: Slot;
  readonly lastCpu: Slot;
  readonly mustLoad: (k: Kernel) => boolean;
}

/** Where the guest's state is put in the place of the thread's, and back; and where both are there when they are used. */
export function deferralEdits(base: BasePolicy, era: DeferralEra): readonly PatchEdit[] {
  const needLoad = slotOf(base, 'TIF_NEED_FPU_LOAD');
  const context: Context = {
    era,
    needLoad,
    owner: slotOf(base, 'fpu_fpregs_owner_ctx'),
    lastCpu: slotOf(base, 'last_cpu'),
    mustLoad: (k) => k.read(needLoad, k.task) !== 0,
  };
  const swap =
    era === 'linux-5.2' || era === 'linux-5.14' ? copySwap(context) : pointerSwap(context, slotOf(base, 'fpstate'));
  const reload = when(context.mustLoad, [step('switch_fpu_return', (k) => k.call('switch_fpu_return'))]);
  return [
    { edit: 'append', routine: 'hook:kvm-run-begin', nodes: [group('kvm_load_guest_fpu', swap.load)] },
    { edit: 'append', routine: 'hook:kvm-run-end', nodes: [group('kvm_put_guest_fpu', swap.put)] },
    { edit: 'append', routine: 'hook:kvm-enter-guest', nodes: [group('vcpu_enter_guest FPU', [reload])] },
    {
      edit: 'append',
      routine: 'hook:kvm-get-fpu',
      nodes: [group('kvm_fpu_get', [step('fpregs_lock', (k) => k.localBhDisable()), reload])],
    },
    {
      edit: 'append',
      routine: 'hook:kvm-put-fpu',
      nodes: [group('kvm_fpu_put', [step('fpregs_unlock', (k) => k.localBhEnable())])],
    },
  ];
}

interface Swap {
  readonly load: readonly RoutineNode[];
  readonly put: readonly RoutineNode[];
}

/** fpregs_lock(), the swap, fpregs_mark_activate(), fpregs_unlock(). */
const locked = ({ owner, lastCpu, needLoad }: Context, body: readonly RoutineNode[]): readonly RoutineNode[] => [
  step('fpregs_lock', (k) => k.localBhDisable()),
  ...body,
  group('fpregs_mark_activate', [
    step('owner = current', (k) => k.write(owner, k.cpu, k.task)),
    step('last_cpu = cpu', (k) => k.write(lastCpu, k.task, k.cpu)),
    step('clear TIF_NEED_FPU_LOAD', (k) => k.write(needLoad, k.task, 0)),
  ]),
  step('fpregs_unlock', (k) => k.localBhEnable()),
];

/** All but PKRU, which is switched around guest mode. */
const withoutPkru = (k: Kernel): number => k.xfeatures & ~(1 << PKRU);

/** XRSTOR of an image, or INIT where its header makes it raise #GP: ex_handler_fprestore(). */
const load = (name: string, image: (k: Kernel) => number, xfeatures: (k: Kernel) => number): RoutineNode =>
  step(
    name,
    (k) => {
      if (!k.restore(image(k), xfeatures(k))) k.initFpregs(xfeatures(k));
    },
    XSAVE,
  );

/**
 * Linux 5.2 to 5.15: thread.fpu is the guest's while KVM_RUN lasts, and user_fpu has what the thread had. kvm_save_current_fpu() copies from
 * memory what is not in the registers (c9aef3b85f42). Before 5.14 the thread's PKRU comes back with the rest.
 */
function copySwap(context: Context): Swap {
  const save = (to: 'user' | 'guest'): RoutineNode =>
    group(`kvm_save_current_fpu(${to}_fpu)`, [
      when(
        context.mustLoad,
        [
          step(`memcpy(${to}_fpu, thread.fpu)`, (k) =>
            k.copyFpstate({ from: k.fpstateOf(k.task), to: k.fpstateOf(k.task, to) }),
          ),
        ],
        [step(`save_fpregs_to_fpstate(${to}_fpu)`, (k) => void k.save(k.fpstateOf(k.task, to)), XSAVE)],
      ),
    ]);
  const users = (k: Kernel): number => (context.era === 'linux-5.2' ? k.xfeatures : withoutPkru(k));
  return {
    load: locked(context, [save('user'), load('load guest_fpu', (k) => k.fpstateOf(k.task, 'guest'), withoutPkru)]),
    put: locked(context, [save('guest'), load('load user_fpu', (k) => k.fpstateOf(k.task, 'user'), users)]),
  };
}

/** `fpu->fpstate` is vcpu->arch.guest_fpu.fpstate. */
const GUEST_FPSTATE = FPSTATE_KINDS.indexOf('guest');
const TASK_FPSTATE = FPSTATE_KINDS.indexOf('task');

/** Linux 5.16 on: fpu_swap_kvm_fpstate(). What is switched out, or saved for a kernel FPU section, goes to the guest's fpstate by itself. */
function pointerSwap(context: Context, current: Slot): Swap {
  const swap = (to: 'guest' | 'task'): readonly RoutineNode[] => {
    const value = to === 'guest' ? GUEST_FPSTATE : TASK_FPSTATE;
    return [
      group('fpu_swap_kvm_fpstate', [
        ...locked(context, [
          unlessLoaded(
            context,
            step('save_fpregs_to_fpstate', (k) => void k.save(fpstateOf(k)), XSAVE),
          ),
          step(`fpu->fpstate = ${to === 'guest' ? 'guest_fps' : '__task_fpstate'}`, (k) =>
            k.write(current, k.task, value),
          ),
          load('restore_fpregs_from_fpstate', fpstateOf, withoutPkru),
        ]),
      ]),
    ];
  };
  const fpstateOf = (k: Kernel): number => k.fpstateOf(k.task, FPSTATE_KINDS[k.read(current, k.task)]);
  return { load: swap('guest'), put: swap('task') };
}

const unlessLoaded = ({ mustLoad }: Context, node: RoutineNode): RoutineNode => when((k) => !mustLoad(k), [node]);
