/** Key sets: which keys wrap, which open, and what is wrong with a document, field by field. */
import { describe, expect, test } from '@jest/globals';
import { createPublicKey } from 'node:crypto';
import { isSealdropError } from '../../src/errors.js';
import { readPublicKeySet } from '../../src/keys/key-set.js';
import { rsaWrappingKeys } from '../../src/keys/raw-rsa/wrap.js';
import { readPrivateKeySet } from '../../src/keys/private-key-set.js';
import { publicPartOf, readManagedSet, serialize } from '../../src/keys/managed-set.js';
import { fingerprintOf, readPublicKey } from '../../src/keys/public-key.js';
import { privatePem, publicPem, rsaPair } from '../helpers/keys.js';

const [first, second] = [rsaPair(), rsaPair()];
const publicKey = publicPem(first);
const privateKey = privatePem(first);
const entry = { namespace: 'ns', name: 'one', publicKey };
const bytes = (document: unknown) => Buffer.from(JSON.stringify(document));
const set = (...keys: unknown[]) => bytes({ version: 1, keys });

describe('a public key set', () => {
  test('wraps to its active keys and to none of its retired ones', () => {
    const document = set(
      { namespace: 'ns', name: 'old', publicKey: publicPem(second), state: 'retired' },
      { ...entry, state: 'active', created: '2026-01-01' },
      { namespace: 'ns', name: 'two', publicKey: publicPem(second) },
    );
    const keys = readPublicKeySet(document, 'SET');
    expect(keys.map((key) => `${key.namespace}/${key.name}`)).toEqual(['ns/one', 'ns/two']);
    expect(fingerprintOf(keys[0]!.publicKey)).toBe(fingerprintOf(first.publicKey));
  });

  test('may begin with a byte order mark and end in a line feed', () => {
    const document = Buffer.from(`\ufeff${set(entry).toString()}\n`);
    expect(readPublicKeySet(document, 'SET')).toHaveLength(1);
  });

  test('may be a bare key, with the default names or those given', () => {
    const bare = Buffer.from(publicKey);
    expect(readPublicKeySet(bare, 'SET')).toMatchObject([{ namespace: 'MyAppKeys', name: 'S3RSAKey' }]);
    expect(readPublicKeySet(bare, 'SET', { namespace: 'a', name: 'b' })).toMatchObject([
      { namespace: 'a', name: 'b' },
    ]);
  });

  test.each([
    ['an active entry', { ...entry, privateKey }],
    ['a retired entry', { ...entry, name: 'old', state: 'retired', privateKey }],
  ])('with a private half in %s is refused: whoever encrypts must not be able to decrypt', (_where, bad) => {
    const document = set({ ...entry, name: 'good' }, bad);
    expect(() => readPublicKeySet(document, 'SET')).toThrow(
      expect.objectContaining({
        code: 'private_key_in_public_key_set',
        message: expect.stringContaining('SET: keys[1].privateKey'),
      }),
    );
  });

  test('with a private key written in the field for the public one is refused', () => {
    expect(() => readPublicKeySet(set({ ...entry, publicKey: privateKey }), 'SET')).toThrow(
      expect.objectContaining({ code: 'private_key_in_public_key_set' }),
    );
  });

  test('names the place of an entry as the file has it, also behind a retired one', () => {
    const document = set({ ...entry, state: 'retired' }, { namespace: 'ns', name: 'two' });
    expect(() => readPublicKeySet(document, 'SET')).toThrow('SET: keys[1].publicKey is missing');
  });
});

describe('a private key set', () => {
  test('opens with active and retired keys, and passes over public halves', () => {
    const document = set(
      { ...entry, privateKey },
      { namespace: 'ns', name: 'old', privateKey: privatePem(second), state: 'retired' },
      { namespace: 'ns', name: 'other', publicKey: publicPem(second) },
    );
    expect(readPrivateKeySet(document, 'SET').map((key) => key.name)).toEqual(['one', 'old']);
  });

  test('of public halves only is refused', () => {
    expect(() => readPrivateKeySet(set(entry), 'SET')).toThrow(
      expect.objectContaining({
        code: 'invalid_key',
        message: 'SET has no private RSA key in it',
      }),
    );
  });

  test('that is a bare key has no names unless one is given; then the default fills in the other', () => {
    const bare = Buffer.from(privateKey);
    const names = (given: object) =>
      readPrivateKeySet(bare, 'SET', given).map(({ namespace, name }) => [namespace, name]);
    expect(names({})).toEqual([[undefined, undefined]]);
    expect(names({ name: 'b' })).toEqual([['MyAppKeys', 'b']]);
    expect(names({ namespace: 'a' })).toEqual([['a', 'S3RSAKey']]);
  });
});

test('the public part of a set has what was read of a key, and nothing else that its text has', async () => {
  const noted = { ...entry, publicKey: `before\n${publicKey}a note behind it\n`, privateKey };
  await expect(readManagedSet(set(noted), 'SET')).rejects.toThrow('keys[0].publicKey must be one key in PEM');
  const { entries } = publicPartOf([{ ...noted, state: 'active' }]);
  expect(entries.map((each) => each.publicKey)).toEqual([publicKey]);
  expect(serialize(entries).toString()).not.toMatch(/note|before/);
});

