/** The README's commands run as pasted, and its code runs. That its diagram is what is drawn, packages/cli/test/reproduce.test.ts says. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { transformSync } from '@swc/core';
import { fpulab, temporaryDirectory } from '../../packages/cli/test/command';

const README = readFileSync(join(__dirname, '../../README.md'), 'utf8');
const ROOT = join(__dirname, '../..');
const home = process.cwd();

let directory: string;
beforeAll(() => {
  directory = temporaryDirectory();
  process.chdir(directory);
});
afterAll(() => process.chdir(home));

/**
 * What takes long shows its progress on stderr. In jest's module system worker threads cannot be loaded; what they do is tested on
 * the built packages.
 */
const MORE: Readonly<Record<string, readonly string[]>> = {
  explore: ['--quiet'],
  museum: ['--quiet'],
  reproduce: ['--quiet'],
  vectors: ['--quiet'],
  matrix: ['--quiet', '--jobs', '1'],
  sweep: ['--quiet', '--jobs', '1'],
};

it('has commands that run as pasted', async () => {
  const commands = [...README.matchAll(/npx fpulab ([^#`\n]+)/g)].map(([, args]) => args.trim().split(/\s+/));
  expect(commands.length).toBeGreaterThan(6);
  for (const args of commands) {
    const inPlace = args.map((word) => word.replace(/^(examples|testdata)\//, `${ROOT}/$1/`));
    const { exitCode, stderr } = await fpulab(...inPlace, ...(MORE[args[0]] ?? []));
    expect({ args, stderr }).toEqual({ args, stderr: '' });
    // A run that shows a bug ends with 1, and a mask that is refused.
    expect(['run', 'replay', 'layout', 'explore', 'matrix'].includes(args[0]) ? [0, 1] : [0]).toContain(exitCode);
  }
});

it.each([
  'README.md',
  'packages/core/README.md',
  'packages/eventlog/README.md',
  'packages/policies/src/lazy-cr0-ts/README.md',
  'packages/policies/src/eager/README.md',
  'packages/hypervisor/src/xen-pv/README.md',
  'packages/hypervisor/src/xen-hvm/README.md',
  'docs/images.md',
])('has code that runs: %s', (file) => {
  const quiet = jest.spyOn(console, 'log').mockImplementation(() => {});
  const blocks = [...readFileSync(join(ROOT, file), 'utf8').matchAll(/```ts\n([\s\S]*?)```/g)].map(([, code]) => code);
  expect(blocks.length).toBeGreaterThan(0);
  for (const block of blocks) {
    const { code } = transformSync(block, {
      jsc: { parser: { syntax: 'typescript' }, target: 'es2022' },
      module: { type: 'commonjs' },
    });
    const run = new Function('require', 'exports', code) as (load: NodeJS.Require, exports: object) => void;
    run(require, {});
  }
  quiet.mockRestore();
});
