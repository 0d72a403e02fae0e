/** Makes plain JavaScript of the programs that are timed, so that no compiler runs in the time that is measured. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { transformFileSync } from '@swc/core';

const MODULES = ['one', 'compose-peer', 'lazy-peer'];

/** Compiles them. Returns the path of the program. */
export function buildPeers(): string {
  const directory = join(__dirname, '.build');
  mkdirSync(directory, { recursive: true });
  for (const module of MODULES) {
    const { code } = transformFileSync(join(__dirname, `${module}.ts`), {
      jsc: { parser: { syntax: 'typescript' }, target: 'es2022' },
      module: { type: 'commonjs' },
    });
    writeFileSync(join(directory, `${module}.js`), code);
  }
  return join(directory, 'one.js');
}