describe('an RSA key that OpenSSL reads and does nothing with is refused', () => {
  const { n: modulus } = first.publicKey.export({ format: 'jwk' }) as { n: string };
  const even = Buffer.from(modulus, 'base64url');
  even[even.length - 1]! &= 0xfe;
  const large = Buffer.alloc(2049, 0xff);
  const F4 = Buffer.from([1, 0, 1]);
  const exponent = Buffer.alloc(9, 1);
  test.each([
    ['a modulus of 16392 bits', large, F4],
    ['an even modulus', even, F4],
    ['a public exponent of more than 64 bits', Buffer.from(modulus, 'base64url'), exponent],
  ])('%s', (why, n, e) => {
    const jwk = { kty: 'RSA', n: n.toString('base64url'), e: e.toString('base64url') };
    const pem = Buffer.from(publicPem({ ...first, publicKey: createPublicKey({ key: jwk, format: 'jwk' }) }));
    expect(() => readPublicKey(pem, 'KEY')).toThrow(
      expect.objectContaining({
        code: 'invalid_key',
        message: expect.stringContaining(`KEY is an RSA key with ${why}`),
      }),
    );
  });
});

test('a raw AES key in a public set is refused: whoever wraps with it can unwrap', () => {
  const secretKey = Buffer.alloc(32, 0x5a).toString('base64');
  let error: unknown;
  try {
    readPublicKeySet(set({ ...entry, secretKey }), 'SET');
  } catch (thrown) {
    error = thrown;
  }
  expect(error).toMatchObject({ code: 'private_key_in_public_key_set' });
  expect((error as Error).message).toContain('keys[0].secretKey');
  expect((error as Error).message).not.toContain(secretKey);
});

test('at most 20 recipients, since readers accept no more, and none in the namespace of KMS', () => {
  const key = readPublicKeySet(set(entry), 'SET')[0]!;
  const many = Array.from({ length: 21 }, (_, i) => ({ ...key, name: `k${i}` }));
  expect(rsaWrappingKeys(many.slice(1)).recipients).toHaveLength(20);
  expect(() => rsaWrappingKeys(many)).toThrow(expect.objectContaining({ code: 'usage' }));
  expect(() => rsaWrappingKeys([{ ...key, namespace: 'aws-kms' }])).toThrow(
    expect.objectContaining({ code: 'usage' }),
  );
});

describe('a malformed document is `invalid_key`, with the place and nothing of a key', () => {
  const valid = { ...entry, privateKey };
  const without = (field: keyof typeof valid) =>
    Object.fromEntries(Object.entries(valid).filter(([name]) => name !== field));
  const secretKey = Buffer.alloc(32, 0x5a).toString('base64');
  const cases: Record<string, [Buffer, string]> = {
    'damaged JSON': [Buffer.from(`${set(valid).toString().slice(0, -5)}`), 'the JSON is damaged'],
    'no version': [bytes({ keys: [valid] }), 'version must be 1'],
    'version 2': [bytes({ version: 2, keys: [valid] }), 'version must be 1'],
    'version "1"': [bytes({ version: '1', keys: [valid] }), 'version must be 1'],
    'no keys': [bytes({ version: 1 }), 'keys must be a list'],
    'an empty list': [set(), 'keys must be a list'],
    'keys that are an object': [bytes({ version: 1, keys: { 0: valid } }), 'keys must be a list'],
    'an entry that is null': [set(valid, null), 'keys[1]'],
    'an entry that is a text': [set(privateKey), 'keys[0]'],
    'an entry that is a list': [set([valid]), 'keys[0]'],
    'no namespace': [set(without('namespace')), 'keys[0].namespace'],
    'an empty namespace': [set({ ...valid, namespace: '' }), 'keys[0].namespace'],
    'a name that is a number': [set({ ...valid, name: 7 }), 'keys[0].name'],
    'a name with half a character': [set({ ...valid, name: '\ud800' }), 'keys[0].name'],
    'a public key that is a number': [set({ ...valid, publicKey: 7 }), 'keys[0].publicKey'],
    'an empty public key': [set({ ...valid, publicKey: '' }), 'keys[0].publicKey'],
    'a private key that is an object': [
      set({ ...valid, privateKey: { pem: privateKey } }),
      'keys[0].privateKey',
    ],
    'a private key that is null': [set({ ...valid, privateKey: null }), 'keys[0].privateKey'],
    'an unknown state': [set({ ...valid, state: 'Active' }), 'keys[0].state'],
    'the same names twice': [set(entry, entry), 'ns/one'],
    'a secret key that is a number': [set({ ...entry, secretKey: 7 }), 'keys[0].secretKey'],
  };

  test.each(Object.keys(cases))('%s', (which) => {
    const [document, place] = cases[which]!;
    for (const read of [readPublicKeySet, readPrivateKeySet]) {
      let error: unknown;
      try {
        read(document, 'SET');
      } catch (thrown) {
        error = thrown;
      }
      if (!isSealdropError(error)) throw new Error(`${read.name}: ${String(error)}`);
      expect(error.code).toBe('invalid_key');
      expect(error.message).toContain(place);
      expect(error.message).not.toMatch(/[\r\n]/);
      const said = `${error.message} ${error.hint ?? ''} ${JSON.stringify(error)}`;
      for (const part of [privateKey.slice(60, 90), publicKey.slice(60, 90), secretKey])
        expect(said).not.toContain(part);
    }
  });

  test('a name shown in a message cannot rewrite a terminal line', () => {
    const evil = { ...entry, name: 'a\u001b[2K\n\u202eb' };
    expect(() => readPublicKeySet(set(evil, evil), 'SET')).toThrow(
      expect.objectContaining({ message: expect.not.stringMatching(/[\u001b\n\u202e]/) }),
    );
  });

  test('a set of retired keys only cannot wrap', () => {
    expect(() => readPublicKeySet(set({ ...entry, state: 'retired' }), 'SET')).toThrow(
      'SET has no active key',
    );
  });
});
