/** Flags of `fpulab sweep`. */
import { availableParallelism } from 'node:os';
import type { Command } from 'commander';
import { count, list } from '../arguments';

/** What the user asked for. */
export interface SweepFlags {
  readonly preset?: readonly string[];
  readonly scenario?: readonly string[];
  readonly maxStates: number;
  readonly jobs: number;
  readonly cache: boolean;
  readonly page?: string;
}

const DEFAULT_MAX_STATES = 300_000;
const STATES_LIMIT = 500_000_000;
const JOBS_LIMIT = 64;

const NOTES = `
Every preset in every scenario that it supports, on machines of one and two CPUs, with two and three tasks. Tasks that a scenario
lacks are bystanders, which use the FPU for ever (.with-3); scenarios of loops are explored for all programs (.any-2). With two
CPUs tasks move. Each cell is explored without interrupts first, and with them (.irqs.nest-1) where that can be small enough.

--max-states is for one CPU and two tasks. Larger machines have more states and are verified less often for the same effort: one
CPU with three tasks gets a third, two CPUs with two tasks get a tenth, with three a twentieth.

A violation is expected where the preset lists a bug that is known to show in the scenario, and the same kernel without its
known bugs violates nothing. Everything else is unexpected, as is a bug that shows nowhere, not even with 50 times the states.
--page writes it all down as tables.

Examples:
  fpulab sweep --preset linux-5.2 --scenario signal-fault,fork-irq
  fpulab sweep --page docs/verified.md                              an hour or so

Exit codes: 0 nothing unexpected, 1 something is, 2 usage, 130 interrupted.`;

/** Declares the flags. */
export function sweepFlags(command: Command): Command {
  return command
    .option('--preset <ids>', 'kernels, comma separated (default: all)', list)
    .option('--scenario <ids>', 'scenarios of the catalogue, comma separated (default: all but endless)', list)
    .option(
      '--max-states <n>',
      'stop a search for one CPU and two tasks after so many states; for more of them sooner',
      count(STATES_LIMIT, 1),
      DEFAULT_MAX_STATES,
    )
    .option('--jobs <n>', 'cells at a time (default: one per core)', count(JOBS_LIMIT, 1), availableParallelism())
    .option('--no-cache', 'explore every cell again, and keep none')
    .option('--page <file>', 'write the result as a page of Markdown, too')
    .description('explore every kernel in every scenario, and compare with the bugs that are known')
    .addHelpText('after', NOTES);
}
