import { createHash } from 'node:crypto';
import {
  SCENARIOS,
  compose,
  isFpuError,
  scenarioOf,
  seededDriver,
  type ChoiceDriver,
  type FpuError,
  type Machine,
  type MachineEvent,
  type OracleId,
  type Patch,
} from '@fpulab/core';
import { isSupported } from '@fpulab/core/testing';
import { PLATFORMS, platformOf } from '@fpulab/hypervisor';
import { PRESETS, presetOf } from '@fpulab/policies';
import { often } from '../../core/test/support/often';
import { memorySink, readLog, recordLog, type EventLog, type LogMeta, type LogSummary } from '@fpulab/eventlog';

/** A run to record; what is left out is the xen-pv-leak reproduction. */
export interface RunSetup {
  readonly preset?: string;
  readonly platform?: string;
  readonly scenario?: string;
  readonly patches?: readonly Patch[];
  /** Those that decide; the scenario's when left out. */
  readonly oracles?: readonly OracleId[];
  readonly seed?: bigint;
  readonly choices?: ChoiceDriver;
  readonly stepsMax?: number;
}

export function machineOf(setup: RunSetup = {}): Machine {
  const scenario = scenarioOf(setup.scenario ?? 'xen-pv-leak');
  const choices = setup.choices ?? (setup.seed === undefined ? undefined : seededDriver(setup.seed));
  return compose({
    platform: platformOf(setup.platform ?? 'xen-pv'),
    policies: presetOf(setup.preset ?? 'linux-3.6').policies(),
    scenario: { ...scenario, oracles: setup.oracles ?? scenario.oracles },
    patches: setup.patches ?? [],
    ...(choices && { choices }),
  });
}

export function metaOf(setup: RunSetup = {}): LogMeta {
  return { preset: setup.preset ?? 'linux-3.6', seed: setup.seed ?? null, replay: null };
}

/** A run with its log's text and the events that a subscriber saw. */
export interface Recorded {
  readonly machine: Machine;
  readonly text: string;
  readonly live: readonly MachineEvent[];
  readonly summary: LogSummary;
}

export function record(setup: RunSetup = {}): Recorded {
  const machine = machineOf(setup);
  const sink = memorySink();
  const live: MachineEvent[] = [];
  const recorder = recordLog(machine, metaOf(setup), sink);
  machine.events$.subscribe((event) => live.push(event));
  const { outcome } = machine.run(setup.stepsMax === undefined ? {} : { stepsMax: setup.stepsMax });
  const summary = recorder.finish({ outcome });
  return { machine, text: sink.text(), live, summary };
}

/** What a run does, without the cost of writing its log. */
export function eventsOf(setup: RunSetup = {}): { readonly machine: Machine; readonly live: readonly MachineEvent[] } {
  const machine = machineOf(setup);
  const live: MachineEvent[] = [];
  machine.events$.subscribe((event) => live.push(event));
  machine.run(setup.stepsMax === undefined ? {} : { stepsMax: setup.stepsMax });
  return { machine, live };
}

export function read(text: string | Uint8Array): EventLog {
  return readLog(typeof text === 'string' ? Buffer.from(text) : text);
}

/** One of so many compositions is tried in `npm test`. */
const STRIDE = often(4, 1);

type Tried = readonly (readonly [preset: string, platform: string, scenario: string])[];
let tried: Tried | undefined;

/**
 * Presets on platforms in scenarios that they can run: all of them in `npm run test:long`; in `npm test` a quarter, with every preset,
 * platform and scenario among them.
 */
export const everything = (): Tried => (tried ??= findTried());

function findTried(): Tried {
  const all = SCENARIOS.flatMap((scenario) =>
    PRESETS.flatMap((preset) =>
      Object.keys(PLATFORMS)
        .filter((platform) => isSupported({ platform: platformOf(platform), policies: preset.policies(), scenario }))
        .map((platform) => [preset.id, platform, scenario.id] as const),
    ),
  );
  const isFirst = (index: number): boolean => index === 0 || all[index][2] !== all[index - 1][2];
  return all.filter((_, index) => index % STRIDE === 0 || isFirst(index));
}

/** Lines without their LF. */
export function linesOf(text: string): string[] {
  return text.slice(0, -1).split('\n');
}

/** A log of these lines whose checksum is right: for damage that the checksum would otherwise report first. */
export function sealed(lines: readonly string[]): string {
  const text = lines.map((line) => `${line}\n`).join('');
  const covered = text.slice(0, -`${'0'.repeat(64)}"}\n`.length);
  return `${covered}${createHash('sha256').update(covered).digest('hex')}"}\n`;
}

/** The FpuError that `action` throws; anything else fails the test. */
export function fpuErrorOf(action: () => unknown): FpuError {
  let result: unknown;
  try {
    result = action();
  } catch (error) {
    if (isFpuError(error)) return error;
    throw error;
  }
  throw new Error(`expected an FpuError, got ${JSON.stringify(result)?.slice(0, 80)}`);
}

/** `FPU403 2:17`: code and place of the FpuError that `action` throws. */
export function faultOf(action: () => unknown): string {
  const { code, detail } = fpuErrorOf(action);
  return 'line' in detail ? `${code} ${String(detail.line)}:${String(detail.column)}` : code;
}

/** A copy of a list with one element replaced. */
export function replaceAt<T>(list: readonly T[], index: number, item: T): T[] {
  return list.map((old, at) => (at === index ? item : old));
}

/** A copy of a list without one element. */
export function removeAt<T>(list: readonly T[], index: number): T[] {
  return list.filter((_, at) => at !== index);
}

/** A copy of a list with an element more, in front of the one at `index`. */
export function insertAt<T>(list: readonly T[], index: number, item: T): T[] {
  return [...list.slice(0, index), item, ...list.slice(index)];
}

/** A copy of a list with two neighbours swapped. */
export function swapWithNext<T>(list: readonly T[], index: number): T[] {
  return insertAt(removeAt(list, index), index + 1, list[index]);
}
