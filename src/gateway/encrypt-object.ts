/** What a gateway does with one source version (design, "The event pipeline", steps 3 to 5). */
import { isSealdropError } from '../errors.js';
import type { Encryptor, ObjectInfo, ObjectStore, WriteCondition } from '../ports.js';
import type { Secret } from '../secret.js';
import { objectContext } from '../transfer/context.js';
import { readMetadata } from '../transfer/metadata.js';
import { put } from '../transfer/put.js';
import type { Source } from '../transfer/source.js';
import { assertStorableKey } from '../vault-key.js';
import { isTokenOf, sourceToken, type SourceVersion } from './source-token.js';

export interface EncryptObjectJob {
  source: Source;
  from: SourceVersion;
  vaultKey: string;
  store: ObjectStore;
  encryptor: Encryptor;
  idempotencyKey: Secret<Buffer>;
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
    const sourceTokenValue = sourceToken(idempotencyKey, from, vaultKey);
    const report = await put({
      ...{ source, store, key: vaultKey, encryptor, condition, signal },
      sourceToken: sourceTokenValue,
    });
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

/** A valid token of this version, and a size that can be this source's: otherwise it is stored again. */
function isSame(
  present: ObjectInfo,
  { source, from, vaultKey, encryptor, idempotencyKey }: EncryptObjectJob,
): boolean {
  const { source: token, size } = readMetadata(present.metadata);
  if (!isTokenOf(token, idempotencyKey, from, vaultKey)) return false;
  if (source.size === undefined || size !== source.size) return false;
  const expected = encryptor.ciphertextSize(source.size, objectContext(vaultKey));
  return expected.exact ? present.size === expected.bytes : present.size <= expected.bytes;
}
