/** `sealdrop keys` on files, as its users meet it: with the mistakes that people make. */
import { afterEach, describe, expect, test } from '@jest/globals';
import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { chmodSync, statSync, symlinkSync } from 'node:fs';
import { asideName } from '../../src/transfer/target.js';
import { Box, documents, secret } from '../helpers/cli.js';
import { addKeys, OTHER, PAIR } from '../helpers/cli-vault.js';

const today = new Date().toISOString().slice(0, 10);
const ARN = 'arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab';
const PASSPHRASE = secret('the passphrase', 'correct horse battery staple');

let box = new Box();
function begin(env: Record<string, string> = {}): Box {
  box = new Box(env, { today });
  addKeys(box);
  for (const name of ['private_key.pem', 'other_private.pem']) chmodSync(box.path(name), 0o600);
  return box;
}
/** As the name of a file that a process of this machine has not finished. */
const ofProcess = (name: string, pid: string) =>
  asideName(name).replace(/[0-9a-f]{16}\.sealdrop-part$/, `${pid}0123456789.sealdrop-part`);
const setIn = (name = 'keys.json') =>
  JSON.parse(box.read(name).toString()) as { version: number; keys: Record<string, string>[] };
const modeOf = (name: string) => (statSync(box.path(name)).mode & 0o777).toString(8);
const exported = (key: KeyObject, options: object): Buffer =>
  Buffer.from(key.export(options as never) as never);

afterEach(() => {
  // Nothing that was written aside stays.
  expect(box.files().filter((name) => name.includes('.sealdrop-part'))).toEqual([]);
});

test('a set is made with its first key, rotated, handed out and read, from beginning to end', async () => {
  begin({ SEALDROP_KEY_SET: 'keys.json' }).write('a.txt', 'hi\n');
  await box.transcript(`
    $ sealdrop keys list
    ! error: there is no key set keys.json
    ! hint: make one with its first key: sealdrop keys add, or sealdrop keys import
    [3]
    $ sealdrop keys add
    ! made a new key set: keys.json
    ! it opens everything that is encrypted to it: keep it, and a copy, where nothing is encrypted
    ! made MyAppKeys/S3RSAKey (RSA 4096) in keys.json
    ! fingerprint {fingerprint}
    $ sealdrop keys list
    > active  MyAppKeys/S3RSAKey  RSA 4096  both halves  {fingerprint}
    $ sealdrop keys export-public --out public.json
    ! wrote MyAppKeys/S3RSAKey to public.json
    $ SEALDROP_KEY_SET= sealdrop put a.txt file://{dir}/vault/old.txt --public-key public.json -q
    $ sealdrop keys rotate
    ! made MyAppKeys/S3RSAKey-{today} (RSA 4096) in keys.json
    ! fingerprint {fingerprint}
    ! retired: MyAppKeys/S3RSAKey
    ! encryptors get it when the set is published: sealdrop keys publish, or export-public
    $ sealdrop keys export-public --out public.json
    ! wrote 2 keys to public.json
    $ SEALDROP_KEY_SET= sealdrop put a.txt file://{dir}/vault/new.txt --public-key public.json -q
    $ sealdrop inspect file://{dir}/vault/new.txt | grep wrapped
    >   wrapped to    MyAppKeys/S3RSAKey-{today}
    # Both open, the old one by the retired key.
    $ SEALDROP_KEY_SET= sealdrop cat file://{dir}/vault/old.txt file://{dir}/vault/new.txt --private-key keys.json
    > hi
    > hi
    $ sealdrop keys list
    > retired  MyAppKeys/S3RSAKey             RSA 4096  both halves  {fingerprint}
    > active   MyAppKeys/S3RSAKey-{today}  RSA 4096  both halves  {fingerprint}
    $ sealdrop keys rotate | cat
    ! made MyAppKeys/S3RSAKey-{today}-2 (RSA 4096) in keys.json
    ! fingerprint {fingerprint}
    ! retired: MyAppKeys/S3RSAKey-{today}
    ! encryptors get it when the set is published: sealdrop keys publish, or export-public
  `);
  expect([modeOf('keys.json'), modeOf('public.json')]).toEqual(['600', '644']);
  expect(box.read('public.json').toString()).not.toContain('PRIVATE');
}, 120_000);

