/** Programs of another ABI, as the explorer judges them: 32-bit ones have their x87 state twice in a signal frame. */
import { compose, scenarioOf, type OracleId } from '@fpulab/core';
import { bareMetal } from '@fpulab/hypervisor';
import { inLong } from '../../core/test/support/often';
import {
  ALTSTACK_CHECKED,
  FSAVE_HEADER_STALE,
  PREEMPT_SAFE_SIGFRAME,
  PREEMPT_SAFE_UNLAZY,
  RESTORE_BH_OFF,
  RESTORE_IRQS_OFF,
  lazyCr0Ts,
} from '../src';
import { expectInOrder, found, judged, type Question } from './explored';
import { removing } from './support';

const verdict = async (question: Question) => {
  const { verdict: said, complete, states, sometimes } = await judged(question);
  const unreached = sometimes.filter(({ reached }) => !reached).map(({ id }) => id);
  return [said, complete, states, ...unreached];
};

describe('ia32-frames: the frame faults, the handler spoils it or changes its FSAVE header', () => {
  it.each([
    ['linux-4.1-eager', 2192],
    ...inLong<[string, number]>(['linux-4.1', 25970], ['linux-4.2', 25339]),
    ['linux-4.8', 1611],
    ['linux-4.14', 1558],
    ['linux-5.10', 1838],
    ['linux-6.1', 1723],
    ['rfc-2016', 2303],
    ['refresh-fpu', 1591],
  ])('%s: verified', async (preset, states) => {
    expect(await verdict({ preset, scenario: 'ia32-frames' })).toEqual(['verified', true, states]);
  });

  it.each(['linux-2.6.32', 'linux-3.6'])('%s forgets the state before the frame is complete, F49', async (preset) => {
    const { story } = await found({ preset, scenario: 'ia32-frames', oracles: ['lost-update'] });
    expectInOrder(story, 'A: clear_used_math', 'A: signal_setup_done', 'A: sys_rt_sigreturn', 'A: x87.read');
  });
});

describe('ia32-preempted: nothing faults, everything is preempted', () => {
  it.each([
    ['linux-4.8', 15577],
    ['linux-6.1', 12738],
    ...inLong<[string, number]>(['linux-4.1-eager', 13662], ['linux-5.10', 15009], ['refresh-fpu', 9056]),
  ])('%s: verified', async (preset, states) => {
    expect(await verdict({ preset, scenario: 'ia32-preempted' })).toEqual(['verified', true, states]);
  });

  it('linux-2.6.32: leaks where TS_USEDFPU and TS change apart, verified with preemption off there', async () => {
    const question = { preset: 'linux-2.6.32', scenario: 'ia32-preempted' };
    expect((await found(question)).oracle).toBe('leak');
    const patches = [PREEMPT_SAFE_SIGFRAME, PREEMPT_SAFE_UNLAZY];
    expect((await verdict({ ...question, patches })).slice(0, 2)).toEqual(['verified', true]);
  });

  it('linux-4.14: a switch between `initialized = 1` and fpu__restore() saves old registers over the new image', async () => {
    const question = { preset: 'linux-4.14', scenario: 'ia32-preempted' };
    expectInOrder(
      (await found({ ...question, oracles: ['lost-update'] })).story,
      'A: fpu__drop/initialized = 0',
      'A: sanitize_restored_xstate',
      'A: initialized = 1 again',
      'A: retint_resched',
      'A: switch_fpu_prepare/copy_fpregs_to_fpstate',
      'A: fpu__restore/copy_kernel_to_fpregs',
      'A: x87.read',
    );
    expect(await verdict({ ...question, patches: [RESTORE_BH_OFF] })).toEqual(['verified', true, 9525]);
  });

  it('linux-4.14: a hardirq there does so with bottom halves off, and not with interrupts off', async () => {
    const question = { preset: 'linux-4.14', scenario: 'ia32-frames.irqs.nest-1' };
    const story = (await found({ ...question, patches: [RESTORE_BH_OFF], oracles: ['lost-update'] })).story;
    expectInOrder(
      story,
      'A: initialized = 1 again',
      'A: copy_fpregs_to_fpstate',
      'A: copy_kernel_to_fpregs',
      'A: x87.read',
    );
    expect(await verdict({ ...question, patches: [RESTORE_IRQS_OFF] })).toEqual(['verified', true, 27778]);
  });
});

