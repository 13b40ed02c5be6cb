/** Encryption to objects of the S3 Encryption Client, for functions: all of it that an RSA key takes. */
import type { EncryptingFormat } from './contract.js';
import { createS3ecEncryptor } from './envelope/s3ec/encrypt.js';
import type { PublicSetKey } from './keys/key-set.js';
import { rsaS3ecKey } from './keys/raw-rsa/s3ec-wrap.js';
import type { Encryptor, S3ecWrappingKey } from './ports.js';

/** @throws SealdropError `usage` */
export function s3ecEncryptor(
  key: PublicSetKey,
  format: EncryptingFormat,
  byKms: (arn: string) => S3ecWrappingKey,
): Encryptor {
  const wrapping = key.kind === 'rsa' ? rsaS3ecKey(key) : byKms(key.arn);
  return createS3ecEncryptor(wrapping, { version: format === 's3ec' ? 3 : 2 });
}
