/** The command line: parses, calls one function per verb, maps what happens to exit codes. */
import { Command, CommanderError, Option } from 'commander';
import { count, hexMask, list, repeated } from './arguments';
import type * as ExecuteVerb from './commands/execute';
import type * as ExploreVerb from './commands/explore';
import type * as LayoutVerb from './commands/layout';
import type * as ListVerb from './commands/list';
import type * as MatrixVerb from './commands/matrix';
import type * as MuseumVerb from './commands/museum';
import type * as ReplayVerb from './commands/replay';
import type * as ReproduceVerb from './commands/reproduce';
import type * as RunVerb from './commands/run';
import type * as SweepVerb from './commands/sweep';
import type * as VectorsVerb from './commands/vectors';
import type * as Errors from './errors';
import { EXIT } from './exit-codes';
import { exploreFlags } from './explore/flags';
import { matrixFlags } from './matrix/flags';
import { museumFlags } from './museum/flags';
import { sweepFlags } from './sweep/flags';
import type { ColorChoice, GlobalOptions } from './terminal';

/** The same as FPULAB_VERSION and CPUS_MAX, whose packages --help does not load. */
const VERSION = '0.1.0';
const CPUS_LIMIT = 8;

const EXAMPLES = `
Examples:
  fpulab reproduce xen-pv-leak                       the 2013 Xen PV leak, its fixes, and the picture
  fpulab run xen-pv-leak --platform xen-pv --diagram one run, drawn
  fpulab run interrupts --seed 7 --log run.events.jsonl
  fpulab explore xen-pv-leak --platform xen-pv       every interleaving: the shortest failure, or a proof
  fpulab matrix --svg matrix.svg                     every kernel on every platform in every scenario
  fpulab sweep --preset linux-5.2                    a kernel in every scenario, against the bugs that are known
  fpulab museum F05                                  a historic bug: its story, the shortest run, its fix verified
  fpulab replay run.events.jsonl --to 120            the machine after event 120
  fpulab replay run.events.jsonl --rerun             the policies again, compared event by event
  fpulab layout --cpu sapphire-rapids --svg map.svg  the map of an XSAVE area, to scale
  fpulab vectors testdata/vectors                    the x86 model against captured processors
  fpulab execute --cpu zen4-guest d9e8 480fae27      machine code, instruction by instruction
  fpulab list                                        what there is to combine

Exit codes: 0 done or clean, 1 violation or difference, 2 usage, 3 no verdict, 4 replay diverged, 65 bad input,
66 no such input, 70 our bug, 74 I/O, 130 interrupted.`;

const LAYOUT_EXAMPLES = `
Examples:
  fpulab layout --cpu sapphire-rapids                           the standard form of all its components
  fpulab layout --cpu sapphire-rapids --mask 0x602e7 --compacted --svg map.svg

Four things that have cost people days:
  fpulab layout --cpu skylake-x --check --size 2688             2688 or 2696 bytes? PKRU is the difference
  fpulab layout --cpu zen4 --check --against skylake-x          feature 5 is at another offset
  fpulab layout --cpu skylake-x --check --size 2568             a compacted size for a standard area
  fpulab layout --cpu sapphire-rapids --check --xcr0 0x202e7    TILECFG without TILEDATA

Exit codes: 0 legal, the same, or nothing to check; 1 illegal or different.`;

const VECTORS_EXAMPLES = `
Examples:
  fpulab vectors testdata/vectors                                    all of a directory
  fpulab vectors testdata/vectors --filter insn=xsave,xsave64        two instructions
  fpulab vectors testdata/vectors --filter xsaveopt64 --filter modified-opt
                                                                     whatever names the one, and the other
  fpulab vectors testdata/vectors --filter asm='mov cr0,rax' --json  by the text of the code
  fpulab vectors testdata/vectors/silicon-x87.json.gz --filter id=silicon-x87-0039

The file says which processor it is from, and that decides on which CPU model it runs. The format: docs/vectors.md.

Exit codes: 0 all passed or partial, 1 a vector failed, 65 a malformed file or an unknown processor, 66 no such file.`;

