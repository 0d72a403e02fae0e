/** Compiles routines to one flat array of instructions: the machine's kernel text. */
import { assert, FpuError } from '../error';
import type { InstructionClass } from '../x86/faults';
import { nodeNames, type Condition, type LocalKinds, type Routine, type RoutineNode, type StepAction } from './routine';

/** A routine and whose it is. */
export interface OwnedRoutine {
  /** `kernel`, or a plugin's id. */
  readonly owner: string;
  readonly routine: Routine;
}

/** A step at its address. */
export interface StepInstruction {
  readonly op: 'step';
  readonly pc: number;
  readonly owner: string;
  readonly routine: string;
  /** Functions that enclose the step within its routine, outermost first. */
  readonly path: readonly string[];
  readonly name: string;
  /** `math_state_restore/init_fpu/kmem_cache_alloc`: unique in the machine. */
  readonly label: string;
  readonly run: StepAction;
  readonly instruction: InstructionClass | undefined;
  readonly nmExpected: boolean;
}

/** A conditional jump: to the next instruction if the condition holds, else to `target`. Taken together with the step that follows. */
export interface BranchInstruction {
  readonly op: 'branch';
  readonly pc: number;
  readonly condition: Condition;
  readonly target: number;
}

/** Goes on elsewhere: the end of a loop. */
export interface JumpInstruction {
  readonly op: 'jump';
  readonly pc: number;
  readonly target: number;
}

/** The end of a routine. */
export interface ReturnInstruction {
  readonly op: 'return';
  readonly pc: number;
  readonly owner: string;
  readonly routine: string;
}

/** What an address holds. */
export type Instruction = StepInstruction | BranchInstruction | JumpInstruction | ReturnInstruction;

/** All routines of a machine at their addresses. Address 0 is never used. */
export interface Code {
  readonly instructions: readonly Instruction[];
  /** A unique name for every address, what logs store: a step's label, `routine@address` for branches and returns. */
  readonly labels: readonly string[];
  /** For every address, what the locals of a frame there hold. */
  readonly localKinds: readonly LocalKinds[];
  /** Name of the routine that an address belongs to. */
  routineAt(pc: number): string;
  /** Address of a routine's first instruction. */
  entry(routine: string): number;
  has(routine: string): boolean;
  /** Address of a step, by routine and name. */
  addressOf(routine: string, name: string): number;
  readonly routines: readonly OwnedRoutine[];
}

/**
 * Lays out routines one behind the other.
 *
 * @throws FpuError FPU205 when two routines have one name, or two steps of a routine
 */
export function compileCode(routines: readonly OwnedRoutine[]): Code {
  const instructions: Instruction[] = [{ op: 'return', pc: 0, owner: 'kernel', routine: '-' }];
  const entries = new Map<string, number>();
  const localKinds: LocalKinds[] = [PLAIN_LOCALS];
  const routineNames: string[] = ['-'];
  for (const { owner, routine } of routines) {
    if (entries.has(routine.name)) {
      const first = routines.find((other) => other.routine.name === routine.name) as OwnedRoutine;
      throw new FpuError(
        'FPU205',
        `the routine '${routine.name}' is declared twice, by ${first.owner} and by ${owner}`,
        { routine: routine.name, owners: [first.owner, owner] },
      );
    }
    entries.set(routine.name, instructions.length);
    refuseDuplicateSteps(routine);
    compileBody(instructions, owner, routine.name, [], routine.body);
    instructions.push({ op: 'return', pc: instructions.length, owner, routine: routine.name });
    while (localKinds.length < instructions.length) {
      localKinds.push(routine.locals ?? PLAIN_LOCALS);
      routineNames.push(routine.name);
    }
  }
  return {
    instructions,
    labels: labelsOf(instructions),
    localKinds,
    routineAt: (pc) => routineNames[pc],
    routines,
    has: (name) => entries.has(name),
    entry(name) {
      const pc = entries.get(name);
      if (pc === undefined) throw new FpuError('FPU207', `nobody declares the routine '${name}'`, { routine: name });
      return pc;
    },
    addressOf(routineName, name) {
      const found = instructions.find((i) => i.op === 'step' && i.routine === routineName && i.name === name);
      assert(found, `no step '${name}' in ${routineName}`);
      return found.pc;
    },
  };
}

const PLAIN_LOCALS: LocalKinds = ['number', 'number'];

function labelsOf(instructions: readonly Instruction[]): readonly string[] {
  const labels: string[] = [];
  let routine = '-';
  // Backwards, because a routine ends with a return, but may start with a branch, which does not know whose it is.
  for (let pc = instructions.length - 1; pc >= 0; pc--) {
    const instruction = instructions[pc];
    if (instruction.op === 'step' || instruction.op === 'return') routine = instruction.routine;
    labels[pc] = instruction.op === 'step' ? instruction.label : `${routine}@${pc}`;
  }
  return labels;
}

function refuseDuplicateSteps(routine: Routine): void {
  const seen = new Set<string>();
  const twice = nodeNames(routine.body).find((name) => seen.size === seen.add(name).size);
  if (twice === undefined) return;
  throw new FpuError(
    'FPU205',
    `two steps of ${routine.name} are called '${twice}'; patches and logs need one name each`,
    {
      routine: routine.name,
      step: twice,
    },
  );
}

function compileBody(
  out: Instruction[],
  owner: string,
  routine: string,
  path: readonly string[],
  body: readonly RoutineNode[],
): void {
  for (const node of body) {
    switch (node.kind) {
      case 'step':
        out.push({
          op: 'step',
          pc: out.length,
          owner,
          routine,
          path,
          name: node.name,
          label: [routine, ...path, node.name].join('/'),
          run: node.run,
          instruction: node.instruction,
          nmExpected: node.nmExpected ?? false,
        });
        break;
      case 'group':
        compileBody(out, owner, routine, [...path, node.name], node.body);
        break;
      case 'when': {
        const branch = reserve(out, routine);
        compileBody(out, owner, routine, path, node.body);
        const jump = node.otherwise.length > 0 ? reserve(out, routine) : -1;
        out[branch] = { op: 'branch', pc: branch, condition: node.condition, target: out.length };
        compileBody(out, owner, routine, path, node.otherwise);
        if (jump >= 0) out[jump] = { op: 'jump', pc: jump, target: out.length };
        break;
      }
      case 'while': {
        const branch = reserve(out, routine);
        compileBody(out, owner, routine, path, node.body);
        out.push({ op: 'jump', pc: out.length, target: branch });
        out[branch] = { op: 'branch', pc: branch, condition: node.condition, target: out.length };
        break;
      }
    }
  }
}

/** Holds a place for an instruction whose target is not known yet. */
function reserve(out: Instruction[], routine: string): number {
  return out.push({ op: 'return', pc: out.length, owner: '', routine }) - 1;
}
