/** Changes of a key set: entries in, entries out. */
import { SealdropError } from '../errors.js';
import type { ImportOptions, NewKeyNames } from '../key-sets.js';
import { printable } from '../printable.js';
import { describe } from './describe.js';
import { KMS_NAMESPACE, type KeySetEntry } from './key-set-document.js';
import { DEFAULT_KEY_NAME, DEFAULT_KEY_NAMESPACE } from './names.js';

/** Enough of a fingerprint to be nobody else's by accident. */
const MIN_FINGERPRINT = 8;

/**
 * Where the key is that somebody means by a name, `namespace/name`, or the beginning of a fingerprint.
 * @throws SealdropError `key_not_in_set`, `usage` where several are meant
 */
export function indexOf(entries: readonly KeySetEntry[], selector: string, where: string): number {
  const meant = entries.flatMap(({ namespace, name }, i) =>
    name === selector || `${namespace}/${name}` === selector ? [i] : [],
  );
  const found = meant.length > 0 ? meant : byFingerprint(entries, selector);
  if (found.length === 1) return found[0]!;
  const names = (list: readonly KeySetEntry[]) =>
    list.map(({ namespace, name }) => `${namespace}/${name}`).join(', ');
  if (found.length > 1)
    throw new SealdropError('usage', `${printable(selector)} means several keys of ${where}`, {
      hint: `say which: ${names(found.map((i) => entries[i]!))}`,
    });
  throw new SealdropError('key_not_in_set', `${where} has no key ${printable(selector)}`, {
    hint: `it has: ${names(entries.slice(0, 10))}${entries.length > 10 ? ', ...' : ''}`,
  });
}

function byFingerprint(entries: readonly KeySetEntry[], beginning: string): number[] {
  if (beginning.length < MIN_FINGERPRINT) return [];
  return entries.flatMap((entry, i) => (describe(entry).fingerprint.startsWith(beginning) ? [i] : []));
}

interface NamingOptions {
  base?: string;
  date: string;
  where: string;
  isNew?: boolean;
}

/**
 * @param date of today, `2026-11-21`
 * @param isNew the key is made now: it gets no name that an earlier one may have had, which objects still name
 */
export function nextNames(
  entries: readonly KeySetEntry[],
  { namespace = DEFAULT_KEY_NAMESPACE, name }: NewKeyNames,
  { base = DEFAULT_KEY_NAME, date, where, isNew }: NamingOptions,
): { namespace: string; name: string } {
  assertNames([namespace, ...(name === undefined ? [] : [name])]);
  const taken = new Set(entries.filter((each) => each.namespace === namespace).map((each) => each.name));
  if (name !== undefined) {
    if (!taken.has(name)) return { namespace, name };
    throw new SealdropError(
      'target_exists',
      `${where} has a key ${printable(`${namespace}/${name}`)} already`,
      {
        hint: 'objects name the key that opens them: choose another --key-name',
      },
    );
  }
  const had = isNew === true && [...taken].some((each) => baseOf(each) === base);
  if (!taken.has(base) && !had) return { namespace, name: base };
  for (let i = 1; ; i++) {
    const candidate = `${base}-${date}${i === 1 ? '' : `-${i}`}`;
    if (!taken.has(candidate)) return { namespace, name: candidate };
  }
}

/** @throws SealdropError `usage` */
function assertNames(names: readonly string[]): void {
  if (names.includes(KMS_NAMESPACE))
    throw new SealdropError('usage', `the key namespace ${KMS_NAMESPACE} belongs to AWS KMS`, {
      hint: 'choose another; a key of KMS is put into a set by: sealdrop keys import kms:ARN',
    });
  if (names.every((name) => name !== '' && printable(name) === name)) return;
  throw new SealdropError('usage', 'the name of a key is empty, or has characters that are not shown', {
    hint: 'choose another --key-name or --key-namespace',
  });
}

/** `S3RSAKey` of `S3RSAKey-2026-11-21-2` */
export const baseOf = (name: string): string => name.replace(/-\d{4}-\d\d-\d\d(-\d+)?$/, '');

/** @throws SealdropError `usage` where nothing would be left to encrypt to */
export function retire(
  entries: readonly KeySetEntry[],
  which: readonly number[],
  where: string,
): KeySetEntry[] {
  const after = entries.map((entry, i): KeySetEntry => {
    if (!which.includes(i)) return entry;
    const { always: _always, ...rest } = entry;
    return { ...rest, state: 'retired' };
  });
  assertActive(after, where, 'retired');
  return after;
}

export function activate(entries: readonly KeySetEntry[], which: readonly number[]): KeySetEntry[] {
  return entries.map((entry, i) => (which.includes(i) ? { ...entry, state: 'active' } : entry));
}

/**
 * The same entries where it is in that state already.
 * @throws SealdropError `usage` where nothing would be left to encrypt to
 */
export function inState(
  entries: KeySetEntry[],
  at: number,
  { always, retired }: ImportOptions,
  where: string,
): KeySetEntry[] {
  const entry = entries[at]!;
  if (retired === true && isActive(entry)) return retire(entries, [at], where);
  if (always !== true || entry.always === true) return entries;
  return entries.with(at, { ...entry, state: 'active', always: true });
}

/** @throws SealdropError `usage` where nothing would be left to encrypt to */
export function remove(
  entries: readonly KeySetEntry[],
  which: readonly number[],
  where: string,
): KeySetEntry[] {
  const after = entries.filter((_entry, i) => !which.includes(i));
  // A set that had no active key before has lost nothing.
  if (after.length === 0 || entries.some(isActive)) assertActive(after, where, 'removed');
  return after;
}

const isActive = ({ state }: KeySetEntry): boolean => state === 'active';

function assertActive(entries: readonly KeySetEntry[], where: string, what: string): void {
  if (entries.some(isActive)) return;
  throw new SealdropError('usage', `the last active key of ${where} cannot be ${what}`, {
    hint: 'make the next one first: sealdrop keys add, or sealdrop keys rotate, which does both',
  });
}
