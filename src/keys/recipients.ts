/** The keys to wrap to, of every kind, as they are read: what makes keyrings of them is chosen where parts are joined. */
import { SealdropError } from '../errors.js';
import { Secret } from '../secret.js';
import {
  assertNotTwice,
  decodeSecretKey,
  kindOf,
  parseKeySet,
  type KeySetEntry,
} from './key-set-document.js';
import { readPublicSet, type KeyNames, type PublicSetKey } from './key-set.js';
import { assertOnePair, derivePublicKey, fingerprintOf, isLocked, readPublicKey } from './public-key.js';
import type { SecretWrappingKey } from './raw-aes/names.js';

export type RecipientKey = (
  PublicSetKey | ({ readonly kind: 'aes'; readonly always: boolean } & SecretWrappingKey)
) & { readonly retired?: boolean };

/**
 * What a set may hold besides public halves and names of KMS keys. `public`: nothing. `secret`: raw AES keys, by which
 * whoever encrypts can decrypt as well. `own`: private halves too, a set of who does both: they are compared with the
 * public ones, but for what is locked, which is found out when it is unlocked.
 */
export type SetRules = 'public' | 'secret' | 'own';

/**
 * The active keys of a set, or a bare public key.
 * @param where what the user called it, for messages
 * @param which `all`: retired ones too, for who looks whom an object is for
 * @throws SealdropError `invalid_key`, `weak_key`, `private_key_in_public_key_set`
 */
export function readRecipients(
  bytes: Uint8Array,
  where: string,
  names: KeyNames,
  rules: SetRules,
  which: 'active' | 'all' = 'active',
): RecipientKey[] {
  const entries = rules === 'public' ? undefined : parseKeySet(bytes, where);
  if (entries === undefined) return readPublicSet(bytes, where, names);
  const keys = entries.flatMap((entry, i): RecipientKey[] => {
    if (rules === 'secret' && entry.privateKey !== undefined) throw privateHalf(`${where}: keys[${i}]`);
    assertPair(entry, `${where}: keys[${i}]`);
    const field = `${where}: keys[${i}]`;
    if (entry.state === 'active') return [recipientOf(entry, field, names)];
    const isHalf = kindOf(entry) === 'rsa' && entry.publicKey === undefined;
    return which === 'active' || isHalf ? [] : [{ ...recipientOf(entry, field, names), retired: true }];
  });
  if (keys.length === 0) throw new SealdropError('invalid_key', `${where} has no active key`);
  assertNotTwice(keys.filter(({ retired }) => retired !== true).flatMap(identityOf), where);
  return keys;
}

/** Whoever derives a public key from a private one need not be able to open with it. */
function assertPair({ publicKey, privateKey }: KeySetEntry, field: string): void {
  if (privateKey === undefined || publicKey === undefined || isLocked(privateKey)) return;
  const derived = derivePublicKey(privateKey, `${field}.privateKey`);
  assertOnePair(readPublicKey(Buffer.from(publicKey), `${field}.publicKey`), derived, field);
}

function identityOf(key: RecipientKey): [id: string, name: string][] {
  if (key.kind === 'kms') return [];
  const id = key.kind === 'rsa' ? fingerprintOf(key.publicKey) : key.secretKey.reveal().toString('base64');
  return [[id, key.name]];
}

function recipientOf(entry: KeySetEntry, field: string, { oaepHash }: KeyNames): RecipientKey {
  const { namespace, name, always = false } = entry;
  const kind = kindOf(entry);
  if (kind === 'kms') return { kind, always, arn: name };
  if (kind === 'aes') {
    const secretKey = new Secret(decodeSecretKey(entry.secretKey!, `${field}.secretKey`));
    return { kind, always, namespace, name, secretKey };
  }
  if (entry.publicKey === undefined)
    throw new SealdropError('invalid_key', `${field}.publicKey is missing`, {
      hint: 'the private half alone only opens: sealdrop keys list shows what is in the set',
    });
  const publicKey = readPublicKey(Buffer.from(entry.publicKey), `${field}.publicKey`);
  return { kind, always, namespace, name, publicKey, oaepHash };
}

function privateHalf(field: string): SealdropError {
  return new SealdropError(
    'private_key_in_public_key_set',
    `${field}.privateKey: a private half is not needed to encrypt to a recipient`,
    { hint: 'give the public halves alone, or use the whole set as your own: --key-set' },
  );
}
