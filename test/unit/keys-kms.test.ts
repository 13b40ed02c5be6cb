/** Wrapping by AWS KMS: what it is asked, what is believed of its answers, and what its refusals become. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { buildClient, CommitmentPolicy, KmsKeyringNode } from '@aws-crypto/client-node';
import type { KeyringNode } from '@aws-crypto/material-management-node';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createDecryptor } from '../../src/envelope/esdk/decrypt.js';
import { createEncryptor } from '../../src/envelope/esdk/encrypt.js';
import { esdkInspector } from '../../src/envelope/esdk/inspect.js';
import { SIGNED_SUITE } from '../../src/envelope/esdk/suites.js';
import { exitCodeOf, type SealdropError } from '../../src/errors.js';
import { KmsClients } from '../../src/keys/kms/client.js';
import { kmsFingerprint, parseKmsKey } from '../../src/keys/kms/names.js';
import { KmsUnwrapKeyring } from '../../src/keys/kms/unwrap.js';
import { kmsWrappingKey } from '../../src/keys/kms/wrap.js';
import { RsaUnwrapKeyring } from '../../src/keys/raw-rsa/unwrap.js';
import { rsaWrappingKey } from '../../src/keys/raw-rsa/wrap.js';
import { AesUnwrapKeyring } from '../../src/keys/raw-aes/unwrap.js';
import { aesWrappingKey } from '../../src/keys/raw-aes/wrap.js';
import { AnyOfKeyring } from '../../src/keys/unwrapping.js';
import { wrappingKeysOf } from '../../src/keys/wrapping-keys.js';
import { isOfSize } from '../../src/ports.js';
import { Secret } from '../../src/secret.js';
import { chunked, collect, drain } from '../helpers/bytes.js';
import { ACCOUNT, keyArn, refusal, startFakeKms, type FakeKms } from '../helpers/fake-kms.js';
import { NAMES, rsaPair } from '../helpers/keys.js';

const [KEY, OTHER, TOKYO] = [keyArn('mine'), keyArn('other'), keyArn('mine', ACCOUNT, 'ap-northeast-1')];
const ALIAS = `arn:aws:kms:us-east-1:${ACCOUNT}:alias/files`;
const CONTEXT = { 'sealdrop:key': 'データ/a.csv', project: 'x' };
const TEXT = Buffer.from('hello');
const pair = rsaPair();

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

const named = (id: string) => parseKmsKey(id, 'kms:');
const clients = (grantTokens: string[] = []) => new KmsClients({ grantTokens, maxAttempts: 2 });
const wrapTo = (id: string, grantTokens?: string[]) => kmsWrappingKey(named(id), clients(grantTokens));
const rsa = () => rsaWrappingKey({ ...NAMES, publicKey: pair.publicKey });

const seal = (keys: ReturnType<typeof rsa>[], suite?: number) =>
  collect(
    createEncryptor(wrappingKeysOf(keys), suite === undefined ? {} : { suite }).encrypt(
      chunked(TEXT, 2),
      CONTEXT,
    ),
  );
const kmsKeyring = (ids: readonly string[], accounts: readonly string[] = [], grantTokens?: string[]) =>
  new KmsUnwrapKeyring({ clients: clients(grantTokens), keys: ids.map(named), accounts });
const open = (message: Uint8Array, ...of: Parameters<typeof kmsKeyring>) =>
  drain(createDecryptor({ keyring: kmsKeyring(...of) }).decrypt(chunked(message, 100)));

const operations = () => kms.calls.map(({ operation }) => operation);

describe('wrapping', () => {
  test('a KMS key that is first makes the data key, with the context of the message', async () => {
    const message = await seal([wrapTo(KEY)]);
    expect(kms.calls).toMatchObject([{ operation: 'GenerateDataKey', keyId: KEY, context: CONTEXT }]);
    const { wrappedKeys } = await esdkInspector.inspect(chunked(message, 50));
    expect(wrappedKeys).toMatchObject([{ namespace: 'aws-kms', name: KEY }]);
    expect((await open(message, [KEY])).released).toEqual(TEXT);
  });

  test('one behind another key wraps the data key that is there', async () => {
    const message = await seal([rsa(), wrapTo(KEY), wrapTo(OTHER)]);
    expect(operations()).toEqual(['Encrypt', 'Encrypt']);
    for (const id of [KEY, OTHER]) expect((await open(message, [id])).released).toEqual(TEXT);
    const keyring = new RsaUnwrapKeyring([{ privateKey: pair.privateKey }]);
    expect(await collect(createDecryptor({ keyring }).decrypt(chunked(message, 100)))).toEqual(TEXT);
  });

  test('an alias is asked for, and the message names the key that it means', async () => {
    kms.aliases.set(ALIAS, KEY);
    const message = await seal([wrapTo(ALIAS)]);
    expect(kms.calls[0]!.keyId).toBe(ALIAS);
    expect((await esdkInspector.inspect(chunked(message, 50))).wrappedKeys[0]!.name).toBe(KEY);
    expect((await open(message, [KEY])).released).toEqual(TEXT);
  });

  test('each key is asked for in the region of its ARN, an alias without one in the usual region', async () => {
    kms.aliases.set('alias/files', OTHER);
    await seal([wrapTo(TOKYO), wrapTo('alias/files')]);
    expect(kms.calls.map(({ region }) => region)).toEqual(['ap-northeast-1', 'us-east-1']);
  });

  test('every message has a data key of its own', async () => {
    const wrapped = await Promise.all([seal([wrapTo(KEY)]), seal([wrapTo(KEY)])]);
    expect(kms.calls).toHaveLength(2);
    const ids = await Promise.all(wrapped.map((message) => esdkInspector.inspect(chunked(message, 50))));
    expect(ids[0]!.messageId).not.toBe(ids[1]!.messageId);
  });

  test('grant tokens go with every request', async () => {
    const message = await seal([wrapTo(KEY, ['token-1', 'token-2']), wrapTo(OTHER, ['token-3'])]);
    await open(message, [KEY], [], ['token-4']);
    expect(kms.calls.map(({ grantTokens }) => grantTokens)).toEqual([
      ['token-1', 'token-2'],
      ['token-3'],
      ['token-4'],
    ]);
  });

  test('what is signed is bound to the key that signed it as well', async () => {
    const message = await seal([wrapTo(KEY)], SIGNED_SUITE);
    expect(Object.keys(kms.calls[0]!.context)).toContain('aws-crypto-public-key');
    expect((await open(message, [KEY])).released).toEqual(TEXT);
  });

  test.each([
    ['no plaintext', { KeyId: KEY, CiphertextBlob: 'AAAA' }],
    ['a data key that is too short', { KeyId: KEY, CiphertextBlob: 'AAAA', Plaintext: 'AAAA' }],
    ['no ciphertext', { KeyId: KEY, Plaintext: Buffer.alloc(32).toString('base64') }],
    ['no key', { CiphertextBlob: 'AAAA', Plaintext: Buffer.alloc(32).toString('base64') }],
    [
      'a key that is none',
      { KeyId: 'x', CiphertextBlob: 'AAAA', Plaintext: Buffer.alloc(32).toString('base64') },
    ],
    [
      'an alias for a key',
      { KeyId: ALIAS, CiphertextBlob: 'AAAA', Plaintext: Buffer.alloc(32).toString('base64') },
    ],
  ])('an answer with %s makes no message: aws_refused', async (_, body) => {
    kms.answer = () => ({ status: 200, body });
    await expect(seal([wrapTo(KEY)])).rejects.toMatchObject({ code: 'aws_refused' });
  });
});

describe('unwrapping', () => {
  test('asks for keys that are named and for no others', async () => {
    const message = await seal([wrapTo(OTHER), wrapTo(TOKYO)]);
    kms.calls.length = 0;
    expect((await open(message, [KEY])).error).toMatchObject({ code: 'wrong_key_or_header' });
    expect(kms.calls).toEqual([]);
    expect((await open(message, [KEY, TOKYO])).released).toEqual(TEXT);
    expect(kms.calls).toMatchObject([{ operation: 'Decrypt', keyId: TOKYO, region: 'ap-northeast-1' }]);
  });

  test('finds keys of an account that is named, and of no other', async () => {
    const message = await seal([wrapTo(keyArn('a', '999999999999')), wrapTo(OTHER)]);
    kms.calls.length = 0;
    expect((await open(message, [], ['123456789012'])).error).toMatchObject({ code: 'wrong_key_or_header' });
    expect(kms.calls).toEqual([]);
    expect((await open(message, [], [ACCOUNT])).released).toEqual(TEXT);
    expect(kms.calls.map(({ keyId }) => keyId)).toEqual([OTHER]);
  });

  test('opens by an alias what was wrapped by the key that it means, and nothing else', async () => {
    const [mine, other] = [await seal([wrapTo(KEY)]), await seal([wrapTo(OTHER)])];
    kms.aliases.set(ALIAS, KEY);
    expect((await open(mine, [ALIAS])).released).toEqual(TEXT);
    expect((await open(other, [ALIAS])).error).toMatchObject({ code: 'wrong_key_or_header' });
    kms.calls.length = 0;
    expect((await open(await seal([wrapTo(TOKYO)]), [ALIAS])).error).toMatchObject({
      code: 'wrong_key_or_header',
    });
    expect(operations()).toEqual(['GenerateDataKey']);
  });

  test('believes no answer for another key than the message names', async () => {
    const message = await seal([wrapTo(KEY)]);
    kms.answer = (_call, right) => {
      const { status, body } = right();
      return { status, body: { ...(body as object), KeyId: OTHER } };
    };
    expect((await open(message, [KEY])).error).toMatchObject({ code: 'wrong_key_or_header' });
  });

  test('takes no data key of another length', async () => {
    const message = await seal([wrapTo(KEY)]);
    kms.answer = () => ({
      status: 200,
      body: { KeyId: KEY, Plaintext: Buffer.alloc(16).toString('base64') },
    });
    expect((await open(message, [KEY])).error).toMatchObject({ code: 'wrong_key_or_header' });
  });

  test('an answer that lies about the data key is found out by the commitment', async () => {
    const message = await seal([wrapTo(KEY)]);
    kms.answer = () => ({
      status: 200,
      body: { KeyId: KEY, Plaintext: Buffer.alloc(32).toString('base64') },
    });
    expect((await open(message, [KEY])).error).toMatchObject({ code: 'commitment' });
  });

  test('goes on to the next key where one refuses, and tells the refusal where none opens', async () => {
    const message = await seal([wrapTo(OTHER), wrapTo(KEY)]);
    const denied = refusal(
      'AccessDeniedException',
      'User: arn:aws:iam::1:user/x is not authorized to perform: kms:Decrypt',
    );
    kms.answer = ({ keyId }) => (keyId === OTHER ? denied : undefined);
    expect((await open(message, [OTHER, KEY])).released).toEqual(TEXT);
    kms.answer = () => denied;
    const { error, released } = await open(message, [OTHER, KEY]);
    expect(error).toMatchObject({ code: 'access_denied' });
    expect(released).toHaveLength(0);
  });

  test('is not asked where a key at hand opens the message', async () => {
    const message = await seal([wrapTo(KEY), rsa()]);
    kms.calls.length = 0;
    const keyring = new AnyOfKeyring([
      new RsaUnwrapKeyring([{ privateKey: pair.privateKey }]),
      kmsKeyring([KEY]),
    ]);
    expect(await collect(createDecryptor({ keyring }).decrypt(chunked(message, 9)))).toEqual(TEXT);
    expect(kms.calls).toEqual([]);
  });
});

describe('a message that was tampered with', () => {
  const replaced = (message: Buffer, from: string, to: string) => {
    const at = message.indexOf(from);
    expect(at).toBeGreaterThan(0);
    expect(to).toHaveLength(from.length);
    return Buffer.concat([message.subarray(0, at), Buffer.from(to), message.subarray(at + from.length)]);
  };

  test('with its context changed is none that KMS opens', async () => {
    const message = replaced(await seal([wrapTo(KEY)]), 'project', 'prOject');
    expect((await open(message, [KEY])).error).toMatchObject({ code: 'wrong_key_or_header' });
  });

  test('with the wrapped key of another message is refused', async () => {
    const [one, two] = [await seal([wrapTo(KEY)]), await seal([wrapTo(KEY)])];
    const at = one.indexOf(KEY) + KEY.length;
    const length = 2 + one.readUInt16BE(at);
    const swapped = Buffer.concat([
      one.subarray(0, at),
      two.subarray(at, at + length),
      one.subarray(at + length),
    ]);
    const { error, released } = await open(swapped, [KEY]);
    expect(error).toMatchObject({ code: 'commitment' });
    expect(released).toHaveLength(0);
  });

  test('with another key’s name on its wrapped key is refused', async () => {
    const message = replaced(await seal([wrapTo(KEY)]), KEY, keyArn('evil'));
    expect((await open(message, [keyArn('evil')])).error).toMatchObject({ code: 'wrong_key_or_header' });
    expect((await open(message, [], [ACCOUNT])).error).toMatchObject({ code: 'wrong_key_or_header' });
  });

  test.each([
    'arn:aws:kms:us-east-1:111122223333:key/../../x',
    'arn:aws:kms:evil.example:111122223333:key/m',
    'arn:aws:kms:us-east-1:111122223333:alias/x',
    'mine',
  ])('that names %s is asked of nobody', async (name) => {
    const message = await seal([wrapTo(KEY)]);
    kms.calls.length = 0;
    const at = message.indexOf(KEY);
    const length = Buffer.alloc(2);
    length.writeUInt16BE(name.length);
    const forged = Buffer.concat([
      message.subarray(0, at - 2),
      length,
      Buffer.from(name),
      message.subarray(at + KEY.length),
    ]);
    expect((await open(forged, [KEY], [ACCOUNT])).error).toMatchObject({ code: 'wrong_key_or_header' });
    expect(kms.calls).toEqual([]);
  });
});

describe('a message to three kinds of keys, of whose wrapped keys one is of another message', () => {
  const secret = { namespace: 'lab', name: 'shared', secretKey: new Secret(randomBytes(32)) };
  const everybody = () => [rsa(), wrapTo(KEY), aesWrappingKey(secret)];
  const keyrings = {
    rsa: () => new RsaUnwrapKeyring([{ ...NAMES, privateKey: pair.privateKey }]),
    kms: () => kmsKeyring([KEY]),
    aes: () => new AesUnwrapKeyring([secret]),
  };
  const NAME = { rsa: NAMES.name, kms: KEY, aes: 'shared' };
  const openWith = (keyring: KeyringNode, message: Uint8Array) =>
    drain(createDecryptor({ keyring }).decrypt(chunked(message, 100)));

  /** Where a key's part of the header begins and ends. */
  function partOf(message: Buffer, kind: keyof typeof NAME): [number, number] {
    const begin = message.indexOf(NAME[kind]) - 2;
    const wrapped = begin + 2 + message.readUInt16BE(begin);
    return [begin, wrapped + 2 + message.readUInt16BE(wrapped)];
  }

  test.each(['rsa', 'kms', 'aes'] as const)(
    'its recipient (%s) refuses it, the header fits for nobody',
    async (kind) => {
      const [message, other] = [await seal(everybody()), await seal(everybody())];
      const [begin, end] = partOf(message, kind);
      expect(partOf(other, kind)).toEqual([begin, end]);
      const forged = Buffer.from(message);
      other.copy(forged, begin, begin, end);
      for (const each of ['rsa', 'kms', 'aes'] as const) {
        expect((await openWith(keyrings[each](), message)).released).toEqual(TEXT);
        const { error, released } = await openWith(keyrings[each](), forged);
        // Its own data key is another than the message commits to; the others' is the right one, of an altered header.
        expect(error).toMatchObject({ code: each === kind ? 'commitment' : 'wrong_key_or_header' });
        expect(released).toHaveLength(0);
      }
      const all = new AnyOfKeyring(Object.values(keyrings).map((make) => make()));
      expect((await openWith(all, forged)).error).toBeDefined();
    },
  );

  test('no encryptor opens it, though it made it', async () => {
    const message = await seal([rsa(), wrapTo(KEY)]);
    kms.calls.length = 0;
    const { keyring } = wrappingKeysOf([rsa(), wrapTo(KEY)]);
    const { error, released } = await openWith(keyring, message);
    expect(error).toBeDefined();
    expect(released).toHaveLength(0);
    expect(kms.calls).toEqual([]);
  });
});

