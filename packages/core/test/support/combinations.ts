import * as fc from 'fast-check';
import {
  SCENARIOS,
  compose,
  scenarioOf,
  seededDriver,
  type ComposeOptions,
  type Machine,
  type Scenario,
} from '@fpulab/core';
import { isSupported } from '@fpulab/core/testing';
import { PLATFORMS, platformOf } from '@fpulab/hypervisor';
import { PRESETS, presetOf } from '@fpulab/policies';

/** What a machine of the built-in parts is made of: names and a seed, which a failing property prints. */
export interface Combination {
  readonly preset: string;
  readonly platform: string;
  readonly scenario: string;
  readonly seed: bigint;
}

/** Any preset on any platform in any scenario that it can run, under random choices. */
export const combinations = (only: (scenario: Scenario) => boolean = () => true): fc.Arbitrary<Combination> =>
  fc
    .record({
      preset: fc.constantFrom(...PRESETS.map(({ id }) => id)),
      platform: fc.constantFrom(...Object.keys(PLATFORMS)),
      scenario: fc.constantFrom(...SCENARIOS.filter(only).map(({ id }) => id)),
      seed: fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
    })
    .filter(canRun);

/** Whether these parts fit together. */
export function canRun({ preset, platform, scenario }: Omit<Combination, 'seed'>): boolean {
  const policies = presetOf(preset).policies();
  return isSupported({ platform: platformOf(platform), policies, scenario: scenarioOf(scenario) });
}

/** A fresh machine of these parts. */
export function built(
  { preset, platform, scenario, seed }: Combination,
  options: Partial<ComposeOptions> = {},
): Machine {
  const found = SCENARIOS.find(({ id }) => id === scenario);
  if (!found) throw new Error(`no scenario '${scenario}'`);
  return compose({
    platform: platformOf(platform),
    policies: presetOf(preset).policies(),
    scenario: found,
    choices: seededDriver(seed),
    ...options,
  });
}
