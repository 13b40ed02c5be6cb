/** `sealdrop sync`, on real vaults and through a proxy that counts what it asks of the store. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { chmodSync, mkdirSync, readFileSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { documents } from '../helpers/cli.js';
import { newVault, type TestVault } from '../helpers/cli-vault.js';
import { startFaultProxy, type FaultProxy } from '../helpers/fault-proxy.js';
import { SETUP_TIME, startMinio, type S3Server } from '../helpers/servers.js';

const PUBLIC = ['--public-key', 'public_key.pem'];
const PRIVATE = ['--private-key', 'private_key.pem'];

let server: S3Server;
let proxy: FaultProxy;
beforeAll(async () => {
  server = await startMinio();
  proxy = await startFaultProxy(server.endpoint);
}, SETUP_TIME);
afterAll(async () => {
  await proxy?.close();
  await server?.stop();
});

let vault: TestVault;
const open = async (kind: 's3' | 'directory') => (vault = await newVault(kind, server));
/** Answers, by method. */
function asked(): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const line of proxy.requests) {
    const [method = ''] = line.split(' ');
    counts[method] = (counts[method] ?? 0) + 1;
  }
  return counts;
}

describe.each(['s3', 'directory'] as const)('a vault on %s', (kind) => {
  beforeEach(async () => open(kind));

  test('up, a change, a removal, and down into another folder', async () => {
    const { box } = vault;
    box.write('tree/a.txt', 'one\n');
    box.write('tree/sub/日本 +%.txt', 'two\n');
    await box.transcript(`
      $ sealdrop sync tree {vault}/lab --public-key public_key.pem --dry-run
      ! would be stored: a.txt
      ! would be stored: sub/日本 +%.txt
      ! 2 would be stored (8 B), 0 unchanged
      $ sealdrop sync tree {vault}/lab --public-key public_key.pem
      ! 2 stored (8 B), 0 unchanged
      $ sealdrop sync tree {vault}/lab --public-key public_key.pem
      ! 0 stored (0 B), 2 unchanged
      $ echo three > tree/new.txt; rm tree/a.txt
      $ sealdrop sync tree/ {vault}/lab/ --public-key public_key.pem --delete --max-delete 1
      ! removed: a.txt
      ! 1 stored (6 B), 1 unchanged, 1 removed
      $ sealdrop sync {vault}/lab copy --private-key private_key.pem
      ! 2 written (10 B), 0 unchanged
      $ cat copy/new.txt 'copy/sub/日本 +%.txt'
      > three
      > two
      $ sealdrop sync {vault}/lab copy --private-key private_key.pem
      ! 0 written (0 B), 2 unchanged
      $ rm -r tree; mkdir tree
      $ sealdrop sync tree {vault}/lab --public-key public_key.pem --delete --max-delete 100%
      ! error: nothing was removed: the source is empty
      ! hint: look whether that is the right place; sealdrop rm -r removes a tree
      [1]
    `);
    expect(await vault.keys()).toEqual(['lab/new.txt', 'lab/sub/日本 +%.txt']);
  });

  test('by content: a change that neither size nor time tell', async () => {
    const { box } = vault;
    box.write('tree/a', 'one');
    await box.transcript(`
      $ sealdrop keygen --sync-key keys/sync.key
      ! keys/sync.key  compares contents: every machine that syncs the tree needs it, and it opens nothing
      $ sealdrop sync tree {vault} --public-key public_key.pem --checksum --sync-key keys/sync.key
      ! 1 stored (3 B), 0 unchanged
    `);
    const later = new Date(Date.now() - 60_000);
    utimesSync(box.path('tree/a'), later, later);
    const args = ['sync', 'tree', vault.address, ...PUBLIC, '--checksum', '--sync-key', 'keys/sync.key'];
    expect((await box.run(args)).stderr).toBe('0 stored (0 B), 1 unchanged\n');
    box.write('tree/a', 'ONE');
    utimesSync(box.path('tree/a'), later, later);
    expect((await box.run(args)).stderr).toBe('1 stored (3 B), 0 unchanged\n');
  });
});

