/** Bugs that the explorer has to find in a patched Linux 3.6, and verified kernels without the patch. */
import {
  scenarioOf,
  sse,
  step,
  syscall,
  type BasePolicy,
  type OracleId,
  type Patch,
  type Scenario,
} from '@fpulab/core';
import { bareMetal } from '@fpulab/hypervisor';
import { lazyCr0Ts } from '@fpulab/policies';
import { explore, type Compose, type Exploration } from '../src';
import { NAP, YIELD, anyOf, twoCompute } from './support/scenarios';

const patch = (id: string, edits: Patch['edits']): Patch => ({ id, title: id, source: 'hypothetical', edits });
const removing = (id: string, routine: string, name: string): Patch =>
  patch(id, [{ edit: 'remove', routine, step: name }]);

/** The skip test of lazy restore looks at the owner alone. */
function ownerAlone({ slots }: BasePolicy): Patch {
  const [owner, preload] = ['fpu_owner_task', 'preload'].map((name) => slots.find((slot) => slot.name === name));
  if (!owner || !preload) throw new Error('Linux 3.6 has other slots now');
  const name = 'fpu_lazy_restore';
  const without = step(`${name} without last_cpu`, (k) => {
    if (k.read(owner, k.cpu) !== k.next) return;
    k.write(preload, k.cpu, 0);
    k.skipRestore(k.next);
  });
  return patch('owner-alone', [{ edit: 'replace', routine: 'switch_fpu_prepare', step: name, nodes: [without] }]);
}

interface Catch {
  readonly name: string;
  readonly scenario: Scenario;
  readonly patch: (policy: BasePolicy) => Patch;
  readonly oracle: OracleId;
  /** Of the shortest counterexample. */
  readonly choices: number;
  readonly steps: number;
}

const CATCHES: readonly Catch[] = [
  {
    name: 'switch-out does not save',
    scenario: twoCompute('lost-update'),
    patch: () => removing('no-save', 'switch_fpu_prepare', '__save_init_fpu'),
    oracle: 'lost-update',
    choices: 10,
    steps: 67,
  },
  {
    name: '#NM restores before clts',
    scenario: twoCompute('unexpected-fault'),
    patch: () =>
      patch('restore-first', [
        {
          edit: 'move-before',
          routine: 'math_state_restore',
          step: 'restore_fpu_checking',
          anchor: '__thread_fpu_begin',
        },
      ]),
    oracle: 'unexpected-fault',
    choices: 4,
    steps: 25,
  },
  {
    name: 'the allocation runs with interrupts off',
    scenario: twoCompute('atomic-sleep'),
    patch: () => removing('irqs-off', 'math_state_restore', 'local_irq_enable'),
    oracle: 'atomic-sleep',
    choices: 4,
    steps: 19,
  },
  {
    name: 'kernel_fpu_begin leaves the owner in a system call',
    scenario: anyOf([sse.update(), YIELD, syscall('kernel_fpu')], {
      tasks: 2,
      oracles: ['lost-update'],
      interference: { idle: true },
    }),
    patch: () => removing('owner-left', 'kernel_fpu_begin', 'owner = NULL'),
    oracle: 'lost-update',
    choices: 18,
    steps: 169,
  },
  {
    name: 'kernel_fpu_begin leaves the owner in an interrupt',
    scenario: anyOf([sse.update(), YIELD], {
      tasks: 2,
      oracles: ['lost-update'],
      interference: { hardirq: true, nesting: 1 },
    }),
    patch: () => removing('owner-left', 'kernel_fpu_begin', 'owner = NULL'),
    oracle: 'lost-update',
    choices: 45,
    steps: 176,
  },
  {
    name: 'lazy restore does not compare last_cpu, 2 CPUs',
    scenario: anyOf([sse.update(), NAP], {
      tasks: 1,
      oracles: ['lost-update'],
      interference: { migration: true, idle: true },
      cpus: 2,
    }),
    patch: ownerAlone,
    oracle: 'lost-update',
    choices: 41,
    steps: 208,
  },
];

const linux36 =
  (scenario: Scenario, patchOf?: (policy: BasePolicy) => Patch): Compose =>
  () => {
    const policy = lazyCr0Ts({ era: 'linux-3.6' });
    return { platform: bareMetal(), policies: [policy], patches: patchOf ? [patchOf(policy)] : [], scenario };
  };

const run = (compose: Compose): Promise<Exploration> => explore({ compose, bounds: { memoryMax: 2 ** 26 } });

describe.each(CATCHES.map((one) => [one.name, one] as const))('Linux 3.6: %s', (_, one) => {
  it(`violates ${one.oracle} after ${one.choices} choices and ${one.steps} steps`, async () => {
    const { verdict, counterexamples } = await run(linux36(one.scenario, one.patch));
    expect(verdict).toBe('violation');
    expect(
      counterexamples.map(({ oracle, choices, steps, shortest }) => [oracle, choices.length, steps, shortest]),
    ).toEqual([[one.oracle, one.choices, one.steps, true]]);
  });

  it('is verified without the patch', async () => {
    const { verdict, complete } = await run(linux36(one.scenario));
    expect([verdict, complete]).toEqual(['verified', true]);
  });
});

describe('Linux 3.6 on bare metal', () => {
  it.each([
    ['preemption.any-1', 1],
    ['interrupts.any-1.nest-1', 1],
  ])('%s: any program of one task is verified for every oracle', async (id, cpus) => {
    const { verdict, complete, sometimes } = await run(linux36({ ...scenarioOf(id), cpus }));
    expect([verdict, complete, sometimes.every(({ reached }) => reached)]).toEqual(['verified', true, true]);
  });
});
