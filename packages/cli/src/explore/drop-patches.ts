/** `drop-<n>`: patches that leave out one step of a base policy, so that one can see what it was good for. */
import {
  FpuError,
  applyPatch,
  resolveHooks,
  type BasePolicy,
  type HookAnswers,
  type ModifierPolicy,
  type Patch,
  type Policy,
  type Routine,
  type RoutineNode,
} from '@fpulab/core';

/** A step of the policy. */
export interface PolicyStep {
  readonly routine: string;
  readonly step: string;
}

const DROP = /^drop-(\d{1,5})$/;

/** True for `drop-7`. */
export function isDrop(id: string): boolean {
  return DROP.test(id);
}

/** The id of the patch that leaves out step `index`, counted from 0. */
export function dropId(index: number): string {
  return `drop-${index + 1}`;
}

/**
 * The steps of the base policy in order, after its modifiers and patches. Patches on the platform are none of its business, nor are modifiers
 * that some processors leave without work.
 *
 * @throws FpuError FPU203 when a patch does not fit
 */
export function policySteps(policies: readonly Policy[], patches: readonly Patch[]): readonly PolicyStep[] {
  const base = policies.find((policy): policy is BasePolicy => policy.kind === 'base');
  const changes = [...policies.flatMap((policy) => (isAlwaysThere(policy) ? [policy] : [])), ...patches];
  let routines: readonly Routine[] = base?.routines ?? [];
  let hooks: HookAnswers = base?.hooks ?? {};
  for (const { id, edits } of changes) {
    const resolved = resolveHooks(edits, hooks);
    routines = [...routines, ...resolved.added];
    const own = new Set(routines.map(({ name }) => name));
    routines = applyPatch(routines, { id, edits: resolved.edits.filter(({ routine }) => own.has(routine)) });
    hooks = resolved.hooks;
  }
  return routines.flatMap(({ name, body }) => stepNames(body).map((step) => ({ routine: name, step })));
}

/**
 * The patch that an id names.
 *
 * @param patches those before it, which decide what the steps are
 * @throws FpuError FPU504 when there are not so many steps
 */
export function dropPatch(id: string, policies: readonly Policy[], patches: readonly Patch[]): Patch {
  const steps = policySteps(policies, patches);
  const dropped = steps[Number(DROP.exec(id)?.[1]) - 1] as PolicyStep | undefined;
  if (dropped === undefined) {
    throw new FpuError('FPU504', `no patch '${id}': the policy has the steps ${dropId(0)} to drop-${steps.length}`, {
      id,
    });
  }
  return {
    id,
    title: `without ${dropped.routine}/${dropped.step}`,
    source: 'hypothetical',
    edits: [{ edit: 'remove', ...dropped }],
  };
}

function isAlwaysThere(policy: Policy): policy is ModifierPolicy {
  return policy.kind === 'modifier' && policy.onlyWith === undefined;
}

function stepNames(body: readonly RoutineNode[]): readonly string[] {
  return body.flatMap((node) => {
    switch (node.kind) {
      case 'step':
        return [node.name];
      case 'when':
        return [...stepNames(node.body), ...stepNames(node.otherwise)];
      case 'group':
      case 'while':
        return stepNames(node.body);
    }
  });
}
