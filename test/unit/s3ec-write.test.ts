/** What is written once, under a key that is asked for once, and what is refused before or within it. */
import { describe, expect, test } from '@jest/globals';
import { MAX_PLAINTEXT_BYTES } from '../../src/envelope/s3ec/algorithms.js';
import { createS3ecEncryptor } from '../../src/envelope/s3ec/encrypt.js';
import type { CommitmentPolicyName, S3ecWrappingKey } from '../../src/ports.js';
import { chunked, collect, drain, pattern } from '../helpers/bytes.js';
import { encryptorOf, softwareKeys, writeObject } from '../helpers/s3ec-keys.js';

const VERSIONS = [2, 3] as const;
const isZero = (key: Buffer) => key.every((byte) => byte === 0);
const code = (name: string) => expect.objectContaining({ code: name });

describe.each(VERSIONS)('V%d', (version) => {
  test('no two objects share a data key, an IV or a message id', async () => {
    const keys = softwareKeys();
    const objects = await Promise.all(
      Array.from({ length: 10 }, () => writeObject(keys, pattern(5), { version })),
    );
    const named = version === 2 ? 'x-amz-iv' : 'x-amz-i';
    expect(keys.asked.generate).toBe(10);
    expect(new Set(objects.map(({ metadata }) => metadata[named])).size).toBe(10);
    expect(new Set(objects.map(({ body }) => body.toString('hex'))).size).toBe(10);
  });

  test('the data key is overwritten before the first byte is read', async () => {
    const keys = softwareKeys();
    await encryptorOf(keys.wrapping, version).begin!({}, 5);
    expect(keys.dataKeys.map(isZero)).toEqual([true]);
  });

  test('a data key of another length is used for nothing, and overwritten', async () => {
    const keys = softwareKeys(16);
    await expect(encryptorOf(keys.wrapping, version).begin!({})).rejects.toEqual(code('internal'));
    expect(keys.dataKeys.map(isZero)).toEqual([true]);
  });

  test('a begun message encrypts once', async () => {
    const begun = await encryptorOf(softwareKeys().wrapping, version).begin!({});
    const [one, two] = [begun.encrypt(chunked(pattern(5), 5)), begun.encrypt(chunked(pattern(6), 6))];
    const { released, error } = await drain(two);
    expect({ released: released.length, error }).toEqual({ released: 0, error: code('internal') });
    expect((await collect(one)).length).toBe(21);
    expect((await collect(one)).length).toBe(0);
  });

  test.each([4, 6])('a source of 5 bytes that was said to have %d is refused', async (size) => {
    const begun = await encryptorOf(softwareKeys().wrapping, version).begin!({}, size);
    expect((await drain(begun.encrypt(chunked(pattern(5), 2)))).error).toEqual(code('source_changed'));
  });

  test('what AES-GCM cannot hold is refused: known before without a key, and else as it comes', async () => {
    const keys = softwareKeys();
    const encryptor = encryptorOf(keys.wrapping, version);
    await expect(encryptor.begin!({}, MAX_PLAINTEXT_BYTES + 1)).rejects.toEqual(code('too_large'));
    expect(keys.asked.generate).toBe(0);
    const begun = await encryptor.begin!({});
    async function* huge() {
      yield pattern(5);
      // Only its length is looked at.
      yield { length: MAX_PLAINTEXT_BYTES - 4 } as Uint8Array;
    }
    expect((await drain(begun.encrypt(huge()))).error).toEqual(code('too_large'));
    await encryptor.begin!({}, MAX_PLAINTEXT_BYTES);
  });

  test.each(['aws:x-amz-cek-alg', 'kms_cmk_id'])('the pair %s is refused without a key', async (name) => {
    const keys = softwareKeys();
    const begun = encryptorOf(keys.wrapping, version).begin!({ [name]: 'x' });
    await expect(begun).rejects.toEqual(code('reserved_context'));
    expect(keys.asked.generate).toBe(0);
  });

  test('half a character in the context is refused', async () => {
    const begun = encryptorOf(softwareKeys().wrapping, version).begin!({ name: '\ud800' });
    await expect(begun).rejects.toEqual(code('usage'));
  });

  test('a failing source fails the message, and one that is let go of is closed', async () => {
    const { begin } = encryptorOf(softwareKeys().wrapping, version);
    async function* failing() {
      yield pattern(5);
      throw new Error('the disk broke');
    }
    expect((await drain((await begin!({})).encrypt(failing()))).error).toMatchObject({
      message: 'the disk broke',
    });
    let closed = false;
    async function* endless() {
      try {
        for (;;) yield pattern(5);
      } finally {
        closed = true;
      }
    }
    for await (const piece of (await begin!({})).encrypt(endless())) {
      expect(piece.length).toBe(5);
      break;
    }
    expect(closed).toBe(true);
  });
});

test('what the wrapping key fails with comes through, and nothing of a source was asked for', async () => {
  const failure = new Error('KMS refuses');
  const key: S3ecWrappingKey = { ...softwareKeys().wrapping, generate: () => Promise.reject(failure) };
  await expect(encryptorOf(key, 3).begin!({})).rejects.toBe(failure);
});

test('the body alone is refused, with the format that has one', async () => {
  const { released, error } = await drain(
    encryptorOf(softwareKeys().wrapping, 3).encrypt(chunked(pattern(5), 5), {}),
  );
  expect(released.length).toBe(0);
  expect(error).toMatchObject({ code: 'usage', hint: expect.stringContaining('--format esdk') });
});

test('a version is written under a policy that allows it, or under none', () => {
  const { wrapping } = softwareKeys();
  const make = (version: 2 | 3, commitmentPolicy?: CommitmentPolicyName) =>
    createS3ecEncryptor(wrapping, { version, commitmentPolicy });
  expect(() => make(2, 'REQUIRE_ENCRYPT_ALLOW_DECRYPT')).toThrow(code('usage'));
  expect(() => make(3, 'FORBID_ENCRYPT_ALLOW_DECRYPT')).toThrow(code('usage'));
  for (const policy of [undefined, 'REQUIRE_ENCRYPT_REQUIRE_DECRYPT'] as const)
    expect(make(3, policy).format).toBe('s3ec');
  for (const policy of [undefined, 'FORBID_ENCRYPT_ALLOW_DECRYPT'] as const)
    expect(make(2, policy).format).toBe('s3ec-v2');
});
