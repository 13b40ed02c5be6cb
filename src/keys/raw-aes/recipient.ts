import type { Recipient } from '../../ports.js';
import { assertOwnNamespace } from '../wrapping-rules.js';
import { secretKeyFingerprint, type SecretWrappingKey } from './names.js';

const TAG_BYTES = 16;
/** Behind the name: lengths of tag and nonce, and the nonce. */
const INFO_BYTES = 4 + 4 + 12;

/** @throws SealdropError `usage` */
export function aesRecipient({ namespace, name, secretKey }: SecretWrappingKey): Recipient {
  assertOwnNamespace(namespace);
  return {
    namespace,
    name,
    fingerprint: secretKeyFingerprint(secretKey),
    wrappedBytes: (dataKeyBytes) => dataKeyBytes + TAG_BYTES,
    infoBytes: Buffer.byteLength(name) + INFO_BYTES,
  };
}
