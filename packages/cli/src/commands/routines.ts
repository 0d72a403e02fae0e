/** The routines of a kernel, with the names by which patches edit them. */
import { FpuError, NOTHING, compose, scenarioOf, type Composition, type RoutineNode } from '@fpulab/core';
import { platformOf } from '@fpulab/hypervisor';
import { PRESETS, presetOf } from '@fpulab/policies';

/** A routine of a policy. */
export interface ListedRoutine {
  readonly name: string;
  /** The policy whose it is. */
  readonly policy: string;
  /** Hooks that it answers. */
  readonly hooks: readonly string[];
  /** Steps and groups: how deep they lie in groups, and their names. */
  readonly nodes: readonly { readonly depth: number; readonly name: string }[];
}

/** A processor for which modifiers have something to do: it has PKRU and XFD. */
const CPU = 'sapphire-rapids';

/**
 * What the policies of a preset are made of.
 *
 * @throws FpuError FPU501 for no preset, FPU504 for one that is not there
 */
export function routinesOf(preset: string | undefined): readonly ListedRoutine[] {
  if (preset === undefined) {
    const known = PRESETS.map(({ id }) => id).join(', ');
    throw new FpuError('FPU501', `whose routines? fpulab list routines <preset>; known: ${known}`);
  }
  const platform = platformOf('bare-metal');
  const scenario = scenarioOf('preemption');
  const { composition } = compose({ cpu: CPU, platform, policies: presetOf(preset).policies(), scenario });
  return composition.whole.routines
    .filter(({ owner }) => owner !== platform.id)
    .map(({ owner, routine: { name, body } }) => ({
      name,
      policy: owner,
      hooks: hooksOf(name, composition.whole),
      nodes: nodesIn(body, 0),
    }));
}

function hooksOf(routine: string, { hooks }: Composition['whole']): readonly string[] {
  const answered = Object.entries(hooks).filter(([, answer]) => answer === routine && answer !== NOTHING);
  return answered.map(([hook]) => hook);
}

function nodesIn(body: readonly RoutineNode[], depth: number): ListedRoutine['nodes'] {
  return body.flatMap((node) => {
    switch (node.kind) {
      case 'step':
        return [{ depth, name: node.name }];
      case 'group':
        return [{ depth, name: node.name }, ...nodesIn(node.body, depth + 1)];
      case 'when':
        return [...nodesIn(node.body, depth), ...nodesIn(node.otherwise, depth)];
      case 'while':
        return nodesIn(node.body, depth);
    }
  });
}

/** A routine as text: its name and hooks, then a line for each step. */
export function routineText({ name, hooks, nodes }: ListedRoutine): string {
  const answers = hooks.length === 0 ? '' : `  (${hooks.join(', ')})`;
  return [`${name}${answers}`, ...nodes.map(({ depth, name: node }) => `  ${'  '.repeat(depth)}${node}`)].join('\n');
}