test('a new key gets no name that an earlier one has had, and who is left to open it is said', async () => {
  begin({ SEALDROP_KEY_SET: 'keys.json' });
  await box.transcript(`
    $ sealdrop keygen safe
    ! safe/private_key.pem  opens everything: keep it, and a copy, where nothing is encrypted
    ! safe/public_key.pem   encrypts, and may go anywhere
    ! fingerprint {fingerprint}
    $ sealdrop keys add -q
    $ sealdrop keys rotate -q
    $ sealdrop keys remove S3RSAKey --yes -q
    $ sealdrop keys add
    ! made MyAppKeys/S3RSAKey-{today}-2 (RSA 4096) in keys.json
    ! fingerprint {fingerprint}
    $ sealdrop keys import safe/public_key.pem --key-name recovery --always -q
    $ sealdrop keys retire S3RSAKey-{today} S3RSAKey-{today}-2
    ! retired: MyAppKeys/S3RSAKey-{today}
    ! retired: MyAppKeys/S3RSAKey-{today}-2
    ! warning: MyAppKeys/recovery alone opens what is encrypted from now on
    ! hint: they are recovery keys, always encrypted to: make a key for every day by sealdrop keys add
  `);
}, 120_000);

test('what is missing or cannot be meant', async () => {
  begin();
  await box.transcript(`
    $ sealdrop keys list
    ! error: no key set is named
    ! hint: name it: --key-set FILE or --key-set secretsmanager:NAME (or SEALDROP_KEY_SET)
    [2]
    $ sealdrop keys lst --key-set keys.json
    ! error: unknown command 'lst' (Did you mean list?)
    ! hint: see: sealdrop keys --help
    [2]
    $ sealdrop keys list keys.json
    ! error: too many arguments for 'list'. Expected 0 arguments but got 1.
    ! hint: see: sealdrop keys list --help
    [2]
    $ sealdrop keys list --key-set kms:${ARN}
    ! error: kms:${ARN} is a key of AWS KMS, and no key set
    ! hint: a key of KMS is put into a set: sealdrop keys import kms:ARN --key-set FILE
    [2]
    $ sealdrop keys list --key-set secretsmanager:
    ! error: secretsmanager: names nothing
    ! hint: secretsmanager:NAME is meant
    [2]
    $ sealdrop keys rotate --key-set no.json
    ! error: there is no key set no.json
    ! hint: make one with its first key: sealdrop keys add, or sealdrop keys import
    [3]
    $ sealdrop keys add --key-set no/keys.json
    ! error: cannot write no/keys.json: its directory is not there
    ! hint: make it first: mkdir -p no
    [1]
    $ sealdrop keys add --aes 100 --key-set keys.json
    ! error: option '--aes <bits>' argument '100' is invalid. It must be 128, 192 or 256.
    ! hint: see: sealdrop keys add --help
    [2]
    $ sealdrop keys publish --key-set public_key.pem
    ! error: the name of the secret is missing
    ! hint: name it: --name sealdrop/NAME/public-keys
    [2]
    $ sealdrop keys add --key-namespace aws-kms --key-set keys.json
    ! error: the key namespace aws-kms belongs to AWS KMS
    ! hint: choose another; a key of KMS is put into a set by: sealdrop keys import kms:ARN
    [2]
    $ sealdrop keys add --key-name $'a\\nb' --key-set keys.json
    ! error: the name of a key is empty, or has characters that are not shown
    ! hint: choose another --key-name or --key-namespace
    [2]
    $ echo text > notes && sealdrop keys list --key-set notes
    ! error: notes is neither a key set nor a key
    ! hint: a JSON document of named keys is meant: sealdrop keys add makes one
    [2]
    $ mkdir folder && sealdrop keys list --key-set folder
    ! error: cannot read the key file folder: EISDIR
    [2]
  `);
  expect(box.has('keys.json')).toBe(false);
}, 60_000);

