/** Oracles of kernels that enable components per task: is IA32_XFD what it has to be, has an image room for what is saved? */
import { FPSTATE_KINDS } from '../machine/state';
import { MOVE_INSTRUCTIONS } from '../kernel/save-format';
import type { EventStream, Watcher } from '../machine/stream';
import type { DynamicState } from '../plugin/plugin';
import { bitsOf } from '../x86/components';

/** Hears what an oracle found. */
export type Report = (oracle: 'stale-msr' | 'image-overrun', cpu: number, task: number, component: number) => void;

const XSAVE = MOVE_INSTRUCTIONS.indexOf('XSAVE');

/** Index in FPSTATE_KINDS of the image that a task uses now. */
export const currentKind = (stream: EventStream, { current }: DynamicState, task: number): number =>
  look(stream, current.base + task);

/**
 * Called when user code of `task` runs on `cpu`: whatever was believed about IA32_XFD has been relied on by now.
 *
 * Linux 6.1 xfd_update_state() writes the MSR only if `xfd_state`, its copy of it, differs from `fpstate->xfd`; with
 * TIF_NEED_FPU_LOAD clear nobody calls it any more. CONFIG_X86_DEBUG_FPU checks the same in xfd_validate_state().
 */
export function checkXfd(
  stream: EventStream,
  { xfd, cachedXfd }: DynamicState,
  where: { readonly cpu: number; readonly task: number },
  report: Report,
): void {
  const { at } = stream.state;
  const real = look(stream, at.xfd + where.cpu);
  const wanted = look(stream, xfd.base + where.task);
  const cached = look(stream, cachedXfd.base + where.cpu);
  const wrong = (real ^ wanted) | (real ^ cached);
  if (wrong === 0) return;
  stream.footprint?.readFpu(where.cpu, where.task); // what is reported
  for (const bit of bitsOf(wrong & at.dynamicXfeatures)) report('stale-msr', where.cpu, where.task, bit);
}

/**
 * A watcher of saves: an image of the kind `task` ends before the dynamic components, the larger one has room for all while
 * its memory is there. XSAVE writes every component that it is asked for; the other instructions write those that are
 * neither INIT nor disabled (Intel SDM Vol. 1, 13.7 to 13.11). Signal frames are as large as their mask by construction.
 */
export function overrunWatcher(stream: EventStream, report: Report): Watcher {
  const { words, at } = stream.state;
  const { task: first, dynamic } = at.firstFpstate;
  const room = (fpstate: number): number => {
    if (fpstate >= first && fpstate < first + at.tasks) return ~at.dynamicXfeatures;
    const isDynamic = dynamic >= 0 && fpstate >= dynamic && fpstate < dynamic + at.tasks;
    return isDynamic && words[at.allocated + fpstate] === 0 ? 0 : ~0;
  };
  return (cpu, fpstate, xfeatures, _bytes, instruction) => {
    const written = instruction === XSAVE ? xfeatures : words[at.xstateBv + fpstate] & xfeatures;
    const overrun = written & ~room(fpstate);
    for (const bit of bitsOf(overrun)) report('image-overrun', cpu, words[at.current + cpu], bit);
  };
}

/** First image of the kind that a task uses now. */
export function currentFirst(stream: EventStream, state: DynamicState, task: number): number {
  return stream.state.at.firstFpstate[FPSTATE_KINDS[currentKind(stream, state, task)]];
}

/** A word that the footprint has to know of. */
function look({ footprint, state }: EventStream, word: number): number {
  footprint?.readWord(word);
  return state.words[word];
}
