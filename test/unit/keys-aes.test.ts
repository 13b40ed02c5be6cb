/** Raw AES wrapping keys. */
import { randomBytes } from 'node:crypto';
import { inspect } from 'node:util';
import { describe, expect, test } from '@jest/globals';
import {
  buildClient,
  CommitmentPolicy,
  RawAesKeyringNode,
  RawAesWrappingSuiteIdentifier,
} from '@aws-crypto/client-node';
import { createDecryptor } from '../../src/envelope/esdk/decrypt.js';
import { createEncryptor } from '../../src/envelope/esdk/encrypt.js';
import { esdkInspector } from '../../src/envelope/esdk/inspect.js';
import { allSuites } from '../../src/envelope/esdk/suites.js';
import { secretKeyFingerprint, type SecretWrappingKey } from '../../src/keys/raw-aes/names.js';
import { AesUnwrapKeyring } from '../../src/keys/raw-aes/unwrap.js';
import { aesWrappingKey } from '../../src/keys/raw-aes/wrap.js';
import { wrappingKeysOf } from '../../src/keys/wrapping-keys.js';
import { isOfSize } from '../../src/ports.js';
import { Secret } from '../../src/secret.js';
import { chunked, collect, drain } from '../helpers/bytes.js';

const TEXT = Buffer.from('hello');
/** Sorted by UTF-16 it comes out otherwise than by UTF-8. */
const CONTEXT = { '\u{1F511}': 'a', '\uFF5E': 'b' };
const newKey = (bytes = 32, name = 'shared', namespace = 'lab'): SecretWrappingKey => ({
  namespace,
  name,
  secretKey: new Secret(randomBytes(bytes)),
});

const encryptorTo = (...keys: SecretWrappingKey[]) =>
  createEncryptor(wrappingKeysOf(keys.map(aesWrappingKey)));
const seal = (...keys: SecretWrappingKey[]) =>
  collect(encryptorTo(...keys).encrypt(chunked(TEXT, 2), CONTEXT));
const open = (message: Uint8Array, ...keys: SecretWrappingKey[]) =>
  drain(createDecryptor({ keyring: new AesUnwrapKeyring(keys) }).decrypt(chunked(message, 90)));

const WRONG = { code: 'wrong_key_or_header' };

describe.each([16, 24, 32])('a key of %i bytes', (bytes) => {
  test('wraps and unwraps, and no other opens it', async () => {
    const key = newKey(bytes);
    const message = await seal(key);
    expect((await open(message, newKey(bytes), key)).released).toEqual(TEXT);
    for (const other of [
      newKey(bytes),
      newKey(48 - bytes),
      { ...key, name: 'other' },
      { ...key, namespace: 'x' },
    ])
      expect((await open(message, other)).error).toMatchObject(WRONG);
  });

  test.each(allSuites().map((suite) => [suite.name, suite] as const))(
    '%s: the size is known before',
    async (_, suite) => {
      const commitmentPolicy = suite.committing ? undefined : ('FORBID_ENCRYPT_ALLOW_DECRYPT' as const);
      const keys = wrappingKeysOf([aesWrappingKey(newKey(bytes))]);
      const encryptor = createEncryptor(keys, {
        suite: suite.id,
        ...(commitmentPolicy && { commitmentPolicy }),
      });
      const { length } = await collect(encryptor.encrypt(chunked(TEXT, 2), CONTEXT));
      const estimate = encryptor.ciphertextSize(TEXT.length, CONTEXT);
      expect(estimate.exact).toBe(suite.signature === undefined);
      expect(isOfSize(length, estimate)).toBe(true);
    },
  );
});

test.each([false, true])(
  'what AWS’s own client wrote opens, whether it sorts by UTF-8 (%s) or not',
  async (utf8Sorting) => {
    const key = newKey();
    const keyring = new RawAesKeyringNode({
      keyNamespace: key.namespace,
      keyName: key.name,
      unencryptedMasterKey: new Uint8Array(key.secretKey.reveal()),
      wrappingSuite: RawAesWrappingSuiteIdentifier.AES256_GCM_IV12_TAG16_NO_PADDING,
      utf8Sorting,
    });
    const client = buildClient(CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT);
    const { result } = await client.encrypt(keyring, TEXT, { encryptionContext: CONTEXT });
    expect((await open(result, key)).released).toEqual(TEXT);
  },
);

test('the header names the key as it is called, whatever bytes come behind the name', async () => {
  for (const name of ['shared', '鍵 🔑', 'x'.repeat(300)]) {
    for (let turn = 0; turn < 20; turn++) {
      const { wrappedKeys } = await esdkInspector.inspect(chunked(await seal(newKey(32, name)), 50));
      expect(wrappedKeys).toEqual([{ namespace: 'lab', name, bytes: 48 }]);
    }
  }
});

test('a name that is the beginning of another opens only its own', async () => {
  const [short, long] = [newKey(32, 'a'), newKey(32, 'ab')];
  const message = await seal(long, short);
  for (const key of [short, long]) expect((await open(message, key)).released).toEqual(TEXT);
  expect((await open(await seal(long), { ...long, name: 'a' })).error).toMatchObject(WRONG);
});

test.each([
  ['the wrapped key', -1],
  ['its nonce', -48 - 2 - 1],
  ['its name', -48 - 2 - 12 - 8 - 1],
  ['the lengths behind the name', -48 - 2 - 12 - 1],
])('with %s changed nothing opens', async (_, back) => {
  const key = newKey();
  const message = await seal(key);
  // The wrapped key is the last thing before content type and frame length.
  const { headerLength } = await esdkInspector.inspect(chunked(message, 50));
  const end = headerLength - (1 + 4 + 32) - 16;
  message[end + back]! ^= 1;
  const { error, released } = await open(message, key);
  expect(error).toMatchObject(WRONG);
  expect(released).toHaveLength(0);
});

test('the wrapped key of another message is refused', async () => {
  const key = newKey();
  const [one, two] = [await seal(key), await seal(key)];
  const { headerLength } = await esdkInspector.inspect(chunked(one, 50));
  const end = headerLength - (1 + 4 + 32) - 16;
  const begin = end - 48 - 2 - 12;
  two.copy(one, begin, begin, end);
  const { error, released } = await open(one, key);
  expect(error).toMatchObject({ code: 'commitment' });
  expect(released).toHaveLength(0);
});

test('the namespace of KMS is refused', () => {
  expect(() => aesWrappingKey(newKey(32, 'x', 'aws-kms'))).toThrow(
    expect.objectContaining({ code: 'usage' }),
  );
});

test('its fingerprint is always the same and tells keys apart; nothing shows the key', () => {
  const key = newKey();
  const { recipient, keyring } = aesWrappingKey(key);
  expect(recipient.fingerprint).toBe(secretKeyFingerprint(new Secret(Buffer.from(key.secretKey.reveal()))));
  expect(recipient.fingerprint).not.toBe(secretKeyFingerprint(newKey().secretKey));
  const shown =
    inspect([recipient, keyring, key], { depth: 9, showHidden: true }) + JSON.stringify([recipient, key]);
  for (const encoding of ['hex', 'base64'] as const)
    expect(shown).not.toContain(key.secretKey.reveal().toString(encoding).slice(0, 20));
});