const EXECUTE_EXAMPLES = `
Examples:
  fpulab execute --cpu zen4-guest d9e8 480fae27                 fld1; xsave64 [rdi]
  fpulab execute d9e8 480fae37 480fae2f 480fae37                xsaveopt after xrstor: what is left alone
  fpulab execute --cpu sapphire-rapids --cpl 0 480fc72f         xsaves64 [rdi]
  fpulab execute --memory 512=0001 480fae2f                     xrstor64 of a header that is refused
  fpulab execute --set cr0=0x8005003b d9e8                      with CR0.TS: #NM
  fpulab execute --cpl 3 --set rdi=0xb000104 --json 480fae27    one JSON document

At the start FPU and XSAVE are enabled for all that the processor has, every component is INIT, EDX:EAX is all ones, and
RDI points 0x100 bytes into 16 KiB of memory at 0xb000000; the code is at 0xa000000.

Exit codes: 0 ran to its end, or to a fault, which is a result; 65 an instruction that is not modelled.`;

/** Hears the exit code of the verb that ran. */
type Report = (exitCode: number) => void;

type Action = (options: GlobalOptions) => number | Promise<number>;

/** Runs an action and turns what it returns or throws into the exit code. */
async function conduct(command: Command, report: Report, action: Action): Promise<void> {
  const options = globalOptions(command);
  try {
    report(await action(options));
  } catch (error) {
    const shown = loadErrors().showError(error, options);
    process.stderr.write(`${shown.text}\n`);
    report(shown.exitCode);
  }
}

function globalOptions(command: Command): GlobalOptions {
  const given = command.optsWithGlobals<Record<string, unknown>>();
  return {
    json: given.json === true,
    quiet: given.quiet === true,
    debug: given.debug === true,
    color: given.color === false ? 'never' : ((given.color as ColorChoice | undefined) ?? 'auto'),
  };
}

/* eslint-disable @typescript-eslint/no-require-imports -- code is loaded when it is needed: --help answers at once */
const loadErrors = () => require('./errors') as typeof Errors;
const verbs = {
  execute: () => require('./commands/execute') as typeof ExecuteVerb,
  explore: () => require('./commands/explore') as typeof ExploreVerb,
  layout: () => require('./commands/layout') as typeof LayoutVerb,
  list: () => require('./commands/list') as typeof ListVerb,
  matrix: () => require('./commands/matrix') as typeof MatrixVerb,
  museum: () => require('./commands/museum') as typeof MuseumVerb,
  replay: () => require('./commands/replay') as typeof ReplayVerb,
  reproduce: () => require('./commands/reproduce') as typeof ReproduceVerb,
  run: () => require('./commands/run') as typeof RunVerb,
  sweep: () => require('./commands/sweep') as typeof SweepVerb,
  vectors: () => require('./commands/vectors') as typeof VectorsVerb,
};
/* eslint-enable @typescript-eslint/no-require-imports */

/** A run keeps its events in memory until it has been told. */
const STEPS_LIMIT = 500_000;

