/**
 * Tasks that never run user code: kernel threads (PF_KTHREAD) and IO workers (PF_IO_WORKER), with programs of kernel functions.
 *
 * Linux 6.1 kernel/kthread.c kthread(), kthread_use_mm(), kthread_unuse_mm(); kernel/fork.c kernel_thread(), create_io_thread().
 */
import { FpuError } from '../error';
import * as events from '../machine/events';
import { at, hookStep } from './exit-to-user';
import { compileTask, type CompiledOperation, type KernelOperation, type Operation } from './program';
import { routine, whileHolds, type Routine, type RoutineNode } from './routine';

/** What a task is: `user` returns to user code; a `guest` of KVM runs when a user task runs it; the others run in the kernel until they end. */
export type TaskKind = 'user' | 'kthread' | 'io-worker' | 'guest';

const call = (name: KernelOperation['name'], text: string, child?: string): KernelOperation => ({
  kind: 'kernel',
  text,
  name,
  ...(child === undefined ? {} : { child }),
});

/** What kernel threads do: `program(kthread.useMm('A'), kthread.copyToUser(), kthread.unuseMm())`. */
export const kthread = {
  /** Lets others run. */
  schedule: (): KernelOperation => call('schedule', 'schedule'),
  /** Waits for something. */
  sleep: (): KernelOperation => call('sleep', 'sleep'),
  /** A kernel FPU section. */
  kernelFpu: (): KernelOperation => call('kernel_fpu', 'kernel_fpu'),
  /** kthread_use_mm(): borrows the address space of a user task. */
  useMm: (task: string): KernelOperation => call('use_mm', `use_mm(${task})`),
  /** kthread_unuse_mm(): gives it back. */
  unuseMm: (): KernelOperation => call('unuse_mm', 'unuse_mm'),
  /** Writes to user memory: the borrowed one, or an IO worker's own. */
  copyToUser: (): KernelOperation => call('copy_to_user', 'copy_to_user'),
  /** Reads user memory. */
  copyFromUser: (): KernelOperation => call('copy_from_user', 'copy_from_user'),
  /** kernel_thread(): the kernel thread `child` of the scenario comes to life. */
  fork: (child: string): KernelOperation => call('fork', `kernel_thread(${child})`, child),
};

/** Where a kernel thread runs. Local 0 is the child that it forks, local 1 how far its program got. */
export const KTHREAD_ROUTINE = 'kthread';
/** The local in which a kernel thread keeps how far its program got. */
export const PROGRAM_LOCAL = 1;

/** The routine that a kernel thread calls for an operation. `sleep` is no routine of its own. */
export const KERNEL_CALLS: Readonly<Record<Exclude<KernelOperation['name'], 'sleep'>, string>> = {
  schedule: 'schedule',
  kernel_fpu: 'kernel_fpu_in_kthread',
  use_mm: 'kthread_use_mm',
  unuse_mm: 'kthread_unuse_mm',
  copy_to_user: 'copy_to_user',
  copy_from_user: 'copy_from_user',
  fork: 'kernel_thread',
};

/** What these routines need of the skeleton around them. */
export interface KernelThreadParts {
  /** The next operation of the current task's program. */
  readonly goOn: (cpu: number) => void;
  readonly firstSwitchIn: readonly RoutineNode[];
  readonly kernelFpuSection: RoutineNode;
  readonly fork: readonly RoutineNode[];
  /** Steps at hooks that somebody answers. */
  readonly optional: (hook: 'use-mm' | 'unuse-mm', node: RoutineNode) => readonly RoutineNode[];
}

/** The routines of kernel threads. */
export function kernelThreadRoutines(parts: KernelThreadParts): readonly Routine[] {
  const { goOn, firstSwitchIn, kernelFpuSection, fork, optional } = parts;
  const useMm = (name: string, step: string, borrowed: 0 | 1, hook: readonly RoutineNode[]): Routine =>
    routine(name, [
      at('local_irq_disable', (k) => k.localIrqDisable()),
      at(step, (k) => k.emit(events.MmBorrowed, k.cpu, k.task, borrowed)),
      at('local_irq_enable', (k) => k.localIrqEnable()),
      ...hook,
    ]);
  return [
    routine(KTHREAD_ROUTINE, [...firstSwitchIn, whileHolds(() => true, [at('threadfn', (k) => goOn(k.cpu))])], {
      locals: ['task', 'number'],
    }),
    routine(KERNEL_CALLS.kernel_fpu, [kernelFpuSection], { locals: ['number', 'value'] }),
    routine(KERNEL_CALLS.fork, fork),
    useMm('kthread_use_mm', 'tsk->mm = mm', 1, optional('use-mm', hookStep('kthread_use_mm done', events.UseMm))),
    useMm(
      'kthread_unuse_mm',
      'tsk->mm = NULL',
      0,
      optional('unuse-mm', hookStep('kthread_unuse_mm done', events.UnuseMm)),
    ),
  ];
}

/** A task of a scenario, as far as it says what kind it is. */
interface Kinded {
  readonly name: string;
  readonly program: readonly Operation[];
  readonly kind?: TaskKind;
  readonly unborn?: boolean;
  readonly handler?: readonly Operation[];
}

/**
 * Checks a task's program against its kind.
 *
 * @throws FpuError FPU208 for kernel functions in a user's program or user code in a kernel thread's; for a kernel thread that accesses
 *   user memory without an address space, or borrows a second one; for an IO worker that nobody forks
 */
export function refuseBadKind({ name, program, kind = 'user', unborn = false, handler }: Kinded): void {
  const refuse = (problem: string): never => {
    throw new FpuError('FPU208', `task ${name} is a ${kind} task, ${problem}`, { task: name, kind });
  };
  if (kind === 'guest') return; // refuseBadGuests() looks at them
  const { code } = compileTask(program);
  const isKernel = kind !== 'user';
  const foreign = code.find((one) => one.kind !== 'either' && !isExit(one) && (one.kind === 'kernel') !== isKernel);
  if (foreign) refuse(`and '${foreign.text}' is for ${isKernel ? 'user' : 'kernel'} tasks`);
  if (isKernel && handler) refuse('and gets no signals');
  if (kind === 'io-worker' && !unborn) refuse('which only the fork() of a user task brings to life');
  if (isKernel) refuseBadMm(code, kind, refuse);
}

function isExit(operation: CompiledOperation): boolean {
  return operation.kind === 'syscall' && operation.name === 'exit';
}

/** Goes every way through the program, with and without an address space. */
function refuseBadMm(code: readonly CompiledOperation[], kind: TaskKind, refuse: (problem: string) => never): void {
  const seen = new Set<number>();
  const visit = (pc: number, mm: boolean): void => {
    const key = pc * 2 + (mm ? 1 : 0);
    if (seen.has(key)) return;
    seen.add(key);
    const operation = code[pc];
    if (operation.kind === 'either') return operation.targets.forEach((target) => visit(target, mm));
    if (operation.kind !== 'kernel') return;
    const { name, text, next } = operation;
    if (name.startsWith('copy_') && !mm) refuse(`and can get to '${text}' without an address space`);
    if (name === 'use_mm' && mm) refuse(`and can get to '${text}' while it has an address space`);
    if (name === 'unuse_mm' && (!mm || kind === 'io-worker')) refuse(`and can get to '${text}' without a borrowed one`);
    visit(next, name === 'use_mm' || (mm && name !== 'unuse_mm'));
  };
  visit(0, kind === 'io-worker');
}
