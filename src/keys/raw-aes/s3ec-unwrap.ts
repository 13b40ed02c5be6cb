/**
 * Unwrapping the data keys of S3 Encryption Client objects with raw AES keys.
 *
 * Source: amazon-s3-encryption-client-java, materials/AesKeyring.java; aws-sdk-java (1), v1/S3KeyWrapScheme.java.
 */
import { createDecipheriv, type CipherGCMTypes } from 'node:crypto';
import type { S3ecSealedKey } from '../../ports.js';
import { DATA_KEY_BYTES, type S3ecCandidate } from '../s3ec-unwrapping.js';
import type { SecretWrappingKey } from './names.js';

/** @returns undefined where the key doesn't fit, or what is wrapped is no data key */
type Opener = (key: Buffer, sealed: S3ecSealedKey) => Buffer | undefined;

const [IV_BYTES, TAG_BYTES, BLOCK_BYTES] = [12, 16, 16];
/** RFC 3394, 2.2.3.1: the initial value; what is wrapped is longer by as much. */
const INITIAL_VALUE = Buffer.alloc(8, 0xa6);

const openGcm: Opener = (key, { wrappedKey, contentAlgorithm }) => {
  if (!DATA_KEY_BYTES.includes(wrappedKey.length - IV_BYTES - TAG_BYTES)) return undefined;
  const name = `aes-${key.length * 8}-gcm` as CipherGCMTypes;
  const decipher = createDecipheriv(name, key, wrappedKey.subarray(0, IV_BYTES), {
    authTagLength: TAG_BYTES,
  });
  decipher.setAAD(Buffer.from(contentAlgorithm));
  decipher.setAuthTag(wrappedKey.subarray(-TAG_BYTES));
  const dataKey = decipher.update(wrappedKey.subarray(IV_BYTES, -TAG_BYTES));
  try {
    decipher.final();
    return dataKey;
  } catch {
    dataKey.fill(0);
    return undefined;
  }
};

const openWrapped: Opener = (key, { wrappedKey }) => {
  if (!DATA_KEY_BYTES.includes(wrappedKey.length - INITIAL_VALUE.length)) return undefined;
  try {
    return createDecipheriv(`id-aes${key.length * 8}-wrap`, key, INITIAL_VALUE).update(wrappedKey);
  } catch {
    return undefined;
  }
};

/** ECB with PKCS#7. Nothing authenticates it, but that its padding comes out right in a whole block or half of one. */
const openEcb: Opener = (key, { wrappedKey }) => {
  if (wrappedKey.length === 0 || wrappedKey.length % BLOCK_BYTES !== 0) return undefined;
  const decipher = createDecipheriv(`aes-${key.length * 8}-ecb`, key, null).setAutoPadding(false);
  const padded = decipher.update(wrappedKey);
  const padding = padded.at(-1)!;
  const length = padded.length - padding;
  const isPadded =
    padding > 0 && padding <= BLOCK_BYTES && padded.subarray(length).every((byte) => byte === padding);
  if (isPadded && DATA_KEY_BYTES.includes(length)) return padded.subarray(0, length);
  padded.fill(0);
  return undefined;
};

const OPENERS: ReadonlyMap<string, Opener> = new Map([
  ['AES/GCM', openGcm],
  ['AESWrap', openWrapped],
  ['AES', openEcb],
]);

/** Trying is safe: a key that doesn't fit is told apart. */
export function aesS3ecCandidate(keys: readonly SecretWrappingKey[]): S3ecCandidate {
  return async (sealed) => {
    const open = OPENERS.get(sealed.algorithm);
    for (const { secretKey } of keys) {
      const dataKey = open?.(secretKey.reveal(), sealed);
      if (dataKey !== undefined) return dataKey;
    }
    return undefined;
  };
}
