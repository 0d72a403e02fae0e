import type { Config } from 'jest';

const typescript = {
  jsc: {
    target: 'es2022',
    parser: { syntax: 'typescript', decorators: true },
    transform: { legacyDecorator: true },
  },
};

const config: Config = {
  // All cores: jest would leave one idle, which on two cores is half of the machine.
  maxWorkers: '100%',
  testMatch: ['<rootDir>/packages/*/test/**/*.test.ts', '<rootDir>/examples/test/**/*.test.ts'],
  transform: { '\\.ts$': ['@swc/jest', typescript] },
  moduleNameMapper: {
    '^@fpulab/core/testing$': '<rootDir>/packages/core/src/testing/index.ts',
    '^@fpulab/([a-z]+)$': '<rootDir>/packages/$1/src/index.ts',
  },
  modulePathIgnorePatterns: ['/dist/'],
};

export default config;
