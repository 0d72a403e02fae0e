/** Policies of a user's own: from .ts and .js files, loaded when they are named. */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { FpuError, isFpuError, type ErrorDetail, type Policy } from '@fpulab/core';

/** True for what names a file rather than a preset. */
export function isPolicyFile(name: string): boolean {
  return /\.[cm]?[jt]s$/.test(name);
}

/** Files that were loaded, as stack traces name them. */
const loadedFiles = new Set<string>();

/**
 * Loads a user's file. Its default export is a function that returns a policy or several.
 *
 * @returns makes fresh policy objects, for one machine
 * @throws FpuError FPU502 for a missing file, FPU209 for one that does not load, or that returns no policies
 */
export function policyFile(name: string): () => readonly Policy[] {
  const path = resolve(name);
  if (!existsSync(path)) throw new FpuError('FPU502', `no policy file '${name}'`, { file: name });
  loadedFiles.add(path);
  const factory = factoryIn(loaded(path, name), name);
  return () => {
    let made: unknown;
    try {
      made = factory();
    } catch (cause) {
      if (isFpuError(cause)) throw cause;
      throw refusal(name, `the function of the policy file '${name}' failed: ${String(cause)}`, placeIn(cause), cause);
    }
    return [made].flat().map((policy) => checkedPolicy(policy, name));
  };
}

/**
 * What is thrown out of the code of a user's policy, as the user's mistake with its place; all else as it is.
 *
 * A step is called from our code, so only the stack can tell whose mistake it is.
 */
export function blamedOnPolicy(error: unknown): unknown {
  const place = isFpuError(error) ? undefined : placeIn(error);
  if (place === undefined) return error;
  return refusal(place.file, `the policy file '${place.file}' failed: ${String(error)}`, place, error);
}

function refusal(file: string, message: string, detail: ErrorDetail = {}, cause?: unknown): FpuError {
  return new FpuError('FPU209', message, { file, ...detail }, { cause });
}

// --- loading -------------------------------------------------------------------------------------------------------

function loaded(path: string, name: string): unknown {
  if (/ts$/.test(path)) registerTypeScript();
  try {
    // eslint-disable-next-line @typescript-eslint/no-require-imports -- a user's file, known only at run time
    return require(path);
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    const reason = message.split('\n')[0].replace(/^\s*[x×]\s+/, '');
    const detail = missingImport(cause) ?? syntaxErrorIn(message) ?? placeIn(cause);
    throw refusal(name, `the policy file '${name}' does not load: ${reason}`, detail, cause);
  }
}

/** An import has no place of its own in what a file was compiled to. */
function missingImport(error: unknown): ErrorDetail | undefined {
  switch ((error as NodeJS.ErrnoException | null)?.code) {
    case 'MODULE_NOT_FOUND':
      return {};
    case 'ERR_MODULE_NOT_FOUND':
      return {
        hint: 'an ES module finds only packages that lie beside it; a .ts or .cjs file finds those of fpulab, too',
      };
    default:
      return undefined;
  }
}

/** swc draws where a syntax error is: `,-[/home/you/policy.ts:3:14]`. */
function syntaxErrorIn(message: string): ErrorDetail | undefined {
  const [, file, line, column] = /[-─]\[(.+):(\d+):(\d+)\]/.exec(message) ?? [];
  return file === undefined ? undefined : { file, line: Number(line), column: Number(column) };
}

/** The innermost frame of an error's stack that lies in a policy file. */
function placeIn(error: unknown): { file: string; line: number; column: number } | undefined {
  const frames = error instanceof Error ? (error.stack ?? '').matchAll(/([^\s()]+):(\d+):(\d+)\)?$/gm) : [];
  for (const [, file, line, column] of frames) {
    const path = file.replace(/^file:\/\//, '');
    if (loadedFiles.has(path)) return { file: path, line: Number(line), column: Number(column) };
  }
  return undefined;
}

let typeScriptRegistered = false;

/** Users' policies are TypeScript: swc compiles them when they are loaded; types are not checked. */
function registerTypeScript(): void {
  if (typeScriptRegistered) return;
  typeScriptRegistered = true;
  // eslint-disable-next-line @typescript-eslint/no-require-imports -- loaded only where it is needed
  (require('ts-node') as { register(options: object): void }).register({
    swc: true,
    skipProject: true,
    compilerOptions: {
      module: 'CommonJS',
      moduleResolution: 'Node10',
      ignoreDeprecations: '6.0',
      target: 'ES2022',
      experimentalDecorators: true,
    },
  });
}

// --- checking ------------------------------------------------------------------------------------------------------

function factoryIn(exported: unknown, file: string): () => unknown {
  const factory = (exported as { default?: unknown }).default ?? exported;
  if (typeof factory === 'function') return factory as () => unknown;
  throw refusal(file, `the policy file '${file}' has no default export that is a function returning policies`, {
    hint: 'export default function myPolicy(): BasePolicy { return { ... }; }',
  });
}

/** Keys that a policy of each kind needs, and how they look. */
const NEEDED: Readonly<Record<string, (value: unknown) => boolean>> = {
  id: (value) => typeof value === 'string',
  kind: (value) => value === 'base' || value === 'modifier',
  slots: Array.isArray,
  routines: Array.isArray,
};
const NEEDED_BY_BASE: typeof NEEDED = {
  hooks: (value) => typeof value === 'object' && value !== null,
  roles: (value) => typeof value === 'object' && value !== null,
  fpstate: (value) => value === 'embedded' || value === 'allocated',
};

function checkedPolicy(policy: unknown, file: string): Policy {
  const given = (typeof policy === 'object' && policy !== null ? policy : {}) as Readonly<Record<string, unknown>>;
  const needed = given.kind === 'base' ? { ...NEEDED, ...NEEDED_BY_BASE } : NEEDED;
  const missing = Object.keys(needed).filter((key) => !needed[key](given[key]));
  if (missing.length === 0) return policy as Policy;
  const problem = `returns something that is no policy: wrong or missing are ${missing.join(', ')}`;
  throw refusal(file, `the policy file '${file}' ${problem}`, { missing });
}
