import { join } from 'node:path';
import { FpuError, compose, scenarioOf, type OracleId } from '@fpulab/core';
import { fileSink } from '@fpulab/eventlog';
import { platformOf } from '@fpulab/hypervisor';
import { presetOf } from '@fpulab/policies';
import { conductRun } from '../conduct-run';
import { makeDirectory } from '../directories';
import { EXIT } from '../exit-codes';
import { watched } from '../explore/conduct';
import { grouped, seconds } from '../explore/numbers';
import { RunCollector, describeViolation, diagramOf, type RunReport } from '../report';
import { PASID_UPDATE, reproducePasidUpdate } from '../reproduce/pasid-update';
import { agree, prove, type Proof } from '../reproduce/proofs';
import { patchesOf } from '../request';
import { paintFor, print, printJson, type GlobalOptions } from '../terminal';
import { REPRODUCTIONS, type Reproduction, type ReproductionRun } from './reproductions';

/** One run of a reproduction, finished. */
interface Reproduced {
  readonly run: ReproductionRun;
  readonly report: RunReport;
  readonly log: string;
  readonly digest: string;
  readonly diagram: string;
  readonly painted: string;
  /** Choices up to the first violation, or to the end. */
  readonly choices: number;
  readonly proofs: readonly Proof[];
  /** Whether it ended as history says, and the proofs agree. */
  readonly asExpected: boolean;
}

/** `fpulab reproduce <id>` */
export async function reproduce(
  id: string,
  { out }: { readonly out: string },
  options: GlobalOptions,
): Promise<number> {
  if (id === PASID_UPDATE) return reproducePasidUpdate({ out }, options);
  const found = REPRODUCTIONS.find((reproduction) => reproduction.id === id);
  if (!found) {
    const known = [...REPRODUCTIONS.map((reproduction) => reproduction.id), PASID_UPDATE];
    throw new FpuError('FPU504', `nothing called '${id}' to reproduce; known: ${known.join(', ')}`, { id, known });
  }
  const directory = join(out, found.id);
  makeDirectory(directory);
  const runs: Reproduced[] = [];
  for (const run of found.runs) {
    const reproduced = await reproduceRun(found, run, directory, options);
    if (!reproduced) return EXIT.interrupted;
    runs.push(reproduced);
  }
  const asExpected = runs.every((run) => run.asExpected);
  if (options.json) printJson(jsonDocument(found, runs));
  else printText(found, runs, options);
  return asExpected ? EXIT.ok : EXIT.violation;
}

async function reproduceRun(
  { scenario: scenarioId }: Reproduction,
  run: ReproductionRun,
  directory: string,
  options: GlobalOptions,
): Promise<Reproduced | undefined> {
  const scenario = scenarioOf(scenarioId);
  const machine = compose({
    platform: platformOf(run.platform),
    policies: presetOf(run.preset).policies(),
    patches: patchesOf(run.patches),
    scenario,
  });
  const meta = { preset: run.preset, seed: null, replay: null };
  const collector = new RunCollector(machine, meta);
  const log = join(directory, `${run.id}.events.jsonl`);
  const { verdict, digest, outcome } = await conductRun(
    machine,
    { meta, sink: fileSink(log), stepsMax: scenario.stepsMax },
    options,
  );
  if (outcome === 'interrupted') return undefined;
  const proofs = await watched(options, (under) => prove(scenarioId, run, under));
  if (proofs === undefined) return undefined;
  const report = collector.report(verdict);
  const caption = { title: `${run.id}: ${run.title}`, violations: report.violations };
  return {
    run,
    report,
    log,
    digest,
    diagram: diagramOf(collector, caption),
    painted: diagramOf(collector, caption, paintFor(options.color)),
    choices: choicesTo(report.violations.at(0)?.step ?? Infinity, collector),
    proofs,
    asExpected: endsAs(run.expected, report) && agree(proofs, run.expected),
  };
}

function choicesTo(event: number, { events }: RunCollector): number {
  return events.filter(({ seq, type }) => type === 'choice.made' && seq < event).length;
}

/** A clean run must be clean; another must violate what history says, and nothing else. */
function endsAs(expected: readonly OracleId[], { verdict, violations }: RunReport): boolean {
  if (expected.length === 0) return verdict === 'clean';
  const found = new Set(violations.map((violation) => violation.id));
  return verdict === 'violation' && found.size === expected.length && expected.every((id) => found.has(id));
}

function jsonDocument({ id, scenario }: Reproduction, runs: readonly Reproduced[]) {
  return {
    schema: 'fpulab/reproduce@1',
    id,
    scenario,
    asExpected: runs.every((run) => run.asExpected),
    runs: runs.map(({ run, report, log, digest, diagram, choices, proofs, asExpected }) => ({
      id: run.id,
      title: run.title,
      verdict: report.verdict,
      expected: run.expected,
      asExpected,
      violations: report.violations,
      exposures: report.exposures,
      preset: run.preset,
      platform: run.platform,
      patches: run.patches,
      choices,
      proofs,
      counters: report.counters,
      log,
      digest,
      diagram,
    })),
  };
}

function printText({ title }: Reproduction, runs: readonly Reproduced[], options: GlobalOptions): void {
  const paint = paintFor(options.color);
  for (const { painted } of runs.filter(({ run }) => run.drawn)) print(`${painted}\n`);
  print(paint.title(title));
  for (const reproduced of runs) {
    const { run, report, log, asExpected } = reproduced;
    const verdict = report.verdict === 'clean' ? paint.tsClear('clean    ') : paint.violation('violation');
    const ids = [...new Set(report.violations.map((violation) => violation.id))].join(', ');
    print(`\n${verdict}  ${paint.head(run.id)}: ${run.title}${ids === '' ? '' : ` (${ids})`}`);
    for (const violation of report.violations) print(paint.violation(`  ! ${describeViolation(violation)}`));
    for (const line of proofLines(reproduced)) print(`  ${line}`);
    print(paint.dim(`  log: ${log}`));
    if (!asExpected) print(paint.violation(`  ! expected ${run.expected.join(' and ') || 'a clean run and proofs'}`));
  }
  const wrong = runs.filter((run) => !run.asExpected).length;
  const end =
    wrong === 0
      ? `All ${runs.length} runs end as history says, and every interleaving was explored.`
      : `${wrong} of ${runs.length} runs end otherwise than history says.`;
  print(
    `\n${end} Behind TS=1 the registers of every lazy kernel hold somebody else's data: see exposures[] with --json.`,
  );
}

/** The shortest runs to violations beside the recorded one, or what was verified. */
function proofLines({ proofs, choices }: Reproduced): readonly string[] {
  const lines = proofs.map(({ oracle, ...proof }) =>
    oracle === null
      ? `${proof.verdict} for ${proof.tasks} tasks with any programs${proof.reason === null ? '' : ` (${proof.reason})`}: ${sizeText(proof)}`
      : `shortest run to ${oracle}: ${proof.choices} choices, ${proof.steps} steps`,
  );
  const nearest = proofs.find(({ oracle }) => oracle !== null);
  if (!nearest) return lines;
  return [
    ...lines,
    `the recorded run makes ${choices} choices before its first violation; explored: ${sizeText(nearest)}`,
    ...(nearest.replay === null ? [] : [`shortest: ${nearest.replay}`]),
  ];
}

function sizeText({ states, durationMs }: Pick<Proof, 'states' | 'durationMs'>): string {
  return `${grouped(states)} states, ${seconds(durationMs)}`;
}
