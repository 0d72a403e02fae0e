/**
 * Kernel code as data: routines are named lists of named, atomic steps.
 *
 * Between two steps anything can happen that the masks allow. A condition is read together with the step that
 * follows it; code that reads first and acts later keeps the answer in a local, because "the compiler cached it" has
 * been a real bug.
 */
import { FpuError } from '../error';
import type { FieldKind } from '../machine/layout';
import type { InstructionClass } from '../x86/faults';
import type { Kernel } from './kernel';

/** What a step does: emits events through the kernel interface of the CPU that runs it. */
export type StepAction = (kernel: Kernel) => void;

/** A question about the state; changes nothing. */
export type Condition = (kernel: Kernel) => boolean;

/** One atomic step. */
export interface Step {
  readonly kind: 'step';
  /** What the kernel does there, in the kernel's words. Unique within its routine. */
  readonly name: string;
  readonly run: StepAction;
  /** The FPU instruction in this step, if there is one: it can raise #NM before the step has any effect. */
  readonly instruction?: InstructionClass;
  /** The kernel expects #NM here and its handler copes (Linux 4.2 fpu__copy()). */
  readonly nmExpected?: boolean;
}

/** Steps that run only when a condition holds, and others that run when it does not. The condition is read once. */
export interface When {
  readonly kind: 'when';
  readonly condition: Condition;
  readonly body: readonly RoutineNode[];
  readonly otherwise: readonly RoutineNode[];
}

/** Steps that run again and again while a condition holds. */
export interface While {
  readonly kind: 'while';
  readonly condition: Condition;
  readonly body: readonly RoutineNode[];
}

/** A named part of a routine: a kernel function that it calls. */
export interface Group {
  readonly kind: 'group';
  readonly name: string;
  readonly body: readonly RoutineNode[];
}

/** A part of a routine. */
export type RoutineNode = Step | When | While | Group;

/**
 * What the two locals of a routine's frame hold, so that the explorer can tell tasks and values from plain numbers. Tasks are
 * stored as their numbers plus one, for a fresh local is 0.
 */
export type LocalKinds = readonly [FieldKind, FieldKind];

/** A named list of steps. */
export interface Routine {
  readonly name: string;
  readonly body: readonly RoutineNode[];
  /** Plain numbers when left out. */
  readonly locals?: LocalKinds;
}

/** Declares a step. */
export function step(name: string, run: StepAction, options: Pick<Step, 'instruction' | 'nmExpected'> = {}): Step {
  return { kind: 'step', name, run, ...options };
}

/** Runs `body` if the condition holds, `otherwise` if not. */
export function when(condition: Condition, body: readonly RoutineNode[], otherwise: readonly RoutineNode[] = []): When {
  return { kind: 'when', condition, body, otherwise };
}

/** Runs `body` unless the condition holds. */
export function unless(condition: Condition, body: readonly RoutineNode[]): When {
  return when((kernel) => !condition(kernel), body);
}

/** Runs `body` while the condition holds. */
export function whileHolds(condition: Condition, body: readonly RoutineNode[]): While {
  return { kind: 'while', condition, body };
}

/** The steps of a kernel function that the routine calls. */
export function group(name: string, body: readonly RoutineNode[]): Group {
  return { kind: 'group', name, body };
}

/** Declares a routine. */
export function routine(name: string, body: readonly RoutineNode[], options: Pick<Routine, 'locals'> = {}): Routine {
  return { name, body, ...options };
}

/**
 * One edit of a patch. `step` names a step or a group of the routine. `routine` may be `hook:<hook>`: the routine that answers the hook.
 * What is appended to the answer to a hook that nobody answers becomes the answer.
 */
export type PatchEdit =
  | {
      readonly edit: 'insert-before' | 'insert-after' | 'replace';
      readonly routine: string;
      readonly step: string;
      readonly nodes: readonly RoutineNode[];
    }
  | { readonly edit: 'prepend' | 'append'; readonly routine: string; readonly nodes: readonly RoutineNode[] }
  | { readonly edit: 'remove'; readonly routine: string; readonly step: string }
  | {
      readonly edit: 'move-before' | 'move-after';
      readonly routine: string;
      readonly step: string;
      readonly anchor: string;
    }
  | {
      /** To the end of another routine, as compilers and people move code. */
      readonly edit: 'move-to';
      readonly routine: string;
      readonly step: string;
      readonly to: string;
    };

/** A change to the routines of a policy or platform, with a name and a source. */
export interface Patch {
  readonly id: string;
  readonly title: string;
  /** Where the change comes from: a commit, a mail, or `hypothetical`. */
  readonly source: string;
  /** It changes what KVM does, and is left out where nobody runs a guest. */
  readonly onlyWithGuests?: boolean;
  /** It changes what KVM does with XCR0, and is left out where no guest sets its own. */
  readonly onlyWithXsetbv?: boolean;
  readonly edits: readonly PatchEdit[];
  /** The patched kernel is one of those that look whether a frame fits the alternate stack: as in `BasePolicy`. */
  readonly checksAltstack?: true;
}

