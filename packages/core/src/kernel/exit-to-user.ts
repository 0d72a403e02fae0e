/**
 * The way back to user code: what is pending is done first, signals among it; then the policy has its last word.
 *
 * Linux 6.1 kernel/entry/common.c exit_to_user_mode_loop(); 4.8 arch/x86/entry/common.c prepare_exit_to_usermode(). Before
 * that do_notify_resume(). arch/x86/kernel/signal.c handle_signal(), setup_rt_frame(), sys_rt_sigreturn().
 */
import * as events from '../machine/events';
import type { EventType } from '../machine/event-type';
import { CONTEXT, contextOf } from '../machine/frames';
import { HEADER } from '../machine/state';
import { SSE, USER_COMPONENTS, X87 } from '../x86/components';
import { byAbi, type Abi } from './abi';
import { WORK } from './choices';
import type { Cpu } from './cpu';
import type { PlatformHook, PolicyHook } from './hooks';
import {
  group,
  routine,
  step,
  unless,
  when,
  whileHolds,
  type Condition,
  type Routine,
  type RoutineNode,
} from './routine';

/** What these routines need of the machine around them. */
export interface ExitServices {
  /** Chooses what there is to do before the return to user code: bits of WORK. */
  exitWork(cpu: number): number;
  /** Per task: the first operation of its signal handler; -1 where there is none. */
  readonly handlers: readonly number[];
  /** Per task: what its program is compiled for; undefined where it gets no signals. */
  readonly abis: readonly (Abi | undefined)[];
  /** Per task: true where its frames do not fit the alternate stack of its handler. */
  readonly overflows: readonly boolean[];
  /** The kernel looks whether they do. */
  readonly checksAltstack: boolean;
  /** True when some execve() ends other threads. */
  readonly endsThreads: boolean;
  /** True when somebody reacts to the hook. */
  answers(hook: PolicyHook | PlatformHook): boolean;
}

/** Steps are handed the CPU that runs them; the skeleton may use all of it. */
export const at = (name: string, run: (cpu: Cpu) => void, options = {}): RoutineNode =>
  step(name, run as (k: unknown) => void, options);

/** A step at which the kernel asks its policy or platform to act. */
export const hookStep = (name: string, type: EventType): RoutineNode => at(name, (k) => k.emit(type, k.cpu, k.task));

/** user_mode(regs): the running context came from user code, to which it returns. */
export const fromUser: Condition = (k) => contextOf(k.interrupted) === CONTEXT.user;

/** The end of a context, and what comes before it where user code comes next. */
export function exitPath(services: ExitServices, name: string): readonly RoutineNode[] {
  const { answers } = services;
  const dies = when((k) => (k as Cpu).isKilled, [at('get_signal: SIGKILL', (k) => k.killCurrent())]);
  const mayDie = services.endsThreads ? [dies] : [];
  if (!hasExitWork(services)) return [...mayDie.map((node) => when(fromUser, [node])), at(name, () => {})];
  return [
    when(fromUser, [
      ...mayDie,
      at('disable interrupts for exit', (k) => k.localIrqDisable()),
      ...(answers('exit-to-user-prepare') ? [hookStep('prepare_exit_to_usermode', events.ExitToUserPrepare)] : []),
      at('exit_to_user_mode_loop', (k) => k.call('exit_to_user_mode_loop')),
      ...(answers('exit-to-user') ? [hookStep('exit_to_user', events.ExitToUser)] : []),
    ]),
    at(name, () => {}),
  ];
}

/** Where nobody waits for the return to user code, nothing is done before it. */
const hasExitWork = ({ handlers, answers }: ExitServices): boolean =>
  handlers.some((handler) => handler >= 0) || answers('exit-to-user');

/** The loop before the return to user code, signal delivery, and the way back from a handler. */
export function exitRoutines(services: ExitServices): readonly Routine[] {
  const signals = services.handlers.some((handler) => handler >= 0);
  if (!hasExitWork(services)) return [];
  return [exitLoop(services, signals), ...(signals ? [doSignal(services), sigreturn(services)] : [])];
}

