/** `rewrap` of a vault that has objects of the S3 Encryption Client among its messages. */
import { execFileSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { ListObjectVersionsCommand, PutBucketVersioningCommand } from '@aws-sdk/client-s3';
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

/** Each holds its own name. */
const KINDS: Record<string, string[]> = {
  esdk: [],
  v2: ['--format', 's3ec-v2'],
  'v2-file': ['--format', 's3ec-v2', '--instruction-file'],
  v3: ['--format', 's3ec'],
  'v3-file': ['--format', 's3ec', '--instruction-file'],
};
const NAMES = Object.keys(KINDS);
const S3EC = NAMES.filter((name) => name !== 'esdk');
/** Objects that name no key lie in no vault of another binding. */
const allowUnbound = (box: Box) => box.write('vault/.sealdrop-vault', '{"version":1,"binding":"allow"}\n');
const READ = ['--unbound', '--commitment-policy', 'REQUIRE_ENCRYPT_ALLOW_DECRYPT'];
const BOTH = ['--private-key', 'private_key.pem', '--private-key', 'other_private.pem', ...READ];
const NEW = ['--to', 'other_public.pem'];

describe.each<VaultKind | 'versitygw'>(['s3', 'directory', 'versitygw'])('in a vault of kind %s', (kind) => {
  let vault: TestVault;
  let box: Box;
  beforeEach(async () => {
    vault = await (kind === 'versitygw' ? newVault('s3', versitygw) : newVault(kind, minio));
    box = vault.box;
    if (kind === 'directory') allowUnbound(box);
    for (const [name, options] of Object.entries(KINDS)) {
      box.write(name, name);
      await ok(['put', name, `${vault.address}/x/${name}`, '--public-key', 'public_key.pem', ...options]);
    }
  });

  async function ok(args: string[]): Promise<string> {
    const { code, stderr } = await box.run(args);
    expect([code, stderr]).toEqual([0, expect.anything()]);
    return stderr;
  }
  const at = (name: string) => `${vault.address}/x/${name}`;
  const all = ['rewrap', '-r'];
  const opens = async (name: string, key: string) => {
    const { code, stdout } = await box.run(['cat', at(name), '--private-key', key, ...READ]);
    if (code === 0) expect(stdout.toString()).toBe(name);
    else expect(code).toBe(5);
    return code === 0;
  };
  async function expectNew(...names: string[]): Promise<void> {
    for (const name of names)
      expect([name, await opens(name, 'other_private.pem'), await opens(name, 'private_key.pem')]).toEqual([
        name,
        true,
        false,
      ]);
  }

  test('all of it is for another key, once', async () => {
    const dry = await ok([...all, at(''), ...NEW, '--dry-run', '--unbound']);
    expect(dry).toContain('5 files would be rewrapped');
    for (const name of NAMES) expect(await opens(name, 'private_key.pem')).toBe(true);
    const bodies = await Promise.all(S3EC.map((name) => vault.stored(`x/${name}`)));
    expect(await ok([...all, at(''), ...NEW, ...BOTH])).toContain('5 files rewrapped');
    expect(await Promise.all(S3EC.map((name) => vault.stored(`x/${name}`)))).toEqual(bodies);
    await expectNew(...NAMES);
    expect(await ok([...all, at(''), ...NEW, ...BOTH])).toContain('5 there already');
    expect(await ok([...all, at(''), ...NEW, ...BOTH, '--again'])).toContain('5 files rewrapped');
    await expectNew(...NAMES);
    // And back.
    expect(await ok([...all, at(''), '--to', 'public_key.pem', ...BOTH])).toContain('5 files rewrapped');
    for (const name of NAMES) expect(await opens(name, 'private_key.pem')).toBe(true);
    expect(await vault.keys()).toHaveLength(7);
    for (const key of await vault.keys()) expect(await vault.unfinished(key)).toEqual([]);
  });

  test('without conditions', async () => {
    expect(await ok([...all, at(''), ...NEW, ...BOTH, '--unconditional'])).toContain('5 files rewrapped');
    await expectNew(...NAMES);
  });

  // What the command says and refuses is the same at every store.
  if (kind !== 's3') return;

  test('one object, and what is said of it', async () => {
    await box.transcript(`
      $ sealdrop rewrap {vault}/x/v3 --to other_public.pem --private-key private_key.pem --unbound
      ! no private key given opens what will be made: its framing is checked, and what it says of itself
      ! rewrapped: {vault}/x/v3 (2 B)
      ! warning: the message names no key, so the store could have put another in its place
      ! this does not revoke: older versions, backups and headers that were saved before still open with the old key
      $ sealdrop rewrap {vault}/x/v3-file --to other_public.pem --private-key other_private.pem --unbound
      ! error: no key that was named opens the object’s data key, or what the object says of it was altered
      ! hint: it is wrapped by RSA-OAEP-SHA1: name its RSA private key
      [5]
      $ sealdrop rewrap {vault}/x/v2 --to other_public.pem --private-key private_key.pem --unbound
      ! no private key given opens what will be made: its framing is checked, and what it says of itself
      ! error: the object does not commit to its data key (format V2)
      ! hint: the store could have stripped that off; if you trust it: --commitment-policy REQUIRE_ENCRYPT_ALLOW_DECRYPT, or the vault's setting commitmentPolicy
      [5]`);
    await expectNew('v3');
  });

  test.each(S3EC)('--json of %s', async (name) => {
    const { stdout } = await box.run(['rewrap', at(name), ...NEW, ...BOTH, '--json']);
    const key = `x/${name}`;
    const about = { address: at(name), key, plaintextSize: name.length, bound: 'unbound' };
    expect(documents({ stdout })).toEqual([
      {
        ...{
          ...about,
          outcome: 'done',
          size: name.length + 16,
          etag: expect.any(String),
          verified: 'opened',
        },
        recipients: [{ namespace: 'MyAppKeys', name: 'S3RSAKey', fingerprint: expect.any(String) }],
      },
    ]);
    const again = await box.run(['rewrap', at(name), ...NEW, ...BOTH, '--json']);
    expect(documents(again)).toEqual([{ ...about, outcome: 'present' }]);
  });

  test.each<[string, string[], string]>([
    ['--add', ['--add', '--public-key', 'public_key.pem'], 'an s3ec object has one wrapping key'],
    ['--remove', ['--remove', '--public-key', 'public_key.pem'], 'an s3ec object has one wrapping key'],
    ['--rebind', ['--rebind', 'y/'], 'bound to no key'],
  ])('%s is for messages', async (_option, more, said) => {
    for (const name of S3EC) {
      const before = await vault.stored(`x/${name}`);
      const { code, stderr } = await box.run(['rewrap', at(name), ...NEW, ...BOTH, ...more]);
      expect([code, stderr]).toEqual([2, expect.stringContaining(said)]);
      expect(await vault.stored(`x/${name}`)).toEqual(before);
      expect(await opens(name, 'private_key.pem')).toBe(true);
    }
  });

  test('of several keys none is taken; the messages beside go on', async () => {
    const key = (name: string, file: string) => ({
      ...{ namespace: 'team', name, state: 'active', publicKey: box.read(file).toString() },
    });
    const keys = [key('ann', 'public_key.pem'), key('bob', 'other_public.pem')];
    box.write('team.json', JSON.stringify({ version: 1, keys }));
    const { code, stderr } = await box.run([...all, at(''), '--to', 'team.json', ...BOTH]);
    expect([code, stderr]).toEqual([
      6,
      expect.stringContaining('an object of the S3 Encryption Client goes to one key, these are 2'),
    ]);
    expect(stderr).toContain('1 file rewrapped (4 B), 4 failed');
    for (const name of S3EC) expect(await opens(name, 'other_private.pem')).toBe(false);
  });

  test('--delete-versions is for what has no instruction file, and removes nothing for what nothing opens', async () => {
    const remove = ['--delete-versions', '--yes'];
    const [inFile, unopened] = [
      await box.run(['rewrap', at('v3-file'), ...NEW, ...BOTH, ...remove]),
      await box.run(['rewrap', at('v3'), ...NEW, '--private-key', 'private_key.pem', '--unbound', ...remove]),
    ];
    expect([inFile.code, inFile.stderr]).toEqual([2, expect.stringContaining('instruction file, too')]);
    expect([unopened.code, unopened.stderr]).toEqual([2, expect.stringContaining('the older versions stay')]);
    for (const name of ['v3', 'v3-file']) expect(await opens(name, 'private_key.pem')).toBe(true);
    await ok(['rewrap', at('v3'), ...NEW, ...BOTH, ...remove]);
    await expectNew('v3');
  });

  test('goes on from its notes', async () => {
    const args = [...all, at(''), ...NEW, ...BOTH, '--resume', 'done.jsonl', '--again'];
    expect(await ok(args)).toContain('5 files rewrapped');
    expect(await ok(args)).toContain('5 there already');
    await ok(['put', 'v3', at('v3'), '--public-key', 'public_key.pem', ...KINDS.v3!]);
    expect(await ok(args)).toContain('1 file rewrapped (2 B), 4 there already');
    await expectNew(...NAMES);
  });
});

test('a private key that can be read once is read once', async () => {
  const { box, address } = await newVault('directory', minio);
  allowUnbound(box);
  for (const [name, options] of Object.entries(KINDS)) {
    box.write(name, name);
    await box.run(['put', name, `${address}/${name}`, '--public-key', 'public_key.pem', ...options]);
  }
  execFileSync('mkfifo', [box.path('fifo')]);
  const written = writeFile(box.path('fifo'), box.read('private_key.pem'));
  const args = ['rewrap', '-r', address, ...NEW, '--private-key', 'fifo', ...READ];
  const { code, stderr } = await box.run(args);
  expect([code, stderr]).toEqual([0, expect.stringContaining('5 files rewrapped')]);
  await written;
});

test('older versions of what has its wrapped key in its metadata go', async () => {
  const { box, address } = await newVault('s3', minio);
  const Bucket = address.slice('s3://'.length);
  const VersioningConfiguration = { Status: 'Enabled' } as const;
  await minio.client.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration }));
  box.write('a', 'one');
  const run = async (args: string[]) => (await box.run(args)).code;
  expect(await run(['put', 'a', `${address}/a`, '--public-key', 'public_key.pem', '--format', 's3ec'])).toBe(
    0,
  );
  const args = ['rewrap', `${address}/a`, ...NEW, ...BOTH];
  expect(await run(args)).toBe(0);
  const versions = async () =>
    (await minio.client.send(new ListObjectVersionsCommand({ Bucket }))).Versions?.length;
  expect(await versions()).toBe(2);
  expect(await run([...args, '--delete-versions', '--yes'])).toBe(0);
  expect(await versions()).toBe(1);
  expect(await run([...args, '--again', '--delete-versions', '--yes'])).toBe(0);
  expect(await versions()).toBe(1);
  const { stdout } = await box.run(['cat', `${address}/a`, '--private-key', 'other_private.pem']);
  expect(stdout.toString()).toBe('one');
});
