/** `cp` and `mv`: what goes elsewhere is bound to where it goes, and nothing is lost on its way. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { documents, type Box } from '../helpers/cli.js';
import { newVault, type TestVault, type VaultKind } from '../helpers/cli-vault.js';
import { SETUP_TIME, startMinio, startVersitygw, type S3Server } from '../helpers/servers.js';

let minio: S3Server;
let versitygw: S3Server;
beforeAll(async () => {
  minio = await startMinio();
  versitygw = await startVersitygw();
}, SETUP_TIME);
afterAll(async () => {
  await minio?.stop();
  await versitygw?.stop();
});

describe.each<VaultKind | 'versitygw'>(['s3', 'directory', 'versitygw'])('in a vault of kind %s', (kind) => {
  let vault: TestVault;
  let box: Box;
  beforeEach(async () => {
    vault = await (kind === 'versitygw' ? newVault('s3', versitygw) : newVault(kind, minio));
    box = vault.box;
    box.env.SEALDROP_PUBLIC_KEY = 'public_key.pem';
    box.env.SEALDROP_PRIVATE_KEY = 'private_key.pem';
    box.write('data/a.csv', 'one');
    box.write('data/sub/b.csv', 'two');
    expect((await box.run(['put', '-r', 'data/', `${vault.address}/x`, '--context', 'p=q'])).code).toBe(0);
  });

  test('one object', async () => {
    await box.transcript(
      `
      $ sealdrop cp {vault}/x/a.csv {vault}/y/
      ! copied: {vault}/x/a.csv -> {vault}/y/a.csv (3 B)
      $ sealdrop cat {vault}/y/a.csv --context p=q
      > one
      $ sealdrop cat {vault}/x/a.csv
      > one
      $ sealdrop mv {vault}/x/a.csv {vault}/y/c
      ! moved: {vault}/x/a.csv -> {vault}/y/c (3 B)
      $ sealdrop cat {vault}/y/c
      > one
      $ sealdrop mv {vault}/y/c {vault}/y/a.csv --no-overwrite
      ! error: {vault}/y/a.csv is there already
      ! hint: name another key, or leave --no-overwrite out
      [1]
      $ sealdrop mv {vault}/y/c {vault}/y/c
      ! error: {vault}/y/c is source and target at once
      [2]
      $ sealdrop mv {vault}/y/c {vault}/y/
      ! error: {vault}/y/c is source and target at once
      [2]
      $ sealdrop mv {vault}/y/ {vault}/z/
      ! error: {vault}/y/ names no single object
      ! hint: all that lies below it is taken with -r
      [2]
      $ sealdrop cp {vault}/y/c {vault}/y//d
      ! error: the key y//d cannot be stored: it has an empty segment (a double slash, or one at the end)
      ! hint: stores keep such keys under another name, where one object can overwrite another: choose a different key
      [2]`.replace(
        kind === 'directory' ? /\n\s+\$ sealdrop cp \{vault\}\/y\/c \{vault\}\/y\/\/d[^]*$/ : /$^/,
        '',
      ),
    );
    expect((await vault.keys()).sort()).toEqual(['x/sub/b.csv', 'y/a.csv', 'y/c']);
  });

  test('a tree', async () => {
    await box.transcript(
      `
      $ sealdrop cp -r {vault}/x {vault}/y --dry-run --files 1
      ! would be copied: {vault}/x/a.csv -> {vault}/y/a.csv
      ! would be copied: {vault}/x/sub/b.csv -> {vault}/y/sub/b.csv
      ! 2 files would be copied (${kind === 'directory' ? '' : ''}{size})
      $ sealdrop cp -r {vault}/x {vault}/y
      ! 2 files copied (6 B)
      $ sealdrop mv -r {vault}/x/ {vault}/z/ --exclude 'sub'
      ! 1 file moved (3 B)
      $ sealdrop mv -r {vault}/x {vault}/x/deeper
      ! error: {vault}/x and {vault}/x/deeper overlap
      ! hint: what was copied would be copied again: name places that lie apart
      [2]
      $ sealdrop mv -r {vault}/none {vault}/z
      ! error: there is nothing below {vault}/none/
      ! hint: see what there is: sealdrop ls; with -r the address is that of a folder
      [3]
      $ sealdrop get -r {vault}/y out
      ! 2 files written (6 B)
      $ diff -r data out`.replace('{size}', await sizes()),
    );
    expect((await vault.keys()).sort()).toEqual(['x/sub/b.csv', 'y/a.csv', 'y/sub/b.csv', 'z/a.csv']);
  });

  async function sizes(): Promise<string> {
    const all = await Promise.all((await vault.keys()).map(async (key) => (await vault.stored(key)).length));
    const bytes = all.reduce((a, b) => a + b, 0);
    return bytes < 1024 ? `${bytes} B` : `${(bytes / 1024).toFixed(1)} KiB`;
  }

  test('what does not open stays where it is, and nothing comes of it', async () => {
    const damaged = await vault.stored('x/a.csv');
    damaged[damaged.length - 1]! ^= 1;
    await vault.plant('x/damaged', damaged);
    await vault.plant('x/sub/swapped', await vault.stored('x/a.csv'));
    const before = await vault.keys();
    for (const [name, code] of [
      ['damaged', 5],
      ['sub/swapped', 5],
      ['none', 3],
    ] as const) {
      const { code: exit } = await box.run([
        'mv',
        `${vault.address}/x/${name}`,
        `${vault.address}/y/${name}`,
      ]);
      expect([name, exit]).toEqual([name, code]);
    }
    expect(await vault.keys()).toEqual(before);
    const all = await box.run(['mv', '-r', `${vault.address}/x`, `${vault.address}/y`]);
    expect([all.code, all.stderr]).toEqual([6, expect.stringContaining('2 files moved (6 B), 2 failed')]);
    expect((await vault.keys()).sort()).toEqual(['x/damaged', 'x/sub/swapped', 'y/a.csv', 'y/sub/b.csv']);
    const moved = await box.run([
      'mv',
      `${vault.address}/x/sub/swapped`,
      `${vault.address}/y/s`,
      '--moved',
      '--json',
    ]);
    expect(documents(moved)).toEqual([
      {
        ...{ outcome: 'moved', source: `${vault.address}/x/sub/swapped`, address: `${vault.address}/y/s` },
        ...{ key: 'y/s', plaintextSize: 3, size: expect.any(Number), etag: expect.any(String) },
        ...{ checked: expect.any(String), verified: 'opened', bound: 'moved' },
        recipients: [{ namespace: 'MyAppKeys', name: 'S3RSAKey', fingerprint: expect.any(String) }],
      },
    ]);
  });

  test('into another vault, to other keys', async () => {
    box.write('other/.sealdrop-vault', '{"version":1,"binding":"required"}\n');
    const { code, stderr } = await box.run([
      ...['mv', '-r', `${vault.address}/x`, `file://${box.path('other')}/in`],
      ...['--public-key', 'other_public.pem'],
    ]);
    expect([code, stderr]).toEqual([0, expect.stringContaining('2 files moved (6 B)')]);
    expect(stderr).toContain('no private key given opens what will be made');
    expect(await vault.keys()).toEqual([]);
    const got = await box.run(['get', '-r', 'other/in', 'out', '--private-key', 'other_private.pem']);
    expect(got.code).toBe(0);
    expect(box.read('out/sub/b.csv').toString()).toBe('two');
    // A new one is made for what there is.
    await box.run([
      'cp',
      `file://${box.path('other')}/in/a.csv`,
      `file://${box.path('new')}/a`,
      '--private-key',
      'other_private.pem',
    ]);
    expect(box.has('new/.sealdrop-vault')).toBe(true);
    await box.run(['cp', `file://${box.path('other')}/none`, `file://${box.path('new2')}/a`]);
    expect(box.has('new2')).toBe(false);
  });
});

test('files are put and got: neither goes by cp, nor do keys matter before', async () => {
  const { box, keys } = await newVault('directory', minio);
  box.write('a', '1');
  await box.transcript(`
    $ sealdrop put a {vault}/ --public-key public_key.pem --quiet
    $ sealdrop cp a {vault}/b --public-key public_key.pem --private-key private_key.pem
    ! error: a does not lie in a vault
    ! hint: files go into a vault with sealdrop put
    [2]
    $ sealdrop mv {vault}/a ./local --private-key private_key.pem
    ! error: ./local does not lie in a vault
    ! hint: objects are taken out into files with sealdrop get
    [2]
    # a path in a vault is a key
    $ sealdrop cp vault/a vault/b --private-key private_key.pem --public-key public_key.pem
    ! copied: {vault}/a -> {vault}/b (1 B)
  `);
  expect((await keys()).sort()).toEqual(['a', 'b']);
});

test('in a directory a link makes no second object', async () => {
  const { box } = await newVault('directory', minio);
  box.write('a', '1');
  const keys = '--public-key public_key.pem --private-key private_key.pem';
  await box.transcript(`
    $ sealdrop put a {vault}/x/a --public-key public_key.pem --quiet
    $ ln -s . vault/loop
    $ sealdrop mv {vault}/x/a {vault}/loop/x/a ${keys}
    ! error: {vault}/x/a and {vault}/loop/x/a are one place, or one lies in the other
    ! hint: links are followed: name places that lie apart
    [2]
    $ sealdrop mv -r {vault}/x {vault}/loop/x/y ${keys}
    ! error: {vault}/x/ and {vault}/loop/x/y/ are one place, or one lies in the other
    ! hint: links are followed: name places that lie apart
    [2]
  `);
});