test('a bare key is shown as a set of one, and changed by none of it', async () => {
  begin();
  await box.transcript(`
    $ sealdrop keys list --key-set public_key.pem
    > active  MyAppKeys/S3RSAKey  RSA 2048  public half  {fingerprint}
    $ sealdrop keys fingerprint --key-set private_key.pem
    > {fingerprint}  MyAppKeys/S3RSAKey
    $ sealdrop keys export-public --pem --key-set private_key.pem | diff - public_key.pem
    $ sealdrop keys add --key-set private_key.pem
    ! error: private_key.pem is a single key, and no key set that could be changed
    ! hint: make a key set of it: sealdrop keys import FILE --key-set NEW.json
    [2]
    $ sealdrop keys retire S3RSAKey --key-set private_key.pem
    ! error: private_key.pem is a single key, and no key set that could be changed
    ! hint: make a key set of it: sealdrop keys import FILE --key-set NEW.json
    [2]
  `);
  expect(box.read('private_key.pem').toString()).toBe(PAIR.privateKey);
}, 60_000);

describe('import', () => {
  const privateKey = createPrivateKey(PAIR.privateKey);
  const publicKey = createPublicKey(PAIR.publicKey);

  test.each<[string, Buffer]>([
    ['PKCS#8 PEM', exported(privateKey, { type: 'pkcs8', format: 'pem' })],
    ['PKCS#8 DER', exported(privateKey, { type: 'pkcs8', format: 'der' })],
    ['PKCS#1 PEM', exported(privateKey, { type: 'pkcs1', format: 'pem' })],
    ['PKCS#1 DER', exported(privateKey, { type: 'pkcs1', format: 'der' })],
    ['JWK', Buffer.from(JSON.stringify(privateKey.export({ format: 'jwk' })))],
    ['SPKI PEM', exported(publicKey, { type: 'spki', format: 'pem' })],
    ['SPKI DER', exported(publicKey, { type: 'spki', format: 'der' })],
    ['PKCS#1 DER, public', exported(publicKey, { type: 'pkcs1', format: 'der' })],
    ['JWK, public', Buffer.from(JSON.stringify(publicKey.export({ format: 'jwk' })))],
  ])('takes %s', async (form, bytes) => {
    begin().write('in.der', bytes);
    const isPublic = /public|SPKI/.test(form);
    expect((await box.run(['keys', 'import', 'in.der', '--key-set', 'keys.json', '-q'])).code).toBe(0);
    const [key] = setIn().keys;
    expect(key).toMatchObject({
      namespace: 'MyAppKeys',
      name: 'S3RSAKey',
      state: 'active',
      publicKey: PAIR.publicKey,
    });
    expect(key!.privateKey).toBe(isPublic ? undefined : PAIR.privateKey);
    expect(modeOf('keys.json')).toBe(isPublic ? '644' : '600');
  });

  test('puts halves together, knows what is there, and names what is free', async () => {
    begin().write('both.pem', OTHER.publicKey + OTHER.privateKey);
    box.write(
      'jwks.json',
      JSON.stringify({ keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'lab' }] }),
    );
    await box.transcript(`
      $ sealdrop keys import public_key.pem --key-set keys.json
      ! made a new key set: keys.json
      ! public_key.pem: imported MyAppKeys/S3RSAKey (RSA 2048, active)
      $ sealdrop keys import private_key.pem both.pem --key-set keys.json
      ! private_key.pem: added the private half of MyAppKeys/S3RSAKey (RSA 2048, active)
      ! both.pem: imported MyAppKeys/S3RSAKey-{today} (RSA 2048, active)
      $ sealdrop keys import public_key.pem jwks.json --key-set keys.json
      ! the set has already MyAppKeys/S3RSAKey (RSA 2048, active): public_key.pem
      ! the set has already MyAppKeys/S3RSAKey (RSA 2048, active): jwks.json
      # Under the name that older objects have for it, too; but not twice in use.
      $ sealdrop keys import public_key.pem --key-name lab --key-set keys.json
      ! error: keys.json: S3RSAKey and lab are one and the same active key
      ! hint: remove one of them, or retire it where objects name it
      [2]
      $ sealdrop keys import private_key.pem --key-name lab --retired --key-set keys.json
      ! private_key.pem: imported MyAppKeys/lab (RSA 2048, retired)
      $ sealdrop keys import other_public.pem --key-name lab --key-set keys.json
      ! error: keys.json has a key MyAppKeys/lab already
      ! hint: objects name the key that opens them: choose another --key-name
      [1]
      $ sealdrop keys import kms:${ARN} --always --key-set keys.json
      ! kms:${ARN}: imported aws-kms/${ARN} (KMS, always)
      $ sealdrop keys import kms:alias/lab --key-set keys.json
      ! error: a key of AWS KMS is put into a set by its ARN
      ! hint: kms:arn:aws:kms:REGION:ACCOUNT:key/ID; find it with: aws kms describe-key --key-id alias/NAME
      [2]
      $ sealdrop keys list --key-set keys.json | cut -c1-60
      > active   MyAppKeys/S3RSAKey
      > active   MyAppKeys/S3RSAKey-{today}
      > retired  MyAppKeys/lab
      > always   aws-kms/${ARN.slice(0, 43)}
      # What is there already is brought into the state that is asked for.
      $ sealdrop keys import public_key.pem --always --key-set keys.json
      ! public_key.pem: changed the state of MyAppKeys/S3RSAKey (RSA 2048, always)
      $ sealdrop keys import public_key.pem --always --key-set keys.json
      ! the set has already MyAppKeys/S3RSAKey (RSA 2048, always): public_key.pem
      $ sealdrop keys import public_key.pem --retired --key-set keys.json
      ! public_key.pem: changed the state of MyAppKeys/S3RSAKey (RSA 2048, retired)
      $ sealdrop keys import public_key.pem --retired --key-set keys.json
      ! the set has already MyAppKeys/S3RSAKey (RSA 2048, retired): public_key.pem
      $ sealdrop keys import public_key.pem --retired --key-set lone.json -q
      $ sealdrop keys import public_key.pem --always --key-set lone.json -q
      $ sealdrop keys import private_key.pem --retired --key-set lone.json
      ! error: the last active key of lone.json cannot be retired
      ! hint: make the next one first: sealdrop keys add, or sealdrop keys rotate, which does both
      [2]
      $ sealdrop keys import private_key.pem --always --key-set lone.json
      ! private_key.pem: added the private half of MyAppKeys/S3RSAKey (RSA 2048, always)
      # From one set into another.
      $ sealdrop keys import keys.json --key-set copy.json --quiet && sealdrop keys list --key-set copy.json > a
      $ sealdrop keys list --key-set keys.json | diff a -
    `);
  }, 60_000);

  test('takes raw AES keys, when they are said to be', async () => {
    begin().write('aes.key', Buffer.alloc(32, 7));
    box.write('other.key', Buffer.alloc(31, 7));
    box.write('oct.json', JSON.stringify({ kty: 'oct', k: Buffer.alloc(16, 9).toString('base64url') }));
    await box.transcript(`
      $ sealdrop keys import aes.key --key-set keys.json
      ! error: aes.key is no key in PEM, DER or JWK
      ! hint: it has 32 bytes: if those are an AES key, say --aes
      [2]
      $ sealdrop keys import aes.key --aes --key-set keys.json
      ! made a new key set: keys.json
      ! aes.key: imported MyAppKeys/AESKey (AES 256, active)
      $ sealdrop keys import other.key --aes --key-set keys.json
      ! error: other.key has 31 bytes, an AES key has 16, 24 or 32
      ! hint: one that is written as base64 is decoded first: base64 -d < FILE > KEY
      [2]
      $ sealdrop keys import oct.json --key-name second --key-set keys.json
      ! oct.json: imported MyAppKeys/second (AES 128, active)
      $ sealdrop keys list --key-set keys.json
      > active  MyAppKeys/AESKey  AES 256  secret  {fingerprint}
      > active  MyAppKeys/second  AES 128  secret  {fingerprint}
      $ sealdrop keys export-public --key-set keys.json
      ! error: keys.json has no key with a public half
      ! hint: whoever wraps with an AES key can unwrap: there is nothing of it that could be handed out
      [2]
      $ sealdrop keys import private_key.pem --key-set keys.json -q
      $ sealdrop keys rotate --key-set keys.json
      ! error: keys.json has active keys of RSA and of AES: one takes the place of one
      ! hint: name the key to replace: MyAppKeys/AESKey, MyAppKeys/second, MyAppKeys/S3RSAKey
      [2]
      $ sealdrop keys rotate AESKey --key-set keys.json
      ! made MyAppKeys/AESKey-{today} (AES 256) in keys.json
      ! fingerprint {fingerprint}
      ! retired: MyAppKeys/AESKey
      ! encryptors get it when the set is published: sealdrop keys publish, or export-public
    `);
    expect(modeOf('keys.json')).toBe('600');
  }, 60_000);

  test('leaves the set as it was where one of several keys is none', async () => {
    begin();
    await box.shell('sealdrop keys import public_key.pem --key-set keys.json -q');
    const before = box.read('keys.json');
    box.write('two.pem', OTHER.privateKey + PAIR.privateKey.replace(/.{20}\n-----END/, '\n-----END'));
    await box.transcript(`
      $ sealdrop keys import two.pem --key-set keys.json
      ! error: two.pem, part 2 is damaged or no private key
      ! hint: a file that begins with "-----BEGIN PRIVATE KEY-----" is meant
      [2]
    `);
    expect(box.read('keys.json')).toEqual(before);
  });
});

