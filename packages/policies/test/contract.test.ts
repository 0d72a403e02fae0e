import { SCENARIOS, scenarioOf, step, type BasePolicy } from '@fpulab/core';
import { checkPolicyContract, describePolicyContract, isSupported } from '@fpulab/core/testing';
import { PLATFORMS } from '@fpulab/hypervisor';
import { PRESETS, lazyCr0Ts, presetOf } from '../src';
import { often } from '../../core/test/support/often';
import { slotOf } from './support';

const platforms = Object.entries(PLATFORMS);
/** What differs under a hypervisor; all scenarios are tried on bare metal. */
const HYPERVISED = ['xen-pv-leak', 'interrupts', 'fork-exec-exit', 'vcpu-preemption'].map(scenarioOf);
const seeds = often(1, 4);

for (const preset of PRESETS) {
  for (const [id, platform] of platforms) {
    const scenarios = (id === 'bare-metal' ? SCENARIOS : HYPERVISED).filter((scenario) =>
      isSupported({ policies: preset.policies(), platform: platform(), scenario }),
    );
    describePolicyContract(`${preset.id} on ${id}`, { policies: preset.policies, platform, scenarios, seeds });
  }
}
const withoutEager = (): readonly BasePolicy[] => [lazyCr0Ts({ era: 'linux-4.8' })];
describePolicyContract('linux-4.8 with eagerfpu=off on bare metal', {
  policies: withoutEager,
  platform: PLATFORMS['bare-metal'],
  seeds,
  scenarios: SCENARIOS.filter((scenario) =>
    isSupported({ policies: withoutEager(), platform: PLATFORMS['bare-metal'](), scenario }),
  ),
});

/** Linux 3.6, but fpu_counter comes from a count of all switches that is kept in a closure. */
function forgetful(): BasePolicy {
  const [policy] = presetOf('linux-3.6').policies();
  const counter = slotOf(policy, 'fpu_counter');
  let switches = 0;
  const hidden = step('count all switches', (k) => k.write(counter, k.task, ++switches % 8));
  const routines = policy.routines.map((routine) =>
    routine.name === 'switch_fpu_prepare' ? { ...routine, body: [hidden, ...routine.body] } : routine,
  );
  return { ...policy, routines };
}

describe('checkPolicyContract', () => {
  it('fails a policy with state in a closure, and says where its log differs', () => {
    const report = checkPolicyContract({
      policies: () => [forgetful()],
      platform: PLATFORMS['bare-metal'],
      scenarios: [scenarioOf('migration')],
    });
    expect(report.failures.length).toBeGreaterThan(0);
    expect(report.failures[0]).toMatch(/^scenario .*, seed \d+: event \d+ was .* is there state outside the slots\?$/);
  });

  it('counts what it tried: each seed of each scenario twice', () => {
    const report = checkPolicyContract({
      policies: presetOf('linux-3.6').policies,
      platform: PLATFORMS['bare-metal'],
      scenarios: [scenarioOf('interrupts')],
    });
    expect(report).toMatchObject({ runs: 8, failures: [] });
    expect(report.events).toBeGreaterThan(1_000);
  });
});