describe('a line less', () => {
  const question = (preset: string, routine: string, ...steps: readonly string[]): Question => ({
    preset,
    scenario: 'ia32-frames',
    patches: [removing('less', routine, ...steps)],
    oracles: ['lost-update'],
  });

  it('F33: save_fsave_header() makes the header of an image that is not current', async () => {
    const { oracle, story } = await found({
      preset: 'linux-6.1',
      scenario: 'ia32-frames',
      patches: [FSAVE_HEADER_STALE],
      oracles: ['lost-update'],
    });
    expect(oracle).toBe<OracleId>('lost-update');
    expectInOrder(
      story,
      'A: x87.write',
      'A: xsave_to_user_sigframe',
      'A: save_fsave_header',
      'A: convert_to_fxsr',
      'A: x87.read',
    );
  });

  it.each([
    ['linux-4.1', 'save_xstate_sig, ia32_fxstate', 'fpu_fxsave'],
    ['linux-4.8', 'copy_fpstate_to_sigframe, ia32_fxstate', 'copy_fxregs_to_kernel'],
    ['linux-4.14', 'copy_fpstate_to_sigframe, ia32_fxstate', 'copy_fxregs_to_kernel'],
  ])('%s without %s/%s: the same', async (preset, routine, step) => {
    expect((await found(question(preset, routine, step))).oracle).toBe('lost-update');
  });

  it('6.1 without convert_to_fxsr(): what the handler wrote to the FSAVE header is lost', async () => {
    const { story } = await found(question('linux-6.1', '__fpu_restore_sig, ia32_fxstate', 'convert_to_fxsr'));
    expectInOrder(story, 'A: frame.fsave', 'A: os_xrstor_safe', 'A: x87.read');
  });

  it('6.1 without TIF_NEED_FPU_LOAD: a switch saves over the image that is being filled', async () => {
    const { story } = await found({
      ...question('linux-6.1', '__fpu_restore_sig, ia32_fxstate', 'set TIF_NEED_FPU_LOAD'),
      scenario: 'ia32-preempted',
    });
    expectInOrder(story, 'A: copy_sigframe_from_user_to_xstate', 'A: save_fpregs_to_fpstate', 'A: os_xrstor_safe');
  });
});

describe('altstack: MINSIGSTKSZ bytes and AVX-512', () => {
  it.each(['linux-4.8', 'linux-4.14', 'linux-5.10'])('%s writes below the stack', async (preset) => {
    const { oracle, story } = await found({ preset, scenario: 'altstack' });
    expect(oracle).toBe('image-overrun');
    expectInOrder(story, 'A: get_sigframe', 'A: the rest of the frame');
  });

  it.each(['linux-4.1', 'linux-4.8', 'linux-5.10'])(
    '%s with altstack-checked sends SIGSEGV instead',
    async (preset) => {
      const question = { preset, scenario: 'altstack', patches: [ALTSTACK_CHECKED] };
      expect((await verdict(question)).slice(0, 2)).toEqual(['verified', true]);
    },
  );

  it.each(['linux-5.15', 'linux-6.1'])('%s sends SIGSEGV instead, 2beb4a53fc3f: verified', async (preset) => {
    expect((await verdict({ preset, scenario: 'altstack' })).slice(0, 2)).toEqual(['verified', true]);
  });

  it('without AVX-512 the frame fits, and A comes back', async () => {
    const question = { preset: 'linux-5.10', scenario: 'altstack', cpu: 'sandybridge' };
    expect((await verdict(question)).slice(0, 2)).toEqual(['verified', true]);
  });
});

describe('x32', () => {
  it.each([
    ['linux-4.8', 4823],
    ['linux-5.10', 5663],
    ['linux-6.1', 4907],
    ['refresh-fpu', 3449],
  ])('%s: the FPU part of the frame is that of 64-bit programs, verified', async (preset, states) => {
    expect(await verdict({ preset, scenario: 'x32-frames' })).toEqual(['verified', true, states]);
  });

  it('5.2 as released: F03', async () => {
    expect((await found({ preset: 'linux-5.2', scenario: 'x32-frames' })).oracle).toBe('validity');
  });

  it('2.6.32 does not know it', () => {
    const make = () =>
      compose({
        platform: bareMetal(),
        policies: [lazyCr0Ts({ era: 'linux-2.6.32' })],
        scenario: scenarioOf('x32-frames'),
      });
    expect(make).toThrow(/task A .* is a program for x32, but 'lazy-cr0-ts' knows x86-64 and ia32 alone/);
  });
});
