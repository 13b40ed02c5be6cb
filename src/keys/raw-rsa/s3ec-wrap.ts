/**
 * Wrapping the data keys of S3 Encryption Client objects with RSA. It can't unwrap them.
 *
 * Source: amazon-s3-encryption-client-java, materials/RsaKeyring.java: `RSA-OAEP-SHA1`.
 */
import { constants, publicEncrypt } from 'node:crypto';
import type { S3ecWrappingKey } from '../../ports.js';
import { localWrappingKey } from '../s3ec-wrapping.js';
import { rsaRecipient } from './recipient.js';
import type { PublicWrappingKey } from './wrap.js';

/**
 * OAEP with SHA-1, which the format has no choice of, and MGF1 with the same: whatever hash the key is used with elsewhere.
 * @throws SealdropError `usage`
 */
export function rsaS3ecKey(key: PublicWrappingKey): S3ecWrappingKey {
  const padding = constants.RSA_PKCS1_OAEP_PADDING;
  return localWrappingKey('RSA-OAEP-SHA1', rsaRecipient(key), (dataKey, contentAlgorithm) => {
    const message = Buffer.concat([Buffer.of(dataKey.length), dataKey, Buffer.from(contentAlgorithm)]);
    try {
      return publicEncrypt({ key: key.publicKey, padding, oaepHash: 'sha1' }, message);
    } finally {
      message.fill(0);
    }
  });
}
