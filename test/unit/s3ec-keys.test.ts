/** Data keys of S3 Encryption Client objects: wrapped and unwrapped by keys at hand, ours and the legacy ways. */
import { execFileSync } from 'node:child_process';
import { constants, createCipheriv, createHash, publicEncrypt, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { SealdropError } from '../../src/errors.js';
import { aesS3ecCandidate } from '../../src/keys/raw-aes/s3ec-unwrap.js';
import { aesS3ecKey } from '../../src/keys/raw-aes/s3ec-wrap.js';
import { decodeOaep, decodePkcs1 } from '../../src/keys/raw-rsa/padding.js';
import { rsaS3ecCandidate } from '../../src/keys/raw-rsa/s3ec-unwrap.js';
import { rsaS3ecKey } from '../../src/keys/raw-rsa/s3ec-wrap.js';
import { s3ecUnwrappingKeys } from '../../src/keys/s3ec-unwrapping.js';
import { s3ecWrappingKeyOf } from '../../src/keys/s3ec-wrapping.js';
import type { S3ecSealedKey, S3ecWrappingKey } from '../../src/ports.js';
import { Secret } from '../../src/secret.js';
import { NAMES, publicPem, rsaPair, type Pair } from '../helpers/keys.js';

const [V2, V3] = ['AES/GCM/NoPadding', '115'];
const [mine, other, long] = [rsaPair(), rsaPair(), rsaPair(3072)];
const WRONG = { code: 'wrong_key_or_header' };
const OAEP_SHA256 = 'RSA/ECB/OAEPWithSHA-256AndMGF1Padding';

const secretKey = (bytes = 32, name = 'shared') => ({
  namespace: 'lab',
  name,
  secretKey: new Secret(randomBytes(bytes)),
});
const aes = secretKey();
const wrapToRsa = (pair: Pair, name: string = NAMES.name) =>
  rsaS3ecKey({ ...NAMES, name, publicKey: pair.publicKey });
const openRsa = (sealed: S3ecSealedKey, ...pairs: Pair[]) =>
  s3ecUnwrappingKeys({ rsa: rsaS3ecCandidate(pairs) }).unwrap(sealed);
const openAes = (sealed: S3ecSealedKey, ...keys: ReturnType<typeof secretKey>[]) =>
  s3ecUnwrappingKeys({ aes: aesS3ecCandidate(keys) }).unwrap(sealed);

const sealedOf = (
  algorithm: string,
  wrappedKey: Uint8Array,
  contentAlgorithm = V2,
  description = {},
): S3ecSealedKey => ({ algorithm, wrappedKey, contentAlgorithm, description });

async function seal(key: S3ecWrappingKey, contentAlgorithm = V3) {
  const { dataKey, ...wrapped } = await key.generate({ contentAlgorithm, description: { project: 'x' } });
  return { dataKey, sealed: { ...wrapped, algorithm: key.algorithm, contentAlgorithm } };
}

const flipped = (bytes: Uint8Array, at: number) =>
  Buffer.from(bytes.map((byte, i) => (i === at ? byte ^ 1 : byte)));

describe.each([
  ['RSA', () => wrapToRsa(mine), (sealed: S3ecSealedKey) => openRsa(sealed, other, long, mine), 256],
  [
    'AES',
    () => aesS3ecKey(aes),
    (sealed: S3ecSealedKey) => openAes(sealed, secretKey(), secretKey(16), aes),
    60,
  ],
])('%s', (_, wrapping, open, bytes) => {
  test.each([V2, V3])('opens what it wrapped for %s, a new data key each time', async (contentAlgorithm) => {
    const [one, two] = [await seal(wrapping(), contentAlgorithm), await seal(wrapping(), contentAlgorithm)];
    expect(one.sealed.wrappedKey).toHaveLength(bytes);
    expect(one.sealed.description).toEqual({ project: 'x' });
    expect(one.dataKey).toHaveLength(32);
    expect(one.dataKey).not.toEqual(two.dataKey);
    for (const { dataKey, sealed } of [one, two]) expect(await open(sealed)).toEqual(dataKey);
  });

  test('wraps a data key that is there already', async () => {
    const key = wrapping();
    for (const size of [16, 24, 32]) {
      const dataKey = randomBytes(size);
      const wrapped = await key.wrap(dataKey, { contentAlgorithm: V2, description: {} });
      expect(await open({ ...wrapped, algorithm: key.algorithm, contentAlgorithm: V2 })).toEqual(dataKey);
    }
  });

  test.each([
    [V2, V3],
    [V3, V2],
    [V3, '11'],
    [V3, '1155'],
    [V3, ''],
    [V2, 'AES/CBC/PKCS5Padding'],
  ])('wrapped for %s it is none for %j', async (wrapped, contentAlgorithm) => {
    const { sealed } = await seal(wrapping(), wrapped);
    await expect(open({ ...sealed, contentAlgorithm })).rejects.toMatchObject(WRONG);
  });

  test('with any byte altered, cut or extended it is none', async () => {
    const { sealed } = await seal(wrapping());
    const { wrappedKey } = sealed;
    const altered = [0, 1, 11, 12, 13, 30, 43, 44, 45, bytes - 2, bytes - 1].map((at) =>
      flipped(wrappedKey, at),
    );
    const resized = [0, 1, 28, bytes - 1].map((size) => wrappedKey.slice(0, size));
    for (const bad of [...altered, ...resized, Buffer.concat([wrappedKey, Buffer.alloc(1)])])
      await expect(open({ ...sealed, wrappedKey: bad })).rejects.toMatchObject(WRONG);
  });

  test('with other keys it does not open, nor as another algorithm', async () => {
    const { sealed } = await seal(wrapping());
    await expect(openRsa(sealed, other, long)).rejects.toMatchObject(WRONG);
    await expect(openAes(sealed, secretKey(), secretKey(24))).rejects.toMatchObject(WRONG);
    for (const algorithm of ['AESWrap', OAEP_SHA256, 'kms', 'kms+context', 'AES', '', 'constructor', 'RSA'])
      if (algorithm !== 'RSA' || bytes !== 256)
        await expect(open({ ...sealed, algorithm })).rejects.toMatchObject(WRONG);
  });
});

describe('RSA-OAEP-SHA1', () => {
  const padding = constants.RSA_PKCS1_OAEP_PADDING;
  const byHand = (...message: Uint8Array[]) =>
    publicEncrypt({ key: mine.publicKey, padding, oaepHash: 'sha1' }, Buffer.concat(message));
  const dataKey = randomBytes(32);

  test('is length, data key and name of the algorithm, as others write it', async () => {
    const wrappedKey = byHand(Buffer.of(32), dataKey, Buffer.from('115'));
    expect(await openRsa(sealedOf('RSA-OAEP-SHA1', wrappedKey, V3), mine)).toEqual(dataKey);
  });

  test.each([
    ['another length', [Buffer.of(31), dataKey, Buffer.from(V3)], V3],
    ['a length that no data key has', [Buffer.of(15), dataKey.subarray(17), Buffer.from(V3)], V3],
    ['a length beyond its end', [Buffer.of(32), dataKey.subarray(20)], ''],
    ['no length', [dataKey, Buffer.from(V3)], V3],
    ['something behind the name', [Buffer.of(32), dataKey, Buffer.from('1150')], V3],
    ['no name', [Buffer.of(32), dataKey], V3],
    ['nothing', [Buffer.alloc(0)], V3],
  ])('with %s it is none', async (_, message, contentAlgorithm) => {
    const sealed = sealedOf('RSA-OAEP-SHA1', byHand(...message), contentAlgorithm);
    await expect(openRsa(sealed, mine)).rejects.toMatchObject(WRONG);
  });

  test('with another hash it is none, and the hash that a key is used with elsewhere changes nothing', async () => {
    const message = Buffer.concat([Buffer.of(32), dataKey, Buffer.from(V3)]);
    const wrappedKey = publicEncrypt({ key: mine.publicKey, padding, oaepHash: 'sha256' }, message);
    await expect(openRsa(sealedOf('RSA-OAEP-SHA1', wrappedKey, V3), mine)).rejects.toMatchObject(WRONG);
    const wrapping = rsaS3ecKey({ ...NAMES, publicKey: mine.publicKey, oaepHash: 'sha512' });
    const made = await seal(wrapping);
    expect(await openRsa(made.sealed, mine)).toEqual(made.dataKey);
  });
});

describe('AES/GCM', () => {
  test.each([16, 24, 32])(
    'with a key of %i bytes is IV, data key and tag, as others write it',
    async (bytes) => {
      const key = secretKey(bytes);
      const [iv, dataKey] = [randomBytes(12), randomBytes(32)];
      const cipher = createCipheriv(`aes-${bytes * 8}-gcm` as 'aes-256-gcm', key.secretKey.reveal(), iv);
      cipher.setAAD(Buffer.from('115'));
      const wrappedKey = Buffer.concat([iv, cipher.update(dataKey), cipher.final(), cipher.getAuthTag()]);
      expect(await openAes(sealedOf('AES/GCM', wrappedKey, V3), key)).toEqual(dataKey);
    },
  );
});

describe('AESWrap', () => {
  const hex = (text: string) => Buffer.from(text, 'hex');
  const KEK = hex('000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f');
  const DATA = hex('00112233445566778899aabbccddeeff000102030405060708090a0b0c0d0e0f');
  // RFC 3394, 4.1 to 4.6: bytes of the wrapping key and of the data key.
  const VECTORS = [
    [16, 16, '1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5'],
    [24, 16, '96778b25ae6ca435f92b5b97c050aed2468ab8a17ad84e5d'],
    [32, 16, '64e8c3f9ce0f5ba263e9777905818a2a93c8191e7d6e8ae7'],
    [24, 24, '031d33264e15d33268f24ec260743edce1c6c7ddee725a936ba814915c6762d2'],
    [32, 24, 'a8f9bc1612c68b3ff6e6f4fbe30e71e4769c8b80a32cb8958cd5d17d6b254da1'],
    [32, 32, '28c9f404c4b810f4cbccb35cfb87f8263f5786e2d80ed326cbc7f0e71a99f43bfb988b9b7a02dd21'],
  ] as [number, number, string][];

  test.each(VECTORS)('RFC 3394: %i bytes wrap %i', async (keyBytes, bytes, wrapped) => {
    const key = { ...secretKey(), secretKey: new Secret(KEK.subarray(0, keyBytes)) };
    const sealed = sealedOf('AESWrap', hex(wrapped));
    expect(await openAes(sealed, secretKey(), key)).toEqual(DATA.subarray(0, bytes));
    for (let at = 0; at < sealed.wrappedKey.length; at++) {
      const bad = { ...sealed, wrappedKey: flipped(sealed.wrappedKey, at) };
      await expect(openAes(bad, key)).rejects.toMatchObject(WRONG);
    }
    for (const size of [0, 8, 16, sealed.wrappedKey.length - 8, sealed.wrappedKey.length - 1]) {
      const bad = { ...sealed, wrappedKey: sealed.wrappedKey.slice(0, size) };
      await expect(openAes(bad, key)).rejects.toMatchObject(WRONG);
    }
  });
});

describe('V1 with an AES key', () => {
  const ecb = (key: Buffer, plaintext: Uint8Array) => {
    const cipher = createCipheriv(`aes-${key.length * 8}-ecb`, key, null);
    return Buffer.concat([cipher.update(plaintext), cipher.final()]);
  };

  test.each([16, 24, 32])('a data key of %i bytes opens, by either name', async (bytes) => {
    const dataKey = randomBytes(bytes);
    for (const size of [16, 24, 32]) {
      const key = secretKey(size);
      const wrappedKey = ecb(key.secretKey.reveal(), dataKey);
      for (const algorithm of ['AES', 'AES|RSA'])
        expect(await openAes(sealedOf(algorithm, wrappedKey), secretKey(size), key)).toEqual(dataKey);
      await expect(openAes(sealedOf('AES', wrappedKey), secretKey(size))).rejects.toMatchObject(WRONG);
      await expect(openRsa(sealedOf('AES|RSA', wrappedKey), mine)).rejects.toMatchObject(WRONG);
    }
  });

  test.each([0, 1, 15, 17, 31, 33, 47])('%i bytes are no data key', async (bytes) => {
    const wrappedKey = ecb(aes.secretKey.reveal(), randomBytes(bytes));
    await expect(openAes(sealedOf('AES', wrappedKey), aes)).rejects.toMatchObject(WRONG);
  });

  test('padding of which any byte is wrong is none', async () => {
    const key = aes.secretKey.reveal();
    const raw = (plaintext: Uint8Array) => {
      const cipher = createCipheriv('aes-256-ecb', key, null).setAutoPadding(false);
      return cipher.update(plaintext);
    };
    const padded = Buffer.concat([randomBytes(16), Buffer.alloc(16, 16)]);
    expect(await openAes(sealedOf('AES', raw(padded)), aes)).toHaveLength(16);
    for (let at = 16; at < 32; at++)
      await expect(openAes(sealedOf('AES', raw(flipped(padded, at))), aes)).rejects.toMatchObject(WRONG);
    for (const size of [0, 15, 31])
      await expect(openAes(sealedOf('AES', raw(padded).subarray(0, size)), aes)).rejects.toMatchObject(WRONG);
    // What 1 of 256 wrong keys gives.
    for (const blocks of [1, 2]) {
      const unpadded = Buffer.concat([randomBytes(16 * blocks - 1), Buffer.of(0)]);
      await expect(openAes(sealedOf('AES', raw(unpadded)), aes)).rejects.toMatchObject(WRONG);
    }
  });
});

/** RSA without any padding, of what was padded by hand. */
const rawRsa = (encoded: Uint8Array) =>
  publicEncrypt({ key: mine.publicKey, padding: constants.RSA_NO_PADDING }, encoded);

describe('V1 with an RSA key', () => {
  const pkcs1 = (pair: Pair, message: Uint8Array) =>
    publicEncrypt({ key: pair.publicKey, padding: constants.RSA_PKCS1_PADDING }, message);
  const byHand = (message: Uint8Array, head = [0, 2], separator = 0) => {
    const filler = Buffer.alloc(256 - 3 - message.length, 0xff);
    return Buffer.concat([Buffer.from(head), filler, Buffer.of(separator), message]);
  };
  const dataKey = randomBytes(32);

  test.each([16, 24, 32])('a data key of %i bytes opens, whichever of several keys it is', async (bytes) => {
    for (const algorithm of ['RSA', 'AES|RSA']) {
      const message = randomBytes(bytes);
      const sealed = sealedOf(algorithm, pkcs1(mine, message));
      for (const keys of [[mine], [mine, other], [other, mine], [long, other, mine]])
        expect(await openRsa(sealed, ...keys)).toEqual(message);
    }
  });

  test.each([
    ['a first byte that is not 0', byHand(dataKey, [1, 2])],
    ['a second byte that is not 2', byHand(dataKey, [0, 1])],
    ['no separator', byHand(dataKey, [0, 2], 1)],
    ['a zero in the padding', flippedTo(byHand(dataKey), 100, 0)],
    ['a zero at its beginning', flippedTo(byHand(dataKey), 2, 0)],
    ['a message of 31 bytes', byHand(Buffer.alloc(31, 7))],
    ['no message', byHand(Buffer.alloc(0))],
    ['zeros alone', Buffer.alloc(256)],
  ])('with %s it gives a data key that is none: always the same, and never an error', async (_, encoded) => {
    const sealed = sealedOf('RSA', rawRsa(encoded));
    const [one, two] = [await openRsa(sealed, mine, other), await openRsa(sealed, mine, other)];
    expect(one).toHaveLength(32);
    expect(one).not.toEqual(dataKey);
    expect(one).toEqual(two);
    expect(encoded.includes(one)).toBe(false);
    expect(await openRsa(sealed, other)).not.toEqual(one);
    const next = sealedOf('RSA', rawRsa(flippedTo(encoded, 255, encoded[255]! ^ 1)));
    expect(await openRsa(next, mine)).not.toEqual(one);
  });

  test('nor does a number that is not below the modulus, or a wrong key, give an error', async () => {
    expect(await openRsa(sealedOf('RSA', Buffer.alloc(256, 0xff)), mine)).toHaveLength(32);
    const opened = await openRsa(sealedOf('RSA', pkcs1(mine, dataKey)), other);
    expect(opened).toHaveLength(32);
    expect(opened).not.toEqual(dataKey);
  });

  test('a length that no key has is told, for everybody sees it', async () => {
    const sealed = sealedOf('RSA', pkcs1(long, dataKey));
    await expect(openRsa(sealed, mine, other)).rejects.toMatchObject(WRONG);
    await expect(openAes(sealedOf('AES|RSA', pkcs1(mine, dataKey)), aes)).rejects.toMatchObject(WRONG);
  });

  test('what is decoded is all that is written', () => {
    const into = Buffer.alloc(32, 9);
    expect(decodePkcs1(byHand(dataKey, [0, 1]), into, 24)).toBe(24);
    expect(into).toEqual(Buffer.alloc(32, 9));
    expect(decodePkcs1(byHand(dataKey.subarray(0, 16)), into, 24)).toBe(16);
    expect(into).toEqual(Buffer.concat([dataKey.subarray(0, 16), Buffer.alloc(16, 9)]));
  });
});

function flippedTo(bytes: Uint8Array, at: number, to: number): Buffer {
  return Buffer.from(bytes.map((byte, i) => (i === at ? to : byte)));
}

describe('RSA/ECB/OAEPWithSHA-256AndMGF1Padding', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 's3ec-'));
    writeFileSync(join(folder, 'key.pem'), publicPem(mine));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  /** OpenSSL's command, which takes another hash for MGF1 than for the label. */
  function byOpenssl(message: Uint8Array, mgf: string, label = 'sha256'): Buffer {
    writeFileSync(join(folder, 'message'), message);
    const options = ['rsa_padding_mode:oaep', `rsa_oaep_md:${label}`, `rsa_mgf1_md:${mgf}`];
    const files = ['-pubin', '-inkey', join(folder, 'key.pem'), '-in', join(folder, 'message')];
    const pkeyopt = options.flatMap((option) => ['-pkeyopt', option]);
    return execFileSync('openssl', ['pkeyutl', '-encrypt', ...files, ...pkeyopt]);
  }
  const open = (wrappedKey: Uint8Array, ...pairs: Pair[]) =>
    openRsa(sealedOf(OAEP_SHA256, wrappedKey), ...pairs);

  test.each(['sha1', 'sha256'])('with MGF1 of %s it opens, whichever of several keys it is', async (mgf) => {
    for (const bytes of [16, 24, 32]) {
      const dataKey = randomBytes(bytes);
      const wrappedKey = byOpenssl(dataKey, mgf);
      for (const keys of [[mine], [other, mine], [mine, other]])
        expect(await open(wrappedKey, ...keys)).toEqual(dataKey);
    }
  });

  test('with other hashes, keys, lengths or altered bytes it is none', async () => {
    const dataKey = randomBytes(32);
    const wrappedKey = byOpenssl(dataKey, 'sha1');
    await expect(open(wrappedKey, other, long)).rejects.toMatchObject(WRONG);
    const bad = [
      byOpenssl(dataKey, 'sha512'),
      byOpenssl(dataKey, 'sha1', 'sha1'),
      byOpenssl(dataKey, 'sha1', 'sha512'),
      byOpenssl(dataKey.subarray(1), 'sha1'),
      byOpenssl(Buffer.alloc(0), 'sha1'),
      flipped(wrappedKey, 0),
      flipped(wrappedKey, 255),
      Buffer.alloc(256),
      Buffer.alloc(256, 0xff),
    ];
    for (const each of bad) await expect(open(each, mine)).rejects.toMatchObject(WRONG);
  });

  test('every byte of its padding counts', () => {
    const message = randomBytes(32);
    const decoded = (at?: number) => decodeOaep(encodeOaep(message, at), 'sha256', 'sha256');
    expect(decoded()).toEqual(message);
    const tried = decodeOaep(flippedTo(encodeOaep(message), 0, 1), 'sha256', 'sha256');
    expect(tried).toBeUndefined();
    // Those of the label's hash, the zeros, and the separator; of the data key itself nothing can be wrong.
    for (let at = 0; at <= 190; at++) expect(decoded(at)).toBeUndefined();
    expect(decoded(191)).toEqual(flipped(message, 0));
  });
});

