/** Whom an object shall be for: by the keys that are known here, and by what its header and metadata say of it now. */
import { SealdropError } from '../../errors.js';
import type { MessageInfo, WrappedKeyInfo } from '../../ports.js';
import { printable } from '../../printable.js';
import type { ObjectFacts } from '../metadata.js';

/** A wrapping key by what tells it from others. */
export interface KnownKey {
  readonly namespace: string;
  readonly name: string;
  readonly fingerprint: string;
  /** It opens, and is wrapped to no more. */
  readonly retired?: boolean;
}

/** `set`: those given and nobody else. `add`: besides those that the object has. `remove`: those that it has but these. */
export type RewrapMode = 'set' | 'add' | 'remove';

export interface Wish<Key extends KnownKey = KnownKey> {
  readonly mode: RewrapMode;
  readonly to: readonly Key[];
  /** The keys that objects may be for now. */
  readonly known: readonly Key[];
}

export interface Wanted<Key extends KnownKey> {
  readonly keys: readonly Key[];
  /** Those of them that it is for now, by the names in its header: what opens it must open what is wrapped to these. */
  readonly kept: readonly Key[];
  /** Nothing needs to be done, as far as the header's names and the metadata's fingerprints say. */
  readonly already: boolean;
}

/**
 * Who stays is told by the names in the header and the keys given, never by metadata: whoever runs the store writes
 * those. A name that several keys have tells none of them.
 * @throws SealdropError `key_required` for a recipient that is not told by the keys known; `usage` for one to remove that
 * is none, and where nobody would be left
 */
export function wantedKeys<Key extends KnownKey>(
  { wrappedKeys }: Pick<MessageInfo, 'wrappedKeys'>,
  { fingerprints }: Pick<ObjectFacts, 'fingerprints'>,
  { mode, to, known }: Wish<Key>,
): Wanted<Key> {
  const kept = keptKeys(wrappedKeys, { mode, to, known });
  const keys = distinct(mode === 'remove' ? kept : [...kept, ...to]);
  if (keys.length === 0)
    throw new SealdropError('usage', 'the object would be left without any recipient', {
      hint: 'nobody could open it: sealdrop rm removes it',
    });
  return { keys, kept, already: isFor(wrappedKeys, fingerprints, keys) };
}

/**
 * What opens only is wrapped to no more: who is meant in place of it, nobody but the user knows.
 * @throws SealdropError `key_required`
 */
export function assertNoneRetired(keys: readonly KnownKey[]): void {
  const old = keys.find(({ retired }) => retired === true);
  if (old === undefined) return;
  const shown = printable(`${old.namespace}/${old.name}`);
  throw new SealdropError('key_required', `the object is for ${shown}, which is retired: nothing new is`, {
    hint: 'name all that it shall be for with --to alone, or take the retired key away first: --remove',
  });
}

function keptKeys<Key extends KnownKey>(
  wrappedKeys: readonly WrappedKeyInfo[],
  { mode, to, known }: Wish<Key>,
): Key[] {
  if (mode === 'set') return [];
  // One that is to come is no evidence of who is there. One that is to go does no harm: it goes.
  const now = recipientsNow(wrappedKeys, [
    ...known,
    ...to.filter((key) => mode === 'remove' || known.some(isSame(key))),
  ]);
  if (mode === 'add') return now;
  const stranger = to.find((key) => !now.some(isSame(key)));
  if (stranger !== undefined) throw notThere(stranger);
  return now.filter((key) => !to.some(isSame(key)));
}

/** Whose keys those of the header are: each has a name of its own, which one of the keys given has, and no other. */
function recipientsNow<Key extends KnownKey>(
  wrappedKeys: readonly WrappedKeyInfo[],
  given: readonly Key[],
): Key[] {
  return wrappedKeys.map((wrapped) => {
    const found = distinct(given.filter((key) => isNamed(key, wrapped)));
    const times = wrappedKeys.filter((other) => nameOf(other) === nameOf(wrapped)).length;
    if (found.length !== 1 || times !== 1) throw notTold(wrapped, found.length, times);
    return found[0]!;
  });
}

function notTold({ namespace, name }: WrappedKeyInfo, found: number, times: number): SealdropError {
  const shown = printable(`${namespace}/${name}`);
  if (found === 0)
    return new SealdropError('key_required', `the object is for ${shown}, and no key given is that one`, {
      hint: 'give the public halves of all that it is for: --public-key FILE, or --key-set FILE',
    });
  const why = found > 1 ? `which may be any of ${found} keys given` : `which it names ${times} times`;
  return new SealdropError('key_required', `the object is for ${shown}, ${why}`, {
    hint: 'give key sets with distinct names, or --to alone, with all that it shall be for',
  });
}

function notThere({ namespace, name, fingerprint }: KnownKey): SealdropError {
  const shown = printable(`${namespace}/${name} (${fingerprint})`);
  return new SealdropError('usage', `${shown} is no recipient of the object: nothing was removed`, {
    hint: 'see whom it is for: sealdrop inspect; give key sets that name the keys as it does',
  });
}

/** Names and number as the header has them, and the fingerprints that the metadata claim: no more, no fewer. */
function isFor(
  wrappedKeys: readonly WrappedKeyInfo[],
  fingerprints: readonly string[],
  keys: readonly KnownKey[],
): boolean {
  if (wrappedKeys.length !== keys.length || fingerprints.length !== keys.length) return false;
  return (
    keys.every((key) => wrappedKeys.some((wrapped) => isNamed(key, wrapped))) &&
    wrappedKeys.every((wrapped) => keys.some((key) => isNamed(key, wrapped))) &&
    keys.every(({ fingerprint }) => fingerprints.includes(fingerprint))
  );
}

const nameOf = ({ namespace, name }: WrappedKeyInfo): string => JSON.stringify([namespace, name]);

const isNamed = (key: KnownKey, { namespace, name }: WrappedKeyInfo): boolean =>
  key.namespace === namespace && key.name === name;

/** Whatever they are called. */
const isSame = (a: KnownKey) => (b: KnownKey) => a.fingerprint === b.fingerprint;

/** Each key once, by its first name; one that is retired in one set and not in another is wrapped to. */
function distinct<Key extends KnownKey>(keys: readonly Key[]): Key[] {
  const activeFirst = [...keys].sort((a, b) => Number(a.retired ?? false) - Number(b.retired ?? false));
  const chosen = (key: Key) => activeFirst.find(isSame(key))!;
  return keys.filter((key, i) => keys.findIndex(isSame(key)) === i).map(chosen);
}
