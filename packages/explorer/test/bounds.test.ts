import { scenarioOf, type Scenario } from '@fpulab/core';
import { bareMetal, xenPv } from '@fpulab/hypervisor';
import { lazyCr0Ts } from '@fpulab/policies';
import { DEFAULT_BOUNDS, explore, type Bounds, type Exploration, type ExploreOptions } from '../src';

const EXACT = { partialOrder: false, abstractCounters: false };

function exploring(
  scenario: Scenario,
  bounds: Partial<Bounds>,
  options: Partial<ExploreOptions> = {},
): Promise<Exploration> {
  return explore({
    compose: () => ({ platform: bareMetal(), policies: [lazyCr0Ts({ era: 'linux-3.6' })], scenario }),
    reductions: EXACT,
    ...options,
    bounds: { memoryMax: 2 ** 26, ...bounds },
  });
}

const SMALL: Scenario = { ...scenarioOf('xen-pv-leak'), schedule: {} };
/** Far more states than these tests let it have. */
const LARGE = scenarioOf('preemption.any-3');

it('FPU501 for memory that nobody has', async () => {
  for (const memoryMax of [-1, Infinity, 2 ** 52]) {
    await expect(exploring(SMALL, { memoryMax })).rejects.toMatchObject({ code: 'FPU501', detail: { memoryMax } });
  }
});

describe('a search that stops early is inconclusive', () => {
  it('at a number of states, exactly', async () => {
    for (const statesMax of [1, 2, 100, 1000]) {
      const { verdict, reason, complete, states, phases } = await exploring(LARGE, { statesMax });
      expect([verdict, reason, complete, states, phases[0].end]).toEqual([
        'inconclusive',
        `stopped at ${statesMax} states`,
        false,
        statesMax,
        'states',
      ]);
    }
  });

  it('not when it needs just as many as it may have', async () => {
    const { verdict, states } = await exploring(SMALL, {});
    expect(verdict).toBe('verified');
    expect((await exploring(SMALL, { statesMax: states })).verdict).toBe('verified');
    const less = await exploring(SMALL, { statesMax: states - 1 });
    expect([less.verdict, less.states]).toEqual(['inconclusive', states - 1]);
  });

  it('at a depth', async () => {
    const whole = await exploring(SMALL, {});
    const { verdict, reason, depth, states, phases } = await exploring(SMALL, { depthMax: 5 });
    expect([verdict, reason, depth, phases[0].end]).toEqual([
      'inconclusive',
      'stopped at a depth of 5 choices',
      5,
      'depth',
    ]);
    expect(states).toBeLessThan(whole.states);
    expect((await exploring(SMALL, { depthMax: whole.depth + 1 })).verdict).toBe('verified');
  });

  it('after a time', async () => {
    const { verdict, reason, phases } = await exploring(LARGE, { timeoutMs: 100 });
    expect([verdict, reason, phases[0].end]).toEqual(['inconclusive', 'stopped after 0.1 s', 'timeout']);
  });

  it('when memory is used up, with the states that it had until then', async () => {
    const { verdict, reason, states, bytesPerState, phases } = await exploring(LARGE, { memoryMax: 2 ** 20 });
    expect([verdict, reason, phases[0].end]).toEqual([
      'inconclusive',
      `out of memory: states took ${2 ** 20} bytes`,
      'memory',
    ]);
    expect(states).toBeGreaterThan(100);
    expect(bytesPerState).toBeGreaterThan(0);
  });

  it.each(['bfs', 'dfs'] as const)('also when there is no memory for the first state: %s', async (strategy) => {
    for (const memoryMax of [0, 1, 100, 500]) {
      const { verdict, reason, states, phases } = await exploring(LARGE, { memoryMax }, { strategy });
      expect([verdict, reason, states]).toEqual(['inconclusive', `out of memory: states took ${memoryMax} bytes`, 0]);
      expect(phases.map(({ end }) => end)).toEqual(['memory']);
    }
  });

  it('when somebody asks it to', async () => {
    const stop = new AbortController();
    stop.abort();
    const { verdict, reason } = await exploring(LARGE, {}, { signal: stop.signal });
    expect([verdict, reason]).toEqual(['inconclusive', 'interrupted']);
  });

  it('depth-first too', async () => {
    const states = await exploring(LARGE, { statesMax: 50 }, { strategy: 'dfs' });
    const depth = await exploring(SMALL, { depthMax: 5 }, { strategy: 'dfs' });
    expect([states.verdict, states.states, depth.verdict, depth.depth]).toEqual([
      'inconclusive',
      50,
      'inconclusive',
      5,
    ]);
  });

  it('and random walks never prove', async () => {
    const { verdict, complete, phases } = await exploring(SMALL, { statesMax: 3000 }, { strategy: 'random' });
    expect([verdict, complete, phases[0].kind, phases[0].end]).toEqual(['inconclusive', false, 'random', 'states']);
  });

  it('and say how many they were', async () => {
    const all = await exploring(SMALL, { depthMax: 3 }, { strategy: 'random' });
    expect([all.verdict, all.depth, all.phases[0].end, all.reason]).toEqual([
      'inconclusive',
      3,
      'walks',
      'no violation on any walk; 10000 random walks of at most 3 choices and 20000 steps',
    ]);
    const stopped = await exploring(SMALL, { statesMax: 100 }, { strategy: 'random' });
    expect(stopped.reason).toMatch(/^stopped at 100 states; \d random walks? of at most 2000 choices and 20000 steps$/);
  });

  it('but a proof that has found something leaves time for its run', async () => {
    const scenario = scenarioOf('interrupts.any-2');
    const { verdict, counterexamples, phases } = await explore({
      compose: () => ({ platform: xenPv(), policies: [lazyCr0Ts({ era: 'linux-3.6' })], scenario }),
      bounds: { timeoutMs: 6_000, memoryMax: 2 ** 28 },
      all: true,
    });
    expect([verdict, counterexamples[0].oracle]).toEqual(['violation', 'unexpected-fault']);
    expect([phases[0].kind, phases[0].end, phases[1].kind]).toEqual(['proof', 'timeout', 'exact']);
  });
});

it('tells how it goes on, and goes on between its slices', async () => {
  const seen: number[] = [];
  await exploring(LARGE, { timeoutMs: 300 }, { onProgress: ({ states }) => seen.push(states) });
  expect(seen.length).toBeGreaterThan(1);
  expect(seen).toEqual([...seen].sort((a, b) => a - b));
});

it('fingerprints say how likely a miss is; whole states cannot be missed', async () => {
  const whole = await exploring(SMALL, {});
  const hashed = await exploring(SMALL, {}, { fingerprints: true });
  expect([whole.missProbability, hashed.verdict, hashed.states]).toEqual([null, 'verified', whole.states]);
  expect(hashed.missProbability).toBeCloseTo(whole.states ** 2 / 2 ** 65, 20);
  expect(hashed.bytesPerState).toBeLessThan(whole.bytesPerState);
});

it('defaults', () => {
  expect(DEFAULT_BOUNDS).toEqual({
    statesMax: 50_000_000,
    depthMax: Infinity,
    timeoutMs: Infinity,
    memoryMax: 3 * 2 ** 30,
  });
});
