/** What a gateway does with one version of a source that it has opened (design, "The event pipeline", steps 3 to 5). */
import { isSealdropError, SealdropError } from '../errors.js';
import {
  isOfSize,
  pinned,
  type Encryptor,
  type ObjectInfo,
  type ObjectStore,
  type PutResult,
  type WriteCondition,
} from '../ports.js';
import { printable } from '../printable.js';
import type { Secret } from '../secret.js';
import { objectContext } from '../transfer/context.js';
import { readMetadata } from '../transfer/metadata.js';
import { put } from '../transfer/put.js';
import type { Source } from '../transfer/source.js';
import { assertStorableKey } from '../vault-key.js';
import {
  putSource,
  readSourceToken,
  secondsOf,
  sourceToken,
  type Destination,
  type SourceClaim,
  type SourceObject,
  type SourceVersion,
} from './source-token.js';

export interface EncryptingJob {
  from: SourceVersion;
  vaultKey: string;
  store: ObjectStore;
  encryptor: Encryptor;
  idempotencyKey: Secret<Buffer>;
  signal?: AbortSignal | undefined;
}

export interface EncryptObjectJob extends EncryptingJob {
  source: Source;
  /**
   * Asked where another version of the same source is in the vault: whether this one is the later of them. By default it
   * is: a file that can be read is the one that is there now.
   */
  isLater?: (held: SourceClaim) => Promise<boolean>;
  /** Look at the object when it was stored: for a source that is removed then. */
  confirm?: boolean;
}

/** `duplicate`: this very version is in the vault already; `stale`: a later one is, or what came later through the API. */
export interface Stored {
  outcome: 'stored' | 'duplicate' | 'stale';
  plaintextSize: number;
  size: number;
  /** What the store answered, if it was written to. */
  written?: PutResult;
}

/**
 * Stores one version of a source unless it, or a later one, is there already. The source is closed in every case.
 * @throws SealdropError; nothing of this version counts as stored then. `precondition_failed`, retryable: somebody else
 * wrote there at the same time
 */
export async function encryptObject(given: EncryptObjectJob): Promise<Stored> {
  // What is judged, written and looked at again is for the same recipients.
  const job = { ...given, encryptor: pinned(given.encryptor) };
  const { source, from, vaultKey, store, encryptor, idempotencyKey, signal } = job;
  try {
    const seen = await judge(job, source.size, job.isLater);
    if (seen.verdict !== 'write')
      return { outcome: seen.verdict, plaintextSize: source.size ?? 0, size: seen.size };
    const written = await put({
      ...{ source, store, key: vaultKey, encryptor, condition: seen.condition, signal },
      sourceToken: sourceToken(idempotencyKey, from, destinationOf(job)),
      // Nobody would be told, and it is a request for each file.
      lookForUnfinished: false,
    }).catch(async (error: unknown) => {
      throw await raced(error, seen.denied, job);
    });
    if (job.confirm === true) await assertThere(job);
    const { plaintextSize, size } = written;
    return { outcome: 'stored', plaintextSize, size, written };
  } finally {
    await source.close();
  }
}

export type Judgement =
  | { readonly verdict: 'duplicate' | 'stale'; readonly size: number }
  | { readonly verdict: 'write'; readonly condition: WriteCondition; readonly denied: boolean };

/**
 * What is to be done with a version of a source, by what is in the vault.
 * @param size bytes of plaintext, where known
 * @throws SealdropError `key_not_storable`, what HEAD can fail with
 */
export async function judge(
  job: EncryptingJob,
  size: number | undefined,
  isLater?: EncryptObjectJob['isLater'],
): Promise<Judgement> {
  assertStorableKey(job.vaultKey);
  job.store.assertStorable(job.vaultKey);
  const { present, denied } = await look(job);
  if (present === undefined) return { verdict: 'write', condition: { absent: true }, denied };
  const { held, put } = heldIn(present, job);
  if (held !== undefined && isSame(present, held, job, size))
    return { verdict: 'duplicate', size: present.size };
  if (held !== undefined && !held.isOf(job.from) && isLater !== undefined && !(await isLater(held)))
    return { verdict: 'stale', size: present.size };
  if (put !== undefined && !isAfter(job.from, put)) return { verdict: 'stale', size: present.size };
  return { verdict: 'write', condition: { ifMatch: present.etag }, denied };
}

