/** Random small compositions: the same for the same seed. */
import {
  either,
  fork,
  loop,
  mmx,
  nodeNames,
  program,
  sse,
  syscall,
  type BasePolicy,
  type Interference,
  type Operation,
  type OracleId,
  type Patch,
  type PatchEdit,
  type Platform,
  type Scenario,
  type TaskSpec,
} from '@fpulab/core';
import { bareMetal, xenHvm, xenPv } from '@fpulab/hypervisor';
import { eager, lazyCr0Ts } from '@fpulab/policies';
import { lazyPeer } from '../../../../benchmarks/peers/lazy-peer';
import alwaysSwitch from './always-switch';
import type { Compose } from '../../src';

/** A composition, and how to say which one it is. */
export interface Sample {
  readonly title: string;
  readonly compose: Compose;
  readonly scenario: Scenario;
}

/** The oracles that decide in most scenarios. */
export const ARCHITECTURAL: readonly OracleId[] = [
  'leak',
  'lost-update',
  'kernel-fpu-clobber',
  'atomic-sleep',
  'unexpected-fault',
  'validity',
];

const POLICIES: readonly (readonly [string, () => BasePolicy])[] = [
  ['linux-3.6', () => lazyCr0Ts({ era: 'linux-3.6' })],
  ['linux-4.2', () => lazyCr0Ts({ era: 'linux-4.2' })],
  ['linux-4.8', () => eager()],
  ['lazy-peer', lazyPeer],
  ['always-switch', alwaysSwitch],
];
const PLATFORMS: readonly (() => Platform)[] = [bareMetal, xenHvm, xenPv];
const OPERATIONS: readonly (() => Operation)[] = [
  mmx.read,
  mmx.write,
  mmx.update,
  sse.read,
  sse.write,
  sse.update,
  () => syscall('sched_yield'),
  () => syscall('nanosleep'),
  () => syscall('kernel_fpu'),
];
const GAPS = OPERATIONS.slice(-3);
const NAMES = ['A', 'B', 'C'];

/** Draws numbers from a seed: mulberry32. */
export class Draw {
  constructor(private seed: number) {}

  /** 0 to count - 1. */
  below(count: number): number {
    this.seed = (this.seed + 0x6d2b79f5) | 0;
    let word = Math.imul(this.seed ^ (this.seed >>> 15), 1 | this.seed);
    word = (word + Math.imul(word ^ (word >>> 7), 61 | word)) ^ word;
    return Math.floor((((word ^ (word >>> 14)) >>> 0) / 0x100000000) * count);
  }

  oneIn(count: number): boolean {
    return this.below(count) === 0;
  }

  of<T>(things: readonly T[]): T {
    return things[this.below(things.length)];
  }

  some<T>(count: number, makers: readonly (() => T)[]): T[] {
    return Array.from({ length: count }, () => this.of(makers)());
  }
}

/** The sample of a seed. */
export function sampleOf(seed: number): Sample {
  const draw = new Draw(seed);
  const [policyId, policy] = draw.of(POLICIES);
  const platform = draw.of(PLATFORMS);
  const cpus = draw.oneIn(3) ? 2 : 1;
  const tasks = tasksOf(draw, cpus);
  const interference = interferenceOf(draw, cpus);
  const scenario: Scenario = {
    id: `sample-${seed}`,
    title: `sample ${seed}`,
    tasks,
    interference,
    oracles: draw.oneIn(8) ? [...ARCHITECTURAL, 'speculative-exposure'] : ARCHITECTURAL,
    schedule: {},
    sometimes: [],
    cpu: draw.of(['pentium-iii', 'pentium-iii', 'sandybridge']),
    cpus,
    stepsMax: 100_000,
  };
  const patch = draw.below(3) > 0 ? mutationOf(draw, policy()) : undefined;
  const programs = tasks.map(({ name, program }) => `${name}: ${program.map(textOf).join(' ')}`).join(', ');
  return {
    title: `${seed}: ${policyId} on ${platform().id}${patch ? ` + ${patch.title}` : ''}; ${programs}; ${JSON.stringify(interference)}; ${cpus} CPUs`,
    compose: () => ({ platform: platform(), policies: [policy()], patches: patch ? [patch] : [], scenario }),
    scenario,
  };
}

function textOf(operation: Operation): string {
  if (operation.kind === 'either') return `either(${operation.alternatives.flat().map(textOf).join(' | ')})`;
  return operation.kind === 'loop' ? 'loop' : operation.text;
}

function tasksOf(draw: Draw, cpus: number): readonly TaskSpec[] {
  if (draw.oneIn(12)) return parentAndChild(draw);
  const count = draw.of(cpus === 1 ? [1, 2, 2, 2, 3] : [1, 1, 2]);
  const common = programOf(draw, count);
  return NAMES.slice(0, count).map((name) => ({ name, program: draw.oneIn(2) ? common : programOf(draw, count) }));
}

function programOf(draw: Draw, tasks: number): readonly Operation[] {
  const kind = draw.below(8);
  if (kind === 0) return program(either(...draw.some(2, OPERATIONS)));
  if (kind < 4) return program(...draw.some(1 + draw.below(tasks === 3 ? 2 : 3), OPERATIONS));
  const { write, read, update } = draw.of([mmx, sse]);
  const gap = draw.of(GAPS)();
  // Enough slices for a task to be preloaded, where nothing else makes many states.
  if (kind === 4 && tasks < 3) return program(loop(5 + draw.below(4), update(), gap));
  return program(write(), ...(draw.oneIn(3) ? [] : [gap]), read());
}

function parentAndChild(draw: Draw): readonly TaskSpec[] {
  const { write } = draw.of([mmx, sse]);
  const some = (): Operation[] => draw.some(1 + draw.below(2), OPERATIONS);
  return [
    { name: 'A', program: program(write(), fork('child'), ...some()) },
    { name: 'child', program: program(...some()), unborn: true },
  ];
}

function interferenceOf(draw: Draw, cpus: number): Interference {
  return {
    preempt: draw.of(['none', 'none', 'none', 'user', 'full'] as const),
    hardirq: draw.oneIn(4),
    softirq: draw.oneIn(6),
    nesting: draw.below(3),
    allocation: { sleep: draw.oneIn(2), fail: draw.oneIn(4) },
    migration: cpus > 1 && draw.oneIn(2),
    idle: draw.oneIn(4),
    vcpu: draw.oneIn(5),
  };
}

/** One step of the policy is dropped, or comes earlier or later. */
function mutationOf(draw: Draw, { routines }: BasePolicy): Patch {
  const { name: routine, body } = draw.of(routines.filter(({ body }) => nodeNames(body).length > 0));
  const names = nodeNames(body);
  const step = draw.of(names);
  const others = names.filter((name) => name !== step);
  const kind = draw.of(
    others.length === 0 ? (['remove'] as const) : (['remove', 'move-before', 'move-after'] as const),
  );
  const edit: PatchEdit =
    kind === 'remove' ? { edit: kind, routine, step } : { edit: kind, routine, step, anchor: draw.of(others) };
  const title = `${kind} ${routine}/${step}${'anchor' in edit ? ` ${edit.anchor}` : ''}`;
  return { id: 'mutation', title, source: 'hypothetical', edits: [edit] };
}
