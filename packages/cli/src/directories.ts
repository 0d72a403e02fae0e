import { existsSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { FpuError } from '@fpulab/core';

/**
 * Makes a directory and those above it.
 *
 * Not `mkdirSync(..., { recursive: true })`: node 20 never returns from it where a file system refuses with ENOENT,
 * as /proc does.
 *
 * @throws FpuError FPU503 when that is not possible
 */
export function makeDirectory(path: string): void {
  if (existsSync(path)) return;
  const parent = dirname(path);
  if (parent !== path) makeDirectory(parent);
  try {
    mkdirSync(path);
  } catch (cause) {
    if (existsSync(path)) return;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new FpuError('FPU503', `cannot make the directory '${path}': ${reason}`, { file: path }, { cause });
  }
}
