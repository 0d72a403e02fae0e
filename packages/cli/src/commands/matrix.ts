import { dirname } from 'node:path';
import { writeFileSync } from 'node:fs';
import { FpuError } from '@fpulab/core';
import { makeDirectory } from '../directories';
import { EXIT } from '../exit-codes';
import { matrixDocument } from '../matrix/document';
import type { MatrixFlags } from '../matrix/flags';
import { matrixMarkdown } from '../matrix/markdown';
import { matrixPlan } from '../matrix/plan';
import type { MatrixResult } from '../matrix/result';
import { CellRun } from '../matrix/run-cells';
import { matrixSvg } from '../matrix/svg';
import { matrixText } from '../matrix/text';
import { paintFor, print, printJson, type GlobalOptions } from '../terminal';

export type { MatrixFlags };

/** `fpulab matrix` */
export async function matrix(flags: MatrixFlags, options: GlobalOptions): Promise<number> {
  if (options.json && flags.markdown) {
    throw new FpuError('FPU501', '--json prints one JSON document and --markdown prints Markdown; drop one');
  }
  const plan = matrixPlan(flags);
  if (flags.svg !== undefined) writeSvg(flags.svg, ''); // what cannot be written is said now, not after minutes
  const began = performance.now();
  const run = new CellRun(plan.cells, { ...flags, quiet: options.quiet });
  const cells = await run.run();
  const result = { plan, cells, interrupted: run.interrupted, durationMs: performance.now() - began };
  if (options.json) printJson(matrixDocument(result, flags.svg));
  else print(flags.markdown ? matrixMarkdown(result) : matrixText(result, paintFor(options.color)));
  if (flags.svg !== undefined) {
    writeSvg(flags.svg, matrixSvg(result));
    if (!options.quiet && !options.json) process.stderr.write(`fpulab: drawn in ${flags.svg}\n`);
  }
  return exitCodeOf(result);
}

function writeSvg(file: string, svg: string): void {
  makeDirectory(dirname(file));
  try {
    writeFileSync(file, svg, { flag: svg === '' ? 'a' : 'w' });
  } catch (cause) {
    throw new FpuError('FPU503', `cannot write '${file}': ${(cause as Error).message}`, { file }, { cause });
  }
}

function exitCodeOf({ cells, interrupted }: MatrixResult): number {
  if (interrupted) return EXIT.interrupted;
  if (cells.some(({ verdict }) => verdict === 'violation')) return EXIT.violation;
  return cells.some(({ verdict }) => verdict === 'inconclusive') ? EXIT.inconclusive : EXIT.ok;
}
