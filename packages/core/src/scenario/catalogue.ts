import { FpuError } from '../error';
import { either, fork, forever, frame, loop, mmx, program, sse, syscall, x87 } from '../kernel/program';
import type { OracleId } from '../oracle/oracles';
import { ALTSTACKS } from './altstack';
import { ABI_SCENARIOS } from './abis';
import { AVX_SCENARIOS } from './avx';
import type { Scenario } from './scenario';
import { GUESTS } from './guests';
import { HOTPLUG } from './hotplug';
import { NARROW } from './narrow';
import { PROTECTION_KEYS } from './protection-keys';
import { USED_BY_ALL, cameBack, diesIn } from './sometimes';
import { SVA } from './sva';
import { THREADS } from './threads';
import { TILES } from './tiles';
import { TRACING } from './tracing';
import { anyPrograms, withBystanders, withInterrupts, withMigration, withNesting } from './variants';

/** Everything but speculative-exposure, which every lazy policy has by nature. */
const ARCHITECTURAL: readonly OracleId[] = [
  'leak',
  'lost-update',
  'kernel-fpu-clobber',
  'atomic-sleep',
  'unexpected-fault',
  'validity',
  'stale-msr',
  'image-overrun',
  'livelock',
];

/** What most scenarios have in common. */
function scenario(
  own: Pick<Scenario, 'id' | 'title' | 'tasks' | 'interference' | 'sometimes'> & Partial<Scenario>,
): Scenario {
  return { oracles: ARCHITECTURAL, schedule: {}, cpu: 'sandybridge', cpus: 1, stepsMax: 100_000, ...own };
}

/**
 * The scenario of the thread on xen-devel that began on 2013-11-06: tasks A and B have not used the FPU; A's first use sleeps in
 * its allocation, and B runs meanwhile. X used the FPU before, so its values are in the registers.
 */
const firstUse = scenario({
  id: 'xen-pv-leak',
  title: "B runs while A's first FPU use sleeps in its allocation; X's values are in the registers",
  tasks: [
    { name: 'A', program: program(mmx.write(), syscall('nanosleep'), mmx.read()) },
    { name: 'B', program: program(mmx.read(), mmx.write(), syscall('nanosleep'), mmx.read()) },
    { name: 'X', program: program(mmx.write(), syscall('nanosleep'), mmx.read()) },
  ],
  interference: { allocation: { sleep: true } },
  schedule: { pick: ['X', 'A', 'B', 'A', 'B'], alloc: ['ok', 'sleep', 'ok'] },
  sometimes: USED_BY_ALL(['A', 'B', 'X']),
});

const preemption = scenario({
  id: 'preemption',
  title: 'two tasks compute; user and kernel code is preempted anywhere, allocations sleep or fail',
  tasks: [
    { name: 'A', program: program(loop(8, mmx.write(), mmx.read(), sse.update())) },
    { name: 'B', program: program(loop(8, sse.write(), sse.read(), syscall('sched_yield'))) },
  ],
  interference: { preempt: 'full', allocation: { sleep: true, fail: true }, idle: true },
  sometimes: USED_BY_ALL(['A', 'B']),
});

const interrupts = scenario({
  id: 'interrupts',
  title: 'two tasks and their kernel FPU sections, interrupted by softirqs and hardirqs that use the FPU',
  tasks: [
    { name: 'A', program: program(loop(6, sse.write(), syscall('kernel_fpu'), sse.read())) },
    { name: 'B', program: program(loop(6, mmx.write(), mmx.read(), syscall('nanosleep'))) },
  ],
  interference: { preempt: 'full', hardirq: true, softirq: true, allocation: { sleep: true } },
  sometimes: [
    ...USED_BY_ALL(['A', 'B']),
    {
      id: 'kernel-used-the-fpu',
      text: 'a kernel FPU section ran',
      tasks: [],
      test: (event) => event.type === 'hook.kernel-fpu-begin',
    },
  ],
});

