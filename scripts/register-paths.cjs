// Lets ts-node load workspace sources by their package names, from any directory, without a build.
const { resolve } = require('node:path');
const { register } = require('tsconfig-paths');
const { compilerOptions } = require('typescript').readConfigFile(
  resolve(__dirname, '../tsconfig.base.json'),
  require('typescript').sys.readFile,
).config;

register({ baseUrl: resolve(__dirname, '..'), paths: compilerOptions.paths });
