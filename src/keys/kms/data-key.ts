/** Data keys that AWS KMS makes (GenerateDataKey) or wraps (Encrypt). Nothing here asks it to unwrap. */
import {
  EncryptCommand,
  GenerateDataKeyCommand,
  type EncryptCommandOutput,
  type GenerateDataKeyCommandInput,
} from '@aws-sdk/client-kms';
import { SealdropError } from '../../errors.js';
import { printable } from '../../printable.js';
import { kmsError } from './errors.js';
import { requestInput, type KmsRequest } from './request.js';

export interface KmsWrapped {
  /** Under the name that KMS says. */
  readonly keyId: string | undefined;
  readonly wrappedKey: Uint8Array;
}

/**
 * @param size as KMS is asked for it. Default: the number of bytes
 * @returns the data key in memory of its own, which the caller overwrites
 * @throws SealdropError as `kmsError` has them
 */
export async function generateDataKey(
  request: KmsRequest,
  bytes: number,
  size: Pick<GenerateDataKeyCommandInput, 'NumberOfBytes' | 'KeySpec'> = { NumberOfBytes: bytes },
): Promise<KmsWrapped & { readonly dataKey: Uint8Array }> {
  const { clients, key } = request;
  const client = await clients.in(key.region);
  const command = new GenerateDataKeyCommand({ ...requestInput(request), ...size });
  const { Plaintext: plaintext, ...answer } = await client.send(command).catch((error: unknown) => {
    throw kmsError(error, key.id, 'kms:GenerateDataKey');
  });
  if (plaintext?.length !== bytes) throw malformedAnswer(key.id);
  // In memory of its own, and nowhere else: the answer may share its memory with others.
  const dataKey = new Uint8Array(plaintext);
  plaintext.fill(0);
  return { dataKey, ...wrappedOf(answer, key.id) };
}

/** @throws SealdropError as `kmsError` has them */
export async function encryptDataKey(request: KmsRequest, dataKey: Uint8Array): Promise<KmsWrapped> {
  const { clients, key } = request;
  const client = await clients.in(key.region);
  const command = new EncryptCommand({ ...requestInput(request), Plaintext: dataKey });
  const answer = await client.send(command).catch((error: unknown) => {
    throw kmsError(error, key.id, 'kms:Encrypt');
  });
  return wrappedOf(answer, key.id);
}

function wrappedOf(answer: Pick<EncryptCommandOutput, 'KeyId' | 'CiphertextBlob'>, id: string): KmsWrapped {
  const { KeyId: keyId, CiphertextBlob: wrappedKey } = answer;
  if (!wrappedKey?.length) throw malformedAnswer(id);
  return { keyId, wrappedKey };
}

export function malformedAnswer(id: string): SealdropError {
  return new SealdropError('aws_refused', `the KMS key ${printable(id)}: the answer holds no data key`, {
    hint: 'what answers may not be AWS KMS: check AWS_ENDPOINT_URL_KMS and AWS_ENDPOINT_URL if they are set',
  });
}
