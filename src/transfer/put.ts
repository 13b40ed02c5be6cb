import type { BigIntStats } from 'node:fs';
import { createHash } from 'node:crypto';
import { isSealdropError, SealdropError } from '../errors.js';
import {
  UPLOAD_ENTRY,
  type BegunMessage,
  type ByteSource,
  type Encryptor,
  type ObjectStore,
  type PutResult,
  type UnfinishedUpload,
  type WriteCondition,
} from '../ports.js';
import { assertStorableKey } from '../vault-key.js';
import { EMPTY_DIRECTORY, keptPairs, MTIME_PAIR } from './attributes.js';
import { BesideObject } from './beside-object.js';
import { objectContext } from './context.js';
import type { ManifestEntry } from './manifest.js';
import { KEYS, objectMetadata, type Metadata } from './metadata.js';
import { assertMetadataKept } from './metadata-kept.js';
import { hashed } from './hashed.js';
import { assertNotInstruction } from './instruction-file.js';
import type { Source } from './source.js';

export interface PutJob {
  source: Source;
  store: ObjectStore;
  key: string;
  encryptor: Encryptor;
  /** The user's own pairs. */
  context?: Readonly<Record<string, string>>;
  /** Plaintext bytes to expect where the source cannot say; for choosing part sizes. */
  expectedSize?: number;
  /** False: refuse to replace an object. Default true. */
  overwrite?: boolean;
  condition?: WriteCondition;
  /** Look for uploads that somebody left unfinished. Default true. */
  lookForUnfinished?: boolean;
  /** Keep the file's modification time and permissions. */
  preserve?: boolean;
  /** Names a directory that has nothing in it: what is stored is a marker. */
  emptyDirectory?: boolean;
  /** `sealdrop-source` of a gateway. */
  sourceToken?: string;
  /** More of the object's metadata. */
  metadata?: Readonly<Record<string, string>>;
  /** Takes it into a manifest when it is stored; what this throws is the put's failure. */
  record?: (entry: ManifestEntry) => Promise<void>;
  signal?: AbortSignal;
  /** Plaintext bytes read, added up. */
  onProgress?: (bytes: number) => void;
}

export interface PutReport extends PutResult {
  readonly key: string;
  readonly plaintextSize: number;
  /** Uploads of the same key that somebody began and nobody ended: they take room at the store. */
  readonly unfinished: readonly UnfinishedUpload[];
}

/**
 * Encrypts a source into a vault. The object is there when this resolves, and its bytes or size were checked; when it
 * rejects, nothing of it is, and what stood there before still stands. Two errors leave that open: `upload_corrupted`, and
 * a store that went silent while it was completing.
 */
export async function put(job: PutJob): Promise<PutReport> {
  const { source, store, key, encryptor, signal } = job;
  try {
    assertStorableKey(key);
    store.assertStorable(key);
    const context = contextOf(job);
    if (job.overwrite === false) await assertAbsent(store, key, signal);
    const guard = await assertNotInstruction(store, key, signal);
    const look = job.lookForUnfinished !== false;
    const unfinished = look ? store.unfinished(key, { signal }).catch(() => []) : [];
    let read = 0;
    const plaintext = counted(source.read(), (bytes) => {
      read = bytes;
      job.onProgress?.(bytes);
    });
    const begun = await encryptor.begin?.(context, source.size);
    const metadata = metadataOf(job, begun);
    const beside = await fileOf(job, begun, metadata);
    const message =
      begun === undefined
        ? encryptor.encrypt(plaintext, context, { transient: true })
        : begun.encrypt(plaintext, { transient: true });
    const hash = job.record && createHash('sha256');
    const sent = beside === undefined ? message : followed(message, () => beside.place());
    const result = await store
      .put(key, hash === undefined ? sent : hashed(sent, hash), {
        ...announced(job, context),
        metadata,
        condition: job.condition ?? (job.overwrite === false ? { absent: true } : guard),
        signal,
      })
      .then(async (stored) => {
        if (begun !== undefined)
          await assertMetadataKept(store, { key, etag: stored.etag, metadata: begun.metadata });
        return stored;
      })
      .catch(async (error: unknown) => {
        // What it fails with is less than what failed before.
        await beside?.undo().catch(() => undefined);
        throw error;
      });
    await beside?.settle();
    // They were listed while ours was under way.
    const others = (await unfinished).filter(({ id }) => id !== result.upload);
    if (hash !== undefined) await job.record?.({ key, size: result.size, sha256: hash.digest('hex') });
    return { ...result, key, plaintextSize: read, unfinished: others };
  } finally {
    await source.close();
  }
}