const sha256 = (...pieces: Uint8Array[]) => createHash('sha256').update(Buffer.concat(pieces)).digest();

/** RFC 8017, 7.1.1, for a modulus of 256 bytes: with one byte of the data block altered before it is masked. */
function encodeOaep(message: Buffer, at?: number): Buffer {
  const mask = (of: Uint8Array, bytes: Buffer) => {
    const blocks = [0, 1, 2, 3, 4, 5, 6].map((i) => sha256(of, Buffer.of(0, 0, 0, i)));
    const stream = Buffer.concat(blocks);
    return Buffer.from(bytes.map((byte, i) => byte ^ stream[i]!));
  };
  const zeros = Buffer.alloc(256 - 1 - 32 - 32 - 1 - message.length);
  const data = Buffer.concat([sha256(), zeros, Buffer.of(1), message]);
  const seed = randomBytes(32);
  const masked = mask(seed, at === undefined ? data : flipped(data, at));
  return Buffer.concat([Buffer.of(0), mask(masked, seed), masked]);
}

describe('an object of the S3 Encryption Client goes to one key', () => {
  const codeOf = (keys: S3ecWrappingKey[]) => {
    try {
      return s3ecWrappingKeyOf(keys).recipient;
    } catch (error) {
      return error as SealdropError;
    }
  };

  test('which may be named twice, under two names too', () => {
    expect(codeOf([wrapToRsa(mine)])).toMatchObject(NAMES);
    expect(codeOf([wrapToRsa(mine), wrapToRsa(mine, 'again')])).toMatchObject({ wrappedBytes: 256 });
    expect(codeOf([aesS3ecKey(aes), aesS3ecKey({ ...aes, name: 'again' })])).toMatchObject({
      namespace: 'lab',
    });
  });

  test('and never to the first of several, nor to none', () => {
    const error = codeOf([wrapToRsa(mine), wrapToRsa(other), aesS3ecKey(aes)]) as SealdropError;
    expect(error).toMatchObject({ code: 'usage', message: expect.stringContaining('these are 3') });
    expect(error.hint).toContain('--format esdk');
    expect(codeOf([])).toMatchObject({ code: 'key_required' });
  });

  test('whose namespace is not that of AWS KMS', () => {
    const names = { namespace: 'aws-kms', name: 'x' };
    const usage = expect.objectContaining({ code: 'usage' });
    expect(() => rsaS3ecKey({ ...names, publicKey: mine.publicKey })).toThrow(usage);
    expect(() => aesS3ecKey({ ...aes, ...names })).toThrow(usage);
  });
});

