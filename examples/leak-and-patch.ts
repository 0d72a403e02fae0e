/**
 * Reproduce the Xen PV leak of 2013, then apply the guest-side fix: a patch of two insertions.
 *
 *     npx ts-node examples/leak-and-patch.ts
 */
import { ORACLES, compose, events, scenarioOf, type Patch } from '@fpulab/core';
import { xenPv } from '@fpulab/hypervisor';
import { GUEST_FIX, lazyCr0Ts } from '@fpulab/policies';

/** Ids of the deciding oracles that a run violates, in order. */
function violations(patches: readonly Patch[]): readonly string[] {
  const scenario = scenarioOf('xen-pv-leak');
  // Policies and platforms are fresh objects for every machine.
  const machine = compose({ platform: xenPv(), policies: [lazyCr0Ts({ era: 'linux-3.6' })], patches, scenario });
  const found: string[] = [];
  machine.on(events.OracleViolated).subscribe(({ data }) => {
    const id = ORACLES[data.oracle];
    if (scenario.oracles.includes(id)) found.push(id);
  });
  machine.run();
  return found;
}

console.log('without the fix:', violations([]).join(', '));
for (const edit of GUEST_FIX.edits) {
  if ('step' in edit) console.log(`patch: ${edit.edit} '${edit.step}' in ${edit.routine}`);
}
console.log('with the fix:', violations([GUEST_FIX]).join(', ') || 'clean');
