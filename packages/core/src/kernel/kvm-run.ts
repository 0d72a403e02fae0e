/**
 * ioctl(KVM_RUN): the kernel of the host around its policy. What KVM does here in every generation; what differs is behind hooks.
 *
 * Linux 3.6 to 6.12 virt/kvm/kvm_main.c vcpu_load(), kvm_sched_in(), kvm_sched_out(); arch/x86/kvm/x86.c kvm_arch_vcpu_ioctl_run(), vcpu_run()
 * (before 4.1 __vcpu_run()), vcpu_enter_guest(), x86_emulate_instruction(). Interrupts make the guest exit, and the host takes them when
 * it switches interrupts on.
 */
import * as events from '../machine/events';
import { WORK } from './choices';
import type { Cpu } from './cpu';
import { at, exitPath, hookStep, type ExitServices } from './exit-to-user';
import { EXIT, GUEST_ROUTINE, type Exit } from './guest';
import type { PolicyHook } from './hooks';
import { group, routine, unless, when, whileHolds, type Condition, type Routine, type RoutineNode } from './routine';
import { userAccess } from './user-access';

/** What these routines need of the machine around them. */
export interface KvmServices extends ExitServices {
  /** The guest's next operation, on the registers of the CPU. */
  runGuest(cpu: number): void;
  /** The instruction at which the guest stopped, on the registers of the CPU. */
  emulateInstruction(cpu: number): void;
  /** True where the instruction at which the guest stopped reads registers, and so writes memory. */
  emulatesStore(cpu: number): boolean;
  /** True while the task's vCPU is loaded: between vcpu_load() and vcpu_put(). */
  vcpuIsLoaded(task: number): boolean;
  /** True when some program calls it. */
  uses(operation: 'kvm_run'): boolean;
}

/** The steps between vcpu_load() and vcpu_put(), in which preempt notifiers are registered. */
export const VCPU_LOADED = 'vCPU is loaded';

/** The system call, and the routines that it calls. Whether it is over is in its local 1. */
export function kvmRoutines(services: KvmServices, emulates: boolean): readonly Routine[] {
  return [
    sysKvmRun(services),
    vcpuEnterGuest(services, emulates),
    guestMode(services),
    ...(emulates ? [emulator(services)] : []),
  ];
}

/** Steps at hooks that somebody answers. */
const asks =
  ({ answers }: Pick<KvmServices, 'answers'>) =>
  (hook: PolicyHook, name: string, type: (typeof events)['KvmRunBegin']): readonly RoutineNode[] =>
    answers(hook) ? [hookStep(name, type)] : [];

const isOver: Condition = (k) => k.local(1) !== 0;
const leave = (k: Cpu): void => k.setLocal(1, 1);

function sysKvmRun(services: KvmServices): Routine {
  const ask = asks(services);
  const load = ask('kvm-vcpu-load', 'kvm_arch_vcpu_load', events.KvmVcpuLoad);
  const put = ask('kvm-vcpu-put', 'kvm_arch_vcpu_put', events.KvmVcpuPut);
  const has =
    (work: number): Condition =>
    (k) =>
      (k.local(0) & work) !== 0;
  return routine('sys_kvm_run', [
    ...(load.length > 0
      ? [
          at('vcpu_load: get_cpu', (k) => k.preemptDisable()),
          ...load,
          at('vcpu_load: put_cpu', (k) => k.preemptEnable()),
        ]
      : []),
    group(VCPU_LOADED, [
      ...ask('kvm-run-begin', 'kvm_arch_vcpu_ioctl_run', events.KvmRunBegin),
      whileHolds(
        (k) => !isOver(k),
        [
          at('vcpu_enter_guest', (k) => k.call('vcpu_enter_guest')),
          unless(isOver, [
            at('xfer_to_guest_mode_handle_work', (k) => k.setLocal(0, services.exitWork(k.cpu))),
            when(has(WORK.resched), [at('schedule', (k) => k.call('schedule'))]),
            when(has(WORK.signal), [
              at('signal pending: -EINTR', (k) => {
                k.emit(events.SignalSent, k.task);
                leave(k);
              }),
            ]),
          ]),
        ],
      ),
      ...ask('kvm-run-end', 'kvm_arch_vcpu_ioctl_run out', events.KvmRunEnd),
      at('vcpu_put: get_cpu', (k) => k.preemptDisable()),
    ]),
    ...put,
    at('vcpu_put: put_cpu', (k) => k.preemptEnable()),
    ...exitPath(services, 'sysret'),
  ]);
}