describe('a passphrase', () => {
  const locked = (passphrase: string) =>
    exported(createPrivateKey(PAIR.privateKey), {
      type: 'pkcs8',
      format: 'pem',
      cipher: 'aes-256-cbc',
      passphrase,
    });

  test('from a file or a descriptor: what is locked stays locked, and a set has one', async () => {
    begin().write('locked.pem', locked(PASSPHRASE));
    box.write(
      'elsewhere.pem',
      exported(createPrivateKey(OTHER.privateKey), {
        ...{ type: 'pkcs1', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'another' },
      }),
    );
    box.write('phrase', `${PASSPHRASE}\n`);
    box.write('another', 'another\n');
    box.write('a.txt', 'hi\n');
    await box.transcript(`
      $ sealdrop keys import locked.pem --key-set keys.json
      ! error: locked.pem is locked by a passphrase
      ! hint: name a file that holds it: --passphrase-file FILE
      [2]
      $ sealdrop keys import locked.pem --key-set keys.json --passphrase-fd 3 3< another
      ! error: the passphrase does not open locked.pem
      ! hint: check the passphrase; if it is right, the file is damaged
      [2]
      $ sealdrop keys import locked.pem --key-set keys.json --passphrase-fd 3 3< phrase
      ! made a new key set: keys.json
      ! locked.pem: imported MyAppKeys/S3RSAKey (RSA 2048, active, locked)
      $ sealdrop keys import elsewhere.pem --key-set keys.json --passphrase-file another
      ! error: the other keys of keys.json are locked by another passphrase
      ! hint: a set has one: give the file that one first (openssl pkey -in FILE -aes256 -out NEW), or --unlock
      [2]
      $ sealdrop keys import elsewhere.pem --key-set keys.json --passphrase-fd 9
      ! error: cannot read the passphrase file descriptor 9
      ! hint: open it for the command: sealdrop ... --passphrase-fd 3 3< FILE
      [3]
      # Looking at it takes no passphrase.
      $ sealdrop keys list --key-set keys.json
      > active  MyAppKeys/S3RSAKey  RSA 2048  both halves, locked  {fingerprint}
      $ sealdrop keys rotate --key-set keys.json
      ! error: keys.json: keys[0].privateKey is locked by a passphrase
      ! hint: name a file that holds it: --passphrase-file FILE
      [2]
      $ sealdrop keys rotate --key-set keys.json --passphrase-file phrase
      ! made MyAppKeys/S3RSAKey-{today} (RSA 4096, locked) in keys.json
      ! fingerprint {fingerprint}
      ! retired: MyAppKeys/S3RSAKey
      ! encryptors get it when the set is published: sealdrop keys publish, or export-public
      $ sealdrop keys add --key-name open --no-passphrase --key-set keys.json
      ! made MyAppKeys/open (RSA 4096) in keys.json
      ! fingerprint {fingerprint}
      $ sealdrop put a.txt file://{dir}/vault/ --public-key public_key.pem -q
      $ sealdrop cat file://{dir}/vault/a.txt --private-key keys.json --passphrase-file phrase
      > hi
    `);
    const [first, second] = setIn().keys;
    for (const key of [first, second])
      expect(key!.privateKey).toMatch(/^-----BEGIN ENCRYPTED PRIVATE KEY-----/);
  }, 120_000);

  test('is typed twice for the first locked key, and once for the next', async () => {
    begin();
    const typed = await box.terminal(
      ['keys', 'add', '--passphrase', '--key-set', 'keys.json'],
      [
        { wait: 'passphrase of the new private key: ', send: `${PASSPHRASE}\r` },
        { wait: 'the same again: ', send: `${PASSPHRASE}\r` },
      ],
    );
    expect(typed).toMatchObject({ code: 0, screen: expect.stringContaining('(RSA 4096, locked)') });
    const wrong = await box.terminal(
      ['keys', 'add', '--key-set', 'keys.json'],
      [{ wait: 'passphrase of keys.json: ', send: 'wrong\r' }],
    );
    expect(wrong).toMatchObject({ code: 2, screen: expect.stringContaining('the passphrase does not open') });
    const again = await box.terminal(
      ['keys', 'add', '--key-set', 'keys.json'],
      [{ wait: 'passphrase of keys.json: ', send: `${PASSPHRASE}\r` }],
    );
    expect(again).toMatchObject({ code: 0, screen: expect.not.stringContaining('again') });
    expect(setIn().keys).toHaveLength(2);
  }, 120_000);
});

