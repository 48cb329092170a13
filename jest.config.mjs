// Two projects: `unit` needs Node alone and no server; `integration` starts the embedded PostgreSQL.
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';

const { compilerOptions } = JSON.parse(readFileSync(new URL('./tsconfig.json', import.meta.url), 'utf8'));
const rooms = Object.fromEntries(
  Object.entries(compilerOptions.paths).map(([alias, [path]]) => [
    `^${alias.replace('*', '([^/]+)')}$`,
    path.replace('./', '<rootDir>/').replace('*', '$1'),
  ]),
);

const base = {
  rootDir: '.',
  testEnvironment: 'node',
  extensionsToTreatAsEsm: ['.ts'],
  transform: { '^.+\\.ts$': ['ts-jest', { useESM: true, diagnostics: false }] },
  moduleNameMapper: { ...rooms, '^(\\.{1,2}/.*)\\.js$': '$1' },
  modulePathIgnorePatterns: ['<rootDir>/dist'],
};

// Most suites wait, for processes and deadlines, more than they compute. Redis has a database for each of up to 15 workers.
const maxWorkers = Math.min(Math.max(3, availableParallelism() - 1), 15);

export default {
  testTimeout: 60_000,
  maxWorkers,
  reporters: ['default', '<rootDir>/tools/slowest-suites.mjs'],
  projects: [
    {
      ...base,
      displayName: 'unit',
      testMatch: ['<rootDir>/{apps,libs,packages}/**/*.spec.ts'],
      testPathIgnorePatterns: ['\\.integration\\.spec\\.ts$'],
    },
    {
      ...base,
      displayName: 'integration',
      testMatch: [
        '<rootDir>/{apps,libs,packages}/**/*.integration.spec.ts',
        '<rootDir>/test/{e2e,crash,contract}/**/*.spec.ts',
      ],
    },
  ],
};
