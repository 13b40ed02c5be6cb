/** RSA-OAEP with a public key, on the threads of the pool: a thousand wraps a second don't hold up what else there is to do. */
import { webcrypto, type KeyObject } from 'node:crypto';
import type { OaepHash } from '../../ports.js';
import { oncePerKey } from './once-per-key.js';

const publicKeyOf = oncePerKey(async (key, algorithm) => {
  const der = key.export({ type: 'spki', format: 'der' });
  return webcrypto.subtle.importKey('spki', der, algorithm, false, ['encrypt']);
});

/** MGF1 has the same hash. @param message must stay as it is until this resolves */
export async function sealOaep(publicKey: KeyObject, hash: OaepHash, message: Uint8Array): Promise<Buffer> {
  const key = await publicKeyOf(publicKey, hash);
  return Buffer.from(await webcrypto.subtle.encrypt({ name: 'RSA-OAEP' }, key, message));
}
