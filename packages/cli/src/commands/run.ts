import {
  FpuError,
  compose,
  parseSeed,
  scenarioOf,
  scriptDriver,
  seededDriver,
  type ChoiceDriver,
  type CpuModel,
  type Machine,
} from '@fpulab/core';
import { decodeReplay, memorySink, type LogMeta, type Replay } from '@fpulab/eventlog';
import { platformOf } from '@fpulab/hypervisor';
import { conductRun, type RunSummary } from '../conduct-run';
import { EXIT } from '../exit-codes';
import { keepFailure, openLog } from '../kept-logs';
import { replayOf, type ReplayLine } from '../replay-line';
import { RunCollector, describeViolation, diagramOf, runTitle, type RunReport } from '../report';
import { loadCpu } from '../cpu-argument';
import { builtInCpu, patchesOf, policiesOf, withOracles } from '../request';
import { paintFor, print, printJson, type GlobalOptions } from '../terminal';

/** Flags of `fpulab run`. */
export interface RunFlags {
  readonly policy?: readonly string[];
  readonly platform?: string;
  readonly patch?: readonly string[];
  /** Files that have patches which a replay string names. */
  readonly patchFiles?: readonly string[];
  readonly cpu?: string;
  readonly cpus?: number;
  readonly oracle?: readonly string[];
  readonly seed?: string;
  readonly choices?: string;
  readonly maxSteps?: number;
  readonly log?: string;
  readonly diagram?: boolean;
}

/** A run, ready to start. */
interface PreparedRun {
  readonly machine: Machine;
  readonly meta: LogMeta;
  readonly stepsMax: number;
}

/** `fpulab run <scenario>` */
export async function run(scenarioId: string, flags: RunFlags, options: GlobalOptions): Promise<number> {
  const prepared = prepare(scenarioId, flags);
  const { machine, meta } = prepared;
  const collector = new RunCollector(machine, meta);
  const log = flags.log;
  const memory = memorySink();
  const sink = log === undefined ? memory : openLog(log);
  const summary = await conductRun(machine, { meta, sink, stepsMax: prepared.stepsMax }, options);
  const report = collector.report(summary.verdict);
  const kept =
    log ?? (summary.verdict === 'violation' ? keepFailure(memory.text(), `${scenarioId}-${summary.digest}`) : null);
  const cutShort = summary.outcome === 'step-limit' || summary.outcome === 'interrupted';
  const replay = replayOf(machine, collector, {
    ...flags,
    patch: flags.patch ?? flags.patchFiles,
    maxSteps: cutShort ? summary.steps : undefined,
  });
  const document = runDocument(prepared, { summary, report, log: kept, replay });
  if (options.json) printJson(flags.diagram ? { ...document, diagram: drawn(collector, report) } : document);
  else {
    if (flags.diagram) print(`${drawn(collector, report, options)}\n`);
    print(runText(prepared, runTitle(collector.header), { summary, report, log: kept, replay }));
  }
  if (summary.outcome === 'interrupted') return EXIT.interrupted;
  if (report.verdict === null) return EXIT.inconclusive;
  return report.verdict === 'violation' ? EXIT.violation : EXIT.ok;
}

// --- preparing -----------------------------------------------------------------------------------------------------

function prepare(scenarioId: string, flags: RunFlags): PreparedRun {
  const replay = flags.choices === undefined ? undefined : decodeReplay(flags.choices);
  const scenario = withOracles(scenarioOf(scenarioId), flags.oracle);
  const seed = flags.seed === undefined ? null : parseSeed(flags.seed);
  const policies = policiesOf(flags.policy ?? (replay ? [replay.preset] : []));
  const cpu = requestedCpu(flags.cpu, replay) ?? scenario.cpu;
  const unpatched = () => ({
    cpu,
    cpus: flags.cpus ?? replay?.cpus ?? scenario.cpus,
    platform: platformOf(flags.platform ?? replay?.platform ?? 'bare-metal'),
    policies: policies.policies(),
    scenario,
  });
  const machine = compose({
    ...unpatched(),
    patches: patchesOf(flags.patch ?? replay?.patches ?? [], unpatched, flags.patchFiles),
    choices: driverOf(seed, replay) ?? scriptDriver(scenario.schedule),
  });
  refuseOtherScenario(scenarioId, replay);
  const meta = { preset: policies.preset, seed: seed ?? replay?.seed ?? null, replay: flags.choices ?? null };
  return { machine, meta, stepsMax: flags.maxSteps ?? scenario.stepsMax };
}