describe('what it asks of a store', () => {
  const FILES = 200;
  beforeEach(async () => {
    await open('s3');
    vault.box.env.AWS_ENDPOINT_URL_S3 = proxy.endpoint;
    for (let i = 0; i < FILES; i++) vault.box.write(`tree/${i % 7}/${i}.bin`, `content ${i}`);
    proxy.reset();
  });
  const up = async (...more: string[]) =>
    vault.box.run(['sync', 'tree', `${vault.address}/t`, ...PUBLIC, ...more]);

  test('a second time nothing of any object; of one that was changed, one put', async () => {
    expect((await up()).stderr).toContain(`${FILES} stored`);
    expect(asked()).toEqual({ GET: 1, PUT: FILES });
    for (const more of [[], ['--no-index']]) {
      proxy.reset();
      expect((await up(...more)).stderr).toBe(`0 stored (0 B), ${FILES} unchanged\n`);
      expect(asked()).toEqual({ GET: 1 });
    }
    // The second time by the index, of this machine and the pair.
    const indexes = () => vault.box.homeFiles('.local/state/sealdrop/sync');
    expect(indexes()).toEqual([expect.stringMatching(/^[0-9a-f]{32}\.jsonl$/)]);
    vault.box.write('tree/3/17.bin', 'changed 17');
    proxy.reset();
    expect((await up()).stderr).toBe(`1 stored (10 B), ${FILES - 1} unchanged\n`);
    expect(asked()).toMatchObject({ GET: 1, PUT: 1 });
  });

  test('down, a second time: the listing alone', async () => {
    await up();
    const down = async (...more: string[]) =>
      vault.box.run(['sync', `${vault.address}/t`, 'copy', ...PRIVATE, ...more]);
    expect((await down()).stderr).toBe(`${FILES} written (2.0 KiB), 0 unchanged\n`);
    proxy.reset();
    expect((await down()).stderr).toBe(`0 written (0 B), ${FILES} unchanged\n`);
    expect(asked()).toEqual({ GET: 1 });
    // Remembering nothing it looks at each.
    proxy.reset();
    expect((await down('--no-index')).stderr).toBe(`0 written (0 B), ${FILES} unchanged\n`);
    expect(asked()).toEqual({ GET: 1, HEAD: FILES });
  });

  test('a listing that breaks off removes nothing', async () => {
    await up();
    rmSync(vault.box.path('tree/3'), { recursive: true });
    proxy.add({ method: 'GET', url: 'list-type=2', cutResponse: 20_000, times: Infinity });
    const { code } = await up('--delete', '--max-delete', '100%');
    expect(code).toBe(1);
    proxy.reset();
    expect(await vault.keys()).toHaveLength(FILES);
  });

  test('a store that fails for some: the others are stored, nothing is removed, and the next time mends it', async () => {
    await up();
    rmSync(vault.box.path('tree/3/3.bin'));
    vault.box.write('tree/1/1.bin', 'changed');
    vault.box.write('tree/2/2.bin', 'changed');
    proxy.add({ method: 'PUT', url: '/t/1/1.bin', answer: { status: 403 }, times: Infinity });
    const failed = await up('--delete', '--json');
    expect(failed.code).toBe(6);
    expect(documents(failed).at(-1)).toEqual({
      summary: { transferred: 1, unchanged: FILES - 3, failed: 1, bytes: 7 },
    });
    expect(await vault.keys()).toHaveLength(FILES);
    proxy.reset();
    expect((await up('--delete')).stderr).toBe(
      `removed: 3/3.bin\n1 stored (7 B), ${FILES - 2} unchanged, 1 removed\n`,
    );
  });
});

