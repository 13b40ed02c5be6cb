import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, symlinkSync } from 'node:fs';
import { documents } from '../helpers/cli.js';
import { newVault, type TestVault } from '../helpers/cli-vault.js';
import { SETUP_TIME, startMinio, type S3Server } from '../helpers/servers.js';

const PUBLIC = ['--public-key', 'public_key.pem'];
const PRIVATE = ['--private-key', 'private_key.pem'];

let server: S3Server;
beforeAll(async () => {
  server = await startMinio();
}, SETUP_TIME);
afterAll(async () => server.stop());

describe.each(['s3', 'directory'] as const)('with a vault on %s', (kind) => {
  let vault: TestVault;
  beforeAll(async () => {
    vault = await newVault(kind, server);
    vault.box.write('data', 'data');
  });

  test('sources that can’t be read', async () => {
    const { box } = vault;
    mkdirSync(box.path('folder'));
    symlinkSync('loop', box.path('loop'));
    symlinkSync('nowhere', box.path('dangling'));
    await box.transcript(`
      $ sealdrop put missing {vault}/ --public-key public_key.pem
      ! error: there is no file missing
      [3]
      $ sealdrop put dangling {vault}/ --public-key public_key.pem
      ! error: there is no file dangling
      [3]
      $ sealdrop put data/below {vault}/ --public-key public_key.pem
      ! error: there is no file data/below
      [3]
      $ sealdrop put folder {vault}/ --public-key public_key.pem
      ! error: folder is a directory
      ! hint: put -r takes directories; sealdrop serve watches one
      [2]
      $ sealdrop put loop {vault}/ --public-key public_key.pem
      ! error: cannot read loop: ELOOP
      [1]
    `);
    box.write('forbidden', 'x');
    chmodSync(box.path('forbidden'), 0);
    if (process.getuid?.() !== 0)
      await box.transcript(`
        $ sealdrop put forbidden {vault}/ --public-key public_key.pem
        ! error: cannot read forbidden: EACCES
        [1]
      `);
    expect(await vault.keys()).toEqual([]);
  });

  test('a source that grows while it is read is not stored, and what stood there stays', async () => {
    const { box } = vault;
    await box.run(['put', 'data', `${vault.address}/grown`, ...PUBLIC]);
    const before = await vault.stored('grown');
    box.write('grown', randomBytes(3_000_000));
    const { code, stderr } = await box.shell(
      `(while [ ! -e stop ]; do printf x >> grown; done) & sealdrop put grown $V/grown --public-key public_key.pem; code=$?; touch stop; wait; exit $code`,
      { env: { V: vault.address } },
    );
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr:
        'error: grown was written to while it was read; nothing was stored\nhint: try again when it rests\n',
    });
    expect(await vault.stored('grown')).toEqual(before);
    expect(await vault.unfinished('grown')).toEqual([]);
  });

  const DEEP = Array.from({ length: 5 }, (_, i) => `${i}`.repeat(204)).join('/');
  test.each([
    ...(kind === 's3'
      ? [
          ['a slash at the beginning', '/a', 'it begins with a slash'],
          ['an empty segment', 'a//b', 'it has an empty segment (a double slash, or one at the end)'],
          ['a segment of two dots', 'a/../b', 'it has a segment ".."'],
          ['a segment of one dot', './b', 'it has a segment "."'],
        ]
      : []),
    ['1,025 bytes', `${DEEP}x`, 'it is longer than 1024 bytes'],
    ['a segment of 256 bytes', `a/${'s'.repeat(256)}`, 'it has a segment longer than 255 bytes'],
    ['a segment of 258 bytes in 86 letters', 'あ'.repeat(86), 'it has a segment longer than 255 bytes'],
  ])('a key with %s', async (_what, key, why) => {
    const before = [await vault.keys(), vault.box.files()];
    const put = await vault.box.run(['put', 'data', `${vault.address}/${key}`, '--json', ...PUBLIC]);
    expect(put).toMatchObject({
      code: 2,
      stderr: `error: the key ${key} cannot be stored: ${why}\nhint: stores keep such keys under another name, where one object can overwrite another: choose a different key\n`,
    });
    expect(documents(put)).toMatchObject([{ name: 'data', error: { code: 'key_not_storable' } }]);
    expect([await vault.keys(), vault.box.files()]).toEqual(before);
  });

  test('1,024 bytes and segments of 255 can be stored', async () => {
    for (const key of [DEEP, 'あ'.repeat(85)]) {
      expect(await vault.box.run(['put', 'data', `${vault.address}/${key}`, ...PUBLIC])).toMatchObject({
        code: 0,
      });
      const cat = await vault.box.run(['cat', `${vault.address}/${key}`, ...PRIVATE]);
      expect(cat.stdout.toString()).toBe('data');
      expect(await vault.box.run(['rm', `${vault.address}/${key}`])).toMatchObject({ code: 0 });
    }
  });

  test('objects that aren’t there', async () => {
    const { box } = vault;
    const before = box.files();
    for (const args of [['get'], ['cat'], ['rm'], ['inspect'], ['verify']]) {
      const keys = ['get', 'cat'].includes(args[0]!) ? PRIVATE : [];
      const { code, stdout, stderr } = await box.run([...args, `${vault.address}/none`, ...keys]);
      expect({ code, stdout: stdout.toString() }).toEqual({ code: 3, stdout: '' });
      expect(stderr).toMatch(/^error: .*\/none.*\n(hint: .*\n)?$/);
    }
    expect(box.files()).toEqual(before);
  });

  test('places where an object is meant', async () => {
    for (const address of [vault.address, `${vault.address}/`, `${vault.address}/sub/`])
      for (const command of ['get', 'cat', 'inspect', 'verify', 'rm']) {
        const keys = ['get', 'cat'].includes(command) ? PRIVATE : [];
        const { code, stderr } = await vault.box.run([command, address, ...keys]);
        expect({ code, stderr: stderr.split('\n')[0] }).toEqual({
          code: 2,
          stderr: `error: ${address} names no ${command === 'rm' ? 'single ' : ''}object`,
        });
      }
  });

  test('targets that can’t be written', async () => {
    const { box } = vault;
    await box.run(['put', 'data', `${vault.address}/object`, ...PUBLIC]);
    box.write('file', 'file');
    mkdirSync(box.path('out/object'), { recursive: true });
    const before = box.files();
    await box.transcript(`
      $ sealdrop get {vault}/object no/such --private-key private_key.pem
      ! error: cannot write no/such: its directory is not there
      ! hint: make it first: mkdir -p no
      [1]
      $ sealdrop get {vault}/object no/such/ --private-key private_key.pem
      ! error: cannot write no/such/object: its directory is not there
      ! hint: make it first: mkdir -p no/such
      [1]
      $ sealdrop get {vault}/object file/below --private-key private_key.pem
      ! error: cannot write file/below: what should be a directory on the way is a file
      [1]
      $ sealdrop get {vault}/object out --private-key private_key.pem
      ! error: out/object is a directory
      ! hint: name a file in it
      [1]
      $ sealdrop get {vault}/object file --no-overwrite --private-key private_key.pem
      ! error: file is there already
      ! hint: name another target, or leave --no-overwrite out
      [1]
    `);
    expect(box.files()).toEqual(before);
    expect(box.read('file').toString()).toBe('file');
  });

  test('a full disk: the target stays as it was, and nothing is left beside it', async () => {
    const { box } = vault;
    box.write('large', randomBytes(3_000_000));
    await box.run(['put', 'large', `${vault.address}/large`, ...PUBLIC]);
    box.write('target', 'before');
    const before = box.files();
    await box.transcript(`
      $ ulimit -f 1024; sealdrop get {vault}/large target --private-key private_key.pem
      ! error: no room to write {dir}/target (EFBIG)
      ! hint: free some space, or name a target on another disk
      [1]
      $ ulimit -f 1024; sealdrop get {vault}/large fresh --private-key private_key.pem
      ! error: no room to write fresh (EFBIG)
      ! hint: free some space, or name a target on another disk
      [1]
    `);
    expect(box.files()).toEqual(before);
    expect(box.read('target').toString()).toBe('before');
  });

  test('standard output that takes nothing', () =>
    vault.box.transcript(`
      $ sealdrop cat {vault}/large --private-key private_key.pem > /dev/full
      ! error: no room to write standard output (ENOSPC)
      ! hint: free some space, or name a target on another disk
      [1]
      $ sealdrop get {vault}/large /dev/full --private-key private_key.pem
      ! error: no room to write /dev/full (ENOSPC)
      ! hint: free some space, or name a target on another disk
      [1]
      $ sealdrop put large - --public-key public_key.pem > /dev/full
      ! error: no room to write standard output (ENOSPC)
      ! hint: free some space, or name a target on another disk
      [1]
      # results are content too: a list that nobody has is no success
      $ sealdrop ls {vault}/ > /dev/full
      ! error: no room to write standard output (ENOSPC)
      ! hint: free some space, or name a target on another disk
      [1]
    `));

  test('a reader that goes away: quiet, no stack trace', async () => {
    const { stdout, stderr } = await vault.box.shell(
      'sealdrop cat $V/large --private-key private_key.pem | head -c 1 | wc -c; echo ${PIPESTATUS[0]}',
      { env: { V: vault.address } },
    );
    expect({ stdout: stdout.toString(), stderr }).toEqual({ stdout: '1\n1\n', stderr: '' });
  });
});

