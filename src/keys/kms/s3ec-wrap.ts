/**
 * Wrapping the data keys of S3 Encryption Client objects by AWS KMS, which is asked for nothing else: GenerateDataKey for
 * a new data key, Encrypt for one that there is.
 *
 * Source: AWS Encryption SDK specification repository, s3-encryption/materials/s3-kms-keyring.md: `kms+context`.
 */
import { SealdropError } from '../../errors.js';
import { S3EC_ALGORITHM_PAIR, type S3ecBinding, type S3ecWrappingKey } from '../../ports.js';
import { S3EC_DATA_KEY_BYTES } from '../s3ec-wrapping.js';
import type { KmsClients } from './client.js';
import { encryptDataKey, generateDataKey } from './data-key.js';
import type { KmsKeyName } from './names.js';
import { kmsRecipient } from './recipient.js';

/** Its methods throw SealdropError as `kmsError` has them, `reserved_context`. */
export function kmsS3ecKey(key: KmsKeyName, clients: KmsClients): S3ecWrappingKey {
  return {
    algorithm: 'kms+context',
    recipient: kmsRecipient(key),
    async generate(binding) {
      const context = contextOf(binding);
      const made = await generateDataKey({ clients, key, context }, S3EC_DATA_KEY_BYTES, {
        KeySpec: 'AES_256',
      });
      const { buffer, byteOffset, length } = made.dataKey;
      const dataKey = Buffer.from(buffer, byteOffset, length);
      return { dataKey, wrappedKey: made.wrappedKey, description: context };
    },
    async wrap(dataKey, binding) {
      const context = contextOf(binding);
      const { wrappedKey } = await encryptDataKey({ clients, key, context }, dataKey);
      return { wrappedKey, description: context };
    },
  };
}

function contextOf({ description, contentAlgorithm }: S3ecBinding): Record<string, string> {
  if (S3EC_ALGORITHM_PAIR in description)
    throw new SealdropError('reserved_context', `the context name ${S3EC_ALGORITHM_PAIR} is reserved`);
  return { ...description, [S3EC_ALGORITHM_PAIR]: contentAlgorithm };
}
