/**
 * S3ec objects that are not as their writer made them: each has its code, releases nothing, and costs no key operation where
 * the header or the policy rules it out.
 */
import { createHash } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { createS3ecDecryptor } from '../../src/envelope/s3ec/decrypt.js';
import { exitCodeOf, isSealdropError } from '../../src/errors.js';
import { printable } from '../../src/printable.js';
import { chunked, drain } from '../helpers/bytes.js';
import { beside } from '../helpers/s3ec-header.js';
import { countingKeys, s3ecVectors, type S3ecVector } from '../helpers/s3ec-vectors.js';

async function open(
  { commitmentPolicy, allowLegacy, metadata, instruction, message }: S3ecVector,
  chunk: number,
) {
  const keys = countingKeys();
  const body = Buffer.from(message, 'base64');
  const file = instruction === undefined ? undefined : Buffer.from(instruction, 'base64');
  const decryptor = createS3ecDecryptor({ keys, commitmentPolicy, allowLegacy });
  const parts = beside(metadata, file, body.length);
  const outcome = await drain(decryptor.decrypt(chunked(body, chunk || body.length || 1), { parts }));
  return { ...outcome, asked: keys.asked() };
}

describe.each(s3ecVectors)('%s', (_file, list) => {
  test.each(list.map((vector) => [vector.did, vector] as const))('%s', async (_did, vector) => {
    for (const chunk of [1, 7, 0]) {
      const { released, error, asked } = await open(vector, chunk);
      expect({
        code: isSealdropError(error) ? error.code : (error ?? null),
        exit: error === undefined ? 0 : exitCodeOf(error),
        asked,
        length: released.length,
        sha256: createHash('sha256').update(released).digest('hex'),
      }).toEqual({
        code: vector.code,
        exit: vector.code === null ? 0 : 5,
        asked: vector.asked,
        ...vector.released,
      });
      if (isSealdropError(error)) expect(printable(error.message)).toBe(error.message);
    }
  });

  test('no two have the same name', () => {
    expect(new Set(list.map(({ did }) => did)).size).toBe(list.length);
  });
});
