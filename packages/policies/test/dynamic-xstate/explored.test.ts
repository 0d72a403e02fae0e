/** What the explorer says about AMX tiles: Linux 6.1 as it is, and with a line less. */
import {
  amx,
  compose,
  program,
  scenarioOf,
  sse,
  step,
  syscall,
  type OracleId,
  type Patch,
  type Scenario,
} from '@fpulab/core';
import { bareMetal } from '@fpulab/hypervisor';
import { inLong } from '../../../core/test/support/often';
import { POLICY_PATCHES, PTRACE_REALLOC, SWAP_FPSTATE, bugOf, loadFpuDeferral } from '../../src';
import { broken, expectVerified } from '../bugs/museum';
import { expectInOrder, found, judged } from '../explored';
import { removing } from '../support';

const preset = 'linux-6.1';
const NM = 'exc_device_not_available';

describe('scenarios with tiles', () => {
  it.each(['amx-life', 'amx-migration'])('%s is verified, and reaches what it has to', async (scenario) => {
    const { verdict, complete, sometimes } = await judged({ preset, scenario });
    expect([verdict, complete]).toEqual(['verified', true]);
    expect(sometimes.filter(({ reached }) => !reached)).toEqual([]);
  });

  it('are refused where the processor cannot disable components', () => {
    const options = { platform: bareMetal(), policies: [loadFpuDeferral({ era: 'linux-6.1' })] };
    expect(() => compose({ ...options, scenario: scenarioOf('amx') })).toThrow(
      /needs 'tiledata', which the policy 'load-fpu-deferral' does not enable/,
    );
  });
});

it.each([['F35', 80460], ['F36', 11293], ...inLong<[string, number]>(['F14', 128719])])(
  '%s is verified with its fix',
  expectVerified,
);

describe('F14: xfd-signal', () => {
  it('A leaves IA32_XFD clear, B takes a signal in the kernel and goes to its handler with tiles enabled', async () => {
    const { oracle, choices, steps, story } = await broken('F14');
    expect([oracle, choices, steps]).toEqual(['stale-msr', 40, 117]);
    expectInOrder(
      story,
      'B: raise',
      'B: retint_resched',
      'A: wrmsrl(MSR_IA32_XFD)',
      'A: retint_resched',
      'B: restore_fpregs_from_init_fpstate',
      'B: mark: clear TIF_NEED_FPU_LOAD',
      'B: sysret',
    );
    expect(story).not.toContain('B: fpu__clear_user_states/xfd_update_state/wrmsrl(MSR_IA32_XFD)');
  });

  it('a handler that uses tiles then loses them: no save of its kernel stores them', async () => {
    const { program: own } = scenarioOf('amx-signal').tasks[1];
    const withTiles = program(amx.configure(), amx.write(), amx.read());
    const scenario: Scenario = {
      ...scenarioOf('amx-signal'),
      tasks: [scenarioOf('amx-signal').tasks[0], { name: 'B', program: own, handler: withTiles }],
    };
    const { oracle } = await found({ preset, scenario, patches: bugOf('F14').buggy.patches, oracles: ['validity'] });
    expect(oracle).toBe('validity');
  });
});

describe('F35: xfd-nm-sleep', () => {
  it('the first tile instruction allocates with interrupts off', async () => {
    const { oracle, choices, steps, story } = await broken('F35');
    expect([oracle, choices, steps]).toEqual(['atomic-sleep', 12, 85]);
    expectInOrder(story, 'A: amx.configure', 'A: wrmsrl(MSR_IA32_XFD_ERR, 0)', 'A: vzalloc');
  });
});

describe('F36: fpu-clone-rt', () => {
  it('siglock is waited for between fpregs_lock() and fpregs_unlock()', async () => {
    const { oracle, choices, steps, story } = await broken('F36');
    expect([oracle, choices, steps]).toEqual(['atomic-sleep', 1, 66]);
    expectInOrder(story, 'parent: fork(child)', 'parent: fpregs_lock', 'parent: spin_lock_irq(siglock)');
    const since = story.slice(story.indexOf('parent: fork(child)'));
    expect(since.filter((moment) => moment.endsWith('fpregs_unlock'))).toEqual([]);
  });
});