/** Bits of WORK are in local 0. */
function exitLoop(services: ExitServices, signals: boolean): Routine {
  const has =
    (work: number): Condition =>
    (k) =>
      (k.local(0) & work) !== 0;
  const read = (name: string): RoutineNode => at(name, (k) => k.setLocal(0, services.exitWork(k.cpu)));
  return routine('exit_to_user_mode_loop', [
    read('read thread flags'),
    whileHolds(
      (k) => k.local(0) !== WORK.none,
      [
        at('local_irq_enable for work', (k) => k.localIrqEnable()),
        when(has(WORK.resched), [at('schedule', (k) => k.call('schedule'))]),
        ...(signals ? [when(has(WORK.signal), [at('arch_do_signal_or_restart', (k) => k.call('do_signal'))])] : []),
        at('local_irq_disable after work', (k) => k.localIrqDisable()),
        read('read thread flags again'),
      ],
    ),
  ]);
}

/** Frames that could not be set up before the kernel gives up: the signal's own, then that of the SIGSEGV which follows. */
const ATTEMPTS = 2;
const DONE = -1;

/** How many attempts have failed is in local 0, DONE when one has not; local 1 says whether the current one was refused. */
function doSignal({ handlers, abis, overflows, checksAltstack }: ExitServices): Routine {
  const refused: Condition = (k) => k.local(1) !== 0;
  const mayOverflow = overflows.includes(true);
  const placeFrame = (k: Cpu): void => {
    k.placeFrame();
    if (overflows[k.task] && checksAltstack) k.setLocal(1, 1);
  };
  const writeRest = (k: Cpu): void => {
    if (overflows[k.task]) k.overflowAltstack();
    k.completeFrame();
  };
  const unlessRefused = (node: RoutineNode): RoutineNode => (mayOverflow ? unless(refused, [node]) : node);
  return routine('do_signal', [
    at('get_signal', (k) => k.emit(events.SignalTaken, k.cpu, k.task)),
    whileHolds(
      (k) => k.local(0) !== DONE && k.local(0) < ATTEMPTS,
      [
        ...byAbi(abis, ({ setup, save, suffix }) => [
          group(setup, [
            at(`get_sigframe${suffix}`, placeFrame),
            unlessRefused(hookStep(`copy_fpstate_to_sigframe${suffix}`, save)),
            unless(refused, [at(`the rest of the frame${suffix}`, writeRest)]),
          ]),
        ]),
        at('signal_setup_done', (k) => {
          const isRefused = refused(k);
          k.setLocal(0, isRefused ? k.local(0) + 1 : DONE);
          k.setLocal(1, 0);
          if (!isRefused) k.commitFrame();
        }),
      ],
    ),
    when(
      (k) => k.local(0) !== DONE,
      [at('force_sigsegv', (k) => k.killCurrent())],
      [
        hookStep('fpu__clear_user_states', events.SignalClear),
        at('enter the handler', (k) => k.enterHandler(handlers[k.task])),
      ],
    ),
  ]);
}

/** Whether the frame could be restored is in local 1: 0 yes, 1 no. */
function sigreturn(services: ExitServices): Routine {
  return routine('sys_rt_sigreturn', [
    at('return through the frame', (k) => k.returnThroughFrame()),
    ...byAbi(services.abis, ({ restore, suffix }) => [hookStep(`fpu__restore_sig${suffix}`, restore)]),
    when(
      (k) => k.local(1) !== 0,
      [at('force_sig(SIGSEGV)', (k) => k.killCurrent())],
      [at('restore_sigcontext', (k) => k.emit(events.HandlerLeft, k.cpu, k.task))],
    ),
    ...exitPath(services, 'sysret'),
  ]);
}

/** The components that a signal frame brings back, and those that it puts into INIT state, by its header. */
export function returningThrough(header: number, xfeatures: number): { restored: number; initialised: number } {
  const user = xfeatures & USER_COMPONENTS;
  const restored = header === HEADER.fxOnly ? user & ((1 << X87) | (1 << SSE)) : user;
  return { restored, initialised: user & ~restored };
}