const lifecycle = scenario({
  id: 'fork-exec-exit',
  title: 'a task forks with live registers, the child goes on with them, both replace their program and end',
  tasks: [
    {
      name: 'parent',
      program: program(sse.write(), fork('child'), sse.read(), syscall('execve'), sse.read(), sse.write(), sse.read()),
    },
    {
      name: 'child',
      program: program(sse.read(), sse.write(), sse.read(), syscall('execve'), sse.read()),
      unborn: true,
    },
  ],
  interference: { preempt: 'user', allocation: { sleep: true } },
  sometimes: USED_BY_ALL(['parent', 'child']),
});

const smp = scenario({
  id: 'migration',
  title: 'three tasks on two CPUs, moving between them',
  tasks: ['A', 'B', 'C'].map((name) => ({
    name,
    program: program(sse.write(), loop(5, sse.update(), syscall('sched_yield'))),
  })),
  interference: { preempt: 'user', migration: true, idle: true, allocation: { sleep: true } },
  sometimes: USED_BY_ALL(['A', 'B', 'C']),
  cpus: 2,
});

const vcpu = scenario({
  id: 'vcpu-preemption',
  title: 'two tasks in a guest whose physical CPU is taken away again and again',
  tasks: [
    { name: 'A', program: program(loop(6, mmx.write(), mmx.read(), syscall('nanosleep'))) },
    { name: 'B', program: program(loop(6, sse.write(), sse.read(), syscall('sched_yield'))) },
  ],
  interference: { vcpu: true, idle: true, preempt: 'user', allocation: { sleep: true } },
  sometimes: USED_BY_ALL(['A', 'B']),
});

const endless = scenario({
  id: 'endless',
  title: 'three tasks compute and yield for ever; for measuring',
  tasks: ['A', 'B', 'C'].map((name) => ({
    name,
    program: program(forever(mmx.write(), mmx.read(), syscall('sched_yield'))),
  })),
  interference: {},
  sometimes: USED_BY_ALL(['A', 'B', 'C']),
});

/** Handlers use the FPU, frames go to pages that are not there, and come back spoiled. */
const signals = scenario({
  id: 'signals',
  title: 'A is interrupted by signals whose handler uses the FPU, B computes; frames fault, handlers spoil them',
  tasks: [
    {
      name: 'A',
      program: program(
        sse.write(),
        syscall('raise'),
        sse.read(),
        mmx.write(),
        syscall('raise'),
        sse.read(),
        mmx.read(),
      ),
      handler: program(sse.read(), either(sse.write(), frame('fx-only'), frame('forged'), frame('unmapped'))),
    },
    { name: 'B', program: program(loop(2, sse.write(), sse.read(), syscall('sched_yield'))) },
  ],
  interference: { preempt: 'full', userFaults: true, allocation: { sleep: true } },
  sometimes: [...USED_BY_ALL(['A', 'B']), cameBack('A')],
});

/** Signals, preemption, and nothing that fails. */
const signalsPreempted = scenario({
  id: 'signals-preempted',
  title: 'A takes a signal, B computes; everything is preempted, nothing faults',
  tasks: [
    {
      name: 'A',
      program: program(sse.write(), syscall('raise')),
      handler: program(),
    },
    { name: 'B', program: program(sse.read()) },
  ],
  interference: { preempt: 'full' },
  sometimes: [...USED_BY_ALL(['B']), cameBack('A')],
});

/** One task, and frames that fault. */
const frameFails = scenario({
  id: 'frame-fails',
  title: 'a task takes two signals; their frames fault, for a while or for good, and the handler spoils them',
  tasks: [
    {
      name: 'A',
      program: program(sse.write(), syscall('raise'), sse.read(), syscall('raise'), sse.read()),
      handler: program(either(sse.update(), frame('fx-only'), frame('forged'), frame('unmapped'))),
    },
  ],
  interference: { userFaults: true, allocation: { sleep: true } },
  sometimes: [...USED_BY_ALL(['A']), cameBack('A')],
});

