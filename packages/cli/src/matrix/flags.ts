/** The flags of `fpulab matrix`. Loads nothing but the parser: --help answers at once. */
import { availableParallelism } from 'node:os';
import { type Command } from 'commander';
import { count, list } from '../arguments';

/** Flags of `fpulab matrix`. */
export interface MatrixFlags {
  readonly preset?: readonly string[];
  readonly platform?: readonly string[];
  readonly scenario?: readonly string[];
  readonly tasks?: number;
  readonly cpu?: string;
  readonly cpus?: number;
  readonly maxStates: number;
  /** Seconds per cell. */
  readonly timeout?: number;
  readonly jobs: number;
  readonly cache: boolean;
  readonly svg?: string;
  readonly markdown?: boolean;
}

/** The largest default scenario that can be exhausted within minutes has 1.12 million states. */
export const DEFAULT_MAX_STATES = 1_200_000;

const TASKS_LIMIT = 26;
const STATES_LIMIT = 500_000_000;
const SECONDS_LIMIT = 1_000_000;
const JOBS_LIMIT = 64;

const NOTES = `
Scenarios, where --scenario names none: each with two tasks that do any of its operations for ever (any-2), since that says
more than its own programs and mostly has fewer states. Three exceptions: xen-pv-leak.any-3, whose leak takes three tasks;
fork-exec-exit with its own programs, since identical tasks cannot fork; interrupts.any-2.nest-1, since interrupts that
nest freely are beyond ${DEFAULT_MAX_STATES.toLocaleString('en-US')} states.

Examples:
  fpulab matrix                                                all of it: a few minutes, the next time seconds
  fpulab matrix --svg matrix.svg                               and a picture for a mail
  fpulab matrix --preset linux-3.6 --platform xen-hvm,xen-pv --scenario xen-pv-leak,fork-exec-exit
                                                               four cells, with the scenarios' own programs
  fpulab matrix --scenario xen-pv-leak --tasks 4 --markdown    four tasks each, as a table for a web page
  fpulab matrix --scenario vcpu-preemption.any-2 --max-states 20000000 --timeout 600

Cells are kept in .fpulab/matrix, under a digest of everything that they depend on, source files included: only what has
changed is explored again. What a clock ended is not kept.

Exit codes: 0 all verified (or cannot run), 1 a violation, 2 usage, 3 something inconclusive and no violation, 130
interrupted. Ctrl-C prints what is known so far, a second one stops at once.`;

/** Declares the flags. */
export function matrixFlags(command: Command, cpusLimit: number): Command {
  return command
    .option('--preset <ids>', 'kernels, comma separated (default: all)', list)
    .option('--platform <ids>', 'platforms, comma separated (default: all)', list)
    .option('--scenario <ids>', 'scenarios, comma separated (default: all, see below)', list)
    .option('--tasks <n>', "n identical tasks that do any of a scenario's operations for ever", count(TASKS_LIMIT, 1))
    .option('--cpu <id|file>', "a CPU model, or a .cpu.json file (default: each scenario's)")
    .option('--cpus <n>', "number of CPUs (default: each scenario's)", count(cpusLimit, 1))
    .option(
      '--max-states <n>',
      'stop a search of a cell after so many states',
      count(STATES_LIMIT, 1),
      DEFAULT_MAX_STATES,
    )
    .option('--timeout <seconds>', 'stop a cell after so long', count(SECONDS_LIMIT, 1))
    .option('--jobs <n>', 'cells at a time (default: one per core)', count(JOBS_LIMIT, 1), availableParallelism())
    .option('--no-cache', 'explore every cell again, and keep none')
    .option('--svg <file>', 'draw it, too')
    .option('--markdown', 'print Markdown')
    .description('explore every kernel on every platform in every scenario')
    .addHelpText('after', NOTES);
}