function buildProgram(report: Report, complain: (text: string) => void): Command {
  const program = new Command('fpulab')
    .description('A laboratory for the code that saves and restores x86 FPU state in kernels and hypervisors.')
    .version(VERSION, '-V, --version')
    .option('--json', 'print exactly one JSON document')
    .option('-q, --quiet', 'no messages and no progress on stderr')
    .option('--debug', 'print stack traces of errors')
    .addOption(
      new Option('--color <when>', 'colour: auto, always or never')
        .choices(['auto', 'always', 'never'])
        .default('auto'),
    )
    .option('--no-color', 'the same as --color never')
    .addHelpText('after', EXAMPLES)
    .showSuggestionAfterError(true)
    .configureOutput({ writeErr: complain })
    .exitOverride();

  program
    .command('reproduce')
    .argument('<id>', 'what to reproduce: xen-pv-leak, pasid-update')
    .option('--out <directory>', 'where the event logs go', '.fpulab/reproduce')
    .description('run a historic bug and its fixes, and check that each ends as history says')
    .action((id: string, given: { out: string }, command: Command) =>
      conduct(command, report, (options) => verbs.reproduce().reproduce(id, given, options)),
    );

  program
    .command('run')
    .argument('<scenario>', 'a scenario; see: fpulab list scenarios')
    .option(
      '--policy <preset|file>',
      'a preset, or .ts/.js files that export policies, comma separated (default: linux-3.6)',
      list,
    )
    .option('--platform <id>', 'a platform (default: bare-metal)')
    .option('--patch <ids|files>', 'patches, or .ts/.js files that export some, comma separated', list)
    .option('--cpu <id|file>', 'a CPU model, or a .cpu.json file of your own')
    .option('--cpus <n>', 'number of CPUs', count(CPUS_LIMIT))
    .option('--oracle <ids>', 'oracles that decide the verdict, comma separated', list)
    .addOption(new Option('--seed <n>', 'choose at random from this seed').conflicts('choices'))
    .option('--choices <string>', 'choose as this replay string (r1...) says')
    .option('--max-steps <n>', 'stop after so many steps', count(STEPS_LIMIT))
    .option('--log <file>', 'write the event log (.jsonl or .jsonl.gz)')
    .option('--diagram', 'draw the run')
    .description('compose a machine and run one scenario')
    .action((scenario: string, given: object, command: Command) =>
      conduct(command, report, (options) => verbs.run().run(scenario, given, options)),
    );

  exploreFlags(program.command('explore'), CPUS_LIMIT).action(
    (scenario: string, given: ExploreVerb.ExploreFlags, command: Command) =>
      conduct(command, report, (options) => verbs.explore().explore(scenario, given, options)),
  );

  matrixFlags(program.command('matrix'), CPUS_LIMIT).action((given: MatrixVerb.MatrixFlags, command: Command) =>
    conduct(command, report, (options) => verbs.matrix().matrix(given, options)),
  );

  museumFlags(program.command('museum')).action((ids: string[], given: MuseumVerb.MuseumFlags, command: Command) =>
    conduct(command, report, (options) => verbs.museum().museum(ids, given, options)),
  );

  sweepFlags(program.command('sweep')).action((given: SweepVerb.SweepFlags, command: Command) =>
    conduct(command, report, (options) => verbs.sweep().sweep(given, options)),
  );

  program
    .command('replay')
    .argument('<log>', 'an event log, or a replay string (r1...)')
    .option('--to <n>', 'show the machine after event n', count(1_000_000_000))
    .option('--rerun', 'run the policies again and compare event by event')
    .option('--policy <file>', 'with --rerun or a replay string: files of the policies that are not built in', list)
    .option('--patch <file>', 'with --rerun or a replay string: files of the patches that are not built in', list)
    .option('--cpu <id|file>', 'with a replay string: the file of a CPU model that is not built in')
    .option('--oracle <ids>', 'with a replay string: oracles that decide the verdict', list)
    .option('--max-steps <n>', 'with a replay string: stop after so many steps', count(STEPS_LIMIT))
    .option('--diagram', 'draw the run')
    .description('fold a log into the state it ends in, without any policy')
    .action((log: string, given: object, command: Command) =>
      conduct(command, report, (options) => verbs.replay().replay(log, given, options)),
    );

  program
    .command('layout')
    .requiredOption('--cpu <id|file>', 'a CPU model, or a *.cpu.json file')
    .option('--mask <hex>', 'components, as bits of XCR0 | IA32_XSS (default: all that the CPU has)', hexMask)
    .option('--compacted', 'the compacted form, of XSAVEC and XSAVES, not the standard one')
    .option('--check', 'explain why --xcr0, --xss or --mask is illegal, what --size is, how --against differs')
    .option('--xcr0 <hex>', 'would XSETBV load this?', hexMask)
    .option('--xss <hex>', 'would WRMSR load this into IA32_XSS?', hexMask)
    .option('--against <id|file>', 'compare with the layout of this CPU')
    .option('--size <bytes>', 'what area has this many bytes?', count(1_000_000))
    .option('--svg [file]', 'draw it to scale, into a file or on stdout')
    .description('map an XSAVE area: offsets, sizes, gaps, and the buffer sizes that Linux computes')
    .addHelpText('after', LAYOUT_EXAMPLES)
    .action((given: LayoutVerb.LayoutFlags, command: Command) =>
      conduct(command, report, (options) => verbs.layout().layout(given, options)),
    );

  program
    .command('list')
    .argument('[kind]', 'presets, platforms, patches, scenarios, cpus, oracles, reproductions, bugs, or routines')
    .argument('[preset]', 'of routines: whose')
    .description('what there is to combine; the routines of a preset, for patches')
    .action((kind: string | undefined, preset: string | undefined, _given: object, command: Command) =>
      conduct(command, report, (options) => verbs.list().list(kind, preset, options)),
    );

  program
    .command('vectors')
    .argument('<dir-or-file...>', 'directories of *.json.gz files, or files')
    .option(
      '--filter <key=text>',
      'only vectors whose id, insn, cat or asm (or any, without a key) has the text; commas: any of; repeated: all of',
      repeated,
    )
    .description('run results captured from processors against the x86 model')
    .addHelpText('after', VECTORS_EXAMPLES)
    .action((paths: string[], given: { filter?: readonly string[] }, command: Command) =>
      conduct(command, report, (options) => verbs.vectors().vectors(paths, given, options)),
    );

  program
    .command('execute')
    .argument('<hex...>', 'machine code in hexadecimal')
    .option('--cpu <id|file>', 'a CPU model, or a *.cpu.json file', 'zen4-guest')
    .addOption(new Option('--mode <bits>', 'of the code segment; 64 where the CPU has long mode').choices(['32', '64']))
    .addOption(new Option('--cpl <level>', 'privilege level').choices(['0', '3']).default('0'))
    .option(
      '--set <register=value>',
      'rax to r15, eax to edi, rflags, cr0, cr4, efer, xcr0, xss, xfd, mxcsr or pkru; may be repeated',
      repeated,
    )
    .option('--memory <byte>', 'what memory is filled with, a5; offset=bytes, 512=0300: bytes behind RDI', repeated)
    .description('run machine code on the x86 model, and tell what each instruction does')
    .addHelpText('after', EXECUTE_EXAMPLES)
    .action((hex: string[], given: ExecuteVerb.ExecuteFlags, command: Command) =>
      conduct(command, report, (options) => verbs.execute().execute(hex, given, options)),
    );

  for (const command of program.commands) {
    command.exitOverride().showSuggestionAfterError(true).configureOutput({ writeErr: complain });
  }
  return program;
}

/** A usage error in our form: one line, or one JSON object. */
function usageError(complaint: string, json: boolean): string {
  const message = complaint.replace(/^error: /, '');
  return json ? JSON.stringify({ error: { id: 'FPU501', message } }) : `fpulab: error[FPU501]: ${message}`;
}

/**
 * Parses the arguments and runs one verb.
 *
 * @param argv as in `process.argv`: the first two are not arguments
 * @returns the exit code; 2 for usage errors, 0 for help and version
 */
export async function main(argv: readonly string[]): Promise<number> {
  let exitCode: number = EXIT.ok;
  let complaint = '';
  const program = buildProgram(
    (code) => (exitCode = code),
    (text) => (complaint += text),
  );
  if (argv.length === 2) {
    process.stderr.write(program.helpInformation() + EXAMPLES + '\n');
    return EXIT.usage;
  }
  try {
    await program.parseAsync([...argv]);
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return EXIT.ok;
    process.stderr.write(`${usageError(complaint.trim() || error.message, argv.includes('--json'))}\n`);
    return EXIT.usage;
  }
  return exitCode;
}