/**
 * Routines after a patch.
 *
 * @throws FpuError FPU203 when a routine or step that the patch names is absent; the message lists what is there
 */
export function applyPatch(routines: readonly Routine[], patch: Pick<Patch, 'id' | 'edits'>): readonly Routine[] {
  return patch.edits.reduce((current, edit) => {
    const target = routineOf(current, edit.routine, patch.id);
    if (edit.edit === 'move-to') return moveTo(current, target, edit, patch.id);
    return withBody(current, target, editBody(target.body, edit, patch.id));
  }, routines);
}

function routineOf(routines: readonly Routine[], name: string, patch: string): Routine {
  const found = routines.find((candidate) => candidate.name === name);
  if (found) return found;
  const known = [...new Set(routines.map((candidate) => candidate.name))];
  const declared = known.map((one) => `'${one}'`).join(', ');
  throw new FpuError(
    'FPU203',
    `patch '${patch}' changes the routine '${name}', which nobody here declares; declared: ${declared}`,
    { patch, routine: name, known },
  );
}

function withBody(routines: readonly Routine[], target: Routine, body: Routine['body']): readonly Routine[] {
  return routines.map((candidate) => (candidate === target ? { ...target, body } : candidate));
}

function moveTo(
  routines: readonly Routine[],
  from: Routine,
  { step, to }: { readonly step: string; readonly to: string },
  patch: string,
): readonly Routine[] {
  const moved: RoutineNode[] = [];
  const body = splice(from.body, step, from.name, patch, (node) => {
    moved.push(node);
    return [];
  });
  const without = withBody(routines, from, body);
  const target = routineOf(without, to, patch);
  return withBody(without, target, [...target.body, ...moved]);
}

function editBody(
  body: readonly RoutineNode[],
  edit: Exclude<PatchEdit, { readonly edit: 'move-to' }>,
  patch: string,
): readonly RoutineNode[] {
  switch (edit.edit) {
    case 'prepend':
      return [...edit.nodes, ...body];
    case 'append':
      return [...body, ...edit.nodes];
    case 'insert-before':
      return splice(body, edit.step, edit.routine, patch, (node) => [...edit.nodes, node]);
    case 'insert-after':
      return splice(body, edit.step, edit.routine, patch, (node) => [node, ...edit.nodes]);
    case 'replace':
      return splice(body, edit.step, edit.routine, patch, () => edit.nodes);
    case 'remove':
      return splice(body, edit.step, edit.routine, patch, () => []);
    case 'move-before':
    case 'move-after': {
      let moved: RoutineNode | undefined;
      const without = splice(body, edit.step, edit.routine, patch, (node) => {
        moved = node;
        return [];
      });
      const node = moved as RoutineNode;
      return splice(without, edit.anchor, edit.routine, patch, (anchor) =>
        edit.edit === 'move-before' ? [node, anchor] : [anchor, node],
      );
    }
  }
}

/** Replaces the one node of this name, at any depth, by what `edit` makes of it. */
function splice(
  body: readonly RoutineNode[],
  name: string,
  routineName: string,
  patch: string,
  edit: (node: RoutineNode) => readonly RoutineNode[],
): readonly RoutineNode[] {
  let found = 0;
  const visit = (nodes: readonly RoutineNode[]): RoutineNode[] =>
    nodes.flatMap((node): readonly RoutineNode[] => {
      if ('name' in node && node.name === name) {
        found++;
        return edit(node);
      }
      if (node.kind === 'step') return [node];
      const body = visit(node.body);
      return [node.kind === 'when' ? { ...node, body, otherwise: visit(node.otherwise) } : { ...node, body }];
    });
  const result = visit(body);
  if (found === 1) return result;
  const known = nodeNames(body);
  throw new FpuError(
    'FPU203',
    `patch '${patch}' needs exactly one '${name}' in ${routineName}, found ${found}; there: ${known.join(', ')}`,
    { patch, routine: routineName, step: name, known },
  );
}

/** Names of all steps and groups in a routine, in order. */
export function nodeNames(body: readonly RoutineNode[]): readonly string[] {
  const names: string[] = [];
  const visit = (nodes: readonly RoutineNode[]): void => {
    for (const node of nodes) {
      if ('name' in node) names.push(node.name);
      if (node.kind !== 'step') visit(node.body);
      if (node.kind === 'when') visit(node.otherwise);
    }
  };
  visit(body);
  return names;
}
