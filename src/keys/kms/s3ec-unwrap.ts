/**
 * Unwrapping the data keys of S3 Encryption Client objects by AWS KMS. An object names no key: those that the caller
 * named are asked, one after the other.
 *
 * Source: AWS Encryption SDK specification repository, s3-encryption/materials/s3-kms-keyring.md.
 */
import { isSealdropError, SealdropError } from '../../errors.js';
import { S3EC_ALGORITHM_PAIR, type S3ecSealedKey } from '../../ports.js';
import { DATA_KEY_BYTES, type S3ecCandidate } from '../s3ec-unwrapping.js';
import type { KmsClients } from './client.js';
import { decryptDataKey } from './decrypt.js';
import type { KmsKeyName } from './names.js';
import { MAX_WRAPPED_BYTES } from './recipient.js';
import type { KmsRequest } from './request.js';

/** What KMS refuses is told only where no other key opens the object. */
export function kmsS3ecCandidate(options: {
  readonly clients: KmsClients;
  readonly keys: readonly KmsKeyName[];
}): S3ecCandidate {
  const { clients, keys } = options;
  return async (sealed) => {
    assertContext(sealed);
    const { wrappedKey, description: context } = sealed;
    // What KMS can't have made it isn't asked of.
    if (wrappedKey.length === 0 || wrappedKey.length > MAX_WRAPPED_BYTES) return undefined;
    let failure: SealdropError | undefined;
    for (const key of keys) {
      try {
        const dataKey = await open({ clients, key, context }, wrappedKey);
        if (dataKey !== undefined) return dataKey;
      } catch (error) {
        if (!isSealdropError(error)) throw error;
        failure ??= error;
      }
    }
    if (failure !== undefined) throw failure;
    return undefined;
  };
}

/**
 * A key of `kms+context` is bound to its content algorithm; to say that it is one of `kms`, which binds none, would undo it.
 * @throws SealdropError `wrong_context`
 */
function assertContext({ algorithm, contentAlgorithm, description }: S3ecSealedKey): void {
  const bound = algorithm === 'kms' ? undefined : contentAlgorithm;
  if (description[S3EC_ALGORITHM_PAIR] === bound) return;
  throw new SealdropError(
    'wrong_context',
    `the context that the object’s data key is bound to has the wrong ${S3EC_ALGORITHM_PAIR}`,
    { hint: 'what the object says of its encryption was altered' },
  );
}

/** @returns undefined where it isn't this key's, or what is wrapped is no data key */
async function open(request: KmsRequest, wrappedKey: Uint8Array): Promise<Buffer | undefined> {
  const opened = await decryptDataKey(request, wrappedKey);
  if (opened === undefined) return undefined;
  const { keyId, dataKey } = opened;
  const { id, isKey } = request.key;
  if (DATA_KEY_BYTES.includes(dataKey.length) && (!isKey || keyId === id))
    return Buffer.from(dataKey.buffer, dataKey.byteOffset, dataKey.length);
  dataKey.fill(0);
  return undefined;
}
