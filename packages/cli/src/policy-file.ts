/** Policies of a user's own, from files. */
import { isFpuError, type Policy } from '@fpulab/core';
import { loadUserFile, placeIn, refusal } from './user-file';

/**
 * Loads a user's file. Its default export is a function that returns a policy or several.
 *
 * @returns makes fresh policy objects, for one machine
 * @throws FpuError FPU502 for a missing file, FPU209 for one that does not load, or that returns no policies
 */
export function policyFile(name: string): () => readonly Policy[] {
  const factory = factoryIn(loadUserFile(name, 'policy'), name);
  return () => {
    let made: unknown;
    try {
      made = factory();
    } catch (cause) {
      if (isFpuError(cause)) throw cause;
      throw refusal(name, `the function of the policy file '${name}' failed: ${String(cause)}`, placeIn(cause), cause);
    }
    return [made].flat().map((policy) => checkedPolicy(policy, name));
  };
}

function factoryIn(exported: unknown, file: string): () => unknown {
  if (typeof exported === 'function') return exported as () => unknown;
  throw refusal(file, `the policy file '${file}' has no default export that is a function returning policies`, {
    hint: 'export default function myPolicy(): BasePolicy { return { ... }; }',
  });
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
  const problem = `returns something that is no policy: wrong or missing are ${missing.join(', ')}`;
  throw refusal(file, `the policy file '${file}' ${problem}`, { missing });
}
