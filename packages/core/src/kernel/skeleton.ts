/**
 * The kernel around the policy: scheduling, system calls, exceptions, interrupts. What Linux does here in every
 * generation; what differs is behind hooks.
 *
 * Linux 3.6 kernel/sched/core.c schedule(), context_switch(); arch/x86/kernel/process_64.c __switch_to().
 */
import * as events from '../machine/events';
import type { EventType } from '../machine/event-type';
import { PREEMPT_OFF, IRQS_OFF } from '../machine/frames';
import { callFunctionRoutine } from './call-function';
import { abortRoutine } from './core-dump';
import type { Cpu } from './cpu';
import { deThread } from './de-thread';
import { NEXT_LOCAL } from './cpu-core';
import { at, exitPath, exitRoutines, fromUser, hookStep as hook } from './exit-to-user';
import { NOBODY } from './kernel';
import type { PlatformHook, PolicyHook } from './hooks';
import type { GuestOperation } from './guest';
import { kernelThreadRoutines } from './kernel-thread';
import { kvmRoutines, schedIn, schedOut, type KvmServices } from './kvm-run';
import type { KernelOperation, SyscallName } from './program';
import { idleStates } from './idle';
import { hotplugRoutines, playDead, type HotplugServices } from './hotplug';
import { pkeyRoutines } from './pkeys';
import { exitPtrace, traceRoutines, type TraceServices } from './ptrace';
import { group, routine, unless, when, whileHolds, type Routine, type RoutineNode } from './routine';
import { userAccess, userAccessRoutines } from './user-access';

/** What the skeleton needs of the scheduler. */
export interface SkeletonServices extends TraceServices, KvmServices, HotplugServices {
  /** Chooses and records the next task. */
  pickNext(cpu: number): number;
  /** True while the child of a fork has not been born. */
  childIsUnborn(cpu: number): boolean;
  /** True for idle tasks, which nobody may kill. */
  isIdle(task: number): boolean;
  /** Brings the child of a fork to life. */
  startChild(cpu: number): void;
  /** The next operation of a kernel thread. */
  runKernelThread(cpu: number): void;
  /** True when some program calls it. */
  uses(operation: SyscallName | KernelOperation['name'] | GuestOperation['name']): boolean;
  /** True when user code can raise #GP. */
  readonly userRaisesGp: boolean;
  /** True when some task never runs user code. */
  readonly hasKernelThreads: boolean;
}

/** Name of the idle loop's routine. */
export const IDLE_ROUTINE = 'cpu_idle';
/** The step of the idle loop at which it looks for work. */
export const IDLE_SCHEDULE_STEP = 'look for work';

/** The steps from kernel_fpu_begin() to kernel_fpu_end(). */
export const KERNEL_FPU_SECTION = 'kernel FPU section';
/** The first of them. */
export const KERNEL_FPU_BEGIN = 'kernel_fpu_begin';

/** A kernel FPU section remembers in local 1 what it computed. */
const KEEPS_RESULT = { locals: ['number', 'value'] } as const;

/** Operations that access user memory. */
const ACCESSES = ['read', 'write', 'kernel_fpu_copy', 'copy_to_user', 'copy_from_user', 'emulate'] as const;