describe('wrong use', () => {
  beforeEach(async () => open('directory'));

  test('is told in one line', async () => {
    vault.box.write('tree/a', 'one');
    await vault.box.transcript(`
      $ sealdrop sync tree copy
      ! error: sync needs a folder and a vault, and these are two folders
      ! hint: a vault is s3://bucket/prefix/, file:///directory/ or the NAME: of one; anything else is a folder
      [2]
      $ sealdrop sync none {vault}/ --public-key public_key.pem
      ! error: there is no folder none
      [3]
      $ sealdrop sync tree {vault}/ --public-key public_key.pem --max-delete 5
      ! error: --max-delete goes with --delete
      [2]
      $ sealdrop sync tree {vault}/ --public-key public_key.pem --checksum
      ! error: --checksum needs a sync key
      ! hint: sealdrop keygen --sync-key FILE makes one; every machine that syncs this tree needs the same
      [2]
      $ sealdrop sync tree {vault}/ --public-key public_key.pem --checksum --sync-key public_key.pem
      ! error: public_key.pem is no sync key
      ! hint: it holds 32 bytes as base64: sealdrop keygen --sync-key FILE makes one
      [2]
      $ sealdrop sync tree {vault}/ --public-key public_key.pem --index tree/.index
      ! error: the index tree/.index would lie in what is synced
      ! hint: name a place elsewhere with --index FILE, or keep none: --no-index
      [2]
      $ sealdrop sync {vault}/ tree --private-key private_key.pem --index vault/index
      ! error: the index vault/index would lie in what is synced
      ! hint: name a place elsewhere with --index FILE, or keep none: --no-index
      [2]
      $ XDG_STATE_HOME={dir}/tree sealdrop sync tree {vault}/ --public-key public_key.pem 2>&1 | tail -1
      > hint: name a place elsewhere with --index FILE, or keep none: --no-index
      $ sealdrop sync {vault}/ tree/.. --private-key private_key.pem 2>&1 | head -1 | cut -d: -f1
      > error
    `);
    vault.box.write('sync.key', `${Buffer.alloc(32).toString('base64')}\n`);
    chmodSync(vault.box.path('sync.key'), 0o644);
    const exposed = await vault.box.run([
      ...['sync', 'tree', vault.address, ...PUBLIC, '--checksum', '--sync-key', 'sync.key'],
    ]);
    expect(exposed).toMatchObject({ code: 2, stderr: expect.stringContaining('others on this machine') });
  });
});

test('an index that somebody damaged, or that cannot be written, stops no sync', async () => {
  await open('directory');
  const { box } = vault;
  box.write('tree/a', 'one');
  const state = '.local/state/sealdrop/sync';
  const args = ['sync', 'tree', vault.address, ...PUBLIC];
  await box.run(args);
  const [name = ''] = box.homeFiles(state);
  writeFileSync(join(box.home, state, name), 'damaged');
  const said = await box.run(args);
  expect(said).toMatchObject({ code: 0, stderr: expect.stringContaining('0 stored (0 B), 1 unchanged') });
  expect(said.stderr).toMatch(/^warning: .*is no index of sync.*\n/);
  expect((await box.run(args)).stderr).toBe('0 stored (0 B), 1 unchanged\n');
  const blocked = await box.run(args, { env: { XDG_STATE_HOME: box.path('tree/a') } });
  expect(blocked.code).toBe(2);
  const file = await box.run(args, { env: { XDG_STATE_HOME: box.path('public_key.pem') } });
  expect(file).toMatchObject({ code: 0, stderr: expect.stringContaining('cannot be used: ENOTDIR') });
});

test('an interruption leaves nothing half done, and the next sync goes on', async () => {
  await open('s3');
  const { box } = vault;
  for (let i = 0; i < 60; i++) box.write(`tree/${i}`, Buffer.alloc(20_000, i));
  box.env.AWS_ENDPOINT_URL_S3 = proxy.endpoint;
  proxy.reset();
  proxy.add({ method: 'PUT', delay: 100, times: Infinity });
  const running = box.start(['sync', 'tree', vault.address, ...PUBLIC]);
  while (proxy.requests.length < 20) await new Promise((resolve) => setTimeout(resolve, 20));
  running.child.kill('SIGINT');
  expect(await running.result).toMatchObject({
    code: 130,
    stderr: expect.stringContaining('the same command goes on from there'),
  });
  proxy.reset();
  const stored = (await vault.keys()).length;
  expect(stored).toBeGreaterThan(5);
  expect(stored).toBeLessThan(60);
  expect((await box.run(['sync', 'tree', vault.address, ...PUBLIC])).stderr).toContain(`${stored} unchanged`);
  const down = await box.run(['sync', vault.address, 'copy', ...PRIVATE]);
  expect(down.code).toBe(0);
  for (let i = 0; i < 60; i++) expect(box.read(`copy/${i}`).equals(Buffer.alloc(20_000, i))).toBe(true);
});

