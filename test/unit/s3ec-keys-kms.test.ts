/** Data keys of S3 Encryption Client objects by AWS KMS: what it is asked and believed; and keys of all kinds as settings name them. */
import { KMSClient } from '@aws-sdk/client-kms';
import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import {
  openS3ecUnwrappingKeys,
  openS3ecWrappingKey,
  openUnwrapping,
  openWrappingKeys,
} from '../../src/compose-keys.js';
import type { DecryptSettings, EncryptSettings } from '../../src/config/settings.js';
import { createDecryptor } from '../../src/envelope/esdk/decrypt.js';
import { createEncryptor } from '../../src/envelope/esdk/encrypt.js';
import type { SealdropError } from '../../src/errors.js';
import { kmsS3ecKey } from '../../src/keys/kms/s3ec-wrap.js';
import { KmsClients } from '../../src/keys/kms/client.js';
import { parseKmsKey } from '../../src/keys/kms/names.js';
import type { S3ecSealedKey, S3ecWrappingKey } from '../../src/ports.js';
import { chunked, collect } from '../helpers/bytes.js';
import { ACCOUNT, keyArn, refusal, startFakeKms, type FakeKms } from '../helpers/fake-kms.js';
import { privatePem, publicPem, rsaPair } from '../helpers/keys.js';

const [KEY, OTHER, MRK] = [keyArn('mine'), keyArn('other'), keyArn('mrk-1234abcd', ACCOUNT, 'eu-west-1')];
const ALIAS = `arn:aws:kms:us-east-1:${ACCOUNT}:alias/files`;
const PAIRS = { project: 'データ', tier: '1' };
const RESERVED = 'aws:x-amz-cek-alg';
const WRONG = { code: 'wrong_key_or_header' };

let kms: FakeKms;
beforeAll(async () => {
  kms = await startFakeKms();
  Object.assign(process.env, {
    AWS_ENDPOINT_URL_KMS: kms.endpoint,
    AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE',
    AWS_SECRET_ACCESS_KEY: 'x',
    AWS_REGION: 'us-east-1',
  });
});
afterAll(() => kms.stop());
beforeEach(() => kms.reset());
afterEach(() => {
  jest.restoreAllMocks();
});

const keyOf = (id: string, grantTokens: string[] = []) =>
  kmsS3ecKey(parseKmsKey(id, 'kms:'), new KmsClients({ grantTokens, maxAttempts: 1 }));
async function seal(key: S3ecWrappingKey, contentAlgorithm = '115') {
  const { dataKey, ...wrapped } = await key.generate({ contentAlgorithm, description: PAIRS });
  return { dataKey, sealed: { ...wrapped, algorithm: key.algorithm, contentAlgorithm } };
}
const named = (...ids: string[]) => ({ privateKeys: ids.map((id) => `kms:${id}`) });
const open = async (sealed: S3ecSealedKey, settings: DecryptSettings) =>
  (await openS3ecUnwrappingKeys(settings)).unwrap(sealed);
const operations = () => kms.calls.map(({ operation, keyId }) => [operation, keyId]);

