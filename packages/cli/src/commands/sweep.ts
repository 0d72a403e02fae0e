import { writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { FpuError, scenarioOf } from '@fpulab/core';
import { presetOf } from '@fpulab/policies';
import { makeDirectory } from '../directories';
import { EXIT } from '../exit-codes';
import { sweepCells } from '../sweep/cells';
import { sweepDocument, sweepText } from '../sweep/document';
import type { SweepFlags } from '../sweep/flags';
import { sweepPage } from '../sweep/page';
import { isUnexpected, sweep as explored } from '../sweep/sweep';
import { print, printJson, type GlobalOptions } from '../terminal';

export type { SweepFlags };

/**
 * `fpulab sweep`
 *
 * @throws FpuError FPU504 for an unknown id, FPU503 for a page that cannot be written
 */
export async function sweep(flags: SweepFlags, options: GlobalOptions): Promise<number> {
  flags.preset?.forEach(presetOf);
  flags.scenario?.forEach(scenarioOf);
  const result = await explored(sweepCells(flags.preset, flags.scenario), { ...flags, quiet: options.quiet });
  if (options.json) printJson(sweepDocument(result));
  else print(sweepText(result));
  if (flags.page !== undefined && !result.interrupted) writePage(flags.page, sweepPage(result));
  if (result.interrupted) return EXIT.interrupted;
  return isUnexpected(result) ? EXIT.violation : EXIT.ok;
}

function writePage(file: string, text: string): void {
  makeDirectory(dirname(file));
  try {
    writeFileSync(file, text);
  } catch (cause) {
    throw new FpuError('FPU503', `cannot write '${file}': ${(cause as Error).message}`, { file }, { cause });
  }
}
