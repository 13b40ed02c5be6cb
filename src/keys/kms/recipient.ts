import type { Recipient } from '../../ports.js';
import { KMS_NAMESPACE } from '../key-set-document.js';
import { kmsFingerprint, type KmsKeyName } from './names.js';

/** Source: AWS KMS API reference, Encrypt ("CiphertextBlob", "KeyId"): at most so many. */
export const MAX_WRAPPED_BYTES = 6144;
const MAX_NAME_BYTES = 2048;
/** Of the shortest data key, 16 bytes, with a nonce and a tag; and of the shortest ARN of a key. */
const MIN_WRAPPED_BYTES = 16 + 12 + 16;
const MIN_NAME_BYTES = 'arn:aws:kms:::key/'.length;

export function kmsRecipient({ id, isKey }: KmsKeyName): Recipient {
  const asked = Buffer.byteLength(id);
  const infoBytes = isKey ? asked : MAX_NAME_BYTES;
  return {
    namespace: KMS_NAMESPACE,
    name: id,
    fingerprint: kmsFingerprint(id),
    wrappedBytes: MAX_WRAPPED_BYTES,
    infoBytes,
    slack: MAX_WRAPPED_BYTES - MIN_WRAPPED_BYTES + (isKey ? 0 : MAX_NAME_BYTES - MIN_NAME_BYTES),
  };
}
