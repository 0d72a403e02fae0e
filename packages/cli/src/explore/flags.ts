/** The flags of `fpulab explore`. Loads nothing but the parser: --help answers at once. */
import { Option, type Command } from 'commander';
import { count, list } from '../arguments';

/** Flags of `fpulab explore`. */
export interface ExploreFlags {
  readonly policy?: readonly string[];
  readonly platform?: string;
  readonly patch?: readonly string[];
  readonly cpu?: string;
  readonly cpus?: number;
  readonly oracle?: readonly string[];
  readonly tasks?: number;
  readonly nesting?: number;
  readonly strategy: 'bfs' | 'dfs' | 'random';
  readonly seed?: string;
  readonly maxStates?: number;
  readonly maxDepth?: number;
  readonly timeout?: number;
  readonly maxMemory?: number;
  readonly jobs: number;
  readonly all?: boolean;
  readonly fingerprints?: boolean;
  /** The reductions: true unless switched off. */
  readonly versionFree: boolean;
  readonly choicePoints: boolean;
  readonly symmetry: boolean;
  readonly partialOrder: boolean;
  readonly abstractCounters: boolean;
  readonly deadValues: boolean;
  /** Kept failures are tried first. */
  readonly known: boolean;
  readonly log?: string;
  readonly diagram?: boolean;
  readonly dropEach?: boolean;
}

const TASKS_LIMIT = 26;
const NESTING_LIMIT = 9;
const STATES_LIMIT = 500_000_000;
const DEPTH_LIMIT = 1_000_000;
const SECONDS_LIMIT = 1_000_000;
const MEBIBYTES_LIMIT = 8_192;
const JOBS_LIMIT = 64;

const EXAMPLES = `
Examples:
  fpulab explore xen-pv-leak --platform xen-pv                  the shortest run that leaks, step by step
  fpulab explore xen-pv-leak --platform xen-pv --patch guest-fix --tasks 3
                                                                three tasks with any programs: verified
  fpulab explore interrupts --nesting 1 --all                   a run for every kind of failure
  fpulab explore migration --tasks 2 --jobs 2 --timeout 60      two threads, at most a minute
  fpulab explore preemption --strategy random --seed 7          random walks: they find, they never prove
  fpulab explore preemption --drop-each                         which steps of the policy does this need?

A failure is kept in .fpulab/failures, and tried first the next time that the same composition is explored, unless --all
or --no-known is given.

Exit codes: 0 verified (or --drop-each is done), 1 violation, 2 usage, 3 inconclusive, 130 interrupted. Ctrl-C prints what
is known so far, a second one stops at once.`;

/** Declares the flags. */
export function exploreFlags(command: Command, cpusLimit: number): Command {
  return command
    .argument('<scenario>', 'a scenario; see: fpulab list scenarios')
    .option(
      '--policy <preset|file>',
      'a preset, or .ts/.js files that export policies, comma separated (default: linux-3.6)',
      list,
    )
    .option('--platform <id>', 'a platform (default: bare-metal)')
    .option('--patch <ids|files>', 'patches, or .ts/.js files that export some, comma separated', list)
    .option('--cpu <id|file>', 'a CPU model, or a .cpu.json file of your own')
    .option('--cpus <n>', 'number of CPUs', count(cpusLimit, 1))
    .option('--oracle <ids>', 'oracles that decide the verdict, comma separated', list)
    .option('--tasks <n>', "n identical tasks that do any of the scenario's operations for ever", count(TASKS_LIMIT, 1))
    .option('--nesting <n>', 'at most n interrupts nested on one stack', count(NESTING_LIMIT))
    .addOption(
      new Option('--strategy <how>', 'bfs finds the shortest run').choices(['bfs', 'dfs', 'random']).default('bfs'),
    )
    .option('--seed <n>', 'of --strategy random')
    .option('--max-states <n>', 'stop after so many states', count(STATES_LIMIT, 1))
    .option('--max-depth <n>', 'go no further than so many choices', count(DEPTH_LIMIT, 1))
    .option('--timeout <seconds>', 'stop after so long; with --drop-each for each step (20)', count(SECONDS_LIMIT, 1))
    .option('--max-memory <MiB>', 'for states', count(MEBIBYTES_LIMIT, 1))
    .option('--jobs <n>', 'threads, of --strategy bfs', count(JOBS_LIMIT, 1), 1)
    .option('--all', 'go on for a run of every kind of violation')
    .option('--fingerprints', 'keep 64 bits of every state: less memory, and a chance to miss some')
    .option('--no-version-free', 'reduction off: values carry no version')
    .option('--no-choice-points', 'reduction off: states between two choices are not stored')
    .option('--no-symmetry', 'reduction off: interchangeable tasks and CPUs stand for each other')
    .option('--no-partial-order', 'reduction off: steps that nobody can tell come first')
    .option('--no-abstract-counters', 'reduction off: counters pass their thresholds by choice')
    .option('--no-dead-values', 'reduction off: what a hypervisor will overwrite before it reads it is forgotten')
    .option('--no-known', 'do not try kept failures first')
    .option('--log <file>', 'write the event log of the violation (.jsonl or .jsonl.gz)')
    .option('--diagram', 'draw the violation: the default where text is printed')
    .option('--no-diagram', 'do not draw it')
    .option('--drop-each', "leave out each of the policy's steps in turn, and tell which are needed")
    .description('explore every interleaving: the shortest violation, or a proof that there is none')
    .addHelpText('after', EXAMPLES);
}
