/** The source files that something depends on, as the module cache knows them. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { relative, resolve, sep } from 'node:path';

/** What `require.cache` says of a module. */
export interface LoadedModule {
  readonly filename: string;
  readonly children: readonly LoadedModule[];
}

/** A file that counts: its name, and a digest of its contents; null where the name says enough. */
export type SourceFile = readonly [name: string, digest: string | null];

/** Where our packages lie side by side: names are relative to it. */
const PACKAGES = resolve(__dirname, '../../../..');
const THIRD_PARTY = /^.*[\\/]node_modules[\\/](?!@fpulab[\\/])/s;

/** Finds the files behind modules. What it has read it does not read again. */
export class SourceFiles {
  private readonly digests = new Map<string, string>();

  constructor(private readonly cache: Readonly<Record<string, LoadedModule | undefined>> = require.cache) {}

  /**
   * The files of these modules and of all that they require, in order of their names. Of third-party modules only the
   * names count, and not what they require.
   */
  behind(entries: readonly string[]): readonly SourceFile[] {
    const found = new Map<string, SourceFile>();
    const visit = ({ filename, children }: LoadedModule): void => {
      if (found.has(filename)) return;
      const isThirdParty = THIRD_PARTY.test(filename);
      found.set(filename, isThirdParty ? [nameOf(filename), null] : [nameOf(filename), this.digestOf(filename)]);
      if (!isThirdParty) children.forEach(visit);
    };
    for (const entry of entries) visit(this.loaded(entry));
    return [...found.values()].sort(([one], [other]) => (one < other ? -1 : 1));
  }

  private loaded(file: string): LoadedModule {
    const found = this.cache[file];
    if (found) return found;
    throw new Error(`fpulab bug: the module '${nameOf(file)}' is not loaded, so nobody knows what it depends on`);
  }

  private digestOf(file: string): string {
    let digest = this.digests.get(file);
    if (digest === undefined) {
      digest = createHash('sha256').update(readFileSync(file)).digest('hex');
      this.digests.set(file, digest);
    }
    return digest;
  }
}

function nameOf(file: string): string {
  const name = THIRD_PARTY.test(file) ? file.replace(THIRD_PARTY, 'node_modules/') : relative(PACKAGES, file);
  return name.split(sep).join('/');
}
