import { FpuError } from '@fpulab/core';
import {
  Judge,
  readVectorFile,
  type Failure,
  type Judgement,
  type NamedFile,
  type Tally,
  type Vector,
  type VectorFilter,
} from '@fpulab/vectors';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { EXIT } from '../exit-codes';
import { print, printJson, progressLine, type GlobalOptions } from '../terminal';

/** What `fpulab vectors` was given. */
export interface VectorsOptions {
  readonly filter?: readonly string[];
}

/** Failures that are told one by one; `--json` has all. */
const FAILURES_SHOWN = 20;
/** Vectors between two looks at Ctrl-C. */
const SLICE_VECTORS = 100;

/** `fpulab vectors <dir-or-file...>` */
export async function vectors(
  paths: readonly string[],
  given: VectorsOptions,
  options: GlobalOptions,
): Promise<number> {
  const judge = new Judge(paths.flatMap(filesOf).map(readNamed), filterOf(given.filter ?? []));
  if (judge.progress.total === 0) throw nothingToRun(paths, given);
  const interrupted = await runAll(judge, options);
  const judgement = judge.judgement();
  if (options.json) printJson({ schema: 'fpulab/vectors@1', ...judgement });
  else print(report(judgement, judge.progress.total));
  if (interrupted) return EXIT.interrupted;
  return judgement.failed > 0 ? EXIT.violation : EXIT.ok;
}

async function runAll(judge: Judge, options: GlobalOptions): Promise<boolean> {
  const progress = progressLine(options);
  let interrupted = false;
  const interrupt = (): void => {
    interrupted = true;
  };
  process.once('SIGINT', interrupt);
  while (judge.run(SLICE_VECTORS) && !interrupted) {
    await setImmediate();
    progress.update(
      () => `${judge.progress.done} of ${judge.progress.total} vectors, ${judge.judgement().failed} failed`,
    );
  }
  progress.clear();
  process.removeListener('SIGINT', interrupt);
  return interrupted;
}

/** The files that an operand names: itself, or the vector files of a directory. */
function filesOf(path: string): readonly string[] {
  const found = statSync(path, { throwIfNoEntry: false });
  if (!found) throw new FpuError('FPU502', `no such file or directory: ${path}`, { file: path });
  if (!found.isDirectory()) return [path];
  const files = readdirSync(path).filter((name) => /\.json\.gz$/.test(name));
  if (files.length > 0) return files.sort().map((name) => join(path, name));
  throw new FpuError('FPU502', `no *.json.gz file in ${path}`, { file: path, hint: 'name a plain *.json file itself' });
}

function readNamed(path: string): NamedFile {
  let data: Uint8Array;
  try {
    data = readFileSync(path);
  } catch (error) {
    throw new FpuError('FPU503', `cannot read ${path}: ${(error as Error).message}`, { file: path });
  }
  return { name: path, file: readVectorFile(data, path) };
}

const FILTER_KEYS = ['id', 'insn', 'cat', 'asm'] as const;

/** All of the filters have to match: `key=text`, or `text` in any of the keys. */
function filterOf(filters: readonly string[]): VectorFilter {
  const tests = filters.map((filter): VectorFilter => {
    const [key, ...rest] = filter.split('=');
    const keyed = FILTER_KEYS.find((known) => known === key);
    if (keyed && rest.length > 0) return (vector) => matches(vector, [keyed], rest.join('='));
    return (vector) => matches(vector, FILTER_KEYS, filter);
  });
  return (vector) => tests.every((test) => test(vector));
}

/** Instructions are compared whole (`xsave` is not `xsavec`), everything else by a part. */
function matches(vector: Vector, keys: readonly (typeof FILTER_KEYS)[number][], text: string): boolean {
  return keys.some((key) => (key === 'insn' ? vector.insn === text.toLowerCase() : vector[key].includes(text)));
}

function nothingToRun(paths: readonly string[], { filter }: VectorsOptions): FpuError {
  if (!filter) return new FpuError('FPU601', `no vectors in ${paths.join(', ')}`);
  return new FpuError('FPU504', `no vector matches --filter ${filter.join(' --filter ')}`, {
    hint: `a filter is key=text, with key ${FILTER_KEYS.join(', ')}, or text that may be in any of them`,
  });
}

function report(judgement: Judgement, total: number): string {
  const rows = Object.entries(judgement.byInstruction);
  const width = Math.max(...rows.map(([name]) => name.length), 'instruction'.length);
  const row = (name: string, passed: string, partial: string, failed: string): string =>
    `${name.padEnd(width)}  ${passed.padStart(7)}  ${partial.padStart(7)}  ${failed.padStart(7)}`;
  const count = (value: number): string => (value === 0 ? '.' : String(value));
  const tallied = (name: string, tally: Tally): string =>
    row(name, count(tally.passed), count(tally.partial), count(tally.failed));
  const { passed, partial, failed, failures } = judgement;
  const left = total - judgement.total;
  return [
    row('instruction', 'passed', 'partial', 'failed'),
    ...rows.map(([name, tally]) => tallied(name, tally)),
    tallied('all', judgement),
    ...(failures.length > 0 ? ['', ...failures.slice(0, FAILURES_SHOWN).map(failureText)] : []),
    ...(failures.length > FAILURES_SHOWN
      ? [`and ${failures.length - FAILURES_SHOWN} more; --json lists them all`]
      : []),
    '',
    `${judgement.total} vectors: ${passed} passed, ${partial} partial (results of data instructions are not modelled), ${failed} failed` +
      (left > 0 ? `; interrupted, ${left} not run` : ''),
  ].join('\n');
}

function failureText({ id, asm, category, difference }: Failure): string {
  const { component, field, byte, expected, found } = difference;
  const at = byte === undefined ? '' : `, byte ${byte}`;
  return `! ${id} (${category}) ${asm}\n    ${component}: ${field}${at}: expected ${expected}, found ${found}`;
}
