/** What a verdict holds for: the scenario's bounds, and those of the search. One sentence each. */
import type { Interference, Operation, Scenario } from '@fpulab/core';
import { DEFAULT_BOUNDS, REDUCTIONS, type Bounds, type Reductions } from '@fpulab/explorer';
import type { ExplorePlan } from './plan';
import { grouped, mebibytes } from './numbers';

/** Every assumption under which this plan is explored. */
export function assumptionsOf(plan: ExplorePlan): readonly string[] {
  const { settings, hooks } = plan.machine.composition;
  const { scenario, cpus, cpu } = settings;
  const { interference } = scenario;
  return [
    `${cpus} CPU${cpus === 1 ? '' : 's'}, ${cpu.id}`,
    ...tasks(scenario),
    `interrupts: ${interrupts(interference)}`,
    `preemption: ${PREEMPTION[interference.preempt ?? 'none']}`,
    `allocations: ${allocations(interference)}`,
    ...others(interference, cpus),
    ...(hooks['call-function'] === undefined ? [] : ['CPUs interrupt each other to have functions run']),
    `violations are of: ${scenario.oracles.join(', ')}`,
    ...search(plan),
  ];
}

const PREEMPTION = {
  none: 'none; tasks give up the CPU when they sleep, yield or end',
  user: 'of user code, anywhere',
  full: 'of user code and of kernel code, where the masks allow it',
};

const KIND = { user: 'task', kthread: 'kernel thread', 'io-worker': 'IO worker', guest: 'guest' };

function tasks({ id, tasks }: Scenario): readonly string[] {
  const users = tasks.filter(({ kind = 'user' }) => kind === 'user');
  const names = users.map(({ name }) => name).join(', ');
  const [first] = tasks[0].program;
  if (/\.any-\d+/.test(id) && first?.kind === 'loop') {
    const operations = first.body.flatMap((one) => (one.kind === 'either' ? one.alternatives.flat() : [one]));
    const made = operations.map((operation) => programText([operation])).join(', ');
    const many = users.length === 1 ? '1 task' : `${users.length} tasks`;
    return [
      `${many} (${names}) with any programs that are made of ${made} and go on for ever`,
      'no fork(), and no task ends',
      ...tasks
        .filter((task) => !users.includes(task))
        .map(({ name, program }) => `kernel thread ${name} runs ${programText(program)}`),
    ];
  }
  return [
    ...tasks.map(
      ({ name, program, unborn, threadOf, kind = 'user' }) =>
        `${KIND[kind]} ${name}${unborn ? `, when forked${threadOf ? ` as a thread of ${threadOf}` : ''},` : ''} runs ${programText(program)}`,
    ),
  ];
}

/** `sse.write, 5 times (sse.update, sched_yield)` */
function programText(program: readonly Operation[]): string {
  if (program.length === 0) return 'nothing';
  return program
    .map((operation) => {
      switch (operation.kind) {
        case 'fpu':
        case 'frame':
        case 'syscall':
        case 'kernel':
        case 'guest':
          return operation.text;
        case 'loop':
          return `${operation.times === Infinity ? 'for ever' : `${operation.times} times`} (${programText(operation.body)})`;
        case 'either':
          return `any of (${operation.alternatives.map(programText).join(' | ')})`;
      }
    })
    .join(', ');
}

function interrupts({ hardirq, softirq, nesting }: Interference): string {
  const kinds = [...(hardirq ? ['hardirqs'] : []), ...(softirq ? ['softirqs'] : [])];
  if (kinds.length === 0 || nesting === 0) return 'none';
  const nested = nesting === undefined ? 'nested as deep as the masks allow' : `at most ${nesting} nested on one stack`;
  return `${kinds.join(' and ')} that use the FPU, anywhere, ${nested}`;
}

function allocations({ allocation }: Interference): string {
  return ['succeed', ...(allocation?.sleep ? ['sleep first'] : []), ...(allocation?.fail ? ['fail'] : [])].join(' or ');
}

function others({ vcpu, idle, migration, userFaults, signals }: Interference, cpus: number): readonly string[] {
  return [
    ...(cpus > 1 ? [migration ? 'tasks move between CPUs' : 'tasks stay on their CPUs'] : []),
    ...(vcpu ? ['the hypervisor takes the physical CPU away at any time, where the platform has one'] : []),
    ...(idle ? ['the idle task may run although others could'] : []),
    ...(idle === 'preempts' ? ['and take the CPU from a task that is alone, as a kernel thread would'] : []),
    ...(signals ? ['signals may come on every way to user code, where there is a handler'] : []),
    ...(userFaults ? ['restores from user memory may fault part-way'] : []),
  ];
}

function search({ flags, bounds, reductions, seed }: ExplorePlan): readonly string[] {
  const off = reductionsOff(reductions);
  const limits = limitsOf(bounds);
  return [
    ...(flags.strategy === 'random'
      ? [`random walks from seed 0x${seed.toString(16)}: they find, they never prove`]
      : []),
    ...(limits.length > 0 ? [`bounds: ${limits.join(', ')}`] : []),
    ...(off.length > 0 ? [`reductions off: ${off.join(', ')}`] : []),
    ...(flags.fingerprints ? ['states are told apart by 64-bit fingerprints: some may be missed'] : []),
  ];
}

function reductionsOff(reductions: Reductions): readonly string[] {
  const names = Object.keys(REDUCTIONS) as (keyof Reductions)[];
  return names.filter((name) => !reductions[name]).map((name) => REDUCTIONS[name]);
}

/** Those that differ from the default. */
function limitsOf({ statesMax, depthMax, timeoutMs, memoryMax }: Bounds): readonly string[] {
  return [
    ...(statesMax === DEFAULT_BOUNDS.statesMax ? [] : [`${grouped(statesMax)} states`]),
    ...(depthMax === DEFAULT_BOUNDS.depthMax ? [] : [`${grouped(depthMax)} choices`]),
    ...(timeoutMs === DEFAULT_BOUNDS.timeoutMs ? [] : [`${timeoutMs / 1000} s`]),
    ...(memoryMax === DEFAULT_BOUNDS.memoryMax ? [] : [`${mebibytes(memoryMax)} MiB`]),
  ];
}
