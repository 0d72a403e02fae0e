/** A run that an exploration found, once more on a live machine: with its events, its log, and who chose what. */
import {
  ACTION,
  ACTION_BITS,
  CHOICE,
  CHOICE_KINDS,
  ORACLES,
  assert,
  compose,
  replayDriver,
  type ChoiceDriver,
  type ChoiceKind,
  type Machine,
  type OracleId,
} from '@fpulab/core';
import { memorySink, recordLog, type Violation } from '@fpulab/eventlog';
import { RunCollector, type RunReport } from '../report';
import { composeRequest } from './compose-request';
import type { ExplorePlan } from './plan';

/** A run to repeat. */
export interface FoundRun {
  readonly oracle: OracleId;
  /** Index of the alternative that each choice takes. */
  readonly choices: readonly number[];
  readonly steps: number;
}

/** A choice, as it was answered. */
export interface TakenChoice {
  readonly kind: ChoiceKind;
  readonly enabled: readonly string[];
  readonly taken: string;
  /** The CPU that acts next, where that was the question; else undefined. */
  readonly cpu: number | undefined;
  /** It just goes on. */
  readonly continues: boolean;
}

/** An atomic step: its events, and the choices that were asked for in it. */
export interface RunStep {
  readonly from: number;
  readonly to: number;
  readonly choices: readonly TakenChoice[];
}

/** Everything about a run that can be told. */
export interface Rerun {
  readonly machine: Machine;
  readonly collector: RunCollector;
  readonly report: RunReport;
  readonly steps: readonly RunStep[];
  /** The violation that it ends in. */
  readonly violation: Violation;
  readonly digest: string;
  /** The text of its event log. */
  readonly log: string;
}

/** Repeats a run. It must end in the violation that was found. */
export function rerun({ request, meta }: ExplorePlan, found: FoundRun): Rerun {
  const driver = listeningDriver(found.choices);
  const machine = compose({ ...composeRequest(request), choices: driver });
  const collector = new RunCollector(machine, meta);
  const sink = memorySink();
  const recorder = recordLog(machine, meta, sink);
  machine.boot();
  const steps: RunStep[] = [];
  while (steps.length < found.steps) {
    const from = machine.eventCount;
    const went = machine.step();
    assert(went, `the run to '${found.oracle}' ends after ${steps.length} of ${found.steps} steps`);
    steps.push({ from, to: machine.eventCount, choices: driver.take() });
  }
  const { digest, verdict } = recorder.finish({ outcome: 'step-limit' });
  const report = collector.report(verdict);
  const { from } = steps[steps.length - 1];
  const violation = report.violations.find(({ id, step }) => id === found.oracle && step >= from);
  assert(violation, `the run to '${found.oracle}' does not end in it on a live machine`);
  return { machine, collector, report, steps, violation, digest, log: sink.text() };
}

/**
 * Repeats a run as far as it goes, up to the first violation that decides.
 *
 * @throws FpuError FPU302 when the choices do not fit the machine
 */
export function firstViolation(
  { request }: ExplorePlan,
  { choices, stepsMax }: { readonly choices: readonly number[]; readonly stepsMax: number },
): FoundRun | undefined {
  const driver = replayDriver(choices);
  const machine = compose({ ...composeRequest(request), choices: driver });
  const { oracles } = machine.composition.settings.scenario;
  let oracle: OracleId | undefined;
  machine.events$.subscribe(({ type, data }) => {
    if (type === 'oracle.violated' && oracles.includes(ORACLES[data.oracle])) oracle ??= ORACLES[data.oracle];
  });
  for (let steps = 1; steps <= stepsMax; steps++) {
    if (!machine.step()) return undefined;
    if (oracle !== undefined) return { oracle, choices: choices.slice(0, driver.getPosition()), steps };
  }
  return undefined;
}

/** Answers from a list, and remembers what it was asked; `take` hands that out and forgets it. */
function listeningDriver(choices: readonly number[]): ChoiceDriver & { take(): readonly TakenChoice[] } {
  const driver = replayDriver(choices);
  let heard: TakenChoice[] = [];
  return {
    ...driver,
    choose(request) {
      const index = driver.choose(request);
      const enabled = Array.from({ length: request.count }, (_, each) => request.name(request.alternatives[each]));
      const alternative = request.alternatives[index];
      const isNext = request.kind === CHOICE.next;
      heard.push({
        kind: CHOICE_KINDS[request.kind],
        enabled,
        taken: enabled[index],
        cpu: isNext ? alternative >> ACTION_BITS : undefined,
        continues: isNext && (alternative & ((1 << ACTION_BITS) - 1)) === ACTION.continue,
      });
      return index;
    },
    take() {
      const taken = heard;
      heard = [];
      return taken;
    },
  };
}
