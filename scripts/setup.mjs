// What the other scripts share: finding out what is installed, and running programs.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));

const readJson = (name) => JSON.parse(readFileSync(join(root, name), 'utf8'));

/** The exit code a shell would report. */
export const exitCode = ({ status, signal }) => (signal ? 128 + constants.signals[signal] : (status ?? 1));

/** Runs a program with its output on ours; ends this process if it fails. */
export function must(command, args, options) {
  const result = spawnSync(command, args, { cwd: root, stdio: 'inherit', ...options });
  if (result.error) throw result.error;
  if (result.status !== 0) process.exit(exitCode(result));
}

/** npm, by the very program that started this script where npm did. It says nothing unless it fails. */
export function npm(args, options) {
  const quiet = [...args, '--no-audit', '--no-fund', '--no-progress', '--loglevel=error'];
  const self = process.env.npm_execpath;
  const to = { stdio: ['ignore', 'ignore', 'inherit'], ...options };
  if (self?.endsWith('.js')) must(process.execPath, [self, ...quiet], to);
  else must('npm', quiet, { shell: process.platform === 'win32', ...to });
}

/**
 * Is every package here at the version that the lock file names? npm keeps the list of what it installed, so
 * no stamp of ours is needed. Packages that another platform needs are flagged optional and don't count.
 */
export function installed({ dev }) {
  if (!existsSync(join(root, 'node_modules/.package-lock.json'))) return false;
  const here = readJson('node_modules/.package-lock.json').packages;
  const wanted = Object.entries(readJson('package-lock.json').packages).filter(
    ([path, entry]) =>
      path !== '' &&
      !entry.optional &&
      !entry.devOptional &&
      (dev || !entry.dev || path === 'node_modules/esbuild'),
  );
  return wanted.every(
    ([path, entry]) => here[path]?.version === entry.version && existsSync(join(root, path, 'package.json')),
  );
}

/** Installs everything, as locked, unless it is there. */
export function installAll() {
  if (installed({ dev: true })) return;
  process.stderr.write('sealdrop: installing the development packages\n');
  npm(['ci']);
}

/** Installs what building and running need and no more, unless it is there. */
export function installToRun() {
  if (installed({ dev: false })) return;
  process.stderr.write('sealdrop: installing (first start, or the lock file changed)\n');
  // A development install that has fallen behind is brought up to date whole: --omit=dev would prune it.
  if (existsSync(join(root, 'node_modules/typescript'))) return npm(['install', '--no-save']);
  const { esbuild } = readJson('package.json').devDependencies;
  // --save-prod, or --omit=dev would leave esbuild out too; nothing is saved.
  npm(['install', '--no-save', '--omit=dev', '--save-prod', `esbuild@${esbuild}`]);
}

/** Builds everything, or what `flags` of scripts/build.mjs say, unless it is up to date. */
export function build(...flags) {
  must(process.execPath, [join(root, 'scripts/build.mjs'), ...flags]);
}