describe('keys that are in use', () => {
  test('the last active one is neither retired nor removed; a private half is removed only when that is meant', async () => {
    begin();
    await box.shell('sealdrop keys import private_key.pem other_private.pem --key-set keys.json -q');
    const second = `S3RSAKey-${today}`;
    await box.transcript(`
      $ sealdrop keys retire S3RSAKey ${second} --key-set keys.json
      ! error: the last active key of keys.json cannot be retired
      ! hint: make the next one first: sealdrop keys add, or sealdrop keys rotate, which does both
      [2]
      $ sealdrop keys retire MyAppKeys/S3RSAKey --key-set keys.json
      ! retired: MyAppKeys/S3RSAKey
      $ sealdrop keys remove ${second} --yes --key-set keys.json
      ! error: the last active key of keys.json cannot be removed
      ! hint: make the next one first: sealdrop keys add, or sealdrop keys rotate, which does both
      [2]
      $ sealdrop keys retire S3RSAKey --undo --key-set keys.json
      ! active again: MyAppKeys/S3RSAKey
      $ sealdrop keys remove S3RSAKey --key-set keys.json
      ! MyAppKeys/S3RSAKey has its private half in keys.json: what was encrypted to it alone opens no more, unless there is a copy
      ! error: this has to be confirmed, and there is no terminal to ask at
      ! hint: if that is meant: --yes; to keep it for opening: sealdrop keys retire
      [2]
      $ sealdrop keys remove S3RSA --key-set keys.json
      ! error: keys.json has no key S3RSA
      ! hint: it has: MyAppKeys/S3RSAKey, MyAppKeys/S3RSAKey-{today}
      [3]
    `);
    const no = await box.terminal(
      ['keys', 'remove', 'S3RSAKey', '--key-set', 'keys.json'],
      [{ wait: 'remove it for good? [y/N] ', send: 'n\r' }],
    );
    expect(no).toMatchObject({ code: 130, screen: expect.stringContaining('nothing was removed') });
    expect(setIn().keys).toHaveLength(2);
    const yes = await box.terminal(
      ['keys', 'remove', 'S3RSAKey', '--key-set', 'keys.json'],
      [{ wait: 'remove it for good? [y/N] ', send: 'y\r' }],
    );
    expect(yes).toMatchObject({ code: 0, screen: expect.stringContaining('removed MyAppKeys/S3RSAKey') });
    expect(setIn().keys.map(({ name }) => name)).toEqual([second]);
  }, 60_000);

  test('a recovery key that is always encrypted to stays when others are rotated', async () => {
    begin();
    await box.shell('sealdrop keys import private_key.pem --key-set keys.json -q');
    await box.shell(
      'sealdrop keys import other_public.pem --key-name recovery --always --key-set keys.json -q',
    );
    expect((await box.run(['keys', 'rotate', '--key-set', 'keys.json', '-q'])).code).toBe(0);
    expect(setIn().keys.map(({ name, state, always }) => [name, state, always])).toEqual([
      ['S3RSAKey', 'retired', undefined],
      ['recovery', 'active', true],
      [`S3RSAKey-${today}`, 'active', undefined],
    ]);
    await box.transcript(`
      $ sealdrop keys retire recovery --key-set keys.json
      ! retired: MyAppKeys/recovery
      ! warning: MyAppKeys/recovery was always encrypted to, and is no more, also after --undo
      ! hint: to make it so again: sealdrop keys import its public half with --always
      $ sealdrop keys retire recovery --undo --key-set keys.json
      ! active again: MyAppKeys/recovery
      $ sealdrop keys rotate recovery --key-set keys.json
      ! error: keys.json has no active private key to replace
      ! hint: rotate where the private halves are, and publish the public ones from there (--name)
      [2]
      $ sealdrop keys rotate S3RSAKey --key-set keys.json
      ! error: the key is retired already
      ! hint: make another: sealdrop keys add
      [2]
    `);
  }, 60_000);
});

