/**
 * V3's keys: the data key is never used itself.
 *
 * Source: AWS Encryption SDK specification repository, s3-encryption/key-derivation.md; HKDF is RFC 5869.
 */
import { hkdfSync } from 'node:crypto';
import { COMMITTING_GCM, GCM_IV_BYTES, V3_ID_BYTES } from './algorithms.js';

const KEY_BYTES = 32;

/** Goes in front of what the keys are derived for, and is the content's additional authenticated data. */
export const V3_AAD = Buffer.alloc(2);
V3_AAD.writeUInt16BE(COMMITTING_GCM.suiteId);

/** Always the same: the key is used for one content alone. */
export const V3_IV = Buffer.alloc(GCM_IV_BYTES, 1);

/** 28 bytes, public: they fit this data key and no other. */
export const deriveCommitment = (dataKey: Uint8Array, messageId: Uint8Array): Buffer =>
  derive(dataKey, messageId, 'COMMITKEY', V3_ID_BYTES);

/**
 * 32 bytes, which the caller overwrites when it is done. A reader derives them only after it compared the commitment.
 */
export const deriveContentKey = (dataKey: Uint8Array, messageId: Uint8Array): Buffer =>
  derive(dataKey, messageId, 'DERIVEKEY', KEY_BYTES);

function derive(dataKey: Uint8Array, messageId: Uint8Array, label: string, length: number): Buffer {
  const info = Buffer.concat([V3_AAD, Buffer.from(label)]);
  return Buffer.from(hkdfSync('sha512', dataKey, messageId, info, length));
}
