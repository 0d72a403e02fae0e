/** The contract that every policy keeps, and what is verified of this one: npx jest examples/<folder> */
import { type Scenario } from '@fpulab/core';
import { describePolicyContract } from '@fpulab/core/testing';
import { explore } from '@fpulab/explorer';
import { bareMetal } from '@fpulab/hypervisor';
import myPolicy from './policy';

/** Scenarios in which no run violates anything, and how many states each has. */
const VERIFIED: readonly (readonly [Scenario, number])[] = [];

describePolicyContract('my policy', { policies: () => [myPolicy()], platform: bareMetal });

for (const [scenario, states] of VERIFIED) {
  it(`is verified in ${scenario.id}`, async () => {
    const found = await explore({ compose: () => ({ scenario, platform: bareMetal(), policies: [myPolicy()] }) });
    expect(found).toMatchObject({ verdict: 'verified', states });
  });
}
