/** From flags to what is explored, and how. */
import { join } from 'node:path';
import { FpuError, compose, parseSeed, type Machine } from '@fpulab/core';
import { headerOf, type LogHeader, type LogMeta } from '@fpulab/eventlog';
import { DEFAULT_BOUNDS, type Bounds, type ExploreOptions, type Reductions } from '@fpulab/explorer';
import { policiesOf } from '../request';
import { composeRequest, type CompositionRequest } from './compose-request';
import type { ExploreFlags } from './flags';

/** What is explored, and how. */
export interface ExplorePlan {
  readonly request: CompositionRequest;
  readonly flags: ExploreFlags;
  /** Of the logs of its runs. */
  readonly meta: LogMeta;
  readonly header: LogHeader;
  /** A machine of this composition. It never runs. */
  readonly machine: Machine;
  readonly reductions: Reductions;
  readonly bounds: Bounds;
  readonly seed: bigint;
}

const BYTES_PER_MEBIBYTE = 2 ** 20;
const MS_PER_SECOND = 1000;

/**
 * Checks what was asked for, and composes it once.
 *
 * @throws FpuError FPU501 for flags that exclude each other, and what `composeRequest` and `compose` throw
 */
export function planOf(scenario: string, flags: ExploreFlags): ExplorePlan {
  refuseIdleFlags(flags);
  return planFor(
    {
      scenario: variantOf(scenario, flags),
      policies: flags.policy ?? [],
      platform: flags.platform ?? 'bare-metal',
      patches: flags.patch ?? [],
      cpu: flags.cpu ?? null,
      cpus: flags.cpus ?? null,
      oracles: flags.oracle ?? null,
    },
    flags,
  );
}

/** The plan for another composition. */
export function planFor(request: CompositionRequest, flags: ExploreFlags): ExplorePlan {
  const machine = compose(composeRequest(request));
  const meta: LogMeta = { preset: policiesOf(request.policies).preset, seed: null, replay: null };
  const { versionFree, choicePoints, symmetry, partialOrder, abstractCounters, deadValues } = flags;
  return {
    request,
    flags,
    meta,
    header: headerOf(machine, meta),
    machine,
    reductions: { versionFree, choicePoints, symmetry, partialOrder, abstractCounters, deadValues },
    bounds: boundsOf(flags),
    seed: parseSeed(flags.seed ?? '0'),
  };
}

/** The plan as `explore()` takes it. */
export function exploreOptions({ request, flags, reductions, bounds, seed }: ExplorePlan): ExploreOptions {
  return {
    compose: () => composeRequest(request),
    strategy: flags.strategy,
    reductions,
    bounds,
    all: flags.all ?? false,
    fingerprints: flags.fingerprints ?? false,
    jobs: flags.jobs,
    // Workers load what was compiled, also where this file is run as TypeScript.
    workers: { module: join(__dirname, '..', '..', 'dist', 'explore', 'compose-request.js'), request },
    seed,
  };
}

function boundsOf({ maxStates, maxDepth, timeout, maxMemory }: ExploreFlags): Bounds {
  return {
    statesMax: maxStates ?? DEFAULT_BOUNDS.statesMax,
    depthMax: maxDepth ?? DEFAULT_BOUNDS.depthMax,
    timeoutMs: timeout === undefined ? DEFAULT_BOUNDS.timeoutMs : timeout * MS_PER_SECOND,
    memoryMax: maxMemory === undefined ? DEFAULT_BOUNDS.memoryMax : maxMemory * BYTES_PER_MEBIBYTE,
  };
}

/** `interrupts.nest-1` with --tasks 2: `interrupts.any-2.nest-1`. */
function variantOf(id: string, { tasks, nesting }: Pick<ExploreFlags, 'tasks' | 'nesting'>): string {
  const [, base, any, nest] = /^(.*?)(\.any-\d+)?(\.nest-\d+)?$/s.exec(id) as RegExpExecArray;
  refuseTwice(id, any, tasks === undefined ? undefined : `--tasks ${tasks}`);
  refuseTwice(id, nest, nesting === undefined ? undefined : `--nesting ${nesting}`);
  return [
    base,
    tasks === undefined ? (any ?? '') : `.any-${tasks}`,
    nesting === undefined ? (nest ?? '') : `.nest-${nesting}`,
  ].join('');
}

function refuseTwice(id: string, suffix: string | undefined, flag: string | undefined): void {
  if (suffix === undefined || flag === undefined) return;
  throw new FpuError('FPU501', `the scenario '${id}' says '${suffix}' already, and ${flag} says it again; drop one`);
}

/** Flags that would be ignored are mistakes. */
function refuseIdleFlags({ strategy, seed, jobs, dropEach, log, all, diagram, fingerprints }: ExploreFlags): void {
  const refuse = (problem: string): never => {
    throw new FpuError('FPU501', problem);
  };
  if (seed !== undefined && strategy !== 'random') refuse(`--seed is of --strategy random, not of ${strategy}`);
  if (jobs > 1 && strategy !== 'bfs') refuse(`--jobs is of --strategy bfs; ${strategy} runs in one thread`);
  if (fingerprints && strategy === 'random') refuse('--fingerprints: --strategy random keeps no states');
  if (!dropEach) return;
  const idle = Object.entries({ '--log': log, '--all': all, '--diagram': diagram }).find(([, given]) => given);
  if (idle) refuse(`${idle[0]} is for one exploration; --drop-each makes many, and names a replay string for each`);
}
