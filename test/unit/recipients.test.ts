/** Whom an object is encrypted to, of all that is named: and what is refused. */
import { randomBytes } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { openDecryptor, openEncryptor } from '../../src/index.js';
// Loaded before they are asked for: where jest 29 is asked for several modules at once, it fails at times.
import '../../src/envelope/esdk/decrypt.js';
import '../../src/envelope/esdk/encrypt.js';
import '../../src/keys/kms/unwrap.js';
import '../../src/keys/kms/wrapper.js';
import '../../src/keys/opening-keys.js';
import '../../src/keys/raw-aes/unwrap.js';
import '../../src/keys/raw-aes/wrap.js';
import '../../src/keys/raw-rsa/unwrap.js';
import '../../src/keys/raw-rsa/wrap.js';
import '../../src/keys/recipients.js';
import '../../src/keys/unwrapping.js';
import type { EncryptSettings } from '../../src/config/settings.js';
import { chunked, collect, drain } from '../helpers/bytes.js';
import { privatePem, publicPem, rsaPair } from '../helpers/keys.js';

const [one, two, three] = [rsaPair(), rsaPair(), rsaPair()];
const ARN = 'arn:aws:kms:us-east-1:111122223333:key/x';
const secretKey = randomBytes(32).toString('base64');

const named = (name: string, more: object) => ({ namespace: 'lab', name, ...more });
const set = (...keys: object[]) => Buffer.from(JSON.stringify({ version: 1, keys }));
const pub = (name: string, pair = one, more: object = {}) =>
  named(name, { publicKey: publicPem(pair), ...more });
const whole = (name: string, pair = one, more: object = {}) =>
  pub(name, pair, { privateKey: privatePem(pair), ...more });
const kms = (more: object = {}) => ({ namespace: 'aws-kms', name: ARN, ...more });
const aes = (name = 'secret', more: object = {}) => named(name, { secretKey, ...more });

const TEXT = Buffer.from('hello');
const namesOf = async (settings: EncryptSettings) =>
  (await openEncryptor(settings)).recipients.map(({ name }) => name);
const seal = async (settings: EncryptSettings) =>
  collect((await openEncryptor(settings)).encrypt(chunked(TEXT, 2), {}));
const open = async (message: Uint8Array, settings: Parameters<typeof openDecryptor>[0]) =>
  drain((await openDecryptor(settings)).decrypt(chunked(message, 99)));

describe('recipients', () => {
  const keySet = set(
    whole('team'),
    pub('old', two, { state: 'retired' }),
    pub('recovery', three, { always: true }),
  );

  test('of a key set are its active keys', async () => {
    expect(await namesOf({ keySet })).toEqual(['team', 'recovery']);
  });

  test('that are named one by one take their place, but for those that are always added', async () => {
    const settings = { keySet, publicKeys: [set(pub('a', two))], recipients: [set(aes('b')), `kms:${ARN}`] };
    expect(await namesOf(settings)).toEqual(['a', 'b', ARN, 'recovery']);
  });

  test('that are named without a key set are those alone', async () => {
    expect(await namesOf({ recipients: [set(pub('a'), kms(), aes('b'))] })).toEqual(['a', ARN, 'b']);
  });

  test('may be one key twice where one of them is retired, and have a locked half, which is not looked at', async () => {
    const lockedHalf = two.privateKey.export({
      type: 'pkcs8',
      format: 'pem',
      cipher: 'aes-256-cbc',
      passphrase: 'x',
    });
    const both = set(
      whole('a'),
      whole('before', one, { state: 'retired' }),
      pub('c', three, { privateKey: lockedHalf }),
    );
    expect(await namesOf({ keySet: both })).toEqual(['a', 'c']);
  });

  test('that are named twice are taken once', async () => {
    const settings = {
      keySet,
      publicKeys: [set(pub('recovery', three))],
      recipients: [set(pub('recovery', three))],
    };
    expect(await namesOf(settings)).toEqual(['recovery']);
    expect(await namesOf({ recipients: [`kms:${ARN}`, set(kms())] })).toEqual([ARN]);
  });

  test('with one name and two keys are both taken: bare keys have no names of their own', async () => {
    const publicKeys = [one, two].map((pair) => Buffer.from(publicPem(pair)));
    const message = await seal({ publicKeys });
    for (const pair of [one, two])
      expect((await open(message, { privateKeys: [Buffer.from(privatePem(pair))] })).released).toEqual(TEXT);
  });

  test('are at most twenty', async () => {
    const many = (count: number) =>
      Array.from({ length: count }, (_, i) =>
        aes(`key ${i}`, { secretKey: randomBytes(32).toString('base64') }),
      );
    expect(await namesOf({ recipients: [set(...many(20))] })).toHaveLength(20);
    await expect(openEncryptor({ recipients: [set(...many(21))] })).rejects.toMatchObject({ code: 'usage' });
  });

  test('must be named: key_required', async () => {
    for (const settings of [{}, { publicKeys: [], recipients: [] }])
      await expect(openEncryptor(settings)).rejects.toMatchObject({ code: 'key_required' });
  });
});