test('export-public never takes the place of anything but an older public set', async () => {
  begin().write('notes.txt', 'my notes');
  await box.shell(
    'sealdrop keys import private_key.pem --key-set keys.json -q && cp public_key.pem out.json',
  );
  await box.transcript(`
    $ sealdrop keys export-public --key-set keys.json --out keys.json
    ! error: keys.json holds private keys, which would be lost
    ! hint: name another file with --out
    [1]
    $ sealdrop keys export-public --key-set keys.json --out private_key.pem
    ! error: private_key.pem holds private keys, which would be lost
    ! hint: name another file with --out
    [1]
    $ sealdrop keys export-public --key-set keys.json --out notes.txt
    ! error: notes.txt is there, and is no public key set
    ! hint: name another file with --out
    [1]
    $ sealdrop keys export-public --key-set keys.json --out out.json
    ! wrote MyAppKeys/S3RSAKey to out.json
    $ umask 000 && rm out.json && sealdrop keys export-public --key-set keys.json --out out.json -q
    $ umask 000 && sealdrop keys export-public --key-set keys.json --out again.json -q
    $ umask 077 && sealdrop keys export-public --key-set keys.json --out own.json -q
    $ sealdrop keys import public_key.pem --retired --key-set retired.json -q
    $ sealdrop keys export-public --key-set retired.json
    ! error: retired.json has no active key with a public half to publish
    ! hint: make one first: sealdrop keys add; or take one into use again: sealdrop keys retire NAME --undo
    [2]
    $ sealdrop keys export-public nobody --key-set keys.json
    ! error: keys.json has no key nobody
    ! hint: it has: MyAppKeys/S3RSAKey
    [3]
  `);
  expect(box.read('notes.txt').toString()).toBe('my notes');
  expect(['out.json', 'again.json', 'own.json'].map(modeOf)).toEqual(['644', '644', '600']);
  expect(setIn('out.json').keys[0]).not.toHaveProperty('privateKey');
}, 60_000);

