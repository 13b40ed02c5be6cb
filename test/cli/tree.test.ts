/** Trees by the command: what is said, in which words, and with which exit code. */
import { chmodSync, mkdirSync, statSync, symlinkSync, utimesSync } from 'node:fs';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { CreateMultipartUploadCommand } from '@aws-sdk/client-s3';
import { Box, documents } from '../helpers/cli.js';
import { addKeys, newVault, type TestVault, type VaultKind } from '../helpers/cli-vault.js';
import { SETUP_TIME, startMinio, startVersitygw, type S3Server } from '../helpers/servers.js';

let minio: S3Server;
beforeAll(async () => (minio = await startMinio()), SETUP_TIME);
afterAll(async () => minio?.stop());

describe.each<VaultKind>(['s3', 'directory'])('in a vault of kind %s', (kind) => {
  let vault: TestVault;
  let box: Box;
  beforeEach(async () => {
    vault = await newVault(kind, minio);
    box = vault.box;
    box.env.SEALDROP_PUBLIC_KEY = 'public_key.pem';
    box.env.SEALDROP_PRIVATE_KEY = 'private_key.pem';
    box.write('data/a.csv', 'one');
    box.write('data/sub/b.csv', 'two');
    box.write('data/sub/c.tmp', 'three');
  });

  test('a tree goes in, is listed, comes out, and goes', async () => {
    await box.transcript(`
      $ sealdrop put -r data {vault}/x
      ! 3 files stored (11 B)
      $ sealdrop put -r data/ public_key.pem {vault}/y --exclude '*.tmp' --dry-run
      ! would be stored: data/a.csv -> {vault}/y/a.csv
      ! would be stored: data/sub/b.csv -> {vault}/y/sub/b.csv
      ! would be stored: public_key.pem -> {vault}/y/public_key.pem
      ! 3 files would be stored (457 B)
      $ sealdrop put -r data {vault}/x --resume
      ! 3 there already
      $ sealdrop get -r {vault}/x/data out
      ! 3 files written (11 B)
      $ diff -r data out
      $ sealdrop get -r {vault}/x/data out --no-overwrite --include a.csv
      ! error: out/a.csv is there already
      ! hint: name another target, or leave --no-overwrite out
      ! 1 failed
      [1]
      $ sealdrop get -r {vault}/x/data out --resume
      ! 3 there already
      $ sealdrop get -r {vault}/x/dat out2
      ! error: there is nothing below {vault}/x/dat/
      ! hint: see what there is: sealdrop ls; with -r the address is that of a folder
      [3]
      $ sealdrop rm -r {vault}/x/data
      ! error: this has to be confirmed, and there is no terminal to ask at
      ! hint: give --yes, or --dry-run to see what would be done
      [2]
      $ sealdrop rm -r {vault}/x/data --include '*.csv' --dry-run
      ! would be removed: {vault}/x/data/a.csv
      ! would be removed: {vault}/x/data/sub/b.csv
      ! 2 files would be removed (892 B)
      $ sealdrop rm -r {vault}/x/data --include '*.csv' --yes
      ! 2 files removed (892 B)
      # a filter that leaves nothing: as of put -r and get -r
      $ sealdrop put -r data {vault}/x --include '*.none'
      ! 0 files stored (0 B)
      $ sealdrop get -r {vault}/x/data out --include '*.none'
      ! 0 files written (0 B)
      $ sealdrop rm -r {vault}/x/data --include '*.none'
      ! 0 files removed (0 B)
      $ sealdrop rm -r {vault}/x/data --include '*.none' --dry-run
      ! 0 files removed (0 B)
      $ sealdrop rm -r {vault} --yes
      ! error: {vault} is the whole vault
      ! hint: if that is meant: --all (and look first with --dry-run)
      [2]
      $ sealdrop rm -r {vault} --yes --all
      ! 1 file removed (450 B)
      $ sealdrop rm -r {vault} --yes --all
      ! error: there is nothing to remove below {vault}/
      ! hint: see what there is: sealdrop ls; with -r the address is that of a folder
      [3]`);
    expect(box.has('out2')).toBe(false);
    expect(await vault.keys()).toEqual([]);
  });

  test('one object is asked for where there is a folder: -r is named', async () => {
    const missing =
      kind === 's3' ? '{vault}/x: there is no such object (NotFound)' : 'there is no object {vault}/x';
    const folder = (command: string) => `
      ! error: ${missing}
      ! hint: it is a folder, with objects below it: sealdrop ${command} -r takes them all
      [3]`;
    await box.transcript(`
      $ sealdrop put -r data/ {vault}/x --quiet
      $ sealdrop get {vault}/x out${folder('get')}
      $ sealdrop rm {vault}/x${folder('rm')}
      $ sealdrop cp {vault}/x {vault}/y${folder('cp')}
      $ sealdrop mv {vault}/x {vault}/y${folder('mv')}
      # never for what only begins so
      $ sealdrop rm {vault}/x/a 2>&1 | grep -c folder
      > 0
      [1]`);
    expect(await vault.keys()).toHaveLength(3);
  });

  test('what fails does not keep the rest: 6 where some failed, the failure’s own code where all did', async () => {
    await box.transcript(`
      $ sealdrop put -r absent data/a.csv {vault}/x
      ! error: there is no file or directory absent
      ! 1 file stored (3 B)
      [6]
      $ sealdrop put -r absent {vault}/x
      ! error: there is no file or directory absent
      [3]`);
    await vault.plant('x/sub/b.csv', Buffer.from('no message'));
    const some = await box.run(['get', '-r', `${vault.address}/x`, 'out', '--json']);
    expect(some.code).toBe(6);
    const lines = documents(some);
    expect(lines.find(({ path }) => path === 'sub/b.csv')).toMatchObject({
      outcome: 'failed',
      target: 'out/sub/b.csv',
      error: { code: 'not_an_envelope' },
    });
    expect(lines.find(({ path }) => path === 'a.csv')).toMatchObject({ outcome: 'done', bound: 'bound' });
    expect(lines.at(-1)).toMatchObject({ summary: { done: 1, failed: 1 } });
    expect((await box.run(['get', '-r', `${vault.address}/x/sub`, 'out'])).code).toBe(5);
    expect(box.files('out')).toEqual(['a.csv']);
  });

  test('links, empty directories, times and permissions', async () => {
    symlinkSync('a.csv', box.path('data/link'));
    mkdirSync(box.path('data/empty'));
    chmodSync(box.path('data/a.csv'), 0o640);
    utimesSync(box.path('data/a.csv'), 1e9, 1e9);
    await box.transcript(`
      $ sealdrop put -r data {vault}/x
      ! 3 files stored (11 B), 1 empty directory left out, 1 symbolic link left out
      $ sealdrop put -r data {vault}/x --symlinks refuse --empty-directories
      ! error: data/link is a symbolic link
      ! hint: leave links out with --symlinks skip, or store what they lead to with --symlinks follow
      ! 4 files stored (11 B), 1 failed
      [6]
      $ sealdrop put -r data {vault}/x --symlinks follow --empty-directories --preserve
      ! 5 files stored (14 B)
      $ sealdrop get -r {vault}/x/data out --preserve
      ! 5 files written (14 B)
      $ diff -r data out
      $ sealdrop put data/a.csv {vault}/single --preserve
      ! data/a.csv -> {vault}/single (3 B)
      $ sealdrop get {vault}/single single --preserve
      ! {vault}/single -> single (3 B)`);
    for (const name of ['out/a.csv', 'single'])
      expect([statSync(box.path(name)).mode & 0o777, statSync(box.path(name)).mtimeMs]).toEqual([
        0o640, 1e12,
      ]);
  });

  test('ls: with plaintext sizes, as a tree, filtered', async () => {
    await box.run(['put', '-r', 'data', `${vault.address}/x`]);
    const listed = async (...options: string[]) => {
      const { stdout, stderr } = await box.run(['ls', `${vault.address}/x/`, ...options]);
      return stdout.toString().replace(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/g, 'TIME') + stderr;
    };
    expect(await listed('-l')).toBe(
      [
        'TIME            444              3 x/data/a.csv',
        'TIME            448              3 x/data/sub/b.csv',
        'TIME            450              5 x/data/sub/c.tmp',
        '3 objects, 1.3 KiB',
        '',
      ].join('\n'),
    );
    expect(
      (await listed('--tree', '--exclude', '*.tmp'))
        .replace(/TIME +\d+/g, 'TIME SIZE')
        .replace(/^ {34}/gm, ''),
    ).toBe(
      [' data/', 'TIME SIZE   a.csv', '   sub/', 'TIME SIZE     b.csv', '2 objects, 892 B', ''].join('\n'),
    );
    const [first] = documents(await box.run(['ls', `${vault.address}/x/`, '-l', '--json']));
    expect(first).toMatchObject({ key: 'x/data/a.csv', plaintextSize: 3 });
  });

  test('directories of one name go together, as far as no file does', async () => {
    box.write('one/s/x', 'x');
    box.write('two/s/y', 'y');
    box.write('three/s/x/z', 'z');
    await box.transcript(`
      $ sealdrop put -r one/ two/ {vault}/both --public-key public_key.pem
      ! 2 files stored (2 B)
      $ sealdrop put -r one/ three/ {vault}/both --public-key public_key.pem
      ! error: two sources would be stored as s/x
      ! hint: one would replace the other: put them into different places
      [2]
    `);
  });

  test('what would go wrong is refused before anything is done', async () => {
    await box.transcript(`
      $ sealdrop put data/a.csv {vault}/x --resume
      ! error: --resume is for trees: it needs -r
      [2]
      $ sealdrop put -r - {vault}/x
      ! error: standard input and output take one file: leave -r out
      [2]
      $ sealdrop put -r data/sub/ data/sub/b.csv {vault}/x
      ! error: two sources would be stored as b.csv
      ! hint: one would replace the other: put them into different places
      [2]
      $ sealdrop put -r data {vault}/x --symlinks maybe
      ! error: option '--symlinks <rule>' argument 'maybe' is invalid. Allowed choices are skip, follow, refuse.
      ! hint: see: sealdrop put --help
      [2]
      $ sealdrop rm {vault}/x --include a
      ! error: --include is for trees: it needs -r
      [2]`);
    expect(await vault.keys()).toEqual([]);
  });
});

