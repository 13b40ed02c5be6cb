/** The one request that unwraps: Decrypt. Imported by what decrypts alone. */
import { DecryptCommand } from '@aws-sdk/client-kms';
import { kmsError } from './errors.js';
import { requestInput, type KmsRequest } from './request.js';

/** Other keys, ciphertexts and contexts than the key's own: the data key may be meant for somebody else. */
const NOT_OURS = /^(IncorrectKeyException|InvalidCiphertextException)$/;

/**
 * @returns undefined where it is none of this key's and this context's; else the data key, in memory of its own, which
 * the caller overwrites, and the key that KMS says that it used
 * @throws SealdropError as `kmsError` has them
 */
export async function decryptDataKey(
  request: KmsRequest,
  wrappedKey: Uint8Array,
): Promise<{ readonly keyId: string | undefined; readonly dataKey: Uint8Array } | undefined> {
  const { clients, key } = request;
  const command = new DecryptCommand({ ...requestInput(request), CiphertextBlob: wrappedKey });
  const client = await clients.in(key.region);
  const answer = await client.send(command).catch((error: unknown) => {
    if (NOT_OURS.test((error as Error).name)) return undefined;
    throw kmsError(error, key.id, 'kms:Decrypt');
  });
  const plaintext = answer?.Plaintext;
  if (plaintext === undefined) return undefined;
  const dataKey = new Uint8Array(plaintext);
  plaintext.fill(0);
  return { keyId: answer?.KeyId, dataKey };
}
