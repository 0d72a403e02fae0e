import type { Subscription } from 'rxjs';
import { seededDriver } from '../kernel/choices';
import { compose } from '../plugin/compose';
import type { MachineEvent } from '../machine/event-type';
import type { Machine } from '../plugin/machine';
import type { Platform, Policy } from '../plugin/plugin';
import { SCENARIOS } from '../scenario/catalogue';
import type { Scenario } from '../scenario/scenario';
import { isSupported } from './supported';

/** What a policy must be given to be tried. */
export interface ContractSubject {
  /** Fresh policy objects for one machine. */
  readonly policies: () => readonly Policy[];
  /** A fresh platform for one machine. */
  readonly platform: () => Platform;
  /** CPU model to try them on; each scenario's own when left out. */
  readonly cpu?: string;
  /** Scenarios to try; all built-in ones that they can run when left out. */
  readonly scenarios?: readonly Scenario[];
  /** Random runs per scenario; 4 when left out. */
  readonly seeds?: number;
}

/** What the contract check found. `failures` is empty for a policy that keeps the contract. */
export interface ContractReport {
  readonly runs: number;
  readonly events: number;
  readonly failures: readonly string[];
}

const SEEDS = 4;
const STEPS_MAX = 1500;
const DETOUR_SEED = 0xdec0dedn;
const DETOUR_STEPS = 4;
const SCRAMBLED = 0x5c5c5c5c;

/**
 * Runs a policy twice under the same choices: once straight, once with the machine snapshotted, scrambled and
 * restored before every step. A policy that keeps state outside the machine's slots gives two different logs.
 *
 * @returns what was tried and what differed; never throws for a policy that merely misbehaves
 */
export function checkPolicyContract(subject: ContractSubject): ContractReport {
  const failures: string[] = [];
  let runs = 0;
  let events = 0;
  for (const scenario of subject.scenarios ?? SCENARIOS.filter((each) => supports(subject, each))) {
    for (let seed = 0n; seed < (subject.seeds ?? SEEDS); seed++) {
      const straight = record(subject, scenario, seed, () => {});
      const disturbed = record(subject, scenario, seed, scrambleAndRestore);
      runs += 2;
      events += straight.length;
      const at = firstDifference(straight, disturbed);
      if (at < 0) continue;
      failures.push(
        `scenario ${scenario.id}, seed ${seed}: event ${at} was ${textOf(straight[at])} straight and ` +
          `${textOf(disturbed[at])} after snapshot, scramble and restore; is there state outside the slots?`,
      );
    }
  }
  return { runs, events, failures };
}

/** The contract as a suite for jest or any runner with global `describe` and `it`. */
export function describePolicyContract(name: string, subject: ContractSubject): void {
  const { describe, it } = globalThis as unknown as TestGlobals;
  describe(`${name} keeps the policy contract`, () => {
    it('keeps no state outside the machine: snapshot, scramble and restore before every step changes nothing', () => {
      const report = checkPolicyContract(subject);
      if (report.failures.length > 0) throw new Error(report.failures.join('\n'));
      if (report.events === 0) throw new Error('the contract check saw no event at all');
    });
  });
}

function supports({ platform, policies, cpu }: ContractSubject, scenario: Scenario): boolean {
  return isSupported({ platform: platform(), policies: policies(), cpu, scenario });
}

interface TestGlobals {
  describe(name: string, body: () => void): void;
  it(name: string, body: () => void): void;
}

function record(
  subject: ContractSubject,
  scenario: Scenario,
  seed: bigint,
  disturb: (machine: Machine) => void,
): readonly MachineEvent[] {
  const machine = compose({
    platform: subject.platform(),
    policies: subject.policies(),
    cpu: subject.cpu,
    scenario,
    choices: seededDriver(seed),
  });
  const log: MachineEvent[] = [];
  const recording = (): Subscription => machine.events$.subscribe((event) => log.push(event));
  let subscription = recording();
  machine.boot();
  for (let steps = 0; steps < STEPS_MAX; steps++) {
    // Nobody listens to detours, so that no objects are built for their events.
    subscription.unsubscribe();
    disturb(machine);
    subscription = recording();
    if (!machine.step()) break;
  }
  return log;
}

/**
 * Takes a detour of a few steps under other choices, overwrites every word, and puts the snapshot back. Whatever a
 * closure learnt on the detour is wrong from now on.
 */
function scrambleAndRestore(machine: Machine): void {
  const snapshot = machine.snapshot();
  const { driver } = machine;
  const position = driver.getPosition();
  machine.driver = seededDriver(DETOUR_SEED);
  for (let steps = 0; steps < DETOUR_STEPS; steps++) if (!machine.step()) break;
  machine.state.words.fill(SCRAMBLED);
  machine.restore(snapshot);
  machine.driver = driver;
  driver.setPosition(position);
}

function firstDifference(a: readonly MachineEvent[], b: readonly MachineEvent[]): number {
  const length = Math.max(a.length, b.length);
  for (let index = 0; index < length; index++) if (!isSame(a[index], b[index])) return index;
  return -1;
}

/** Positions are left out: the detours of a disturbed run count them up. */
function isSame(a: MachineEvent | undefined, b: MachineEvent | undefined): boolean {
  if (!a || !b || a.type !== b.type || a.by !== b.by) return false;
  for (const field in a.data) if (a.data[field] !== b.data[field]) return false;
  return true;
}

function textOf(event: MachineEvent | undefined): string {
  return event ? JSON.stringify({ type: event.type, by: event.by, data: event.data }) : 'absent';
}
