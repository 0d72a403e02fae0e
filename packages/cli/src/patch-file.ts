/** Patches of a user's own, from files. */
import type { Patch, PatchEdit } from '@fpulab/core';
import { loadUserFile, refusal } from './user-file';

/** Keys that a patch needs, and how they look. Ids are parts of replay strings. */
const NEEDED: Readonly<Record<string, (value: unknown) => boolean>> = {
  id: (value) => typeof value === 'string' && /^[a-z0-9]+(-[a-z0-9]+)*$/.test(value),
  title: (value) => typeof value === 'string',
  source: (value) => typeof value === 'string',
  edits: (value) => Array.isArray(value) && value.length > 0,
};

/** Keys that an edit of each kind needs, beside `routine`. */
const EDITS: Readonly<Record<PatchEdit['edit'], readonly ('step' | 'nodes' | 'anchor' | 'to')[]>> = {
  'insert-before': ['step', 'nodes'],
  'insert-after': ['step', 'nodes'],
  replace: ['step', 'nodes'],
  prepend: ['nodes'],
  append: ['nodes'],
  remove: ['step'],
  'move-before': ['step', 'anchor'],
  'move-after': ['step', 'anchor'],
  'move-to': ['step', 'to'],
};

/**
 * Loads a user's file. Its default export is a patch, or a list of them.
 *
 * @throws FpuError FPU502 for a missing file, FPU209 for one that does not load, or that exports no patch
 */
export function patchFile(name: string): readonly Patch[] {
  return [loadUserFile(name, 'patch')].flat().map((patch) => checkedPatch(patch, name));
}

function checkedPatch(patch: unknown, file: string): Patch {
  const given = (typeof patch === 'object' && patch !== null ? patch : {}) as Readonly<Record<string, unknown>>;
  const missing = Object.keys(NEEDED).filter((key) => !NEEDED[key](given[key]));
  if (missing.length === 0) {
    (given.edits as readonly unknown[]).forEach((edit, index) =>
      refuseBadEdit(edit, `edit ${index + 1} of ${String(given.id)}`, file),
    );
    return patch as Patch;
  }
  const problem = `exports something that is no patch: wrong or missing are ${missing.join(', ')}`;
  throw refusal(file, `the patch file '${file}' ${problem}`, {
    missing,
    hint: 'see docs/write-a-patch.md; an id has small letters, digits and hyphens',
  });
}

function refuseBadEdit(edit: unknown, where: string, file: string): void {
  const given = (typeof edit === 'object' && edit !== null ? edit : {}) as Readonly<Record<string, unknown>>;
  const kind = String(given.edit);
  const problem = !Object.hasOwn(EDITS, kind)
    ? `${where} is called '${kind}'; there are ${Object.keys(EDITS).join(', ')}`
    : ['routine', ...EDITS[kind as PatchEdit['edit']]]
        .filter((key) => (key === 'nodes' ? !Array.isArray(given.nodes) : typeof given[key] !== 'string'))
        .map((key) => `${where} (${kind}) needs ${key === 'nodes' ? 'a list of nodes' : `'${key}', a name`}`)
        .join('; ');
  if (problem === '') return;
  throw refusal(file, `the patch file '${file}' does not fit: ${problem}`, { hint: 'see docs/write-a-patch.md' });
}
