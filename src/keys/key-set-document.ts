/**
 * The document of a key set: `{"version":1,"keys":[{"namespace","name","publicKey"?,"privateKey"?,"secretKey"?,
 * "created"?,"state"?,"always"?}]}`. What is judged here is its form, without reading any key: it is part of every
 * encryptor. A message names the field that is wrong, and shows nothing of its value.
 */
import { SealdropError } from '../errors.js';
import { printable } from '../printable.js';
import { nameWithKey } from './key-in-name.js';
import { repeatedMember } from './repeated-member.js';
import { shownMember } from './shown-member.js';

export const KMS_NAMESPACE = 'aws-kms';

export type KeyKind = 'rsa' | 'aes' | 'kms';

export interface KeySetEntry {
  namespace: string;
  name: string;
  /** PEM. */
  publicKey?: string;
  /** PEM; may be locked by a passphrase. */
  privateKey?: string;
  /** Base64 of a raw AES key. */
  secretKey?: string;
  /** RFC 3339, a date or a time. */
  created?: string;
  /** `active` wraps and unwraps, `retired` unwraps only. */
  state: 'active' | 'retired';
  /** Wrapped to whenever this key set is in use, also where recipients are named one by one. */
  always?: true;
}

const DOCUMENT_FIELDS = ['version', 'keys'];
const ENTRY_FIELDS = [
  'namespace',
  'name',
  'publicKey',
  'privateKey',
  'secretKey',
  'created',
  'state',
  'always',
];
const HALVES = ['publicKey', 'privateKey', 'secretKey'] as const;
/** A header has two bytes for the length of each; nobody needs so many. */
const MAX_NAME_BYTES = 2048;
/** More than anybody has, and an end to what a damaged document can ask for. */
const MAX_ENTRIES = 1000;
const AES_KEY_BYTES = [16, 24, 32];

/**
 * The entries of a key set document, or undefined where the bytes are not JSON (a bare key).
 * @throws SealdropError `invalid_key`
 */
export function parseKeySet(bytes: Uint8Array, where: string): KeySetEntry[] | undefined {
  const entries = parseEntries(bytes, where);
  if (entries !== undefined) assertConsistent(entries, where);
  return entries;
}

/** Each entry by itself, well-formed; whether they make sense together is `assertConsistent`'s to say. */
export function parseEntries(bytes: Uint8Array, where: string): KeySetEntry[] | undefined {
  const text = Buffer.from(bytes)
    .toString('utf8')
    .replace(/^\ufeff/, '');
  if (!text.trimStart().startsWith('{')) return undefined;
  const document = parseJson(text, where);
  const { version, keys } = document;
  if (version !== 1)
    throw invalid(`${where}: version must be 1`, 'kty' in document ? IMPORT_FIRST : undefined);
  assertKnown(document, DOCUMENT_FIELDS, `${where}: `);
  if (!Array.isArray(keys) || keys.length === 0)
    throw invalid(`${where}: keys must be a list with a key in it`);
  if (keys.length > MAX_ENTRIES) throw invalid(`${where}: keys has more than ${MAX_ENTRIES} entries`);
  return keys.map((entry, i) => parseEntry(entry, `${where}: keys[${i}]`));
}

const IMPORT_FIRST = 'this is a JWK: make a key set of it with: sealdrop keys import FILE --key-set NEW';

function parseJson(text: string, where: string): Record<string, unknown> {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    throw invalid(`${where} is neither a key nor a key set: the JSON is damaged`);
  }
  const repeated = repeatedMember(text);
  if (repeated !== undefined)
    throw invalid(`${where}: ${shownMember(repeated, ENTRY_FIELDS)} is there twice`);
  return document as Record<string, unknown>;
}