test('AWS’s own client opens ours, and we open its', async () => {
  const theirs = new KmsKeyringNode({ generatorKeyId: KEY, keyIds: [OTHER] });
  const client = buildClient(CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT);
  const { result } = await client.encrypt(theirs, TEXT, { encryptionContext: CONTEXT });
  for (const id of [KEY, OTHER]) {
    expect((await open(result, [id])).released).toEqual(TEXT);
    const keyring = new KmsKeyringNode({ keyIds: [id] });
    const { plaintext } = await client.decrypt(keyring, await seal([wrapTo(KEY), wrapTo(OTHER)]));
    expect(plaintext).toEqual(TEXT);
  }
});

test('an encryptor with a KMS key cannot open what it wrote, and never asks for it', async () => {
  const message = await seal([wrapTo(KEY), rsa()]);
  for (const keys of [[wrapTo(KEY)], [wrapTo(KEY), rsa()], [rsa(), wrapTo(KEY)]]) {
    const { keyring } = wrappingKeysOf(keys);
    const { error } = await drain(createDecryptor({ keyring }).decrypt(chunked(message, 100)));
    expect(error).toBeDefined();
  }
  expect(operations()).not.toContain('Decrypt');
});

describe('what KMS refuses', () => {
  const MESSAGE = `User: arn:aws:iam::${ACCOUNT}:user/x is not authorized to perform this on ${KEY}`;
  test.each([
    ['AccessDeniedException', 400, 'access_denied', 4, false],
    ['InvalidGrantTokenException', 400, 'access_denied', 4, false],
    ['UnrecognizedClientException', 400, 'access_denied', 4, false],
    ['ExpiredTokenException', 400, 'access_denied', 4, false],
    ['NotFoundException', 400, 'kms_key_not_found', 3, false],
    ['DisabledException', 400, 'aws_refused', 1, false],
    ['KMSInvalidStateException', 400, 'aws_refused', 1, false],
    ['InvalidKeyUsageException', 400, 'aws_refused', 1, false],
    ['ValidationException', 400, 'aws_refused', 1, false],
    ['ThrottlingException', 400, 'aws_unavailable', 1, true],
    ['LimitExceededException', 400, 'aws_unavailable', 1, true],
    ['KeyUnavailableException', 500, 'aws_unavailable', 1, true],
    ['DependencyTimeoutException', 500, 'aws_unavailable', 1, true],
    ['KMSInternalException', 500, 'aws_unavailable', 1, true],
  ])(
    'as %s is told whole',
    async (type, status, code, exit, retryable) => {
      const message = await seal([wrapTo(KEY)]);
      kms.answer = () => refusal(type, MESSAGE, status);
      const wrapping = await drain(
        createEncryptor(wrappingKeysOf([wrapTo(KEY)])).encrypt(chunked(TEXT, 2), CONTEXT),
      );
      const adding = await drain(
        createEncryptor(wrappingKeysOf([rsa(), wrapTo(KEY)])).encrypt(chunked(TEXT, 2), CONTEXT),
      );
      for (const { error, released } of [wrapping, adding, await open(message, [KEY])]) {
        expect(error).toMatchObject({ code, retryable });
        expect(exitCodeOf(error)).toBe(exit);
        const { message: text, hint } = error as SealdropError;
        expect(text).toContain(KEY);
        expect(text).toContain(`${type}: ${MESSAGE}`);
        expect(`${text}${hint}`).not.toMatch(/[\r\n]/);
        expect(released).toHaveLength(0);
      }
    },
    60_000,
  );

  test('names the permission that is missing', async () => {
    const message = await seal([wrapTo(KEY)]);
    kms.answer = () => refusal('AccessDeniedException', 'no');
    await expect(seal([wrapTo(KEY)])).rejects.toMatchObject({
      hint: expect.stringContaining('kms:GenerateDataKey'),
    });
    await expect(seal([rsa(), wrapTo(KEY)])).rejects.toMatchObject({
      hint: expect.stringContaining('kms:Encrypt'),
    });
    expect((await open(message, [KEY])).error).toMatchObject({
      hint: expect.stringContaining('kms:Decrypt'),
    });
  });

  test('throttling that passes is waited for', async () => {
    let turns = 0;
    kms.answer = () => (turns++ < 1 ? refusal('ThrottlingException', 'Rate exceeded') : undefined);
    await seal([wrapTo(KEY)]);
    expect(kms.calls).toHaveLength(2);
  });

  test('control characters of an answer do not reach a terminal', async () => {
    kms.answer = () => refusal('AccessDeniedException', 'no\u001b[2J\nerror: fake');
    const error = await seal([wrapTo(KEY)]).catch((caught: unknown) => caught as SealdropError);
    expect((error as SealdropError).message).not.toMatch(/[\u0000-\u001f]/);
  });

  test('where nobody answers is endpoint_unreachable, to be tried again', async () => {
    const endpoint = process.env.AWS_ENDPOINT_URL_KMS;
    process.env.AWS_ENDPOINT_URL_KMS = 'http://127.0.0.1:1';
    try {
      await expect(seal([wrapTo(KEY)])).rejects.toMatchObject({
        code: 'endpoint_unreachable',
        retryable: true,
      });
    } finally {
      process.env.AWS_ENDPOINT_URL_KMS = endpoint;
    }
  });

  test('where an object store answers, the settings that lead there are named', async () => {
    const store = createServer((_request, response) => {
      response.writeHead(403, { 'content-type': 'application/xml' });
      response.end('<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>');
    }).listen(0, '127.0.0.1');
    await once(store, 'listening');
    const endpoint = process.env.AWS_ENDPOINT_URL_KMS;
    process.env.AWS_ENDPOINT_URL_KMS = `http://127.0.0.1:${(store.address() as AddressInfo).port}`;
    try {
      await expect(seal([wrapTo(KEY)])).rejects.toMatchObject({
        message: `the KMS key ${KEY}: what answers is not AWS KMS`,
        hint: expect.stringContaining('AWS_ENDPOINT_URL_S3'),
      });
    } finally {
      process.env.AWS_ENDPOINT_URL_KMS = endpoint;
      store.close();
    }
  });
});

