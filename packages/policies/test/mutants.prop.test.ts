/** Every mutant is found by seeded runs, by the oracle that it must be found by; the unbroken policy is not. */
import { violatedBy, firstSeedThat } from './runs';
import { MUTANTS, platformOfMutant } from './mutants';

const SEEDS_MAX = 400;

describe.each(MUTANTS.map((mutant) => [mutant.name, mutant] as const))('%s', (_, mutant) => {
  const { policy, patches, scenario, oracle } = mutant;
  const platform = platformOfMutant(mutant);

  it(`violates ${oracle} in '${scenario.id}'`, () => {
    const seed = firstSeedThat({ policy, platform, patches }, scenario, oracle, SEEDS_MAX);
    expect(seed).toBeGreaterThanOrEqual(0);
    expect(violatedBy({ policy, platform }, scenario, BigInt(seed))).toEqual([]);
  });
});
