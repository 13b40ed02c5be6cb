/** A cipher for one content, under a nonce of its own. It has its own copy of the key. */
import { createCipheriv, randomBytes, type CipherGCM } from 'node:crypto';
import { SealdropError } from '../../errors.js';
import { GCM_IV_BYTES, V3_ID_BYTES } from './algorithms.js';
import { deriveCommitment, deriveContentKey, V3_AAD, V3_IV } from './key-derivation.js';

/** V2's, with what its header says of it. */
export function plainCipher(dataKey: Uint8Array): { iv: Buffer; cipher: CipherGCM } {
  const iv = randomNonZero(GCM_IV_BYTES);
  return { iv, cipher: createCipheriv('aes-256-gcm', dataKey, iv) };
}

/** V3's, with what its header says of it. */
export function committingCipher(dataKey: Uint8Array): {
  messageId: Buffer;
  commitment: Buffer;
  cipher: CipherGCM;
} {
  const messageId = randomNonZero(V3_ID_BYTES);
  const commitment = deriveCommitment(dataKey, messageId);
  const contentKey = deriveContentKey(dataKey, messageId);
  try {
    const cipher = createCipheriv('aes-256-gcm', contentKey, V3_IV);
    return { messageId, commitment, cipher: cipher.setAAD(V3_AAD) };
  } finally {
    contentKey.fill(0);
  }
}

/** Zeros alone would say that the random source is broken (encryption.md: they should be refused). */
function randomNonZero(length: number): Buffer {
  const bytes = randomBytes(length);
  if (bytes.every((byte) => byte === 0)) throw new SealdropError('internal', 'the random source gives zeros');
  return bytes;
}
