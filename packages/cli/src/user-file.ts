/** Files of a user's own, .ts and .js, loaded when they are named: policies and patches. */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { FpuError, isFpuError, type ErrorDetail } from '@fpulab/core';

/** What a file of a user's own has. */
export type FileKind = 'policy' | 'patch';

/** True for what names a file rather than something that is built in. */
export function isUserFile(name: string): boolean {
  return /\.[cm]?[jt]s$/.test(name);
}

/** Files that were loaded, as stack traces name them. */
const loadedFiles = new Map<string, FileKind>();

/**
 * Loads a file.
 *
 * @returns its default export, or all that it exports
 * @throws FpuError FPU502 for a missing file, FPU209 for one that does not load
 */
export function loadUserFile(name: string, kind: FileKind): unknown {
  const path = resolve(name);
  if (!existsSync(path)) throw new FpuError('FPU502', `no ${kind} file '${name}'`, { file: name });
  loadedFiles.set(path, kind);
  if (/ts$/.test(path)) registerTypeScript();
  try {
    // eslint-disable-next-line @typescript-eslint/no-require-imports -- a user's file, known only at run time
    const exported = require(path) as { default?: unknown };
    return exported.default ?? exported;
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    const reason = message.split('\n')[0].replace(/^\s*[x×]\s+/, '');
    const detail = missingImport(cause) ?? syntaxErrorIn(message) ?? placeIn(cause);
    throw refusal(name, `the ${kind} file '${name}' does not load: ${reason}`, detail, cause);
  }
}

/**
 * What is thrown out of a user's code, as the user's mistake with its place; all else as it is.
 *
 * A step is called from our code, so only the stack can tell whose mistake it is.
 */
export function blamedOnUser(error: unknown): unknown {
  const place = isFpuError(error) ? undefined : placeIn(error);
  if (place === undefined) return error;
  return refusal(
    place.file,
    `the ${loadedFiles.get(place.file) ?? 'policy'} file '${place.file}' failed: ${String(error)}`,
    place,
    error,
  );
}

/** What is wrong with a user's file. */
export function refusal(file: string, message: string, detail: ErrorDetail = {}, cause?: unknown): FpuError {
  return new FpuError('FPU209', message, { file, ...detail }, { cause });
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

/** The innermost frame of an error's stack that lies in a user's file. */
export function placeIn(error: unknown): { file: string; line: number; column: number } | undefined {
  const frames = error instanceof Error ? (error.stack ?? '').matchAll(/([^\s()]+):(\d+):(\d+)\)?$/gm) : [];
  for (const [, file, line, column] of frames) {
    const path = file.replace(/^file:\/\//, '');
    if (loadedFiles.has(path)) return { file: path, line: Number(line), column: Number(column) };
  }
  return undefined;
}

let typeScriptRegistered = false;

/** Users' files are TypeScript: swc compiles them when they are loaded; types are not checked. */
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
