/** The thread of September 2021 on updating one XSAVE feature: which ways are safe, and what each costs. */
import { join } from 'node:path';
import { compose, replayDriver, scenarioOf, type ComposeOptions, type OracleId, type Policy } from '@fpulab/core';
import { fileSink } from '@fpulab/eventlog';
import type { Counterexample } from '@fpulab/explorer';
import { bareMetal } from '@fpulab/hypervisor';
import { UPDATE_WAYS, loadFpuDeferral, pasid, type NamedWay } from '@fpulab/policies';
import { conductRun } from '../conduct-run';
import { makeDirectory } from '../directories';
import { EXIT } from '../exit-codes';
import { watched, type Watched } from '../explore/conduct';
import { grouped } from '../explore/numbers';
import { RunCollector, describeViolation } from '../report';
import { paintFor, print, printJson, type GlobalOptions } from '../terminal';
import { OLD_STATES, trapCost, updateCost, type OldState, type UpdateCost } from './update-cost';

/** What it is called on the command line. */
export const PASID_UPDATE = 'pasid-update';
const SCENARIO = 'enqcmd-update';
/** For the states of an exploration: some 12,500 at most. */
const MEMORY_MAX = 2 ** 27;

/** How a way fails, at its shortest: to the harm, not to the first moment at which harm is certain. */
interface Failure {
  readonly oracle: OracleId;
  readonly choices: number;
  readonly steps: number;
  readonly violation: string;
  readonly log: string;
}

/** A way, judged and measured. */
interface JudgedWay {
  readonly id: string;
  readonly title: string;
  readonly verdict: 'verified' | 'violation' | 'inconclusive';
  readonly asExpected: boolean;
  readonly states: number;
  readonly failure: Failure | null;
  /** null where the old state cannot be there. */
  readonly cost: Readonly<Record<OldState, UpdateCost | null>>;
}

/** `fpulab reproduce pasid-update` */
export async function reproducePasidUpdate({ out }: { readonly out: string }, options: GlobalOptions): Promise<number> {
  const directory = join(out, PASID_UPDATE);
  makeDirectory(directory);
  const ways = await watched(options, async (under) => {
    const judged: JudgedWay[] = [];
    for (const way of UPDATE_WAYS) {
      if (under.signal.aborted) return undefined;
      judged.push(await judge(way, under, { directory, options }));
    }
    return under.signal.aborted ? undefined : judged;
  });
  if (ways === undefined) return EXIT.interrupted;
  const asExpected = ways.every((way) => way.asExpected);
  if (options.json) {
    printJson({ schema: 'fpulab/reproduce@1', id: PASID_UPDATE, scenario: SCENARIO, asExpected, runs: [], ways });
  } else printText(ways, options);
  return asExpected ? EXIT.ok : EXIT.violation;
}

/** Linux 5.14 and 5.15, which the thread is about. */
const policiesOf = ({ way }: NamedWay): readonly Policy[] => [
  loadFpuDeferral({ era: 'linux-5.14' }),
  pasid(way === 'trap-gp' ? {} : { update: way }),
];

const composing = (way: NamedWay, oracles?: readonly OracleId[]): ComposeOptions => {
  const scenario = scenarioOf(SCENARIO);
  return {
    platform: bareMetal(),
    policies: policiesOf(way),
    scenario: oracles === undefined ? scenario : { ...scenario, oracles },
  };
};

async function judge(
  way: NamedWay,
  under: Watched,
  output: { readonly directory: string; readonly options: GlobalOptions },
): Promise<JudgedWay> {
  const { id, title, safe } = way;
  const explored = (oracles?: readonly OracleId[]) =>
    under.explore({ compose: () => composing(way, oracles), bounds: { memoryMax: MEMORY_MAX } }, `${id}: `);
  const { verdict, states, counterexamples, sometimes } = await explored();
  const reached = verdict !== 'verified' || sometimes.every((one) => one.reached);
  const harmful = scenarioOf(SCENARIO).oracles.filter((oracle) => oracle !== 'validity');
  const harm = verdict === 'violation' ? (await explored(harmful)).counterexamples : [];
  const worst = harm.at(0) ?? counterexamples.at(0);
  return {
    id,
    title,
    verdict,
    asExpected: reached && verdict === (safe ? 'verified' : 'violation'),
    states,
    failure: worst === undefined ? null : await failureOf(way, worst, output),
    cost: costsOf(way),
  };
}

/** Runs a counterexample again, with its log. */
async function failureOf(
  way: NamedWay,
  { oracle, choices, steps }: Counterexample,
  { directory, options }: { readonly directory: string; readonly options: GlobalOptions },
): Promise<Failure> {
  const machine = compose({ ...composing(way), choices: replayDriver(choices) });
  const meta = { preset: null, seed: null, replay: null };
  const collector = new RunCollector(machine, meta);
  const log = join(directory, `${way.id.replace(/\W+/g, '-')}.events.jsonl`);
  const { verdict } = await conductRun(machine, { meta, sink: fileSink(log), stepsMax: steps }, options);
  const { violations } = collector.report(verdict);
  const violation = violations.find(({ id }) => id === oracle) ?? violations[0];
  return { oracle, choices: choices.length, steps, violation: describeViolation(violation), log };
}

function costsOf(way: NamedWay): JudgedWay['cost'] {
  if (way.way === 'trap-gp') return { registers: trapCost(policiesOf(way)), memory: null, neither: null };
  const cost = (old: OldState): UpdateCost => updateCost(policiesOf(way), old);
  return { registers: cost('registers'), memory: cost('memory'), neither: cost('neither') };
}

function printText(ways: readonly JudgedWay[], options: GlobalOptions): void {
  const paint = paintFor(options.color);
  print(
    paint.title('Giving the running task one XSAVE feature (LKML, September 2021): PASID, four components enabled'),
  );
  print(
    paint.dim(
      'From the first step until the task is back in user code. XSAVES n, XRSTORS n: of n components. Stores: words.',
    ),
  );
  for (const { title, verdict, states, failure, cost, asExpected } of ways) {
    const word = verdict === 'verified' ? paint.tsClear('safe  ') : paint.violation('unsafe');
    print(`\n${word}  ${paint.head(title)} (${grouped(states)} states)`);
    for (const old of OLD_STATES) print(`  ${`${old}:`.padEnd(11)}${costText(cost[old])}`);
    if (failure) {
      print(paint.violation(`  ! ${failure.violation}`));
      print(`  shortest: ${failure.choices} choices, ${failure.steps} steps; ${paint.dim(`log: ${failure.log}`)}`);
    }
    if (!asExpected) print(paint.violation('  ! not as expected'));
  }
  const wrong = ways.filter((way) => !way.asExpected).length;
  print(
    `\n${wrong === 0 ? `All ${ways.length} ways end as expected.` : `${wrong} of ${ways.length} ways do not end as expected.`}`,
  );
}

function costText(cost: UpdateCost | null): string {
  if (cost === null) return 'cannot be: user code that traps has its registers';
  const instructions = Object.entries(cost.instructions).map(([name, times]) =>
    times === 1 ? name : `${times} ${name}`,
  );
  return [...instructions, `${cost.stores} ${cost.stores === 1 ? 'store' : 'stores'}`].join(', ');
}
