/** The keys to wrap to, from a key set or a bare key. It reads public halves only and is part of every encryptor. */
import { SealdropError } from '../errors.js';
import type { OaepHash } from '../ports.js';
import {
  assertConsistent,
  assertNotTwice,
  kindOf,
  parseEntries,
  type KeySetEntry,
} from './key-set-document.js';
import { DEFAULT_KEY_NAME, DEFAULT_KEY_NAMESPACE } from './names.js';
import { fingerprintOf, readPublicKey } from './public-key.js';
import type { PublicWrappingKey } from './raw-rsa/wrap.js';

export interface KeyNames {
  namespace?: string;
  name?: string;
  oaepHash?: OaepHash;
}

/** A key of a public key set. */
export type PublicSetKey =
  | ({ readonly kind: 'rsa'; readonly always: boolean } & PublicWrappingKey)
  | { readonly kind: 'kms'; readonly always: boolean; readonly arn: string };

/**
 * The RSA keys to wrap to.
 * @param where what the user called it, for messages
 * @throws SealdropError `invalid_key`, `weak_key`, `private_key_in_public_key_set`
 */
export function readPublicKeySet(
  bytes: Uint8Array,
  where: string,
  names: KeyNames = {},
): PublicWrappingKey[] {
  return readPublicSet(bytes, where, names).map((key) => {
    if (key.kind === 'kms')
      throw new SealdropError('invalid_key', `${where} has a key of AWS KMS, which cannot be used here`);
    const { namespace, name, publicKey, oaepHash } = key;
    return { namespace, name, publicKey, ...(oaepHash !== undefined && { oaepHash }) };
  });
}

/**
 * The active keys of a set that has no private half in it, or a bare public key.
 * @throws SealdropError `invalid_key`, `weak_key`, `private_key_in_public_key_set`
 */
export function readPublicSet(bytes: Uint8Array, where: string, names: KeyNames = {}): PublicSetKey[] {
  const { oaepHash } = names;
  const entries = parseEntries(bytes, where);
  if (entries === undefined) {
    const namespace = names.namespace ?? DEFAULT_KEY_NAMESPACE;
    const name = names.name ?? DEFAULT_KEY_NAME;
    return [
      { kind: 'rsa', always: false, namespace, name, publicKey: readPublicKey(bytes, where), oaepHash },
    ];
  }
  assertNoPrivateHalf(entries, where);
  assertConsistent(entries, where);
  const keys = entries.flatMap((entry, i): PublicSetKey[] => {
    if (entry.state !== 'active') return [];
    const { namespace, name, always = false } = entry;
    if (kindOf(entry) === 'kms') return [{ kind: 'kms', always, arn: name }];
    const publicKey = readPublicKey(Buffer.from(entry.publicKey!), `${where}: keys[${i}].publicKey`);
    return [{ kind: 'rsa', always, namespace, name, publicKey, oaepHash }];
  });
  if (keys.length === 0) throw new SealdropError('invalid_key', `${where} has no active key`);
  assertNotTwice(
    keys.flatMap((key) => (key.kind === 'rsa' ? [[fingerprintOf(key.publicKey), key.name] as const] : [])),
    where,
  );
  return keys;
}

function assertNoPrivateHalf(entries: readonly KeySetEntry[], where: string): void {
  entries.forEach(({ privateKey, secretKey }, i) => {
    // Whoever wraps with a raw AES key can unwrap with it.
    if (privateKey !== undefined) throw privateHalf(`${where}: keys[${i}].privateKey`);
    if (secretKey !== undefined) throw privateHalf(`${where}: keys[${i}].secretKey`);
  });
}

function privateHalf(field: string): SealdropError {
  return new SealdropError('private_key_in_public_key_set', `${field} does not belong in a public key set`, {
    hint: 'whoever encrypts must not be able to decrypt: sealdrop keys export-public writes a set without private halves',
  });
}
