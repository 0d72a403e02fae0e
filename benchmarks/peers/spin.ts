/** Runs `lazy-fpu.pml` with SPIN (Debian: `apt-get install spin`) in a temporary directory. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** An instance of the model. */
export interface PeerConfig {
  readonly variant: 'NATIVE' | 'XENPV' | 'XENPV_FIXED';
  readonly cpus: 1 | 2;
  readonly tasks: 2 | 3 | 4;
  /** Operations of each task. */
  readonly operations: 1 | 2 | 3 | 4;
}

/** How SPIN searches it. */
export interface SpinOptions {
  /** A CPU's private steps with interrupts off are one transition with the step before them. */
  readonly merged?: boolean;
  /** Breadth-first finds the shortest counterexample; depth-first, SPIN's own way, is faster. */
  readonly search?: 'depth-first' | 'breadth-first';
  /** For `cc`; `-O2` when left out. Small instances are over sooner with `-O0`, compilation included. */
  readonly optimisation?: '-O0' | '-O1' | '-O2';
  /** How often the compiled checker runs; `seconds.run` is the median. */
  readonly runs?: number;
  /** Milliseconds that each program may take. */
  readonly timeout?: number;
}

/** What SPIN found, and how long it took. */
export interface SpinResult {
  /** Distinct states stored. */
  readonly states: number;
  readonly transitions: number;
  /** Transitions of the counterexample, the violating read included; undefined when there is none. */
  readonly counterexample: number | undefined;
  /** What the checker says it allocated, hash table and stack included. */
  readonly megabytes: number;
  /** Wall time. */
  readonly seconds: {
    /** `spin -a`: Promela to C. */
    readonly generate: number;
    /** `cc`: C to the checker. */
    readonly compile: number;
    /** The checker. */
    readonly run: number;
    /** All three. */
    readonly total: number;
  };
}

const MODEL = join(__dirname, 'lazy-fpu.pml');
/**
 * No partial-order reduction: `provided` rules it out, and MERGED does better by hand. At 1 CPU, 3 tasks, 4 operations
 * -O3, -march=native, other hash functions, hash compaction and a tight VECTORSZ made no difference beyond noise.
 */
const CC_FLAGS = ['-w', '-DSAFETY', '-DNOFAIR', '-DNOREDUCE'];
/** Far more than any search here needs; SPIN allocates the stack at once. */
const DEPTH_MAX = 10_000;
const TIMEOUT = 600_000;

/**
 * Generates, compiles and runs the checker.
 *
 * @returns undefined, with a message on stderr, when `spin` or `cc` is not installed
 * @throws Error when one of the programs fails, or the search is not complete
 */
export function runSpin(config: PeerConfig, options: SpinOptions = {}): SpinResult | undefined {
  const directory = mkdtempSync(join(tmpdir(), 'fpulab-spin-'));
  try {
    return runSpinIn(directory, config, options);
  } catch (error) {
    if (!(error instanceof MissingProgram)) throw error;
    console.error(`${error.message}; SPIN is left out`);
    return undefined;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function runSpinIn(directory: string, config: PeerConfig, options: SpinOptions): SpinResult {
  const { merged = false, search = 'depth-first', optimisation = '-O2', runs = 1, timeout = TIMEOUT } = options;
  const program = (command: string, args: readonly string[]) => timed(command, args, { cwd: directory, timeout });
  const { variant, cpus, tasks, operations } = config;
  const parameters = [`-DVARIANT=${variant}`, `-DCPUS=${cpus}`, `-DTASKS=${tasks}`, `-DOPS=${operations}`];
  const generated = program('spin', ['-a', ...parameters, ...(merged ? ['-DMERGED'] : []), MODEL]);
  const compiled = program('cc', [
    optimisation,
    ...CC_FLAGS,
    ...(search === 'breadth-first' ? ['-DBFS'] : []),
    '-o',
    'pan',
    'pan.c',
  ]);
  const limits = [`-m${DEPTH_MAX}`, `-w${hashBits(config, merged)}`];
  const times: number[] = [];
  let output = '';
  for (let run = 0; run < runs; run++) {
    const checked = program(join(directory, 'pan'), limits);
    times.push(checked.seconds);
    output = checked.output;
  }
  const generate = generated.seconds;
  const compile = compiled.seconds;
  const run = median(times);
  return { ...parse(output), seconds: { generate, compile, run, total: generate + compile + run } };
}

/** Bits of a hash table that fits: too small is slow for millions of states, too large for few. */
function hashBits({ cpus, tasks, operations }: PeerConfig, merged: boolean): number {
  if (tasks === 2 || (tasks === 3 && operations <= 2 && cpus === 1)) return 20;
  return merged || (tasks === 3 && operations <= 3) ? 22 : 24;
}

/** Reads what a checker prints. */
function parse(output: string): Omit<SpinResult, 'seconds'> {
  const number = (pattern: RegExp): number => Number(pattern.exec(output)?.[1] ?? NaN);
  const states = number(/([\d.e+]+) states, stored/);
  const transitions = number(/([\d.e+]+) transitions \(/) - 1; // it counts the initial state
  const megabytes = number(/([\d.e+]+)\ttotal actual memory usage/);
  const depth = number(/assertion violated .*\(at depth (\d+)\)/);
  const violated = number(/errors: (\d+)/) > 0;
  if (
    Number.isNaN(states) ||
    /max search depth too small|out of memory/.test(output) ||
    violated === Number.isNaN(depth)
  )
    throw new Error(`SPIN did not complete its search:\n${output}`);
  return { states, transitions, counterexample: violated ? depth + 1 : undefined, megabytes };
}

/** A program that is not installed. */
class MissingProgram extends Error {}

interface Timed {
  readonly seconds: number;
  readonly output: string;
}

function timed(command: string, args: readonly string[], options: { cwd: string; timeout: number }): Timed {
  const before = process.hrtime.bigint();
  const { error, status, stdout, stderr } = spawnSync(command, args, { ...options, encoding: 'utf8' });
  const seconds = Number(process.hrtime.bigint() - before) / 1e9;
  if (error && 'code' in error && error.code === 'ENOENT') throw new MissingProgram(`'${command}' is not installed`);
  if (error) throw error;
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${status}:\n${stdout}${stderr}`);
  return { seconds, output: stdout };
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
