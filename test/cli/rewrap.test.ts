/** `rewrap`: other recipients for what is there, and what is said of it. */
import { generateKeyPairSync } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { ListObjectVersionsCommand, PutBucketVersioningCommand } from '@aws-sdk/client-s3';
import { Box, documents } from '../helpers/cli.js';
import {
  addKeys,
  environmentFor,
  newVault,
  OTHER,
  PAIR,
  type TestVault,
  type VaultKind,
} from '../helpers/cli-vault.js';
import { startFaultyStore } from '../helpers/faulty-store.js';
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

const THIRD = generateKeyPairSync('rsa', {
  modulusLength: 2048,
  publicKeyEncoding: { type: 'spki', format: 'pem' },
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
});

const set = (...keys: [string, { publicKey: string }][]) =>
  JSON.stringify({
    version: 1,
    keys: keys.map(([name, { publicKey }]) => ({ namespace: 'team', name, publicKey, state: 'active' })),
  });
const privateSet = (name: string, pair: { publicKey: string; privateKey: string }) =>
  JSON.stringify({ version: 1, keys: [{ namespace: 'team', name, ...pair, state: 'active' }] });

/** Three people's keys: their public halves as one set and as sets of one, and each one's private half. */
function addSets(box: Box): void {
  const all = { ann: PAIR, bob: OTHER, eve: THIRD };
  box.write('third.pem', THIRD.privateKey);
  for (const [name, pair] of Object.entries(all)) {
    box.write(`${name}.json`, set([name, pair]));
    box.write(`${name}.private.key`, privateSet(name, pair));
  }
  box.write('team.json', set(['ann', PAIR], ['eve', THIRD]));
  box.write('all.json', set(['ann', PAIR], ['bob', OTHER], ['eve', THIRD]));
}

