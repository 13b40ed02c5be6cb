/**
 * Wrapping data keys with raw AES keys, by the AWS Encryption SDK's keyring. It holds both directions, as the key does:
 * whoever wraps with it can unwrap, so gateways have no part of this.
 */
import { RawAesKeyringNode } from '@aws-crypto/raw-aes-keyring-node';
import { assertOwnNamespace, type WrappingKey } from '../wrapping-keys.js';
import { keyringInput, secretKeyFingerprint, type SecretWrappingKey } from './names.js';

const TAG_BYTES = 16;
/** Behind the name: lengths of tag and nonce, and the nonce. */
const INFO_BYTES = 4 + 4 + 12;

/** @throws SealdropError `usage` */
export function aesWrappingKey(key: SecretWrappingKey): WrappingKey {
  const { namespace, name, secretKey } = key;
  assertOwnNamespace(namespace);
  return {
    // The context's order is part of what is authenticated: as every other implementation sorts it.
    keyring: new RawAesKeyringNode({ ...keyringInput(key), utf8Sorting: true }),
    recipient: {
      namespace,
      name,
      fingerprint: secretKeyFingerprint(secretKey),
      wrappedBytes: (dataKeyBytes) => dataKeyBytes + TAG_BYTES,
      infoBytes: Buffer.byteLength(name) + INFO_BYTES,
    },
  };
}
