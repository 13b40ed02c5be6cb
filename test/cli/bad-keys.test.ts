import { beforeAll, describe, expect, test } from '@jest/globals';
import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import { symlinkSync, writeFileSync } from 'node:fs';
import { Box, documents, secret } from '../helpers/cli.js';
import { addKeys, PAIR } from '../helpers/cli-vault.js';

const PASSPHRASE = secret('the passphrase', 'open sesame 8141');
const FOUND = {
  private: 'a file that begins with "-----BEGIN PRIVATE KEY-----" is meant',
  public: 'a file that begins with "-----BEGIN PUBLIC KEY-----" is meant',
};
const KEYGEN = 'make a pair with: sealdrop keygen';

let box: Box;
let before: string[];

beforeAll(async () => {
  box = new Box();
  addKeys(box);
  const vault = `file://${box.path('vault')}`;
  box.names.vault = vault;
  box.write('data', 'data');
  box.write('target', 'untouched');
  box.write('vault/.sealdrop-vault', '{"version":1,"binding":"required"}');
  await box.run(['put', 'data', `${vault}/object`, '--public-key', 'public_key.pem']);
  const small = generateKeyPairSync('rsa', { modulusLength: 1024 });
  const curve = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const half = (pem: string) => pem.slice(0, pem.length / 2);
  const spki = { type: 'spki', format: 'pem' } as const;
  const pkcs8 = { type: 'pkcs8', format: 'pem' } as const;
  const encrypted = { ...pkcs8, cipher: 'aes-256-cbc', passphrase: PASSPHRASE };
  const files: Record<string, string | Uint8Array> = {
    'empty.pem': '',
    'blank.pem': ' \n\n',
    'cut.private.pem': half(PAIR.privateKey),
    'cut.public.pem': half(PAIR.publicKey),
    'flipped.private.pem': PAIR.privateKey.replace(/\n(.{30})./, '\n$1*'),
    'text.pem': 'my key is under the mat',
    'binary.pem': Buffer.from([0, 1, 2, 255, 254]),
    'ec.private.pem': curve.privateKey.export(pkcs8),
    'ec.public.pem': curve.publicKey.export(spki),
    'small.private.pem': small.privateKey.export(pkcs8),
    'small.public.pem': small.publicKey.export(spki),
    'locked.private.pem': createPrivateKey(PAIR.privateKey).export(encrypted),
    'ssh.public.pem': 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJcmXqzYpLWmKmTn9b3Jj8Vn6oYt7r2K user@host',
    'ssh.private.pem':
      '-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk=\n-----END OPENSSH PRIVATE KEY-----\n',
    'certificate.pem': '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n',
    'damaged.json': '{"version":1,"keys":[',
    'other.json': '{"version":2,"keys":[]}',
    'none.json': '{"version":1,"keys":[]}',
    'aes.json': `{"version":1,"keys":[{"namespace":"n","name":"k","secretKey":"${secret('an AES key', Buffer.alloc(32, 7).toString('base64'))}"}]}`,
    'right.txt': `${PASSPHRASE}\n`,
    'wrong.txt': 'wrong\n',
  };
  for (const [name, content] of Object.entries(files)) box.write(name, content);
  before = box.files();
});

const WHERE_IT_IS =
  'it is the file that keygen wrote beside the public key; nothing else opens what was encrypted to that';

/** file, exit code, code, error and hint. */
type Case = [string, number, string, string, string?];