test('the keys that a command works with do not come out of a vault', async () => {
  await open('s3');
  const { box } = vault;
  const names = ['private_key.pem', 'public_key.pem', 'harmless.txt'];
  for (const name of names) box.write(`theirs/${name}`, 'from somebody else');
  await box.run(['put', '-r', 'theirs/', `${vault.address}/x`, ...PUBLIC]);
  box.write(
    'sealdrop.config.json',
    JSON.stringify({
      vaults: { lab: { address: vault.address } },
      keys: { publicKeys: ['public_key.pem'], privateKeys: ['private_key.pem'] },
    }),
  );
  expect((await box.run(['trust'])).code).toBe(0);
  const before = names.slice(0, 2).map((name) => box.read(name).toString());
  for (const command of [
    ['get', '-r', 'lab:x', '.'],
    ['sync', 'lab:x', '.'],
  ]) {
    const { code, stderr } = await box.run(command);
    expect({ command, code }).toEqual({ command, code: 6 });
    expect(stderr.match(/is a file that this command works with/g)).toHaveLength(2);
    expect(names.slice(0, 2).map((name) => box.read(name).toString())).toEqual(before);
    expect(box.read('harmless.txt').toString()).toBe('from somebody else');
  }
  // Nor one by one.
  for (const target of ['.', 'private_key.pem']) {
    const one = await box.run(['get', 'lab:x/private_key.pem', target]);
    expect(one).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('a file that this command works with'),
    });
  }
  expect(box.read('private_key.pem').toString()).toBe(before[0]);
});

test('no configuration of the user comes out of a vault, whatever its place is called', async () => {
  await open('directory');
  const { box } = vault;
  // As people keep their settings: in a folder of their own, by a link.
  mkdirSync(join(box.home, 'dotfiles/sealdrop'), { recursive: true });
  symlinkSync('dotfiles', join(box.home, '.config'));
  const hostile = [
    '.config/sealdrop/config.json',
    'dotfiles/sealdrop/config.json',
    'dotfiles/sealdrop/trusted.json',
    // What file systems take for it that ignore case, and letters that are not seen.
    'Dotfiles/SEALDROP/Config.json',
    'dotfiles/sealdrop/con\u200bfig.json',
  ];
  for (const path of [...hostile, 'dotfiles/sealdrop/other.json']) box.write(`theirs/${path}`, '{}');
  await box.run(['put', '-r', 'theirs/', `${vault.address}/x`, ...PUBLIC]);
  for (const command of [
    ['get', '-r', `${vault.address}/x`, box.home, ...PRIVATE],
    ['sync', `${vault.address}/x`, box.home, ...PRIVATE, '--no-index'],
  ]) {
    const { code, stderr } = await box.run(command);
    expect({ command, code }).toEqual({ command, code: 6 });
    expect(stderr.match(/^error: /gm)).toHaveLength(hostile.length);
    expect(box.homeFiles('.').filter((name) => /config|trusted/i.test(name))).toEqual(['.config']);
    expect(box.homeFiles('dotfiles')).toEqual(['sealdrop/other.json']);
  }
  const own = join(box.home, 'dotfiles/sealdrop/trusted.json');
  const one = await box.run(['get', `${vault.address}/x/dotfiles/sealdrop/trusted.json`, own, ...PRIVATE]);
  expect(one).toMatchObject({ code: 1, stderr: expect.stringContaining('this command works with') });
});

