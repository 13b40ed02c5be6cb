/** An object for three: a key in a file, a recovery key that is kept offline, and a key of AWS KMS. Any one opens it. */
import { CreateAliasCommand, CreateKeyCommand, DisableKeyCommand, KMSClient } from '@aws-sdk/client-kms';
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { openDecryptor, openEncryptor, openInspector } from '../../src/index.js';
// Loaded before they are asked for: see exchange.ts.
import '../../src/envelope/esdk/decrypt.js';
import '../../src/envelope/esdk/encrypt.js';
import '../../src/envelope/esdk/inspect.js';
import '../../src/keys/kms/unwrap.js';
import '../../src/keys/kms/wrap.js';
import '../../src/keys/opening-keys.js';
import '../../src/keys/raw-aes/unwrap.js';
import '../../src/keys/raw-aes/wrap.js';
import '../../src/keys/raw-rsa/unwrap.js';
import '../../src/keys/raw-rsa/wrap.js';
import '../../src/keys/recipients.js';
import '../../src/keys/unwrapping.js';
import type { DecryptSettings } from '../../src/config/settings.js';
import { isOfSize } from '../../src/ports.js';
import { chunked, collect, drain, pattern } from '../helpers/bytes.js';
import { privatePem, publicPem, rsaPair } from '../helpers/keys.js';
import { PYTHON_SETUP_TIME, PythonBatch, type AnyPythonKey } from '../helpers/python.js';
import { awsEnvironment, isWanted, SETUP_TIME, startMinistack, type S3Server } from '../helpers/servers.js';
import { CONTEXT } from './exchange.js';

const TEXT = pattern(5000);
const file = { namespace: 'MyAppKeys', name: 'S3RSAKey', pair: rsaPair() };
const recovery = { namespace: 'MyAppKeys', name: 'recovery 2026', pair: rsaPair(3072) };
const secret = { namespace: 'MyAppKeys', name: 'shared', secretKey: randomBytes(32) };
const policy = 'REQUIRE_ENCRYPT_REQUIRE_DECRYPT';
const suite = 0x0478;

const setOf = (...keys: object[]) => Buffer.from(JSON.stringify({ version: 1, keys }));
const publicSet = ({ pair, ...names }: typeof file) => setOf({ ...names, publicKey: publicPem(pair) });
const privateSet = ({ pair, ...names }: typeof file) => setOf({ ...names, privateKey: privatePem(pair) });
const secretSet = setOf({ ...secret, secretKey: secret.secretKey.toString('base64') });

const wanted = isWanted('ministack') ? describe : describe.skip;