describe('what is refused', () => {
  test.each<[string, EncryptSettings, string]>([
    ['a private half of a public key', { publicKeys: [set(whole('a'))] }, 'private_key_in_public_key_set'],
    ['a private half of a recipient', { recipients: [set(whole('a'))] }, 'private_key_in_public_key_set'],
    [
      'a private half of a retired recipient',
      { recipients: [set(pub('b', two), whole('a', one, { state: 'retired' }))] },
      'private_key_in_public_key_set',
    ],
    [
      'a bare private key of a recipient',
      { recipients: [Buffer.from(privatePem(one))] },
      'private_key_in_public_key_set',
    ],
    ['an AES key where public keys belong', { publicKeys: [set(aes())] }, 'private_key_in_public_key_set'],
    ['a set with nothing active', { keySet: set(pub('a', one, { state: 'retired' })) }, 'invalid_key'],
    [
      'a set with a private half alone',
      { keySet: set(named('a', { privateKey: privatePem(one) })) },
      'invalid_key',
    ],
    ['an AES key of a wrong length', { recipients: [set(aes('a', { secretKey: 'AAAA' }))] }, 'invalid_key'],
    [
      'halves that do not belong together, in a set of who does both',
      { keySet: set(pub('a', one, { privateKey: privatePem(two) })) },
      'invalid_key',
    ],
    [
      'the same, of a retired key',
      { keySet: set(pub('b', three), pub('a', one, { state: 'retired', privateKey: privatePem(two) })) },
      'invalid_key',
    ],
    [
      'a damaged private half',
      { keySet: set(pub('a', one, { privateKey: privatePem(one).replace(/\n.{30}/, '\n') })) },
      'invalid_key',
    ],
    [
      'a public half where the private one belongs',
      { keySet: set(pub('a', one, { privateKey: publicPem(one) })) },
      'invalid_key',
    ],
    ['one RSA key under two active names', { keySet: set(whole('a'), pub('b', one)) }, 'invalid_key'],
    ['the same, among recipients', { recipients: [set(pub('a'), pub('b'))] }, 'invalid_key'],
    ['one AES key under two active names', { recipients: [set(aes('a'), aes('b'))] }, 'invalid_key'],
    ['what is no key of KMS', { recipients: ['kms:x'] }, 'invalid_key'],
    [
      'an RSA key in the namespace of KMS',
      { recipients: [set({ ...pub(ARN), namespace: 'aws-kms' })] },
      'invalid_key',
    ],
    [
      'a bare key in the namespace of KMS',
      { publicKeys: [Buffer.from(publicPem(one))], namespace: 'aws-kms' },
      'usage',
    ],
  ])('%s', async (_, settings, code) => {
    const error = await openEncryptor(settings).catch((caught: unknown) => caught as Error);
    expect(error).toMatchObject({ code });
    expect(`${(error as Error).message} ${JSON.stringify(error)}`).not.toContain(secretKey.slice(0, 12));
  });
});

describe('opening', () => {
  const message = () => seal({ recipients: [set(pub('a', one), pub('b', two), aes('c'))] });

  test.each<[string, () => Parameters<typeof openDecryptor>[0]]>([
    ['one private half', () => ({ privateKeys: [set(whole('a', one))] })],
    ['a retired one', () => ({ keySet: set(whole('b', two, { state: 'retired' })) })],
    ['an AES key', () => ({ keySet: set(aes('c')) })],
    ['an AES key that is named as a private key', () => ({ privateKeys: [set(aes('c'))] })],
    [
      'one among many',
      () => ({ privateKeys: [set(whole('x', three)), Buffer.from(privatePem(two))], keySet: set(aes('y')) }),
    ],
    ['a key set with public halves beside', () => ({ keySet: set(pub('z', three), whole('a', one)) })],
  ])('with %s', async (_, settings) => {
    expect((await open(await message(), settings())).released).toEqual(TEXT);
  });

  test('with others is refused', async () => {
    const settings = {
      privateKeys: [set(whole('a', three))],
      keySet: set(aes('c', { secretKey: randomBytes(32).toString('base64') })),
    };
    const { error, released } = await open(await message(), settings);
    expect(error).toMatchObject({ code: 'wrong_key_or_header' });
    expect(released).toHaveLength(0);
  });

  test('with a key set of public halves is key_required, with a public set as private key invalid_key', async () => {
    await expect(openDecryptor({ keySet: set(pub('a')) })).rejects.toMatchObject({ code: 'key_required' });
    await expect(openDecryptor({ privateKeys: [set(pub('a'))] })).rejects.toMatchObject({
      code: 'invalid_key',
    });
    await expect(openDecryptor({})).rejects.toMatchObject({ code: 'key_required' });
  });
});