/** prepare_task_switch(): preempt notifiers of a thread whose vCPU is loaded; interrupts are off. */
export function schedOut(services: KvmServices): readonly RoutineNode[] {
  if (!services.uses('kvm_run')) return [];
  const put = asks(services)('kvm-vcpu-put', 'kvm_sched_out', events.KvmVcpuPut);
  return put.length === 0 ? [] : [when((k) => services.vcpuIsLoaded(k.task), put)];
}

/** finish_task_switch(): the same for the thread that goes on, after finish_lock_switch() has switched interrupts on. */
export function schedIn(services: KvmServices): readonly RoutineNode[] {
  if (!services.uses('kvm_run')) return [];
  const load = asks(services)('kvm-vcpu-load', 'kvm_sched_in', events.KvmVcpuLoad);
  if (load.length === 0) return [];
  return [when((k) => services.vcpuIsLoaded(k.task), [at('finish_lock_switch', (k) => k.localIrqEnable()), ...load])];
}

/** Why the guest stopped is in local 0, one of EXIT. */
const stoppedBy =
  (...exits: readonly Exit[]): Condition =>
  (k) =>
    exits.some((exit) => k.local(0) === EXIT[exit]);

function vcpuEnterGuest(services: KvmServices, emulates: boolean): Routine {
  const ask = asks(services);
  const pending = ask('kvm-requests-pending', 'vcpu->requests', events.KvmRequestsPending);
  const enter = enterAndHandleExit(services, emulates);
  return routine('vcpu_enter_guest', [
    ...ask('kvm-requests', 'kvm_check_request', events.KvmRequests),
    at('preempt_disable', (k) => k.preemptDisable()),
    ...ask('kvm-prepare-guest', 'prepare_guest_switch', events.KvmPrepareGuest),
    at('local_irq_disable', (k) => k.localIrqDisable()),
    ...pending,
    ...(pending.length === 0
      ? enter
      : [
          when(
            (k) => k.local(0) !== 0,
            [
              at('cancel: local_irq_enable', (k) => k.localIrqEnable()),
              at('cancel: preempt_enable', (k) => k.preemptEnable()),
            ],
            enter,
          ),
        ]),
  ]);
}

function enterAndHandleExit(services: KvmServices, emulates: boolean): readonly RoutineNode[] {
  const ask = asks(services);
  return [
    ...ask('kvm-enter-guest', 'before VM entry', events.KvmEnterGuest),
    at('VM entry', (k) => k.enterGuest()),
    ...ask('kvm-exit-guest', 'after VM exit', events.KvmExitGuest),
    at('local_irq_enable', (k) => k.localIrqEnable()),
    at('preempt_enable', (k) => k.preemptEnable()),
    group('handle_exit', [
      when(stoppedBy('hlt'), [at('kvm_vcpu_block', (k) => k.sleep())]),
      when(stoppedBy('io', 'shutdown'), [at('exit to user space', (k) => k.refuse())]),
      ...(emulates
        ? [when(stoppedBy('emulate'), [at('x86_emulate_instruction', (k) => k.call('x86_emulate_instruction'))])]
        : []),
      ...(services.answers('kvm-guest-nm')
        ? [when(stoppedBy('nm'), [hookStep('handle_exception', events.KvmGuestNm)])]
        : []),
      ...(services.answers('kvm-guest-cr3')
        ? [when(stoppedBy('cr3'), [hookStep('handle_cr', events.KvmGuestCr3)])]
        : []),
      ...(services.answers('kvm-guest-xsetbv')
        ? [when(stoppedBy('xsetbv'), [hookStep('handle_xsetbv', events.KvmGuestXsetbv)])]
        : []),
    ]),
  ];
}

function guestMode({ runGuest }: KvmServices): Routine {
  return routine(GUEST_ROUTINE, [whileHolds(() => true, [at('guest code', (k) => runGuest(k.cpu))])]);
}

/** The device's memory is the monitor's, as all memory of a guest is: the kernel accesses it as user memory. */
function emulator(services: KvmServices): Routine {
  const ask = asks(services);
  const stores: Condition = (k) => services.emulatesStore(k.cpu);
  return routine('x86_emulate_instruction', [
    at('decode', (k) => k.setLocal(0, stores(k) ? 1 : 0)),
    unless((k) => k.local(0) !== 0, [userAccess('copy_from_user')]),
    ...ask('kvm-get-fpu', 'get_fpu', events.KvmGetFpu),
    at('movdqa', (k) => services.emulateInstruction(k.cpu), { instruction: 'sse' }),
    ...ask('kvm-put-fpu', 'put_fpu', events.KvmPutFpu),
    when((k) => k.local(0) !== 0, [userAccess('copy_to_user')]),
  ]);
}
