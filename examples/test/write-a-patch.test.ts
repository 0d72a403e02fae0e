/** docs/write-a-patch.md, followed to the letter. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Reader, sectionsOf } from './how-to';

const ROOT = join(__dirname, '../..');
const PAGE = 'docs/write-a-patch.md';
const home = process.cwd();

let reader: Reader;
beforeAll(() => (reader = new Reader()));
afterAll(() => process.chdir(home));

it.each(sectionsOf(PAGE).map((section) => [section.title, section] as const))('%s', async (_, section) => {
  await reader.follow(section);
});

it('compares nine outputs', () => {
  const blocks = sectionsOf(PAGE).flatMap((section) => section.blocks);
  expect(blocks.filter(({ kind }) => kind === 'text')).toHaveLength(9);
});

it('shows the test that there is', () => {
  const [, shown] = /^```ts\n([\s\S]*?)^```$/m.exec(readFileSync(join(ROOT, PAGE), 'utf8')) ?? [];
  const test = readFileSync(join(ROOT, 'packages/policies/test/bugs/eager.test.ts'), 'utf8');
  const lines = shown.split('\n').filter((line) => /expectVerified|toEqual|broken\(/.test(line));
  expect(lines.length).toBeGreaterThan(2);
  for (const line of lines) expect(test).toContain(line.trim());
});
