/** A digest of everything that the result of a cell depends on. */
import { createHash } from 'node:crypto';
import { dirname, extname, join } from 'node:path';
import { cpuModelFile, scenarioOf } from '@fpulab/core';
import { PLATFORMS, platformOf } from '@fpulab/hypervisor';
import { presetOf } from '@fpulab/policies';
import { loadCpu } from '../cpu-argument';
import { patchesOf } from '../request';
import type { CellPlan } from './plan';
import type { SourceFiles } from './source-files';

/** Changes whenever cells are explored otherwise than before. */
const VERSION = 'fpulab/matrix-cell@1';

/** Plugins that are variants of another lie in its folder. */
const FOLDERS: Readonly<Record<string, string>> = { 'xen-pv-lmsw': 'xen-pv', 'xen-hvm-eager': 'xen-hvm' };

/**
 * SHA-256 over request, CPU model, scenario, bounds, and the files of the policies, the platform and the explorer.
 *
 * The timeout is not in it: what is kept, no clock has ended.
 */
export function cellDigest({ preset, platform, request, maxStates }: CellPlan, files: SourceFiles): string {
  const scenario = scenarioOf(request.scenario);
  const { policies } = presetOf(preset);
  const facts = {
    version: VERSION,
    request,
    cpu: cpuModelFile(loadCpu(request.cpu ?? scenario.cpu)),
    scenario,
    maxStates,
    composed: [policies, PLATFORMS[platform], patchesOf(request.patches)],
    files: files.behind([
      ...policies().map(({ id }) => moduleOf('@fpulab/policies', id)),
      moduleOf('@fpulab/hypervisor', platformOf(platform).id),
      require.resolve('@fpulab/explorer'),
    ]),
  };
  return createHash('sha256').update(JSON.stringify(facts, withFunctions)).digest('hex');
}

/** The file of a plugin: its folder has its id. */
function moduleOf(packageName: string, id: string): string {
  const index = require.resolve(packageName);
  return join(dirname(index), FOLDERS[id] ?? id, `index${extname(index)}`);
}

/** Functions count by their source text, and JSON has no word for what does not end. */
function withFunctions(_key: string, value: unknown): unknown {
  if (typeof value === 'function') return value.toString();
  return value === Infinity ? 'Infinity' : value;
}