const PRIVATE_CASES: Case[] = [
  ['missing.pem', 3, 'key_file_not_found', 'there is no key file missing.pem', WHERE_IT_IS],
  ['data/key.pem', 3, 'key_file_not_found', 'there is no key file data/key.pem', WHERE_IT_IS],
  ['vault', 2, 'invalid_key', 'cannot read the key file vault: EISDIR'],
  ['empty.pem', 2, 'invalid_key', 'empty.pem is empty'],
  ['blank.pem', 2, 'invalid_key', 'blank.pem is empty'],
  ['cut.private.pem', 2, 'invalid_key', 'cut.private.pem is damaged or no private key', FOUND.private],
  [
    'flipped.private.pem',
    2,
    'invalid_key',
    'flipped.private.pem is damaged or no private key',
    FOUND.private,
  ],
  ['text.pem', 2, 'invalid_key', 'text.pem is damaged or no private key', FOUND.private],
  ['binary.pem', 2, 'invalid_key', 'binary.pem is damaged or no private key', FOUND.private],
  ['certificate.pem', 2, 'invalid_key', 'certificate.pem is damaged or no private key', FOUND.private],
  ['ec.private.pem', 2, 'invalid_key', 'ec.private.pem is a key of type ec, RSA is needed', KEYGEN],
  [
    'small.private.pem',
    2,
    'weak_key',
    'small.private.pem is an RSA key of 1024 bits, at least 2048 are needed',
    KEYGEN,
  ],
  [
    'public_key.pem',
    2,
    'invalid_key',
    'public_key.pem is a public key, the private one is needed',
    'a public key encrypts only; the file that opens is usually called private_key.pem',
  ],
  [
    'ssh.private.pem',
    2,
    'invalid_key',
    'ssh.private.pem is damaged or no private key',
    'this is an SSH key: convert a copy with ssh-keygen -p -m PKCS8 -f COPY',
  ],
  [
    'locked.private.pem',
    2,
    'key_passphrase',
    'locked.private.pem is locked by a passphrase',
    'name a file that holds it: --passphrase-file FILE',
  ],
  ['damaged.json', 2, 'invalid_key', 'damaged.json is neither a key nor a key set: the JSON is damaged'],
  ['other.json', 2, 'invalid_key', 'other.json: version must be 1'],
  ['none.json', 2, 'invalid_key', 'none.json: keys must be a list with a key in it'],
  [
    'aes.json',
    5,
    'wrong_key_or_header',
    'the message was encrypted to somebody else, or its header was altered',
    'it names the wrapping keys MyAppKeys/S3RSAKey: is this the private key of one of them?',
  ],
];

const PUBLIC_CASES: Case[] = [
  ['missing.pem', 3, 'key_file_not_found', 'there is no key file missing.pem', KEYGEN],
  ['vault', 2, 'invalid_key', 'cannot read the key file vault: EISDIR'],
  ['empty.pem', 2, 'invalid_key', 'empty.pem is empty'],
  ['cut.public.pem', 2, 'invalid_key', 'cut.public.pem is damaged or no public key', FOUND.public],
  ['text.pem', 2, 'invalid_key', 'text.pem is damaged or no public key', FOUND.public],
  ['binary.pem', 2, 'invalid_key', 'binary.pem is damaged or no public key', FOUND.public],
  ['ec.public.pem', 2, 'invalid_key', 'ec.public.pem is a key of type ec, RSA is needed', KEYGEN],
  [
    'small.public.pem',
    2,
    'weak_key',
    'small.public.pem is an RSA key of 1024 bits, at least 2048 are needed',
    KEYGEN,
  ],
  [
    'ssh.public.pem',
    2,
    'invalid_key',
    'ssh.public.pem is damaged or no public key',
    'this is an SSH key: convert it with ssh-keygen -e -m PKCS8 -f FILE',
  ],
  ...['private_key.pem', 'locked.private.pem', 'ec.private.pem'].map((name): Case => [
    name,
    2,
    'private_key_in_public_key_set',
    `${name} holds a private key, a public one belongs there`,
    'name the public half (made by: openssl rsa -pubout), and keep the private key off this machine',
  ]),
  ['damaged.json', 2, 'invalid_key', 'damaged.json is neither a key nor a key set: the JSON is damaged'],
  [
    'aes.json',
    2,
    'private_key_in_public_key_set',
    'aes.json: keys[0].secretKey does not belong in a public key set',
    'whoever encrypts must not be able to decrypt: sealdrop keys export-public writes a set without private halves',
  ],
];

async function expectRefusal(args: string[], [, exit, code, error, hint]: Case): Promise<void> {
  const { stdout, stderr, code: exited } = await box.run(args);
  expect({ exited, stderr }).toEqual({
    exited: exit,
    stderr: `error: ${error}\n${hint === undefined ? '' : `hint: ${hint}\n`}`,
  });
  expect(documents({ stdout })).toEqual([{ error: { code, message: error, hint, retryable: false } }]);
  expect(box.files()).toEqual(before);
  expect(box.read('target').toString()).toBe('untouched');
}

