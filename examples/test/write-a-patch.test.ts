/** docs/write-a-patch.md as a new user follows it: files saved, commands run, and what they print compared with what is shown. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fpulab, temporaryDirectory } from '../../packages/cli/test/command';

const PAGE = readFileSync(join(__dirname, '../../docs/write-a-patch.md'), 'utf8');

const home = process.cwd();
beforeAll(() => process.chdir(temporaryDirectory()));
afterAll(() => process.chdir(home));

/** What is between two fences, and the word behind the first. */
interface Block {
  readonly language: string;
  readonly text: string;
}

const blocks: readonly Block[] = [...PAGE.matchAll(/^```(.*)\n([\s\S]*?)^```$/gm)].map(([, language, text]) => ({
  language,
  text,
}));

/** Lines without what depends on the width of others: names in columns. */
const lines = (text: string): string =>
  text
    .split('\n')
    .map((line) => line.replace(/ +/g, ' ').trimEnd())
    .join('\n');

/** The lines that are shown are there, in this order; `...` stands for others. */
function expectShown(shown: string, printed: string): void {
  let rest = lines(printed);
  for (const part of lines(shown).split(/^\.\.\.$/m)) {
    const wanted = part.trim();
    expect(rest).toContain(wanted);
    rest = rest.slice(rest.indexOf(wanted) + wanted.length);
  }
}

/** Runs the commands of a block. Returns what they print. */
async function runCommands(text: string): Promise<string> {
  let printed = '';
  for (const line of text.trim().split('\n')) {
    const [, args] = /^npx fpulab (.*)$/.exec(line) ?? [];
    const { stdout, stderr } = await fpulab(...args.split(' '), '--quiet');
    expect({ line, stderr }).toEqual({ line, stderr: '' });
    printed += stdout;
  }
  return printed;
}

/** Saves a file; one that prints something is run. Returns what it prints. */
async function save(text: string): Promise<string> {
  const [, name] = /^\/\/ (\S+\.ts)\n/.exec(text) ?? [];
  writeFileSync(name, text);
  const lines: string[] = [];
  if (!text.includes('console.log')) return '';
  const spy = jest.spyOn(console, 'log').mockImplementation((...words) => void lines.push(words.join(' ')));
  const expected = text.match(/console\.log/g)?.length ?? 0;
  // eslint-disable-next-line @typescript-eslint/no-require-imports -- the reader's file
  require(resolve(name));
  while (lines.length < expected) await new Promise((done) => setTimeout(done, 20));
  spy.mockRestore();
  return lines.join('\n');
}

it('is true from the first to the last line', async () => {
  let printed = '';
  let compared = 0;
  for (const { language, text } of blocks) {
    if (language === 'sh') printed = await runCommands(text);
    if (language === 'ts') printed = await save(text);
    if (language === '') {
      expectShown(text, printed);
      compared++;
    }
  }
  expect(compared).toBe(9);
});

it('shows the test that there is', () => {
  const { text } = blocks.find(({ language }) => language === 'ts no-run') as Block;
  const test = readFileSync(join(__dirname, '../../packages/policies/test/bugs/eager.test.ts'), 'utf8');
  for (const shown of text.split('\n').filter((line) => /expectVerified|toEqual|broken\(/.test(line))) {
    expect(test).toContain(shown.trim());
  }
});
