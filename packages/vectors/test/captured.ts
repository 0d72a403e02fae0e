/** The vectors in testdata, read once. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { CpuModel } from '@fpulab/core';
import { judgeVector, processorOf, readVectorFile, type Vector, type VectorFile } from '../src';

/** Where the vectors are. */
export const VECTORS = join(__dirname, '../../../testdata/vectors');

/** One file and the CPU model that stands for its processor. */
export interface Captured {
  readonly name: string;
  readonly file: VectorFile;
  readonly model: CpuModel;
}

/** The raw bytes of a file in testdata. */
export function rawFile(name: string): Uint8Array {
  return readFileSync(join(VECTORS, name));
}

/** All files, in the order of their names. */
export const CAPTURED: readonly Captured[] = readdirSync(VECTORS)
  .sort()
  .map((name) => {
    const file = readVectorFile(rawFile(name), name);
    return { name, file, model: processorOf(file, name) };
  });

/** A vector and where it is from. */
export interface Sample extends Captured {
  readonly vector: Vector;
}

/** Of every file and every instruction in it, the first vector that faults and the first that does not, if they pass entirely. */
export function samples(): readonly Sample[] {
  return CAPTURED.flatMap((captured) => {
    const chosen = new Map<string, Sample>();
    for (const vector of captured.file.vectors) {
      const kind = `${vector.insn} ${vector.out.fault === null}`;
      if (chosen.has(kind)) continue;
      if (judgeVector(captured.file, vector, captured.model).verdict === 'passed')
        chosen.set(kind, { ...captured, vector });
    }
    return [...chosen.values()];
  });
}
