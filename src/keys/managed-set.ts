/** A key set with all that is in it, for the command that looks after it. Nothing that only encrypts imports it. */
import { createPublicKey, type KeyObject } from 'node:crypto';
import { SealdropError } from '../errors.js';
import type { AskPassphrase } from '../key-sets.js';
import type { Secret } from '../secret.js';
import { assertNotTwice, kindOf, parseKeySet, type KeySetEntry } from './key-set-document.js';
import { DEFAULT_KEY_NAME, DEFAULT_KEY_NAMESPACE } from './names.js';
import { readPrivateHalf } from './private-key-set.js';
import { readPrivateKey } from './private-key.js';
import { fingerprintOf, isLocked, isPrivate, readPublicKey } from './public-key.js';

export interface ManagedSet {
  readonly entries: KeySetEntry[];
  /** Whether it is a single key, and no document. */
  readonly bare: boolean;
}

/**
 * Every key in it is read, and halves that are both there are compared; of a locked half the public one must be there.
 * @throws SealdropError `invalid_key`, `weak_key`, `key_passphrase`, `private_key_in_public_key_set`
 */
export async function readManagedSet(
  bytes: Uint8Array,
  where: string,
  passphrase?: AskPassphrase,
): Promise<ManagedSet> {
  const entries = parseKeySet(bytes, where);
  if (entries === undefined) return { entries: [await readBare(bytes, where, passphrase)], bare: true };
  const read = entries.map((entry, i) => withPublicHalf(entry, `${where}: keys[${i}]`));
  assertEachOnce(read, where);
  return { entries: read, bare: false };
}

async function readBare(
  bytes: Uint8Array,
  where: string,
  passphrase: AskPassphrase | undefined,
): Promise<KeySetEntry> {
  const names = { namespace: DEFAULT_KEY_NAMESPACE, name: DEFAULT_KEY_NAME, state: 'active' as const };
  const text = Buffer.from(bytes).toString('latin1');
  // Neither PEM nor a SEQUENCE of DER.
  if (!text.includes('-----BEGIN ') && !text.startsWith('\x30'))
    throw new SealdropError('invalid_key', `${where} is neither a key set nor a key`, {
      hint: 'a JSON document of named keys is meant: sealdrop keys add makes one',
    });
  if (!isPrivate(text) && !isLocked(text))
    return { ...names, publicKey: spkiOf(readPublicKey(bytes, where)) };
  const given = isLocked(text) ? await passphrase?.(where) : undefined;
  const key = readPrivateKey(bytes, where, given);
  // As it is: what is locked stays locked.
  return { ...names, publicKey: spkiOf(createPublicKey(key)), privateKey: privatePemOf(key, given) };
}

function withPublicHalf(entry: KeySetEntry, field: string): KeySetEntry {
  if (kindOf(entry) !== 'rsa') return entry;
  const { publicKey, privateKey } = entry;
  if (privateKey !== undefined && !isLocked(privateKey)) {
    const key = readPrivateHalf(entry, field);
    return { ...entry, publicKey: publicKey ?? spkiOf(createPublicKey(key)) };
  }
  if (publicKey === undefined)
    throw new SealdropError('invalid_key', `${field}.publicKey is missing, and its privateKey is locked`, {
      hint: 'add the public half: openssl pkey -in PRIVATE -pubout',
    });
  readPublicKey(Buffer.from(publicKey), `${field}.publicKey`);
  return entry;
}

/** @throws SealdropError `invalid_key` where two active entries are one key */
export function assertEachOnce(entries: readonly KeySetEntry[], where: string): void {
  const active = entries.filter((entry) => entry.state === 'active' && kindOf(entry) !== 'kms');
  const idOf = ({ secretKey, publicKey = '' }: KeySetEntry) =>
    secretKey ?? fingerprintOf(readPublicKey(Buffer.from(publicKey), where));
  assertNotTwice(
    active.map((entry) => [idOf(entry), entry.name]),
    where,
  );
}

export function spkiOf(publicKey: KeyObject): string {
  return publicKey.export({ type: 'spki', format: 'pem' }).toString();
}

/** PKCS#8; encrypted with AES-256-CBC (PBES2) where there is a passphrase. */
export function privatePemOf(privateKey: KeyObject, passphrase?: Secret): string {
  const lock = passphrase === undefined ? {} : { cipher: 'aes-256-cbc', passphrase: passphrase.reveal() };
  return privateKey.export({ type: 'pkcs8', format: 'pem', ...lock }).toString();
}

/** Indented, a field a line: it is looked at, and compared. */
export function serialize(entries: readonly KeySetEntry[]): Buffer {
  const keys = entries.map((entry) => {
    const { namespace, name, created, state, always, publicKey, privateKey, secretKey } = entry;
    return { namespace, name, created, state, always, publicKey, privateKey, secretKey };
  });
  return Buffer.from(`${JSON.stringify({ version: 1, keys }, null, 2)}\n`);
}

export interface PublicPart {
  readonly entries: KeySetEntry[];
  /** Raw AES keys: whoever wraps with one can unwrap. */
  readonly left: KeySetEntry[];
}

/** Public halves and names of KMS keys alone: of a half what was read of it, whatever else its text has. */
export function publicPartOf(entries: readonly KeySetEntry[]): PublicPart {
  const kept = entries.filter((entry) => kindOf(entry) !== 'aes');
  return {
    entries: kept.map(({ privateKey: _private, secretKey: _secret, publicKey, ...rest }) =>
      publicKey === undefined
        ? rest
        : { ...rest, publicKey: spkiOf(readPublicKey(Buffer.from(publicKey), rest.name)) },
    ),
    left: entries.filter((entry) => kindOf(entry) === 'aes'),
  };
}

/**
 * All private halves without a passphrase: a function has nobody to ask.
 * @throws SealdropError `key_passphrase`
 */
export function unlocked(
  entries: readonly KeySetEntry[],
  where: string,
  passphrase: Secret | undefined,
): KeySetEntry[] {
  return entries.map((entry, i) => {
    if (!isLocked(entry.privateKey ?? '')) return entry;
    const key = readPrivateHalf(entry, `${where}: keys[${i}]`, passphrase);
    return { ...entry, privateKey: privatePemOf(key) };
  });
}
