import type { Abi } from '../kernel/abi';
import type { Schedule } from '../kernel/choices';
import type { Interference } from '../kernel/interference';
import type { TaskKind } from '../kernel/kernel-thread';
import type { GuestConfiguration } from '../kernel/guest';
import type { Operation } from '../kernel/program';
import type { MachineEvent } from '../machine/event-type';
import type { OracleId } from '../oracle/oracles';

/** A task of a scenario. */
export interface TaskSpec {
  readonly name: string;
  readonly program: readonly Operation[];
  /** What it does when a signal arrives; then it goes on where it was. Without a handler it gets no signals. */
  readonly handler?: readonly Operation[];
  /** True for a slot that only fork() brings to life. */
  readonly unborn?: boolean;
  /** `user` when left out. */
  readonly kind?: TaskKind;
  /** The task whose process this one is a thread of, from the start or from fork() on; it has a process of its own when left out. */
  readonly threadOf?: string;
  /** What a guest is like, where it is not like most. */
  readonly guest?: GuestConfiguration;
  /** Its handler runs on an alternate stack of so many bytes (SA_ONSTACK); on its stack, which is large enough, when left out. */
  readonly altstackBytes?: number;
  /** What its program is compiled for: x86-64 when left out. It decides which signal frames the task gets. */
  readonly abi?: Abi;
}

/** Where tasks are when an event happens. */
export interface Whereabouts {
  /** True while a frame of the routine is on the task's stack. */
  isInside(task: number, routine: string): boolean;
}

/** Something that must be reachable, so that an empty run or search cannot pass. */
export interface Sometimes {
  readonly id: string;
  readonly text: string;
  /** Names of the tasks that it is about. */
  readonly tasks: readonly string[];
  /**
   * True when it happens with this event. Remembers nothing between events: the explorer jumps from state to state.
   *
   * @param tasks numbers of `tasks`, in order
   */
  readonly test: (event: MachineEvent, tasks: readonly number[], where: Whereabouts) => boolean;
}

/** A situation to put a composition into. Knows no policy and no platform. */
export interface Scenario {
  readonly id: string;
  readonly title: string;
  readonly tasks: readonly TaskSpec[];
  readonly interference: Interference;
  /** The kernel enables no other components, as with `clearcpuid=`; all that it knows when left out. x87 and SSE are among them. */
  readonly xfeatures?: number;
  /** Oracles that decide the verdict. The others are reported beside it. */
  readonly oracles: readonly OracleId[];
  /** Wanted choices, by kind; what is not listed takes the first alternative. */
  readonly schedule: Schedule;
  readonly sometimes: readonly Sometimes[];
  /** CPU model that is used where the user names none. */
  readonly cpu: string;
  /** Number of CPUs where the user names none. */
  readonly cpus: number;
  /** Steps after which a run is stopped; programs may be endless. */
  readonly stepsMax: number;
}
