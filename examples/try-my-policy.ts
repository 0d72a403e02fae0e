/**
 * Try a policy of your own: the contract that every policy keeps, then random schedules on two platforms.
 *
 *     npx ts-node examples/try-my-policy.ts
 */
import { ORACLES, SCENARIOS, compose, events, seededDriver } from '@fpulab/core';
import { checkPolicyContract, isSupported } from '@fpulab/core/testing';
import { bareMetal, xenPv } from '@fpulab/hypervisor';
import alwaysSwitch from './my-policy';

/** The policy relies on a save that leaves the registers alone, as FXSAVE and XSAVE do. */
const cpu = 'sandybridge';

const report = checkPolicyContract({ policies: () => [alwaysSwitch()], platform: bareMetal, cpu });
console.log(`contract: ${report.runs} runs, ${report.failures.length === 0 ? 'kept' : report.failures.join('\n')}`);

for (const platform of [bareMetal, xenPv]) {
  const found = new Set<string>();
  for (const scenario of SCENARIOS) {
    // It has no hooks for signals, tracers and what else a kernel may be asked for.
    if (!isSupported({ cpu, platform: platform(), policies: [alwaysSwitch()], scenario })) continue;
    for (let seed = 0n; seed < 20n; seed++) {
      const machine = compose({
        cpu,
        platform: platform(),
        policies: [alwaysSwitch()],
        scenario,
        choices: seededDriver(seed),
      });
      machine.on(events.OracleViolated).subscribe(({ data }) => found.add(ORACLES[data.oracle]));
      machine.run({ stepsMax: 2000 });
    }
  }
  console.log(`${platform().id}: ${[...found].join(', ') || 'clean'}`);
}
