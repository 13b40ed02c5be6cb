/** Server-side encryption by the command: which key, where to, and what it says when it cannot work. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { CreateSecretCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { createHash, randomBytes } from 'node:crypto';
import { statSync } from 'node:fs';
import { Box, documents, secret } from '../helpers/cli.js';
import { environmentFor, newVault, type TestVault } from '../helpers/cli-vault.js';
import { startFaultProxy } from '../helpers/fault-proxy.js';
import { SETUP_TIME, startMinio, startMinistack, type S3Server } from '../helpers/servers.js';

const KEY = randomBytes(32);
const OTHER = randomBytes(32);
const base64 = (key: Buffer) => secret('an SSE-C key', key.toString('base64'));
const md5 = (key: Buffer) => createHash('md5').update(key).digest('base64');
const envOf = (key: string, digest?: string) =>
  `SSE_CUSTOMER_KEY_BASE64='${key}'\n${digest === undefined ? '' : `SSE_CUSTOMER_KEY_MD5='${digest}'\n`}`;

let minio: S3Server;
let vault: TestVault;
let box: Box;

beforeAll(async () => {
  minio = await startMinio({ tls: true });
  vault = await newVault('s3', minio);
  box = vault.box;
  box.env.SEALDROP_CA_BUNDLE = minio.caBundle!;
  box.write('a.txt', 'plaintext\n');
  box.write('raw.bin', KEY);
  box.write('base64.txt', `${base64(KEY)}\n`);
  box.write('other.bin', OTHER);
  box.write('good.env', envOf(base64(KEY), md5(KEY)));
}, SETUP_TIME);
afterAll(async () => minio?.stop());

describe('SSE-C with a key of Secrets Manager', () => {
  let ministack: S3Server;
  beforeAll(async () => {
    ministack = await startMinistack();
    const { endpoint, region, credentials } = ministack;
    const secrets = new SecretsManagerClient({ endpoint, region, credentials });
    const make = (Name: string, value: object) => secrets.send(new CreateSecretCommand({ Name, ...value }));
    await make('sse/text', { SecretString: `${base64(KEY)}\n` });
    await make('sse/bytes', { SecretBinary: KEY });
    await make('sse/none', { SecretString: 'no key' });
    secrets.destroy();
  }, SETUP_TIME);
  afterAll(async () => ministack?.stop());

  test('is named as keys are elsewhere, by an option or by a configuration', async () => {
    const env = { AWS_ENDPOINT_URL_SECRETS_MANAGER: ministack.endpoint };
    await box.transcript(
      `
      $ sealdrop put a.txt {vault}/kept --public-key public_key.pem --sse-key-file secretsmanager:sse/text
      ! a.txt -> {vault}/kept (10 B)
      $ sealdrop cat {vault}/kept --private-key private_key.pem --sse-key-file secretsmanager:sse/bytes
      > plaintext
      $ SEALDROP_SSE_KEY_FILE=secretsmanager:sse/text sealdrop cat {vault}/kept --private-key private_key.pem
      > plaintext
      $ sealdrop cat {vault}/kept --private-key private_key.pem --sse-key-file secretsmanager:sse/none
      ! error: secretsmanager:sse/none is not a key: 32 bytes, or base64 of them
      ! hint: make one with: sealdrop keygen --sse-c FILE
      [2]
      $ sealdrop cat {vault}/kept --private-key private_key.pem --sse-key-file secretsmanager:sse/absent 2>&1 | head -1
      > error: secretsmanager:sse/absent does not exist, or has no value
      $ sealdrop cat {vault}/kept --private-key private_key.pem --sse-key-file ssm:sse
      ! error: ssm:sse holds no key for --sse c: name a file or secretsmanager:NAME
      [2]
      $ sealdrop put a.txt {vault}/kept --public-key public_key.pem --sse AES256 --sse-key-file secretsmanager:sse/text
      ! error: a key of your own is for --sse c, and not for --sse AES256
      [2]
    `,
      { env },
    );
    box.write(
      'kept.json',
      JSON.stringify({
        vaults: { lab: { address: vault.address, sse: 'c', sseKeyFile: 'secretsmanager:sse/text' } },
      }),
    );
    const got = await box.run(
      ['cat', 'lab:kept', '--config', 'kept.json', '--private-key', 'private_key.pem'],
      {
        env,
      },
    );
    expect([got.code, got.stdout.toString()]).toEqual([0, 'plaintext\n']);
  });
});

describe('SSE-C', () => {
  const READS = [
    ['--sse-key-file', 'raw.bin'],
    ['--sse-key-file', 'base64.txt'],
    ['--sse-env', 'good.env'],
    ['--sse', 'c', '--sse-env', 'good.env'],
  ];

  test('goes besides our own encryption; every form of the key reads', async () => {
    await box.transcript(`
      $ sealdrop put a.txt {vault}/both --public-key public_key.pem --sse c --sse-key-file raw.bin
      ! a.txt -> {vault}/both (10 B)
    `);
    for (const key of READS) {
      const got = await box.run(['cat', `${vault.address}/both`, '--private-key', 'private_key.pem', ...key]);
      expect([got.code, got.stdout.toString()]).toEqual([0, 'plaintext\n']);
    }
    await box.transcript(`
      $ sealdrop verify {vault}/both --private-key private_key.pem --sse-env good.env | cat
      ! {vault}/both (443 B stored)
      !   passed  integrity  all of 10 plaintext bytes authenticated
      !   absent  checksum   the store keeps none that can be checked
    `);
    // As from a manager of secrets.
    const piped = `cat ${vault.address}/both --private-key private_key.pem --sse-key-file <(cat base64.txt)`;
    expect((await box.shell(`sealdrop ${piped}`)).stdout.toString()).toBe('plaintext\n');
    const env = { SEALDROP_SSE_KEY_FILE: 'raw.bin', SEALDROP_SSE: 'c' };
    expect((await box.run(['inspect', `${vault.address}/both`], { env })).code).toBe(0);
  });

  test('without the key, or with another, the exit code is 4 and the reason is said', () =>
    box.transcript(`
      $ sealdrop get {vault}/both got.txt --private-key private_key.pem
      ! error: {vault}/both cannot be read without the key that its writer gave the store (SSE-C)
      ! hint: give the key: --sse-key-file FILE, or --sse-env FILE
      [4]
      $ sealdrop get {vault}/both got.txt --private-key private_key.pem --sse-key-file other.bin
      ! error: {vault}/both: this SSE-C key is not the one that the object is encrypted with
      ! hint: each object opens with the key that it was written with, and the store keeps none of them
      [4]
      $ sealdrop rm {vault}/both
      ! error: {vault}/both cannot be read without the key that its writer gave the store (SSE-C)
      ! hint: give the key: --sse-key-file FILE, or --sse-env FILE
      [4]
      $ test ! -e got.txt
    `));

  test('`bucket check` counts it as encrypted, without the key', async () => {
    const { stdout } = await box.run(['bucket', 'check', `${vault.address}/bo`, '--json']);
    expect(JSON.parse(stdout.toString())).toMatchObject({
      verdict: 'encrypted',
      encryptions: { 'SSE-C': 1 },
    });
  });

  test('`ls -l` lists it without the key, less the size that only the key shows', async () => {
    const listed = await box.run(['ls', '-l', `${vault.address}/bo`]);
    expect(listed).toMatchObject({ code: 0, stderr: '1 object, 443 B\n' });
    expect(listed.stdout.toString()).toMatch(/ 443 +- both\n$/);
  });

  test('over http it is refused, and the server sees nothing', async () => {
    const proxy = await startFaultProxy('http://127.0.0.1:9');
    try {
      box.names.proxy = proxy.endpoint;
      box.names.proxyHost = new URL(proxy.endpoint).host;
      for (const command of [
        'put a.txt {vault}/http --public-key public_key.pem',
        'put a.txt {vault}/http --format plain',
        'get {vault}/http --format plain',
        'ls {vault}/',
      ])
        await box.transcript(`
          $ sealdrop ${command} --sse-key-file raw.bin --endpoint-url {proxy}
          ! error: SSE-C sends the key itself, and {proxyHost} is reached over http
          ! hint: everybody on the way could read the key, so stores refuse it: take https:// in --endpoint-url
          [2]
        `);
      expect([proxy.requests, await proxy.connections()]).toEqual([[], 0]);
    } finally {
      await proxy.close();
    }
  });
});

describe('the key', () => {
  const refused = async (args: string[], message: string, code = 2) => {
    const { code: found, stderr } = await box.run(['ls', `${vault.address}/`, ...args]);
    expect([found, stderr.split('\n')[0]]).toEqual([code, `error: ${message}`]);
  };

  test.each([
    [
      'another MD5',
      envOf(base64(KEY), md5(OTHER)),
      'bad.env: SSE_CUSTOMER_KEY_MD5 is not the MD5 of the key',
    ],
    ['no key', 'KEY=sample.jpg\n', 'bad.env has no SSE_CUSTOMER_KEY_BASE64'],
    ['an empty key', envOf(''), 'bad.env has no SSE_CUSTOMER_KEY_BASE64'],
    [
      'the placeholder of the page',
      envOf('XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX='),
      'SSE_CUSTOMER_KEY_BASE64 in bad.env is not base64 of 32 bytes',
    ],
    [
      'a short key',
      envOf(base64(KEY.subarray(1))),
      'SSE_CUSTOMER_KEY_BASE64 in bad.env is not base64 of 32 bytes',
    ],
  ])('an .env with %s is refused', async (_what, text, message) => {
    box.write('bad.env', text);
    await refused(['--sse-env', 'bad.env'], message);
  });

  test('is not searched for elsewhere, nor taken twice, nor left unused', async () => {
    await refused(['--sse', 'c'], '--sse c needs your key');
    await refused(['--sse-env', 'none.env'], 'there is no key file none.env', 3);
    await refused(
      ['--sse-env', 'good.env', '--sse-key-file', 'raw.bin'],
      'the key is named twice: give --sse-key-file or --sse-env',
    );
    await refused(
      ['--sse', 'AES256', '--sse-env', 'good.env'],
      'a key of your own is for --sse c, and not for --sse AES256',
    );
    await refused(['--sse-key-file', 'a.txt'], 'a.txt is not a key: 32 bytes, or base64 of them');
    await refused(['--sse-key-file', '.'], 'cannot read the key file .: EISDIR');
    await refused(
      ['--sse', 'aes'],
      "option '--sse <kind>' argument 'aes' is invalid. It must be one of AES256, aws:kms, aws:kms:KEY, c, bucket, none.",
    );
  });

  test('the PROFILE of an .env is the profile, unless another is named', async () => {
    box.write('profile.env', `${envOf(base64(KEY))}PROFILE='nobody'\n`);
    const env = { AWS_ACCESS_KEY_ID: '', AWS_SECRET_ACCESS_KEY: '' };
    const { code, stderr } = await box.run(['ls', `${vault.address}/`, '--sse-env', 'profile.env'], { env });
    expect([code, stderr]).toEqual([4, expect.stringContaining('the profile nobody gives no credentials')]);
    const named = await box.run(['ls', `${vault.address}/`, '--sse-env', 'profile.env', '--profile', 'me'], {
      env,
    });
    expect(named.stderr).toContain('the profile me gives no credentials');
  });

  test('is made by keygen, for its owner alone, and never replaced', async () => {
    await box.transcript(`
      $ sealdrop keygen --sse-c new/lab.env
      ! new/lab.env  reads what is stored under it, and the store keeps no copy: keep it, and a copy of your own
      $ sealdrop keygen --sse-c new/lab.env
      ! error: new/lab.env is there already
      ! hint: a key that is gone opens nothing any more, so none is replaced: name another file
      [1]
      $ sealdrop keygen --sse-c --passphrase
      ! error: option '--sse-c [file]' cannot be used with option '--passphrase'
      ! hint: see: sealdrop keygen --help
      [2]
      $ sealdrop put a.txt {vault}/made --format plain --sse-env new/lab.env
      ! a.txt -> {vault}/made (10 B)
    `);
    expect(statSync(box.path('new/lab.env')).mode & 0o777).toBe(0o600);
    const made = await box.run(['keygen', 'new', '--sse-c', '--json']);
    const [, key] = /BASE64='(.{44})'/.exec(box.read('new/.env').toString())!;
    secret('a key of keygen', key!);
    expect(documents(made)).toEqual([{ file: 'new/.env', md5: md5(Buffer.from(key!, 'base64')) }]);
    expect(box.files('new')).toEqual(['.env', 'lab.env']);
  });
});

describe('--format plain', () => {
  test('is refused unless it is said who encrypts', () =>
    box.transcript(`
      $ sealdrop put a.txt {vault}/plain --format plain
      ! error: --format plain leaves the encryption to the store, and no --sse says which
      ! hint: name it: --sse AES256, aws:kms, c or bucket; with --sse none the store gets and keeps plaintext
      [2]
      $ sealdrop put a.txt {vault}/plain --format plain --sse none --context a=b
      ! error: a plain object has no message that could carry a --context
      [2]
      $ sealdrop put a.txt {vault}/plain --format plain --sse AES256
      ! error: {vault}/plain: the store does not know this request (NotImplemented)
      ! hint: the store has no SSE-S3 (AES256): leave --sse out, or take another kind
      [1]
      $ sealdrop ls {vault}/plain
      ! nothing there begins with {vault}/plain
      $ sealdrop put a.txt {vault}/plain --format plain --sse none
      ! a.txt -> {vault}/plain (10 B)
    `));

  test('its object says what it is, and holds no digest of its plaintext but the store’s own', async () => {
    const { metadata } = await minio.store(vault.address.slice('s3://'.length)).head('plain');
    expect(metadata).toEqual({
      'sealdrop-format': 'plain',
      'sealdrop-size': '10',
      'sealdrop-upload': expect.any(String),
    });
  });

  test('is never taken for a message, and no message for it', async () => {
    await box.transcript(
      `
      $ sealdrop get {vault}/plain got.txt --private-key private_key.pem
      ! error: it is no message: it was stored without client-side encryption
      ! hint: take it as it is, which nothing authenticates: --format plain
      [5]
      $ sealdrop inspect {vault}/plain
      ! error: it is no message: it was stored without client-side encryption
      ! hint: take it as it is, which nothing authenticates: --format plain
      [5]
      $ sealdrop verify {vault}/plain
      ! {vault}/plain (10 B stored)
      !   failed  framing    this is not an encrypted message: it does not begin like one
      ! error: it is no message: it was stored without client-side encryption
      ! hint: take it as it is, which nothing authenticates: --format plain
      [5]
      $ sealdrop put a.txt {vault}/message --public-key public_key.pem
      ! a.txt -> {vault}/message (10 B)
      $ sealdrop get {vault}/message got.txt --format plain
      ! error: this is an encrypted message, and no plain file
      ! hint: leave --format plain out, and give the private key
      [2]
      $ test ! -e got.txt
    `,
    );
  });

  test('get, cat and verify say that nothing authenticates it', () =>
    box.transcript(`
      $ sealdrop get {vault}/plain got.txt --format plain && cmp got.txt a.txt
      ! {vault}/plain -> got.txt (10 B) (plain: nothing authenticates it)
      $ sealdrop cat {vault}/plain --format plain
      > plaintext
      ! {vault}/plain (plain: nothing authenticates it)
      $ sealdrop verify {vault}/plain --format plain
      ! {vault}/plain (10 B stored)
      !   absent  integrity  nothing authenticates its content
      !   passed  size       10 plaintext bytes, the metadata says 10
      !   passed  checksum   md5 da9f2a7ba960b05bf3e76e432ff458aa
      ! checked without the private key: this finds accidents and proves no integrity
    `));
});

test('a directory has no server-side encryption', async () => {
  const directory = await newVault('directory', minio);
  directory.box.write('a.txt', 'x');
  await directory.box.transcript(`
    $ sealdrop put a.txt {vault}/a --public-key public_key.pem --sse AES256
    ! error: a directory has no server-side encryption: leave --sse out
    [2]
  `);
  expect(await directory.keys()).toEqual([]);
});

test('serve takes no --format plain: a gateway always encrypts', async () => {
  const { code, stderr } = await new Box(environmentFor(minio)).run(['serve', '--format', 'plain']);
  expect(stderr).toContain("argument 'plain' is invalid");
  expect(code).toBe(2);
});