describe.each<VaultKind | 'versitygw'>(['s3', 'directory', 'versitygw'])('in a vault of kind %s', (kind) => {
  let vault: TestVault;
  let box: Box;
  beforeEach(async () => {
    vault = await (kind === 'versitygw' ? newVault('s3', versitygw) : newVault(kind, minio));
    box = vault.box;
    addSets(box);
    box.env.SEALDROP_PRIVATE_KEY = 'private_key.pem';
    box.write('data/a.csv', 'one');
    box.write('data/sub/b.csv', 'two');
    box.write('data/sub/empty', '');
    await ok(['put', '-r', 'data', `${vault.address}/x`, '--public-key', 'public_key.pem']);
  });

  async function ok(args: string[]): Promise<string> {
    const { code, stderr } = await box.run(args);
    expect([code, stderr]).toEqual([0, expect.anything()]);
    return stderr;
  }
  const code = async (args: string[]) => (await box.run(args)).code;
  const opens = async (key: string, privateKey: string) =>
    (await code(['verify', `${vault.address}/${key}`, '--private-key', privateKey])) === 0;

  test('a tree is for another key of the same name, once, and says what it is not', async () => {
    await box.transcript(`
      $ sealdrop rewrap -r {vault}/x --to other_public.pem --dry-run --files 1
      ! would be rewrapped: {vault}/x/data/a.csv
      ! would be rewrapped: {vault}/x/data/sub/b.csv
      ! would be rewrapped: {vault}/x/data/sub/empty
      ! 3 files would be rewrapped (6 B)
      $ sealdrop rewrap -r {vault}/x --to other_public.pem --private-key private_key.pem --private-key other_private.pem
      ! 3 files rewrapped (6 B)
      ! this does not revoke: older versions, backups and headers that were saved before still open with the old key
      $ sealdrop rewrap -r {vault}/x --to other_public.pem
      ! no private key given opens what will be made: its framing is checked, and what it says of itself
      ! 3 there already
      $ sealdrop get -r {vault}/x/data out --private-key other_private.pem
      ! 3 files written (6 B)
      $ diff -r data out`);
    expect(await opens('x/data/a.csv', 'private_key.pem')).toBe(false);
    expect(await vault.keys()).toEqual(['x/data/a.csv', 'x/data/sub/b.csv', 'x/data/sub/empty']);
    for (const key of await vault.keys()) expect(await vault.unfinished(key)).toEqual([]);
  });

  test('a tree that another tool moved is bound anew, as far as it was moved whole', async () => {
    for (const name of ['a.csv', 'sub/b.csv'])
      await vault.plant(`y/${name}`, await vault.stored(`x/data/${name}`));
    // Swapped by somebody.
    await vault.plant('y/swapped', await vault.stored('x/data/sub/b.csv'));
    const bad = await box.run(['get', `${vault.address}/y/a.csv`, 'out']);
    expect(bad.code).toBe(5);
    expect(bad.stderr).toContain('sealdrop rewrap --rebind');
    const { code: exit, stderr } = await box.run([
      'rewrap',
      '-r',
      `${vault.address}/y`,
      '--rebind',
      'x/data',
      '--to',
      'public_key.pem',
    ]);
    expect(exit).toBe(6);
    expect(stderr).toContain('the message was made for the key x/data/sub/b.csv, not for x/data/swapped');
    expect(stderr).toContain('2 files rewrapped (6 B), 1 failed');
    expect(await opens('y/a.csv', 'private_key.pem')).toBe(true);
    expect(await opens('y/sub/b.csv', 'private_key.pem')).toBe(true);
    const again = await box.run([
      'rewrap',
      '-r',
      `${vault.address}/y`,
      '--rebind',
      'x/data/',
      '--to',
      'public_key.pem',
      '--exclude',
      'swapped',
    ]);
    expect([again.code, again.stderr]).toEqual([0, expect.stringContaining('2 there already')]);
    const one = await box.run([
      'rewrap',
      `${vault.address}/y/swapped`,
      '--rebind',
      'x/data/sub/b.csv',
      '--to',
      'public_key.pem',
    ]);
    expect(one.code).toBe(0);
    expect(await opens('y/swapped', 'private_key.pem')).toBe(true);
  });

  // What follows is nothing to which server it is.
  if (kind === 'versitygw') return;

  test('what is not there', async () => {
    expect(await code(['rewrap', `${vault.address}/x/data/none`, '--to', 'ann.json'])).toBe(3);
    expect(await code(['rewrap', '-r', `${vault.address}/x/dat`, '--to', 'ann.json'])).toBe(3);
    expect(await code(['rewrap', `${vault.address}/x/data/a.csv`, '--to', 'none.json'])).toBe(3);
  });

  test('where no versions are kept, none are removed', async () => {
    const said = await ok([
      ...['rewrap', '-r', `${vault.address}/x`, '--to', 'eve.json', '--delete-versions', '--yes'],
      ...['--private-key', 'eve.private.key', '--private-key', 'private_key.pem'],
    ]);
    expect(said).toContain('3 files rewrapped (6 B)');
    expect(said).not.toContain('removed');
    expect(await opens('x/data/a.csv', 'eve.private.key')).toBe(true);
  });

  test('some that cannot be opened stop no other', async () => {
    await ok(['put', 'data/a.csv', `${vault.address}/x/data/foreign`, '--public-key', 'other_public.pem']);
    await vault.plant('x/data/text', Buffer.from('no message'));
    const before = await vault.stored('x/data/foreign');
    const { code: exit, stderr } = await box.run([
      'rewrap',
      '-r',
      `${vault.address}/x`,
      '--to',
      'eve.json',
      '--files',
      '1',
    ]);
    expect(exit).toBe(6);
    expect(stderr).toContain('data/foreign: the message was encrypted to somebody else');
    expect(stderr).toContain('data/text: this is not an encrypted message');
    expect(stderr).toContain('3 files rewrapped (6 B), 2 failed');
    expect((await vault.stored('x/data/foreign')).equals(before)).toBe(true);
    for (const name of ['a.csv', 'sub/b.csv', 'sub/empty'])
      expect(await opens(`x/data/${name}`, 'eve.private.key')).toBe(true);
  });

  test('a resume file is of one rewrap, and what was replaced since is done again', async () => {
    const args = [
      'rewrap',
      '-r',
      `${vault.address}/x`,
      '--to',
      'ann.json',
      '--resume',
      'done.jsonl',
      '--again',
    ];
    expect(
      await ok([...args, '--private-key', 'ann.private.key', '--private-key', 'private_key.pem']),
    ).toContain('3 files rewrapped');
    expect(box.read('done.jsonl').toString().trim().split('\n')).toHaveLength(4);
    expect(
      await ok([...args, '--private-key', 'ann.private.key', '--private-key', 'private_key.pem']),
    ).toContain('3 there already');
    await ok(['put', 'data/a.csv', `${vault.address}/x/data/a.csv`, '--public-key', 'public_key.pem']);
    // A line that was torn when a machine went down.
    box.write('done.jsonl', `${box.read('done.jsonl').toString()}{"key":"x/da`);
    expect(await ok(args)).toContain('1 file rewrapped (3 B), 2 there already');
    const { code: exit, stderr } = await box.run([
      'rewrap',
      '-r',
      vault.address,
      '--to',
      'bob.json',
      '--resume',
      'done.jsonl',
    ]);
    expect([exit, stderr]).toEqual([2, expect.stringContaining('done.jsonl is not of this rewrap')]);
    box.write('notes.txt', 'something else\n');
    expect(await code(['rewrap', '-r', vault.address, '--to', 'bob.json', '--resume', 'notes.txt'])).toBe(2);
    expect(box.read('notes.txt').toString()).toBe('something else\n');
  });

  test('--json has a line for each, and a summary', async () => {
    const { stdout, code: exit } = await box.run([
      'rewrap',
      '-r',
      `${vault.address}/x`,
      '--to',
      'ann.json',
      '--json',
      '--private-key',
      'private_key.pem',
      '--private-key',
      'ann.private.key',
      '--files',
      '1',
    ]);
    expect(exit).toBe(0);
    const [first, , , last] = documents({ stdout });
    expect(first).toEqual({
      ...{
        outcome: 'done',
        path: 'data/a.csv',
        key: 'x/data/a.csv',
        address: `${vault.address}/x/data/a.csv`,
      },
      ...{ plaintextSize: 3, size: expect.any(Number), etag: expect.any(String) },
      ...{ checked: kind === 'directory' ? 'fsync' : 'signature', verified: 'opened', bound: 'bound' },
      recipients: [{ namespace: 'team', name: 'ann', fingerprint: expect.any(String) }],
    });
    expect(last).toMatchObject({ summary: { done: 3, present: 0, failed: 0, bytes: 6 } });
    const one = await box.run(['rewrap', `${vault.address}/x/data/a.csv`, '--to', 'ann.json', '--json']);
    expect(documents(one)).toEqual([
      {
        outcome: 'present',
        address: `${vault.address}/x/data/a.csv`,
        key: 'x/data/a.csv',
        plaintextSize: 3,
        bound: 'bound',
      },
    ]);
  });

  // Who the recipients are is nothing to the store: told on one kind.
  if (kind !== 's3') return;

  test('of two keys to wrap to, none is left out in silence', async () => {
    await box.transcript(`
      $ sealdrop rewrap {vault}/x/data/a.csv --to public_key.pem --to other_public.pem
      ! error: option '--to <keyset>' argument 'other_public.pem' is invalid. It is given twice: for several keys name a key set of them.
      ! hint: see: sealdrop rewrap --help
      [2]`);
  });

  test('one object, and again', async () => {
    await box.transcript(
      `
      $ sealdrop rewrap {vault}/x/data/a.csv --to other_public.pem --private-key private_key.pem --private-key other_private.pem
      ! rewrapped: {vault}/x/data/a.csv (3 B)
      ! this does not revoke: older versions, backups and headers that were saved before still open with the old key
      $ sealdrop rewrap {vault}/x/data/a.csv --to other_public.pem --private-key other_private.pem
      ! there already: {vault}/x/data/a.csv (3 B)
      $ sealdrop rewrap {vault}/x/data/a.csv --to other_public.pem --private-key other_private.pem --again
      ! rewrapped: {vault}/x/data/a.csv (3 B)
      ! this does not revoke: older versions, backups and headers that were saved before still open with the old key
      $ sealdrop cat {vault}/x/data/a.csv --private-key other_private.pem
      > one
      $ sealdrop rewrap {vault}/x/data/a.csv --to public_key.pem
      ! error: the message was encrypted to somebody else, or its header was altered
      ! hint: it names the wrapping keys MyAppKeys/S3RSAKey: is this the private key of one of them?
      [5]
      $ sealdrop rewrap {vault}/x/data/ --to public_key.pem
      ! error: {vault}/x/data/ names no single object
      ! hint: all that lies below it is taken with -r
      [2]
      $ sealdrop rewrap {vault}/x/data/a.csv
      ! error: required option '--to <keyset>' not specified
      ! hint: see: sealdrop rewrap --help
      [2]`,
    );
  });

  test('recipients are added and removed; one that stays must be known', async () => {
    const a = `${vault.address}/x/data/a.csv`;
    await ok(['rewrap', a, '--to', 'ann.json']);
    await ok([
      'rewrap',
      a,
      '--to',
      'bob.json',
      '--add',
      '--public-key',
      'ann.json',
      '--private-key',
      'ann.private.key',
    ]);
    await ok([
      'rewrap',
      a,
      '--to',
      'eve.json',
      '--add',
      '--public-key',
      'all.json',
      '--private-key',
      'bob.private.key',
    ]);
    for (const name of ['ann', 'bob', 'eve'])
      expect(await opens('x/data/a.csv', `${name}.private.key`)).toBe(true);
    await box.transcript(`
      $ sealdrop rewrap {vault}/x/data/a.csv --to bob.json --remove --public-key ann.json --private-key ann.private.key
      ! error: the object is for team/eve, and no key given is that one
      ! hint: give the public halves of all that it is for: --public-key FILE, or --key-set FILE
      [2]
      $ sealdrop rewrap {vault}/x/data/a.csv --to bob.json --remove --public-key all.json --private-key ann.private.key
      ! rewrapped: {vault}/x/data/a.csv (3 B)
      ! this does not revoke: older versions, backups and headers that were saved before still open with the old key
      $ sealdrop rewrap {vault}/x/data/a.csv --to bob.json --remove --public-key all.json --private-key ann.private.key
      ! error: team/bob ({fingerprint}) is no recipient of the object: nothing was removed
      ! hint: see whom it is for: sealdrop inspect; give key sets that name the keys as it does
      [2]
      $ sealdrop rewrap {vault}/x/data/a.csv --to eve.json --add --public-key all.json --private-key ann.private.key
      ! there already: {vault}/x/data/a.csv (3 B)
      $ sealdrop rewrap {vault}/x/data/a.csv --to team.json --remove --private-key ann.private.key
      ! error: the object would be left without any recipient
      ! hint: nobody could open it: sealdrop rm removes it
      [2]
      $ sealdrop rewrap {vault}/x/data/a.csv --to all.json --remove --add
      ! error: option '--add' cannot be used with option '--remove'
      ! hint: see: sealdrop rewrap --help
      [2]`);
    expect(await opens('x/data/a.csv', 'ann.private.key')).toBe(true);
    expect(await opens('x/data/a.csv', 'bob.private.key')).toBe(false);
    expect(await opens('x/data/a.csv', 'eve.private.key')).toBe(true);
  });

  test('of bare keys, which have one name, one is added, and all are named to remove one', async () => {
    const args = ['rewrap', '-r', `${vault.address}/x`];
    await ok([...args, '--to', 'other_public.pem', '--add', '--public-key', 'public_key.pem']);
    for (const name of ['private_key.pem', 'other_private.pem'])
      expect(await opens('x/data/a.csv', name)).toBe(true);
    const remove = await box.run([
      ...[...args, '--to', 'public_key.pem', '--remove', '--public-key', 'other_public.pem'],
    ]);
    expect([remove.code, remove.stderr]).toEqual([
      2,
      expect.stringContaining('MyAppKeys/S3RSAKey, which may be any of 2 keys given'),
    ]);
    await ok([...args, '--to', 'other_public.pem']);
    expect(await opens('x/data/a.csv', 'private_key.pem')).toBe(false);
    expect(await opens('x/data/a.csv', 'other_private.pem')).toBe(true);
  });

  test.each([
    ['no key given is that one', ['--to', 'other_public.pem', '--add']],
    ['is not among those', ['--to', 'other_public.pem', '--add', '--public-key', 'third_public.pem']],
    ['may be any of 2', ['--to', 'ann.json', '--add', '--public-key', 'third_public.pem', 'public_key.pem']],
  ])('nobody is put in the place of one that stays, with metadata or without: %s', async (said, args) => {
    const a = `${vault.address}/x/data/a.csv`;
    box.write('third_public.pem', THIRD.publicKey);
    const message = await vault.stored('x/data/a.csv');
    const given = args.flatMap((arg, i) => (args[i - 2] === '--public-key' ? ['--public-key', arg] : [arg]));
    const expectRefused = async () => {
      const { code: exit, stderr } = await box.run([
        ...['rewrap', a, ...given],
        ...['--private-key', 'private_key.pem', '--private-key', 'other_private.pem'],
      ]);
      expect([exit, stderr]).toEqual([2, expect.stringContaining(said)]);
      expect((await vault.stored('x/data/a.csv')).equals(message)).toBe(true);
    };
    await expectRefused();
    await vault.plant('x/data/a.csv', message);
    await expectRefused();
  });

  test('one to remove is found by its key, whatever it is called', async () => {
    const a = `${vault.address}/x/data/a.csv`;
    await ok(['rewrap', a, '--to', 'all.json']);
    await ok([
      ...['rewrap', a, '--to', 'other_public.pem', '--remove', '--public-key', 'all.json'],
      ...['--private-key', 'ann.private.key'],
    ]);
    expect(await opens('x/data/a.csv', 'bob.private.key')).toBe(false);
    expect(await opens('x/data/a.csv', 'eve.private.key')).toBe(true);
    const alias = await box.run([
      'rewrap',
      a,
      '--to',
      'kms:alias/files',
      '--remove',
      '--public-key',
      'all.json',
    ]);
    expect([alias.code, alias.stderr]).toEqual([2, expect.stringContaining('by its ARN')]);
  });

  test('what a key set always encrypts to is among those named one by one', async () => {
    const entry = (name: string, pair: object, more: object) => ({
      ...{ namespace: 'team', name, state: 'active', ...pair, ...more },
    });
    const keys = [entry('ann', PAIR, {}), entry('eve', { publicKey: THIRD.publicKey }, { always: true })];
    box.write('own.json', JSON.stringify({ version: 1, keys }));
    const a = `${vault.address}/x/data/a.csv`;
    await ok(['rewrap', a, '--to', 'bob.json', '--key-set', 'own.json']);
    for (const [name, can] of [
      ['ann', false],
      ['bob', true],
      ['eve', true],
    ] as const)
      expect(await opens('x/data/a.csv', `${name}.private.key`)).toBe(can);
    const again = ['rewrap', a, '--to', 'bob.json', '--key-set', 'own.json', '--private-key', 'third.pem'];
    expect(await ok(again)).toContain('there already');
  });

  test('that nothing given opens what is made is said, and older versions stay then', async () => {
    const a = `${vault.address}/x/data/a.csv`;
    const unopened = 'no private key given opens what';
    await ok(['rewrap', a, '--to', 'all.json']);
    const before = await vault.stored('x/data/a.csv');
    const set = ['rewrap', a, '--to', 'eve.json'];
    const remove = ['rewrap', a, '--to', 'ann.json', '--remove', '--public-key', 'all.json'];
    for (const args of [set, remove]) {
      const refused = await box.run([
        ...[...args, '--private-key', 'ann.private.key', '--delete-versions', '--yes'],
      ]);
      expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining(unopened)]);
      expect((await vault.stored('x/data/a.csv')).equals(before)).toBe(true);
    }
    expect(await ok([...remove, '--private-key', 'ann.private.key'])).toContain(unopened);
    expect(await opens('x/data/a.csv', 'eve.private.key')).toBe(true);
  });
});