function parseEntry(value: unknown, field: string): KeySetEntry {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw invalid(`${field} must be an object`);
  const entry = value as Record<string, unknown>;
  assertKnown(entry, ENTRY_FIELDS, `${field}.`);
  const state = textOf(entry, 'state', field) ?? 'active';
  if (state !== 'active' && state !== 'retired')
    throw invalid(`${field}.state must be "active" or "retired"`);
  if (entry.always !== undefined && typeof entry.always !== 'boolean')
    throw invalid(`${field}.always must be true or false`);
  const optional = Object.fromEntries(
    [...HALVES, 'created'].flatMap((name) => {
      const text = textOf(entry, name, field);
      return text === undefined ? [] : [[name, text]];
    }),
  );
  return {
    namespace: nameOf(entry, 'namespace', field),
    name: nameOf(entry, 'name', field),
    ...optional,
    state,
    ...(entry.always === true && { always: true }),
  };
}

/** A misspelt field could be a private half that nobody sees, or a state that nobody heeds. */
function assertKnown(value: Record<string, unknown>, known: readonly string[], place: string): void {
  const [unknown] = Object.keys(value).filter((name) => !known.includes(name));
  if (unknown === undefined) return;
  const meant = known.find((name) => name.toLowerCase() === unknown.toLowerCase());
  throw invalid(
    `${place}${shownMember(unknown, known)} is no field of a key set`,
    meant === undefined ? `its fields are: ${known.join(', ')}` : `${meant} may be meant`,
  );
}

function textOf(entry: Record<string, unknown>, name: string, field: string): string | undefined {
  const found = entry[name];
  if (found === undefined) return undefined;
  if (typeof found !== 'string' || found === '') throw invalid(`${field}.${name} must be a non-empty string`);
  // It would come out as another name in a message, and not be found there again.
  if (!found.isWellFormed()) throw invalid(`${field}.${name} is not valid Unicode`);
  return found;
}

function nameOf(entry: Record<string, unknown>, which: 'namespace' | 'name', field: string): string {
  const text = textOf(entry, which, field);
  if (text === undefined) throw invalid(`${field}.${which} is missing`);
  if (Buffer.byteLength(text) > MAX_NAME_BYTES)
    throw invalid(`${field}.${which} is longer than ${MAX_NAME_BYTES} bytes`);
  return text;
}

/** @throws SealdropError `invalid_key` where entries contradict themselves or each other */
export function assertConsistent(entries: readonly KeySetEntry[], where: string): void {
  entries.forEach((entry, i) => assertEntry(entry, `${where}: keys[${i}]`));
  assertNoKeyInNames(entries, where);
  const seen = new Set<string>();
  for (const { namespace, name } of entries) {
    const id = JSON.stringify([namespace, name]);
    if (seen.has(id)) throw invalid(`${where}: the key ${printable(`${namespace}/${name}`)} is there twice`);
    seen.add(id);
  }
}

/** Of whichever entry the key is: it may have been pasted into the wrong line. */
function assertNoKeyInNames(entries: readonly KeySetEntry[], where: string): void {
  const keys = entries.flatMap(({ secretKey = '', privateKey = '' }) =>
    [secretKey, privateKey.replace(/-----[A-Z0-9 ]+-----/g, '')].map((text) => Buffer.from(text, 'base64')),
  );
  const names = entries.flatMap(({ namespace, name }) => [namespace, name]);
  const at = nameWithKey(names, keys);
  if (at < 0) return;
  throw invalid(
    `${where}: keys[${at >> 1}].${at % 2 === 0 ? 'namespace' : 'name'} has letters of a key in it`,
    'a name is shown, and stands in every message that is encrypted to the key: choose another',
  );
}

/**
 * Under two names that both wrap, one of them is a mistake.
 * @param keys active ones: what tells a key from others, and its name
 * @throws SealdropError `invalid_key`
 */
export function assertNotTwice(keys: readonly (readonly [id: string, name: string])[], where: string): void {
  const names = new Map<string, string>();
  for (const [id, name] of keys) {
    const other = names.get(id);
    if (other !== undefined)
      throw invalid(
        `${where}: ${printable(other)} and ${printable(name)} are one and the same active key`,
        'remove one of them, or retire it where objects name it',
      );
    names.set(id, name);
  }
}

