/** Links, pipes and other people's files in the way of sources, targets, vaults and keys. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createVault, findVaultRoot, openDirectoryStore } from '../../src/store/directory.js';
import { isBelieved } from '../../src/store/vault-marker.js';
import { openFileSource } from '../../src/transfer/source.js';
import { writePair } from '../helpers/keys.js';
import { runToEnd, start } from '../helpers/serve.js';

let folder: string;
const keys = mkdtempSync(join(tmpdir(), 'sealdrop-attack-keys-'));
const pipes: string[] = [];

beforeAll(async () => {
  writePair(keys);
});
afterAll(() => rmSync(keys, { recursive: true }));
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sealdrop-attack-'));
});
afterEach(() => {
  // Whoever waits at a pipe is let go, or the tests would never end.
  for (const pipe of pipes.splice(0)) closeSync(openSync(pipe, constants.O_RDWR | constants.O_NONBLOCK));
  rmSync(folder, { recursive: true, force: true });
});

const at = (...names: string[]) => join(folder, ...names);
function pipe(path: string): void {
  execFileSync('mkfifo', [path]);
  pipes.push(path);
}
/** Fails where a promise does not settle soon. */
async function soon<T>(promise: Promise<T>): Promise<T> {
  return Promise.race([
    promise,
    sleep(3_000).then(() => {
      throw new Error('it hangs');
    }),
  ]);
}
async function store(key: string, content: string): Promise<void> {
  writeFileSync(at('source'), content);
  const args = [
    'put',
    at('source'),
    `file://${at('vault', key)}`,
    '--public-key',
    join(keys, 'public_key.pem'),
  ];
  expect(await runToEnd(args, { cwd: folder })).toMatchObject({ code: 0 });
}
const get = (key: string, target: string) => {
  const args = ['get', `file://${at('vault', key)}`, target, '--private-key', join(keys, 'private_key.pem')];
  return runToEnd(args, { cwd: folder });
};

describe('a pipe where a file was does not stop everything:', () => {
  test('a source that is not to be followed', async () => {
    pipe(at('source'));
    const source = await soon(openFileSource(at('source'), { follow: false })).catch(
      (error: unknown) => error,
    );
    expect((source as Error).message).not.toBe('it hangs');
  });

  test('metadata in a vault', async () => {
    await createVault(at('vault'));
    const vault = openDirectoryStore({ root: at('vault') });
    await vault.put(
      'a',
      (async function* () {
        yield Buffer.from('x');
      })(),
      { metadata: { 'sealdrop-format': 'esdk' } },
    );
    const sidecar = at('vault/.sealdrop-meta', readdirSync(at('vault/.sealdrop-meta'))[0]!);
    unlinkSync(sidecar);
    pipe(sidecar);
    expect(await soon(vault.head('a'))).toMatchObject({ key: 'a', metadata: {} });
  });
});

describe('plaintext and private keys stay out of vaults, also through links:', () => {
  test('a folder that is a link to one below the vault', async () => {
    await store('sub/a', 'one');
    symlinkSync('vault/sub', at('link'));
    expect(await get('sub/a', 'link/plain')).toMatchObject({ code: 2 });
    expect(readdirSync(at('vault/sub'))).toEqual(['a']);
  });

  test('a target that is a link to an object', async () => {
    await store('sub/a', 'one');
    await store('sub/b', 'two');
    symlinkSync('vault/sub/b', at('out'));
    const before = readFileSync(at('vault/sub/b'));
    expect(await get('sub/a', 'out')).toMatchObject({ code: 2 });
    expect(readFileSync(at('vault/sub/b')).equals(before)).toBe(true);
  });

  test('keys', async () => {
    await store('sub/a', 'one');
    symlinkSync('vault/sub', at('link'));
    expect(await runToEnd(['keygen', 'link'], { cwd: folder })).toMatchObject({ code: 2 });
    expect(existsSync(at('vault/sub/private_key.pem'))).toBe(false);
  });
});

describe('a marker file', () => {
  test('that somebody else has put into a folder where all may write makes no vault of it', async () => {
    const me = process.geteuid!();
    expect(isBelieved({ mode: 0o1777, uid: 0 }, { uid: me + 1 })).toBe(false);
    expect(isBelieved({ mode: 0o1777, uid: me + 1 }, { uid: me + 2 })).toBe(false);
    for (const uid of [me, 0]) expect(isBelieved({ mode: 0o1777, uid: 0 }, { uid })).toBe(true);
    // Of a group that shares a vault, whoever made the marker.
    expect(isBelieved({ mode: 0o2775, uid: 0 }, { uid: me + 1 })).toBe(true);
    if (me !== 0) return;
    mkdirSync(at('shared'));
    writeFileSync(at('shared/.sealdrop-vault'), '{"version":1,"binding":"allow"}');
    chownSync(at('shared/.sealdrop-vault'), 65534, 65534);
    chmodSync(at('shared'), 0o1777);
    expect(await findVaultRoot(at('shared/mine/file'))).toBeUndefined();
  });

  test('of any size costs nothing', async () => {
    mkdirSync(at('shared'));
    writeFileSync(at('shared/.sealdrop-vault'), '');
    truncateSync(at('shared/.sealdrop-vault'), 400 * 1024 * 1024);
    const before = process.memoryUsage().rss;
    await expect(findVaultRoot(at('shared/file'))).rejects.toMatchObject({ code: 'not_a_vault' });
    expect(process.memoryUsage().rss - before).toBeLessThan(100 * 1024 * 1024);
  });
});

test.each(['.SEALDROP-VAULT', '.Sealdrop-meta/a'])(
  'the key %s is refused: file systems that ignore case would take it for a file of ours',
  (key) => {
    const vault = openDirectoryStore({ root: folder });
    expect(() => vault.assertStorable(key)).toThrow(expect.objectContaining({ code: 'key_not_storable' }));
  },
);

test('a killed keygen leaves no empty key files, which would stand in the way of the next one', async () => {
  const running = start(['keygen', folder], { cwd: folder });
  while (running.child.exitCode === null && readdirSync(folder).length === 0) await sleep(5);
  await running.kill('SIGKILL');
  const left = readdirSync(folder).filter((name) => !name.endsWith('.sealdrop-part'));
  for (const name of left) expect([name, statSync(at(name)).size]).not.toEqual([name, 0]);
  if (left.includes('public_key.pem')) expect(left).toContain('private_key.pem');
});
