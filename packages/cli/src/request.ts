/** From names on the command line to a composition. */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
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
import { POLICY_PATCHES, presetOf } from '@fpulab/policies';
import { dropPatch, isDrop } from './explore/drop-patches';

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
 * Patches by id.
 *
 * @param unpatched which `drop-<n>` leaves out a step of, as the patches before it made it; none: it is not known
 * @throws FpuError FPU504 when one is not known
 */
export function patchesOf(ids: readonly string[], unpatched?: Unpatched): readonly Patch[] {
  return ids.reduce<readonly Patch[]>((before, id) => [...before, patchOf(id, unpatched, before)], []);
}

function patchOf(id: string, unpatched: Unpatched | undefined, before: readonly Patch[]): Patch {
  if (unpatched && isDrop(id)) return dropPatch(id, compose({ ...unpatched(), patches: before }).composition);
  const found = PATCHES.find((patch) => patch.id === id);
  if (found) return found;
  const known = PATCHES.map((patch) => patch.id);
  throw new FpuError('FPU504', `no patch '${id}'; known: ${known.join(', ')}`, { id, known });
}

/**
 * The policies that `--policy` names: one preset, or files.
 *
 * @throws FpuError FPU504 for an unknown preset, FPU502 for a missing file, FPU209 for a file that exports no policy
 */
export function policiesOf(names: readonly string[]): PolicyRequest {
  const files = names.filter(isFile);
  if (files.length === 0 && names.length <= 1) {
    const preset = presetOf(names[0] ?? DEFAULT_PRESET);
    return { preset: preset.id, policies: preset.policies };
  }
  const factories = names.map((name) => (isFile(name) ? policyFile(name) : presetOf(name).policies));
  return { preset: null, policies: () => factories.flatMap((factory) => factory()) };
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

function isFile(name: string): boolean {
  return /\.[cm]?[jt]s$/.test(name);
}

/** Loads a user's file. Its default export is a function that returns a policy or several. */
function policyFile(name: string): () => readonly Policy[] {
  const path = resolve(name);
  if (!existsSync(path)) throw new FpuError('FPU502', `no policy file '${name}'`, { file: name });
  if (/ts$/.test(path)) registerTypeScript();
  let loaded: unknown;
  try {
    // eslint-disable-next-line @typescript-eslint/no-require-imports -- a user's file, known only at run time
    loaded = require(path);
  } catch (error) {
    const reason = error instanceof Error ? error.message.split('\n')[0] : String(error);
    throw new FpuError(
      'FPU209',
      `the policy file '${name}' does not load: ${reason}`,
      { file: name },
      { cause: error },
    );
  }
  const factory = (loaded as { default?: unknown }).default ?? loaded;
  if (typeof factory !== 'function') {
    throw new FpuError(
      'FPU209',
      `the policy file '${name}' has no default export that is a function returning policies`,
      {
        file: name,
      },
    );
  }
  return () => {
    let made: unknown;
    try {
      made = (factory as () => unknown)();
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new FpuError(
        'FPU209',
        `the function of the policy file '${name}' failed: ${reason}`,
        { file: name },
        { cause: error },
      );
    }
    return [made].flat().map((policy) => checkedPolicy(policy, name));
  };
}

/** Keys that a policy of each kind needs, and how they look. */
const NEEDED: Readonly<Record<string, (value: unknown) => boolean>> = {
  id: (value) => typeof value === 'string',
  kind: (value) => value === 'base' || value === 'modifier',
  slots: Array.isArray,
  routines: Array.isArray,
};
const NEEDED_BY_BASE: typeof NEEDED = {
  hooks: (value) => typeof value === 'object' && value !== null,
  roles: (value) => typeof value === 'object' && value !== null,
  fpstate: (value) => value === 'embedded' || value === 'allocated',
};

function checkedPolicy(policy: unknown, file: string): Policy {
  const given = (typeof policy === 'object' && policy !== null ? policy : {}) as Readonly<Record<string, unknown>>;
  const needed = given.kind === 'base' ? { ...NEEDED, ...NEEDED_BY_BASE } : NEEDED;
  const missing = Object.keys(needed).filter((key) => !needed[key](given[key]));
  if (missing.length === 0) return policy as Policy;
  throw new FpuError(
    'FPU209',
    `the policy file '${file}' returns something that is no policy: wrong or missing are ${missing.join(', ')}`,
    {
      file,
      missing,
    },
  );
}

let typeScriptRegistered = false;

/** Users' policies are TypeScript: swc compiles them when they are loaded; types are not checked. */
function registerTypeScript(): void {
  if (typeScriptRegistered) return;
  typeScriptRegistered = true;
  // eslint-disable-next-line @typescript-eslint/no-require-imports -- loaded only where it is needed
  (require('ts-node') as { register(options: object): void }).register({
    swc: true,
    skipProject: true,
    compilerOptions: {
      module: 'CommonJS',
      moduleResolution: 'Node10',
      ignoreDeprecations: '6.0',
      target: 'ES2022',
      experimentalDecorators: true,
    },
  });
}
