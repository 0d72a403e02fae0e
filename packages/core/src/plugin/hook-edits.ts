/** Edits that name a hook instead of a routine: `hook:fork` is whatever routine answers `fork`. */
import { POLICY_HOOKS, NOTHING, type PolicyHook } from '../kernel/hooks';
import { routine, type PatchEdit, type Routine } from '../kernel/routine';

/** The routine that answers each hook, or NOTHING. */
export type HookAnswers = Readonly<Partial<Record<PolicyHook, string>>>;

/** Edits that name routines only, the answers after them, and the routines that they need beyond those that are there. */
export interface ResolvedEdits {
  readonly edits: readonly PatchEdit[];
  readonly hooks: HookAnswers;
  readonly added: readonly Routine[];
}

const PREFIX = 'hook:';

/**
 * Puts the names of routines for the hooks that edits name. A hook that nobody answers gets an empty routine of its own name
 * where something is prepended or appended to it; for other edits it stays as it is, and the patch does not fit.
 */
export function resolveHooks(edits: readonly PatchEdit[], hooks: HookAnswers): ResolvedEdits {
  const answers: Partial<Record<PolicyHook, string>> = { ...hooks };
  const added: Routine[] = [];
  const nameOf = (name: string, mayAdd: boolean): string => {
    const hook = POLICY_HOOKS.find((candidate) => PREFIX + candidate === name);
    if (hook === undefined) return name;
    const answer = answers[hook] ?? NOTHING;
    if (answer !== NOTHING) return answer;
    if (!mayAdd) return name;
    added.push(routine(hook, []));
    return (answers[hook] = hook);
  };
  const resolved = edits.map((edit): PatchEdit => {
    const adds = edit.edit === 'prepend' || edit.edit === 'append';
    const named = { ...edit, routine: nameOf(edit.routine, adds) };
    return named.edit === 'move-to' ? { ...named, to: nameOf(named.to, true) } : named;
  });
  return { edits: resolved, hooks: answers, added };
}
