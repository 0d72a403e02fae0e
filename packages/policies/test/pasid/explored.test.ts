/** What the explorer says about IA32_PASID: Linux 6.1 as it is, and with a line less or elsewhere. */
import {
  compose,
  enqcmd,
  fork,
  program,
  scenarioOf,
  syscall,
  type OracleId,
  type Patch,
  type Scenario,
} from '@fpulab/core';
import { explore, type Exploration } from '@fpulab/explorer';
import { bareMetal } from '@fpulab/hypervisor';
import { inLong } from '../../../core/test/support/often';
import { ACTIVATED_ENDS_AT_EXEC, loadFpuDeferral, pasid, presetOf, type DeferralEra } from '../../src';
import { expectInOrder, found, judged } from '../explored';
import { removing } from '../support';

const preset = 'linux-6.1';
const GP = 'trap-gp';

describe('scenarios with ENQCMD', () => {
  it.each([
    ['enqcmd', 20_959],
    ['enqcmd-threads', 23_244],
    ['enqcmd-smp', 690],
    ['enqcmd-fork', 13_295],
  ])('%s is verified in %d states, and reaches what it has to', async (scenario, states) => {
    const exploration = await judged({ preset, scenario });
    expect([exploration.verdict, exploration.complete, exploration.states]).toEqual(['verified', true, states]);
    expect(exploration.sometimes.filter(({ reached }) => !reached)).toEqual([]);
  });

  it('enqcmd-signal is verified: a frame brings no supervisor state back, and sigreturn takes none away', async () => {
    const { program: own } = scenarioOf('enqcmd-signal').tasks[0];
    const short: Scenario = { ...scenarioOf('enqcmd-signal'), interference: { preempt: 'user', userFaults: true } };
    expect(own).toHaveLength(6);
    const { verdict, complete, sometimes } = await judged({ preset, scenario: short });
    expect([verdict, complete]).toEqual(['verified', true]);
    expect(sometimes.filter(({ reached }) => !reached)).toEqual([]);
  });

  it.each([
    ['skylake-x', /needs 'enqcmd', which the CPU model 'skylake-x' lacks/],
    ['sapphire-rapids', /needs 'pasid', which the policy 'load-fpu-deferral' does not enable/],
  ])('are refused on %s where the kernel does not enable PASID', (cpu, message) => {
    const options = { cpu, platform: bareMetal(), policies: presetOf('linux-5.15').policies() };
    expect(() => compose({ ...options, scenario: scenarioOf('enqcmd') })).toThrow(message);
  });

  it('are refused where a thread would have to end the others', () => {
    const [a, t] = scenarioOf('enqcmd-smp').tasks;
    const scenario: Scenario = {
      ...scenarioOf('enqcmd-smp'),
      tasks: [a, { ...t, program: program(syscall('execve')) }],
    };
    const options = { platform: bareMetal(), policies: presetOf(preset).policies() };
    expect(() => compose({ ...options, scenario })).toThrow(/T of .* is not the first thread of its process/);
  });
});

describe('on every era of load-fpu-deferral', () => {
  const onEra = (era: DeferralEra, scenario: Scenario, patches: readonly Patch[] = []): Promise<Exploration> =>
    explore({
      compose: () => ({
        platform: bareMetal(),
        policies: [loadFpuDeferral({ era }), pasid()],
        patches,
        scenario,
      }),
      bounds: { memoryMax: 2 ** 27 },
    });
  const signal: Scenario = { ...scenarioOf('enqcmd-signal'), interference: { preempt: 'user', userFaults: true } };

  it.each<[DeferralEra, number, number, number]>([
    ['linux-5.2', 25_932, 13_295, 5_034],
    ...inLong<[DeferralEra, number, number, number]>(
      ['linux-5.14', 23_244, 13_295, 4_801],
      ['linux-6.12', 23_244, 13_295, 4_801],
    ),
  ])('%s: threads, fork() and signals are verified', async (era, ...states) => {
    const scenarios = [scenarioOf('enqcmd-threads'), scenarioOf('enqcmd-fork'), signal];
    const explorations = await Promise.all(scenarios.map((scenario) => onEra(era, scenario)));
    expect(explorations.map(({ verdict }) => verdict)).toEqual(['verified', 'verified', 'verified']);
    expect(explorations.map((exploration) => exploration.states)).toEqual(states);
  });

  it.each<[DeferralEra, string, string]>([
    ['linux-5.2', 'fpu__clear_user_states', 'os_xrstor_supervisor'],
    ['linux-5.14', 'fpu__clear_user_states', 'os_xrstor_supervisor'],
    ['linux-5.2', 'fpu__restore_sig', 'copy_supervisor_to_kernel'],
    ...inLong<[DeferralEra, string, string]>(['linux-5.14', 'fpu__restore_sig', 'os_xrstor_supervisor after it']),
  ])('%s: %s needs %s', async (era, routine, name) => {
    const preempted: Scenario = { ...signal, interference: { ...signal.interference, preempt: 'full' } };
    const { verdict } = await onEra(era, preempted, [removing('no-supervisor', routine, name)]);
    expect(verdict).toBe('violation');
  });
});

