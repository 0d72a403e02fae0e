/** Several worker threads find what one finds. They run in a process of their own, on the built packages. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Interference, OracleId } from '@fpulab/core';
import type { ExploreOptions } from '../src';

interface Request {
  readonly tasks: number;
  readonly cpus: number;
  readonly interference: Interference;
  readonly oracles: readonly OracleId[];
  /** Routine and step. */
  readonly removed: readonly (readonly [string, string])[];
  readonly peek?: { readonly routine: string; readonly before: string; readonly above: number };
}

interface Outcome {
  readonly verdict: string;
  readonly states: number;
  readonly transitions: number;
  readonly depth: number;
  readonly counterexamples: readonly { readonly choices: readonly number[]; readonly steps: number }[];
  readonly ends: readonly string[];
}

async function outcomeOf(request: Request, jobs: number, options: Partial<ExploreOptions> = {}): Promise<Outcome> {
  const script = join(__dirname, 'support', 'explore-request.cjs');
  const argument = JSON.stringify({ request, jobs, bounds: { memoryMax: 2 ** 26 }, ...options });
  const { stdout } = await promisify(execFile)(process.execPath, [script, argument]);
  return JSON.parse(stdout) as Outcome;
}

it('a counterexample behind buckets that workers share', async () => {
  const request: Request = {
    tasks: 3,
    cpus: 1,
    interference: { hardirq: true, preempt: 'full', nesting: 1 },
    oracles: ['lost-update'],
    removed: [['kernel_fpu_begin', 'owner = NULL']],
  };
  const alone = await outcomeOf(request, 1);
  expect([alone.verdict, alone.states, alone.depth]).toEqual(['violation', 33_503, 36]);
  expect(alone.counterexamples.map(({ choices, steps }) => [choices.length, steps])).toEqual([[35, 171]]);
  expect(await outcomeOf(request, 2)).toEqual(alone);
  expect(await outcomeOf(request, 3)).toEqual(alone);
});

it('a look at another CPU that only workers come to see ends the proof', async () => {
  const request: Request = {
    tasks: 3,
    cpus: 2,
    interference: { preempt: 'user', migration: true },
    oracles: ['leak'],
    removed: [],
    peek: { routine: 'switch_fpu_prepare', before: 'last_cpu = cpu', above: 2 },
  };
  const { ends } = await outcomeOf(request, 2, {
    reductions: { abstractCounters: false },
    bounds: { memoryMax: 2 ** 26, statesMax: 50_000 },
  });
  expect(ends).toEqual(['foreign-slots', 'states']);
});
