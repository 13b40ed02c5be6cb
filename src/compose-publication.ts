/** Key sets of a deployment: the public halves for whoever encrypts and, apart from them, all of it for whoever opens. */
import { SealdropError, isSealdropError } from './errors.js';
import type { KeyDescription, KeySetSettings, Publication, PublishOptions, Published } from './key-sets.js';
import { openKept } from './key-source.js';
import type { Kept, KeptAbout, KeptValue, Written } from './kept.js';
import { describe } from './keys/describe.js';
import type { KeySetEntry } from './keys/key-set-document.js';
import { publicPartOf, readManagedSet, serialize, unlocked } from './keys/managed-set.js';
import { isLocked } from './keys/public-key.js';
import { printable } from './printable.js';
import { parseKeyLocation, shownLocation, type KeyLocation } from './secrets/key-location.js';

/** Says of a secret what it may hold. */
const CONTENT_TAG = 'sealdrop:content';

/** Whether it was published for those who encrypt. */
export const isPublished = (about: KeptAbout | undefined): boolean =>
  about?.tags[CONTENT_TAG] === contentTag('public');

/** Whether those who encrypt may not read it, as far as it says so. */
export const isForPrivate = (about: KeptAbout | undefined): boolean =>
  about?.tags[CONTENT_TAG] === contentTag('private');

type Place = KeyLocation & { kind: 'secret' | 'parameter' };

interface Target {
  readonly place: Place;
  readonly shown: string;
  readonly kept: Kept | undefined;
  readonly about: KeptAbout | undefined;
  readonly keys: readonly KeyDescription[];
  readonly assertFits: KeptValue['assertFits'];
}

/** Nothing is written yet: what is there now is looked at first. @throws SealdropError */
export async function publicationOf(
  entries: readonly KeySetEntry[],
  source: { readonly shown: string },
  options: PublishOptions,
  settings: KeySetSettings,
): Promise<Publication> {
  const { entries: halves, left } = publicPartOf(entries);
  assertEncrypts(halves, source.shown);
  const [to, privately] = placesOf(options);
  const target = await targetAt(to, settings);
  assertPublic(target);
  target.assertFits?.(serialize(halves));
  const secret = privately && (await targetAt(privately, settings));
  if (secret !== undefined) assertNotPublic(secret, target);
  const whole = secret && (await withoutLocks(entries, source.shown, settings));
  if (whole !== undefined) secret?.assertFits?.(serialize(whole));
  const write = (at: Target, content: Published['content'], chosen: readonly KeySetEntry[]) =>
    written(at, content, chosen, options, settings);
  return {
    left: left.map(describe),
    dropped: [
      { address: target.shown, keys: missing(target, halves) },
      ...(secret === undefined ? [] : [{ address: secret.shown, keys: missing(secret, entries) }]),
    ].filter(({ keys }) => keys.length > 0),
    writePrivate: async () => secret && write(secret, 'private', whole!),
    writePublic: () => write(target, 'public', halves),
  };
}

/** @throws SealdropError `usage` where whoever is handed these halves could encrypt to none */
export function assertEncrypts(halves: readonly KeySetEntry[], shown: string): void {
  if (halves.some(({ state }) => state === 'active')) return;
  throw new SealdropError('usage', `${shown} has no active key with a public half to publish`, {
    hint: 'make one first: sealdrop keys add; or take one into use again: sealdrop keys retire NAME --undo',
  });
}

/** @throws SealdropError `usage` */
function placesOf({ name, withPrivate }: PublishOptions): [Place, Place | undefined] {
  const to = placeNamed(name, '--name');
  if (withPrivate === undefined) return [to, undefined];
  const privately = placeNamed(withPrivate, '--with-private');
  if (privately.kind === 'parameter')
    throw new SealdropError('usage', 'private halves go into a secret, not into a parameter', {
      hint: '--with-private NAME of a secret',
    });
  // Before there is a secret, its ARN is unknown.
  const names = namesOf(privately);
  if (to.kind === 'secret' && namesOf(to).some((each) => names.includes(each))) throw onePlace();
  return [to, privately];
}

/** An ARN ends in the name, and in six characters more where it is a whole one. */
function namesOf({ name }: Place): string[] {
  const of = /^arn:[^:]*:secretsmanager:[^:]*:[^:]*:secret:(.+)$/.exec(name)?.[1];
  return of === undefined ? [name] : [of, of.replace(/-[^-/]{6}$/, '')];
}

const onePlace = () =>
  new SealdropError('usage', 'the private halves cannot go to where the public ones are', {
    hint: 'whoever encrypts reads that secret: name another one with --with-private',
  });

function placeNamed(text: string, option: string): Place {
  const place = parseKeyLocation(/^(ssm|secretsmanager):/.test(text) ? text : `secretsmanager:${text}`);
  if (place.kind !== 'file' && /^[\w/+=.@:-]+$/.test(place.name)) return place;
  throw new SealdropError('usage', `${printable(text)} cannot be the name of a secret`, {
    hint: `${option} takes letters, digits and /_+=.@-`,
  });
}