/** An envelope that is not bound to its key carries the user's own pairs alone: other readers have to know them all. */
export function contextOf(job: PutJob): Readonly<Record<string, string>> {
  if (job.encryptor.begin !== undefined) return objectContext(undefined, job.context);
  return messageContext(job, job.source.stats);
}

export function metadataOf(job: PutJob, begun?: BegunMessage): Metadata {
  const { source, encryptor, sourceToken } = job;
  const stats = job.preserve === true ? source.stats : undefined;
  const mtime = stats && keptPairs(stats)[MTIME_PAIR];
  const { [KEYS]: keys, ...own } = objectMetadata(encryptor, {
    size: source.size,
    source: sourceToken,
    mtime,
  });
  return {
    ...own,
    // Where the wrapped key lies in a file, so does what says whose it is: a rewrap replaces them together.
    ...(keys !== undefined && begun?.instruction === undefined && { [KEYS]: keys }),
    ...begun?.metadata,
    ...job.metadata,
  };
}

/** What is in its way is found before anything is sent. */
async function fileOf(
  { store, key, encryptor, signal }: PutJob,
  begun: BegunMessage | undefined,
  metadata: Metadata,
): Promise<BesideObject | undefined> {
  if (begun?.instruction === undefined) return undefined;
  const upload = metadata[UPLOAD_ENTRY]!;
  const fingerprint = encryptor.recipients[0]!.fingerprint;
  const beside = new BesideObject({ store, key, bytes: begun.instruction, fingerprint, upload, signal });
  await beside.look();
  return beside;
}

/** The store sees the end, and completes what it has, only after `act`. */
async function* followed(source: ByteSource, act: () => Promise<void>): AsyncGenerator<Uint8Array> {
  yield* source;
  await act();
}

/**
 * All pairs of a message that `put` makes.
 * @param stats of the file, where it is one
 * @throws SealdropError `reserved_context`
 */
export function messageContext(
  { key, context, preserve, emptyDirectory }: Pick<PutJob, 'key' | 'context' | 'preserve' | 'emptyDirectory'>,
  stats?: BigIntStats,
): Readonly<Record<string, string>> {
  return {
    ...objectContext(key, context),
    ...(preserve === true && stats !== undefined && keptPairs(stats)),
    ...(emptyDirectory === true && EMPTY_DIRECTORY),
  };
}

/** Exact where it can be: signed messages vary by some bytes, and a stream's size is somebody's guess. */
function announced({ source, encryptor, expectedSize }: PutJob, context: Readonly<Record<string, string>>) {
  const plaintext = source.size ?? expectedSize;
  if (plaintext === undefined) return {};
  const { bytes, exact } = encryptor.ciphertextSize(plaintext, context);
  return exact && source.size !== undefined ? { size: bytes } : { expectedSize: bytes };
}

/** @throws SealdropError `target_exists` */
export async function assertAbsent(store: ObjectStore, key: string, signal?: AbortSignal): Promise<void> {
  const found = await store.head(key, { signal }).catch((error: unknown) => {
    // Without the right to list, stores answer 403 for an absent object: the conditional write decides then.
    if (isSealdropError(error) && ['object_not_found', 'access_denied'].includes(error.code))
      return undefined;
    throw error;
  });
  if (found === undefined) return;
  throw new SealdropError('target_exists', `${store.address(key)} is there already`, {
    hint: 'name another key, or leave --no-overwrite out',
  });
}

export async function* counted(
  source: ByteSource,
  onBytes: (total: number) => void,
): AsyncGenerator<Uint8Array> {
  let total = 0;
  onBytes(total);
  for await (const piece of source) {
    total += piece.length;
    onBytes(total);
    yield piece;
  }
}
