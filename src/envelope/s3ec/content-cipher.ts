/** A cipher for one content, under a nonce of its own. It has its own copy of the key. */
import { createCipheriv, randomBytes, type CipherGCM } from 'node:crypto';
import { SealdropError } from '../../errors.js';
import { GCM_IV_BYTES, V3_ID_BYTES } from './algorithms.js';
import { deriveCommitment, deriveContentKey, V3_AAD, V3_IV } from './key-derivation.js';

/** What a header says of its content's cipher. */
type Named =
  | { readonly version: 2; readonly iv: Buffer }
  | { readonly version: 3; readonly messageId: Buffer; readonly commitment: Buffer };

export type ContentCipher = Named & { readonly cipher: CipherGCM };

export function makeContentCipher(version: 2 | 3, dataKey: Uint8Array): ContentCipher {
  return version === 3 ? committing(dataKey) : plain(dataKey);
}

function plain(dataKey: Uint8Array): ContentCipher {
  const iv = randomNonZero(GCM_IV_BYTES);
  return { version: 2, iv, cipher: createCipheriv('aes-256-gcm', dataKey, iv) };
}

function committing(dataKey: Uint8Array): ContentCipher {
  const messageId = randomNonZero(V3_ID_BYTES);
  const commitment = deriveCommitment(dataKey, messageId);
  const contentKey = deriveContentKey(dataKey, messageId);
  try {
    const cipher = createCipheriv('aes-256-gcm', contentKey, V3_IV).setAAD(V3_AAD);
    return { version: 3, messageId, commitment, cipher };
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