test('nor by a link of the user that leads nowhere yet, or in the place of one', async () => {
  await open('directory');
  const { box } = vault;
  mkdirSync(join(box.home, '.config/sealdrop'), { recursive: true });
  mkdirSync(join(box.home, 'dotfiles'));
  symlinkSync('../../dotfiles/now.json', join(box.home, '.config/sealdrop/config.json'));
  symlinkSync('later.json', join(box.home, 'dotfiles/now.json'));
  const hostile = ['.config/sealdrop/config.json', 'dotfiles/now.json', 'dotfiles/later.json'];
  for (const path of hostile) box.write(`theirs/${path}`, '{}');
  await box.run(['put', '-r', 'theirs/', `${vault.address}/x`, ...PUBLIC]);
  const args = ['get', '-r', `${vault.address}/x`, box.home, ...PRIVATE];
  const refused = {
    code: 1,
    stderr: expect.stringMatching(/(^error: .* this command works with\n[^]*){3}/m),
  };
  expect(await box.run(args)).toMatchObject(refused);
  expect(box.homeFiles('dotfiles')).toEqual(['now.json']);
  const own = join(box.home, 'dotfiles/later.json');
  const one = await box.run(['get', `${vault.address}/x/dotfiles/later.json`, own, ...PRIVATE]);
  expect(one).toMatchObject({ code: 1, stderr: expect.stringContaining('this command works with') });
  // The same where it leads somewhere.
  writeFileSync(own, '{ }');
  expect(await box.run(args)).toMatchObject(refused);
  expect(readFileSync(join(box.home, '.config/sealdrop/config.json')).toString()).toBe('{ }');
});

test("nothing comes out of a vault into the user's state: neither a gateway's key nor what a sync knows", async () => {
  await open('directory');
  const { box } = vault;
  const hostile = ['sealdrop/idempotency.key', 'SealDrop/idempotency.key', 'sealdrop/sync/x.jsonl'];
  for (const path of hostile) box.write(`theirs/.local/state/${path}`, 'k'.repeat(32));
  mkdirSync(box.path('theirs/.local/state/sealdrop/a-folder'));
  await box.run(['put', '-r', 'theirs/', `${vault.address}/x`, ...PUBLIC, '--empty-directories']);
  const args = ['get', '-r', `${vault.address}/x`, box.home, ...PRIVATE];
  const refused = {
    code: 1,
    stderr: expect.stringMatching(/(^error: .* this command works with\n[^]*){4}/m),
  };
  expect(await box.run(args)).toMatchObject(refused);
  // The same where the folder is there; and one by one.
  mkdirSync(join(box.home, '.local/state/sealdrop'), { recursive: true });
  expect(await box.run(args)).toMatchObject(refused);
  const own = join(box.home, '.local/state/sealdrop');
  const one = await box.run([
    ...['get', `${vault.address}/x/.local/state/sealdrop/idempotency.key`, own],
    ...PRIVATE,
  ]);
  expect(one).toMatchObject({ code: 1, stderr: expect.stringContaining('this command works with') });
  expect(box.homeFiles('.local')).toEqual([]);
});

test('a configured vault is not emptied by its name alone, nor taken for a folder without its colon', async () => {
  await open('s3');
  const { box } = vault;
  box.write('a', 'one');
  box.write(
    'sealdrop.config.json',
    JSON.stringify({
      vaults: { lab: { address: `${vault.address}/in/` } },
      keys: { publicKeys: ['~/keys/public_key.pem'] },
    }),
  );
  box.names.home = box.home;
  await box.transcript(`
    $ mkdir {home}/keys && cp public_key.pem {home}/keys/ && sealdrop trust > trusted.txt
    $ sealdrop put a lab:
    ! a -> {vault}/in/a (3 B)
    $ sealdrop rm -r lab: --yes
    ! error: lab: is the whole vault
    ! hint: if that is meant: --all (and look first with --dry-run)
    [2]
    $ sealdrop ls lab
    ! error: there is no lab here, and a vault is called so
    ! hint: a vault's name has a colon behind it: lab:
    [2]
    $ sealdrop sync lab:typo copy --private-key private_key.pem
    ! error: there is nothing below {vault}/in/typo/
    ! hint: see what there is: sealdrop ls
    [3]
  `);
  expect(await vault.keys()).toEqual(['in/a']);
});
