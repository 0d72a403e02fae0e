/** Fully eager Xen under an HVM guest: all of a vCPU's components are switched with it, PKRU among them. */
import { scenarioOf, type Patch, type Scenario } from '@fpulab/core';
import { explore } from '@fpulab/explorer';
import { presetOf } from '@fpulab/policies';
import { platformOf, xenHvm } from '../../src';

/** The physical CPU is taken away wherever that can be. */
const taken = (id: string): Scenario => {
  const scenario = scenarioOf(id);
  return { ...scenario, interference: { ...scenario.interference, preempt: 'user', vcpu: true } };
};

const judged = (preset: string, scenario: Scenario, patches: readonly Patch[] = []) =>
  explore({
    compose: () => ({ platform: xenHvm({ fpu: 'eager' }), policies: presetOf(preset).policies(), patches, scenario }),
    bounds: { memoryMax: 2 ** 27, statesMax: 100_000 },
  });

const NOT_LOADED: Patch = {
  id: 'not-loaded',
  title: 'the vCPU runs again with what another one has left',
  source: 'hypothetical',
  edits: [{ edit: 'remove', routine: 'xen.context_switch', step: 'vcpu_restore_fpu_nonlazy' }],
};

it('shows protection keys to its guests, lazy Xen does not', () => {
  expect(platformOf('xen-hvm-eager').hides).not.toContain('pku');
  expect(platformOf('xen-hvm').hides).toContain('pku');
});

it.each([
  ['linux-3.6', 'exit-to-user'],
  ['linux-6.1', 'pkru-switch'],
])('%s in %s is verified, whenever its CPU is taken away', async (preset, id) => {
  expect(await judged(preset, taken(id))).toMatchObject({ verdict: 'verified', complete: true });
});

it('a vCPU that is not loaded again shows what another one had, PKRU too', async () => {
  const onlyPkru: Scenario = { ...taken('pkru-switch'), oracles: ['pkru-mismatch'] };
  expect(await judged('linux-6.1', onlyPkru, [NOT_LOADED])).toMatchObject({ verdict: 'violation' });
  expect(await judged('linux-3.6', taken('exit-to-user'), [NOT_LOADED])).toMatchObject({ verdict: 'violation' });
});

it('#NM of the guest is the guest’s: Xen hears nothing of it', () => {
  expect(Object.keys(xenHvm({ fpu: 'eager' }).hooks)).toEqual(['halt', 'vcpu-preempted']);
});
