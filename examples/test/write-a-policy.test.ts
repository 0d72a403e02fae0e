/** docs/write-a-policy.md, followed to the letter. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { transformSync } from '@swc/core';
import { compose, scenarioOf } from '@fpulab/core';
import { bareMetal } from '@fpulab/hypervisor';
import type { PRESETS } from '@fpulab/policies';
import { Reader, sectionsOf } from './how-to';

const ROOT = join(__dirname, '../..');
const POLICIES = 'packages/policies/src';
const home = process.cwd();

let reader: Reader;
beforeAll(() => (reader = new Reader()));
afterAll(() => process.chdir(home));

it.each(sectionsOf('docs/write-a-policy.md').map((section) => [section.title, section] as const))(
  '%s',
  async (_, section) => {
    await reader.follow(section);
  },
);

it('comes to examples/my-policy.ts, in fewer than a hundred lines', () => {
  const policy = reader.text('examples/mine/policy.ts');
  expect(policy).toBe(readFileSync(join(ROOT, 'examples/my-policy.ts'), 'utf8'));
  expect(policy.split('\n').length).toBeLessThan(100);
});

it('makes a preset that composes', () => {
  const { code } = transformSync(reader.text(`${POLICIES}/presets.ts`), {
    jsc: { parser: { syntax: 'typescript' }, target: 'es2022' },
    module: { type: 'commonjs' },
  });
  const load = (name: string): unknown => {
    if (!name.startsWith('.')) return jest.requireActual(name);
    return jest.requireActual(join(name === './my-policy' ? process.cwd() : ROOT, POLICIES, name));
  };
  const loaded: { PRESETS: typeof PRESETS } = { PRESETS: [] };
  (new Function('require', 'exports', code) as (require: typeof load, exports: object) => void)(load, loaded);
  const [{ parts, policies }, ...others] = loaded.PRESETS.filter(({ id }) => id === 'my-kernel');
  expect(others).toEqual([]);
  const machine = compose({ platform: bareMetal(), policies: policies(), scenario: scenarioOf('exit-to-user') });
  expect(machine.composition.plugins.map(({ id }) => id)).toEqual([parts[0].policy, 'bare-metal']);
});
