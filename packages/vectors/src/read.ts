/** Reads a file of vectors and refuses what could not be run. */
import { gunzipSync } from 'node:zlib';
import { FpuError } from '@fpulab/core';
import type { ZodError } from 'zod';
import { COMPONENT_KEYS, bytesOf, vectorFileSchema, type Vector, type VectorFile } from './format';

const GZIP_MAGIC = [0x1f, 0x8b];
/** Bytes of each component in the format. */
const COMPONENT_BYTES = {
  xmm: 256,
  ymmh: 256,
  k: 64,
  zmmh: 512,
  hi16: 1024,
  pkru: 8,
  tilecfg: 64,
  tiledata: 8192,
} as const;

/**
 * Parses a file of vectors, gzip or plain JSON.
 *
 * @param name how errors call it
 * @throws FpuError FPU601 when it is not a file of vectors, or one of its parts is malformed or refers to what is not there
 */
export function readVectorFile(data: Uint8Array, name: string): VectorFile {
  const json = parseJson(uncompressed(data, name), name);
  const parsed = vectorFileSchema.safeParse(json);
  if (!parsed.success) throw schemaError(parsed.error, json, name);
  const problem = inconsistency(parsed.data);
  if (problem) throw malformed(name, problem);
  return parsed.data;
}

function uncompressed(data: Uint8Array, name: string): string {
  if (!GZIP_MAGIC.every((byte, index) => data[index] === byte)) return Buffer.from(data).toString('utf8');
  try {
    return gunzipSync(data).toString('utf8');
  } catch (error) {
    throw malformed(name, `the gzip data is damaged (${(error as Error).message})`);
  }
}

function parseJson(text: string, name: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw malformed(name, `not JSON (${(error as Error).message})`);
  }
}

/** The first complaint, with the id of the vector that it is about. */
function schemaError(error: ZodError, json: unknown, name: string): FpuError {
  const [issue] = error.issues;
  const path = issue.path.map(String);
  const vectors: unknown = (json as { vectors?: unknown } | null)?.vectors;
  const id: unknown = path[0] === 'vectors' && Array.isArray(vectors) ? vectors[Number(path[1])]?.id : undefined;
  const where = typeof id === 'string' ? `vector ${id}, ${path.slice(2).join('.')}` : path.join('.') || 'the file';
  return malformed(name, `${where}: ${issue.message}`);
}

function inconsistency(file: VectorFile): string | undefined {
  if (file.count !== file.vectors.length)
    return `count says ${file.count}, the file has ${file.vectors.length} vectors`;
  for (const [key, { load, visible }] of Object.entries(file.states)) {
    const problem =
      componentProblem(file, load) ?? stackProblem(file, load.x87?.st ?? []) ?? viewProblem(file, visible.x87);
    if (problem) return `state ${key}: ${problem}`;
  }
  for (const [key, { st }] of Object.entries(file.x87)) {
    const problem = stackProblem(file, st);
    if (problem) return `x87 view ${key}: ${problem}`;
  }
  const ids = new Set<string>();
  for (const vector of file.vectors) {
    const problem = ids.has(vector.id) ? 'the id is there twice' : vectorProblem(file, vector);
    if (problem) return `vector ${vector.id}: ${problem}`;
    ids.add(vector.id);
  }
  return undefined;
}

type Components = Partial<Record<(typeof COMPONENT_KEYS)[number], string>>;

function componentProblem(file: VectorFile, components: Components): string | undefined {
  for (const key of COMPONENT_KEYS) {
    const text = components[key];
    if (text === undefined) continue;
    const problem = byteProblem(file, text);
    if (problem) return `${key}: ${problem}`;
    const found = bytesOf(file, text).length;
    if (found !== COMPONENT_BYTES[key]) return `${key} has ${found} bytes, expected ${COMPONENT_BYTES[key]}`;
  }
  return undefined;
}

function viewProblem(file: VectorFile, key: string): string | undefined {
  return Object.hasOwn(file.x87, key) ? undefined : `no x87 view '${key}'`;
}

const REGISTER_BYTES = 10;

function stackProblem(file: VectorFile, st: readonly string[]): string | undefined {
  for (const [index, text] of st.entries()) {
    const problem = byteProblem(file, text);
    if (problem) return `st[${index}]: ${problem}`;
    const found = bytesOf(file, text).length;
    if (found !== REGISTER_BYTES) return `st[${index}] has ${found} bytes, expected ${REGISTER_BYTES}`;
  }
  return undefined;
}

function vectorProblem(file: VectorFile, { state, mem, out, code }: Vector): string | undefined {
  if (!Object.hasOwn(file.states, state)) return `no state '${state}'`;
  const view = out.state?.x87 === undefined ? undefined : viewProblem(file, out.state.x87);
  if (view) return view;
  for (const [offset, text] of [...mem.init, ...out.mem]) {
    const problem = byteProblem(file, text);
    if (problem) return `memory at ${offset}: ${problem}`;
    const end = offset + bytesOf(file, text).length;
    if (end > file.memory.size)
      return `memory at ${offset} ends at ${end}, behind the ${file.memory.size} bytes there are`;
  }
  return byteProblem(file, code) ?? componentProblem(file, out.state ?? {});
}

function byteProblem({ blobs }: VectorFile, text: string): string | undefined {
  return text.startsWith('@') && !Object.hasOwn(blobs, text.slice(1)) ? `no blob '${text.slice(1)}'` : undefined;
}

function malformed(name: string, problem: string): FpuError {
  return new FpuError('FPU601', `${name} is not a file of vectors: ${problem}`, {
    file: name,
    hint: 'the format is described in docs/vectors.md',
  });
}
