/** Bugs that a tracer shows. */
import { FPRESTORE_FIXUP, REFUSED_IMAGE_KEEPS, bugOf } from '../../src';
import { expectInOrder, found, judged } from '../explored';
import { broken, expectVerified } from './museum';

it.each([
  ['F25', 462],
  ['F32', 15, 17],
])('%s is verified with its fix', expectVerified);

describe('F25: ptrace-lazy', () => {
  it('A is saved, D writes its image, owner and last_cpu still fit: the load is skipped', async () => {
    const { oracle, choices, steps, story } = await broken('F25');
    expect([oracle, choices, steps]).toEqual(['lost-update', 16, 266]);
    expectInOrder(
      story,
      'A: ptrace_stop',
      'A: __save_init_fpu',
      'A: last_cpu = cpu',
      'D: user_regset_copyin',
      'D: ptrace_resume',
      'D: fpu_lazy_restore',
      'A: sysret',
      'A: sse.read',
    );
    const afterWrite = story.slice(story.findIndex((moment) => moment.endsWith('user_regset_copyin')));
    expect(afterWrite.join()).not.toContain('restore_fpu_checking');
  });
});

describe('F32: bogus-xcomp-bv', () => {
  const eager = { preset: 'linux-4.8', scenario: 'ptrace-headers' };
  const buggy = bugOf('F32').buggy.patches ?? [];

  it('D stores an image that XRSTOR refuses, B computes, A is switched in: it sees B’s registers', async () => {
    const { oracle, choices, steps, story } = await broken('F32');
    expect([oracle, choices, steps]).toEqual(['leak', 4, 110]);
    expectInOrder(
      story,
      'A: ptrace_stop',
      'D: ptrace(A, write-xcomp-bv xstate)',
      'D: user_regset_copyin',
      'D: ptrace_resume',
      'B: sse.write',
      'A: copy_fpstate_to_fpregs',
      'A: sysret',
    );
  });

  it('the second fix alone stops the leak, but what D wrote is lost; the first one keeps both', async () => {
    const patches = [...buggy, FPRESTORE_FIXUP];
    expect(await found({ ...eager, patches, oracles: ['lost-update'] })).toMatchObject({ oracle: 'lost-update' });
    expect(await judged({ ...eager, oracles: ['leak', 'lost-update'] })).toMatchObject({ verdict: 'verified' });
    expect(await judged({ ...eager, patches: [FPRESTORE_FIXUP] })).toMatchObject({ verdict: 'verified' });
  });

  it('with XSAVES nobody takes XCOMP_BV from a tracer', async () => {
    const compacted = { ...eager, patches: buggy, cpu: 'skylake-x' };
    expect(await judged(compacted)).toMatchObject({ verdict: 'verified' });
  });

  it('4.1 has no check either, but looks at what a restore returns: no leak', async () => {
    const before = { scenario: 'ptrace-headers', oracles: ['leak'] as const };
    expect(await judged({ ...before, preset: 'linux-4.1-eager' })).toMatchObject({ verdict: 'verified' });
    expect(await judged({ ...before, preset: 'linux-4.1' })).toMatchObject({ verdict: 'verified' });
  });
});

describe('43be46e89698: a refused image', () => {
  const refused = 'ptrace-refused';

  it.each(['linux-4.2', 'linux-4.2-eager', 'linux-4.8', 'linux-4.14', 'linux-5.10'])(
    '%s wipes what the target had',
    async (preset) => {
      const { oracle, story } = await found({ preset, scenario: refused, oracles: ['lost-update'] });
      expect(oracle).toBe('lost-update');
      expectInOrder(story, 'A: sse.write', 'A: ptrace_stop', 'D: fpstate_init on failure', 'A: sse.read');
      const patches = [REFUSED_IMAGE_KEEPS];
      expect(await judged({ preset, scenario: refused, patches })).toMatchObject({
        verdict: 'verified',
        complete: true,
      });
    },
  );

  it.each(['linux-3.6', 'linux-5.15', 'linux-6.1'])('%s does not', async (preset) => {
    expect(await judged({ preset, scenario: refused })).toMatchObject({ verdict: 'verified', complete: true });
  });
});
