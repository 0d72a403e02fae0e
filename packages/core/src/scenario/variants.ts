/** Variants of a scenario that bounds of a search ask for. Their ids say how to make them, so that replay strings can. */
import { FpuError } from '../error';
import {
  either,
  forever,
  program,
  syscall,
  type EitherOperation,
  type LoopOperation,
  type Operation,
  type SyscallOperation,
} from '../kernel/program';
import type { Scenario } from './scenario';
import { USED_BY_ALL } from './sometimes';

/** Names of the tasks of a variant: A to Z. */
const NAMES = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ';

/**
 * The scenario with `count` identical tasks, each of which does any of the operations that the scenario's programs
 * have, in any order, for ever. What is verified for these tasks holds for all programs that are made of the operations and go
 * on for ever.
 *
 * Where the scenario has a signal handler, each of the tasks has it, and is compiled for what its task is. Kernel threads stay, and run their programs again and again.
 *
 * fork(), ptrace() and what a thread does to another one are left out, because the other task would have to be one of them, and so are exit() and abort(): no task ends. The
 * CPU may idle whenever a task gives it up, as it does when all others sleep: real tasks wait for more than the operations say.
 *
 * @throws FpuError FPU208 for a scenario without operations, or a count that is not from 1 to 26
 */
export function anyPrograms(scenario: Scenario, count: number): Scenario {
  const operations = operationsOf(scenario);
  if (operations.length === 0 || count < 1 || count > NAMES.length) {
    const problem =
      operations.length === 0 ? 'has no operations' : `can have 1 to ${NAMES.length} identical tasks, not ${count}`;
    throw new FpuError('FPU208', `the scenario '${scenario.id}' ${problem}`, { scenario: scenario.id, count });
  }
  const names = [...NAMES.slice(0, count)];
  const { handler, abi } = scenario.tasks.find((task) => task.handler !== undefined) ?? {};
  const anything = program(forever(operations.length === 1 ? operations[0] : either(...operations)));
  return {
    ...scenario,
    id: `${scenario.id}.any-${count}`,
    title: `${count} identical ${count === 1 ? 'task does' : 'tasks do'} any of ${operations.map(({ text }) => text).join(', ')}, in any order, for ever`,
    tasks: [...names.map((name) => ({ name, program: anything, handler, abi })), ...kernelThreads(scenario)],
    interference: { ...scenario.interference, idle: true },
    schedule: {},
    sometimes: [
      ...USED_BY_ALL(
        operations.some((operation) => operation.kind === 'fpu' && operation.reads.length > 0) ? names : [],
      ),
      ...scenario.sometimes.filter(({ tasks }) => tasks.length === 0),
    ],
  };
}

/**
 * The scenario with its own programs, and as many bystanders as it takes to have `count` tasks, kernel threads apart. A bystander does any
 * of the FPU operations that the scenario's programs have, in any order, for ever, and gives up the CPU between them.
 *
 * @throws FpuError FPU208 for a scenario that has so many tasks already, or none whose programs use the FPU
 */
export function withBystanders(scenario: Scenario, count: number): Scenario {
  const { id, tasks } = scenario;
  const operations = operationsOf(scenario).filter(({ kind }) => kind === 'fpu');
  const users = tasks.filter(({ kind = 'user' }) => kind === 'user').length;
  const missing = count - users;
  if (operations.length === 0 || missing < 1) {
    const problem = missing < 1 ? `has ${users} tasks, not less than ${count}` : 'has no FPU operations';
    throw new FpuError('FPU208', `the scenario '${id}' ${problem}`, { scenario: id, count });
  }
  const anything = program(forever(either(...operations, syscall('sched_yield'))));
  const bystanders = Array.from({ length: missing }, (_, index) => `bystander${index + 1}`);
  return {
    ...scenario,
    id: `${id}.with-${count}`,
    title: `${scenario.title}; and ${missing === 1 ? 'a bystander' : `${missing} bystanders`}`,
    tasks: [...tasks, ...bystanders.map((name) => ({ name, program: anything }))],
  };
}

/** The scenario with hardirqs and softirqs whose handlers use the FPU. */
export function withInterrupts(scenario: Scenario): Scenario {
  const interference = { ...scenario.interference, hardirq: true, softirq: true };
  return { ...scenario, id: `${scenario.id}.irqs`, interference };
}

/** The scenario with tasks that move between CPUs. */
export function withMigration(scenario: Scenario): Scenario {
  return { ...scenario, id: `${scenario.id}.moves`, interference: { ...scenario.interference, migration: true } };
}

/** The scenario with at most `depth` interrupts nested on one stack. */
export function withNesting(scenario: Scenario, depth: number): Scenario {
  const interference = { ...scenario.interference, nesting: depth };
  return { ...scenario, id: `${scenario.id}.nest-${depth}`, interference };
}

/** Those that are there from the start. */
function kernelThreads({ tasks }: Scenario): Scenario['tasks'] {
  return tasks
    .filter(({ kind = 'user', unborn }) => kind !== 'user' && kind !== 'guest' && !unborn)
    .map((task) => ({ ...task, program: program(forever(...task.program)) }));
}

type SimpleOperation = Exclude<Operation, LoopOperation | EitherOperation>;

/** System calls that start or end a task, or are about one that is no other's like. */
const ENDS: ReadonlySet<SyscallOperation['name']> = new Set([
  'fork',
  'exit',
  'abort',
  'ptrace',
  'ptrace_stop',
  'kvm_run',
  'munmap',
]);

/** The operations in a scenario's programs, each once. */
function operationsOf({ tasks }: Scenario): readonly SimpleOperation[] {
  const byText = new Map<string, SimpleOperation>();
  const visit = (operations: readonly Operation[]): void => {
    for (const operation of operations) {
      if (operation.kind === 'loop') visit(operation.body);
      else if (operation.kind === 'either') operation.alternatives.forEach(visit);
      else if (operation.kind !== 'syscall' || !ENDS.has(operation.name)) {
        byText.set(operation.text, operation);
      }
    }
  };
  for (const task of tasks) if ((task.kind ?? 'user') === 'user') visit(task.program);
  return [...byText.values()];
}