describe('at a store that passes over conditions', () => {
  test.each([{ ifMatch: 'ignored' }, { completeIgnores: true }] as const)('%j', async (faults) => {
    const store = await startFaultyStore(faults);
    const box = new Box({
      ...environmentFor(minio),
      AWS_ENDPOINT_URL_S3: store.endpoint,
      AWS_CA_BUNDLE: store.caBundle,
      SEALDROP_PUBLIC_KEY: 'public_key.pem',
      SEALDROP_PRIVATE_KEY: 'private_key.pem',
    });
    addKeys(box);
    box.write('a', 'one');
    try {
      const put = await box.run(['put', 'a', 's3://bucket/a']);
      expect([put.code, put.stderr]).toEqual([0, expect.stringContaining('a -> s3://bucket/a')]);
      const args = ['rewrap', 's3://bucket/a', '--to', 'other_public.pem'];
      const refused = await box.run(args);
      expect(refused.stderr).toContain('passes over conditions on writes');
      expect(refused.stderr).toContain('--unconditional');
      expect(refused.code).toBe(1);
      // Nothing of the try is left.
      expect(store.keys()).toEqual(['a']);
      expect(store.uploads()).toBe(0);
      expect((await box.run(['cat', 's3://bucket/a'])).stdout.toString()).toBe('one');
      const told = await box.run([...args, '--store-option', 'conditional-writes=none']);
      expect([told.code, told.stderr]).toEqual([1, expect.stringContaining('keeps no conditions on writes')]);
      const done = await box.run([...args, '--unconditional']);
      expect([done.code, done.stderr]).toEqual([0, expect.stringContaining('rewrapped')]);
      const opened = await box.run(['cat', 's3://bucket/a', '--private-key', 'other_private.pem']);
      expect(opened.stdout.toString()).toBe('one');
    } finally {
      await store.close();
    }
  });
});

