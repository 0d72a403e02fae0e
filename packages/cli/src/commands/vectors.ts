import { FpuError } from '@fpulab/core';
import type { Paint } from '@fpulab/eventlog';
import {
  Judge,
  processorOf,
  readVectorFile,
  type Failure,
  type Judgement,
  type NamedFile,
  type Tally,
  type Vector,
  type VectorFilter,
} from '@fpulab/vectors';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, normalize } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { EXIT } from '../exit-codes';
import { paintFor, print, printJson, progressLine, type GlobalOptions } from '../terminal';

/** What `fpulab vectors` was given. */
export interface VectorsOptions {
  /** All of them have to match: see `filterOf`. */
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
  const filter = filterOf(given.filter ?? []);
  const files = [...new Set(paths.flatMap(filesOf))].map(readNamed);
  const judge = new Judge(files, filter);
  if (judge.progress.total === 0) throw nothingToRun(paths, given);
  const interrupted = await runAll(judge, options);
  const judgement = judge.judgement();
  if (options.json) printJson({ schema: 'fpulab/vectors@1', ...judgement });
  else print(report({ judgement, files, filter, total: judge.progress.total, paint: paintFor(options.color) }));
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
  return interrupted && judge.progress.done < judge.progress.total;
}

/** The files that an operand names: itself, or the vector files of a directory. A file that is named twice runs once. */
function filesOf(path: string): readonly string[] {
  const found = statSync(path, { throwIfNoEntry: false });
  if (!found) throw new FpuError('FPU502', `no such file or directory: ${path}`, { file: path });
  if (!found.isDirectory()) return [normalize(path)];
  const files = readdirSync(path).filter((name) => name.endsWith('.json.gz'));
  if (files.length > 0) return files.sort().map((name) => join(path, name));
  throw new FpuError('FPU502', `no *.json.gz file in ${path}`, { file: path, hint: 'name a plain *.json file itself' });
}

function readNamed(path: string): NamedFile {
  let data: Uint8Array;
  try {
    data = readFileSync(path);
  } catch (cause) {
    throw new FpuError('FPU503', `cannot read ${path}: ${(cause as Error).message}`, { file: path }, { cause });
  }
  return { name: path, file: readVectorFile(data, path) };
}

const FILTER_KEYS = ['id', 'insn', 'cat', 'asm'] as const;
type FilterKey = (typeof FILTER_KEYS)[number];
const FILTER_HINT = `key=text with one of the keys ${FILTER_KEYS.join(', ')}, or text alone for any of them; commas separate alternatives`;

/**
 * All of the filters have to match. One is `key=text`, or `text` for any of the keys; commas separate alternatives. The text of
 * `asm` is taken whole: its operands have commas.
 */
function filterOf(filters: readonly string[]): VectorFilter {
  const tests = filters.map(filterTest);
  return (vector) => tests.every((test) => test(vector));
}

function filterTest(filter: string): VectorFilter {
  const [, named, keyed] = /^(\w+)=(.*)$/s.exec(filter) ?? [];
  const key = FILTER_KEYS.find((known) => known === named);
  if (named !== undefined && key === undefined) {
    throw new FpuError('FPU501', `--filter ${filter}: no key '${named}'`, { known: FILTER_KEYS, hint: FILTER_HINT });
  }
  const text = (keyed ?? filter).toLowerCase();
  const alternatives = (key === 'asm' ? [text] : text.split(',')).filter((part) => part !== '');
  if (alternatives.length === 0) throw new FpuError('FPU501', `--filter '${filter}' is empty`, { hint: FILTER_HINT });
  return (vector) => alternatives.some((part) => matches(vector, key ? [key] : FILTER_KEYS, part));
}

/** Instructions are compared whole (`xsave` is not `xsavec`), everything else by a part. */
function matches(vector: Vector, keys: readonly FilterKey[], part: string): boolean {
  return keys.some((key) => {
    const value = vector[key].toLowerCase();
    return key === 'insn' ? value === part : value.includes(part);
  });
}

function nothingToRun(paths: readonly string[], { filter }: VectorsOptions): FpuError {
  if (!filter) return new FpuError('FPU601', `no vectors in ${paths.join(', ')}`);
  return new FpuError('FPU504', `no vector matches --filter ${filter.join(' --filter ')}`, { hint: FILTER_HINT });
}

/** What a report is about. */
interface Told {
  readonly judgement: Judgement;
  readonly files: readonly NamedFile[];
  readonly filter: VectorFilter;
  /** Vectors that there were to run. */
  readonly total: number;
  readonly paint: Paint;
}

function report(told: Told): string {
  const { judgement, paint } = told;
  const { failures } = judgement;
  const more = failures.length - FAILURES_SHOWN;
  const sections = [
    tallyLines(judgement, paint),
    failures.slice(0, FAILURES_SHOWN).flatMap((failure) => failureLines(failure, paint)),
    more > 0 ? [`and ${more} more; --json lists them all`] : [],
    [...processorLines(told), summary(told)],
  ];
  return sections
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n');
}

function tallyLines(judgement: Judgement, paint: Paint): readonly string[] {
  const rows = Object.entries(judgement.byInstruction);
  const width = Math.max(...rows.map(([name]) => name.length), 'instruction'.length);
  const row = (name: string, ...cells: readonly string[]): string =>
    [name.padEnd(width), ...cells.map((cell) => cell.padStart(7))].join('  ');
  const count = (value: number): string => (value === 0 ? '.' : String(value));
  const tallied = (name: string, { passed, partial, failed }: Tally): string => {
    const line = row(name, count(passed), count(partial), count(failed));
    return failed > 0 ? paint.violation(line) : line;
  };
  return [
    paint.head(row('instruction', 'passed', 'partial', 'failed')),
    ...rows.map(([name, tally]) => tallied(name, tally)),
    ...(rows.length > 1 ? [tallied('all', judgement)] : []),
  ];
}

function failureLines({ id, file, asm, category, difference }: Failure, { violation, dim }: Paint): readonly string[] {
  const { component, field, byte, expected, found } = difference;
  const where = byte === undefined ? field : field === 'bytes' ? `byte ${byte}` : `${field}, byte ${byte}`;
  return [
    violation(`! ${id} (${category}) ${asm}`),
    `    ${component}: ${where}: expected ${expected}, found ${found}`,
    dim(`    fpulab vectors ${file} --filter id=${id}`),
  ];
}

/** Which CPU model the vectors of which files ran on. */
function processorLines({ files, filter }: Told): readonly string[] {
  const models = new Map<string, { vectors: number; files: number }>();
  for (const { name, file } of files) {
    const vectors = file.vectors.filter(filter).length;
    const { id } = processorOf(file, name);
    const known = models.get(id) ?? { vectors: 0, files: 0 };
    if (vectors > 0) models.set(id, { vectors: known.vectors + vectors, files: known.files + 1 });
  }
  return [...models.keys()].sort().map((id) => {
    const { vectors = 0, files: count = 0 } = models.get(id) ?? {};
    return `${plural(vectors, 'vector')} of ${plural(count, 'file')} on ${id}`;
  });
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

function summary({ judgement, total, paint }: Told): string {
  const { passed, partial, failed } = judgement;
  const left = total - judgement.total;
  const open = partial > 0 ? ' (results of data instructions are not modelled)' : '';
  const text = `${plural(judgement.total, 'vector')}: ${passed} passed, ${partial} partial${open}, ${failed} failed`;
  return (failed > 0 ? paint.violation(text) : text) + (left > 0 ? `; interrupted, ${left} not run` : '');
}
