/** The keys that open messages, of every kind, as they are read. Imported by what decrypts alone. */
import { SealdropError } from '../errors.js';
import { Secret } from '../secret.js';
import { decodeSecretKey, kindOf, parseKeySet } from './key-set-document.js';
import type { KeyNames } from './key-set.js';
import { readPrivateHalf, readPrivateKeySet } from './private-key-set.js';
import type { SecretWrappingKey } from './raw-aes/names.js';
import type { PrivateWrappingKey } from './raw-rsa/unwrap.js';

export interface OpeningKeys {
  readonly rsa: readonly PrivateWrappingKey[];
  readonly aes: readonly SecretWrappingKey[];
  /** ARNs of keys and aliases of AWS KMS. */
  readonly kms: readonly string[];
}

/**
 * Retired keys open too: that is what they are kept for. None at all where a set has public halves alone.
 * @param where what the user called it, for messages
 * @throws SealdropError `invalid_key`, `weak_key`, `key_passphrase`
 */
export function readOpeningKeys(
  bytes: Uint8Array,
  where: string,
  options: KeyNames & { passphrase?: Secret | undefined } = {},
): OpeningKeys {
  const entries = parseKeySet(bytes, where);
  if (entries === undefined) return { rsa: readPrivateKeySet(bytes, where, options), aes: [], kms: [] };
  const { oaepHash, passphrase } = options;
  const found = { rsa: [] as PrivateWrappingKey[], aes: [] as SecretWrappingKey[], kms: [] as string[] };
  entries.forEach((entry, i) => {
    const { namespace, name } = entry;
    const kind = kindOf(entry);
    const field = `${where}: keys[${i}]`;
    if (kind === 'kms') found.kms.push(name);
    else if (kind === 'aes') {
      const secretKey = new Secret(decodeSecretKey(entry.secretKey!, `${field}.secretKey`));
      found.aes.push({ namespace, name, secretKey });
    } else if (entry.privateKey !== undefined) {
      const privateKey = readPrivateHalf(entry, field, passphrase);
      found.rsa.push({ namespace, name, oaepHash, privateKey });
    }
  });
  return found;
}

/** @throws SealdropError `invalid_key` */
export function assertOpens({ rsa, aes, kms }: OpeningKeys, where: string): void {
  if (rsa.length + aes.length + kms.length > 0) return;
  throw new SealdropError('invalid_key', `${where} has no key in it that opens anything`, {
    hint: 'a set with private halves is meant; a public one only encrypts',
  });
}
