#!/usr/bin/env node
// `npm ci` builds dist/. In a checkout that was not built, the sources run through ts-node.
const { existsSync } = require('node:fs');
const { join } = require('node:path');

const built = join(__dirname, '../dist/main.js');
if (existsSync(built)) require(built);
else {
  require('ts-node').register({ cwd: join(__dirname, '../../..') });
  require('../src/main.ts');
}
