/** The flags of `fpulab museum`. Loads nothing but the parser: --help answers at once. */
import type { Command } from 'commander';

/** Flags of `fpulab museum`. */
export interface MuseumFlags {
  readonly diagram: boolean;
}

const NOTES = `
Each bug is explored twice: the kernel that has it, for the shortest run in which it shows, and the kernel with the fix,
until nothing is left to explore. First comes a table, then of every bug its story, that run, drawn and step by step, and
the lines that repeat it all. The whole museum takes some twenty seconds of one core.

Examples:
  fpulab museum                             all of them
  fpulab museum F05                         the random number generator of 5.18-rc
  fpulab museum F07 F08 F09 --no-diagram    three ways to get PKRU wrong, without pictures
  fpulab museum --json                      one JSON document
  fpulab list bugs                          what there is, unexplored

Exit codes: 0 every bug is found and every fix verified, 1 not so (it says which), 2 an unknown bug, 130 interrupted. Ctrl-C
prints what is known so far, a second one stops at once.`;

/** Declares the flags. */
export function museumFlags(command: Command): Command {
  return command
    .argument('[id...]', 'bugs by number: F05 (default: all)')
    .option('--no-diagram', 'do not draw the runs')
    .description('find historic bugs, and verify their fixes')
    .addHelpText('after', NOTES);
}
