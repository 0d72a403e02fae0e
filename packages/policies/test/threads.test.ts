/** Threads of one process: a sibling takes a signal frame's memory away, and the permission for tiles is the process's. */
import { amx, compose, fork, munmapFrame, program, scenarioOf, sse, syscall, type Operation } from '@fpulab/core';
import { given } from '@fpulab/core/testing';
import { bareMetal } from '@fpulab/hypervisor';
import { inLong } from '../../core/test/support/often';
import { bugOf, dynamicXstate, loadFpuDeferral, presetOf } from '../src';
import { expectInOrder, found, judged } from './explored';

describe('frame-unmapped', () => {
  it.each([['linux-6.1', 25364], ...inLong<[string, number]>(['linux-5.10', 26330], ['refresh-fpu', 17526])])(
    '%s: verified',
    async (preset, states) => {
      const result = await judged({ preset, scenario: 'frame-unmapped' });
      expect([result.verdict, result.complete, result.states]).toEqual(['verified', true, states]);
      expect(result.sometimes.filter(({ reached }) => !reached)).toEqual([]);
    },
  );

  const storyOf = async (id: string): Promise<readonly string[]> => {
    const { preset, patches = [] } = bugOf(id).buggy;
    return (await found({ preset, patches, scenario: 'frame-unmapped', oracles: ['lost-update'] })).story;
  };

  it('F03: XRSTOR faults half way, the registers were the sibling’s, and it goes on with them', async () => {
    const story = await storyOf('F03');
    expectInOrder(
      story,
      'T: sse.write',
      'T: zap_page_range',
      'A: xrstor_from_user_sigframe',
      'T: registers are valid',
      'T: sse.read',
    );
  });

  it('F01: the owner was read before the page went, and the sibling has had the registers since', async () => {
    const story = await storyOf('F01');
    expectInOrder(
      story,
      'A: o = this_cpu_read_stable(fpu_fpregs_owner_ctx)',
      'T: sse.write',
      'T: zap_page_range',
      'A: xsave_to_user_sigframe',
    );
  });

  it('only a thread of the same process can do it', () => {
    const scenario = scenarioOf('frame-unmapped');
    const tasks = scenario.tasks.map(({ threadOf: _, ...task }) => task);
    const policies = presetOf('linux-6.1').policies();
    expect(() => compose({ platform: bareMetal(), policies, scenario: { ...scenario, tasks } })).toThrow(
      /task T .* unmaps the signal frame of 'A', which is no other thread of its process/,
    );
  });

  it('whoever is in no handler loses nothing', () => {
    const base = loadFpuDeferral({ era: 'linux-6.1' });
    const run = given({
      policies: [base],
      platform: bareMetal(),
      tasks: {
        A: program(fork('T'), sse.write(), syscall('nanosleep'), syscall('raise'), sse.read()),
        T: program(munmapFrame('A')),
      },
      handlers: { A: program() },
      threadsOf: { T: 'A' },
      unborn: ['T'],
      pick: ['A', 'T'],
    });
    run.until('T: zap_page_range');
    run.until('A: rt_sigreturn');
    expect(run.until('A: sse.read')).toMatchObject({ fpregs: 'sse=A:1' });
    expect(run.violations).toEqual([]);
  });
});

describe('ARCH_REQ_XCOMP_PERM in a process of two threads', () => {
  const ask = syscall('req_xcomp_perm');
  const useTiles = [amx.configure(), amx.write(), amx.read()];
  const spec = (A: readonly Operation[], T: readonly Operation[]) => {
    const base = loadFpuDeferral({ era: 'linux-6.1' });
    return given({
      cpu: 'sapphire-rapids',
      xfeatures: 0b11 | (0b11 << 17),
      policies: [base, dynamicXstate(base)],
      platform: bareMetal(),
      tasks: { A: program(...A), T: program(...T) },
      threadsOf: { T: 'A' },
      unborn: ['T'],
    });
  };
  const thread = fork('T');
  const nap = syscall('nanosleep');

  it('what one thread was permitted, the other may use, with an fpstate of its own', () => {
    const run = spec([thread, ask, nap, sse.write()], [nap, ...useTiles]);
    run.until('T: amx.read');
    expect(run.observe()).toMatchObject({ 'A.perm': 1, 'T.perm': 0, 'A.fpstate': 0, 'T.fpstate': 1 });
    expect(run.architecturalViolations).toEqual([]);
  });

  it('the permission that a thread asks for is its group leader’s', () => {
    const run = spec([thread, nap, ...useTiles], [ask, nap]);
    expect(run.until('T: perm.__state_perm = mask')).toMatchObject({ 'A.perm': 1, 'T.perm': 0 });
    run.until('A: amx.read');
  });

  it('a small alternate stack of any thread stands against it: -ENOSPC', () => {
    const run = spec([thread, nap, ask, ...useTiles], [syscall('sigaltstack'), nap]);
    run.until('T: sas_ss_size = ss_size');
    run.until('A: return -ENOSPC');
    run.until('A: force_sig_fault(SIGILL)');
  });

  it('with the permission of the process a thread is refused such a stack: -ENOMEM', () => {
    const run = spec([thread, ask, nap], [nap, syscall('sigaltstack')]);
    run.until('T: return -ENOMEM');
    expect(run.observe()).toMatchObject({ 'T.small_altstack': 0 });
  });

  it('a new thread starts without its parent’s alternate stack, and inherits no permission of its own', () => {
    const run = spec([syscall('sigaltstack'), thread], [sse.read()]);
    const cell = run.when('fork', { task: 'A' });
    expect(cell.after).toMatchObject({ 'A.small_altstack': 1, 'T.small_altstack': 0, 'T.perm': 0 });
    expect(cell.moments.join()).not.toContain('fpu_inherit_perms');
  });

  it('amx-threads is verified', async () => {
    const { verdict, complete, states, sometimes } = await judged({ preset: 'linux-6.1', scenario: 'amx-threads' });
    expect([verdict, complete, states]).toEqual(['verified', true, 2877]);
    expect(sometimes.filter(({ reached }) => !reached)).toEqual([]);
  });
});
