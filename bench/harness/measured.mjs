import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const WRAPPER = fileURLToPath(new URL('measured.py', import.meta.url));
const LONGEST = 30 * 60_000;

/**
 * Runs a program to its end. Throws with what it wrote where it fails.
 * @param options `env` (besides ours), `cwd`, `cores` (numbers of processors), `sample` (seconds between two looks at resident
 * memory), `longest` (milliseconds until it is killed)
 * @returns seconds from start to exit, `cpu` seconds (user and system), `peak` of resident memory in bytes, `output` (what it
 * wrote to standard output) and `samples` of [seconds, bytes]
 */
export async function measured([program, ...args], { env, cwd, cores, sample, longest = LONGEST } = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'sealdrop-measured-'));
  const report = join(folder, 'report');
  const child = spawn('python3', [WRAPPER, JSON.stringify({ cores, sample }), report, program, ...args], {
    cwd,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: longest,
  });
  const clear = () => {
    child.kill();
    rmSync(folder, { recursive: true, force: true });
  };
  process.once('exit', clear);
  try {
    const said = { stdout: '', stderr: '' };
    for (const name of Object.keys(said))
      child[name].setEncoding('utf8').on('data', (text) => (said[name] += text));
    await new Promise((resolve, reject) => child.once('error', reject).once('close', resolve));
    const { code, ...figures } = readReport(report, said.stderr);
    if (code !== 0) throw new Error(`${program} ${args[0]} ended with ${code}:\n${said.stderr.slice(-2000)}`);
    return { ...figures, output: said.stdout };
  } finally {
    process.off('exit', clear);
    clear();
  }
}

function readReport(file, said) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    throw new Error(`nothing was measured:\n${said.slice(-2000)}`);
  }
}