describe('a line less', () => {
  const without: readonly [what: string, oracle: OracleId, patch: Patch][] = [
    [
      'fpstate_realloc() swaps the pointer although the registers are in memory: they stay behind in the old image',
      'validity',
      removing('no-load', NM, 'fpregs_restore_userregs'),
    ],
    [
      'TILERELEASE in the idle loop, and the owner stays: the registers look valid',
      'validity',
      removing('idle-owner', 'idle', 'tiles are gone: owner = NULL'),
    ],
    [
      'registers are loaded without IA32_XFD',
      'stale-msr',
      removing('no-update', 'switch_fpu_return', 'xfd_update_state'),
    ],
    ['the copy of IA32_XFD is not written', 'stale-msr', removing('no-copy', NM, 'xfd_state = xfd')],
  ];
  it.each(without)('%s', async (_, oracle, patch) => {
    const { program: use } = scenarioOf('amx').tasks[0];
    const scenario: Scenario = {
      ...scenarioOf('amx'),
      tasks: [{ name: 'A', program: [sse.write(), ...use, sse.read()] }, scenarioOf('amx').tasks[1]],
      interference: { preempt: 'user', idle: true, allocation: { sleep: true } },
    };
    expect((await found({ preset, scenario, patches: [patch], oracles: [oracle] })).oracle).toBe(oracle);
  });
});

describe("T. Gleixner's swap_fpstate()", () => {
  const judgedSketch = (...patches: readonly Patch[]) =>
    judged({ preset, scenario: 'amx', patches: [SWAP_FPSTATE, ...patches] });

  it('copies the old image where the registers are not valid, and is verified', async () => {
    expect(await judgedSketch()).toMatchObject({ verdict: 'verified', complete: true, states: 84202 });
  });

  it('is among the patches that the command line knows', () => {
    expect(POLICY_PATCHES).toEqual(expect.arrayContaining([SWAP_FPSTATE, PTRACE_REALLOC]));
  });

  it('registers that are still valid have to be loaded all the same: IA32_XFD is written then, and only then', async () => {
    const { counterexamples } = await judgedSketch(removing('no-invalidation', NM, 'last_cpu = -1'));
    expect(counterexamples.map(({ oracle }) => oracle)).toEqual(['stale-msr']);
  });

  it('without the copy the state stays behind', async () => {
    const { counterexamples } = await judgedSketch(removing('no-copy-of-state', NM, 'copy_state'));
    expect(counterexamples.map(({ oracle }) => oracle)).toEqual(['validity']);
  });
});

/**
 * Derived from the source, not from a report: restore_fpregs_from_user() restores and initialises what is in `fpstate->user_xfeatures`,
 * and nothing else. A task that has no tiles yet leaves in the registers what the task before it had there.
 */
describe('sigreturn of a task that has no tiles yet', () => {
  const ask = syscall('req_xcomp_perm');
  const scenario: Scenario = {
    ...scenarioOf('amx-signal'),
    id: 'sigreturn-tiles',
    tasks: [
      { name: 'A', program: program(ask, amx.configure(), amx.write()) },
      { name: 'B', program: program(ask, amx.configure(), syscall('raise'), amx.read()), handler: program() },
    ],
    sometimes: [],
  };

  it("preempted by one that has some, it finds that one's tiles when it uses its own", async () => {
    const { oracle, story } = await found({ preset, scenario, oracles: ['leak'] });
    expect(oracle).toBe('leak');
    expectInOrder(
      story,
      'B: amx.configure',
      'B: rt_sigreturn',
      'B: retint_resched',
      'A: amx.write',
      'A: change stacks and current',
      'B: wrmsrl(MSR_IA32_XFD)',
      'B: xrstor_from_user_sigframe',
      'B: mark: clear TIF_NEED_FPU_LOAD',
      'B: sysret',
      'B: vzalloc',
      'B: wrmsrl(MSR_IA32_XFD)',
      'B: iret',
    );
  });

  it('is verified when it puts what it does not restore into INIT state, as context switches do', async () => {
    const rest = step('os_xrstor(init_fpstate, dynamic)', (k) => k.initFpregs(k.dynamicXfeatures), {
      instruction: 'xsave',
    });
    const patch: Patch = {
      id: 'sigreturn-tiles',
      title: 'restore_fpregs_from_user() initialises what the fpstate has no room for',
      source: 'hypothetical',
      edits: [{ edit: 'insert-before', routine: 'fpu__restore_sig', step: 'xrstor_from_user_sigframe', nodes: [rest] }],
    };
    expect(await judged({ preset, scenario, patches: [patch] })).toMatchObject({ verdict: 'verified', complete: true });
  });
});
