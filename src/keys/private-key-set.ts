/** The keys that open messages: a private key set, or a bare private key. Imported by what decrypts alone. */
import { createPublicKey, type KeyObject } from 'node:crypto';
import { SealdropError } from '../errors.js';
import type { Secret } from '../secret.js';
import type { KeyNames } from './key-set.js';
import { parseKeySet, type KeySetEntry } from './key-set-document.js';
import { DEFAULT_KEY_NAME, DEFAULT_KEY_NAMESPACE } from './names.js';
import { readPrivateKey } from './private-key.js';
import { assertOnePair, readPublicKey } from './public-key.js';
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
    const privateKey = readPrivateHalf(entry, `${where}: keys[${i}]`, passphrase);
    return [{ namespace: entry.namespace, name: entry.name, oaepHash, privateKey }];
  });
  if (keys.length === 0) throw new SealdropError('invalid_key', `${where} has no private RSA key in it`);
  return keys;
}

/**
 * The private half of an entry that has one, and that belongs to its public half.
 * @throws SealdropError `invalid_key`, `weak_key`, `key_passphrase`
 */
export function readPrivateHalf(entry: KeySetEntry, field: string, passphrase?: Secret): KeyObject {
  const privateKey = readPrivateKey(Buffer.from(entry.privateKey!), `${field}.privateKey`, passphrase);
  if (entry.publicKey === undefined) return privateKey;
  const publicKey = readPublicKey(Buffer.from(entry.publicKey), `${field}.publicKey`);
  assertOnePair(publicKey, createPublicKey(privateKey), field);
  return privateKey;
}
