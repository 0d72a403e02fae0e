/** The thread of September 2021 on updating one XSAVE feature: which ways are safe, and what each costs. */
import { join } from 'node:path';
import { scenarioOf, type OracleId } from '@fpulab/core';
import type { Paint } from '@fpulab/eventlog';
import type { Counterexample } from '@fpulab/explorer';
import { UPDATE_WAYS, type ClientId, type NamedWay } from '@fpulab/policies';
import { makeDirectory } from '../directories';
import { EXIT } from '../exit-codes';
import { planAll } from '../explore-all';
import type { CompositionRequest } from '../explore/compose-request';
import { watched, type Watched } from '../explore/conduct';
import { foundViolation } from '../explore/found';
import { grouped } from '../explore/numbers';
import { exploreOptions, type ExplorePlan } from '../explore/plan';
import { describeViolation } from '../report';
import { paintFor, print, printJson, type GlobalOptions } from '../terminal';
import { OLD_STATES, trapCost, updateCost, type OldState, type UpdateCost } from './update-cost';

/** What it is called on the command line. */
export const PASID_UPDATE = 'pasid-update';

/** As it is listed. */
export const PASID_UPDATE_TITLED = {
  id: PASID_UPDATE,
  title:
    'ways to update one XSAVE feature of the current task (linux-kernel 2021): which are safe, and what each costs',
};
/** For the states of an exploration: some 23,500 at most. */
const MEBIBYTES = 128;

/** How a way fails, at its shortest: to the harm, not to the first moment at which harm is certain. */
interface Failure {
  readonly oracle: OracleId;
  readonly choices: number;
  readonly steps: number;
  readonly violation: string;
  readonly log: string;
  /** The command that repeats it. */
  readonly replay: string;
}

/** A way, judged and measured. */
interface JudgedWay {
  readonly id: string;
  readonly client: ClientId;
  readonly title: string;
  readonly preset: string;
  readonly scenario: string;
  readonly patch: string | null;
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
      judged.push(await judge(way, under, directory));
    }
    return under.signal.aborted ? undefined : judged;
  });
  if (ways === undefined) return EXIT.interrupted;
  const asExpected = ways.every((way) => way.asExpected);
  if (options.json) {
    const [{ scenario }] = ways;
    printJson({ schema: 'fpulab/reproduce@1', id: PASID_UPDATE, scenario, asExpected, runs: [], ways });
  } else printText(ways, options);
  return asExpected ? EXIT.ok : EXIT.violation;
}

const requestOf = ({ preset, scenario, patch }: NamedWay, oracles: readonly OracleId[] | null): CompositionRequest => ({
  scenario,
  policies: [preset],
  platform: 'bare-metal',
  patches: patch === null ? [] : [patch.id],
  cpu: null,
  cpus: null,
  oracles,
});

/** Of several ways to fail the first is enough. */
const planOf = (way: NamedWay, oracles: readonly OracleId[] | null): ExplorePlan =>
  planAll(requestOf(way, oracles), {
    all: false,
    maxMemory: MEBIBYTES,
    ...(oracles === null ? {} : { oracle: [...oracles] }),
  });

async function judge(way: NamedWay, under: Watched, directory: string): Promise<JudgedWay> {
  const { id, client, title, preset, scenario, patch, safe } = way;
  const explored = async (plan: ExplorePlan) => ({
    plan,
    ...(await under.explore(exploreOptions(plan), `${client}, ${id}: `)),
  });
  const all = await explored(planOf(way, null));
  const { verdict, states, sometimes } = all;
  const reached = verdict !== 'verified' || sometimes.every((one) => one.reached);
  const harmful = scenarioOf(scenario).oracles.filter((oracle) => oracle !== 'validity');
  const harm = verdict === 'violation' ? await explored(planOf(way, harmful)) : all;
  const worst = harm.counterexamples.length > 0 ? harm : all;
  const [counterexample] = worst.counterexamples;
  return {
    id,
    client,
    title,
    preset,
    scenario,
    patch: patch?.id ?? null,
    verdict,
    asExpected: reached && verdict === (safe ? 'verified' : 'violation'),
    states,
    failure: verdict === 'violation' ? failureOf(way, worst.plan, counterexample, directory) : null,
    cost: costsOf(way),
  };
}

/** Runs a counterexample again, with its log. */
function failureOf(way: NamedWay, plan: ExplorePlan, counterexample: Counterexample, directory: string): Failure {
  const file = join(directory, `${way.client}-${way.id.replace(/[^a-z0-9]+/g, '-')}.events.jsonl`);
  const found = foundViolation(plan, { ...counterexample, shortest: true }, { file });
  const { run, choices, steps, replay } = found;
  if (found.log === null) throw found.problem;
  return {
    oracle: counterexample.oracle,
    choices,
    steps,
    violation: describeViolation(run.violation),
    log: file,
    replay: replay?.command ?? `fpulab replay ${file}`,
  };
}

function costsOf(way: NamedWay): JudgedWay['cost'] {
  const request = requestOf(way, null);
  if (way.id === 'trap-gp') return { registers: trapCost(request), memory: null, neither: null };
  const cost = (old: OldState): UpdateCost => updateCost(request, way.client, old);
  return { registers: cost('registers'), memory: cost('memory'), neither: cost('neither') };
}

const HEADINGS: Readonly<Record<ClientId, string>> = {
  pasid: 'Giving the running task one XSAVE feature (LKML, September 2021): PASID, four components enabled',
  pkru: 'The same for PKRU, of which a new protection key changes a part: INIT is 0, and programs start with another one',
};

function printText(ways: readonly JudgedWay[], options: GlobalOptions): void {
  const paint = paintFor(options.color);
  let heading = '';
  for (const way of ways) {
    if (HEADINGS[way.client] !== heading) {
      print(paint.title(`${heading === '' ? '' : '\n\n'}${(heading = HEADINGS[way.client])}`));
      print(paint.dim(`On ${way.preset}, in ${way.scenario}; as patches on it. ${COSTS}`));
    }
    printWay(way, paint);
  }
  const wrong = ways.filter((way) => !way.asExpected).length;
  print(
    `\n${wrong === 0 ? `All ${ways.length} ways end as expected.` : `${wrong} of ${ways.length} ways do not end as expected.`}`,
  );
}

const COSTS =
  'Costs: from the first step until the task is back in user code. XSAVES n, XRSTORS n: of n components. Stores: words.';

function printWay({ title, verdict, states, failure, cost, asExpected, patch }: JudgedWay, paint: Paint): void {
  const word = verdict === 'verified' ? paint.tsClear('safe  ') : paint.violation('unsafe');
  print(`\n${word}  ${paint.head(title)} (${grouped(states)} states)`);
  if (patch !== null) print(paint.dim(`  --patch ${patch}`));
  for (const old of OLD_STATES) print(`  ${`${old}:`.padEnd(11)}${costText(cost[old])}`);
  if (failure) {
    print(paint.violation(`  ! ${failure.violation}`));
    print(`  shortest: ${failure.choices} choices, ${failure.steps} steps; ${paint.dim(`log: ${failure.log}`)}`);
    print(paint.dim(`  replay: ${failure.replay}`));
  }
  if (!asExpected) print(paint.violation('  ! not as expected'));
}

function costText(cost: UpdateCost | null): string {
  if (cost === null) return 'cannot be: user code that traps has its registers';
  const instructions = Object.entries(cost.instructions).map(([name, times]) =>
    times === 1 ? name : `${times} ${name}`,
  );
  return [...instructions, `${cost.stores} ${cost.stores === 1 ? 'store' : 'stores'}`].join(', ');
}
