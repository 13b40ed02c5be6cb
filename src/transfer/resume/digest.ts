/**
 * What is remembered of a plaintext that was encrypted, to know it again. GMAC (NIST SP 800-38D, 5.2.3) under a random key of
 * the upload: who doesn't have that key finds no two plaintexts with one digest, but by luck (2^-100 for extents of 64 MiB),
 * however much of both is theirs to choose. It takes a quarter of SHA-256's time. The key lies where the data key lies, which
 * opens all of it.
 */
import { createCipheriv, randomBytes } from 'node:crypto';

const KEY_BYTES = 32;

export const newDigestKey = (): Buffer => randomBytes(KEY_BYTES);

/** @param number of the extent: the same bytes elsewhere have another digest. @returns 16 bytes, base64 */
export function digestOf(key: Uint8Array, number: number, plaintext: Uint8Array): string {
  const nonce = Buffer.alloc(12);
  nonce.writeUInt32BE(number, 8);
  const mac = createCipheriv('aes-256-gcm', key, nonce);
  mac.setAAD(plaintext);
  mac.final();
  return mac.getAuthTag().toString('base64');
}