describe('the file of a set', () => {
  test('that others may read is warned of, and is for its owner alone after the next change', async () => {
    begin();
    await box.shell('sealdrop keys import private_key.pem --key-set keys.json -q');
    chmodSync(box.path('keys.json'), 0o644);
    await box.transcript(`
      $ sealdrop keys list --key-set keys.json >/dev/null
      ! warning: others on this machine may read keys.json, which has private keys in it
      ! hint: keep it to yourself: chmod 600 keys.json
      $ sealdrop keys import other_public.pem --key-set keys.json -q
      $ sealdrop keys list --key-set keys.json >/dev/null
    `);
    expect(modeOf('keys.json')).toBe('600');
  });

  test('may be a link, which stays one', async () => {
    begin();
    await box.shell('sealdrop keys import private_key.pem --key-set real.json -q');
    symlinkSync('real.json', box.path('keys.json'));
    expect((await box.run(['keys', 'import', 'other_public.pem', '--key-set', 'keys.json', '-q'])).code).toBe(
      0,
    );
    expect(setIn('real.json').keys).toHaveLength(2);
    expect(statSync(box.path('keys.json')).isFile()).toBe(true);
  });

  test('does not lie in a vault', async () => {
    begin().write('vault/.sealdrop-vault', '{"version":1,"binding":"required"}');
    await box.transcript(`
      $ sealdrop keys add --key-set vault/keys.json
      ! error: vault/keys.json lies in the vault {dir}/vault
      ! hint: a vault is for ciphertext alone: name a target outside of it
      [2]
    `);
    expect(box.has('vault/keys.json')).toBe(false);
  });

  test.each(['SIGTERM', 'SIGKILL'] as const)(
    'is whole after %s, before or behind the change',
    async (signal) => {
      begin();
      await box.shell('sealdrop keys import private_key.pem --key-set keys.json -q');
      for (const wait of [150, 300, 600, 1000]) {
        const before = setIn().keys.length;
        const running = box.start(['keys', 'add', '--key-set', 'keys.json']);
        await new Promise((resolve) => setTimeout(resolve, wait));
        running.child.kill(signal);
        await running.result;
        expect([before, before + 1]).toContain(setIn().keys.length);
      }
      // What was left aside has private halves in it: the next change sweeps it, and nothing else.
      const others = [ofProcess('keys.json', '000001'), ofProcess('other.json', '3fffff')];
      for (const name of [...others, ofProcess('keys.json', '3fffff')]) box.write(name, 'x');
      expect((await box.run(['keys', 'add', '--aes', '256', '--key-set', 'keys.json'])).code).toBe(0);
      expect(
        box
          .files()
          .filter((name) => name.includes('.sealdrop-part'))
          .sort(),
      ).toEqual(others);
      await box.shell('rm -f .*.sealdrop-part');
    },
    60_000,
  );

  test('changed by two at once loses no key: one of them is told', async () => {
    begin();
    await box.shell('sealdrop keys import private_key.pem --key-set keys.json -q');
    const runs = ['a', 'b', 'c', 'd'].map((name) =>
      box.run(['keys', 'add', '--key-name', name, '--key-set', 'keys.json']),
    );
    const results = await Promise.all(runs);
    const made = results.filter(({ code }) => code === 0).length;
    for (const { code, stderr } of results)
      if (code !== 0) expect(stderr).toMatch(/^error: keys\.json was changed by somebody else meanwhile\n/);
    expect(setIn().keys).toHaveLength(1 + made);
  }, 60_000);

  // An AES key takes no time to make: both are done with reading when the first one writes.
  test('changed by two processes at once, again and again, has each key that was said to be made', async () => {
    begin();
    await box.shell('sealdrop keys import private_key.pem --key-set keys.json -q');
    const made = ['S3RSAKey'];
    for (let round = 0; round < 8; round++) {
      const names = [`a${round}`, `b${round}`];
      const add = (name: string) =>
        box.run(['keys', 'add', '--aes', '256', '--key-name', name, '--key-set', 'keys.json', '-q']);
      const results = await Promise.all(names.map(add));
      made.push(...names.filter((_name, i) => results[i]!.code === 0));
    }
    expect(setIn().keys.map(({ name }) => name)).toEqual(expect.arrayContaining(made));
    expect(setIn().keys).toHaveLength(made.length);
    expect(box.files().filter((name) => name.includes('.sealdrop-'))).toEqual([]);
  }, 120_000);
});

