// `npm test`: sets itself up, runs jest with the arguments given and ends with one line: N passed, N failed.
// --node24 runs the tests that need no server on Node 24, whatever Node this is.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build, exitCode, installAll, root } from './setup.mjs';

const ON_NODE_24 = ['test/unit', 'test/vectors', 'test/property'];

installAll();
build();

const given = process.argv.slice(2);
const node24 = given.includes('--node24');
const args = given.filter((argument) => argument !== '--node24');
if (node24) args.push(...ON_NODE_24.filter((folder) => existsSync(join(root, folder))));
if (args.length === 0) await prepare();

const folder = mkdtempSync(join(tmpdir(), 'sealdrop-test-'));
const report = join(folder, 'result.json');
// Options and not NODE_OPTIONS: jest passes them to its workers, but the programs that tests start don't get them.
const node = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning'];
const jest = [join(root, 'node_modules/jest/bin/jest.js'), '--json', `--outputFile=${report}`, ...args];
const [command, before] = node24 ? ['npx', ['-y', '-p', 'node@24', 'node']] : [process.execPath, []];
const run = spawnSync(command, [...before, ...node, ...jest], {
  cwd: root,
  // Standard output gets the closing line alone.
  stdio: ['ignore', 2, 2],
});
if (run.error) throw run.error;

// Jest writes no report when it can't begin at all.
const result = existsSync(report) ? JSON.parse(readFileSync(report, 'utf8')) : undefined;
rmSync(folder, { recursive: true });

const passed = result?.numPassedTests ?? 0;
// A file that doesn't load has no failed tests in it.
const failed = result ? result.numFailedTests + result.numRuntimeErrorTestSuites : 1;
const skipped = result ? result.numPendingTests + result.numTodoTests : 0;
process.exitCode = exitCode(run);
if (process.env.CI && skipped > 0) {
  console.error(`${skipped} skipped or todo: in CI every test runs`);
  process.exitCode ||= 1;
}
console.log(`${passed} passed, ${failed} failed`);

/** What a run of everything starts is there before it begins. */
async function prepare() {
  const { helpers } = await import('../test/helpers/outside-jest.mjs');
  const { prepareAll } = await helpers('prepare');
  await prepareAll();
}
