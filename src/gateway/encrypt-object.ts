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
 * @throws SealdropError; nothing of this version counts as stored then
 */
export async function encryptObject(job: EncryptObjectJob): Promise<Stored> {
  const { source, from, vaultKey, store, encryptor, idempotencyKey, signal } = job;
  try {
    assertStorableKey(vaultKey);
    store.assertStorable(vaultKey);
    const { present, denied } = await look(store, vaultKey, signal);
    if (present !== undefined && isSame(present, job))
      return { outcome: 'duplicate', plaintextSize: source.size ?? 0, size: present.size };
    const condition: WriteCondition = present === undefined ? { absent: true } : { ifMatch: present.etag };
    const sourceTokenValue = sourceToken(idempotencyKey, from, destinationOf(job));
    const report = await put({
      ...{ source, store, key: vaultKey, encryptor, condition, signal },
      sourceToken: sourceTokenValue,
      // Nobody would be told, and it is a request for each file.
      lookForUnfinished: false,
    }).catch((error: unknown) => {
      throw raced(error, denied, printable(store.address(vaultKey)));
    });
    if (job.confirm === true) await assertThere(job);
    return { outcome: 'stored', plaintextSize: report.plaintextSize, size: report.size };
  } finally {
    await source.close();
  }
}

interface Look {
  readonly present?: ObjectInfo;
  /** Without the right to list, 403 may mean absent: the write's condition decides. */
  readonly denied: boolean;
}

async function look(store: ObjectStore, key: string, signal?: AbortSignal): Promise<Look> {
  try {
    return { present: await store.head(key, { signal }), denied: false };
  } catch (error) {
    const code = isSealdropError(error) ? error.code : undefined;
    if (code !== 'object_not_found' && code !== 'access_denied') throw error;
    return { denied: code === 'access_denied' };
  }
}

/** Somebody wrote between look and write: the next try sees it. Whoever may not look would try for ever. */
function raced(error: unknown, denied: boolean, address: string): unknown {
  if (!isSealdropError(error) || error.code !== 'precondition_failed') return error;
  if (!denied) return new SealdropError(error.code, error.message, { cause: error, retryable: true });
  return new SealdropError(error.code, `${address} is there already, and may not be looked at`, {
    cause: error,
    hint: 'the gateway has to see what is stored: allow s3:GetObject (HEAD) to its credentials',
  });
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
