import { CPU_MODELS, FpuError, ORACLES, ORACLE_TEXT, SCENARIOS } from '@fpulab/core';
import { PLATFORMS } from '@fpulab/hypervisor';
import { PRESETS } from '@fpulab/policies';
import { EXIT } from '../exit-codes';
import { PATCHES } from '../request';
import { print, printJson, type GlobalOptions } from '../terminal';
import { REPRODUCTIONS } from './reproductions';

interface Listed {
  readonly id: string;
  readonly title: string;
}

const KINDS: Readonly<Record<string, () => readonly Listed[]>> = {
  presets: () => PRESETS.map(({ id, title }) => ({ id, title })),
  platforms: () => Object.entries(PLATFORMS).map(([id, make]) => ({ id, title: make().title })),
  patches: () => PATCHES.map(({ id, title }) => ({ id, title })),
  scenarios: () => SCENARIOS.map(({ id, title }) => ({ id, title })),
  cpus: () => CPU_MODELS.map(({ id, title }) => ({ id, title })),
  oracles: () => ORACLES.map((id) => ({ id, title: ORACLE_TEXT[id] })),
  reproductions: () => REPRODUCTIONS.map(({ id, title }) => ({ id, title })),
};

/** `fpulab list [kind]` */
export function list(kind: string | undefined, options: GlobalOptions): number {
  if (kind !== undefined && !Object.hasOwn(KINDS, kind)) {
    const known = Object.keys(KINDS);
    throw new FpuError('FPU504', `nothing called '${kind}' to list; known: ${known.join(', ')}`, { kind, known });
  }
  const kinds = kind === undefined ? Object.keys(KINDS) : [kind];
  const found = Object.fromEntries(kinds.map((name) => [name, KINDS[name]()]));
  if (options.json) printJson({ schema: 'fpulab/list@1', ...found });
  else print(kinds.map((name) => section(name, found[name], kinds.length > 1)).join('\n\n'));
  return EXIT.ok;
}

function section(name: string, entries: readonly Listed[], titled: boolean): string {
  const width = Math.max(...entries.map((entry) => entry.id.length));
  const lines = entries.map((entry) => `${titled ? '  ' : ''}${entry.id.padEnd(width)}  ${entry.title}`);
  return [...(titled ? [name] : []), ...lines].join('\n');
}
