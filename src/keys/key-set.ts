/**
 * Key sets: `{"version":1,"keys":[{"namespace","name","publicKey","privateKey"?,"state"?}]}`, or a bare PEM or DER
 * where a set is expected. This file reads public halves only and is part of every encryptor.
 */
import { SealdropError } from '../errors.js';
import type { OaepHash } from '../ports.js';
import { printable } from '../printable.js';
import { DEFAULT_KEY_NAME, DEFAULT_KEY_NAMESPACE } from './names.js';
import { readPublicKey } from './public-key.js';
import type { PublicWrappingKey } from './raw-rsa/wrap.js';

export interface KeyNames {
  namespace?: string;
  name?: string;
  oaepHash?: OaepHash;
}

export interface KeySetEntry {
  namespace: string;
  name: string;
  publicKey?: string;
  privateKey?: string;
  secretKey?: string;
  /** `active` wraps and unwraps, `retired` unwraps only. */
  state: 'active' | 'retired';
}

/**
 * The keys to wrap to.
 * @param where what the user called it, for messages
 * @throws SealdropError `invalid_key`, `weak_key`, `private_key_in_public_key_set`
 */
export function readPublicKeySet(
  bytes: Uint8Array,
  where: string,
  names: KeyNames = {},
): PublicWrappingKey[] {
  const entries = parseKeySet(bytes, where);
  if (entries === undefined) {
    const namespace = names.namespace ?? DEFAULT_KEY_NAMESPACE;
    const name = names.name ?? DEFAULT_KEY_NAME;
    return [{ namespace, name, publicKey: readPublicKey(bytes, where), oaepHash: names.oaepHash }];
  }
  entries.forEach(({ privateKey, secretKey }, i) => {
    // Whoever wraps with a raw AES key can unwrap with it.
    if (privateKey !== undefined) throw privateHalf(`${where}: keys[${i}].privateKey`);
    if (secretKey !== undefined) throw privateHalf(`${where}: keys[${i}].secretKey`);
  });
  const active = entries.flatMap(({ namespace, name, publicKey, state }, i) => {
    if (state !== 'active') return [];
    const field = `${where}: keys[${i}].publicKey`;
    if (publicKey === undefined) throw new SealdropError('invalid_key', `${field} is missing`);
    return [
      { namespace, name, publicKey: readPublicKey(Buffer.from(publicKey), field), oaepHash: names.oaepHash },
    ];
  });
  if (active.length === 0) throw new SealdropError('invalid_key', `${where} has no active key`);
  return active;
}

function privateHalf(field: string): SealdropError {
  return new SealdropError('private_key_in_public_key_set', `${field} does not belong in a public key set`, {
    hint: 'whoever encrypts must not be able to decrypt: remove the private halves from this set',
  });
}

/** The entries of a key set document, or undefined where the bytes are not JSON (a bare key). */
export function parseKeySet(bytes: Uint8Array, where: string): KeySetEntry[] | undefined {
  const text = Buffer.from(bytes).toString('utf8').trimStart();
  if (!text.startsWith('{')) return undefined;
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    throw new SealdropError('invalid_key', `${where} is neither a key nor a key set: the JSON is damaged`);
  }
  const { version, keys } = document as { version?: unknown; keys?: unknown };
  if (version !== 1) throw new SealdropError('invalid_key', `${where}: version must be 1`);
  if (!Array.isArray(keys) || keys.length === 0)
    throw new SealdropError('invalid_key', `${where}: keys must be a list`);
  const entries = keys.map((entry, i) => parseEntry(entry, `${where}: keys[${i}]`));
  assertDistinct(entries, where);
  return entries;
}

function parseEntry(value: unknown, field: string): KeySetEntry {
  if (typeof value !== 'object' || value === null)
    throw new SealdropError('invalid_key', `${field} must be an object`);
  const entry = value as Record<string, unknown>;
  const text = (name: string, required: boolean): string | undefined => {
    const found = entry[name];
    if (found === undefined && !required) return undefined;
    if (typeof found !== 'string' || found === '')
      throw new SealdropError('invalid_key', `${field}.${name} must be a non-empty string`);
    // It would come out as another name in a message, and not be found there again.
    if (!found.isWellFormed())
      throw new SealdropError('invalid_key', `${field}.${name} is not valid Unicode`);
    return found;
  };
  const state = text('state', false) ?? 'active';
  if (state !== 'active' && state !== 'retired')
    throw new SealdropError('invalid_key', `${field}.state must be "active" or "retired"`);
  return {
    namespace: text('namespace', true)!,
    name: text('name', true)!,
    publicKey: text('publicKey', false),
    privateKey: text('privateKey', false),
    secretKey: text('secretKey', false),
    state,
  };
}

function assertDistinct(entries: readonly KeySetEntry[], where: string): void {
  const seen = new Set<string>();
  for (const { namespace, name } of entries) {
    const id = JSON.stringify([namespace, name]);
    if (seen.has(id))
      throw new SealdropError(
        'invalid_key',
        `${where}: the key ${printable(`${namespace}/${name}`)} is there twice`,
      );
    seen.add(id);
  }
}
