/** A how-to page, run: its commands, its changes to files, and what it says that the commands print. */
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fpulab, temporaryDirectory } from '../../packages/cli/test/command';

const ROOT = join(__dirname, '../..');

/** A fenced block: commands (`sh`), a file (`ts <file>`) or a change to one (`diff <file>`), or what is printed before it (`text`). */
interface Block {
  readonly kind: 'sh' | 'ts' | 'diff' | 'text';
  readonly file: string;
  readonly body: string;
}

/** A part of a page, from one `##` heading to the next. */
export interface Section {
  readonly title: string;
  readonly blocks: readonly Block[];
}

/** The sections of a page, by its path in the repository. Other blocks (`ts` without a file) are not run. */
export function sectionsOf(page: string): readonly Section[] {
  const [, ...sections] = readFileSync(join(ROOT, page), 'utf8').split(/^## /m);
  return sections.map((section) => ({
    title: section.slice(0, section.indexOf('\n')),
    blocks: [...section.matchAll(/^```(sh|text|(?:ts|diff)(?= ))(?: (\S+))?\n([\s\S]*?)^```$/gm)].map(
      ([, kind, file, body]) => ({
        kind: kind as Block['kind'],
        file: file ?? '',
        body,
      }),
    ),
  }));
}

/** A directory that stands for the repository, in which a reader works. */
export class Reader {
  private readonly directory = temporaryDirectory();
  private changes = 0;
  /** What the last block of commands printed, or the last file that prints. */
  output = '';
  /** What the commands complained of so far, and the page has not shown. */
  private complaints = '';

  constructor() {
    this.moveOn();
  }

  /** Does what a section says, and compares what it shows. */
  async follow({ blocks }: Section): Promise<void> {
    for (const { kind, file, body } of blocks) {
      if (kind === 'text') {
        expect(trimmed(this.output)).toMatch(shown(body));
        this.complaints = this.complaints.replace(shown(body), '').trim();
      } else if (kind === 'diff') this.change(file, body);
      else if (kind === 'ts') await this.save(file, body);
      else {
        this.output = '';
        for (const command of body.trim().split('\n')) this.output += await this.run(command.replace(/\s+#.*$/, ''));
      }
    }
    expect(this.complaints).toBe('');
  }

  /** The text of a file as it is now. */
  text(file: string): string {
    return readFileSync(this.own(file), 'utf8');
  }

  private async run(command: string): Promise<string> {
    const [program, ...args] = command.split(' ');
    if (program === 'mkdir') {
      mkdirSync(args[0], { recursive: true });
      return '';
    }
    if (program === 'cp') {
      const [from, to] = args.filter((arg) => arg !== '-r');
      cpSync(this.own(from), to, { recursive: true });
      return '';
    }
    if (program === 'npx' && args[0] === 'fpulab') {
      const { stdout, stderr } = await fpulab(...args.slice(1), '--quiet');
      this.complaints += trimmed(stderr);
      return stdout + stderr;
    }
    if (program === 'npx' && args[0] === 'jest') return runTests(this.own(join(args[1], 'policy.test.ts')), args[3]);
    throw new Error(`this page has a command that its test cannot run: ${command}`);
  }

  private change(file: string, diff: string): void {
    writeFileSync(this.own(file), changed(this.text(file), diff));
    this.moveOn();
  }

  /** A file that prints is run, too. */
  private async save(file: string, body: string): Promise<void> {
    writeFileSync(file, body);
    this.moveOn();
    const count = body.match(/console\.log/g)?.length ?? 0;
    if (count > 0) this.output = await printed(resolve(file), count);
  }

  /** Modules are loaded once for each path, so what was changed moves to another place. */
  private moveOn(): void {
    const before = join(this.directory, String(this.changes));
    const after = join(this.directory, String(++this.changes));
    if (existsSync(before)) renameSync(before, after);
    else mkdirSync(join(after, 'examples'), { recursive: true });
    process.chdir(after);
  }

  /** A path in the reader's repository, of which only what is used is there. */
  private own(path: string): string {
    const full = join(process.cwd(), path);
    if (!existsSync(full)) {
      mkdirSync(dirname(full), { recursive: true });
      cpSync(join(ROOT, path), full, { recursive: true });
    }
    return full;
  }
}

/**
 * A text after a change: lines with `-` go, lines with `+` come, the others say where. `@@` begins a place of its own, anywhere
 * in the text.
 */
function changed(text: string, diff: string): string {
  return diff.split(/^@@\n/m).reduce((current, hunk) => {
    const lines = hunk.replace(/\n$/, '').split('\n');
    const without = (sign: string): string =>
      lines
        .filter((line) => !line.startsWith(sign))
        .map((line) => line.slice(1) + '\n')
        .join('');
    const [before, after] = [without('+'), without('-')];
    const parts = current.split(before);
    if (parts.length !== 2) throw new Error(`wanted once, found ${parts.length - 1} times:\n${before}in:\n${current}`);
    return parts.join(after);
  }, text);
}

/** A pattern for an excerpt: `...` at a line's end stands for the rest of it, a line of its own for any lines. */
function shown(excerpt: string): RegExp {
  const lines = trimmed(excerpt).trimEnd().split('\n');
  const patterns = lines.map((line) =>
    line === '...'
      ? '[^]*?'
      : line
          .split('...')
          .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
          .join('.*'),
  );
  return new RegExp(`^${patterns.join('\n')}`, 'm');
}

/** Without blanks at the ends of lines, and with one between columns: their widths depend on other lines. */
function trimmed(text: string): string {
  return text
    .split('\n')
    .map((line) => line.trimEnd().replace(/(?<=\S) +/g, ' '))
    .join('\n');
}

/** The first `count` lines that a module prints. */
async function printed(file: string, count: number): Promise<string> {
  const lines: string[] = [];
  const spy = jest.spyOn(console, 'log').mockImplementation((...words) => void lines.push(words.join(' ')));
  // eslint-disable-next-line @typescript-eslint/no-require-imports -- a file that the page shows
  require(file);
  while (lines.length < count) await new Promise((done) => setTimeout(done, 20));
  spy.mockRestore();
  return lines.join('\n');
}

interface TestGlobals {
  describe: (name: string, body: () => void) => void;
  it: (name: string, run: () => unknown) => void;
}

/** A test, or a heading that others are indented under. */
interface FoundTest {
  readonly name: string;
  readonly indent: string;
  readonly run?: () => unknown;
}

/** Runs a file of tests, those whose names have `only` in them, and tells what jest would. */
async function runTests(file: string, only = ''): Promise<string> {
  let output = '';
  for (const { name, indent, run } of testsIn(file)) {
    if (!run) output += `${indent}${name}\n`;
    else if (name.includes(only)) {
      try {
        await run();
        output += `${indent}✓ ${name} (1 ms)\n`;
      } catch (error) {
        output += `${indent}✕ ${name} (1 ms)\n${(error as Error).message.replace(/^/gm, '    ')}\n`;
      }
    }
  }
  return output;
}

/** What a file declares, in jest's order: what is in no `describe` comes first. */
function testsIn(file: string): readonly FoundTest[] {
  const alone: FoundTest[] = [];
  const grouped: FoundTest[] = [];
  let inGroup = false;
  const globals = globalThis as unknown as TestGlobals;
  const { describe, it } = globals;
  globals.describe = (name, body) => {
    grouped.push({ name, indent: '  ' });
    inGroup = true;
    body();
    inGroup = false;
  };
  globals.it = (name, run) => {
    (inGroup ? grouped : alone).push({ name, run, indent: inGroup ? '    ' : '  ' });
  };
  try {
    // eslint-disable-next-line @typescript-eslint/no-require-imports -- a file that the page has changed
    require(file);
  } finally {
    Object.assign(globals, { describe, it });
  }
  return [...alone, ...grouped];
}
