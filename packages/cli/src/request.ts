/** From names on the command line to a composition. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import {
  CPU_IDS,
  FpuError,
  ORACLES,
  compose,
  cpuModel,
  type ComposeOptions,
  type CpuModel,
  type OracleId,
  type Patch,
  type Policy,
  type Scenario,
} from '@fpulab/core';
import { PLATFORM_PATCHES } from '@fpulab/hypervisor';
import { POLICY_PATCHES, PRESETS, presetOf, type Preset } from '@fpulab/policies';
import { dropPatch, isDrop } from './explore/drop-patches';
import { patchFile } from './patch-file';
import { policyFile } from './policy-file';
import { isUserFile } from './user-file';

/** All patches that can be named. */
export const PATCHES: readonly Patch[] = [...POLICY_PATCHES, ...PLATFORM_PATCHES];

/** The kernel that runs where the user names none. */
const DEFAULT_PRESET = 'linux-3.6';

/** Policies by preset or from files. */
export interface PolicyRequest {
  /** The preset's id; null for policies from files. */
  readonly preset: string | null;
  /** Fresh policy objects for one machine. */
  readonly policies: () => readonly Policy[];
}

/** What patches are for, fresh at every call. */
export type Unpatched = () => Omit<ComposeOptions, 'patches'>;

/**
 * Patches by id, or from files.
 *
 * @param unpatched which `drop-<n>` leaves out a step of, as the patches before it made it; none: it is not known
 * @param files that may have what is not built in
 * @throws FpuError FPU504 when one is not known, and as `patchFile` does
 */
export function patchesOf(
  names: readonly string[],
  unpatched?: Unpatched,
  files: readonly string[] = [],
): readonly Patch[] {
  const own = files.flatMap(ownPatches);
  return names.reduce<readonly Patch[]>((before, name) => [...before, ...named(name, own, unpatched, before)], []);
}

function named(
  name: string,
  own: readonly Patch[],
  unpatched: Unpatched | undefined,
  before: readonly Patch[],
): readonly Patch[] {
  if (isUserFile(name)) return ownPatches(name);
  if (unpatched && isDrop(name)) return [dropPatch(name, compose({ ...unpatched(), patches: before }).composition)];
  const known = [...PATCHES, ...own];
  const found = known.find(({ id }) => id === name);
  if (found) return [found];
  const ids = known.map(({ id }) => id);
  throw new FpuError('FPU504', `no patch '${name}'; known: ${ids.join(', ')}`, { id: name, known: ids });
}

/** Patches of a file. What is built in already, and `drop-<n>`, cannot be the id of another one. */
function ownPatches(file: string): readonly Patch[] {
  const patches = patchFile(file);
  const taken = patches.find(({ id }) => isDrop(id) || PATCHES.some((patch) => patch.id === id));
  if (!taken) return patches;
  throw new FpuError(
    'FPU209',
    `the patch '${taken.id}' of '${file}' needs another id: there is one that is called so`,
    {
      file,
    },
  );
}

/**
 * The policies that `--policy` names: one preset, or files.
 *
 * @throws FpuError FPU504 for an unknown preset, FPU502 for a missing file, FPU209 for a file that exports no policy
 */
export function policiesOf(names: readonly string[]): PolicyRequest {
  const files = names.filter(isUserFile);
  if (files.length === 0 && names.length <= 1) {
    const preset = presetNamed(names[0] ?? DEFAULT_PRESET);
    return { preset: preset.id, policies: preset.policies };
  }
  const factories = names.map((name) => (isUserFile(name) ? policyFile(name) : presetNamed(name).policies));
  return { preset: null, policies: () => factories.flatMap((factory) => factory()) };
}

/** The preset of this name; the path of something else may be meant for a policy. */
function presetNamed(name: string): Preset {
  if (PRESETS.every(({ id }) => id !== name) && existsSync(name)) {
    throw new FpuError('FPU504', `'${name}' is no preset, and policies of your own come from .ts or .js files`, {
      id: name,
      hint: `name the file itself: --policy ${join(name, 'policy.ts')}`,
    });
  }
  return presetOf(name);
}

/**
 * The built-in CPU model that a replay string names.
 *
 * @throws FpuError FPU101 when it is none
 */
export function builtInCpu(id: string): CpuModel {
  if (CPU_IDS.includes(id)) return cpuModel(id);
  throw new FpuError('FPU101', `the replay string is of the CPU model '${id}', which is not built in`, {
    id,
    hint: 'a replay string holds only the id of its CPU model; name the file that the run had: --cpu <file>',
  });
}

/** The scenario with other oracles deciding its verdict. */
export function withOracles(scenario: Scenario, ids: readonly string[] | undefined): Scenario {
  if (ids === undefined || ids.length === 0) return scenario;
  const oracles = ids.map((id): OracleId => {
    const found = ORACLES.find((oracle) => oracle === id);
    if (found) return found;
    throw new FpuError('FPU504', `no oracle '${id}'; known: ${ORACLES.join(', ')}`, { id, known: ORACLES });
  });
  return { ...scenario, oracles };
}
