/** Explores with progress on stderr, until it is done or somebody presses Ctrl-C. */
import { explore, type Exploration, type ExploreOptions, type SearchProgress } from '@fpulab/explorer';
import { EXIT } from '../exit-codes';
import { progressLine, type GlobalOptions } from '../terminal';
import { grouped, mebibytes } from './numbers';

/** What several explorations share: one Ctrl-C ends them all. */
export interface Watched {
  readonly signal: AbortSignal;
  /** Explores; `label` goes before its progress. */
  explore(options: ExploreOptions, label?: string): Promise<Exploration>;
}

/** Runs explorations under the eyes of a user: the first Ctrl-C aborts `signal`, the second one ends the process. */
export async function watched<T>(options: GlobalOptions, action: (watched: Watched) => Promise<T>): Promise<T> {
  const abort = new AbortController();
  const interrupt = (): void => {
    if (abort.signal.aborted) process.exit(EXIT.interrupted);
    abort.abort();
  };
  const progress = progressLine(options);
  process.on('SIGINT', interrupt);
  try {
    return await action({
      signal: abort.signal,
      explore(exploring, label = '') {
        const rate = rateMeter();
        return explore({
          ...exploring,
          signal: abort.signal,
          onProgress: (now) => progress.update(() => label + progressText(now, rate(now.states))),
        });
      },
    });
  } finally {
    progress.clear();
    process.removeListener('SIGINT', interrupt);
  }
}

function progressText({ states, depth, queue, bytes }: SearchProgress, rate: number): string {
  return `${grouped(states)} states, ${grouped(rate)}/s, depth ${depth}, queue ${grouped(queue)}, ${mebibytes(bytes)} MiB`;
}

/** States per second since the last time that it was asked. */
function rateMeter(): (states: number) => number {
  let last = { states: 0, at: performance.now() };
  return (states) => {
    const at = performance.now();
    if (states < last.states) last = { states: 0, at: last.at }; // the next phase has begun
    const rate = ((states - last.states) * 1000) / Math.max(at - last.at, 1);
    last = { states, at };
    return Math.round(rate);
  };
}
