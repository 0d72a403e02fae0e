import {
  CPU_IDS,
  FpuError,
  ORACLES,
  ORACLE_TEXT,
  SCENARIOS,
  cpuModel,
  cpuModelFile,
  type CpuModelFile,
  type Feature,
} from '@fpulab/core';
import { PLATFORMS } from '@fpulab/hypervisor';
import { BUGS, KNOWN_BUGS, PRESETS, type Preset } from '@fpulab/policies';
import { EXIT } from '../exit-codes';
import { PATCHES } from '../request';
import { print, printJson, type GlobalOptions } from '../terminal';
import { PASID_UPDATE_TITLED } from '../reproduce/pasid-update';
import { REPRODUCTIONS } from './reproductions';
import { routineText, routinesOf } from './routines';

/** An entry; in JSON with all its fields. */
interface Listed {
  readonly id: string;
  readonly title: string;
}

const KINDS: Readonly<Record<string, () => readonly Listed[]>> = {
  presets: () =>
    PRESETS.map(({ id, title, parts, patches, bugs, fixed = [] }) => ({ id, title, parts, patches, bugs, fixed })),
  platforms: () => Object.entries(PLATFORMS).map(([id, make]) => ({ id, title: make().title })),
  patches: () => PATCHES.map(({ id, title }) => ({ id, title })),
  scenarios: () => SCENARIOS.map(({ id, title }) => ({ id, title })),
  cpus: () => CPU_IDS.map((id) => cpuModelFile(cpuModel(id))),
  oracles: () => ORACLES.map((id) => ({ id, title: ORACLE_TEXT[id] })),
  reproductions: () => [...REPRODUCTIONS.map(({ id, title }) => ({ id, title })), PASID_UPDATE_TITLED],
  bugs: () => [
    ...BUGS.map(({ id, name, title, year, kernels }) => ({ id, title, name, year, kernels })),
    ...outsideMuseum(),
  ],
};

/** Bugs that presets have, and that are not in the museum. */
function outsideMuseum(): readonly (Listed & { readonly source: string; readonly presets: readonly string[] })[] {
  return KNOWN_BUGS.filter(({ id }) => BUGS.every((bug) => bug.id !== id)).map(({ id, title, source, derived }) => ({
    id,
    title,
    source: derived ? `derived: ${source}` : source,
    presets: PRESETS.filter(({ bugs }) => bugs.some((bug) => bug.id === id)).map((preset) => preset.id),
  }));
}

/** `fpulab list [kind]`, `fpulab list routines <preset>` */
export function list(kind: string | undefined, preset: string | undefined, options: GlobalOptions): number {
  if (kind === 'routines') return listRoutines(preset, options);
  if (preset !== undefined) throw new FpuError('FPU501', `'${preset}' is one too many: only routines are of a preset`);
  if (kind !== undefined && !Object.hasOwn(KINDS, kind)) {
    const known = [...Object.keys(KINDS), 'routines'];
    throw new FpuError('FPU504', `nothing called '${kind}' to list; known: ${known.join(', ')}`, { kind, known });
  }
  const kinds = kind === undefined ? Object.keys(KINDS) : [kind];
  const found = Object.fromEntries(kinds.map((name) => [name, KINDS[name]()]));
  if (options.json) printJson({ schema: 'fpulab/list@1', ...found });
  else print(kinds.map((name) => section(name, found[name], kinds.length > 1)).join('\n\n'));
  return EXIT.ok;
}

function listRoutines(preset: string | undefined, options: GlobalOptions): number {
  const routines = routinesOf(preset);
  if (options.json) printJson({ schema: 'fpulab/list@1', routines });
  else print(routines.map(routineText).join('\n\n'));
  return EXIT.ok;
}

function section(name: string, entries: readonly Listed[], titled: boolean): string {
  const width = Math.max(...entries.map((entry) => entry.id.length));
  const indent = titled ? '  ' : '';
  const lines = entries.flatMap((entry) => [
    `${indent}${entry.id.padEnd(width)}  ${entry.title}`,
    ...detailsOf(entry).map((detail) => `${indent}${' '.repeat(width)}    ${detail}`),
  ]);
  return [...(titled ? [name] : []), ...lines].join('\n');
}

function detailsOf(entry: Listed): readonly string[] {
  if (isCpu(entry)) return [summaryOf(entry)];
  if ('presets' in entry) return [`not in the museum; in ${(entry.presets as readonly string[]).join(', ')}`];
  return isPreset(entry) ? [compositionOf(entry)] : [];
}

type ListedPreset = Omit<Preset, 'policies'>;

function isPreset(entry: Listed): entry is ListedPreset {
  return 'parts' in entry;
}

/** `lazy-cr0-ts (linux-3.6); with its bugs F44 on xen-pv, F49; with the fixes of F32` */
function compositionOf({ parts, patches, bugs, fixed = [] }: ListedPreset): string {
  const policies = parts.map(({ policy, era }) => (era === undefined ? policy : `${policy} (${era})`));
  const own = bugs.map(({ id, on }) => (on === undefined ? id : `${id} on ${on}`));
  return [
    [...policies, ...patches].join(' + '),
    ...(own.length === 0 ? [] : [`with its bugs ${own.join(', ')}`]),
    ...(fixed.length === 0 ? [] : [`with the fixes of ${fixed.join(', ')}`]),
  ].join('; ');
}

function isCpu(entry: Listed): entry is CpuModelFile {
  return 'behaviour' in entry;
}

/** Features that decide which save instructions there are. */
const SAVE_FEATURES: readonly Feature[] = ['fxsr', 'xsave', 'xsaveopt', 'xsavec', 'xsaves', 'xfd'];

/** `xsave xsaveopt, XCR0 0x7, MXCSR_MASK 0xffff` */
function summaryOf({ features, xcr0, xss, mxcsrMask }: CpuModelFile): string {
  const saves = SAVE_FEATURES.filter((feature) => features.includes(feature));
  const parts = [saves.length === 0 ? 'fnsave only' : saves.join(' ')];
  if (features.includes('xsave')) parts.push(`XCR0 ${xcr0}`);
  if (features.includes('xsaves')) parts.push(`XSS ${xss}`);
  if (features.includes('sse')) parts.push(`MXCSR_MASK ${mxcsrMask}`);
  return parts.join(', ');
}