wanted('a message to a file key, a recovery key, a KMS key and a raw AES key', () => {
  const batch = new PythonBatch(4);
  let server: S3Server;
  let arn: string;
  let disabled: string;
  let alias: string;
  let ours: Buffer;
  const opened: Record<string, number> = {};
  let refused: number;
  let theirs: number;
  const python = (): Record<string, AnyPythonKey> => ({ file, recovery, kms: { kms: arn }, secret });
  const mine = (): Record<string, DecryptSettings> => ({
    file: { privateKeys: [privateSet(file)] },
    recovery: { privateKeys: [Buffer.from(privatePem(recovery.pair))] },
    kms: { privateKeys: [`kms:${arn}`] },
    'kms by its alias': { keySet: `kms:${alias}` },
    'kms by its account': { kmsDiscovery: [arn.split(':')[4]!] },
    'kms in a set': { keySet: setOf({ namespace: 'aws-kms', name: arn }) },
    secret: { keySet: secretSet },
    'all of them': { privateKeys: [privateSet(recovery), `kms:${arn}`], keySet: secretSet },
  });

  beforeAll(async () => {
    server = await startMinistack();
    const { endpoint, region, credentials } = server;
    const env = awsEnvironment(server);
    Object.assign(process.env, env);
    const kms = new KMSClient({ endpoint, region, credentials });
    const newKey = async () => (await kms.send(new CreateKeyCommand({}))).KeyMetadata!.Arn!;
    [arn, disabled] = [await newKey(), await newKey()];
    await kms.send(new CreateAliasCommand({ AliasName: 'alias/files', TargetKeyId: arn }));
    await kms.send(new DisableKeyCommand({ KeyId: disabled }));
    alias = arn.replace(/key\/.*/, 'alias/files');
    kms.destroy();
    const encryptor = await openEncryptor({
      publicKeys: [publicSet(file)],
      recipients: [publicSet(recovery), `kms:${arn}`, secretSet],
    });
    ours = await collect(encryptor.encrypt(chunked(TEXT, 999), CONTEXT));
    expect(isOfSize(ours.length, encryptor.ciphertextSize(TEXT.length, CONTEXT))).toBe(true);
    for (const [name, key] of Object.entries(python()))
      opened[name] = batch.add({ op: 'decrypt', policy, keys: [key] }, ours);
    const stranger = { ...file, name: 'stranger', pair: rsaPair() };
    refused = batch.add({ op: 'decrypt', policy, keys: [stranger] }, ours);
    const everybody = Object.values(python());
    theirs = batch.add({ op: 'encrypt', policy, suite, keys: everybody, context: CONTEXT }, TEXT);
    await batch.run({ ...env, AWS_DEFAULT_REGION: region });
  }, SETUP_TIME + PYTHON_SETUP_TIME);
  afterAll(() => server?.stop());

  test.each(['file', 'recovery', 'kms', 'secret'])('ours opens in Python with %s alone', (name) => {
    expect(batch.output(opened[name]!).equals(TEXT)).toBe(true);
  });

  test('ours does not open in Python with another key', () => {
    expect(batch.result(refused).ok).toBe(false);
  });

  const KEYS = [
    'file',
    'recovery',
    'kms',
    'kms by its alias',
    'kms by its account',
    'kms in a set',
    'secret',
    'all of them',
  ];
  test.each(KEYS)('ours and theirs open here with %s alone', async (name) => {
    for (const message of [ours, batch.output(theirs)]) {
      const decryptor = await openDecryptor(mine()[name]!);
      expect((await collect(decryptor.decrypt(chunked(message, 800)))).equals(TEXT)).toBe(true);
    }
  });

  test('with none of them it does not open, and says whom it is for', async () => {
    const settings = { privateKeys: [Buffer.from(privatePem(rsaPair()))], kmsDiscovery: ['123456789012'] };
    for (const message of [ours, batch.output(theirs)]) {
      const decryptor = await openDecryptor(settings);
      const { error, released } = await drain(decryptor.decrypt(chunked(message, 800)));
      expect(error).toMatchObject({ code: 'wrong_key_or_header' });
      for (const name of ['S3RSAKey', 'recovery 2026', arn, 'shared'])
        expect((error as { hint: string }).hint).toContain(name);
      expect(released).toHaveLength(0);
    }
  });

  test('its header names all four as they are called', async () => {
    const inspector = await openInspector();
    for (const message of [ours, batch.output(theirs)]) {
      const { wrappedKeys } = await inspector.inspect(chunked(message, 800));
      expect(wrappedKeys.map(({ namespace, name }) => `${namespace}/${name}`).sort()).toEqual([
        'MyAppKeys/S3RSAKey',
        'MyAppKeys/recovery 2026',
        'MyAppKeys/shared',
        `aws-kms/${arn}`,
      ]);
    }
  });

  test('with a KMS key first it opens the same', async () => {
    const encryptor = await openEncryptor({ keySet: `kms:${alias}`, recipients: [publicSet(file)] });
    const settings = [{ keySet: `kms:${arn}` }, { privateKeys: [privateSet(file)] }];
    const all = await openEncryptor({ recipients: [`kms:${alias}`, publicSet(file)] });
    const message = await collect(all.encrypt(chunked(TEXT, 999), CONTEXT));
    for (const each of settings)
      expect((await collect((await openDecryptor(each)).decrypt(chunked(message, 70)))).equals(TEXT)).toBe(
        true,
      );
    expect(encryptor.recipients.map(({ name }) => name)).toEqual(['S3RSAKey']);
  });

  test('a KMS key that is disabled, or is not there, is told with what KMS says', async () => {
    const missing = arn.replace(/key\/.*/, 'key/00000000-0000-4000-8000-000000000000');
    for (const [id, expected] of [
      [disabled, { code: 'aws_refused', message: expect.stringContaining('DisabledException') }],
      [missing, { code: 'kms_key_not_found', message: expect.stringContaining('NotFoundException') }],
    ] as const) {
      const encryptor = await openEncryptor({ recipients: [publicSet(file), `kms:${id}`] });
      const { error, released } = await drain(encryptor.encrypt(chunked(TEXT, 999), CONTEXT));
      expect(error).toMatchObject(expected);
      expect(released).toHaveLength(0);
    }
  });
});
