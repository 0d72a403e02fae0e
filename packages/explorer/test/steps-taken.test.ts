/** Which steps of kernel code an exploration has taken: all that can be, when it was exhausted. */
import { compose, events, scenarioOf, seededDriver, type Scenario } from '@fpulab/core';
import { bareMetal } from '@fpulab/hypervisor';
import { lazyCr0Ts } from '@fpulab/policies';
import { NO_REDUCTIONS, explore, type ExploreOptions } from '../src';

const SCENARIO: Scenario = { ...scenarioOf('frame-fails'), oracles: ['atomic-sleep'] };
const composed = () => ({
  platform: bareMetal(),
  policies: [lazyCr0Ts({ era: 'linux-4.2' })] as const,
  scenario: SCENARIO,
});

async function taken(options: Partial<ExploreOptions> = {}): Promise<readonly string[]> {
  const { complete, stepsTaken } = await explore({
    compose: composed,
    bounds: { memoryMax: 2 ** 26, statesMax: 100_000 },
    ...options,
  });
  expect(complete).toBe(options.strategy !== 'random');
  return stepsTaken;
}

/** Labels of the steps of runs with these seeds. */
function takenInRuns(seeds: number): ReadonlySet<string> {
  const labels = new Set<string>();
  for (let seed = 0; seed < seeds; seed++) {
    const machine = compose({ ...composed(), choices: seededDriver(BigInt(seed)) });
    machine.on(events.KernelStepped).subscribe(({ data: { at } }) => {
      if (machine.stepPath(at).length > 0) labels.add(machine.stepLabels[at]);
    });
    machine.run();
  }
  return labels;
}

it('are those of all runs, and with abstract counters more', async () => {
  const explored = await taken({ reductions: { abstractCounters: false } });
  expect([...takenInRuns(100)].sort()).toEqual([...explored].sort());
  expect(await taken({ reductions: { ...NO_REDUCTIONS, versionFree: true } })).toEqual(explored);
  expect(await taken()).toEqual(expect.arrayContaining([...explored, 'switch_fpu_prepare/fpu_want_lazy_restore']));
  expect(explored).toContain('handle_signal/fpu__clear');
  expect(explored.some((label) => label.startsWith('kernel_fpu_begin/'))).toBe(false);
});

it('of random walks are those that were met', async () => {
  const walked = await taken({ strategy: 'random', bounds: { memoryMax: 2 ** 26, statesMax: 40 } });
  const explored = await taken();
  expect(walked.length).toBeGreaterThan(0);
  expect(walked.length).toBeLessThan(explored.length);
  expect(explored).toEqual(expect.arrayContaining([...walked]));
});