describe('wrapping', () => {
  test.each(['115', 'AES/GCM/NoPadding'])('for %s asks for a data key, bound to it', async (algorithm) => {
    const { dataKey, sealed } = await seal(keyOf(KEY, ['token']), algorithm);
    const context = { ...PAIRS, [RESERVED]: algorithm };
    expect(kms.calls).toMatchObject([
      { operation: 'GenerateDataKey', keyId: KEY, keySpec: 'AES_256', context, grantTokens: ['token'] },
    ]);
    expect(sealed.description).toEqual(context);
    expect(dataKey).toHaveLength(32);
    expect(await open(sealed, named(KEY))).toEqual(dataKey);
    expect(kms.calls[1]).toMatchObject({ operation: 'Decrypt', keyId: KEY, context });
  });

  test('a data key that is there already is encrypted', async () => {
    const [dataKey, key] = [randomBytes(32), keyOf(KEY)];
    const wrapped = await key.wrap(dataKey, { contentAlgorithm: '115', description: PAIRS });
    expect(kms.calls).toMatchObject([{ operation: 'Encrypt', context: { ...PAIRS, [RESERVED]: '115' } }]);
    const sealed = { ...wrapped, algorithm: key.algorithm, contentAlgorithm: '115' };
    expect(await open(sealed, named(KEY))).toEqual(dataKey);
    expect(dataKey.every((byte) => byte === 0)).toBe(false);
  });

  test.each([KEY, ALIAS, MRK, 'alias/files'])('by %s, which opens it again', async (id) => {
    kms.aliases.set(ALIAS, KEY).set('alias/files', KEY);
    const { dataKey, sealed } = await seal(keyOf(id));
    expect(await open(sealed, named(id))).toEqual(dataKey);
    expect(kms.calls.map(({ keyId }) => keyId)).toEqual([id, id]);
    expect(kms.calls[0]!.region).toBe(id === MRK ? 'eu-west-1' : 'us-east-1');
  });

  test('what KMS answered is overwritten, both ways', async () => {
    const answers: { Plaintext?: Uint8Array }[] = [];
    const { send } = KMSClient.prototype as unknown as {
      send: (this: KMSClient, command: unknown) => Promise<object>;
    };
    jest.spyOn(KMSClient.prototype, 'send').mockImplementation(async function (
      this: KMSClient,
      command: unknown,
    ) {
      const answer = await send.call(this, command);
      answers.push(answer);
      return answer;
    } as never);
    const { dataKey, sealed } = await seal(keyOf(KEY));
    expect(await open(sealed, named(KEY))).toEqual(dataKey);
    expect(answers.map(({ Plaintext }) => Buffer.from(Plaintext!))).toEqual([
      Buffer.alloc(32),
      Buffer.alloc(32),
    ]);
    expect(dataKey).not.toEqual(Buffer.alloc(32));
  });

  test.each([
    ['no plaintext', { KeyId: KEY, CiphertextBlob: 'AAAA' }],
    ['a data key of 16 bytes', { KeyId: KEY, CiphertextBlob: 'AAAA', Plaintext: 'A'.repeat(22) + '==' }],
    ['no ciphertext', { KeyId: KEY, Plaintext: Buffer.alloc(32).toString('base64') }],
  ])('an answer with %s is aws_refused', async (_, body) => {
    kms.answer = () => ({ status: 200, body });
    await expect(seal(keyOf(KEY))).rejects.toMatchObject({ code: 'aws_refused' });
  });

  test('the pair that is the format’s own is nobody else’s: reserved_context, and nothing is asked', async () => {
    const binding = { contentAlgorithm: '115', description: { [RESERVED]: '115' } };
    await expect(keyOf(KEY).generate(binding)).rejects.toMatchObject({ code: 'reserved_context' });
    await expect(keyOf(KEY).wrap(randomBytes(32), binding)).rejects.toMatchObject({
      code: 'reserved_context',
    });
    expect(kms.calls).toEqual([]);
  });

  test('a refusal is told whole, with the permission that is missing', async () => {
    kms.answer = () => refusal('AccessDeniedException', 'User: x is not authorized');
    for (const [asked, permission] of [
      [seal(keyOf(KEY)), 'kms:GenerateDataKey'],
      [keyOf(KEY).wrap(randomBytes(32), { contentAlgorithm: '115', description: {} }), 'kms:Encrypt'],
    ] as const)
      await expect(asked).rejects.toMatchObject({
        code: 'access_denied',
        message: expect.stringContaining('User: x is not authorized'),
        hint: expect.stringContaining(permission),
      });
  });
});

