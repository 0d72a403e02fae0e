/** What the explorer says of PKRU: deferral alone, deferral with eager PKRU, and the question of June 2018. */
import { compose, events, scenarioOf, type OracleId } from '@fpulab/core';
import { explore } from '@fpulab/explorer';
import { bareMetal } from '@fpulab/hypervisor';
import { SOMETHING_WRITES_PKRU, loadFpuDeferral, presetOf, type DeferralEra } from '../../src';
import { expectInOrder, found, judged } from '../explored';

describe.each(['linux-5.10', 'linux-6.1'])('%s with eager PKRU', (preset) => {
  it.each([
    ['protection-keys', preset === 'linux-5.10' ? 28101 : 26827],
    ['pkru-deferred', preset === 'linux-5.10' ? 11395 : 9855],
    ['pkru-switch', preset === 'linux-5.10' ? 5216 : 5204],
    ['io-worker', 2619],
  ])('%s is verified', async (scenario, states) => {
    const result = await judged({ preset, scenario });
    expect([result.verdict, result.complete, result.states]).toEqual(['verified', true, states]);
    expect(result.sometimes.filter(({ reached }) => !reached)).toEqual([]);
  });
});

describe('deferral without it', () => {
  const alone = (era: DeferralEra, oracle: OracleId) =>
    explore({
      compose: () => ({
        platform: bareMetal(),
        policies: [loadFpuDeferral({ era })],
        scenario: { ...scenarioOf('protection-keys'), oracles: [oracle] },
      }),
    });

  it('5.2: the kernel accesses the memory of a task under the PKRU of the one that ran before', async () => {
    const { verdict, counterexamples } = await alone('linux-5.2', 'pkru-mismatch');
    expect([verdict, counterexamples[0].oracle]).toEqual(['violation', 'pkru-mismatch']);
  });

  it('5.2: but user code never sees a wrong one: it is loaded with the rest', async () => {
    const { verdict } = await alone('linux-5.2', 'lost-update');
    expect(verdict).toBe('verified');
  });

  it.each(['linux-5.14', 'linux-6.1'] as const)(
    '%s does not load PKRU, and nobody else does: it is lost',
    async (era) => {
      const { verdict, counterexamples } = await alone(era, 'lost-update');
      expect([verdict, counterexamples[0].oracle]).toEqual(['violation', 'lost-update']);
    },
  );
});

describe('eager kernels, 4.6 to 5.1', () => {
  it.each(['linux-4.8', 'linux-4.14'])('%s: a task’s PKRU comes with its registers', async (preset) => {
    expect((await judged({ preset, scenario: 'pkru-switch' })).verdict).toBe('verified');
  });

  it.each(['linux-4.8', 'linux-4.14'])('%s: a kernel thread has the PKRU of whoever ran before', async (preset) => {
    const { oracle, story } = await found({ preset, scenario: 'protection-keys', oracles: ['pkru-mismatch'] });
    expect(oracle).toBe('pkru-mismatch');
    expectInOrder(story, 'kworker: tsk->mm = mm', 'kworker: access user memory');
  });
});

describe('kernel_fpu_begin(); something(); kernel_fpu_end(); copy_from_user()', () => {
  const question = (preset: string) => ({ preset, scenario: 'kernel-fpu-pkru' });
  const broken = (preset: string) => ({ ...question(preset), patches: [SOMETHING_WRITES_PKRU] });

  it.each(['linux-4.8', 'linux-5.10', 'linux-6.1'])(
    '%s: nobody messes with PKRU, and nothing is wrong',
    async (preset) => expect((await judged(question(preset))).verdict).toBe('verified'),
  );

  it.each(['linux-4.8', 'linux-4.14'])(
    '%s: kernel_fpu_end() restores PKRU, whatever something() did',
    async (preset) => {
      expect((await judged(broken(preset))).verdict).toBe('verified');
    },
  );

  it.each(['linux-5.10', 'linux-6.1'])('%s: copy_from_user() sees what something() left', async (preset) => {
    const { oracle, story } = await found({ ...broken(preset), oracles: ['pkru-mismatch'] });
    expect(oracle).toBe('pkru-mismatch');
    expectInOrder(
      story,
      'A: pkru.write',
      'A: kernel_fpu_begin',
      'A: something(): wrpkru(0)',
      'A: kernel_fpu_end',
      'A: access user memory',
    );
  });

  it('5.10: the task itself has its PKRU back when it returns', async () => {
    expect((await judged({ ...broken('linux-5.10'), oracles: ['lost-update'] })).verdict).toBe('verified');
  });

  it.each(['linux-6.1'])('%s: nothing ever writes it again, and the task has lost it', async (preset) => {
    const { oracle } = await found({ ...broken(preset), oracles: ['lost-update'] });
    expect(oracle).toBe('lost-update');
  });

  it('the watch names the step that changed PKRU inside the section', () => {
    const machine = compose({
      platform: bareMetal(),
      policies: presetOf('linux-6.1').policies(),
      patches: [SOMETHING_WRITES_PKRU],
      scenario: scenarioOf('kernel-fpu-pkru'),
    });
    const culprits = new Set<string>();
    machine.on(events.KernelPkruChanged).subscribe(({ data }) => culprits.add(machine.stepLabels[data.at]));
    machine.run();
    expect([...culprits]).toEqual(['kernel-fpu-section/something(): wrpkru(0)']);
  });
});
