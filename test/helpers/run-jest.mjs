import { spawnSync } from 'node:child_process';

/** Runs test files that are too long for every run. Ends this process with jest's exit code where that is not 0. */
export function runJest(args, env = {}) {
  const node = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning'];
  const jest = ['node_modules/jest/bin/jest.js', '--testPathIgnorePatterns=/node_modules/', ...args];
  const { status } = spawnSync(process.execPath, [...node, ...jest], {
    stdio: 'inherit',
    env: { ...process.env, ...env },
  });
  if (status !== 0) process.exit(status ?? 1);
}