/** A frame of which XRSTOR takes more than it says. */
const shortFrame = scenario({
  id: 'short-frame',
  title: 'a handler takes the end of its frame away, and makes xstate_size say that the frame ends before',
  tasks: [
    {
      name: 'A',
      program: program(sse.write(), syscall('raise'), sse.read()),
      handler: program(either(sse.update(), frame('short'))),
    },
    { name: 'B', program: program(sse.write(), syscall('sched_yield'), sse.read()) },
  ],
  interference: { preempt: 'user', allocation: { sleep: true } },
  sometimes: [
    ...USED_BY_ALL(['A', 'B']),
    cameBack('A'),
    diesIn('A', 'sys_rt_sigreturn', 'the end of its frame was gone'),
  ],
});

/** For processors that have nothing but FNSAVE, which leaves INIT in the registers. */
const x87Only = scenario({
  id: 'x87-only',
  title: 'two tasks and a child compute with x87 alone, with kernel FPU sections and preemption',
  tasks: [
    { name: 'A', program: program(x87.write(), fork('child'), loop(4, x87.update(), syscall('kernel_fpu'))) },
    { name: 'child', program: program(loop(4, x87.update(), syscall('sched_yield'))), unborn: true },
    { name: 'B', program: program(x87.write(), loop(4, x87.update(), syscall('nanosleep'))) },
  ],
  interference: { preempt: 'user', allocation: { sleep: true } },
  sometimes: USED_BY_ALL(['A', 'child', 'B']),
  cpu: 'pentium-mmx',
});

/** The built-in scenarios. */
export const SCENARIOS: readonly Scenario[] = [
  firstUse,
  preemption,
  interrupts,
  lifecycle,
  smp,
  vcpu,
  signals,
  signalsPreempted,
  frameFails,
  shortFrame,
  x87Only,
  endless,
  ...NARROW.map(scenario),
  ...TRACING.map(scenario),
  ...PROTECTION_KEYS.map(scenario),
  ...TILES.map(scenario),
  ...SVA.map(scenario),
  ...GUESTS.map(scenario),
  ...ABI_SCENARIOS.map(scenario),
  ...THREADS.map(scenario),
  ...HOTPLUG.map(scenario),
  ...ALTSTACKS.map(scenario),
  ...AVX_SCENARIOS.map(scenario),
];

const VARIANT = /^(.*?)(?:\.any-(\d{1,2})|\.with-(\d))?(\.moves)?(\.irqs)?(?:\.nest-(\d))?$/s;

/**
 * The built-in scenario with this id, or a variant of one: `preemption.any-3` (see `anyPrograms`), `interrupts.nest-1`
 * (see `withNesting`), `interrupts.any-2.nest-1`; `ptrace.with-4` (see `withBystanders`), `ptrace.moves.irqs` (see
 * `withMigration`, `withInterrupts`).
 *
 * @throws FpuError FPU504 when there is none
 */
export function scenarioOf(id: string): Scenario {
  const [, base, any, more, moves, irqs, nest] = VARIANT.exec(id) as RegExpExecArray;
  const found = SCENARIOS.find((scenario) => scenario.id === base);
  if (found) {
    let varied = found;
    if (any !== undefined) varied = anyPrograms(varied, Number(any));
    if (more !== undefined) varied = withBystanders(varied, Number(more));
    if (moves !== undefined) varied = withMigration(varied);
    if (irqs !== undefined) varied = withInterrupts(varied);
    return nest === undefined ? varied : withNesting(varied, Number(nest));
  }
  const known = SCENARIOS.map((scenario) => scenario.id);
  throw new FpuError('FPU504', `no scenario '${id}'; known: ${known.join(', ')}`, { id, known });
}