describe('older versions', () => {
  let vault: TestVault;
  let box: Box;
  beforeEach(async () => {
    vault = await newVault('s3', minio);
    box = vault.box;
    const Bucket = vault.address.slice('s3://'.length);
    await minio.client.send(
      new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status: 'Enabled' } }),
    );
    box.env.SEALDROP_PRIVATE_KEY = 'private_key.pem';
    for (const text of ['one', 'two']) {
      box.write('a', text);
      for (const name of ['x/a', 'x/b'])
        await box.run(['put', 'a', `${vault.address}/${name}`, '--public-key', 'public_key.pem']);
    }
  });
  const versions = async () => {
    const Bucket = vault.address.slice('s3://'.length);
    const { Versions = [] } = await minio.client.send(new ListObjectVersionsCommand({ Bucket }));
    return Versions.map(({ Key, IsLatest }) => [Key, IsLatest]);
  };

  test('stay, unless they are to go', async () => {
    await box.transcript(`
      $ sealdrop rewrap -r {vault}/x --to other_public.pem --private-key private_key.pem --private-key other_private.pem --include a
      ! 1 file rewrapped (3 B)
      ! this does not revoke: older versions, backups and headers that were saved before still open with the old key`);
    expect(await versions()).toHaveLength(5);
    await box.transcript(`
      $ sealdrop rewrap -r {vault}/x --to other_public.pem --private-key private_key.pem --private-key other_private.pem --delete-versions
      ! error: this has to be confirmed, and there is no terminal to ask at
      ! hint: give --yes, or --dry-run to see what would be done
      [2]
      $ sealdrop rewrap -r {vault}/x --to other_public.pem --private-key private_key.pem --private-key other_private.pem --delete-versions --yes
      ! 1 file rewrapped (3 B), 1 there already
      ! 4 older versions removed
      ! this does not revoke: older versions, backups and headers that were saved before still open with the old key
      $ sealdrop cat {vault}/x/a --private-key other_private.pem
      > two
      $ sealdrop cat {vault}/x/b --private-key other_private.pem
      > two`);
    expect(await versions()).toEqual([
      ['x/a', true],
      ['x/b', true],
    ]);
  });

  test('of what an earlier run noted and does not open, none is removed', async () => {
    addSets(box);
    await box.run(['put', 'a', `${vault.address}/x/a`, '--key-set', 'all.json']);
    const args = [
      ...['rewrap', '-r', `${vault.address}/x`, '--include', 'a', '--to', 'ann.json', '--remove'],
      ...['--public-key', 'all.json', '--private-key', 'ann.private.key', '--resume', 'done.jsonl'],
    ];
    expect((await box.run(args)).code).toBe(0);
    const { code, stderr } = await box.run([...args, '--delete-versions', '--yes']);
    expect([code, stderr]).toEqual([5, expect.stringContaining('older versions of it stay')]);
    expect((await versions()).filter(([key]) => key === 'x/a')).toHaveLength(4);
  });

  test('of what is there already and does not open, none is removed', async () => {
    const current = await vault.stored('x/a');
    await box.run(['rewrap', `${vault.address}/x/a`, '--to', 'other_public.pem']);
    // Its own metadata would say that it is for the key; its bytes are damaged.
    current[current.length - 1]! ^= 1;
    const { Metadata, Bucket } = await headOf('x/a');
    await minio.client.send(
      new (await import('@aws-sdk/client-s3')).PutObjectCommand({
        Bucket,
        Key: 'x/a',
        Body: current,
        Metadata,
      }),
    );
    const { code, stderr } = await box.run([
      'rewrap',
      `${vault.address}/x/a`,
      '--to',
      'other_public.pem',
      '--private-key',
      'other_private.pem',
      '--private-key',
      'private_key.pem',
      '--delete-versions',
      '--yes',
    ]);
    expect([code, stderr]).toEqual([5, expect.stringContaining('older versions of it stay')]);
    expect((await versions()).filter(([key]) => key === 'x/a')).toHaveLength(4);
  });

  async function headOf(Key: string) {
    const { HeadObjectCommand } = await import('@aws-sdk/client-s3');
    const Bucket = vault.address.slice('s3://'.length);
    const { Metadata } = await minio.client.send(new HeadObjectCommand({ Bucket, Key }));
    return { Metadata, Bucket };
  }
});