describe('where the private key belongs', () => {
  test.each(PRIVATE_CASES)('%s: exit %d, %s', async (...given) => {
    const object = `${box.names.vault}/object`;
    await expectRefusal(['get', object, 'target', '--json', '--private-key', given[0]], given);
  });

  test('cat and verify say the same', async () => {
    for (const command of ['cat', 'verify'])
      await box.transcript(`
        $ sealdrop ${command} {vault}/object --private-key empty.pem
        ! error: empty.pem is empty
        [2]
      `);
  });

  test('none at all', () =>
    box.transcript(`
      $ sealdrop get {vault}/object target
      ! error: opening needs a private key
      ! hint: name it: --private-key FILE (or SEALDROP_PRIVATE_KEY), or --key-set FILE
      [2]
      $ sealdrop cat {vault}/object
      ! error: opening needs a private key
      ! hint: name it: --private-key FILE (or SEALDROP_PRIVATE_KEY), or --key-set FILE
      [2]
    `));

  test('a file that may not be read', async () => {
    // Root may read everything; what it may not read is a link that leads to itself.
    const root = process.getuid?.() === 0;
    if (root) symlinkSync('forbidden.pem', box.path('forbidden.pem'));
    else writeFileSync(box.path('forbidden.pem'), PAIR.privateKey, { mode: 0 });
    const why = root ? 'ELOOP' : 'EACCES';
    await box.transcript(`
      $ sealdrop get {vault}/object target --private-key forbidden.pem
      ! error: cannot read the key file forbidden.pem: ${why}
      [2]
      $ rm -f forbidden.pem
    `);
  });
});

describe('where the public key belongs', () => {
  test.each(PUBLIC_CASES)('%s: exit %d, %s', async (...given) => {
    const object = `${box.names.vault}/new`;
    await expectRefusal(['put', 'data', object, '--json', '--public-key', given[0]], given);
  });

  test('none at all', () =>
    box.transcript(`
      $ sealdrop put data {vault}/new
      ! error: there is no public key to encrypt with
      ! hint: name one: --public-key FILE, or make a pair: sealdrop keygen
      [2]
    `));
});

describe('a locked private key', () => {
  test('opens with the passphrase of a file, given by option or environment', () =>
    box.transcript(`
      $ sealdrop cat {vault}/object --private-key locked.private.pem --passphrase-file right.txt && echo
      > data
      $ SEALDROP_PASSPHRASE_FILE=right.txt sealdrop cat {vault}/object --private-key locked.private.pem && echo
      > data
    `));

  test('does not open with another one, from a file or a terminal', async () => {
    await box.transcript(`
      $ sealdrop get {vault}/object target --private-key locked.private.pem --passphrase-file wrong.txt
      ! error: the passphrase does not open locked.private.pem
      ! hint: check the passphrase; if it is right, the file is damaged
      [2]
      $ sealdrop get {vault}/object target --private-key locked.private.pem --passphrase-file missing.txt
      ! error: cannot read the passphrase file missing.txt
      ! hint: it holds the passphrase in its first line
      [3]
    `);
    const typed = await box.terminal(
      ['get', `${box.names.vault}/object`, 'target', '--private-key', 'locked.private.pem'],
      [{ wait: 'passphrase of locked.private.pem: ', send: 'wrong\r' }],
    );
    expect(typed.code).toBe(2);
    expect(typed.screen).toContain('error: the passphrase does not open locked.private.pem\r\n');
    expect(box.read('target').toString()).toBe('untouched');
  });
});

test('the wrong pair: exit 5, and the message’s own key names in the hint', () =>
  box.transcript(`
    $ sealdrop get {vault}/object target --private-key other_private.pem
    ! error: the message was encrypted to somebody else, or its header was altered
    ! hint: it names the wrapping keys MyAppKeys/S3RSAKey: is this the private key of one of them?
    [5]
    $ cat target && echo
    > untouched
  `));