describe('sizes', () => {
  test.each([
    ['alone', () => [wrapTo(KEY)], undefined],
    ['beside RSA', () => [rsa(), wrapTo(KEY), wrapTo(OTHER)], undefined],
    ['by an alias', () => [wrapTo(ALIAS)], undefined],
    ['signed', () => [wrapTo(KEY)], SIGNED_SUITE],
    ['with AES-128', () => [wrapTo(KEY)], 0x0114],
  ])(
    '%s: a message lies within its bounds, and the next larger plaintexts do too',
    async (_, keys, suite) => {
      kms.aliases.set(ALIAS, KEY);
      const encryptor = createEncryptor(wrappingKeysOf(keys()), {
        ...(suite !== undefined && { suite }),
        ...(suite === 0x0114 && { commitmentPolicy: 'FORBID_ENCRYPT_ALLOW_DECRYPT' as const }),
      });
      const { length } = await collect(encryptor.encrypt(chunked(TEXT, 2), CONTEXT));
      const estimate = encryptor.ciphertextSize(TEXT.length, CONTEXT);
      expect(estimate.exact).toBe(false);
      expect(isOfSize(length, estimate)).toBe(true);
      expect(isOfSize(length, encryptor.ciphertextSize(TEXT.length + 1024 * 1024, CONTEXT))).toBe(false);
      expect(isOfSize(length, encryptor.ciphertextSize(1024 * 1024, CONTEXT))).toBe(false);
    },
  );
});

