import type { Exploration } from '@fpulab/explorer';
import { EXIT } from '../exit-codes';
import { watched } from '../explore/conduct';
import { exploreDocument, type ExploreResult } from '../explore/document';
import { dropEach } from '../explore/drop-each';
import { dropDocument, dropText } from '../explore/drop-report';
import type { ExploreFlags } from '../explore/flags';
import { foundViolation } from '../explore/found';
import { knownFailure, type KnownFailure } from '../explore/known';
import { exploreOptions, planOf, type ExplorePlan } from '../explore/plan';
import { diagramsOf, exploreText } from '../explore/report';
import { print, printJson, type GlobalOptions } from '../terminal';

export type { ExploreFlags };

/** `fpulab explore <scenario>` */
export async function explore(scenario: string, flags: ExploreFlags, options: GlobalOptions): Promise<number> {
  const plan = planOf(scenario, flags);
  if (flags.dropEach) return exploreDrops(plan, options);
  const known = flags.known && !flags.all ? knownFailure(plan, options) : undefined;
  const result = known ? knownResult(plan, known) : await exploreAll(plan, options);
  if (options.json) {
    const document = exploreDocument(result);
    printJson(flags.diagram ? { ...document, diagrams: diagramsOf(result) } : document);
  } else print(exploreText(result, flags.diagram ?? true, options));
  reportUnkept(result, options);
  return exitCodeOf(result);
}

async function exploreAll(plan: ExplorePlan, options: GlobalOptions): Promise<ExploreResult> {
  const exploration = await watched(options, (under) => under.explore(exploreOptions(plan)));
  const { all, log } = plan.flags;
  const told = all ? exploration.counterexamples : exploration.counterexamples.slice(0, 1);
  const found = told.map((one, index) => foundViolation(plan, one, { file: index === 0 ? log : undefined }));
  return { plan, exploration, found, known: false };
}

/** As if an exploration had found it at once. */
function knownResult(plan: ExplorePlan, { run, log }: KnownFailure): ExploreResult {
  const counterexample = { ...run, shortest: false };
  const found = foundViolation(plan, counterexample, { file: plan.flags.log, already: log });
  const exploration: Exploration = {
    verdict: 'violation',
    reason: null,
    counterexamples: [counterexample],
    complete: false,
    phases: [],
    stepsTaken: [],
    states: 0,
    transitions: 0,
    depth: 0,
    bytesPerState: 0,
    missProbability: null,
    sometimes: found.run.report.sometimes,
    durationMs: 0,
  };
  return { plan, exploration, found: [found], known: true };
}

/** A log that was asked for and cannot be written is an error, after everything else has been said. */
function reportUnkept({ plan, found }: ExploreResult, { quiet }: GlobalOptions): void {
  const unkept = found.find(({ log }) => log === null);
  if (unkept === undefined) return;
  if (plan.flags.log !== undefined) throw unkept.problem;
  if (!quiet) process.stderr.write(`fpulab: the log was not kept: ${(unkept.problem as Error).message}\n`);
}

function exitCodeOf({ exploration }: ExploreResult): number {
  if (exploration.phases.at(-1)?.end === 'interrupted') return EXIT.interrupted;
  switch (exploration.verdict) {
    case 'verified':
      return EXIT.ok;
    case 'violation':
      return EXIT.violation;
    case 'inconclusive':
      return EXIT.inconclusive;
  }
}

async function exploreDrops(plan: ExplorePlan, options: GlobalOptions): Promise<number> {
  const result = await watched(options, (under) => dropEach(plan, under));
  if (options.json) printJson(dropDocument(result));
  else print(dropText(result));
  return result.interrupted ? EXIT.interrupted : EXIT.ok;
}
