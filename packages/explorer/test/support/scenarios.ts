/** Small scenarios whose searches end within a second or so. */
import {
  either,
  forever,
  program,
  sse,
  syscall,
  type Interference,
  type Operation,
  type OracleId,
  type Scenario,
} from '@fpulab/core';

export const YIELD = syscall('sched_yield');
export const NAP = syscall('nanosleep');

/** Identical tasks that do any of the operations, in any order, for ever. */
export function anyOf(
  operations: readonly Operation[],
  options: {
    readonly tasks: number;
    readonly oracles: readonly OracleId[];
    readonly interference?: Interference;
    readonly cpus?: number;
  },
): Scenario {
  return {
    id: 'any',
    title: 'any of some operations, for ever',
    tasks: ['A', 'B', 'C', 'D']
      .slice(0, options.tasks)
      .map((name) => ({ name, program: program(forever(either(...operations))) })),
    interference: options.interference ?? {},
    oracles: options.oracles,
    schedule: {},
    sometimes: [],
    cpu: 'pentium-iii',
    cpus: options.cpus ?? 1,
    stepsMax: 1000,
  };
}

/** Two tasks that compute and yield; user code is preempted, and allocations sleep. */
export function twoCompute(...oracles: readonly OracleId[]): Scenario {
  return anyOf([sse.update(), YIELD], {
    tasks: 2,
    oracles,
    interference: { preempt: 'user', allocation: { sleep: true } },
  });
}