test('ciphertext is not encrypted again, and plaintext does not go into a vault', async () => {
  const { box, address } = await newVault('directory', minio);
  box.write('data/a', '1');
  const put = await box.run(['put', '-r', '.', `${address}/x`, '--public-key', 'public_key.pem']);
  expect([put.code, put.stderr]).toEqual([2, expect.stringContaining('overlap')]);
  const get = await box.run(['get', '-r', `${address}/`, 'vault/out', '--private-key', 'private_key.pem']);
  expect([get.code, get.stderr]).toEqual([2, expect.stringContaining('lies in the vault')]);
});

test('a store that refuses everything is not asked for each of many files', async () => {
  const { box, address } = await newVault('s3', minio);
  for (let i = 0; i < 100; i++) box.write(`many/${i}`, 'x');
  const env = { AWS_SECRET_ACCESS_KEY: 'wrong' };
  const put = await box.run(['put', '-r', 'many', address, '--public-key', 'public_key.pem'], {
    env,
  });
  expect(put).toMatchObject({
    code: 4,
    stderr: expect.stringContaining('hint: it was stopped there'),
  });
  const refused = put.stderr.match(/SignatureDoesNotMatch/g)!.length;
  expect(refused).toBeGreaterThanOrEqual(10);
  expect(refused).toBeLessThan(30);
});

