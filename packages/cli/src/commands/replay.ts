import {
  FpuError,
  compose,
  isFpuError,
  parseCpuModel,
  scenarioOf,
  type Machine,
  type MachineEvent,
} from '@fpulab/core';
import {
  describeState,
  firstDifference,
  logDriver,
  readLog,
  replayLog,
  stateLines,
  violationsOf,
  type EventLog,
} from '@fpulab/eventlog';
import { platformOf } from '@fpulab/hypervisor';
import { EXIT } from '../exit-codes';
import { describeViolation, diagramOf, runTitle } from '../report';
import { patchesOf, policiesOf, withOracles } from '../request';
import { paintFor, print, printJson, type GlobalOptions } from '../terminal';
import { runReplayString } from './run';

/** Flags of `fpulab replay`. */
export interface ReplayFlags {
  readonly to?: number;
  readonly rerun?: boolean;
  readonly policy?: readonly string[];
  readonly cpu?: string;
  readonly patch?: readonly string[];
  readonly diagram?: boolean;
  readonly oracle?: readonly string[];
  readonly maxSteps?: number;
}

/** `fpulab replay <log>`, or a replay string. */
export async function replay(source: string, flags: ReplayFlags, options: GlobalOptions): Promise<number> {
  if (/^r\d+\./.test(source)) return runReplayString(source, flags, options);
  if (flags.rerun && flags.to !== undefined) {
    throw new FpuError('FPU501', '--to shows a fold up to an event, --rerun repeats the whole run; give one of them');
  }
  if (flags.cpu !== undefined) {
    throw new FpuError('FPU501', '--cpu goes with a replay string; a log holds its CPU model');
  }
  const log = readLog(source);
  return flags.rerun ? rerun(source, log, flags, options) : fold(source, log, flags, options);
}

// --- fold ----------------------------------------------------------------------------------------------------------

function fold(file: string, log: EventLog, { to, diagram }: ReplayFlags, options: GlobalOptions): number {
  const result = replayLog(log, to === undefined ? {} : { to });
  const { violations, exposures } = violationsOf(log.events.slice(0, result.applied), log.header);
  const state = describeState(result.state, log.header);
  const picture = diagram ? { title: runTitle(log.header), violations } : undefined;
  if (options.json) {
    printJson({
      schema: 'fpulab/replay@1',
      log: file,
      scenario: log.header.scenario,
      verdict: result.verdict,
      outcome: result.complete ? log.footer.outcome : null,
      complete: result.complete,
      events: result.applied,
      digest: result.digest,
      violations,
      exposures,
      state,
      ...(picture ? { diagram: diagramOf(log, picture) } : {}),
    });
  } else {
    if (picture) print(`${diagramOf(log, picture, paintFor(options.color))}\n`);
    print(
      [
        `${result.verdict ?? 'no verdict'}  ${runTitle(log.header)}`,
        ...violations.map((violation) => `  ! ${describeViolation(violation)}`),
        `  ${result.complete ? `${log.footer.outcome}: all` : 'the first'} ${result.applied} events; state ${result.digest}`,
        ...stateLines(state).map((line) => `  ${line}`),
      ].join('\n'),
    );
  }
  if (result.verdict === 'violation') return EXIT.violation;
  return result.complete && result.verdict === null ? EXIT.inconclusive : EXIT.ok;
}

// --- rerun ---------------------------------------------------------------------------------------------------------

/** Runs the policies again under the log's choices. Ends at the first event that differs. */
function rerun(file: string, log: EventLog, flags: ReplayFlags, options: GlobalOptions): number {
  const machine = machineOf(log, flags);
  const found: MachineEvent[] = [];
  machine.events$.subscribe((event) => found.push(event));
  const problem = runAlong(machine, log);
  const difference = firstDifference(log.events, found);
  const sameState = difference === undefined && problem === undefined && machine.digest() === log.footer.digest;
  const replayed = replayLog(log);
  if (options.json) {
    printJson({
      schema: 'fpulab/replay@1',
      log: file,
      scenario: log.header.scenario,
      rerun: sameState ? 'same' : 'diverged',
      difference: difference ?? null,
      problem: problem ?? null,
      verdict: sameState ? replayed.verdict : null,
      events: found.length,
      digest: machine.digest(),
    });
  } else if (sameState)
    print(
      `same  ${runTitle(log.header)}\n  ${found.length} events and the final state are as recorded; verdict ${String(replayed.verdict)}`,
    );
  else print(`diverged  ${runTitle(log.header)}\n${divergence(difference, problem)}`);
  if (!sameState) return EXIT.diverged;
  return replayed.verdict === 'violation' ? EXIT.violation : EXIT.ok;
}

function machineOf({ header, events }: EventLog, flags: ReplayFlags): Machine {
  if (header.preset === null && flags.policy === undefined) {
    throw new FpuError('FPU501', `the log was made with the policies ${header.policies.join(', ')} from files`, {
      hint: 'name the files: fpulab replay <log> --rerun --policy <file>',
    });
  }
  const { policies } = policiesOf(flags.policy ?? [header.preset ?? '']);
  const unpatched = () => ({
    cpu: parseCpuModel(header.cpu, 'the CPU model of the log'),
    cpus: header.cpus,
    platform: platformOf(header.platform),
    policies: policies(),
    scenario: withOracles(scenarioOf(header.scenario), header.oracles),
  });
  return compose({
    ...unpatched(),
    patches: patchesOf(header.patches, unpatched, flags.patch),
    choices: logDriver(events),
  });
}

/** Steps until as many events happened as were recorded. Returns why a choice no longer fitted, if one did not. */
function runAlong(machine: Machine, { events, footer }: EventLog): string | undefined {
  try {
    machine.boot();
    while (machine.eventCount < events.length && machine.step());
    if ((footer.outcome === 'finished' || footer.outcome === 'halted') && machine.step())
      return 'the recorded run had ended here, this one goes on';
  } catch (error) {
    if (isFpuError(error) && error.code === 'FPU302') return error.message;
    throw error;
  }
  return undefined;
}

function divergence(difference: ReturnType<typeof firstDifference>, problem: string | undefined): string {
  const lines: string[] = [];
  if (difference) {
    lines.push(`  first different event: ${difference.at}`);
    lines.push(`    recorded: ${JSON.stringify(difference.expected ?? 'none')}`);
    lines.push(`    now:      ${JSON.stringify(difference.found ?? 'none')}`);
  }
  if (problem !== undefined) lines.push(`  ${problem}`);
  return lines.length > 0 ? lines.join('\n') : '  the events are the same, but not the final state';
}
