/** What a gateway does with one source version (design, "The event pipeline", steps 3 to 5). */
import { isSealdropError, SealdropError } from '../errors.js';
import type { Encryptor, ObjectInfo, ObjectStore, WriteCondition } from '../ports.js';
import { printable } from '../printable.js';
import type { Secret } from '../secret.js';
import { objectContext } from '../transfer/context.js';
import { readMetadata } from '../transfer/metadata.js';
import { put } from '../transfer/put.js';
import type { Source } from '../transfer/source.js';
import { assertStorableKey } from '../vault-key.js';
import { isTokenOf, sourceToken, type Destination, type SourceVersion } from './source-token.js';

export interface EncryptObjectJob {
  source: Source;
  from: SourceVersion;
  vaultKey: string;
  store: ObjectStore;
  encryptor: Encryptor;
  idempotencyKey: Secret<Buffer>;
  /** Look at the object when it was stored: for a source that is removed then. */
  confirm?: boolean;
  signal?: AbortSignal;
}

/** `duplicate`: this very version is in the vault already. */
export interface Stored {
  outcome: 'stored' | 'duplicate';
  plaintextSize: number;
  size: number;
}

/**
 * Stores one version of a source unless it is there already. The source is closed in every case.
 * @throws SealdropError; nothing of this version is in the vault then
 */
export async function encryptObject(job: EncryptObjectJob): Promise<Stored> {
  const { source, from, vaultKey, store, encryptor, idempotencyKey, signal } = job;
  try {
    assertStorableKey(vaultKey);
    store.assertStorable(vaultKey);
    const present = await look(store, vaultKey, signal);
    if (present !== undefined && isSame(present, job))
      return { outcome: 'duplicate', plaintextSize: source.size ?? 0, size: present.size };
    const condition: WriteCondition = present === undefined ? { absent: true } : { ifMatch: present.etag };
    const sourceTokenValue = sourceToken(idempotencyKey, from, destinationOf(job));
    const report = await put({
      ...{ source, store, key: vaultKey, encryptor, condition, signal },
      sourceToken: sourceTokenValue,
    });
    if (job.confirm === true) await assertThere(job);
    return { outcome: 'stored', plaintextSize: report.plaintextSize, size: report.size };
  } finally {
    await source.close();
  }
}

/** The object that stands under the key. Without the right to list, 403 may mean absent: the condition decides. */
async function look(store: ObjectStore, key: string, signal?: AbortSignal): Promise<ObjectInfo | undefined> {
  try {
    return await store.head(key, { signal });
  } catch (error) {
    if (isSealdropError(error) && ['object_not_found', 'access_denied'].includes(error.code))
      return undefined;
    throw error;
  }
}

/** An answer of 200 to an upload is a claim; that the object is there afterwards, with our token and its size, is more. */
async function assertThere(job: EncryptObjectJob): Promise<void> {
  const { store, vaultKey, signal } = job;
  const address = printable(store.address(vaultKey));
  const seen = await store.head(vaultKey, { signal }).catch((cause: unknown) => {
    if (!isSealdropError(cause) || cause.code !== 'access_denied') throw cause;
    throw new SealdropError('access_denied', `${address} was stored, and may not be looked at`, {
      cause,
      hint: 'only what is seen in the vault is removed here: allow s3:GetObject (HEAD), or use --after keep',
    });
  });
  if (isSame(seen, job)) return;
  throw new SealdropError('upload_corrupted', `${address} is not what was stored there just now`, {
    retryable: true,
    hint: 'something else writes there, or the store did not keep it: the source was left where it is',
  });
}

const destinationOf = ({ vaultKey, encryptor }: EncryptObjectJob): Destination => ({
  vaultKey,
  recipients: encryptor.recipients.map(({ fingerprint }) => fingerprint),
});

/** A valid token of this version, and a size that can be this source's: otherwise it is stored again. */
function isSame(present: ObjectInfo, job: EncryptObjectJob): boolean {
  const { source, from, vaultKey, encryptor, idempotencyKey } = job;
  const { source: token, size } = readMetadata(present.metadata);
  if (!isTokenOf(token, idempotencyKey, from, destinationOf(job))) return false;
  if (source.size === undefined || size !== source.size) return false;
  const expected = encryptor.ciphertextSize(source.size, objectContext(vaultKey));
  return expected.exact ? present.size === expected.bytes : present.size <= expected.bytes;
}
