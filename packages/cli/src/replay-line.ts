/** The line that repeats a run. */
import type { Machine } from '@fpulab/core';
import { REPLAY_LENGTH_MAX, encodeReplay } from '@fpulab/eventlog';
import { isCpuFile } from './cpu-argument';
import { isUserFile } from './user-file';
import type { RunCollector } from './report';

/** A replay string, and the command line that it is for. */
export interface ReplayLine {
  readonly text: string;
  readonly command: string;
}

/** What a run was asked that its replay string does not hold. */
export interface ReplayFlags {
  readonly oracle?: readonly string[];
  readonly cpu?: string;
  readonly patch?: readonly string[];
  /** Where the run was cut short: its steps. */
  readonly maxSteps?: number;
}

/** The command that repeats a run; null where no string, or none that helps people, can name it. */
export function replayOf(machine: Machine, { header, events }: RunCollector, flags: ReplayFlags): ReplayLine | null {
  if (header.preset === null) return null; // policies from a file cannot be named
  const { platform, settings } = machine.composition;
  const text = encodeReplay(
    {
      scenario: settings.scenario.id,
      preset: header.preset,
      platform: platform.id,
      patches: settings.patches.map((patch) => patch.id),
      cpu: settings.cpu.id,
      cpus: settings.cpus,
      seed: header.seed === null ? null : BigInt(header.seed),
    },
    events,
  );
  return text.length > REPLAY_LENGTH_MAX ? null : { text, command: `fpulab replay '${text}'${said(flags)}` };
}

/** What has to be said beside the replay string, so that it ends as this run did. */
function said({ oracle, cpu, patch = [], maxSteps }: ReplayFlags): string {
  const oracles = oracle === undefined ? '' : ` --oracle ${oracle.join(',')}`;
  const model = cpu !== undefined && isCpuFile(cpu) ? ` --cpu ${cpu}` : '';
  const files = patch.filter(isUserFile);
  const patches = files.length === 0 ? '' : ` --patch ${files.join(',')}`;
  return oracles + model + patches + (maxSteps === undefined ? '' : ` --max-steps ${maxSteps}`);
}