/** The CPU model that `--cpu` names; else the one of the replay string, which must be built in then. */
function requestedCpu(name: string | undefined, replay: Replay | undefined): CpuModel | undefined {
  if (name !== undefined) return loadCpu(name);
  return replay && builtInCpu(replay.cpu);
}

function driverOf(seed: bigint | null, replay: Replay | undefined): ChoiceDriver | undefined {
  return seed === null ? replay?.driver : seededDriver(seed);
}

function refuseOtherScenario(scenario: string, replay: Replay | undefined): void {
  if (!replay || replay.scenario === scenario) return;
  throw new FpuError('FPU501', `the replay string is of the scenario '${replay.scenario}', not '${scenario}'`, {
    hint: `fpulab run ${replay.scenario} --choices ..., or fpulab replay '<string>'`,
  });
}

// --- reporting -----------------------------------------------------------------------------------------------------

interface FinishedRun {
  readonly summary: RunSummary;
  readonly report: RunReport;
  readonly log: string | null;
  readonly replay: ReplayLine | null;
}

function runDocument({ machine, meta }: PreparedRun, { summary, report, log, replay }: FinishedRun) {
  const { base, modifiers, platform, settings } = machine.composition;
  return {
    schema: 'fpulab/run@1',
    verdict: report.verdict,
    outcome: summary.outcome,
    violations: report.violations,
    exposures: report.exposures,
    policies: [base, ...modifiers].map((policy) => policy.id),
    preset: meta.preset,
    platform: platform.id,
    patches: settings.patches.map((patch) => patch.id),
    cpu: settings.cpu.id,
    cpus: settings.cpus,
    scenario: settings.scenario.id,
    seed: meta.seed === null ? null : `0x${meta.seed.toString(16)}`,
    events: summary.events,
    steps: summary.steps,
    digest: summary.digest,
    replay: replay?.text ?? null,
    log,
    counters: report.counters,
    sometimes: report.sometimes,
  };
}

function drawn(collector: RunCollector, { violations }: RunReport, options?: GlobalOptions): string {
  const title = runTitle(collector.header);
  return diagramOf(collector, { title, violations }, options && paintFor(options.color));
}

function runText({ meta }: PreparedRun, title: string, { summary, report, log, replay }: FinishedRun): string {
  const { counters } = report;
  const lines = [
    `${report.verdict ?? 'no verdict'}  ${title}`,
    ...report.violations.map((violation) => `  ! ${describeViolation(violation)}`),
    ...report.exposures.map((violation) => `    ${describeViolation(violation)}`),
    ...report.sometimes.filter(({ reached }) => !reached).map(({ text }) => `  not reached: ${text}`),
    `  ${summary.outcome} after ${summary.steps} steps, ${summary.events} events; state ${summary.digest}`,
    `  ${counters.saves} saves, ${counters.restores} restores (${counters.restoresSkipped} skipped), ${counters.traps} traps, ${counters.cr0Writes} CR0 writes`,
  ];
  if (meta.seed !== null) lines.push(`  seed 0x${meta.seed.toString(16)}`);
  if (log !== null) lines.push(`  log: ${log}`);
  if (replay !== null) lines.push(`  replay: ${replay.command}`);
  return lines.join('\n');
}

/** Runs what a replay string says, as `fpulab run` would. */
export async function runReplayString(
  text: string,
  { patch, ...flags }: Pick<RunFlags, 'policy' | 'cpu' | 'patch' | 'oracle' | 'maxSteps' | 'diagram'>,
  options: GlobalOptions,
): Promise<number> {
  const { scenario, cpu: recorded } = decodeReplay(text);
  if (flags.cpu !== undefined) refuseOtherCpu(flags.cpu, recorded);
  return run(scenario, { ...flags, patchFiles: patch, choices: text }, options);
}

/** A replay string knows its CPU model by id alone: at least that must be the same. */
function refuseOtherCpu(name: string, recorded: string): void {
  const { id } = loadCpu(name);
  if (id === recorded) return;
  throw new FpuError('FPU501', `the replay string is of the CPU model '${recorded}', but --cpu names '${id}'`, {
    hint: `to run the same choices on another processor: fpulab run <scenario> --choices '<string>' --cpu ${name}`,
  });
}
