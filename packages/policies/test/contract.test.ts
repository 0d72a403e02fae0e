import { routine, step, type BasePolicy } from '@fpulab/core';
import { checkPolicyContract, describePolicyContract } from '@fpulab/core/testing';
import { PLATFORMS } from '@fpulab/hypervisor';
import { PRESETS, lazyCr0Ts, presetOf } from '../src';

const platforms = Object.entries(PLATFORMS);

for (const preset of PRESETS) {
  for (const [id, platform] of platforms) {
    describePolicyContract(`${preset.id} on ${id}`, { policies: preset.policies, platform });
  }
}
for (const [id, platform] of platforms) {
  describePolicyContract(`linux-4.8 with eagerfpu=off on ${id}`, {
    policies: () => [lazyCr0Ts({ era: 'linux-4.8' })],
    platform,
  });
}

/** Saves at every other switch only, and counts the switches in a closure. */
function forgetful(): BasePolicy {
  const [policy] = presetOf('linux-3.6').policies();
  let switches = 0;
  const hidden = routine('count_switches', [
    step('every other switch', (k) => {
      if (++switches % 2 === 0) k.save(k.fpstateOf(k.task));
    }),
  ]);
  return {
    ...policy,
    routines: [...policy.routines, hidden],
    hooks: { ...policy.hooks, 'switch-out': 'count_switches' },
  };
}

describe('checkPolicyContract', () => {
  it('fails a policy with state in a closure, and says where its log differs', () => {
    const report = checkPolicyContract({ policies: () => [forgetful()], platform: PLATFORMS['bare-metal'] });
    expect(report.failures.length).toBeGreaterThan(0);
    expect(report.failures[0]).toMatch(/^scenario .*, seed \d+: event \d+ was .* is there state outside the slots\?$/);
  });

  it('passes the same policy without the hidden state, and has tried all scenarios', () => {
    const report = checkPolicyContract({ policies: presetOf('linux-3.6').policies, platform: PLATFORMS['bare-metal'] });
    expect(report.failures).toEqual([]);
    expect(report.events).toBeGreaterThan(10_000);
  });
});

