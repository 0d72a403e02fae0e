/** Runs vectors and counts what agreed. */
import { decode, isModelledInFull, type CpuModel } from '@fpulab/core';
import { compare, isUndetermined, type Difference } from './compare';
import { bytesOf, type Vector, type VectorFile } from './format';
import { processorOf } from './processors';
import { runVector, type Run } from './run';

/** `partial`: all that is modelled agrees, but the instruction computes data that is not. */
export type Verdict = 'passed' | 'partial' | 'failed';

/** How many vectors of one instruction ended how. */
export type Tally = Record<Verdict, number>;

/** A vector that failed. */
export interface Failure {
  readonly id: string;
  readonly file: string;
  readonly instruction: string;
  readonly category: string;
  readonly asm: string;
  readonly difference: Difference;
}

/** What running a set of vectors showed. */
export interface Judgement extends Tally {
  readonly total: number;
  /** By the instruction under test, ascending. */
  readonly byInstruction: Readonly<Record<string, Tally>>;
  readonly failures: readonly Failure[];
}

/** A file of vectors and its name. */
export interface NamedFile {
  readonly name: string;
  readonly file: VectorFile;
}

/** Decides about vectors before they run; all run where there is none. */
export type VectorFilter = (vector: Vector) => boolean;

/** Vectors that wait to be run, and what came of those that have been. */
export class Judge {
  private readonly tallies = new Map<string, Tally>();
  private readonly failures: Failure[] = [];
  private readonly waiting: readonly { readonly named: NamedFile; readonly vector: Vector; readonly model: CpuModel }[];
  private done = 0;

  /**
   * @param files parsed files
   * @param filter which vectors to run
   * @throws FpuError FPU602 when no CPU model stands for a file's processor
   */
  constructor(files: readonly NamedFile[], filter: VectorFilter = () => true) {
    this.waiting = files.flatMap((named) => {
      const model = processorOf(named.file, named.name);
      return named.file.vectors.filter(filter).map((vector) => ({ named, vector, model }));
    });
  }

  /** Vectors to run in all, and run so far. */
  get progress(): { readonly total: number; readonly done: number } {
    return { total: this.waiting.length, done: this.done };
  }

  /** Runs up to `count` vectors; false when none is left. */
  run(count: number): boolean {
    for (const { named, vector, model } of this.waiting.slice(this.done, this.done + count)) {
      const { verdict, difference } = judgeVector(named.file, vector, model);
      this.tallyOf(vector.insn)[verdict]++;
      if (difference) this.failures.push(failureOf(named.name, vector, difference));
      this.done++;
    }
    return this.done < this.waiting.length;
  }

  /** What is known now. */
  judgement(): Judgement {
    const names = [...this.tallies.keys()].sort();
    const count = (verdict: Verdict): number => names.reduce((sum, name) => sum + this.tallyOf(name)[verdict], 0);
    const byInstruction = Object.fromEntries(names.map((name) => [name, this.tallyOf(name)]));
    return {
      total: this.done,
      passed: count('passed'),
      partial: count('partial'),
      failed: count('failed'),
      byInstruction,
      failures: this.failures,
    };
  }

  private tallyOf(instruction: string): Tally {
    const tally = this.tallies.get(instruction) ?? { passed: 0, partial: 0, failed: 0 };
    this.tallies.set(instruction, tally);
    return tally;
  }
}

/** Runs all vectors of some files. */
export function judge(files: readonly NamedFile[], filter?: VectorFilter): Judgement {
  const all = new Judge(files, filter);
  while (all.run(1000));
  return all.judgement();
}

function failureOf(file: string, { id, insn, cat, asm }: Vector, difference: Difference): Failure {
  return { id, file, instruction: insn, category: cat, asm, difference };
}

/** Runs one vector. */
export function judgeVector(
  file: VectorFile,
  vector: Vector,
  model: CpuModel,
): { readonly verdict: Verdict; readonly difference?: Difference } {
  const run = runVector(file, vector, model);
  const difference = compare(file, vector, run) ?? unallowed(file, vector, run);
  if (difference) return { verdict: 'failed', difference };
  return { verdict: isUndetermined(run) ? 'partial' : 'passed' };
}

/** Nothing may stay open where all instructions save, restore, initialise or control state: they are modelled in full. */
function unallowed(file: VectorFile, vector: Vector, run: Run): Difference | undefined {
  if (!isUndetermined(run) || computesData(file, vector)) return undefined;
  return { component: 'model', field: 'result', expected: 'all of it', found: 'not determined' };
}

/** True when some instruction is one whose results are not modelled. */
function computesData(file: VectorFile, { code, mode }: Vector): boolean {
  const bytes = bytesOf(file, code);
  for (let offset = 0; offset < bytes.length;) {
    const instruction = decode(bytes, offset, mode);
    if (!isModelledInFull(instruction)) return true;
    offset += Math.max(1, instruction.length);
  }
  return false;
}