const AES = Buffer.from(Array.from({ length: 32 }, (_, i) => (i * 37 + 11) % 256));
const DER = createPrivateKey(PAIR.privateKey).export({ type: 'pkcs8', format: 'der' });
/** A key where its file was to be named. */
const PASTED: [string, string][] = [
  ['PEM', PAIR.privateKey],
  ['a public key', PAIR.publicKey],
  ['PEM in one line', PAIR.privateKey.replaceAll('\n', ' ')],
  ['a JWK', JSON.stringify(createPrivateKey(PAIR.privateKey).export({ format: 'jwk' }))],
  ['base64 of DER', DER.toString('base64')],
  ['some of it', DER.toString('base64').slice(0, 100)],
  ['base64 of a secret', AES.toString('base64')],
  ['the same without =', AES.toString('base64').slice(0, -1)],
  ['hex of one', AES.toString('hex')],
];
const OPTIONS: [string, string, string?][] = [
  ['--private-key', 'get {vault}/object target', 'SEALDROP_PRIVATE_KEY'],
  ['--passphrase-file', 'get {vault}/object target', 'SEALDROP_PASSPHRASE_FILE'],
  ['--public-key', 'put data {vault}/new', 'SEALDROP_PUBLIC_KEY'],
  ['--recipient', 'put data {vault}/new', 'SEALDROP_RECIPIENT'],
  ['--key-set', 'keys list', 'SEALDROP_KEY_SET'],
  ['--to', 'rewrap {vault}/object'],
  ['--sse-key-file', 'ls s3://bucket/'],
  ['--sse-env', 'ls s3://bucket/'],
  ['--sync-key', 'sync . {vault}/ --checksum', 'SEALDROP_SYNC_KEY'],
  ['--token-file', 'serve --listen 127.0.0.1:0 --vault {vault}/', 'SEALDROP_TOKEN_FILE'],
  ['--webhook-token-file', 'serve --listen 127.0.0.1:0 --inbox s3://a/ --vault {vault}/'],
  ['--decrypt-with', 'serve --listen 127.0.0.1:0 --vault {vault}/'],
  ['--tls-key', 'serve --listen 127.0.0.1:0 --vault {vault}/'],
  ['--idempotency-key', 'serve --inbox . --vault {vault}/', 'SEALDROP_IDEMPOTENCY_KEY'],
];
const PASTED_HINT =
  'give the path of the file that holds it; a file that is called like a key is written with ./ before it';

describe('a key in place of the name of its file', () => {
  const refused = (named: string) => ({
    code: 2,
    stdout: Buffer.alloc(0),
    stderr: `error: ${named} names a file, and holds a key itself\nhint: ${PASTED_HINT}\n`,
  });
  const commandOf = (line: string) => line.replace('{vault}', box.names.vault!).split(' ');

  test.each(PASTED)('%s is not shown', async (_kind, key) => {
    const command = ['get', `${box.names.vault}/object`, 'target'];
    expect(await box.run([...command, '--private-key', key])).toMatchObject(refused('--private-key'));
    const json = await box.run([...command, '--json', `--private-key=${key}`]);
    expect(documents(json)).toMatchObject([{ error: { code: 'usage', hint: PASTED_HINT } }]);
    expect(json.stderr).toBe(refused('--private-key').stderr);
  });

  test.each(OPTIONS)('%s', async (...[option, line, variable]) => {
    for (const key of [PAIR.privateKey, AES.toString('base64')])
      expect(await box.run([...commandOf(line), option, key])).toMatchObject(refused(option));
    if (variable === undefined) return;
    const env = { [variable]: PAIR.privateKey };
    expect(await box.run(commandOf(line), { env })).toMatchObject(refused(variable));
  });

  test('among the arguments, where the shell made words of it, too', async () => {
    expect(await box.run(['keys', 'import', PAIR.privateKey])).toMatchObject(refused('an argument'));
    const words = PAIR.privateKey.trim().split(/\s/);
    const command = ['get', `${box.names.vault}/object`, '--private-key', ...words];
    expect(await box.run(command)).toMatchObject(refused('--private-key'));
  });

  test('in a configuration', async () => {
    box.write('pasted.json', JSON.stringify({ keys: { privateKeys: ['a.pem', PAIR.privateKey] } }));
    await box.transcript(`
      $ sealdrop ls {vault}/ --config pasted.json
      ! error: pasted.json: keys.privateKeys[1]: names a file, and holds a key itself
      ! hint: sealdrop.schema.json describes every field; editors that know $schema show it
      [2]
    `);
  });

  test('a file that is called so is named with ./', async () => {
    const name = AES.toString('hex');
    box.write(name, PAIR.privateKey);
    expect(await box.run(['cat', `${box.names.vault}/object`, '--private-key', `./${name}`])).toMatchObject({
      code: 0,
    });
  });
});
