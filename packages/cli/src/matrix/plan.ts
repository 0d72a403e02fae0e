/** From flags to the cells of a matrix. */
import { FpuError, SCENARIOS, scenarioOf } from '@fpulab/core';
import { PLATFORMS, platformOf } from '@fpulab/hypervisor';
import { PRESETS, presetOf } from '@fpulab/policies';
import { loadCpu } from '../cpu-argument';
import type { CompositionRequest } from '../explore/compose-request';
import type { MatrixFlags } from './flags';

/** What is explored in one cell, as plain data. */
export interface CellPlan {
  readonly preset: string;
  readonly platform: string;
  readonly scenario: string;
  readonly request: CompositionRequest;
  /** Of each search. */
  readonly maxStates: number;
  /** Seconds; null for as long as it takes. */
  readonly timeout: number | null;
  /** The command that explores the same. */
  readonly command: string;
}

/** The whole matrix. */
export interface MatrixPlan {
  readonly presets: readonly string[];
  readonly platforms: readonly string[];
  readonly scenarios: readonly string[];
  /** Row by row. */
  readonly cells: readonly CellPlan[];
}

/** Scenarios that are not explored as `any-2` where none are named; `NOTES` in flags.ts says why. */
const EXCEPTIONS: Readonly<Record<string, string>> = {
  'xen-pv-leak': 'xen-pv-leak.any-3',
  interrupts: 'interrupts.any-2.nest-1',
  'fork-exec-exit': 'fork-exec-exit',
};

/**
 * Every preset on every platform in every scenario that the flags ask for.
 *
 * @throws FpuError FPU504 for an unknown id, FPU501 for a list without one or a variant that is asked for twice, and what
 *   a CPU model's file throws
 */
export function matrixPlan(flags: MatrixFlags): MatrixPlan {
  const presets = chosen(
    '--preset',
    flags.preset,
    PRESETS.map(({ id }) => id),
  );
  const platforms = chosen('--platform', flags.platform, Object.keys(PLATFORMS));
  const scenarios = scenarioIds(flags);
  presets.forEach(presetOf);
  platforms.forEach(platformOf);
  scenarios.forEach(scenarioOf);
  if (flags.cpu !== undefined) loadCpu(flags.cpu);
  const cells = presets.flatMap((preset) =>
    platforms.flatMap((platform) => scenarios.map((scenario) => cellPlan({ preset, platform, scenario }, flags))),
  );
  return { presets, platforms, scenarios, cells };
}

function chosen(flag: string, given: readonly string[] | undefined, known: readonly string[]): readonly string[] {
  if (given === undefined) return known;
  if (given.length > 0) return [...new Set(given)];
  throw new FpuError('FPU501', `${flag} needs at least one id, found none; known: ${known.join(', ')}`, {
    flag,
    known,
  });
}

function scenarioIds({ scenario, tasks }: MatrixFlags): readonly string[] {
  const known = SCENARIOS.map(({ id }) => id);
  const ids = chosen('--scenario', scenario, known);
  const named = scenario === undefined ? ids.map((id) => EXCEPTIONS[id] ?? `${id}.any-2`) : ids;
  if (tasks === undefined) return named;
  const again = scenario?.find((id) => ANY.test(id));
  if (again === undefined) return [...new Set(named.map((id) => withTasks(id, tasks)))];
  throw new FpuError(
    'FPU501',
    `the scenario '${again}' says how many tasks, and --tasks ${tasks} says it again; drop one`,
  );
}

const ANY = /\.any-\d+/;

/** `interrupts.any-2.nest-1` with 3: `interrupts.any-3.nest-1`. */
function withTasks(id: string, tasks: number): string {
  const [, base, nest] = /^(.*?)(\.nest-\d+)?$/s.exec(id.replace(ANY, '')) as RegExpExecArray;
  return `${base}.any-${tasks}${nest ?? ''}`;
}

function cellPlan(
  { preset, platform, scenario }: Pick<CellPlan, 'preset' | 'platform' | 'scenario'>,
  { cpu, cpus, maxStates, timeout }: MatrixFlags,
): CellPlan {
  const said = [
    ...(cpu === undefined ? [] : [`--cpu ${cpu}`]),
    ...(cpus === undefined ? [] : [`--cpus ${cpus}`]),
    `--all --max-states ${maxStates}`,
    ...(timeout === undefined ? [] : [`--timeout ${timeout}`]),
  ];
  return {
    preset,
    platform,
    scenario,
    request: {
      scenario,
      policies: [preset],
      platform,
      patches: [],
      cpu: cpu ?? null,
      cpus: cpus ?? null,
      oracles: null,
    },
    maxStates,
    timeout: timeout ?? null,
    command: `fpulab explore ${scenario} --policy ${preset} --platform ${platform} ${said.join(' ')}`,
  };
}
