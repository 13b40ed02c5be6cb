/** Keys of AWS KMS for objects of the S3 Encryption Client, by their names. */
import type { S3ecWrappingKey } from '../../ports.js';
import { KmsClients, type KmsOptions } from './client.js';
import { parseKmsKey } from './names.js';
import { kmsS3ecKey } from './s3ec-wrap.js';

/** @returns makes a key of an ARN or alias; they share their connections. It throws SealdropError `invalid_key`. */
export function kmsS3ecWrapper(options: KmsOptions = {}): (id: string) => S3ecWrappingKey {
  const clients = new KmsClients(options);
  return (id) => kmsS3ecKey(parseKmsKey(id, 'kms:'), clients);
}
