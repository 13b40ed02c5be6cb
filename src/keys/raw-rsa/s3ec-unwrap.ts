/**
 * Unwrapping the data keys of S3 Encryption Client objects with RSA private keys. All of them are one candidate: a
 * failure doesn't say which of them did not fit, or why.
 *
 * Source: amazon-s3-encryption-client-java, materials/RsaKeyring.java; aws-sdk-java (1), v1/S3KeyWrapScheme.java.
 */
import { constants, createHash, createHmac, privateDecrypt, type KeyObject } from 'node:crypto';
import type { S3ecSealedKey } from '../../ports.js';
import { DATA_KEY_BYTES, type S3ecCandidate } from '../s3ec-unwrapping.js';
import { decodeOaep, decodePkcs1 } from './padding.js';
import { modulusBytes } from './recipient.js';
import type { PrivateWrappingKey } from './unwrap.js';

type Opener = (keys: readonly [KeyObject, ...KeyObject[]], sealed: S3ecSealedKey) => Buffer | undefined;

const openOaepSha1: Opener = (keys, { wrappedKey, contentAlgorithm }) => {
  for (const key of keys) {
    const message = decryptOaepSha1(key, wrappedKey);
    const dataKey = message && boundKey(message, Buffer.from(contentAlgorithm));
    message?.fill(0);
    if (dataKey !== undefined) return dataKey;
  }
  return undefined;
};

function decryptOaepSha1(key: KeyObject, wrappedKey: Uint8Array): Buffer | undefined {
  const padding = constants.RSA_PKCS1_OAEP_PADDING;
  try {
    return privateDecrypt({ key, padding, oaepHash: 'sha1' }, wrappedKey);
  } catch {
    return undefined;
  }
}

/** Out of its length (1 byte), itself, and the name of the content algorithm. */
function boundKey(message: Buffer, contentAlgorithm: Buffer): Buffer | undefined {
  const bytes = message.length - 1 - contentAlgorithm.length;
  if (!DATA_KEY_BYTES.includes(bytes) || message[0] !== bytes) return undefined;
  if (!message.subarray(1 + bytes).equals(contentAlgorithm)) return undefined;
  const dataKey = Buffer.alloc(bytes);
  message.copy(dataKey, 0, 1);
  return dataKey;
}

/** By Java's own provider MGF1 has SHA-1; by BouncyCastle the hash of the label. */
const openOaepSha256: Opener = (keys, { wrappedKey }) => {
  for (const key of keys) {
    const encoded = decryptRaw(key, wrappedKey);
    const dataKey = decodeOaep(encoded, 'sha256', 'sha1') ?? decodeOaep(encoded, 'sha256', 'sha256');
    encoded.fill(0);
    if (dataKey !== undefined) return dataKey;
  }
  return undefined;
};

/**
 * PKCS#1 v1.5 says to whoever may try often enough what is encrypted, if its failures can be told (Bleichenbacher). So it
 * has none: what is not padded gives a data key that is none, and always the same one.
 */
const openPkcs1: Opener = (keys, { wrappedKey }) => {
  const dataKey = implicitRejection(keys[0], wrappedKey);
  let length = dataKey.length;
  for (const key of keys) {
    const encoded = decryptRaw(key, wrappedKey);
    length = decodePkcs1(encoded, dataKey, length);
    encoded.fill(0);
  }
  return dataKey.subarray(0, length);
};

/** 32 bytes of the ciphertext and a secret of the private key's (draft-irtf-cfrg-rsa-guidance, as OpenSSL 3.2 does it). */
function implicitRejection(key: KeyObject, wrappedKey: Uint8Array): Buffer {
  const der = key.export({ type: 'pkcs8', format: 'der' });
  const secret = createHash('sha256').update('sealdrop implicit rejection').update(der).digest();
  der.fill(0);
  return createHmac('sha256', secret).update(wrappedKey).digest();
}

/** As many bytes as the modulus has; zeros, which are no padding at all, for a number that is not below it. */
function decryptRaw(key: KeyObject, wrappedKey: Uint8Array): Buffer {
  try {
    return privateDecrypt({ key, padding: constants.RSA_NO_PADDING }, wrappedKey);
  } catch {
    return Buffer.alloc(wrappedKey.length);
  }
}

const OPENERS: ReadonlyMap<string, Opener> = new Map([
  ['RSA-OAEP-SHA1', openOaepSha1],
  ['RSA/ECB/OAEPWithSHA-256AndMGF1Padding', openOaepSha256],
  ['RSA', openPkcs1],
]);

export function rsaS3ecCandidate(keys: readonly PrivateWrappingKey[]): S3ecCandidate {
  return async (sealed) => {
    const [first, ...rest] = keys
      .map(({ privateKey }) => privateKey)
      .filter((key) => modulusBytes(key) === sealed.wrappedKey.length);
    return first && OPENERS.get(sealed.algorithm)?.([first, ...rest], sealed);
  };
}
