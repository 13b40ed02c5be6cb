/** Every size around a block's and a piece's, in every way of cutting the bytes up: what goes in comes out, in the size foretold. */
import { createDecipheriv } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { createS3ecDecryptor } from '../../src/envelope/s3ec/decrypt.js';
import { chunked, chunkedBy, collect, pattern } from '../helpers/bytes.js';
import {
  encryptorOf,
  fixedKey,
  partsOf,
  readingAll,
  softwareKeys,
  writeObject,
} from '../helpers/s3ec-keys.js';
import { HELLO } from '../vectors/s3ec-kdf.js';

const MiB = 1024 * 1024;
const SIZES = [0, 1, 15, 16, 17, 255, 4095, 4096, 4097, MiB - 1, MiB, MiB + 1];
const CHUNKS = [1, 7, 16, 64 * 1024];
const KINDS = ([2, 3] as const).flatMap((version) =>
  [false, true].map((instructionFile) => ({ version, instructionFile })),
);

const keys = softwareKeys();
const decryptor = createS3ecDecryptor(readingAll(keys));

describe.each(KINDS)('V$version, instruction file: $instructionFile', (kind) => {
  test.each(SIZES)('%d bytes come back whole, however they are cut up', async (size) => {
    const plaintext = pattern(size);
    for (const chunk of CHUNKS.filter((bytes) => bytes > 1 || size < 5000)) {
      const { body, ...header } = await writeObject(keys, plaintext, { ...kind, chunk });
      const foretold = encryptorOf(keys.wrapping, kind.version).ciphertextSize(size, {});
      expect(foretold).toEqual({ bytes: body.length, exact: true });
      expect(header.instruction !== undefined).toBe(kind.instructionFile);
      const parts = partsOf(header, body.length);
      for (const options of chunk < 4096 ? [{}] : [{}, { held: true }, { unverified: true }]) {
        const back = await collect(decryptor.decrypt(chunked(body, chunk), { parts, ...options }));
        expect(back.equals(plaintext)).toBe(true);
      }
    }
    expect(keys.dataKeys.every((key) => key.every((byte) => byte === 0))).toBe(true);
  });

  test('empty pieces in between change nothing', async () => {
    const begun = await encryptorOf(keys.wrapping, kind.version, kind.instructionFile).begin!({});
    const plaintext = pattern(100);
    const body = await collect(begun.encrypt(chunkedBy(plaintext, [0, 3, 0, 0, 40])));
    const parts = partsOf(begun, body.length);
    const back = await collect(decryptor.decrypt(chunkedBy(body, [0, 1, 0, 50]), { parts }));
    expect(back.equals(plaintext)).toBe(true);
  });
});

test('the published content of V3 is read', async () => {
  const base64 = (hex: string) => Buffer.from(hex, 'hex').toString('base64');
  const body = Buffer.from(HELLO.ciphertext + HELLO.tag, 'hex');
  const metadata = {
    'x-amz-c': '115',
    'x-amz-w': '02',
    'x-amz-3': base64('00'.repeat(60)),
    'x-amz-d': base64(HELLO.commitment),
    'x-amz-i': base64(HELLO.messageId),
  };
  const { unwrapping } = fixedKey(Buffer.from(HELLO.dataKey, 'hex'));
  const parts = partsOf({ metadata }, body.length);
  const back = await collect(createS3ecDecryptor({ keys: unwrapping }).decrypt(chunked(body, 5), { parts }));
  expect(back.toString()).toBe(HELLO.plaintext);
});

test("V2's content is AES-GCM under the data key itself, with the IV of its metadata and nothing besides", async () => {
  const { metadata, body } = await writeObject(keys, pattern(1000), { version: 2 });
  const dataKey = await keys.unwrapping.unwrap({
    algorithm: 'AES/GCM',
    contentAlgorithm: 'AES/GCM/NoPadding',
    wrappedKey: Buffer.from(metadata['x-amz-key-v2']!, 'base64'),
    description: {},
  });
  const decipher = createDecipheriv('aes-256-gcm', dataKey, Buffer.from(metadata['x-amz-iv']!, 'base64'));
  decipher.setAuthTag(body.subarray(-16));
  const back = Buffer.concat([decipher.update(body.subarray(0, -16)), decipher.final()]);
  expect(back.equals(pattern(1000))).toBe(true);
});
