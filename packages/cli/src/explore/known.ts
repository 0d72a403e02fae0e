/** Failures that were kept before are tried first: what was found once is found again at once. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { isFpuError } from '@fpulab/core';
import { readLog, type EventLog, type LogHeader } from '@fpulab/eventlog';
import { FAILURES, FAILURE_SUFFIX } from '../kept-logs';
import type { GlobalOptions } from '../terminal';
import type { ExplorePlan } from './plan';
import { firstViolation, type FoundRun } from './rerun';

/** A kept run that still violates what it did. */
export interface KnownFailure {
  readonly run: FoundRun;
  readonly log: string;
}

/** What has to be the same. */
const FITS = [
  'scenario',
  'preset',
  'policies',
  'platform',
  'patches',
  'cpu',
  'cpus',
] as const satisfies readonly (keyof LogHeader)[];

/** Steps are events too, and a run that fits has about as many of them as its log. */
const STEPS_SLACK = 1_000;

/** The shortest of the kept failures of this composition that are still ones; damaged logs are named on stderr. */
export function knownFailure(plan: ExplorePlan, options: GlobalOptions): KnownFailure | undefined {
  const found = candidates(plan).flatMap((log) => tried(plan, log, options));
  return found.sort((a, b) => a.run.choices.length - b.run.choices.length || a.run.steps - b.run.steps).at(0);
}

function candidates({ request }: ExplorePlan): readonly string[] {
  if (!existsSync(FAILURES)) return [];
  return readdirSync(FAILURES)
    .filter((name) => name.startsWith(`${request.scenario}-`) && name.endsWith(FAILURE_SUFFIX))
    .sort()
    .map((name) => join(FAILURES, name));
}

function tried(plan: ExplorePlan, file: string, options: GlobalOptions): readonly KnownFailure[] {
  const log = readKept(file, options);
  if (!log || !FITS.every((key) => JSON.stringify(log.header[key]) === JSON.stringify(plan.header[key]))) return [];
  const choices = log.events.flatMap(({ type, data }) => (type === 'choice.made' ? [data.index] : []));
  try {
    const run = firstViolation(plan, { choices, stepsMax: log.events.length + STEPS_SLACK });
    return run ? [{ run, log: file }] : [];
  } catch (error) {
    if (isFpuError(error)) return []; // the policy has changed since
    throw error;
  }
}

function readKept(file: string, { quiet }: GlobalOptions): EventLog | undefined {
  try {
    return readLog(file);
  } catch (error) {
    if (!isFpuError(error)) throw error;
    if (!quiet) process.stderr.write(`fpulab: skipped the kept failure '${file}': ${error.message}\n`);
    return undefined;
  }
}