interface Look {
  readonly present?: ObjectInfo;
  /** Without the right to list, 403 may mean absent: the write's condition decides. */
  readonly denied: boolean;
}

async function look({ store, vaultKey, signal }: EncryptingJob): Promise<Look> {
  try {
    return { present: await store.head(vaultKey, signal && { signal }), denied: false };
  } catch (error) {
    const code = isSealdropError(error) ? error.code : undefined;
    if (code !== 'object_not_found' && code !== 'access_denied') throw error;
    return { denied: code === 'access_denied' };
  }
}

/** What the token of an object in the vault proves: that it is of this source, or that the API has put it, or neither. */
export interface Held {
  readonly held?: SourceClaim | undefined;
  readonly put?: SourceClaim | undefined;
}

export async function lookForHeld(job: EncryptingJob): Promise<Held> {
  const { present } = await look(job);
  return present === undefined ? {} : heldIn(present, job);
}

function heldIn(present: ObjectInfo, job: EncryptingJob): Held {
  const { source: token } = readMetadata(present.metadata);
  const read = (source: SourceObject) =>
    readSourceToken(token, job.idempotencyKey, source, destinationOf(job));
  return { held: read(job.from), put: read(putSource(job.vaultKey)) };
}

/** In doubt it is not: then both are kept, one in the vault and one at its source. */
const isAfter = ({ modified }: SourceVersion, put: SourceClaim): boolean =>
  modified !== undefined && put.modified !== undefined && secondsOf(modified) > put.modified;

/**
 * Somebody wrote between look and write: the next try sees it. Where the look was denied, the object may only have been
 * absent then, so it is looked at again: whoever may not look at all would try for ever.
 */
async function raced(error: unknown, denied: boolean, job: EncryptingJob): Promise<unknown> {
  if (!isSealdropError(error) || error.code !== 'precondition_failed') return error;
  if (!denied || !(await look(job)).denied)
    return new SealdropError(error.code, error.message, { cause: error, retryable: true });
  const address = printable(job.store.address(job.vaultKey));
  return new SealdropError(error.code, `${address} is there already, and may not be looked at`, {
    cause: error,
    hint: 'the gateway has to see what is stored: allow s3:GetObject (HEAD) to its credentials',
  });
}

/** An answer of 200 to an upload is a claim; that the object is there afterwards, with our token and its size, is more. */
async function assertThere(job: EncryptObjectJob): Promise<void> {
  const { store, vaultKey, signal } = job;
  const address = printable(store.address(vaultKey));
  const seen = await store.head(vaultKey, signal && { signal }).catch((cause: unknown) => {
    if (!isSealdropError(cause) || cause.code !== 'access_denied') throw cause;
    throw new SealdropError('access_denied', `${address} was stored, and may not be looked at`, {
      cause,
      hint: 'only what is seen in the vault is removed here: allow s3:GetObject (HEAD), or use --after keep',
    });
  });
  const { held } = heldIn(seen, job);
  if (held !== undefined && isSame(seen, held, job, job.source.size)) return;
  throw new SealdropError('upload_corrupted', `${address} is not what was stored there just now`, {
    retryable: true,
    hint: 'something else writes there, or the store did not keep it: the source was left where it is',
  });
}

const destinationOf = ({ vaultKey, encryptor }: EncryptingJob): Destination => ({
  vaultKey,
  recipients: encryptor.recipients.map(({ fingerprint }) => fingerprint),
});

/** This version, for these recipients, with a size that can be this source's: otherwise it is stored again. */
function isSame(
  present: ObjectInfo,
  held: SourceClaim,
  { from, vaultKey, encryptor }: EncryptingJob,
  plaintextSize: number | undefined,
): boolean {
  if (!held.isOf(from) || !held.sameRecipients) return false;
  const { size, format } = readMetadata(present.metadata);
  // One size may be that of several formats.
  if (format !== undefined && format !== encryptor.format) return false;
  if (plaintextSize === undefined || size !== plaintextSize) return false;
  return isOfSize(present.size, encryptor.ciphertextSize(plaintextSize, objectContext(vaultKey)));
}