function assertEntry(entry: KeySetEntry, field: string): void {
  const { created, state, always, secretKey, publicKey, privateKey } = entry;
  if (created !== undefined && !isTime(created))
    throw invalid(`${field}.created must be a time as 2026-11-21T09:30:00Z, or a date`);
  if (always === true && state === 'retired')
    throw invalid(`${field}.always cannot be true of a retired key`, 'a retired key is wrapped to no more');
  if (entry.namespace === KMS_NAMESPACE) return assertKms(entry, field);
  const half = publicKey === undefined ? 'privateKey' : 'publicKey';
  if (secretKey !== undefined && (publicKey ?? privateKey) !== undefined)
    throw invalid(
      `${field}.secretKey stands beside ${half}: a key is AES or RSA`,
      'make two entries of it, with a name each',
    );
  if (secretKey !== undefined) decodeSecretKey(secretKey, `${field}.secretKey`);
  else if (publicKey === undefined && privateKey === undefined)
    throw invalid(
      `${field}.publicKey is missing`,
      'a key has a publicKey, a privateKey or both, or a secretKey',
    );
  if (publicKey !== undefined) assertOnePem(publicKey, `${field}.publicKey`);
  if (privateKey !== undefined) assertOnePem(privateKey, `${field}.privateKey`);
}

/** What stands around a key could say that it is locked, or be another one. Of one that breaks off, others say so. */
function assertOnePem(text: string, field: string): void {
  const [before, begin, , end, after, ...more] = text.split('-----');
  const ends = end === undefined || (`${begin}` === end.replace('END', 'BEGIN') && after?.trim() === '');
  if (before?.trim() === '' && begin?.startsWith('BEGIN ') === true && ends && more.length === 0) return;
  throw invalid(
    `${field} must be one key in PEM, and nothing else`,
    'from "-----BEGIN" to "-----END", without what stands before, behind or between them',
  );
}

const KMS_ARN = /^arn:aws[\w-]*:kms:[a-z0-9-]+:\d{12}:(key\/(mrk-)?[\w-]+|alias\/[\w/-]+)$/;

/** Whether it names a key, or an alias, of AWS KMS in a way that says where it is. */
export const isKmsArn = (text: string): boolean => KMS_ARN.test(text);

function assertKms(entry: KeySetEntry, field: string): void {
  for (const half of HALVES)
    if (entry[half] !== undefined)
      throw invalid(
        `${field}.${half} does not belong to a key of AWS KMS, which keeps its own`,
        `the namespace ${KMS_NAMESPACE} is for keys of AWS KMS alone`,
      );
  if (!isKmsArn(entry.name))
    throw invalid(
      `${field}.name must be the ARN of a key or an alias of AWS KMS`,
      'as arn:aws:kms:REGION:ACCOUNT:key/ID',
    );
}

/** @throws SealdropError `invalid_key`; nothing of the key is in it */
export function decodeSecretKey(text: string, field: string): Buffer {
  const key = Buffer.from(text, 'base64');
  // What Node passes over in silence would be another key.
  if (key.toString('base64') !== text) throw invalid(`${field} is not base64`);
  if (AES_KEY_BYTES.includes(key.length)) return key;
  throw invalid(`${field} has ${key.length} bytes, an AES key has 16, 24 or 32`);
}

const TIME = /^\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d))?$/;

function isTime(text: string): boolean {
  if (!TIME.test(text) || Number.isNaN(Date.parse(text))) return false;
  // A day that the month has not is taken for one of the next.
  const day = text.slice(0, 10);
  return new Date(`${day}T00:00:00Z`).toISOString().startsWith(day);
}

export function kindOf({ namespace, secretKey }: KeySetEntry): KeyKind {
  if (namespace === KMS_NAMESPACE) return 'kms';
  return secretKey === undefined ? 'rsa' : 'aes';
}

function invalid(message: string, hint?: string): SealdropError {
  return new SealdropError('invalid_key', message, hint === undefined ? {} : { hint });
}
