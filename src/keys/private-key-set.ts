/** The keys that open messages: a private key set, or a bare private key. Imported by what decrypts alone. */
import { SealdropError } from '../errors.js';
import type { Secret } from '../secret.js';
import { parseKeySet, type KeyNames } from './key-set.js';
import { DEFAULT_KEY_NAME, DEFAULT_KEY_NAMESPACE } from './names.js';
import { readPrivateKey } from './private-key.js';
import type { PrivateWrappingKey } from './raw-rsa/unwrap.js';

/**
 * A bare key without names is tried on every wrapped key of a message.
 * @throws SealdropError `invalid_key`, `weak_key`, `key_passphrase`
 */
export function readPrivateKeySet(
  bytes: Uint8Array,
  where: string,
  options: KeyNames & { passphrase?: Secret } = {},
): PrivateWrappingKey[] {
  const { namespace, name, oaepHash, passphrase } = options;
  const entries = parseKeySet(bytes, where);
  if (entries === undefined) {
    const named = namespace !== undefined || name !== undefined;
    return [
      {
        ...(named && { namespace: namespace ?? DEFAULT_KEY_NAMESPACE, name: name ?? DEFAULT_KEY_NAME }),
        oaepHash,
        privateKey: readPrivateKey(bytes, where, passphrase),
      },
    ];
  }
  const keys = entries.flatMap((entry, i) => {
    if (entry.privateKey === undefined) return [];
    const field = `${where}: keys[${i}].privateKey`;
    const privateKey = readPrivateKey(Buffer.from(entry.privateKey), field, passphrase);
    return [{ namespace: entry.namespace, name: entry.name, oaepHash, privateKey }];
  });
  if (keys.length === 0) throw new SealdropError('invalid_key', `${where} has no private RSA key in it`);
  return keys;
}
