/** The thread of October 2016 on loading FPU registers late, point by point, as the explorer judges it. */
import type { OracleId, Patch } from '@fpulab/core';
import { inLong } from '../../core/test/support/often';
import { REFRESH_PATCHES, REFUSED_IMAGE_KEEPS, RFC_PATCHES } from '../src';
import { expectInOrder, found, judged } from './explored';

const patchOf = (id: string): Patch => {
  const patch = [...RFC_PATCHES, ...REFRESH_PATCHES].find((candidate) => candidate.id === id);
  if (!patch) throw new Error(`no patch ${id}`);
  return patch;
};

const verdictOf = async (preset: string, scenario: string, ...patches: readonly string[]): Promise<string> => {
  const { verdict, complete, sometimes } = await judged({ preset, scenario, patches: patches.map(patchOf) });
  const unreached = sometimes.filter(({ reached }) => !reached).map(({ id }) => id);
  return [verdict, ...(complete ? [] : ['incomplete']), ...unreached].join(', ');
};

/** The story of the nearest violation of one oracle. */
const storyOf = async (preset: string, scenario: string, patch: string, oracle: OracleId): Promise<readonly string[]> =>
  (await found({ preset, scenario, patches: [patchOf(patch)], oracles: [oracle] })).story;

const SCENARIOS = [
  ...inLong('preemption.any-2'),
  'interrupts.any-1',
  'fork-exec-exit',
  'fork-irq',
  'exit-to-user.any-2',
  'signal-fault',
  'signal-irq',
  ...inLong('sigreturn-fault'),
  'exec-migration',
];

describe.each(['rfc-2016', 'refresh-fpu'])('%s', (preset) => {
  it.each([...SCENARIOS, 'ptrace', 'ptrace-headers', 'core-dump'])('%s is verified', async (scenario) => {
    expect(await verdictOf(preset, scenario)).toBe('verified');
  });
});

describe('a tracer writes an image that is refused', () => {
  it('refresh-fpu checks before it writes: ptrace-refused is verified', async () => {
    expect(await verdictOf('refresh-fpu', 'ptrace-refused')).toBe('verified');
  });

  it('rfc-2016 has xstateregs_set() of 4.8, which costs the target all it had; 43be46e89698 is the fix', async () => {
    const question = { preset: 'rfc-2016', scenario: 'ptrace-refused' };
    expect((await found({ ...question, oracles: ['lost-update'] })).story.at(-1)).toBe('A: sse.read');
    expect((await judged({ ...question, patches: [REFUSED_IMAGE_KEEPS] })).verdict).toBe('verified');
  });
});

describe('"I don\'t see any way your patches can be compatible with PKRU without switching to eager-switched PKRU"', () => {
  it('A is switched out in the kernel and back in: its memory is accessed under B’s PKRU, TIF_LOAD_FPU still set', async () => {
    const { oracle, story } = await found({ preset: 'rfc-2016', scenario: 'pkru-deferred' });
    expect(oracle).toBe('pkru-mismatch');
    expectInOrder(
      story,
      'A: pkru.write',
      'A: read',
      'A: retint_resched',
      'A: copy_fpregs_to_fpstate',
      'B: copy_kernel_to_fpregs',
      'B: retint_resched',
      'A: set TIF_LOAD_FPU',
      'A: access user memory',
    );
    expect(story.filter((moment) => moment.startsWith('A: ') && moment.endsWith('copy_kernel_to_fpregs'))).toHaveLength(
      1,
    );
  });

  it.each(['protection-keys', 'kernel-fpu-pkru', 'io-worker'])('rfc-2016, %s: caught', async (scenario) => {
    const { oracle } = await found({ preset: 'rfc-2016', scenario });
    expect(oracle).toBe('pkru-mismatch');
  });

  it('user code never sees a wrong one: it is loaded with the rest', async () => {
    expect(await verdictOf('rfc-2016', 'pkru-switch')).toBe('verified');
  });

  it.each([
    ['pkru-deferred', 15850],
    ['protection-keys', 38715],
    ['kernel-fpu-pkru', 14937],
    ['io-worker', 4157],
  ])('with PKRU switched at once, %s is verified', async (scenario, states) => {
    const result = await judged({ preset: 'rfc-2016-eager-pkru', scenario });
    expect([result.verdict, result.complete, result.states]).toEqual(['verified', true, states]);
    expect(result.sometimes.filter(({ reached }) => !reached)).toEqual([]);
  });
});

