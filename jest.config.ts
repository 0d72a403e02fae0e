import type { Config } from 'jest';
import { aloneFiles } from './rooms/files';

const typescript = {
  jsc: {
    target: 'es2022',
    parser: { syntax: 'typescript', decorators: true },
    transform: { legacyDecorator: true },
  },
};

/**
 * Tests run in a vm context, in which V8 caches no look-up of a global: Math.imul() costs thirty times what it does
 * elsewhere, and explorations took three times as long. jest passes these to every module as parameters.
 */
const globalsOfInnerLoops: Config['sandboxInjectedGlobals'] = [
  'Array',
  'Atomics',
  'BigInt',
  'Infinity',
  'Int32Array',
  'JSON',
  'Map',
  'Math',
  'Number',
  'Object',
  'Promise',
  'Set',
  'String',
  'Symbol',
  'Uint32Array',
  'Uint8Array',
];

/** Options that leave open which tests are wanted. */
const FOR_ALL_TESTS =
  /^(-[iu]|--(ci|colors|config|coverage|json|maxWorkers|outputFile|runInBand|silent|updateSnapshot|verbose)(=.*)?)$/;

/**
 * Where all tests are wanted, most files share a few module registries, their rooms: V8 then compiles the product, and learns what is
 * hot in it, four times and not two hundred times. See docs/decisions/029-tests-have-two-sizes.md.
 */
const testMatch = process.argv.slice(2).every((word) => FOR_ALL_TESTS.test(word))
  ? ['<rootDir>/rooms/*.room.ts', ...aloneFiles().map((file) => `<rootDir>/${file}`)]
  : ['<rootDir>/packages/*/test/**/*.test.ts', '<rootDir>/examples/**/*.test.ts'];

const config: Config = {
  // All cores: jest would leave one idle, which on two cores is half of the machine.
  maxWorkers: '100%',
  testMatch,
  transform: { '\\.ts$': ['@swc/jest', typescript] },
  moduleNameMapper: {
    '^@fpulab/core/testing$': '<rootDir>/packages/core/src/testing/index.ts',
    '^@fpulab/([a-z]+)$': '<rootDir>/packages/$1/src/index.ts',
  },
  sandboxInjectedGlobals: globalsOfInnerLoops,
  // A search that takes its time on a busy machine is no failure.
  testTimeout: 300_000,
  modulePathIgnorePatterns: ['/dist/'],
};

export default config;
