/** What goes where: results to stdout, everything else to stderr; colour only where the stream is a terminal. */
import { createColors } from 'picocolors';
import type { Paint } from '@fpulab/eventlog';

/** `--color=...` */
export type ColorChoice = 'auto' | 'always' | 'never';

/** Flags that every verb takes. */
export interface GlobalOptions {
  readonly json: boolean;
  readonly quiet: boolean;
  readonly debug: boolean;
  readonly color: ColorChoice;
}

/** Whether a stream gets colour: flag, then NO_COLOR, FORCE_COLOR, TERM=dumb, then whether it is a terminal. */
export function wantsColor(
  choice: ColorChoice,
  stream: { isTTY?: boolean },
  env: NodeJS.ProcessEnv = process.env,
): boolean {
  if (choice !== 'auto') return choice === 'always';
  if (env.NO_COLOR) return false;
  if (env.FORCE_COLOR) return env.FORCE_COLOR !== '0';
  return env.TERM !== 'dumb' && stream.isTTY === true;
}

/** How diagrams and verdicts are marked on stdout. */
export function paintFor(choice: ColorChoice): Paint {
  const c = createColors(wantsColor(choice, process.stdout));
  return {
    title: c.bold,
    head: c.bold,
    tsSet: c.yellow,
    tsClear: c.green,
    violation: (text) => c.bold(c.red(text)),
    dim: c.dim,
  };
}

/** Prints a result. */
export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** Prints exactly one JSON document. */
export function printJson(document: unknown): void {
  process.stdout.write(`${JSON.stringify(document, undefined, 2)}\n`);
}

const PROGRESS_TTY_MS = 250;
const PROGRESS_PIPE_MS = 10_000;

/** One line of progress on stderr: redrawn on a terminal, a plain line every ten seconds elsewhere. */
export function progressLine(options: Pick<GlobalOptions, 'quiet'>): {
  update(text: () => string): void;
  clear(): void;
} {
  const { stderr } = process;
  const interval = stderr.isTTY ? PROGRESS_TTY_MS : PROGRESS_PIPE_MS;
  let last = performance.now();
  let drawn = false;
  return {
    update(text) {
      const now = performance.now();
      if (options.quiet || now - last < interval) return;
      last = now;
      drawn = true;
      stderr.write(stderr.isTTY ? `\r\x1b[K${text()}` : `${text()}\n`);
    },
    clear() {
      if (drawn && stderr.isTTY) stderr.write('\r\x1b[K');
    },
  };
}