describe('"The cached flag may no longer be valid after exit_to_usermode_loop() returns"', () => {
  it('A is switched out and in within the loop, its cached_flags know nothing of it: it gets B’s registers', async () => {
    expectInOrder(
      await storyOf('rfc-2016', 'exit-to-user', 'cached-flags', 'leak'),
      'A: sse.write',
      'A: getpid',
      'A: cached_flags = READ_ONCE(ti->flags)',
      'A: exit_to_user_mode_loop',
      'A: schedule',
      'B: copy_kernel_to_fpregs',
      'B: sse.write',
      'A: set TIF_LOAD_FPU',
      'A: cached_flags & _TIF_LOAD_FPU',
      'A: sysret',
    );
  });

  it('where no system call returns without having been switched out, it is never wrong', async () => {
    expect(await verdictOf('rfc-2016', 'interrupts.any-1', 'cached-flags')).toBe('verified');
  });
});

describe('"Something has to fix up owner_ctx"', () => {
  it('rfc-2016: kernel_fpu_begin() leaves the owner, and its task goes on with the kernel’s registers', async () => {
    expectInOrder(
      await storyOf('rfc-2016', 'interrupts.any-1', 'rfc-owner-left-by-kernel', 'leak'),
      'A: last_cpu = cpu, fpregs_active = 0',
      'A: compute',
      'A: registers are valid',
    );
  });

  it('rfc-2016: named owner at the switch, the new task takes the old one’s registers for its own', async () => {
    expectInOrder(
      await storyOf('rfc-2016', 'preemption.any-2', 'rfc-owner-at-switch', 'leak'),
      'A: owner = new',
      'A: registers are valid',
    );
  });

  it('refresh-fpu: the contract breaks when the kernel computes, user code sees it later', async () => {
    const contract = await storyOf('refresh-fpu', 'interrupts.any-2.nest-1', 'refresh-owner-left', 'validity');
    expect(contract.at(-1)).toMatch(/: \S+\/kernel FPU section\/compute$/);
    expectInOrder(
      await storyOf('refresh-fpu', 'interrupts.any-2.nest-1', 'refresh-owner-left', 'leak'),
      'A: set TIF_REFRESH_FPU',
      'B: do_IRQ',
      'B: compute',
      'A: memory is not valid',
      'A: iret',
    );
  });
});

describe('what the RFC finds as 4.8 has it', () => {
  it.each<[string, string, string, OracleId, readonly string[]]>([
    [
      '"missing signal path code": a frame faults, B runs, and XSAVE starts again with its registers',
      'rfc-signals-4.8',
      'signal-fault',
      'leak',
      [
        'A: copy_fpregs_to_sigframe',
        'A: do_page_fault in copy_fpregs_to_sigframe',
        'B: copy_kernel_to_fpregs',
        'A: copy_fpregs_to_sigframe',
      ],
    ],
    [
      'fpu__clear(): switched out between activation and INIT, the task saves registers that are not its own',
      'rfc-clear-4.8',
      'preemption.any-2',
      'leak',
      ['B: user_fpu_begin: fpregs_activate', 'B: copy_fpregs_to_fpstate', 'B: copy_init_fpstate_to_fpregs'],
    ],
    [
      'fpu__copy(): the registers were put away for an interrupt; the child gets what that left',
      'rfc-fork-4.8',
      'fork-irq',
      'lost-update',
      ['parent: fork(child)', 'parent: compute', "parent: registers are taken for the task's", 'child: sse.read'],
    ],
    [
      'fpu__copy(): an interrupt between question and XSAVE, which kernel_fpu_end() does not make good any more',
      'rfc-irq-in-fork',
      'fork-irq',
      'lost-update',
      ['parent: fpregs_active?', 'parent: compute', 'parent: copy_fpregs_to_fpstate(dst)', 'child: sse.read'],
    ],
  ])('%s', async (_, patch, scenario, oracle, moments) => {
    expectInOrder(await storyOf('rfc-2016', scenario, patch, oracle), ...moments);
  });
});

