/** Results of cells, kept in files that are named by the digests of what they depend on. */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ORACLES, isFpuError } from '@fpulab/core';
import { makeDirectory } from '../directories';
import { CELL_VERDICTS, type CellResult } from './explore-cell';

const DIRECTORY = join('.fpulab', 'matrix');
const SCHEMA = 'fpulab/matrix-cell@1';

/** The kept result; undefined when there is none, or none that is whole. */
export function keptCell(digest: string): CellResult | undefined {
  try {
    const kept = JSON.parse(readFileSync(fileOf(digest), 'utf8')) as {
      schema: unknown;
      digest: unknown;
      result: unknown;
    };
    return kept.schema === SCHEMA && kept.digest === digest && isResult(kept.result) ? kept.result : undefined;
  } catch {
    return undefined; // missing or damaged: explored again, and written again
  }
}

/**
 * Keeps a result. Nobody ever reads half of it: the file is renamed when it is whole.
 *
 * @returns why it could not be kept; undefined when it was
 */
export function keepCell(digest: string, result: CellResult): string | undefined {
  const file = fileOf(digest);
  const partial = `${file}.${process.pid}.partial`;
  try {
    makeDirectory(DIRECTORY);
    writeFileSync(partial, `${JSON.stringify({ schema: SCHEMA, digest, result }, undefined, 2)}\n`);
    renameSync(partial, file);
    return undefined;
  } catch (error) {
    if (isFpuError(error) || (error as NodeJS.ErrnoException).code !== undefined) return (error as Error).message;
    throw error;
  }
}

function fileOf(digest: string): string {
  return join(DIRECTORY, `${digest}.json`);
}

function isResult(value: unknown): value is CellResult {
  if (typeof value !== 'object' || value === null) return false;
  const { verdict, violations, complete, states, reason, durationMs, settled } = value as Partial<CellResult>;
  return (
    CELL_VERDICTS.some((known) => known === verdict) &&
    Array.isArray(violations) &&
    violations.every(isViolation) &&
    (verdict === 'violation') === violations.length > 0 &&
    typeof complete === 'boolean' &&
    Number.isSafeInteger(states) &&
    (reason === null || typeof reason === 'string') &&
    typeof durationMs === 'number' &&
    settled === true
  );
}

function isViolation(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const { id, choices, steps, replay } = value as Record<string, unknown>;
  return (
    ORACLES.some((known) => known === id) &&
    Number.isSafeInteger(choices) &&
    Number.isSafeInteger(steps) &&
    (replay === null || typeof replay === 'string')
  );
}