test('a dry run makes no vault, and fails where the run would', async () => {
  const box = new Box();
  addKeys(box);
  box.write('data/a', '1');
  box.write('keys/private_key.pem', 'x');
  box.write('full/b', '2');
  await box.transcript(`
    $ sealdrop put -r data file://{dir}/new --dry-run --resume --public-key public_key.pem
    ! would be stored: data/a -> file://{dir}/new/data/a
    ! 1 file would be stored (1 B)
    $ sealdrop sync data file://{dir}/new --dry-run --public-key public_key.pem
    ! would be stored: a
    ! 1 would be stored (1 B), 0 unchanged
    $ test ! -e new
    $ sealdrop put -r data file://{dir}/full/ --dry-run --public-key public_key.pem
    ! error: {dir}/full/ does not lie in a vault
    ! hint: a vault is a new or empty directory, or one with a file .sealdrop-vault in it that holds {"version":1,"binding":"required"}
    [2]
    # The key that opens it, too.
    $ sealdrop put -r keys file://{dir}/new --dry-run --public-key public_key.pem
    ! warning: keys/private_key.pem goes into the vault: a private key that lies only in a vault it opens cannot open it
    ! hint: keep it, and a copy, elsewhere; --exclude private_key.pem leaves it out
    ! would be stored: keys/private_key.pem -> file://{dir}/new/keys/private_key.pem
    ! 1 file would be stored (1 B)
  `);
});