/** All routines of the skeleton. */
export function skeletonRoutines(services: SkeletonServices): readonly Routine[] {
  const optional = (name: PolicyHook | PlatformHook, node: RoutineNode): readonly RoutineNode[] =>
    services.answers(name) ? [node] : [];

  const exit = (name: string): readonly RoutineNode[] => exitPath(services, name);

  const switchIn = hook('switch_fpu_finish', events.SwitchIn);
  const unlock = (k: Cpu): void => k.setStatus((k.status - PREEMPT_OFF) & ~IRQS_OFF);

  const schedule = routine(
    'schedule',
    [
      at('pick_next_task', (k) => {
        k.setStatus((k.status | IRQS_OFF) + PREEMPT_OFF);
        k.setTaskLocal(NEXT_LOCAL, services.pickNext(k.cpu));
      }),
      when(
        (k) => (k as Cpu).taskLocal(NEXT_LOCAL) !== k.task,
        [
          ...schedOut(services),
          ...optional('context-switch-start', hook('arch_start_context_switch', events.ContextSwitchStart)),
          group('__switch_to', [
            at('switch_fpu_prepare', (k) => k.emit(events.SwitchOut, k.cpu, k.task, k.taskLocal(NEXT_LOCAL))),
            ...optional('context-switch-end', hook('arch_end_context_switch', events.ContextSwitchEnd)),
            at('change stacks and current', (k) => {
              const next = k.taskLocal(NEXT_LOCAL);
              k.setTaskLocal(NEXT_LOCAL, NOBODY); // when prev runs again, it has no use for this any more
              k.emit(events.TaskSwitched, k.cpu, k.task, next);
            }),
            switchIn,
          ]),
          ...schedIn(services),
        ],
      ),
      at('finish_task_switch', unlock),
    ],
    { locals: ['number', 'task'] },
  );

  /** Where a task that never ran before starts: behind the stack change. */
  const firstSwitchIn = [group('__switch_to', [switchIn]), at('schedule_tail', unlock)];

  const flushThread = at('flush_thread', (k) => {
    k.emit(events.TaskExeced, k.cpu, k.task);
    k.setNewPkru();
    k.replaceMm();
    k.emit(events.Exec, k.cpu, k.task);
  });

  const idle = routine(IDLE_ROUTINE, [
    ...optional('cpu-up', hook('cpu_init', events.CpuUp)),
    at('local_irq_enable', (k) => k.localIrqEnable()),
    whileHolds(
      () => true,
      [
        at(IDLE_SCHEDULE_STEP, (k) => k.call('schedule')),
        ...idleStates(services),
        ...optional('halt', hook('safe_halt', events.Halted)),
        ...playDead(services),
      ],
    ),
  ]);

  const kernelFpuSection = group(KERNEL_FPU_SECTION, [
    hook(KERNEL_FPU_BEGIN, events.KernelFpuBegin),
    ...optional('kernel-fpu-section', hook('something', events.KernelFpuSection)),
    at('compute', (k) => k.useKernelFpu(), { instruction: 'sse' }),
    at('use the result', (k) => k.checkKernelFpu(), { instruction: 'sse' }),
    hook('kernel_fpu_end', events.KernelFpuEnd),
  ]);

  const interrupt = (name: string): Routine =>
    routine(
      name,
      [hook('irq_fpu_usable', events.IrqFpuUsable), when((k) => k.local(0) !== 0, [kernelFpuSection]), ...exit('iret')],
      KEEPS_RESULT,
    );

  const fork: readonly RoutineNode[] = [
    when(
      (k) => services.childIsUnborn(k.cpu),
      [
        at('dup_task_struct', (k) => k.emit(events.Fork, k.cpu, k.task, k.child)),
        when(
          (k) => k.local(1) === 0 && !(k as Cpu).isKilled,
          [at('wake_up_new_task', (k) => services.startChild(k.cpu))],
        ),
      ],
    ),
  ];

  const syscall = (name: string, body: readonly RoutineNode[], options?: Pick<Routine, 'locals'>): Routine =>
    routine(name, [...body, ...exit('sysret')], options);

  return [
    schedule,
    routine('ret_from_fork', [...firstSwitchIn, ...exit('return to user')]),
    // The tasks of a scenario start as the kernel's first user process does: as a thread that executes a program.
    routine('kernel_execve', [...firstSwitchIn, flushThread, ...exit('return to user')]),
    idle,
    routine('device_not_available', [hook('do_device_not_available', events.TrapNm), ...exit('iret')]),
    routine('general_protection', [...generalProtection(services), ...exit('iret')]),
    routine('invalid_op', [at('die', (k) => k.killCurrent()), ...exit('iret')]),
    // Linux adds PREEMPT_ACTIVE and returns with interrupts off: preemptions do not nest on one stack.
    // After an interrupt: retint_careful before user code, preempt_schedule_irq() before kernel code.
    routine('retint_resched', [
      at('preempt', (k) => {
        k.preemptDisable();
        k.call('schedule');
      }),
      at('local_irq_disable', (k) => k.setStatus((k.status - PREEMPT_OFF) | IRQS_OFF)),
      ...exit('iret'),
    ]),
    interrupt('do_IRQ'),
    interrupt('do_softirq'),
    ...(services.answers('call-function') ? [callFunctionRoutine(exit('iret'))] : []),
    syscall('sys_getpid', []),
    syscall('sys_nanosleep', [at('sleep', (k) => k.sleep())]),
    syscall('sys_sched_yield', [at('yield', (k) => k.call('schedule'))]),
    syscall('sys_kernel_fpu', [kernelFpuSection], KEEPS_RESULT),
    syscall('sys_fork', fork, { locals: ['task', 'number'] }),
    syscall('sys_execve', [...(services.endsThreads ? deThread : []), flushThread]),
    ...exitRoutines(services),
    ...(services.handlers.some((handler) => handler >= 0)
      ? [syscall('sys_raise', [at('send_signal', (k) => k.emit(events.SignalSent, k.task))])]
      : []),
    ...(services.uses('ptrace') || services.uses('ptrace_stop') ? traceRoutines(services) : []),
    ...(services.uses('abort') ? [abortRoutine(services)] : []),
    ...(services.uses('kvm_run') ? kvmRoutines(services, services.uses('emulate')) : []),
    ...requests(services, 'req_xcomp_perm', 'request-xcomp-perm', events.XcompPermRequested),
    ...(services.uses('sva_bind')
      ? [
          syscall('sys_sva_bind', [
            at('iommu_sva_bind_device', (k) => k.setLocal(0, k.bindSva() ? 1 : 0)),
            ...(services.answers('sva-bound')
              ? [when((k) => k.local(0) !== 0, [hook('the PASID is there', events.SvaBound)])]
              : []),
          ]),
        ]
      : []),
    ...requests(services, 'sigaltstack', 'sigaltstack', events.SigaltstackInstalled),
    ...pkeyRoutines(services, syscall),
    ...hotplugRoutines(services),
    routine('do_exit', [
      at('exit_thread', (k) => {
        k.emit(events.TaskExiting, k.cpu, k.task);
        k.emit(events.Exit, k.cpu, k.task);
      }),
      ...exitPtrace(services),
      at('schedule, never to return', (k) => {
        if (services.isIdle(k.task)) k.panic();
        k.emit(events.TaskExited, k.cpu, k.task);
        k.leaveMm();
        k.wakeExecingThread();
        k.call('schedule');
      }),
      at('BUG', () => {
        throw new Error('fpulab bug: a dead task was scheduled');
      }),
    ]),
    ...(services.hasKernelThreads
      ? kernelThreadRoutines({
          goOn: (cpu) => services.runKernelThread(cpu),
          firstSwitchIn,
          kernelFpuSection,
          fork,
          optional,
        })
      : []),
    ...(services.uses('munmap')
      ? [syscall('sys_munmap', [at('zap_page_range', (k) => k.unmapFrame())], { locals: ['task', 'number'] })]
      : []),
    ...(services.uses('read') ? [syscall('sys_read', [userAccess('copy_to_user')])] : []),
    ...(services.uses('write') ? [syscall('sys_write', [userAccess('copy_from_user')])] : []),
    ...(services.uses('kernel_fpu_copy')
      ? [syscall('sys_kernel_fpu_copy', [kernelFpuSection, userAccess('copy_from_user')], KEEPS_RESULT)]
      : []),
    ...(ACCESSES.some((name) => services.uses(name)) ? userAccessRoutines() : []),
  ];
}

/** exc_general_protection(): user code may be helped by its policy, or gets SIGSEGV; whether it was helped is in local 0. */
function generalProtection({ answers, userRaisesGp }: SkeletonServices): readonly RoutineNode[] {
  const die = at('die', (k) => k.killCurrent());
  if (!userRaisesGp) return [die];
  const unlessHelped = unless((k) => k.local(0) !== 0, [at('force_sig(SIGSEGV)', (k) => k.forceSignal())]);
  return [
    when(fromUser, [...(answers('trap-gp') ? [hook('try_fixup_enqcmd_gp', events.TrapGp)] : []), unlessHelped], [die]),
  ];
}

/** A system call with which a program asks its kernel for something; a kernel that does not know it returns an error. */
function requests(
  services: SkeletonServices,
  name: SyscallName,
  asks: PolicyHook,
  type: EventType,
): readonly Routine[] {
  if (!services.uses(name)) return [];
  const body = services.answers(asks) ? [hook(`do_${name}`, type)] : [];
  return [routine(`sys_${name}`, [...body, ...exitPath(services, 'sysret')])];
}
