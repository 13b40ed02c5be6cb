/**
 * Wrapping the data keys of S3 Encryption Client objects with a raw AES key.
 *
 * Source: amazon-s3-encryption-client-java, materials/AesKeyring.java: `AES/GCM`.
 */
import { createCipheriv, randomBytes, type CipherGCMTypes } from 'node:crypto';
import type { S3ecWrappingKey } from '../../ports.js';
import { localWrappingKey } from '../s3ec-wrapping.js';
import type { SecretWrappingKey } from './names.js';
import { aesRecipient } from './recipient.js';

const IV_BYTES = 12;

/**
 * IV (12 bytes), wrapped data key, tag (16 bytes).
 * @throws SealdropError `usage`
 */
export function aesS3ecKey(key: SecretWrappingKey): S3ecWrappingKey {
  return localWrappingKey('AES/GCM', aesRecipient(key), (dataKey, contentAlgorithm) => {
    const wrapping = key.secretKey.reveal();
    const iv = randomBytes(IV_BYTES);
    const cipher = createCipheriv(`aes-${wrapping.length * 8}-gcm` as CipherGCMTypes, wrapping, iv);
    cipher.setAAD(Buffer.from(contentAlgorithm));
    return Buffer.concat([iv, cipher.update(dataKey), cipher.final(), cipher.getAuthTag()]);
  });
}