describe('names', () => {
  test.each([
    KEY,
    keyArn('mrk-1234abcd12ab34cd56ef1234567890ab'),
    keyArn('x').replace('aws', 'aws-us-gov'),
    ALIAS,
    'alias/files',
    'alias/aws/s3',
  ])('%s is one', (id) => {
    expect(parseKmsKey(id, 'kms:').id).toBe(id);
    expect(kmsFingerprint(id)).toMatch(/^[\w-]{43}$/);
  });

  test.each(['', 'x', 'key/x', 'arn:aws:s3:::bucket', `${KEY} `, `${KEY}\n`, keyArn('a.b'), keyArn('')])(
    '%j is none: invalid_key',
    (id) => {
      expect(() => parseKmsKey(id, 'kms:')).toThrow(expect.objectContaining({ code: 'invalid_key' }));
    },
  );

  test('an alias without a region needs one in the settings: usage', async () => {
    const region = process.env.AWS_REGION;
    delete process.env.AWS_REGION;
    process.env.AWS_CONFIG_FILE = '/dev/null';
    try {
      await expect(seal([wrapTo('alias/files')])).rejects.toMatchObject({ code: 'usage' });
    } finally {
      process.env.AWS_REGION = region;
      delete process.env.AWS_CONFIG_FILE;
    }
  });
});