test('a private key that goes into a vault is warned of, whatever takes it there', async () => {
  const { box, address } = await newVault('directory', minio);
  box.env.SEALDROP_PUBLIC_KEY = 'public_key.pem';
  box.write('keys/private_key.pem', 'x');
  const warning = (file: string, orElse: string) => `
    ! warning: ${file} goes into the vault: a private key that lies only in a vault it opens cannot open it
    ! hint: keep it, and a copy, elsewhere${orElse}`;
  await box.transcript(`
    $ sealdrop put keys/private_key.pem {vault}/${warning('keys/private_key.pem', '')}
    ! keys/private_key.pem -> {vault}/private_key.pem (1 B)
    $ sealdrop sync keys {vault}/x --dry-run${warning('private_key.pem', '; --exclude private_key.pem leaves it out')}
    ! would be stored: private_key.pem
    ! 1 would be stored (1 B), 0 unchanged
    $ sealdrop sync keys {vault}/x${warning('private_key.pem', '; --exclude private_key.pem leaves it out')}
    ! 1 stored (1 B), 0 unchanged
    $ sealdrop sync keys {vault}/x
    ! 0 stored (0 B), 1 unchanged
  `);
  // Not into a vault, and out of one.
  for (const args of [
    ['put', 'keys/private_key.pem', '-'],
    ['sync', `${address}/x`, 'back', '--private-key', 'private_key.pem'],
  ])
    expect((await box.run(args)).stderr).not.toContain('warning');
});

test('at a terminal there is one display for the whole, and rm -r asks', async () => {
  const { box, address, keys } = await newVault('s3', minio);
  for (let i = 0; i < 30; i++) box.write(`data/${i}`, 'x'.repeat(200_000));
  const put = await box.terminal(['put', '-r', 'data', `${address}/`, '--public-key', 'public_key.pem']);
  expect(put.code).toBe(0);
  expect(put.screen).toMatch(/\d+ of 30 files \[#*-*\] .* of 5\.7 MiB/);
  const no = await box.terminal(['rm', '-r', `${address}/data`], [{ wait: '[y/N]', send: 'n\n' }]);
  expect(no.screen).toContain('remove 30 objects');
  expect(await keys()).toHaveLength(30);
  await box.terminal(['rm', '-r', `${address}/data`], [{ wait: '[y/N]', send: 'y\n' }]);
  expect(await keys()).toEqual([]);
});

describe('uploads', () => {
  const begin = async (server: S3Server, Bucket: string, Key: string) =>
    (await server.client.send(new CreateMultipartUploadCommand({ Bucket, Key }))).UploadId!;

  test('at MinIO they are found by their whole key, and aborted when they are old enough', async () => {
    const { box, address } = await newVault('s3', minio);
    const bucket = address.slice('s3://'.length);
    box.names.id = await begin(minio, bucket, 'dir/large');
    await box.transcript(`
      $ sealdrop uploads list {vault}/dir
      ! no unfinished upload below {vault}/dir (some stores, as MinIO, tell of them by their whole key alone)
      $ sealdrop uploads list {vault}/dir/large --key
      > {time} {id} dir/large
      $ sealdrop uploads abort {vault}/dir/large
      ! 1 is not that old, or of no known age
      $ sealdrop uploads abort {vault}/dir/large --older-than 0
      ! error: this has to be confirmed, and there is no terminal to ask at
      ! hint: give --yes, or --dry-run to see what would be done
      [2]
      $ sealdrop uploads abort {vault}/dir/large --older-than 0 --dry-run
      ! would be aborted: {vault}/dir/large of {time} (upload id {id})
      $ sealdrop uploads abort {vault}/dir/large --older-than 0s --yes
      ! aborted: {vault}/dir/large of {time} (upload id {id})
      $ sealdrop uploads list {vault}/dir/large
      ! no unfinished upload below {vault}/dir/large (some stores, as MinIO, tell of them by their whole key alone)
      $ sealdrop uploads abort {vault}/dir/large --older-than soon
      ! error: option '--older-than <time>' argument 'soon' is invalid. It must be a time, as 90m, 12h or 7d, or 0.
      ! hint: see: sealdrop uploads abort --help
      [2]`);
  });

  test(
    'at a store that lists them by a prefix all below it are found, and no others',
    async () => {
      const server = await startVersitygw();
      try {
        const { box, address } = await newVault('s3', server);
        const bucket = address.slice('s3://'.length);
        for (const key of ['x/a', 'x/b', 'y']) await begin(server, bucket, key);
        const listed = documents(await box.run(['uploads', 'list', `${address}/x/`, '--json']));
        expect(listed.map(({ key }) => key)).toEqual(['x/a', 'x/b']);
        expect(listed[0]).toMatchObject({ address: `${address}/x/a`, started: expect.any(String) });
        const abort = ['uploads', 'abort', `${address}/x/`, '--older-than', '0', '--yes', '--json'];
        const aborted = documents(await box.run(abort));
        expect(aborted.map(({ key, aborted }) => [key, aborted])).toEqual([
          ['x/a', true],
          ['x/b', true],
        ]);
        expect(
          documents(await box.run(['uploads', 'list', address, '--json'])).map(({ key }) => key),
        ).toEqual(['y']);
      } finally {
        await server.stop();
      }
    },
    SETUP_TIME,
  );
});