test('a full disk under a directory vault: the old object stays, and nothing is left of the new one', async () => {
  const { box, stored, keys } = await newVault('directory', server);
  box.write('small', 'small');
  await box.transcript(`$ sealdrop put small {vault}/object -q --public-key public_key.pem`);
  const before = [await stored('object'), box.files()];
  await box.transcript(`
    $ ulimit -f 1024; head -c 3000000 /dev/zero | sealdrop put - {vault}/object --public-key public_key.pem
    ! error: {vault}/object: there is no room left (EFBIG)
    ! hint: the file is larger than the file system or the limit of this process (ulimit -f) allows
    [1]
    $ ulimit -f 1024; head -c 3000000 /dev/zero | sealdrop put - {vault}/deep/er/new --public-key public_key.pem
    ! error: {vault}/deep/er/new: there is no room left (EFBIG)
    ! hint: the file is larger than the file system or the limit of this process (ulimit -f) allows
    [1]
  `);
  expect([await stored('object'), box.files()]).toEqual(before);
  expect(await keys()).toEqual(['object']);
});

test('source and target that are the same file', async () => {
  const { box } = await newVault('directory', server);
  box.write('vault/file', 'plain');
  await box.transcript(`
    $ sealdrop put vault/file {vault}/file --public-key public_key.pem
    ! error: vault/file is source and target at once
    [2]
    $ cat vault/file && echo
    > plain
  `);
});

test('addresses that are none', async () => {
  const { box } = await newVault('directory', server);
  const hint =
    '! hint: an address is s3://bucket/key, file:///directory/key, NAME:key for a configured vault, or - for standard input or output';
  await box.transcript(`
    $ sealdrop ls https://s3.example.com/bucket
    ! error: https://s3.example.com/bucket cannot be used: https:// is not a kind of address
    ${hint}
    [2]
    $ sealdrop ls s3://
    ! error: s3:// cannot be used: it names no bucket
    ${hint}
    [2]
    $ sealdrop ls s3:///key
    ! error: s3:///key cannot be used: it names no bucket
    ${hint}
    [2]
    $ sealdrop ls file://relative
    ! error: file://relative cannot be used: the path must begin with a slash: file:///directory/key
    ${hint}
    [2]
    $ sealdrop ls ''
    ! error: the address cannot be used: it is empty
    ${hint}
    [2]
    $ sealdrop ls -
    ! error: standard input and output are no vault
    [2]
    $ sealdrop verify - --private-key private_key.pem
    ! error: standard input and output are no vault
    [2]
  `);
});