describe('unwrapping', () => {
  test('with the context altered it is none', async () => {
    const { sealed } = await seal(keyOf(KEY));
    const altered: Record<string, string>[] = [{ ...sealed.description, tier: '2' }, { [RESERVED]: '115' }];
    for (const description of altered)
      await expect(open({ ...sealed, description }, named(KEY))).rejects.toMatchObject(WRONG);
  });

  test.each([
    ['another content algorithm', { contentAlgorithm: 'AES/GCM/NoPadding' }],
    ['a pair of another one', { description: { ...PAIRS, [RESERVED]: 'AES/GCM/NoPadding' } }],
    ['no such pair', { description: PAIRS }],
    ['its binding taken away', { algorithm: 'kms' }],
  ])('with %s nothing is asked: wrong_context', async (_, change) => {
    const { sealed } = await seal(keyOf(KEY));
    kms.calls.length = 0;
    await expect(open({ ...sealed, ...change }, named(KEY))).rejects.toMatchObject({ code: 'wrong_context' });
    expect(kms.calls).toEqual([]);
  });

  test('by `kms`, which binds nothing, the whole description is the context', async () => {
    const description = { 'aws:ses:rule-name': 'x', kms_cmk_id: KEY };
    kms.answer = (call, right) => (expect(call.context).toEqual(description), right());
    const { KMSClient: Client, EncryptCommand } = await import('@aws-sdk/client-kms');
    const dataKey = randomBytes(16);
    const command = new EncryptCommand({ KeyId: KEY, Plaintext: dataKey, EncryptionContext: description });
    const { CiphertextBlob: wrappedKey } = await new Client().send(command);
    const sealed = { algorithm: 'kms', contentAlgorithm: 'x', wrappedKey: wrappedKey!, description };
    expect(await open(sealed, named(KEY))).toEqual(dataKey);
  });

  test.each([0, 6145, 1_000_000])('%i bytes are none of KMS’s: it is asked nothing', async (bytes) => {
    const { sealed } = await seal(keyOf(KEY));
    kms.calls.length = 0;
    const bad = { ...sealed, wrappedKey: Buffer.alloc(bytes) };
    await expect(open(bad, named(KEY))).rejects.toMatchObject(WRONG);
    expect(kms.calls).toEqual([]);
  });

  test('keys that are named are asked in their order, until one opens it', async () => {
    const { dataKey, sealed } = await seal(keyOf(KEY));
    kms.calls.length = 0;
    expect(await open(sealed, named(OTHER, KEY, MRK))).toEqual(dataKey);
    expect(operations()).toEqual([OTHER, KEY].map((id) => ['Decrypt', id]));
    await expect(open(sealed, named(OTHER, MRK))).rejects.toMatchObject(WRONG);
  });

  test('a refusal is told only where nothing else opens it', async () => {
    const { dataKey, sealed } = await seal(keyOf(KEY));
    const denied = refusal('AccessDeniedException', 'no');
    kms.answer = ({ keyId }) => (keyId === OTHER ? denied : undefined);
    expect(await open(sealed, named(OTHER, KEY))).toEqual(dataKey);
    await expect(open(sealed, named(OTHER, MRK))).rejects.toMatchObject({
      code: 'access_denied',
      message: expect.stringContaining(OTHER),
      hint: expect.stringContaining('kms:Decrypt'),
    });
  });

  test.each([
    ['of another key', { KeyId: OTHER, Plaintext: Buffer.alloc(32).toString('base64') }],
    ['of another length', { KeyId: KEY, Plaintext: Buffer.alloc(31).toString('base64') }],
    ['without a data key', { KeyId: KEY }],
  ])('an answer %s is not believed', async (_, body) => {
    const { sealed } = await seal(keyOf(KEY));
    kms.answer = () => ({ status: 200, body });
    await expect(open(sealed, named(KEY))).rejects.toMatchObject(WRONG);
  });

  test('an account is not enough, for the object names no key: the error says so, and nothing is asked', async () => {
    const { sealed } = await seal(keyOf(KEY));
    kms.calls.length = 0;
    await expect(open(sealed, { kmsDiscovery: [ACCOUNT] })).rejects.toMatchObject({
      ...WRONG,
      hint: expect.stringMatching(/kms:ARN.* an account alone does not find it/),
    });
    expect(kms.calls).toEqual([]);
  });
});

