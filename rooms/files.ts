/** Which test files share a room, and which are alone. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

export const ROOT = join(__dirname, '..');
/** As many as `<number>.room.ts` there are: one for each core of a small machine. */
const ROOMS = 2;

/** Snapshots belong to the file that jest runs; a mocked module is mocked for everybody in the room. */
const NEEDS_A_REGISTRY = /\.toMatchSnapshot\(|jest\.(mock|doMock|resetModules)\(/;

/** All test files, as paths from the root, in order. */
function testFiles(): readonly string[] {
  const packages = readdirSync(join(ROOT, 'packages')).map((name) => `packages/${name}/test`);
  return [...packages, 'examples'].flatMap((directory) =>
    readdirSync(join(ROOT, directory), { recursive: true })
      .map((name) => join(directory, String(name)))
      .filter((file) => file.endsWith('.test.ts'))
      .sort(),
  );
}

const isAlone = (file: string): boolean => NEEDS_A_REGISTRY.test(readFileSync(join(ROOT, file), 'utf8'));

/** Test files that jest runs by themselves. */
export const aloneFiles = (): readonly string[] => testFiles().filter(isAlone);

/** Test files of one room. Neighbours are in different rooms: those of a directory take about as long. */
export const filesOf = (room: number): readonly string[] =>
  testFiles()
    .filter((file) => !isAlone(file))
    .filter((_, index) => index % ROOMS === room - 1);
