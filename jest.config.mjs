import { readFileSync } from 'node:fs';

const { version } = JSON.parse(readFileSync(new URL('package.json', import.meta.url), 'utf8'));

export default {
  testEnvironment: 'node',
  testMatch: ['<rootDir>/test/**/*.test.ts'],
  // Run by `npm run proof`.
  testPathIgnorePatterns: ['/node_modules/', '<rootDir>/test/proof/'],
  // A machine that has other work may be several times slower: it is no measure of speed.
  testTimeout: 180_000,
  maxWorkers: 2,
  // What the build puts in.
  globals: { __VERSION__: version },
  extensionsToTreatAsEsm: ['.ts'],
  // Sources import each other by the name that they will have when built.
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  // Transpiled file by file: `npm run types` checks the types.
  transform: { '^.+\\.ts$': ['ts-jest', { useESM: true, tsconfig: 'tsconfig.json', diagnostics: false }] },
  // Not searched: built files, and caches that may hold packages of the same name.
  modulePathIgnorePatterns: ['<rootDir>/dist', '<rootDir>/.cache/'],
};
