/** Random small compositions: every reduction, and none, agree with a searcher that knows no reduction. */
import type { OracleId } from '@fpulab/core';
import { often } from '../../core/test/support/often';
import { ALL_REDUCTIONS, NO_REDUCTIONS, explore, type Exploration, type ExploreOptions, type Reductions } from '../src';
import { countOf, renamingsOf, shortest, spins, walk, type Graph, type Length, type Sameness } from './support/naive';
import { sampleOf, type Sample } from './support/samples';

/** Larger samples are passed over, and so are those whose machine stops with an error: some mutations cannot run. */
const STATES_MAX = 800;
const SAMPLES_PER_TEST = often(15, 35);
const MEMORY = 2 ** 22;
/** Reductions that leave runs as they are on the machine. */
const EXACT: Reductions = { ...ALL_REDUCTIONS, partialOrder: false, abstractCounters: false, deadValues: false };
const EXACT_SETS: readonly Sameness[] = [
  {},
  { choicePoints: true },
  { symmetry: true },
  { versionFree: true },
  { choicePoints: true, symmetry: true, versionFree: true },
];

interface Subject {
  readonly sample: Sample;
  readonly graph: Graph;
  /** The shortest runs that violate each oracle of the scenario. */
  readonly lengths: Readonly<Partial<Record<OracleId, Length>>>;
  /** Of those the shortest. */
  readonly nearest: Length | undefined;
  /** Reductions that can make a difference. */
  readonly matters: Readonly<Record<keyof Reductions, boolean>>;
}

function subjectOf(seed: number): Subject | undefined {
  const sample = sampleOf(seed);
  const { oracles } = sample.scenario;
  let graph: Graph | undefined;
  try {
    graph = walk(sample.compose, oracles, STATES_MAX);
  } catch {
    return undefined;
  }
  if (!graph) return undefined;
  const found = [...shortest(graph)].filter(([id]) => oracles.includes(id));
  const { plugins, settings } = graph.machine.composition;
  return {
    sample,
    graph,
    lengths: Object.fromEntries(found),
    nearest: found.map(([, length]) => length).sort((a, b) => a[0] - b[0] || a[1] - b[1])[0],
    matters: {
      versionFree: true,
      choicePoints: true,
      symmetry: renamingsOf(graph).length > 0,
      partialOrder: settings.cpus > 1,
      abstractCounters: plugins.some(({ slots }) => slots.some(({ counter }) => counter !== undefined)),
      deadValues: Object.keys(graph.machine.composition.platform.hooks).length > 0,
    },
  };
}

function exploring({ sample }: Subject, options: Partial<ExploreOptions>): Promise<Exploration> {
  return explore({ compose: sample.compose, ...options, bounds: { memoryMax: MEMORY, ...options.bounds } });
}

/** The shortest run of every oracle that was found. */
function lengthsOf({ counterexamples }: Exploration): Readonly<Partial<Record<OracleId, Length>>> {
  return Object.fromEntries(counterexamples.map(({ oracle, choices, steps }) => [oracle, [choices.length, steps]]));
}

/** The nearest violation, by all reductions, by all but one, and by none. */
async function checkNearest(subject: Subject): Promise<void> {
  const { sample, lengths, nearest, matters } = subject;
  const sets: readonly (readonly [string, Reductions])[] = [
    ['all', ALL_REDUCTIONS],
    ...Object.keys(ALL_REDUCTIONS)
      .filter((key) => matters[key as keyof Reductions])
      .map((key) => [`all but ${key}`, { ...ALL_REDUCTIONS, [key]: false }] as const),
  ];
  for (const [name, reductions] of sets) {
    const { verdict, counterexamples } = await exploring(subject, { reductions });
    const first = counterexamples.slice(0, 1).map(({ oracle, choices, steps }) => ({
      length: [choices.length, steps],
      ofItsOracle: lengths[oracle],
    }));
    expect({ sample: sample.title, name, verdict, first }).toEqual({
      sample: sample.title,
      name,
      verdict: nearest ? 'violation' : 'verified',
      first: nearest ? [{ length: nearest, ofItsOracle: nearest }] : [],
    });
  }
}

