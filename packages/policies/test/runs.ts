import {
  ORACLES,
  compose,
  events,
  program,
  fork,
  loop,
  scenarioOf,
  seededDriver,
  sse,
  syscall,
  type BasePolicy,
  type OracleId,
  type Patch,
  type Platform,
  type Scenario,
} from '@fpulab/core';

/** A composition whose runs are judged. */
export interface Subject {
  readonly policy: () => BasePolicy;
  readonly platform: () => Platform;
  /** Patches may need the policy's slots. */
  readonly patches?: (policy: BasePolicy) => readonly Patch[];
}

/** Random interrupts and preemptions can go on for very long; what happens, happens early. */
const STEPS_MAX = 4_000;
const ENDLESS_STEPS_MAX = 1_000;

/** The scenario's deciding oracles that a seeded run violates. */
export function violatedBy(subject: Subject, scenario: Scenario, seed: bigint): readonly OracleId[] {
  const policy = subject.policy();
  const machine = compose({
    platform: subject.platform(),
    policies: [policy],
    patches: subject.patches?.(policy) ?? [],
    scenario,
    choices: seededDriver(seed),
  });
  const found = new Set<OracleId>();
  machine.on(events.OracleViolated).subscribe(({ data }) => {
    const oracle = ORACLES[data.oracle];
    if (scenario.oracles.includes(oracle)) found.add(oracle);
  });
  machine.run({ stepsMax: scenario.id === 'endless' ? ENDLESS_STEPS_MAX : STEPS_MAX });
  return [...found];
}

/** The first seed from 0 on whose run violates `oracle`; -1 when none below `seeds` does. */
export function firstSeedThat(subject: Subject, scenario: Scenario, oracle: OracleId, seeds: number): number {
  for (let seed = 0; seed < seeds; seed++) {
    if (violatedBy(subject, scenario, BigInt(seed)).includes(oracle)) return seed;
  }
  return -1;
}

// --- scenarios that mutants need ---------------------------------------------------------------------------------

const base = scenarioOf('preemption');

/** X computes slice after slice, so that it is preloaded; B never computes, and interrupts use the FPU meanwhile. */
export const PRELOADED_AND_INTERRUPTED: Scenario = {
  ...base,
  id: 'preloaded-and-interrupted',
  title: 'a task computes slice after slice beside one that does not; hardirqs use the FPU',
  tasks: [
    { name: 'X', program: program(loop(12, sse.write(), syscall('sched_yield'), sse.read())) },
    { name: 'B', program: program(loop(12, syscall('getpid'), syscall('sched_yield'))) },
  ],
  interference: { hardirq: true },
};

/** Two CPUs, tasks that compute long enough to be preloaded, and idle CPUs that leave registers alone. */
export const PRELOADED_AND_MOVED: Scenario = {
  ...base,
  id: 'preloaded-and-moved',
  title: 'tasks compute slice after slice and move between two CPUs',
  tasks: [
    { name: 'A', program: program(loop(14, sse.update(), syscall('nanosleep'))) },
    { name: 'B', program: program(loop(14, syscall('getpid'), syscall('nanosleep'))) },
  ],
  interference: { migration: true, idle: true },
  cpus: 2,
};

/** The same with one task: between its slices nothing but idle tasks run. */
export const ALONE_AND_MOVED: Scenario = {
  ...PRELOADED_AND_MOVED,
  id: 'alone-and-moved',
  title: 'one task computes slice after slice and moves between two CPUs',
  tasks: [PRELOADED_AND_MOVED.tasks[0]],
};

/** A child goes on computing, on two CPUs. */
export const CHILD_MOVED: Scenario = {
  ...PRELOADED_AND_MOVED,
  id: 'child-moved',
  tasks: [
    { name: 'parent', program: program(sse.write(), fork('child'), loop(20, syscall('nanosleep'))) },
    { name: 'child', program: program(loop(16, sse.update(), syscall('nanosleep'))), unborn: true },
  ],
};

/** Kernel FPU sections beside a task that computes; everything is preempted where the masks allow. */
export const KERNEL_SECTIONS_PREEMPTED: Scenario = {
  ...base,
  id: 'kernel-sections-preempted',
  title: 'kernel FPU sections beside a task that computes, preempted wherever the masks allow',
  tasks: [
    { name: 'A', program: program(loop(8, syscall('kernel_fpu'))) },
    { name: 'B', program: program(loop(8, sse.update(), sse.update())) },
  ],
  interference: { preempt: 'full' },
};