describe('keys as settings name them', () => {
  const setOf = (...keys: object[]) => Buffer.from(JSON.stringify({ version: 1, keys }));
  const [pair, recovery] = [rsaPair(), rsaPair()];
  const [rsaKey, aesKey, kmsKey] = [
    { namespace: 'lab', name: 'rsa', publicKey: publicPem(pair), privateKey: privatePem(pair) },
    { namespace: 'lab', name: 'aes', secretKey: randomBytes(32).toString('base64') },
    { namespace: 'aws-kms', name: KEY },
  ];
  const always = { namespace: 'lab', name: 'recovery', publicKey: publicPem(recovery), always: true };
  const everything = setOf(rsaKey, aesKey, kmsKey);

  test.each([
    ['RSA-OAEP-SHA1', { keySet: setOf(rsaKey) }],
    ['RSA-OAEP-SHA1', { publicKeys: [Buffer.from(publicPem(pair))] }],
    ['AES/GCM', { recipients: [setOf(aesKey)] }],
    ['kms+context', { keySet: setOf(kmsKey) }],
    ['kms+context', { recipients: [`kms:${KEY}`] }],
  ] as [string, EncryptSettings][])(
    '%s: wrapped for the one, and opened by a set of all',
    async (algorithm, settings) => {
      const key = await openS3ecWrappingKey(settings);
      expect(key.algorithm).toBe(algorithm);
      const { dataKey, sealed } = await seal(key);
      kms.calls.length = 0;
      expect(await open(sealed, { keySet: everything })).toEqual(dataKey);
      expect(kms.calls).toHaveLength(algorithm === 'kms+context' ? 1 : 0);
      const none = { privateKeys: [Buffer.from(privatePem(recovery))] };
      await expect(open(sealed, none)).rejects.toMatchObject(WRONG);
    },
  );

  test.each([
    ['a set of several', { keySet: everything }, 3],
    [
      'one that is named, and one that the set always adds',
      { publicKeys: [Buffer.from(publicPem(pair))], keySet: setOf(always) },
      2,
    ],
  ] as [string, EncryptSettings, number][])(
    '%s: usage, and nothing is asked of KMS',
    async (_, settings, count) => {
      await expect(openS3ecWrappingKey(settings)).rejects.toMatchObject({
        code: 'usage',
        message: expect.stringContaining(`these are ${count}`),
      });
      expect(kms.calls).toEqual([]);
    },
  );

  test('none at all is key_required, both ways', async () => {
    await expect(openS3ecWrappingKey({})).rejects.toMatchObject({ code: 'key_required' });
    await expect(openS3ecUnwrappingKeys({})).rejects.toMatchObject({ code: 'key_required' });
    await expect(openS3ecUnwrappingKeys({ keySet: setOf(always) })).rejects.toMatchObject({
      code: 'key_required',
    });
  });

  test('both kinds of objects open with keys that are read once: a passphrase is asked for once', async () => {
    const locked = pair.privateKey.export({
      type: 'pkcs8',
      format: 'pem',
      cipher: 'aes-256-cbc',
      passphrase: 'p',
    });
    const { Secret } = await import('../../src/secret.js');
    let asked = 0;
    const { keyring, s3ec } = await openUnwrapping({
      privateKeys: [Buffer.from(locked)],
      passphrase: async () => (asked++, new Secret('p')),
    });
    expect(asked).toBe(1);
    const publicKeys = [Buffer.from(publicPem(pair))];
    const { dataKey, sealed } = await seal(await openS3ecWrappingKey({ publicKeys }));
    expect(await s3ec.unwrap(sealed)).toEqual(dataKey);
    const encryptor = createEncryptor(await openWrappingKeys({ publicKeys }));
    const message = await collect(encryptor.encrypt(chunked(Buffer.from('hello'), 2), {}));
    const opened = await collect(createDecryptor({ keyring }).decrypt(chunked(message, 100)));
    expect(opened.toString()).toBe('hello');
  });
});

test('nothing of a data key is in an error', async () => {
  const { dataKey, sealed } = await seal(keyOf(KEY));
  kms.answer = () => refusal('AccessDeniedException', 'no');
  const error = (await open(sealed, named(KEY)).catch((caught) => caught)) as SealdropError;
  for (const encoding of ['hex', 'base64'] as const)
    expect(`${error.message} ${error.hint} ${String(error.stack)}`).not.toContain(dataKey.toString(encoding));
});
