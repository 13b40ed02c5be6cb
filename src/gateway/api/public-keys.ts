/** `GET /v1/keys`: so that clients can encrypt themselves. */
import type { PublicKeyInfo } from '../../ports.js';
import type { Handler } from './api.js';
import { json } from './http.js';

export function listKeys(read: () => Promise<readonly PublicKeyInfo[]>): Handler {
  return async () => {
    const keys = await read();
    return json(200, {
      keys: keys.map(({ namespace, name, fingerprint, publicKey }) => ({
        ...{ namespace, name, fingerprint },
        ...(publicKey !== undefined && { publicKey }),
      })),
    });
  };
}