/** Every violation, and the number of states, for exact reductions alone and together. */
async function checkCounts(subject: Subject): Promise<void> {
  const { sample, lengths, graph } = subject;
  const stopsEarly = Object.keys(lengths).length === sample.scenario.oracles.length;
  const loops = spins(graph);
  for (const same of EXACT_SETS.filter(({ symmetry }) => subject.matters.symmetry || !symmetry)) {
    const expected = { title: sample.title, same, lengths, ...(stopsEarly ? {} : { states: countOf(graph, same) }) };
    const found = await exploring(subject, { all: true, reductions: { ...NO_REDUCTIONS, ...same } });
    const counts = same.choicePoints && loops ? { states: expected.states } : { states: found.states };
    expect({ title: sample.title, same, lengths: lengthsOf(found), ...(stopsEarly ? {} : counts) }).toEqual(expected);
  }
}

/** Every violation, with the reductions that invent and lengthen runs. */
async function checkProof(subject: Subject): Promise<void> {
  const found = await exploring(subject, { all: true });
  expect([subject.sample.title, lengthsOf(found)]).toEqual([subject.sample.title, subject.lengths]);
}

/** Depth-first search, fingerprints and random walks. */
async function checkStrategies(subject: Subject): Promise<void> {
  const { sample, lengths, nearest } = subject;
  const { title } = sample;
  const exact = { all: true, reductions: EXACT };
  const whole = await exploring(subject, exact);
  const depthFirst = await exploring(subject, { ...exact, strategy: 'dfs' });
  const hashed = await exploring(subject, { ...exact, fingerprints: true });
  const random = await exploring(subject, { strategy: 'random', seed: 1n, bounds: { statesMax: 1_500 } });
  const proof = await exploring(subject, { strategy: 'dfs' });
  const verdict = nearest ? 'violation' : 'verified';
  const ids = (exploration: Exploration) => exploration.counterexamples.map(({ oracle }) => oracle).sort();
  const stopsEarly = Object.keys(lengths).length === sample.scenario.oracles.length;
  const expected = { verdict, ids: Object.keys(lengths).sort(), states: whole.states };
  const summary = (one: Exploration) => ({
    verdict: one.verdict,
    ids: ids(one),
    states: stopsEarly ? whole.states : one.states,
  });
  expect([title, 'dfs', summary(depthFirst)]).toEqual([title, 'dfs', expected]);
  expect([title, 'fingerprints', summary(hashed)]).toEqual([title, 'fingerprints', expected]);
  expect([title, proof.verdict]).toEqual([title, verdict]);
  expect([title, random.verdict]).toEqual([title, ids(random).length > 0 ? 'violation' : 'inconclusive']);
  expect([title, ids(random).filter((id) => !(id in lengths))]).toEqual([title, []]);
}

const seen = { samples: 0, violating: 0, symmetric: 0, mutated: 0, forking: 0, cpus: 0, states: 0 };

function note({ sample, graph, nearest, matters }: Subject): void {
  seen.samples++;
  seen.states += graph.states.length;
  if (nearest) seen.violating++;
  if (matters.symmetry) seen.symmetric++;
  if (matters.partialOrder) seen.cpus++;
  if (graph.machine.composition.settings.patches.length > 0) seen.mutated++;
  if (sample.scenario.tasks.some(({ unborn }) => unborn)) seen.forking++;
}

describe('random compositions', () => {
  it.each([0, 1_000, 2_000, 3_000, 4_000, 5_000])('agree with the naive searcher, from seed %d on', async (first) => {
    let done = 0;
    for (let seed = first; done < SAMPLES_PER_TEST; seed++) {
      const subject = subjectOf(seed);
      if (!subject) continue;
      done++;
      note(subject);
      await checkNearest(subject);
      await checkCounts(subject);
      await checkProof(subject);
      await checkStrategies(subject);
    }
  });

  it('are of every kind', () => {
    const share = (kind: number): number => kind / seen.samples;
    expect(seen.samples).toBe(6 * SAMPLES_PER_TEST);
    expect(share(seen.violating)).toBeGreaterThan(0.12);
    expect(share(seen.symmetric)).toBeGreaterThan(0.19);
    expect(share(seen.mutated)).toBeGreaterThan(0.38);
    expect(share(seen.forking)).toBeGreaterThan(0.045);
    expect(share(seen.cpus)).toBeGreaterThan(0.07);
  });
});
