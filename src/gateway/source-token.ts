/**
 * `sealdrop-source`: which version of which source an object was made from, so that a gateway knows after a restart
 * what it has stored. A secret of the deployment proves the claim; without a valid token nothing follows from it.
 * It holds no digest of the plaintext, and no ETag (a single-part ETag is the plaintext's MD5).
 *
 * `v1.VERSION.SEQUENCER.STATE.MODIFIED.RECIPIENTS.MAC`: the version id in base64url and the sequencer, readable, and
 * empty where there is none; an HMAC of the state for a source without versions; when it was modified, in seconds; an HMAC
 * of the recipients; an HMAC of all this with inbox, key and vault key.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Secret } from '../secret.js';

/** Where a source stands. */
export interface SourceObject {
  /** Which inbox. */
  readonly inbox: string;
  readonly key: string;
}

/** What `PUT /v1/objects` writes comes from there. No bucket can be called so. */
export const putSource = (vaultKey: string): SourceObject => ({ inbox: 'PUT /v1/objects', key: vaultKey });

export interface SourceVersion extends SourceObject {
  /** The version id, where the source has versions. */
  readonly version?: string | undefined;
  /** Elsewhere whatever changes when the source's content does: an ETag, a file's size and times. */
  readonly state?: string | undefined;
  /** Hex digits that order the versions of one key, where the store gave them. */
  readonly sequencer?: string | undefined;
  readonly modified?: Date | undefined;
}

/** Where an object of the source stands, and who can open it. */
export interface Destination {
  readonly vaultKey: string;
  /** Fingerprints. What was encrypted to other keys is no duplicate: those may be lost. */
  readonly recipients: readonly string[];
}

/** What a valid token says. */
export interface SourceClaim {
  /** Absent where the source has none, or one too long to be written down. */
  readonly version: string | undefined;
  readonly sequencer: string | undefined;
  /** In seconds. */
  readonly modified: number | undefined;
  /** Whether the object was made from this version, whoever can open it. */
  isOf(version: Pick<SourceVersion, 'version' | 'state'>): boolean;
  /** Whether it was encrypted to the destination's recipients. */
  readonly sameRecipients: boolean;
}

const PREFIX = 'v1';
/** Longer ones would not fit into metadata: their HMAC stands for them. AWS's have 32 characters. */
const MAX_VERSION_LENGTH = 200;

type Key = Secret<Buffer>;

export function sourceToken(key: Key, source: SourceVersion, to: Destination): string {
  const [version, state] = identity(key, source, source);
  const modified = source.modified === undefined ? '' : String(secondsOf(source.modified));
  const fields = [version, sequencerField(source.sequencer), state, modified, recipientsField(key, to)];
  return [PREFIX, ...fields, mac(key, ['token', ...placeOf(source, to), ...fields])].join('.');
}

/** What a token says of an object of this source at this destination; undefined where it proves nothing. */
export function readSourceToken(
  token: string | undefined,
  key: Key,
  source: SourceObject,
  to: Destination,
): SourceClaim | undefined {
  const [prefix, version, sequencer, state, modified, recipients, tag, ...rest] = (token ?? '').split('.');
  if (prefix !== PREFIX || tag === undefined || rest.length > 0) return undefined;
  const fields = [version!, sequencer!, state!, modified!, recipients!];
  if (!isEqual(tag, mac(key, ['token', ...placeOf(source, to), ...fields]))) return undefined;
  return {
    version: version === '' ? undefined : Buffer.from(version!, 'base64url').toString(),
    sequencer: sequencer === '' ? undefined : sequencer,
    modified: modified === '' ? undefined : Number(modified),
    isOf: (other) => {
      const [otherVersion, otherState] = identity(key, source, other);
      return otherVersion === version && otherState === state;
    },
    sameRecipients: recipients === recipientsField(key, to),
  };
}

/** The fields for version and state: one of them is empty. */
function identity(
  key: Key,
  { inbox, key: name }: SourceObject,
  { version, state }: Pick<SourceVersion, 'version' | 'state'>,
): [string, string] {
  if (version !== undefined && version.length <= MAX_VERSION_LENGTH)
    return [Buffer.from(version).toString('base64url'), ''];
  const kind = version === undefined ? 'state' : 'version';
  return ['', mac(key, [kind, inbox, name, version ?? state ?? ''])];
}

/** S3's own resolution. */
export const secondsOf = (time: Date): number => Math.floor(time.getTime() / 1000);

/** What is no sequencer orders nothing. */
const sequencerField = (sequencer = ''): string => (isSequencer(sequencer) ? sequencer : '');

export const isSequencer = (text: unknown): text is string =>
  typeof text === 'string' && /^[0-9A-Fa-f]{1,64}$/.test(text);

const recipientsField = (key: Key, { recipients }: Destination): string =>
  mac(key, ['recipients', ...[...recipients].sort()]);

const placeOf = ({ inbox, key }: SourceObject, { vaultKey }: Destination): string[] => [inbox, key, vaultKey];

function isEqual(found: string, expected: string): boolean {
  const [a, b] = [Buffer.from(found), Buffer.from(expected)];
  return a.length === b.length && timingSafeEqual(a, b);
}

function mac(key: Key, fields: readonly string[]): string {
  return createHmac('sha256', key.reveal()).update(JSON.stringify(fields)).digest('base64url');
}
