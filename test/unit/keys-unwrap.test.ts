/** Which of a message's wrapped keys are tried with which private keys, and what a caller learns from a failure. */
import { constants, publicEncrypt, randomBytes } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { createDecryptor } from '../../src/envelope/esdk/decrypt.js';
import { createEncryptor } from '../../src/envelope/esdk/encrypt.js';
import { RsaUnwrapKeyring, type PrivateWrappingKey } from '../../src/keys/raw-rsa/unwrap.js';
import { rsaWrappingKeys, type PublicWrappingKey } from '../../src/keys/raw-rsa/wrap.js';
import { OAEP_HASHES } from '../../src/ports.js';
import { chunked, collect, drain } from '../helpers/bytes.js';
import { NAMES, rsaPair } from '../helpers/keys.js';
import { oracleDecrypt, oracleEncrypt } from '../helpers/oracle.js';

const [mine, other, long] = [rsaPair(), rsaPair(), rsaPair(3072)];
const TEXT = Buffer.from('hello');

const sealed = (...keys: PublicWrappingKey[]) =>
  collect(createEncryptor(rsaWrappingKeys(keys)).encrypt(chunked(TEXT, 2), {}));
const open = (message: Uint8Array, ...keys: PrivateWrappingKey[]) =>
  drain(createDecryptor({ keyring: new RsaUnwrapKeyring(keys) }).decrypt(chunked(message, 100)));

const publicKey = mine.publicKey;
const privateKey = mine.privateKey;

describe.each(OAEP_HASHES)('OAEP with %s', (oaepHash) => {
  test('what we wrap, AWS unwraps, and the reverse', async () => {
    const message = await sealed({ ...NAMES, publicKey, oaepHash });
    expect((await oracleDecrypt(mine, message, oaepHash)).plaintext).toEqual(TEXT);
    const theirs = await oracleEncrypt(mine, TEXT, {}, oaepHash);
    expect((await open(theirs, { ...NAMES, privateKey, oaepHash })).released).toEqual(TEXT);
  });

  test('is found without being named, and is refused where another one is named', async () => {
    const message = await sealed({ ...NAMES, publicKey, oaepHash });
    expect((await open(message, { ...NAMES, privateKey })).released).toEqual(TEXT);
    const another = OAEP_HASHES.find((hash) => hash !== oaepHash);
    const { error } = await open(message, { ...NAMES, privateKey, oaepHash: another });
    expect(error).toMatchObject({ code: 'wrong_key_or_header' });
  });
});

test('without a hash named, we wrap with SHA-256', async () => {
  const message = await sealed({ ...NAMES, publicKey });
  expect((await oracleDecrypt(mine, message, 'sha256')).plaintext).toEqual(TEXT);
});

describe('a key without names', () => {
  test('is tried on every wrapped key, whatever it is called', async () => {
    const named = (name: string, key = other) => ({ namespace: 'ns', name, publicKey: key.publicKey });
    const message = await sealed(named('a'), named('b', long), named('c'), named('d', mine));
    expect((await open(message, { privateKey })).released).toEqual(TEXT);
  });
});

describe('a key with names', () => {
  test.each([
    ['another name', { namespace: 'ns', name: 'other' }],
    ['another namespace', { namespace: 'other', name: 'S3RSAKey' }],
    ['names that differ in case', { namespace: 'myappkeys', name: 'S3RSAKey' }],
  ])(
    'does not open what is wrapped to it under %s: wrong_key_or_header, with the name that the message has',
    async (_, names) => {
      const message = await sealed({ ...names, publicKey });
      const { released, error } = await open(message, { ...NAMES, privateKey });
      expect(error).toMatchObject({ code: 'wrong_key_or_header' });
      expect((error as { hint: string }).hint).toContain(`${names.namespace}/${names.name}`);
      expect(released.length).toBe(0);
    },
  );
});

test('of several keys the right one is found, old ones too', async () => {
  const message = await sealed({ ...NAMES, publicKey });
  const keys = [
    { privateKey: long.privateKey },
    { ...NAMES, privateKey: other.privateKey },
    { ...NAMES, privateKey },
  ];
  expect((await open(message, ...keys)).released).toEqual(TEXT);
});

test('a wrong key, a wrong name, a wrong hash and a damaged wrapped key all look the same', async () => {
  const message = await sealed({ ...NAMES, publicKey });
  const damaged = Buffer.from(message);
  damaged[35 + 2 + 2 + 2 + 9 + 2 + 8 + 2 + 100]! ^= 1; // within the wrapped key: no context, then the two names
  const failures = await Promise.all([
    open(message, { ...NAMES, privateKey: other.privateKey }),
    open(message, { ...NAMES, name: 'x', privateKey }),
    open(message, { ...NAMES, privateKey, oaepHash: 'sha1' }),
    open(damaged, { ...NAMES, privateKey }),
  ]);
  const seen = failures.map(({ error }) =>
    [(error as Error).message, (error as { hint: string }).hint].join(),
  );
  expect(new Set(seen).size).toBe(1);
});

test('a wrapped data key of the wrong length is passed over', async () => {
  const short = publicEncrypt(
    { key: publicKey, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' },
    randomBytes(16),
  );
  const message = await sealed({ ...NAMES, publicKey });
  const at = message.indexOf(Buffer.from('S3RSAKey')) + 8 + 2;
  short.copy(message, at);
  expect((await open(message, { privateKey })).error).toMatchObject({ code: 'wrong_key_or_header' });
});

test('names in a message that could rewrite a terminal line are escaped in the hint, and the hint stays short', async () => {
  const message = await sealed({
    namespace: 'a\u001b[2K\n',
    name: 'b'.repeat(60_000),
    publicKey: other.publicKey,
  });
  const { error } = await open(message, { ...NAMES, privateKey });
  const { hint } = error as { hint: string };
  expect(hint).not.toMatch(/[\u0000-\u001f]/);
  expect(hint.length).toBeLessThan(2_000);
});

test('the unwrapping keyring refuses to wrap', async () => {
  await expect(new RsaUnwrapKeyring([])._onEncrypt()).rejects.toMatchObject({ code: 'internal' });
});