test('--json describes keys without their private halves, and --quiet says nothing', async () => {
  begin();
  const imported = await box.run(['keys', 'import', 'private_key.pem', '--key-set', 'keys.json', '--json']);
  const key = {
    ...{ namespace: 'MyAppKeys', name: 'S3RSAKey', kind: 'rsa', bits: 2048, state: 'active', always: false },
    ...{ holds: 'private', locked: false, fingerprint: expect.stringMatching(/^[\w-]{43}$/) },
  };
  expect(documents(imported)).toEqual([{ source: 'private_key.pem', outcome: 'imported', key }]);
  const shown = await box.run(['keys', 'show', '--key-set', 'keys.json', '--json']);
  expect(documents(shown)).toEqual([{ ...key, publicKey: PAIR.publicKey }]);
  const added = await box.run(['keys', 'add', '--aes', '128', '--key-set', 'keys.json', '-q']);
  expect({ ...added, stdout: added.stdout.toString() }).toMatchObject({ code: 0, stdout: '', stderr: '' });
  const failed = await box.run(['keys', 'retire', 'x', '--key-set', 'keys.json', '--json']);
  expect(documents(failed)).toMatchObject([{ error: { code: 'key_not_in_set', retryable: false } }]);
}, 60_000);

test('a key that a configuration names for bare keys is not the name of new ones', async () => {
  begin();
  box.write('c.json', JSON.stringify({ keys: { keyName: 'S3RSAKey', keySet: 'keys.json' } }));
  await box.transcript(`
    $ sealdrop keys import private_key.pem other_private.pem --config c.json
    ! made a new key set: keys.json
    ! private_key.pem: imported MyAppKeys/S3RSAKey (RSA 2048, active)
    ! other_private.pem: imported MyAppKeys/S3RSAKey-{today} (RSA 2048, active)
  `);
}, 60_000);
