// `npm start`: from a fresh clone with Node alone to a running local gateway. Arguments go to `serve`.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { build, exitCode, installToRun, root } from './setup.mjs';

installToRun();
build('--command');

const child = spawn(
  process.execPath,
  [join(root, 'dist/bin/sealdrop.js'), 'serve', '--defaults', ...process.argv.slice(2)],
  { stdio: 'inherit' },
);
// Ctrl-C reaches the child too, from the terminal: it is only waited for, so that it can finish its work.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => child.kill('SIGTERM'));
// npm hands a SIGTERM to the shell between us, which dies of it and tells nobody: an orphan ends its child.
const parent = process.ppid;
const watch = setInterval(() => {
  if (process.ppid === parent) return;
  clearInterval(watch);
  child.kill('SIGTERM');
}, 250);
child.on('error', (error) => {
  throw error;
});
child.on('exit', (status, signal) => process.exit(exitCode({ status, signal })));