describe('execve() and pasid_activated', () => {
  it('the new program binds, and its first ENQCMD is not helped', async () => {
    const { oracle, choices, story } = await found({ preset, scenario: 'enqcmd-exec' });
    expect([oracle, choices]).toEqual(['stale-msr', 10]);
    expectInOrder(
      story,
      'A: sva_bind',
      'A: current->pasid_activated = 1',
      'A: enqcmd',
      'A: execve',
      'A: restore_fpregs_from_fpstate',
      'A: sva_bind',
    );
  });

  it.each(['linux-6.1', 'linux-6.12'])('%s is verified when execve() clears it', async (fixedPreset) => {
    const question = { preset: fixedPreset, scenario: 'enqcmd-exec', patches: [ACTIVATED_ENDS_AT_EXEC] };
    const { verdict, complete, sometimes } = await judged(question);
    expect([verdict, complete]).toEqual(['verified', true]);
    expect(sometimes.filter(({ reached }) => !reached)).toEqual([]);
  });
});

describe('a line less, or elsewhere', () => {
  const irqsOn: Patch = {
    id: 'irqs-on',
    title: 'the handler enables interrupts before it fills the register',
    source: 'hypothetical',
    edits: [
      {
        edit: 'prepend',
        routine: 'hook:trap-gp',
        nodes: [{ kind: 'step', name: 'cond_local_irq_enable', run: (k) => k.localIrqEnable() }],
      },
    ],
  };
  const changed: readonly [what: string, scenario: string, oracle: OracleId, patch: Patch][] = [
    [
      'a child process gets the PASID of its parent',
      'enqcmd-fork',
      'stale-msr',
      removing('inherits', 'fpu_clone', 'dst: XSTATE_BV &= ~XFEATURE_MASK_PASID'),
    ],
    [
      'a child is taken for one whose register was filled',
      'enqcmd-fork',
      'stale-msr',
      {
        id: 'flag-inherited',
        title: 'dup_task_struct() copies pasid_activated',
        source: 'hypothetical',
        edits: [
          {
            edit: 'replace',
            routine: 'fpu_clone',
            step: 'p->pasid_activated = 0',
            nodes: [
              {
                kind: 'step',
                name: 'memcpy(task_struct)',
                run: (k) =>
                  k.write(k.slotNamed('pasid_activated'), k.child, k.read(k.slotNamed('pasid_activated'), k.task)),
              },
            ],
          },
        ],
      },
    ],
    ['interrupts are on: the register is written while it is no longer current', 'enqcmd', 'validity', irqsOn],
  ];
  it.each(changed)('%s', async (_, scenario, oracle, patch) => {
    expect((await found({ preset, scenario, patches: [patch], oracles: [oracle] })).oracle).toBe(oracle);
  });

  it('a child thread gets the PASID of its parent, which is its own: verified', async () => {
    const base = scenarioOf('enqcmd-fork');
    const [parent, , thread] = base.tasks;
    const scenario: Scenario = {
      ...base,
      tasks: [{ ...parent, program: program(syscall('sva_bind'), enqcmd(), fork('T'), enqcmd()) }, thread],
      sometimes: base.sometimes.filter(({ tasks }) => !tasks.includes('child')),
    };
    const { verdict, sometimes } = await judged({ preset, scenario, patches: [changed[0][3]] });
    expect([verdict, sometimes.every(({ reached }) => reached)]).toEqual(['verified', true]);
  });

  it('interrupts are on: A is preempted in its #GP, and writes its PASID into registers that B takes for its own', async () => {
    const { story } = await found({ preset, scenario: 'enqcmd', patches: [irqsOn], oracles: ['stale-msr'] });
    expectInOrder(
      story,
      'A: sva_bind',
      'A: cond_local_irq_enable',
      'A: retint_resched',
      'B: restore_fpregs_from_fpstate',
      'B: retint_resched',
      'A: wrmsrl(MSR_IA32_PASID)',
      'B: registers are valid',
      'B: iret',
    );
  });

  it('the flag is not read: a #GP that has another reason would be tried again for ever', async () => {
    // With PASID as the only reason for #GP in this model, nothing shows: the register is invalid at each of them.
    const { verdict } = await judged({
      preset,
      scenario: 'enqcmd-smp',
      patches: [removing('no-flag', GP, 'current->pasid_activated = 1')],
    });
    expect(verdict).toBe('verified');
  });
});