async function targetAt(place: Place, settings: KeySetSettings): Promise<Target> {
  const value = await openKept(place, settings);
  const shown = shownLocation(place);
  try {
    const kept = await value.read();
    const about = await value.about?.();
    const keys = kept === undefined ? [] : await keysIn(kept, shown);
    return { place, shown, kept, about, keys, assertFits: value.assertFits };
  } finally {
    value.close();
  }
}

/** Whatever else has been put under a name that was mistyped must stay. */
async function keysIn(kept: Kept, shown: string): Promise<KeyDescription[]> {
  try {
    return (await readManagedSet(kept.bytes.reveal(), shown)).entries.map(describe);
  } catch (error) {
    if (!isSealdropError(error)) throw error;
    throw new SealdropError(
      'target_exists',
      `${shown} holds something else than a key set: ${error.message}`,
      {
        hint: 'name another secret; if that one is to be replaced, delete it first',
      },
    );
  }
}

const isTagged = ({ about }: Target, content: Published['content']): boolean =>
  about?.tags[CONTENT_TAG] === contentTag(content);

const contentTag = (content: Published['content']): string => `${content}-key-set`;

const isPrivate = ({ keys }: Target): boolean =>
  keys.some(({ holds }) => holds === 'private' || holds === 'secret');

function assertPublic(target: Target): void {
  const { shown } = target;
  if (isTagged(target, 'private') && !isPrivate(target))
    throw new SealdropError('target_exists', `${shown} is tagged as a secret for private keys`, {
      hint: `name another secret with --name, or take its tag ${CONTENT_TAG} away`,
    });
  if (!isPrivate(target)) return;
  throw new SealdropError(
    'target_exists',
    `${shown} holds private keys: the public set would take their place`,
    {
      hint: 'name another secret with --name; a private set is written with --with-private',
    },
  );
}

function assertNotPublic(target: Target, to: Target): void {
  const { kept, about, shown } = target;
  if (about !== undefined && about.arn === to.about?.arn) throw onePlace();
  if (!isTagged(target, 'public') && (kept === undefined || isPrivate(target))) return;
  throw new SealdropError('target_exists', `${shown} holds public halves: whoever encrypts may read it`, {
    hint: 'name another secret with --with-private',
  });
}

/** A function that decrypts has nobody to ask for a passphrase. */
async function withoutLocks(entries: readonly KeySetEntry[], shown: string, { passphrase }: KeySetSettings) {
  const locked = entries.some(({ privateKey = '' }) => isLocked(privateKey));
  return locked ? unlocked(entries, shown, await passphrase?.(shown)) : [...entries];
}

const idOf = ({ namespace, name, fingerprint }: KeyDescription): string =>
  JSON.stringify([namespace, name, fingerprint]);

function missing({ keys }: Target, entries: readonly KeySetEntry[]): KeyDescription[] {
  const there = new Set(entries.map(describe).map(idOf));
  return keys.filter((key) => !there.has(idOf(key)));
}

async function written(
  { place, shown, kept }: Target,
  content: Published['content'],
  entries: readonly KeySetEntry[],
  { kmsKey, tags = {} }: PublishOptions,
  settings: KeySetSettings,
): Promise<Published> {
  const value = await openKept(place, settings);
  try {
    const to = await value.write(serialize(entries), {
      replaces: kept?.version,
      tags: { ...tags, [CONTENT_TAG]: contentTag(content) },
      description: `sealdrop: ${content === 'public' ? 'keys to encrypt to' : 'keys that open'}`,
      ...(kmsKey !== undefined && place.kind === 'secret' && { kmsKey }),
    });
    const keys = entries.map(describe);
    return { address: shown, arn: to.arn, content, created: to.created, keys, policy: policyFor(place, to) };
  } finally {
    value.close();
  }
}

/** Statements of IAM, for the role of whoever reads it. */
function policyFor({ kind }: Place, { arn, kmsKey }: Written): object[] {
  const action = kind === 'secret' ? 'secretsmanager:GetSecretValue' : 'ssm:GetParameter';
  const read = { Effect: 'Allow', Action: action, Resource: arn };
  if (kmsKey === undefined) return [read];
  const [, partition, , region, account] = arn.split(':');
  const keys = `arn:${partition}:kms:${region}:${account}:key`;
  const via = { 'kms:ViaService': `secretsmanager.${region}.amazonaws.com` };
  // A policy cannot name a key by its alias.
  const alias = /(?:^|:)(alias\/.+)$/.exec(kmsKey)?.[1];
  const key =
    alias === undefined
      ? {
          Resource: kmsKey.startsWith('arn:') ? kmsKey : `${keys}/${kmsKey}`,
          Condition: { StringEquals: via },
        }
      : {
          Resource: `${keys}/*`,
          Condition: { StringEquals: via, 'ForAnyValue:StringEquals': { 'kms:ResourceAliases': alias } },
        };
  return [read, { Effect: 'Allow', Action: 'kms:Decrypt', ...key }];
}
