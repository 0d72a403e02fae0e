/** Bugs of kernels that allocate the state at first use: Linux 2.6.32 to 4.1. */
import { fork, program, sse, syscall, type Patch } from '@fpulab/core';
import { given } from '@fpulab/core/testing';
import { bareMetal } from '@fpulab/hypervisor';
import { GUEST_FIX, PREEMPT_SAFE_SIGFRAME, PREEMPT_SAFE_UNLAZY, bugOf, lazyCr0Ts } from '../../src';
import { expectInOrder, found, judged } from '../explored';
import { nap } from '../support';
import { broken, expectVerified } from './museum';

it.each([
  ['F26', 1101],
  ['F29', 869],
  ['F42', 86871],
  ['F44', 131],
  ['F49', 109],
])('%s is verified with its fix', expectVerified);

describe('F26: i386-irqstack', () => {
  it('an interrupt computes and saves nothing: A traps, and gets the image from before', async () => {
    const { oracle, choices, steps, story } = await broken('F26');
    expect([oracle, choices, steps]).toEqual(['lost-update', 21, 50]);
    expectInOrder(
      story,
      'A: sse.write',
      'A: do_IRQ',
      'A: clts, the flag is clear on this stack',
      'A: compute',
      'A: stts',
      'A: iret',
      'A: restore_fpu_checking',
      'A: sse.read',
    );
  });
});

describe('F29: lazyfp', () => {
  it('A computes, B runs behind TS with A’s values in the registers, and does not even touch them', async () => {
    const { oracle, choices, steps, story } = await broken('F29');
    expect([oracle, choices, steps]).toEqual(['speculative-exposure', 10, 46]);
    expectInOrder(
      story,
      'A: sse.write',
      'A: copy_fpregs_to_fpstate',
      'A: fpregs_active = 0, owner stays',
      'A: stts',
      'B: return to user',
    );
    expect(story.filter((moment) => moment.startsWith('B: sse'))).toEqual([]);
  });
});

describe('F42: sigframe-usedfpu-nonatomic', () => {
  it('the frame has the state, the flag is clear, TS is not yet set: B runs, no #NM comes, it finds A’s registers', async () => {
    const { oracle, choices, steps, story } = await broken('F42');
    expect([oracle, choices, steps]).toEqual(['leak', 32, 67]);
    expectInOrder(
      story,
      'A: sse.write',
      'A: raise',
      'A: xsave_user',
      'A: has_fpu = 0, owner = NULL',
      'A: retint_resched',
      'A: old->fpu_counter = 0',
      'B: return to user',
    );
    expect(story.filter((moment) => moment.endsWith('save_i387_xstate/user_fpu_end/stts'))).toEqual([]);
  });

  const as2632 = { preset: 'linux-2.6.32', scenario: 'signals-preempted' } as const;

  it('2.6.32 is found to have it, as released', async () => {
    const { oracle, story } = await found({ ...as2632, oracles: ['leak'] });
    expect(oracle).toBe('leak');
    expectInOrder(
      story,
      'A: sse.write',
      'A: xsave_user',
      'A: TS_USEDFPU = 0',
      'A: retint_resched',
      'B: return to user',
    );
  });

  it('2.6.32 is verified with user_fpu_begin() and user_fpu_end()', async () => {
    const { verdict } = await judged({ ...as2632, patches: [PREEMPT_SAFE_SIGFRAME] });
    expect(verdict).toBe('verified');
  });
});

/** A is preempted at a step of the kernel; B reads. */
function preempted(moment: string, patches: readonly Patch[] = []): readonly string[] {
  const run = given({
    platform: bareMetal(),
    policies: [lazyCr0Ts({ era: 'linux-2.6.32' })],
    patches,
    tasks: {
      A: program(sse.write(), syscall('raise'), fork('child'), sse.read(), syscall('execve')),
      B: program(sse.read(), nap, sse.read(), nap),
      child: program(),
    },
    handlers: { A: program(nap) },
    unborn: ['child'],
    pick: ['A'],
    interference: { preempt: 'full' },
  });
  run.until(moment);
  run.inject('preempt');
  run.until('B: sse.read');
  return run.architecturalViolations;
}

describe('linux-2.6.32, preempted between TS_USEDFPU and CR0.TS', () => {
  it.each([
    ['signal delivery', 'A: save_i387_xstate/TS_USEDFPU = 0', PREEMPT_SAFE_SIGFRAME],
    ['fork', 'A: prepare_to_copy/unlazy_fpu/__save_init_fpu/TS_USEDFPU = 0', PREEMPT_SAFE_UNLAZY],
    ['execve', 'A: flush_thread/clear_fpu/TS_USEDFPU = 0', PREEMPT_SAFE_UNLAZY],
  ])('%s: B finds A’s registers; with the fix nobody can preempt there', (_, moment, fix) => {
    expect(preempted(moment)).toEqual(['leak: B, sse=A:1']);
    expect(() => preempted(moment, [fix])).toThrow("'cpu0:preempt' cannot happen here");
  });
});

describe('F44: xen-pv-nm', () => {
  it('A sleeps in #NM after Xen has cleared TS: another task runs on the registers without a trap', async () => {
    const { oracle, choices, steps, story } = await broken('F44');
    expect([oracle, choices, steps]).toEqual(['leak', 4, 69]);
    expect(story.filter((moment) => moment.endsWith('fpu__restore/kmem_cache_alloc')).length).toBeGreaterThan(0);
  });

  it('is none on bare metal, where TS stays set until the handler clears it', async () => {
    const { verdict } = await judged({ ...bugOf('F44').buggy, scenario: 'xen-pv-leak' });
    expect(verdict).toBe('verified');
  });

  it.each(['linux-2.6.32', 'linux-3.6', 'linux-4.1'])(
    '%s is found to have it, and GUEST_FIX mends it',
    async (preset) => {
      const question = { preset, scenario: 'xen-pv-leak', platform: 'xen-pv' };
      expect((await found({ ...question, oracles: ['leak'] })).choices).toBe(4);
      expect((await judged({ ...question, patches: [GUEST_FIX] })).verdict).toBe('verified');
    },
  );
});

describe('F49: frame-drop-before-commit', () => {
  it('the rest of the frame faults after the state is dropped: the second frame holds INIT', async () => {
    const { oracle, choices, steps, story } = await broken('F49');
    expect([oracle, choices, steps]).toEqual(['lost-update', 7, 66]);
    expectInOrder(
      story,
      'A: sse.write',
      'A: raise',
      'A: xsave_user',
      'A: drop_init_fpu',
      'A: restore_init_xstate',
      'A: the rest of the frame',
      'A: xsave_user',
      'A: rt_sigreturn',
      'A: sse.read',
    );
  });

  it.each(['linux-2.6.32', 'linux-3.6'])('%s is found to have it, as released', async (preset) => {
    const { oracle, story } = await found({ preset, scenario: 'frame-fails', oracles: ['validity'] });
    expect(oracle).toBe('validity');
    expectInOrder(story, 'A: sse.write', 'A: xsave_user', 'A: clear_used_math', 'A: the rest of the frame');
  });
});
