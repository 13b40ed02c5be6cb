/** V3's keys, by published vectors. */
import { createDecipheriv } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { deriveCommitment, deriveContentKey, V3_AAD, V3_IV } from '../../src/envelope/s3ec/key-derivation.js';
import { HELLO, KDF_VECTORS } from '../vectors/s3ec-kdf.js';

describe.each(KDF_VECTORS)('data key $dataKey', ({ dataKey, messageId, contentKey, commitment }) => {
  const of = [Buffer.from(dataKey, 'hex'), Buffer.from(messageId, 'hex')] as const;

  test('commits to the message id', () => {
    expect(deriveCommitment(...of).toString('hex')).toBe(commitment);
  });

  test('encrypts under a key derived from it', () => {
    expect(deriveContentKey(...of).toString('hex')).toBe(contentKey);
  });
});

test('the content has an IV of twelve ones, and the suite as its additional data', () => {
  expect([V3_IV.toString('hex'), V3_AAD.toString('hex')]).toEqual(['01'.repeat(12), '0073']);
  const decipher = createDecipheriv('aes-256-gcm', Buffer.from(HELLO.contentKey, 'hex'), V3_IV)
    .setAAD(V3_AAD)
    .setAuthTag(Buffer.from(HELLO.tag, 'hex'));
  expect(decipher.update(HELLO.ciphertext, 'hex', 'utf8') + decipher.final('utf8')).toBe(HELLO.plaintext);
});