test('an error is the same whatever was wrong, says the algorithm, and has nothing of a key in it', async () => {
  const errors = [];
  for (const [key, open] of [
    [wrapToRsa(mine), (sealed: S3ecSealedKey) => openRsa(sealed, mine, other)],
    [aesS3ecKey(aes), (sealed: S3ecSealedKey) => openAes(sealed, aes)],
  ] as const) {
    const { sealed, dataKey } = await seal(key);
    const bad = [
      { ...sealed, wrappedKey: flipped(sealed.wrappedKey, 20) },
      { ...sealed, contentAlgorithm: V2 },
      { ...sealed, wrappedKey: new Uint8Array() },
    ];
    const caught = await Promise.all(
      bad.map((each) =>
        open(each).then(
          () => undefined,
          (error: SealdropError) => error,
        ),
      ),
    );
    const said = caught.map((error) => `${error?.message} ${error?.hint}`);
    expect(new Set(said).size).toBe(1);
    expect(said[0]).toContain(key.algorithm);
    errors.push({ said: inspect(caught, { depth: 9 }), dataKey });
  }
  for (const { said, dataKey } of errors)
    for (const secret of [dataKey, aes.secretKey.reveal()])
      for (const encoding of ['hex', 'base64', 'latin1'] as const)
        expect(said).not.toContain(secret.toString(encoding));
});

test('an algorithm is shown in one line that cannot move a cursor', async () => {
  const error = await openRsa(sealedOf('\u001b[2J\n', Buffer.alloc(256)), mine).catch((caught) => caught);
  expect(error).toMatchObject(WRONG);
  expect((error as SealdropError).hint).not.toMatch(/[\u0000-\u001f]/);
});
