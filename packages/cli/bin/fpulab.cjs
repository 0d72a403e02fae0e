#!/usr/bin/env node
// `npm ci` builds dist/. In a checkout that was not built, the sources run through ts-node.
const { existsSync } = require('node:fs');
const Module = require('node:module');
const { delimiter, join } = require('node:path');

// A user's policy finds our packages wherever its file lies, behind those that lie beside it. Worker threads inherit this.
process.env.NODE_PATH = [process.env.NODE_PATH, ...module.paths].filter(Boolean).join(delimiter);
Module._initPaths();

const built = join(__dirname, '../dist/main.js');
if (existsSync(built)) require(built);
else {
  require('ts-node').register({ cwd: join(__dirname, '../../..') });
  require('../src/main.ts');
}
