import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { execFile, execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { cleanEnvironment } from '../helpers/serve.js';

const clone = mkdtempSync(join(tmpdir(), 'sealdrop-clone-'));
const files: Record<string, Buffer> = {
  empty: Buffer.alloc(0),
  'large.bin': Buffer.concat(Array.from({ length: 200 }, () => randomBytes(1024 * 1024))),
  '日本語の 名前 と空白.txt': Buffer.from('さくら\n'),
};

/** What a clone of this work tree would hold, and nothing that was installed or built in it. */
beforeAll(() => {
  const listed = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    encoding: 'utf8',
  });
  for (const file of listed.split('\0').filter((name) => name !== '' && existsSync(name))) {
    mkdirSync(join(clone, dirname(file)), { recursive: true });
    cpSync(file, join(clone, file));
  }
  mkdirSync(join(clone, 'inbox'));
  for (const [name, bytes] of Object.entries(files)) writeFileSync(join(clone, 'inbox', name), bytes);
});
afterAll(() => rmSync(clone, { recursive: true }));

async function npmStart(...args: string[]): Promise<string> {
  // An empty cache, and not the settings of the npm that runs these tests.
  const entries = Object.entries(cleanEnvironment()).filter(
    ([name]) => !/^(npm_|NODE_OPTIONS|CI$)/.test(name),
  );
  const env = { ...Object.fromEntries(entries), npm_config_cache: join(clone, '.npm-cache') };
  const run = promisify(execFile)('npm', ['start', '--', ...args], { cwd: clone, env, maxBuffer: 1 << 24 });
  const { stdout, stderr } = await run;
  return stdout + stderr;
}

test('npm start from a fresh clone sets itself up, stores what is in the inbox, and says how to get it back', async () => {
  expect(existsSync(join(clone, 'node_modules'))).toBe(false);
  const said = await npmStart('--once');
  expect(said).toContain('made a key pair in keys/');
  expect(said).toMatch(/warning: the private key .* is on the machine that encrypts/);
  expect(said).toContain('3 stored, 0 there already, 0 failed');
  expect(statSync(join(clone, 'keys/private_key.pem')).mode & 0o777).toBe(0o600);
  expect(existsSync(join(clone, 'node_modules/typescript'))).toBe(false);
  expect(existsSync(join(clone, 'node_modules/jest'))).toBe(false);
  // The line itself, as a shell would run it.
  const line = /get it back: (.*)/.exec(said)![1]!;
  execFileSync('sh', ['-c', line], { cwd: clone, env: cleanEnvironment() });
  const got = readdirSync(clone).find((name) => name in files)!;
  expect(readFileSync(join(clone, got)).equals(files[got]!)).toBe(true);
}, 300_000);

test('get returns each byte for byte', () => {
  for (const [name, bytes] of Object.entries(files)) {
    const args = [
      'dist/bin/sealdrop.js',
      'get',
      `file://${clone}/vault/${name}`,
      'opened',
      '--private-key',
      'keys/private_key.pem',
    ];
    execFileSync(process.execPath, args, { cwd: clone, env: cleanEnvironment(), stdio: 'ignore' });
    expect(readFileSync(join(clone, 'opened')).equals(bytes)).toBe(true);
  }
});

test('a second run installs nothing and stores nothing again', async () => {
  const said = await npmStart('--once');
  expect(said).toContain('0 stored, 3 there already, 0 failed');
  expect(said).not.toMatch(/install|building/);
}, 60_000);

test('it leaves nothing that git would add', () => {
  execFileSync('git', ['init', '-q'], { cwd: clone });
  const untracked = execFileSync(
    'git',
    ['status', '--porcelain', '--ignored=no', 'inbox', 'vault', 'keys', 'dist', 'node_modules'],
    {
      cwd: clone,
      encoding: 'utf8',
    },
  );
  expect(untracked).toBe('');
});
