import type { Schedule } from '../kernel/choices';
import type { Operation } from '../kernel/program';
import type { MachineEvent } from '../machine/event-type';
import type { OracleId } from '../oracle/oracles';

/** A task of a scenario. */
export interface TaskSpec {
  readonly name: string;
  readonly program: readonly Operation[];
  /** True for a slot that only fork() brings to life. */
  readonly unborn?: boolean;
}

/** What may come between two steps, beyond the tasks' own system calls. */
export interface Interference {
  /** Preemption: of user code, or of kernel code too where the masks allow. */
  readonly preempt?: 'none' | 'user' | 'full';
  /** Hardirqs whose handlers use the FPU, where irq_fpu_usable() says yes. */
  readonly hardirq?: boolean;
  /** The same for softirqs. */
  readonly softirq?: boolean;
  /** The hypervisor takes the physical CPU away. */
  readonly vcpu?: boolean;
  /** The idle task may be picked although others could run. */
  readonly idle?: boolean;
  /** Tasks may move between CPUs. */
  readonly migration?: boolean;
  /** First-use allocations may sleep, or fail. */
  readonly allocation?: { readonly sleep?: boolean; readonly fail?: boolean };
}

/** Something that a run must reach, so that an empty one cannot pass. */
export interface Sometimes {
  readonly id: string;
  readonly text: string;
  /** A fresh detector: fed every event, true as soon as it has happened. */
  readonly detector: (names: { task(name: string): number }) => (event: MachineEvent) => boolean;
}

/** A situation to put a composition into. Knows no policy and no platform. */
export interface Scenario {
  readonly id: string;
  readonly title: string;
  readonly tasks: readonly TaskSpec[];
  readonly interference: Interference;
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
