/** RSA-OAEP with a private key, on the threads of the pool: with 4096 bits it takes milliseconds, once for each object. */
import { webcrypto, type KeyObject } from 'node:crypto';
import type { OaepHash } from '../../ports.js';
import { oncePerKey } from './once-per-key.js';

const privateKeyOf = oncePerKey(async (key, algorithm) => {
  const der = key.export({ type: 'pkcs8', format: 'der' });
  try {
    return await webcrypto.subtle.importKey('pkcs8', der, algorithm, false, ['decrypt']);
  } finally {
    der.fill(0);
  }
});

/**
 * MGF1 has the same hash.
 * @returns undefined where the key, the hash or the bytes are not those that it was sealed with; which, nobody can tell
 */
export async function openOaep(
  privateKey: KeyObject,
  hash: OaepHash,
  sealed: Uint8Array,
): Promise<Buffer | undefined> {
  const key = await privateKeyOf(privateKey, hash);
  return webcrypto.subtle.decrypt({ name: 'RSA-OAEP' }, key, sealed).then(
    (message) => Buffer.from(message),
    () => undefined,
  );
}
