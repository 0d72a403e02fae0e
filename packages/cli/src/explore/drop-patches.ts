/** `drop-<n>`: patches that leave out one step of a policy, so that one can see what it was good for. */
import { FpuError, type Composition, type Patch, type RoutineNode } from '@fpulab/core';

/** A step of the policy. */
export interface PolicyStep {
  readonly routine: string;
  readonly step: string;
  /** As logs and the explorer name it, with the functions between routine and step. */
  readonly label: string;
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

/** The steps of base policy and modifiers, as they are composed, in order. Those of the platform are none of theirs. */
export function policySteps({ routines, platform }: Composition): readonly PolicyStep[] {
  return routines.flatMap(({ owner, routine: { name, body } }) =>
    owner === platform.id ? [] : stepsIn(body, [name]).map((own) => ({ routine: name, ...own })),
  );
}

/**
 * The patch that an id names.
 *
 * @param composition what it is for, with the patches before it: they decide what the steps are
 * @throws FpuError FPU504 when there are not so many steps
 */
export function dropPatch(id: string, composition: Composition): Patch {
  const steps = policySteps(composition);
  const dropped = steps[Number(DROP.exec(id)?.[1]) - 1] as PolicyStep | undefined;
  if (dropped === undefined) {
    throw new FpuError('FPU504', `no patch '${id}': the policy has the steps ${dropId(0)} to drop-${steps.length}`, {
      id,
    });
  }
  const { routine, step } = dropped;
  return {
    id,
    title: `without ${routine}/${step}`,
    source: 'hypothetical',
    edits: [{ edit: 'remove', routine, step }],
  };
}

/** @param path the routine and the groups around `body` */
function stepsIn(body: readonly RoutineNode[], path: readonly string[]): readonly Omit<PolicyStep, 'routine'>[] {
  return body.flatMap((node) => {
    switch (node.kind) {
      case 'step':
        return [{ step: node.name, label: [...path, node.name].join('/') }];
      case 'group':
        return stepsIn(node.body, [...path, node.name]);
      case 'when':
        return [...stepsIn(node.body, path), ...stepsIn(node.otherwise, path)];
      case 'while':
        return stepsIn(node.body, path);
    }
  });
}
