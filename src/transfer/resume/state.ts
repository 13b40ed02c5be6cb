/**
 * What is kept of a put that a later run may go on with: lines of JSON. The first says what it is of, and has the header and the
 * data key; then each extent's digest, before anything of it was sent, and each part that the store has.
 */
import { isDeepStrictEqual } from 'node:util';
import { UPLOAD_ENTRY, type KeptMessage, type SentPart } from '../../ports.js';
import { Secret } from '../../secret.js';

/** What must be the same for an upload to be gone on with. Numbers of files in decimal. */
export interface Identity {
  readonly host: string;
  readonly source: {
    readonly path: string;
    readonly device: string;
    readonly inode: string;
    readonly size: number;
    readonly modified: string;
    readonly changed: string;
  };
  /** The store, the bucket and the key in it. */
  readonly place: string;
  readonly key: string;
  readonly terms: string;
  readonly partSize: number;
  /** Namespace, name and fingerprint of each. */
  readonly recipients: readonly (readonly string[])[];
  readonly metadata: Readonly<Record<string, string>>;
}

export interface Begun {
  readonly identity: Identity;
  readonly upload: { readonly id: string; readonly agreed: string };
  readonly message: KeptMessage;
  readonly digestKey: Secret<Uint8Array>;
}

export interface State extends Begun {
  /** By the number of the part. */
  readonly digests: ReadonlyMap<number, string>;
  readonly sent: ReadonlyMap<number, SentPart>;
  /** Bytes of the file that were understood: behind them is the rest of a line that was never written to its end. */
  readonly length: number;
}

const VERSION = 1;

export function firstLine({ identity, upload, message, digestKey }: Begun): string {
  return JSON.stringify({
    version: VERSION,
    ...identity,
    ...{ upload: upload.id, agreed: upload.agreed },
    header: Buffer.from(message.header).toString('base64'),
    dataKey: Buffer.from(message.dataKey.reveal()).toString('base64'),
    digestKey: Buffer.from(digestKey.reveal()).toString('base64'),
  });
}

export const extentLine = (number: number, digest: string): string =>
  JSON.stringify({ extent: number, digest });

export const partLine = (part: SentPart): string => JSON.stringify({ part });

/** What differs, for a user; undefined where nothing does. The entry that each put makes anew is no difference. */
export function difference(kept: Identity, now: Identity): string | undefined {
  const of = ({ metadata: { [UPLOAD_ENTRY]: _own, ...metadata }, ...rest }: Identity) => ({
    ...rest,
    metadata,
  });
  const [a, b] = [of(kept), of(now)];
  if (isDeepStrictEqual(a, b)) return undefined;
  if (!isDeepStrictEqual(a.source, b.source)) return 'the file is another one, or was changed since';
  if (a.host !== b.host) return 'it was begun on another machine';
  return isDeepStrictEqual(a.recipients, b.recipients)
    ? 'it was begun with other options'
    : 'it was begun for other keys';
}

/** @returns undefined for what no run wrote, as far as it can be told: nothing must be gone on with then */
export function readState(bytes: Buffer): State | undefined {
  const length = bytes.lastIndexOf('\n') + 1;
  const lines = bytes.toString('utf8', 0, length).split('\n').slice(0, -1);
  try {
    const [first, ...rest] = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    const begun = first && readBegun(first);
    if (begun === undefined) return undefined;
    const digests = new Map<number, string>();
    const sent = new Map<number, SentPart>();
    for (const line of rest)
      if (isPart(line.part)) sent.set(line.part.number, line.part);
      else if (isNextDigest(line, digests)) digests.set(digests.size + 1, line.digest);
      else return undefined;
    return { ...begun, digests, sent, length };
  } catch {
    return undefined;
  }
}

/** They are written in order, each once. */
function isNextDigest(
  line: Record<string, unknown>,
  { size }: ReadonlyMap<number, string>,
): line is { extent: number; digest: string } {
  return line.extent === size + 1 && typeof line.digest === 'string' && line.digest.length === 24;
}

function isPart(value: unknown): value is SentPart {
  if (typeof value !== 'object' || value === null) return false;
  const { number, size, etag, checked, crc32 = '', encryption = '' } = value as Record<string, unknown>;
  return (
    [number, size].every((each) => Number.isSafeInteger(each) && (each as number) > 0) &&
    [etag, checked, crc32, encryption].every((each) => typeof each === 'string')
  );
}

function readBegun(line: Record<string, unknown>): Begun | undefined {
  const { version, upload, agreed, header, dataKey, digestKey, ...identity } = line;
  const texts = [upload, agreed, header, dataKey, digestKey];
  if (version !== VERSION || !texts.every((each) => typeof each === 'string' && each !== ''))
    return undefined;
  const [id, by, ...encoded] = texts as string[];
  const [sealed, key, macKey] = encoded.map((text) => Uint8Array.from(Buffer.from(text, 'base64')));
  return {
    // Compared as a whole with that of now: what is not like it is no identity of anything.
    identity: identity as unknown as Identity,
    upload: { id: id!, agreed: by! },
    message: { header: Buffer.from(sealed!), dataKey: new Secret(key!) },
    digestKey: new Secret(macKey!),
  };
}