describe('refresh-fpu: its contract, and what user code sees of a breach', () => {
  it.each<[string, string, string, readonly string[]]>([
    [
      '"invalidate the CPU state *before* writing the in-memory state": a switch saves old registers over the new memory',
      'refresh-write-first',
      'sigreturn-fault',
      ['A: __copy_from_user', 'A: XSAVE', 'A: sse.read'],
    ],
    [
      'rt_sigreturn() copies where it has to move: the way back finds the CPU state valid',
      'refresh-not-invalidated',
      'sigreturn-fault',
      ['A: __copy_from_user', 'A: sysret', 'A: sse.read'],
    ],
    [
      '"How can we distinguish between these two?" The handler copies, the task writes in 2a, the next switch saves nothing',
      'refresh-copy-to-cpu',
      'exit-to-user',
      ['A: sse.write', 'A: switch_fpu_prepare', 'A: XRSTOR', 'A: sse.read'],
    ],
    [
      'a reader of memory that does not set the flag: fork() leaves its parent in 2a',
      'refresh-no-flag-on-copy',
      'fork-irq',
      ['parent: fork(child)', 'parent: XSAVE', 'parent: sse.write', 'parent: sse.read'],
    ],
  ])('%s', async (_, patch, scenario, moments) => {
    expectInOrder(await storyOf('refresh-fpu', scenario, patch, 'lost-update'), ...moments);
  });

  it('a tracer that writes first and invalidates after it breaks the contract, and nobody’s registers', async () => {
    const patches = [patchOf('refresh-tracer-writes-first')];
    const question = { preset: 'refresh-fpu', scenario: 'ptrace', cpus: 2, patches };
    const { story } = await found({ ...question, oracles: ['validity'] });
    expect(story.at(-1)).toMatch(/xstateregs_set\/user_regset_copyin$/);
    const { verdict } = await judged({ ...question, oracles: ['leak', 'lost-update'] });
    expect(verdict).toBe('verified');
  });

  it('the flag not set by to_memory(): after kernel_fpu_begin() user code runs on the kernel’s registers', async () => {
    expectInOrder(
      await storyOf('refresh-fpu', 'interrupts.any-1', 'refresh-no-flag-on-to-memory', 'leak'),
      "A: no CPU holds the task's state",
      'A: compute',
      'A: iret',
    );
  });

  it('the flag not set on schedule-in: a child runs on its parent’s registers', async () => {
    const story = await storyOf('refresh-fpu', 'fork-exec-exit', 'refresh-no-flag-on-schedule-in', 'leak');
    expectInOrder(story, 'parent: fork(child)', 'child: nothing on schedule-in', 'child: sse.write');
  });

  it('whoever was switched out has the flag already: without fork() schedule-in need not set it', async () => {
    expect(await verdictOf('refresh-fpu', 'exit-to-user', 'refresh-no-flag-on-schedule-in')).toBe('verified');
  });

  it('writing in 2a is a breach at once: it takes no second task', async () => {
    const { oracle, story } = await found({
      preset: 'refresh-fpu',
      scenario: 'exit-to-user',
      patches: [patchOf('refresh-copy-to-cpu')],
    });
    expect([oracle, story.at(-1)]).toEqual(['validity', 'A: sse.write']);
  });
});
