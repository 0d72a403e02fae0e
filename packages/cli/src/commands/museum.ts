import { BUGS, bugOf, type Bug } from '@fpulab/policies';
import { EXIT } from '../exit-codes';
import { watched, type Watched } from '../explore/conduct';
import { museumDocument, type MuseumResult } from '../museum/document';
import { explored, isFound, isVerified, type Exhibit } from '../museum/exhibit';
import type { MuseumFlags } from '../museum/flags';
import { museumText } from '../museum/text';
import { paintFor, print, printJson, type GlobalOptions } from '../terminal';

export type { MuseumFlags };

/**
 * `fpulab museum [id...]`
 *
 * @throws FpuError FPU504 for an unknown bug
 */
export async function museum(
  ids: readonly string[],
  { diagram }: MuseumFlags,
  options: GlobalOptions,
): Promise<number> {
  const bugs = ids.length === 0 ? BUGS : [...new Set(ids)].map(bugOf);
  const began = performance.now();
  const { exhibits, interrupted } = await watched(options, (under) => exploreAll(bugs, under));
  const result = { exhibits, interrupted, durationMs: performance.now() - began };
  if (options.json) printJson(museumDocument(result, diagram));
  else print(museumText(result, diagram, paintFor(options.color)));
  return exitCodeOf(result);
}

/** 0 when every bug was found and every fix verified. */
export function exitCodeOf({ exhibits, interrupted }: MuseumResult): number {
  if (interrupted) return EXIT.interrupted;
  return exhibits.every((exhibit) => isFound(exhibit) && isVerified(exhibit)) ? EXIT.ok : EXIT.violation;
}

/** One after the other: the museum is small, and a pool of threads would spend half of its time on starting. */
async function exploreAll(
  bugs: readonly Bug[],
  under: Watched,
): Promise<{ readonly exhibits: readonly Exhibit[]; readonly interrupted: boolean }> {
  const exhibits: Exhibit[] = [];
  for (const [index, bug] of bugs.entries()) {
    if (under.signal.aborted) break;
    const exhibit = await explored(bug, under, `${index + 1} of ${bugs.length}, ${bug.id}`);
    if (exhibit.buggy) exhibits.push(exhibit); // else nothing is known of it
  }
  return { exhibits, interrupted: under.signal.aborted };
}
